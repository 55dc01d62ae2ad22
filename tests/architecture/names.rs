//! What files and types are called, and what a file says first.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    none,
    source_text::{code_only, line_of, sources, word_at},
};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "prelude",
];

/// Type names that are defined more than once, and why each may be.
const DEFINED_TWICE: &[(&str, &str)] = &[];

/// Errors, by their `impl`, that are not called one, and why.
const ERRORS_OF_OTHER_NAMES: &[(&str, &str)] = &[
    (
        "LoginEndReason",
        "a reason that is on record, and shown by `status`, long after the error",
    ),
    ("SelectorErrorKind", "the reason inside of `SelectorError`"),
    (
        "TokenRejection",
        "what NinjaOne said of a token, which ends no call by itself",
    ),
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

#[test]
fn a_type_name_is_defined_once() {
    let mut findings = Vec::new();
    let mut definitions = BTreeMap::<&str, Vec<String>>::new();
    for file in sources() {
        for (line, name) in visible_types(&file.code) {
            let at = format!("{}:{line}", file.path);
            definitions.entry(name).or_default().push(at);
        }
    }
    definitions.retain(|_, at| at.len() > 1);
    for (name, _) in DEFINED_TWICE {
        if definitions.remove(name).is_none() {
            findings.push(format!(
                "lib.rs:1: `{name}` is not defined twice any more: take it off DEFINED_TWICE"
            ));
        }
    }
    for (name, at) in definitions {
        findings.push(format!(
            "{}: `{name}` is also defined in {}",
            at[0],
            at[1..].join(", ")
        ));
    }
    none(&findings);
}

#[test]
fn the_name_of_an_error_ends_in_error() {
    let mut findings = Vec::new();
    let mut others: BTreeSet<&str> = ERRORS_OF_OTHER_NAMES.iter().map(|it| it.0).collect();
    for file in sources() {
        for (line, name) in errors(&file.code) {
            if !name.ends_with("Error") && !others.remove(name) {
                findings.push(format!(
                    "{}:{line}: `{name}` is an error: call it one",
                    file.path
                ));
            }
        }
    }
    for name in others {
        findings.push(format!(
            "lib.rs:1: there is no error `{name}`: take it off ERRORS_OF_OTHER_NAMES"
        ));
    }
    none(&findings);
}

/// The rules above read text: these examples show that they would see a breach.
#[test]
fn the_reader_of_type_names_sees_definitions_and_errors() {
    let code = code_only(
        "pub struct A<T>(T);\npub(crate) enum B {}\nstruct Own;\n    pub(super) type C = A<u8>;\n// pub struct D;\npub use a::E;\npub fn a(of: pub_struct) {}\npub trait F {}",
    );
    assert_eq!(
        visible_types(&code),
        [(1, "A"), (2, "B"), (4, "C"), (8, "F")]
    );

    let code = code_only(
        "#[derive(Debug, thiserror::Error)]\n#[error(\"x\")]\npub enum Lack {\n    #[error(\"y\")]\n    A,\n}\n#[derive(Debug)]\nstruct B;\nimpl std::error::Error for Bad {}\nimpl From<Bad> for B {}\n#[derive(\n    Debug,\n    Error,\n)]\nstruct CError(u8);",
    );
    assert_eq!(errors(&code), [(3, "Lack"), (9, "Bad"), (15, "CError")]);
}

/// Line and name of every type, trait and alias that another file may use.
fn visible_types(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let Some(rest) = line.trim_start().strip_prefix("pub") else {
            continue;
        };
        let rest = if rest.starts_with('(') {
            rest.split_once(')').map_or(rest, |it| it.1)
        } else {
            rest
        };
        for kind in [" struct ", " enum ", " union ", " trait ", " type "] {
            if let Some(name) = rest.strip_prefix(kind) {
                found.push((number + 1, word_at(name)));
            }
        }
    }
    found
}

/// Line and name of every type that implements `Error`, by a derive or by hand.
fn errors(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, token) in code.match_indices("Error for ") {
        if code[..at].ends_with("error::") {
            let name_at = at + token.len();
            found.push((line_of(code, name_at), word_at(&code[name_at..])));
        }
    }
    for (at, token) in code.match_indices("#[derive(") {
        let derive = code[at + token.len()..]
            .split(')')
            .next()
            .unwrap_or_default();
        if !derive
            .split(',')
            .any(|it| it.trim().rsplit("::").next() == Some("Error"))
        {
            continue;
        }
        let kinds = ["struct ", "enum "].iter();
        let definition = kinds
            .filter_map(|it| Some(at + code[at..].find(it)? + it.len()))
            .min();
        if let Some(name_at) = definition {
            found.push((line_of(code, name_at), word_at(&code[name_at..])));
        }
    }
    found.sort_unstable();
    found
}
