//! The flags that every command takes do what they say, in every command.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{directory::write_private, program::PROGRAM};

const CONFIGURATION: &str = r#"
[tenant.acme]
region  = "eu"
service = { client_id = "id", client_secret = { file = "acme.secret" } }

[caller.powerbi]
key   = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
allow = ["read"]

[audit]
path = "audit"
"#;

/// What a command printed, and its exit code.
struct Said {
    out: String,
    err: String,
    code: i32,
}

/// A directory with a configuration, in which commands are typed.
pub(super) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("acme.secret"), "not-a-real-secret\n");
    write_private(&folder.path().join("c.toml"), CONFIGURATION);
    folder
}

fn typed(folder: &Path, line: &str, variables: &[(&str, &str)]) -> Said {
    let output = Command::new(PROGRAM)
        .args(line.split(' '))
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Said {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

const ESCAPE: char = '\u{1b}';

#[test]
fn color_decides_about_every_line_clap_s_included() {
    let folder = folder();
    let has_colors = |line: &str, variables: &[(&str, &str)]| {
        let said = typed(folder.path(), line, variables);
        (said.out + &said.err).contains(ESCAPE)
    };
    for line in [
        "status --admin ./none.sock",
        "config show --config none.toml",
        "caller add --help",
        "statsu",
    ] {
        let (always, never) = (
            format!("{line} --color always"),
            format!("{line} --color=never"),
        );
        let forced = [("CLICOLOR_FORCE", "1")];
        assert!(!has_colors(line, &[]), "a pipe is no terminal: {line}");
        assert!(has_colors(&always, &[]), "{always}");
        assert!(has_colors(&always, &[("NO_COLOR", "1")]), "{always}");
        assert!(has_colors(line, &forced), "CLICOLOR_FORCE: {line}");
        assert!(!has_colors(&never, &forced), "{never}");
        let unwanted = [forced[0], ("NO_COLOR", "1")];
        assert!(!has_colors(line, &unwanted), "NO_COLOR: {line}");
    }
}

/// Each command once, so that it ends by itself.
const EACH_COMMAND: &[(&str, &str)] = &[
    ("run", "--config none.toml"),
    ("sandbox", "--listen 192.0.2.1:1"),
    ("healthcheck", "--address 127.0.0.1:1"),
    ("reload", "--admin ./none.sock"),
    ("drain", "--admin ./none.sock"),
    ("init", "--no-input --config new.toml"),
    ("login", "--config c.toml"),
    ("logout", "--config c.toml"),
    ("caller add", "new --config c.toml"),
    ("caller key", "other --allow read"),
    ("caller list", "--config c.toml"),
    ("caller show", "powerbi --config c.toml"),
    ("caller allow", "nobody getDevices --config c.toml"),
    ("caller deny", "nobody getDevices --config c.toml"),
    ("caller set", "new --rate 1/s --config c.toml"),
    ("caller rotate", "new --config c.toml"),
    ("caller revoke", "new --config c.toml"),
    ("status", "--admin ./none.sock"),
    ("doctor", "nobody --offline --config c.toml"),
    ("explain", "powerbi GET /v2/devices --config c.toml"),
    ("ops list", "--class dangerous"),
    ("ops show", "getNothing"),
    ("config check", "--config c.toml"),
    ("config show", "--config none.toml"),
    ("config schema", ""),
    ("audit verify", "./none"),
    ("completions", "bash"),
    ("man", "nothing"),
    ("version", ""),
    ("help", "nothing-such"),
];

#[test]
fn json_is_json_in_every_command() {
    let folder = folder();
    for (command, rest) in EACH_COMMAND {
        let line = format!("{command} --json {rest}");
        let said = typed(folder.path(), line.trim(), &[]);
        let (out, err) = (&said.out, &said.err);
        if !out.is_empty() {
            let result = serde_json::from_str::<Value>(out);
            assert!(result.is_ok(), "{line}: {out}");
        }
        let talk: Vec<Value> = err
            .lines()
            .map(|it| serde_json::from_str(it).unwrap_or_else(|_| panic!("{line}: {it}")))
            .collect();
        let errors = talk.last().filter(|it| it["schema"] == "error/1");
        assert_eq!(
            errors.is_none(),
            said.code == 0,
            "{line}: {}\n{out}\n{err}",
            said.code
        );
        if let Some(errors) = errors {
            assert_eq!(errors["exit"], said.code, "{line}");
            let message = errors["errors"][0]["message"].as_str().unwrap();
            assert!(message.len() > 20, "{line}: {message}");
        }
    }
}

#[test]
fn the_commands_above_are_all_there_are() {
    let folder = folder();
    let known: BTreeSet<String> = EACH_COMMAND
        .iter()
        .map(|(command, _)| command.replace(' ', "-"))
        .collect();
    let files = typed(folder.path(), "man --json --directory .", &[]);
    let files: Value = serde_json::from_str(&files.out).unwrap();
    let pages: BTreeSet<String> = files["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| {
            let name = it.as_str().unwrap().trim_start_matches("./");
            let name = name.trim_start_matches("ninjaone-proxy");
            Some(name.strip_suffix(".1")?.trim_start_matches('-').to_owned())
        })
        .collect();
    // `caller` is a group of commands, and so is the program.
    let is_group =
        |page: &str| page.is_empty() || pages.iter().any(|it| it.starts_with(&format!("{page}-")));
    let leaves: BTreeSet<String> = pages.iter().filter(|it| !is_group(it)).cloned().collect();
    assert_eq!(leaves, known);
}

#[test]
fn quiet_leaves_results_and_errors() {
    let folder = folder();
    let added = typed(folder.path(), "caller add quiet --config c.toml -q", &[]);
    assert!(added.out.starts_with("njp_quiet_"), "{}", added.out);
    assert_eq!((added.err.as_str(), added.code), ("", 0));

    let wrong = typed(folder.path(), "caller show nobody --config c.toml -q", &[]);
    assert!(wrong.err.starts_with("error: "), "{}", wrong.err);
    assert_eq!((wrong.out.as_str(), wrong.code), ("", 1));
}

#[test]
fn verbose_says_what_is_read_and_asked_and_how_long_it_takes() {
    let folder = folder();
    let read = typed(folder.path(), "caller list --config c.toml -v", &[]);
    assert!(read.err.contains("reads the configuration"), "{}", read.err);
    assert!(read.err.contains("c.toml"), "{}", read.err);
    assert!(read.err.contains("took_ms="), "{}", read.err);
    let asked = typed(folder.path(), "status --admin ./none.sock -v", &[]);
    assert!(
        asked.err.contains("asked the running proxy: GET /status"),
        "{}",
        asked.err
    );
    let both = typed(folder.path(), "status -v -q", &[]);
    assert_eq!(both.code, 2, "{}", both.err);
}

#[test]
fn no_input_names_the_flag_that_is_missing() {
    let folder = folder();
    for (given, missing) in [
        ("", "--region"),
        (" --region eu", "--client-id"),
        (" --region eu --client-id id", "--client-secret-file"),
    ] {
        let line = format!("init --no-input --config new.toml{given}");
        let said = typed(folder.path(), &line, &[]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(said.err.contains(missing), "{line}: {}", said.err);
    }
    let login = typed(
        folder.path(),
        "login --paste --no-input --config c.toml",
        &[],
    );
    assert_eq!(login.code, 2);
    assert!(login.err.contains("--paste"), "{}", login.err);
}
