//! A world's configuration, as an operator would have written it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use ninjaone_proxy::random;
use tempfile::TempDir;

use super::world::{Behind, CLIENT_ID};

/// The configuration on disk, and what is secret in it.
pub(crate) struct Written {
    pub(crate) dir: TempDir,
    pub(crate) secret: String,
    pub(crate) keys: Vec<(String, String)>,
}

impl Written {
    pub(crate) fn new(
        behind: &Behind,
        secret: &str,
        mut settings: BTreeMap<String, BTreeMap<String, String>>,
        callers: Vec<(String, String)>,
        more: &str,
    ) -> Self {
        let address = match behind {
            Behind::Sandbox(ninja) => ninja.address(),
            Behind::Hostile(hostile) => hostile.address,
        };
        let tenant = settings.entry("tenant.acme".to_owned()).or_default();
        let fresh = |it: String| move || it;
        tenant
            .entry("url".to_owned())
            .or_insert_with(fresh(format!("\"http://{address}\"")));
        tenant
            .entry("service".to_owned())
            .or_insert_with(fresh(format!(
                "{{ client_id = \"{CLIENT_ID}\", client_secret = {{ file = \"acme.secret\" }} }}"
            )));
        let dir = directory();
        write_private(&dir.path().join("acme.secret"), secret);
        let mut toml = String::new();
        for (section, values) in &settings {
            writeln!(toml, "[{section}]").unwrap();
            // Nothing is written in the place of an empty value.
            for (key, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
                writeln!(toml, "{key} = {value}").unwrap();
            }
        }
        let mut keys = Vec::new();
        for (name, rules) in callers {
            let key = new_key(&name);
            toml.push_str(&caller_toml(&name, &key, &rules));
            keys.push((name, key));
        }
        toml.push_str(more);
        fs::write(dir.path().join("config.toml"), toml).unwrap();
        Self {
            dir,
            secret: secret.to_owned(),
            keys,
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }
}

/// In memory where that is possible: a busy disk is not what is tested.
pub(crate) fn directory() -> TempDir {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("journey-");
    let in_memory = builder.tempdir_in("/dev/shm");
    in_memory.unwrap_or_else(|_| builder.tempdir().unwrap())
}

/// A key in our form that nobody else has.
pub(crate) fn new_key(name: &str) -> String {
    let (one, two) = (random::number(), random::number());
    format!("njp_{name}_canary{one:016x}{two:016x}abcde")
}

pub(crate) fn caller_toml(name: &str, key: &str, rules: &str) -> String {
    let hash = hex(digest(&SHA256, key.as_bytes()).as_ref());
    format!("[caller.{name}]\nkey = \"sha256:{hash}\"\n{rules}\n")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
