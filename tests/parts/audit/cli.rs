//! `audit verify`, as its users meet it.

use std::{fs, path::Path, sync::atomic::AtomicBool};

use clap::Parser;
use ninjaone_proxy::{
    audit::verify::{VerifyError, verify_unless},
    cli::audit::{AuditArgs, AuditCommand},
};
use serde_json::Value;
use tempfile::tempdir;

use super::world::{CLOSE_MAX, log_files, open};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    audit: AuditArgs,
}

/// The exit code, standard output and standard error.
fn verify(arguments: &[&str], directory: &Path, json: bool) -> (u8, String, String) {
    let line = ["audit", "verify"].iter().chain(arguments);
    let AuditCommand::Verify(verify) = Line::try_parse_from(line).unwrap().audit.command;
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let code = verify.run(directory, json, &mut out, &mut talk).into();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(talk))
}

fn small_log(directory: &Path) {
    assert!(open(directory).close_within("test", CLOSE_MAX));
}

#[test]
fn a_whole_log_is_said_to_be_whole_with_its_head_to_note_elsewhere() {
    let temp_dir = tempdir().unwrap();
    small_log(temp_dir.path());
    let (code, out, talk) = verify(&[], temp_dir.path(), false);
    assert_eq!((code, &*talk), (0, ""));
    assert!(
        out.starts_with("The audit log is whole: 2 lines in 1 file.\n"),
        "{out}"
    );
    let head = out
        .lines()
        .find_map(|line| line.trim().strip_prefix("head  "))
        .unwrap();

    let (code, ..) = verify(&["--anchor", head], temp_dir.path(), false);
    assert_eq!(code, 0);
    let later = head.replacen('2', "3", 1);
    let (code, out, _) = verify(&["--anchor", &later], temp_dir.path(), false);
    assert_eq!(code, 7);
    assert!(out.contains("is not in the log"), "{out}");
}

/// The proxy gives a verification up that takes too long, or whose asker has gone.
#[test]
fn a_verification_that_is_given_up_ends_without_a_verdict() {
    let temp_dir = tempdir().unwrap();
    small_log(temp_dir.path());
    let given_up = verify_unless(temp_dir.path(), &[], &AtomicBool::new(true));
    assert!(matches!(given_up, Err(VerifyError::GivenUp)));
    assert!(verify_unless(temp_dir.path(), &[], &AtomicBool::new(false)).is_ok());
}

#[test]
fn a_broken_log_is_exit_code_7_and_says_where() {
    let temp_dir = tempdir().unwrap();
    small_log(temp_dir.path());
    let path = log_files(temp_dir.path()).remove(0);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("boot-1", "boot-2", 1)).unwrap();

    let (code, out, _) = verify(&[], temp_dir.path(), false);
    assert_eq!(code, 7);
    let place_and_finding = "audit-000000000001.jsonl:1 (line 1 of the log): was changed";
    assert!(out.contains(place_and_finding), "{out}");

    let (code, out, _) = verify(&[], temp_dir.path(), true);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 7);
    assert_eq!(document["schema"], "audit-verify/1");
    assert_eq!(document["verdict"], "broken");
    assert_eq!(document["breaks"][0]["kind"], "changed");
    assert_eq!(document["breaks"][0]["seq"], 1);
}

#[test]
fn a_log_that_is_not_there_is_exit_code_1() {
    let temp_dir = tempdir().unwrap();
    let (code, out, talk) = verify(&[], temp_dir.path(), true);
    assert_eq!((code, &*out), (1, ""));
    assert!(talk.contains("no audit log"), "{talk}");
}

#[test]
fn an_anchor_that_is_none_is_wrong_usage() {
    let line = ["audit", "verify", "--anchor", "12:xyz"];
    assert!(Line::try_parse_from(line).is_err());
}
