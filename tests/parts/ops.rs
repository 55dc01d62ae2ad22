//! `ops list` and `ops show`: output and exit codes.

use clap::Parser;
use ninjaone_proxy::{
    cli::ops::{OpsListArgs, OpsShowArgs, list, show},
    ninjaone::catalogue::Catalogue,
};
use serde_json::Value;

/// A command line as the program has it: `--json` stands for every command.
#[derive(Parser)]
struct Line {
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(OpsListArgs),
    Show(OpsShowArgs),
}

/// Exit code, stdout, stderr.
fn run(words: &[&str]) -> (u8, String, String) {
    let mut line = Line::try_parse_from(["ops"].iter().chain(words)).unwrap();
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let catalogue = Catalogue::builtin();
    let code = match &mut line.command {
        Command::List(args) => {
            args.json = line.json;
            list(&catalogue, args, &mut out, &mut talk).unwrap()
        }
        Command::Show(args) => {
            args.json = line.json;
            show(&catalogue, args, &mut out, &mut talk).unwrap()
        }
    };
    (
        code.into(),
        String::from_utf8(out).unwrap(),
        String::from_utf8(talk).unwrap(),
    )
}

#[test]
fn the_whole_list_fits_a_hundred_columns() {
    let (code, out, talk) = run(&["list"]);
    assert_eq!((code, &*talk), (0, ""));
    assert!(out.lines().all(|line| line.chars().count() <= 100));
    assert!(out.ends_with("\n315 operations\n"));
}

#[test]
fn filters_narrow_the_list_together() {
    let filters = [
        "list",
        "--class",
        "dangerous",
        "--scope",
        "management",
        "--tag",
        "MANAGEMENT",
        "patch/OS",
    ];
    let (_, out, _) = run(&filters);
    let rows: Vec<&str> = out
        .lines()
        .filter(|line| line.starts_with("dangerous"))
        .map(|line| line.split_whitespace().nth(2).unwrap())
        .collect();
    assert_eq!(rows, ["submitOSPatchApply"]);
}

#[test]
fn nothing_that_fits_is_exit_1_and_said_on_stderr() {
    let (code, out, talk) = run(&["list", "no-such-word"]);
    assert_eq!((code, &*out), (1, ""));
    assert!(talk.starts_with("error: no operation matches\n"));
}

#[test]
fn json_has_its_schema_wherever_the_flag_stands() {
    for words in [
        &["list", "--json", "webhook"][..],
        &["--json", "list", "webhook"],
    ] {
        let (code, out, _) = run(words);
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &value["schema"]), (0, &Value::from("ops/1")));
        assert_eq!(value["operations"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_class_that_does_not_exist_is_wrong_usage() {
    let line = Line::try_parse_from(["ops", "list", "--class", "deadly"]);
    let message = line.err().unwrap().to_string();
    assert!(
        message.contains("read, secrets, write, dangerous"),
        "{message}"
    );
}

#[test]
fn one_operation_is_shown_with_all_that_is_known() {
    let (code, out, _) = run(&["show", "getCustomFieldsReport"]);
    assert_eq!(code, 0);
    for part in [
        "GET /v2/queries/custom-fields",
        "class       read",
        "showSecureValues",
        "paging      cursor",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (_, out, _) = run(&["show", "runScriptOnDevice"]);
    assert!(
        out.contains("id (int)") && out.contains("user: NinjaOne refuses"),
        "{out}"
    );
}

#[test]
fn an_operation_that_does_not_exist_is_exit_1_with_a_suggestion() {
    let (code, out, talk) = run(&["show", "getDevces"]);
    assert_eq!((code, &*out), (1, ""));
    assert!(talk.contains("did you mean getDevices?"), "{talk}");
}

#[test]
fn notes_are_told_in_words() {
    let (code, out, _) = run(&["show", "getDevices"]);
    assert_eq!(code, 0);
    assert!(out.contains("takes a device filter (df)"), "{out}");
}
