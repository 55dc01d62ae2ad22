//! The proofs of the journey: who makes each, and that nobody else could make or change one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    none,
    source_text::{Source, body_end, code_only, functions, is_word, line_of, sources, word_at},
};

const TRUSTED_BASE_LINES_MAX: usize = 2_500;

/// A proof of the journey: a type whose value says that a station has done its duty.
struct Proof {
    name: &'static str,
    /// The file that holds it and nothing below it: private fields are open to the modules under the one that has them.
    file: &'static str,
    /// Its only constructor.
    assertion: &'static str,
    /// The one function that may call that, and its file.
    asserted_by: (&'static str, &'static str),
}

const PROOFS: [Proof; 7] = [
    Proof {
        name: "Identified",
        file: "caller/identified.rs",
        assertion: "assert_identified",
        asserted_by: ("caller/mod.rs", "identify"),
    },
    Proof {
        name: "Authorized",
        file: "policy/authorized.rs",
        assertion: "assert_authorized",
        asserted_by: ("policy/mod.rs", "authorize"),
    },
    Proof {
        name: "Admitted",
        file: "limits/admitted.rs",
        assertion: "assert_admitted",
        asserted_by: ("limits/mod.rs", "admit"),
    },
    Proof {
        name: "Leased",
        file: "credentials/leased.rs",
        assertion: "assert_leased",
        asserted_by: ("credentials/mod.rs", "lease_from"),
    },
    Proof {
        name: "Intended",
        file: "audit/intended.rs",
        assertion: "assert_intended",
        asserted_by: ("audit/ledger.rs", "intend"),
    },
    Proof {
        name: "Recorded",
        file: "audit/recorded.rs",
        assertion: "assert_recorded",
        asserted_by: ("audit/open_entry.rs", "defer_close"),
    },
    Proof {
        name: "Forwarded",
        file: "upstream/forwarded.rs",
        assertion: "assert_forwarded",
        asserted_by: ("upstream/send_loop.rs", "finish"),
    },
];

/// The file that makes the first value of the journey, which has a parser in place of an assertion.
const FIRST_STATION: &str = "net/request/incoming_request.rs";

/// Methods of proofs that change something, none of it what was proved: the credentials are taken out before anybody is
/// identified, and the open line counts attempts.
const MAY_CHANGE_A_PROOF: [&str; 2] = ["take_credentials", "set_attempts"];

#[test]
fn each_proof_is_asserted_by_the_one_function_that_may() {
    let mut findings = Vec::new();
    let sources = sources();
    for proof in &PROOFS {
        let mut calls = 0;
        for file in sources {
            for (line, function) in uses_of(&file.code, proof.assertion) {
                let is_definition = function == proof.assertion;
                let allowed = if is_definition {
                    file.path == proof.file
                } else {
                    calls += 1;
                    (file.path.as_str(), function.as_str()) == proof.asserted_by
                };
                if !allowed {
                    let (path, name) = proof.asserted_by;
                    findings.push(format!(
                        "{}:{line}: `{}` is for `{name}` in {path} alone",
                        file.path, proof.assertion
                    ));
                }
            }
        }
        if calls != 1 {
            findings.push(format!(
                "{}:1: `{}` is called {calls} times, not once",
                proof.asserted_by.0, proof.assertion
            ));
        }
    }
    none(&findings);
}

#[test]
fn a_proof_is_written_out_in_its_own_file_only() {
    let mut findings = Vec::new();
    for file in sources() {
        for proof in PROOFS.iter().filter(|it| it.file != file.path) {
            for line in literals(&file.code, proof.name) {
                findings.push(format!(
                    "{}:{line}: a `{}` is made in {} alone",
                    file.path, proof.name, proof.file
                ));
            }
        }
    }
    none(&findings);
}

/// A station that is added later has its proof in the list above, or this fails.
#[test]
fn every_assertion_is_one_of_a_listed_proof() {
    let mut findings = Vec::new();
    for file in sources() {
        for (line, name, _) in functions(&file.code) {
            let listed = PROOFS.iter().any(|it| it.assertion == name);
            if name.starts_with("assert_") && !listed {
                findings.push(format!("{}:{line}: `{name}` is not in PROOFS", file.path));
            }
        }
    }
    none(&findings);
}

#[test]
fn a_proof_has_a_file_without_children_one_constructor_and_no_way_to_change_it() {
    let mut findings = Vec::new();
    let sources = sources();
    let files = PROOFS.iter().map(|it| it.file).chain([FIRST_STATION]);
    for path in files {
        let Some(file) = sources.iter().find(|it| it.path == path) else {
            findings.push(format!(
                "{path}:1: is gone: say in PROOFS where its proof is"
            ));
            continue;
        };
        let below = format!("{}/", path.trim_end_matches(".rs"));
        for child in sources.iter().filter(|it| it.path.starts_with(&below)) {
            findings.push(format!("{}:1: a proof has no module below it", child.path));
        }
        findings.extend(open_doors(file));
    }
    none(&findings);
}

