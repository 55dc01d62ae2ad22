//! Completions, asked for by a real shell.

use std::{
    env,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::program::PROGRAM;

use super::flags::folder;

/// Sets bash up as an interactive one would be, and prints what the Tab key would offer at the end of the line.
const BASH: &str = r#"
source <(ninjaone-proxy completions bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
_clap_complete_ninjaone_proxy ninjaone-proxy "${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// What bash offers for the last of these words.
fn offered(folder: &Path, words: &[&str]) -> Vec<String> {
    let bin = folder.join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        symlink(PROGRAM, bin.join("ninjaone-proxy")).unwrap();
    }
    let path = format!("{}:{}", bin.display(), env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["--norc", "-c", BASH, "bash", "ninjaone-proxy"])
        .args(words)
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_knows_callers_tenants_and_operations() {
    let folder = folder();
    // Nobody completes with secrets.
    std::fs::remove_file(folder.path().join("acme.secret")).unwrap();
    let config = ["--config", "c.toml"];
    for (words, wanted, unwanted) in [
        (&["caller", "show", ""][..], "powerbi", "acme"),
        (&["explain", "pow"], "powerbi", "acme"),
        (&["explain", "powerbi", "G"], "GET", "POST"),
        (
            &["explain", "powerbi", "GET", "/v2/organiz"],
            "/v2/organizations",
            "GET",
        ),
        (&["doctor", ""], "acme", "powerbi"),
        (&["ops", "show", "getDev"], "getDevices", "getOrganizations"),
        (&["caller", "allow", "powerbi", "dan"], "dangerous", "read"),
        (&["cal"], "caller", "config"),
        (&["status", "--col"], "--color", "--config"),
    ] {
        let line = [&config, words].concat();
        let offered = offered(folder.path(), &line);
        let has = |value: &str| offered.iter().any(|it| it == value);
        assert!(has(wanted) && !has(unwanted), "{words:?}: {offered:?}");
    }
}

#[test]
fn without_a_configuration_there_is_nobody_to_offer_and_no_error() {
    let folder = folder();
    let words = ["--config", "none.toml", "caller", "show", "p"];
    assert_eq!(offered(folder.path(), &words), [""]);
}
