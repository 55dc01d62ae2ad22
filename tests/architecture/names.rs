//! What files are called, and what they say first.

use crate::{none, source_text::sources};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "prelude",
];

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let findings: Vec<_> = sources()
        .iter()
        .filter(|file| {
            let first = file.text.lines().next().unwrap_or_default();
            first
                .strip_prefix("//! ")
                .is_none_or(|words| words.trim().len() < 10)
        })
        .map(|file| format!("{}:1: the first line is not a `//!` sentence", file.path))
        .collect();
    none(&findings);
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let mut findings = Vec::new();
    for file in sources() {
        let stem_is_empty = |part: &str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
        if file.path.split('/').any(stem_is_empty) {
            findings.push(format!(
                "{}:1: name it after the noun that it holds",
                file.path
            ));
        }
    }
    none(&findings);
}
