//! The rules of the house that no compiler checks: which module may import which, where each third-party crate lives,
//! who may look into a secret, and how long things may grow. Reads the source text; every finding names file and line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
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

/// The files that may call `Secret::expose`, as prefixes of the path below `src`.
const MAY_EXPOSE_SECRETS: [&str; 8] = [
    "app/wiring.rs",
    "config/",
    "credentials/login/callback.rs",
    "credentials/grant",
    "credentials/store/record.rs",
    "cli/caller",
    "cli/login",
    "cli/init",
];

/// Modules that alone may read a module, whatever the order of declaration would allow.
const ONLY_FOR: [(&str, &[&str]); 1] = [("config", &["app", "cli"])];

/// Where each third-party crate lives, as prefixes of the path below `src`.
const HOMES: [(&str, &[&str]); 17] = [
    (
        "rustls",
        &[
            "net/tls.rs",
            "net/client/tls_stream.rs",
            "net/client/connector.rs",
            "sandbox/",
        ],
    ),
    ("tokio_rustls", &["net/tls.rs", "sandbox/"]),
    (
        "rustls_pki_types",
        &[
            "net/tls.rs",
            "net/client/tls_stream.rs",
            "net/client/connector.rs",
        ],
    ),
    (
        "rustls_platform_verifier",
        &["net/tls.rs", "net/client/connector.rs"],
    ),
    // The sandbox serves with the library alone.
    ("hyper", &["net/", "sandbox/"]),
    ("hyper_util", &["net/", "sandbox/"]),
    ("httparse", &["net/"]),
    ("oauth2", &["credentials/"]),
    ("argon2", &["credentials/store/seal_key.rs"]),
    ("governor", &["limits/"]),
    ("config", &["config/"]),
    ("toml", &["config/"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("tracing_subscriber", &["app/logging.rs"]),
    ("prometheus_client", &["admin/metrics.rs"]),
];

/// Vocabulary and decisions are not a wire format: no serialisation here.
const NO_SERDE: [&str; 8] = [
    "names.rs",
    "clock.rs",
    "files.rs",
    "hex.rs",
    "secret.rs",
    "tasks.rs",
    "policy/",
    "limits/",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "prelude",
];

#[test]
fn a_module_imports_only_from_modules_declared_above_it() {
    let order = declared_modules();
    let place = |module: &str| order.iter().position(|it| it == module);
    let mut findings = Vec::new();
    for file in sources() {
        let Some(own) = place(&file.module) else {
            continue;
        };
        for (line, used) in crate_paths(&file.code) {
            match place(&used) {
                Some(other) if other <= own => {}
                Some(_) => findings.push(format!(
                    "{}:{line}: `{}` may not import `{used}`, which lib.rs declares below it",
                    file.path, file.module
                )),
                None => findings.push(format!(
                    "{}:{line}: `crate::{used}` is no module of lib.rs",
                    file.path
                )),
            }
        }
    }
    none(&findings);
}

#[test]
fn every_file_belongs_to_a_module_of_lib_rs() {
    let order = declared_modules();
    let findings: Vec<_> = sources()
        .into_iter()
        .filter(|file| !matches!(file.path.as_str(), "main.rs" | "lib.rs"))
        .filter(|file| !order.contains(&file.module))
        .map(|file| format!("{}:1: lib.rs does not declare `{}`", file.path, file.module))
        .collect();
    none(&findings);
}

#[test]
fn the_operators_file_is_read_by_wiring_and_command_line_alone() {
    let mut findings = Vec::new();
    for file in sources() {
        for (line, used) in crate_paths(&file.code) {
            for (module, readers) in ONLY_FOR {
                let at_home = file.module == module || readers.contains(&file.module.as_str());
                if used == module && !at_home {
                    findings.push(format!(
                        "{}:{line}: `{module}` is for {readers:?} only",
                        file.path
                    ));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn each_third_party_crate_stays_at_home() {
    let mut findings = Vec::new();
    for file in sources() {
        for (name, homes) in HOMES {
            if starts_with_any(&file.path, homes) {
                continue;
            }
            for line in crate_uses(&file.code, name) {
                findings.push(format!(
                    "{}:{line}: `{name}` belongs in {homes:?}",
                    file.path
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn vocabulary_policy_and_limits_know_no_serde() {
    let mut findings = Vec::new();
    for file in sources() {
        if !starts_with_any(&file.path, &NO_SERDE) {
            continue;
        }
        for name in ["serde", "serde_json", "toml", "schemars"] {
            for line in crate_uses(&file.code, name) {
                findings.push(format!("{}:{line}: no `{name}` here", file.path));
            }
        }
    }
    none(&findings);
}

#[test]
fn a_secret_is_exposed_in_listed_files_only() {
    let mut findings = Vec::new();
    for file in sources() {
        if starts_with_any(&file.path, &MAY_EXPOSE_SECRETS) {
            continue;
        }
        let tests_from = file.code.find("#[cfg(test)]").unwrap_or(file.code.len());
        for call in [".expose(", "::expose"] {
            for (at, _) in file.code[..tests_from].match_indices(call) {
                findings.push(format!(
                    "{}:{}: exposes a secret; the files that may are MAY_EXPOSE_SECRETS in tests/architecture.rs",
                    file.path,
                    line_of(&file.code, at)
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let findings: Vec<_> = sources()
        .into_iter()
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
fn no_file_and_no_function_grows_too_long() {
    let mut findings = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!(
                "{}:{lines}: longer than {FILE_LINES_MAX} lines",
                file.path
            ));
        }
        for (line, name, length) in functions(&file.code) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{}:{line}: `{name}` has {length} lines, more than {FUNCTION_LINES_MAX}",
                    file.path
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn each_proof_is_asserted_by_the_one_function_that_may() {
    let mut findings = Vec::new();
    let sources = sources();
    for proof in &PROOFS {
        let mut calls = 0;
        for file in &sources {
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
    let counted: BTreeMap<String, usize> = sources()
        .into_iter()
        .filter(|file| base.contains(file.path.as_str()))
        .map(|file| (file.path, file.text.lines().count()))
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

/// The rules above read text: these examples show that they would see a breach.
#[test]
fn the_reader_of_source_text_sees_what_is_there() {
    let code = code_only(
        "use crate::{\n    names::{A, B},\n    net,\n};\nlet a = crate::audit::X; // crate::cli\nlet s = \"crate::app\";",
    );
    let seen: Vec<_> = crate_paths(&code);
    assert_eq!(
        seen,
        [(2, "names".into()), (3, "net".into()), (5, "audit".into())]
    );

    let code = code_only(
        "use hyper::x;\nuse hyper_util::y;\nlet a: my::hyper::B;\ncrate::hyper::c();\nuse ::hyper::z;",
    );
    assert_eq!(crate_uses(&code, "hyper"), [1, 5]);
    let code = code_only(
        "use crate::config;\nfn f() { config::load() }\nuse config::File;\n::config::x();",
    );
    assert_eq!(crate_uses(&code, "config"), [3, 4]);

    let code = code_only(
        "fn a<'x>(c: char) -> bool {\n    c == '{' || c == '\\''\n}\nfn b();\nfn d() {\n    \"}\n}\";\n\n    // }\n}\n",
    );
    assert_eq!(
        functions(&code),
        [(1, "a".to_owned(), 3), (5, "d".to_owned(), 3)]
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

fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n  src/{}", findings.join("\n  src/"));
}

struct Source {
    /// Below `src`, with forward slashes.
    path: String,
    /// The module of `lib.rs` that it belongs to.
    module: String,
    text: String,
    /// `text` with comments and literals blanked: same lines, same columns.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(read(&root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 20, "the source is not where it should be");
    found
}

fn read(root: &Path, path: &PathBuf) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let below = path.strip_prefix(root).unwrap();
    let first = below.iter().next().unwrap().to_str().unwrap();
    Source {
        path: below.to_str().unwrap().replace('\\', "/"),
        module: first.trim_end_matches(".rs").to_owned(),
        code: code_only(&text),
        text,
    }
}

/// The modules of `lib.rs`, in order.
fn declared_modules() -> Vec<String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let code = code_only(&fs::read_to_string(lib).unwrap());
    let modules: Vec<String> = code
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'))
        .filter_map(|line| {
            line.strip_prefix("pub mod ")
                .or(line.strip_prefix("pub(crate) mod "))
                .or(line.strip_prefix("mod "))
        })
        .map(str::to_owned)
        .collect();
    assert!(modules.len() > 10, "lib.rs declares {modules:?} only");
    modules
}

fn starts_with_any(path: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| path.starts_with(prefix))
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_at(code: &str) -> &str {
    code.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// Line and first name of every `crate::…`, the members of `crate::{…}` included.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in code.match_indices("crate::") {
        if code[..at].ends_with(|c| is_word(c) || c == '$') {
            continue;
        }
        let start = at + token.len();
        for name_at in path_starts(code, start) {
            let name = word_at(&code[name_at..]);
            // `crate::Name` is a re-export of lib.rs itself, which has none.
            found.push((line_of(code, name_at), name.to_owned()));
        }
    }
    found
}

/// Where the first names of a path tree begin: one, or one a member if it opens with a brace.
fn path_starts(code: &str, start: usize) -> Vec<usize> {
    if !code[start..].starts_with('{') {
        return vec![start];
    }
    let mut starts = Vec::new();
    let (mut depth, mut expecting) = (0, false);
    for (offset, c) in code[start..].char_indices() {
        match c {
            '{' => {
                depth += 1;
                expecting = depth == 1;
            }
            '}' => depth -= 1,
            ',' => expecting = depth == 1,
            c if expecting && is_word(c) => {
                starts.push(start + offset);
                expecting = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    starts
}

/// The lines that use the crate `name`: a path that begins with it.
fn crate_uses(code: &str, name: &str) -> Vec<usize> {
    // `config` is a module of ours as well: there, only what cannot mean the module counts.
    let ambiguous = declared_modules().iter().any(|module| module == name);
    let mut lines = Vec::new();
    for (at, _) in code.match_indices(name) {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let imported = before.ends_with("use ") && after.starts_with([':', ';', ' ']);
        let absolute = before.strip_suffix("::").is_some_and(|rest| {
            !rest.ends_with(|c| is_word(c) || c == '>') && after.starts_with("::")
        });
        let path = !before.ends_with(|c| is_word(c) || c == ':' || c == '.')
            && after.starts_with("::")
            && !ambiguous;
        if imported || absolute || path {
            lines.push(line_of(code, at));
        }
    }
    lines
}

/// Line, name and length of every function with a body. Lines without code (comment, inside of a text) do not count.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (at, token) in code.match_indices("fn ") {
        let name = word_at(&code[at + token.len()..]);
        if code[..at].ends_with(is_word) || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(&code[at..]) {
            let length = code[at..at + end]
                .lines()
                .filter(|line| !line.trim().is_empty())
                .count();
            found.push((line_of(code, at), name.to_owned(), length));
        }
    }
    found
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

/// One past the closing brace; none for a declaration without a body.
fn body_end(code: &str) -> Option<usize> {
    let mut depth = 0;
    let mut brackets = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text with comments and the insides of literals turned to spaces, so that a search finds code only.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut last = ' ';
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' => text_length(rest),
            'r' if !is_word(last) && is_raw(rest) => raw_length(rest),
            '\'' => char_length(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(blank));
            rest = &rest[length..];
        }
        last = c;
    }
    code
}

fn blank(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

/// Length of the string literal that `rest` opens with, quotes included.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

fn is_raw(rest: &str) -> bool {
    rest[1..].trim_start_matches('#').starts_with('"')
}

fn raw_length(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let open = hashes + 2;
    let close = format!("\"{}", "#".repeat(hashes));
    rest[open..]
        .find(&close)
        .map_or(rest.len(), |at| open + at + close.len())
}

/// Length of a character literal; 0 for a lifetime.
fn char_length(rest: &str) -> usize {
    let inside: Vec<(usize, char)> = rest.char_indices().skip(1).take(12).collect();
    match inside.as_slice() {
        [(_, '\\'), _, tail @ ..] => tail
            .iter()
            .find(|(_, c)| *c == '\'')
            .map_or(0, |(at, _)| at + 1),
        [_, (at, '\''), ..] => at + 1,
        _ => 0,
    }
}