/// What would let others change or make the proof that `file` holds.
fn open_doors(file: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, token) in file.code.match_indices("fn ") {
        if file.code[..at].ends_with(is_word) {
            continue;
        }
        let line = line_of(&file.code, at);
        let head = file.code[at..].split('{').next().unwrap_or_default();
        let name = word_at(&head[token.len()..]);
        if head.contains("-> &mut") || head.contains("-> Option<&mut") {
            findings.push(format!(
                "{}:{line}: `{name}` lends the proof out to be changed",
                file.path
            ));
        }
        if head.contains("&mut self") && !MAY_CHANGE_A_PROOF.contains(&name) {
            findings.push(format!(
                "{}:{line}: `{name}` changes the proof, and is not in MAY_CHANGE_A_PROOF",
                file.path
            ));
        }
        let own = PROOFS.iter().find(|it| it.file == file.path);
        let made = own.map_or("Self", |it| it.name);
        let makes_one = ["Self", made].iter().any(|it| {
            head.ends_with(&format!("-> {it} ")) || head.contains(&format!("-> Box<{it}>"))
        });
        let from_itself = head.contains("(self") || head.contains("(\n        self");
        let is_assertion = name.starts_with("assert_") && file.code[..at].ends_with("pub(super) ");
        if makes_one && !from_itself && !is_assertion {
            findings.push(format!(
                "{}:{line}: `{name}` is a second constructor",
                file.path
            ));
        }
    }
    for proof in PROOFS.iter().filter(|it| it.file == file.path) {
        let Some(at) = file.code.find(&format!("struct {}", proof.name)) else {
            findings.push(format!("{}:1: holds no `{}`", file.path, proof.name));
            continue;
        };
        let body = &file.code[at..];
        let end = body.find("\n}").unwrap_or(body.len());
        let end = body.find(';').map_or(end, |it| it.min(end));
        let fields = &body[..end];
        if fields.contains("pub ") || fields.contains("pub(") {
            let line = line_of(&file.code, at);
            findings.push(format!(
                "{}:{line}: a field of `{}` is not private",
                file.path, proof.name
            ));
        }
    }
    findings
}

#[test]
fn the_trusted_base_stays_small_enough_to_review_whole() {
    let makers = PROOFS.iter().flat_map(|it| [it.file, it.asserted_by.0]);
    let base: BTreeSet<&str> = makers.chain([FIRST_STATION]).collect();
    let counted: BTreeMap<&str, usize> = sources()
        .iter()
        .filter(|file| base.contains(file.path.as_str()))
        .map(|file| (file.path.as_str(), file.text.lines().count()))
        .collect();
    assert_eq!(
        counted.len(),
        base.len(),
        "of {base:?} only {counted:?} is there"
    );
    let total: usize = counted.values().sum();
    assert!(
        total <= TRUSTED_BASE_LINES_MAX,
        "{total} lines, more than {TRUSTED_BASE_LINES_MAX}: {counted:#?}"
    );
}

#[test]
fn the_reader_of_proofs_sees_who_makes_one_and_who_could() {
    let code = code_only(
        "fn a() {\n    assert_x();\n    let b = |c| Self::assert_x(c);\n}\nfn assert_x() {}\nuse super::assert_x;\nfn d() { assert_xy() }",
    );
    let seen: Vec<_> = uses_of(&code, "assert_x");
    let is_in = |line, function: &str| (line, function.to_owned());
    assert_eq!(
        seen,
        [
            is_in(2, "a"),
            is_in(3, "a"),
            is_in(5, "assert_x"),
            is_in(6, "")
        ]
    );

    let code = code_only(
        "struct X {}\nimpl X {\nfn a() -> X { X { b } }\nlet X { b } = c;\nlet d = Xy { b };\nlet e = y::X {\nResult<X, E>\nfor X {\n-> &X {",
    );
    assert_eq!(literals(&code, "X"), [3, 4, 6]);

    let text = "pub struct Leased {\n    pub token: T,\n}\nimpl Leased {\n    pub(super) fn assert_leased() -> Self {}\n    pub fn forge() -> Self {}\n    pub fn token_mut(&mut self) -> &mut T {}\n    pub fn swap(self, t: T) -> Self {}\n}\n";
    let file = Source {
        path: "credentials/leased.rs".to_owned(),
        module: "credentials".to_owned(),
        code: code_only(text),
        text: text.to_owned(),
    };
    let found = open_doors(&file).join("\n");
    assert_eq!(found.lines().count(), 4, "{found}");
    for seen in [
        "6: `forge` is a",
        "7: `token_mut` lends",
        "7: `token_mut` changes",
        "1: a field",
    ] {
        assert!(found.contains(seen), "{seen}:\n{found}");
    }
}

/// Line of each use of the name `wanted`, and the function that it stands in: itself for its definition, none for what stands
/// outside of all functions.
fn uses_of(code: &str, wanted: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(wanted) {
        let is_part =
            code[..at].ends_with(is_word) || code[at + wanted.len()..].starts_with(is_word);
        if is_part {
            continue;
        }
        let function = if code[..at].ends_with("fn ") {
            wanted.to_owned()
        } else {
            enclosing_function(code, at)
        };
        found.push((line_of(code, at), function));
    }
    found
}

/// The name of the innermost function around `at`; empty if there is none.
fn enclosing_function(code: &str, at: usize) -> String {
    let starts: Vec<usize> = code[..at].match_indices("fn ").map(|(it, _)| it).collect();
    for start in starts.into_iter().rev() {
        let is_name = !code[..start].ends_with(is_word);
        let name = word_at(&code[start + "fn ".len()..]);
        let surrounds = body_end(&code[start..]).is_some_and(|end| at < start + end);
        if is_name && !name.is_empty() && surrounds {
            return name.to_owned();
        }
    }
    String::new()
}

/// The lines on which a value of the struct `name` is written out, or taken apart: `Name {`.
fn literals(code: &str, name: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, _) in code.match_indices(name) {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let names_the_type = ["struct ", "impl ", "for ", "-> ", "-> &"]
            .iter()
            .any(|it| before.ends_with(it));
        let opens = after.trim_start().starts_with('{');
        if opens && !before.ends_with(is_word) && !names_the_type {
            lines.push(line_of(code, at));
        }
    }
    lines
}
