//! docs/reference/errors.md has what `help codes` prints. `BLESS=1 cargo test --test built error_reference::` renews its tables.

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

use ninjaone_proxy::limits::LimitKind;
use serde_json::Value;

use crate::program::PROGRAM;

const DOCUMENT: &str = "docs/reference/errors.md";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT)
}

/// What the built program says of all codes.
pub(super) fn codes() -> Value {
    let output = Command::new(PROGRAM)
        .args(["help", "codes", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'value>(of: &'value Value, member: &str) -> &'value str {
    of[member].as_str().unwrap()
}

/// What stands in single quotes is code in Markdown; an apostrophe stays.
fn markdown(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_word = |at: Option<usize>| {
        at.and_then(|it| letters.get(it))
            .is_some_and(|it| it.is_alphanumeric())
    };
    let mut is_open = false;
    letters
        .iter()
        .enumerate()
        .map(|(at, letter)| {
            let opens = !is_open && !is_word(at.checked_sub(1));
            let closes = is_open && !is_word(Some(at + 1));
            if *letter == '\'' && (opens || closes) {
                is_open = opens;
                '`'
            } else {
                *letter
            }
        })
        .collect()
}

fn problem_row(guide: &Value) -> String {
    let statuses: Vec<_> = guide["statuses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    let cells = ["meaning", "caller", "operator"].map(|it| markdown(text(guide, it)));
    format!(
        "| `{}` | {} | {} |",
        text(guide, "code"),
        statuses.join(", "),
        cells.join(" | ")
    )
}

fn exit_row(guide: &Value) -> String {
    let cells = ["meaning", "do"].map(|it| markdown(text(guide, it)));
    format!("| `{}` | {} |", guide["number"], cells.join(" | "))
}

/// The document with `rows` in the table under `heading`.
fn with_rows(document: &str, heading: &str, rows: &[String]) -> String {
    let start = document.find(heading).unwrap();
    let head = start + document[start..].find("|---|").unwrap();
    let table = head + document[head..].find('\n').unwrap() + 1;
    let old: usize = document[table..]
        .lines()
        .take_while(|it| it.starts_with('|'))
        .map(|it| it.len() + 1)
        .sum();
    let end = table + old;
    let rows = rows.join("\n");
    format!("{}{rows}\n{}", &document[..table], &document[end..])
}

#[test]
fn the_tables_of_codes_are_what_the_program_says() {
    let codes = codes();
    let rows = |of: &str, row: fn(&Value) -> String| -> Vec<String> {
        codes[of].as_array().unwrap().iter().map(row).collect()
    };
    let written = fs::read_to_string(path()).unwrap();
    let renewed = with_rows(&written, "## Problem codes", &rows("problems", problem_row));
    let renewed = with_rows(&renewed, "## Exit codes", &rows("exits", exit_row));
    if env::var_os("BLESS").is_some() {
        fs::write(path(), renewed).unwrap();
        return;
    }
    for (is, should) in written.lines().zip(renewed.lines()) {
        assert_eq!(is, should, "renew {DOCUMENT} with BLESS=1");
    }
    assert_eq!(written, renewed, "renew {DOCUMENT} with BLESS=1");
}

#[test]
fn each_member_of_a_refusal_is_described() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join("src/proxy/problem_details.rs")).unwrap();
    let body = source.split("struct ProblemDetails<'a> {").nth(1).unwrap();
    let body = body.split("\n}").next().unwrap();
    let fields = body
        .lines()
        .filter_map(|it| it.trim().strip_prefix("pub ")?.split_once(':'));
    let real: BTreeSet<String> = fields
        .map(|(name, _)| if name == "kind" { "type" } else { name }.to_owned())
        .collect();
    let document = fs::read_to_string(path()).unwrap();
    let part = document.split("## Problem codes").next().unwrap();
    let rows = part.lines().filter_map(|it| it.strip_prefix("| `"));
    let written: BTreeSet<String> = rows
        .filter_map(|it| Some(it.split_once('`')?.0.to_owned()))
        .collect();
    assert_eq!(written, real);
    let buckets = LimitKind::ALL.map(LimitKind::as_str);
    // The token endpoint answers without a problem body.
    for bucket in buckets.into_iter().filter(|it| *it != "caller-tokens") {
        assert!(part.contains(&format!("`{bucket}`")), "{bucket}");
    }
}
