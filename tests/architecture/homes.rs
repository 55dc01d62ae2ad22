//! Where third-party crates, serialization and secrets are at home.

use crate::{
    none,
    source_text::{code_only, declared_modules, is_word, line_of, sources},
};

/// The files that may call `Secret::expose`, as prefixes of the path below `src`.
const MAY_EXPOSE_SECRETS: [&str; 10] = [
    "net/client/outgoing_proxy.rs",
    "app/wiring.rs",
    "config/",
    "credentials/login/callback.rs",
    "credentials/grant",
    "credentials/store/record.rs",
    "cli/caller",
    "cli/login",
    "cli/running_proxy.rs",
    "cli/init",
];

/// Where each third-party crate lives, as prefixes of the path below `src`.
const HOMES: [(&str, &[&str]); 22] = [
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
            "sandbox/certificate.rs",
        ],
    ),
    ("rcgen", &["sandbox/certificate.rs"]),
    (
        "rustls_platform_verifier",
        &["net/tls.rs", "net/client/connector.rs"],
    ),
    // The sandbox serves with the library alone.
    ("hyper", &["net/", "sandbox/"]),
    ("hyper_util", &["net/", "sandbox/"]),
    ("httparse", &["net/"]),
    ("flate2", &["upstream/page.rs"]),
    ("oauth2", &["credentials/"]),
    ("argon2", &["credentials/store/seal_key.rs"]),
    ("governor", &["limits/", "sandbox/faults/"]),
    ("config", &["config/"]),
    ("toml", &["config/"]),
    ("toml_edit", &["config/caller_edits.rs"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("anstream", &["cli/", "app/logging.rs"]),
    ("anstyle", &["cli/"]),
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
                    "{}:{}: exposes a secret; the files that may are MAY_EXPOSE_SECRETS in tests/architecture/homes.rs",
                    file.path,
                    line_of(&file.code, at)
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn the_reader_of_crates_sees_a_path_and_an_import() {
    let code = code_only(
        "use hyper::x;\nuse hyper_util::y;\nlet a: my::hyper::B;\ncrate::hyper::c();\nuse ::hyper::z;",
    );
    assert_eq!(crate_uses(&code, "hyper"), [1, 5]);
    let code = code_only(
        "use crate::config;\nfn f() { config::load() }\nuse config::File;\n::config::x();",
    );
    assert_eq!(crate_uses(&code, "config"), [3, 4]);
}

fn starts_with_any(path: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| path.starts_with(prefix))
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
