//! Callers' keys, and their hashes in a configuration.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use ninjaone_proxy::random;

/// What seals a store: it looks random enough to be taken.
pub(crate) fn seal() -> Vec<u8> {
    [[0x9d; 16], [0x4e; 16]].concat()
}

/// A key in our form that nobody else has.
pub(crate) fn new_key(name: &str) -> String {
    let (one, two) = (random::random_u64(), random::random_u64());
    format!("njp_{name}_canary{one:016x}{two:016x}abcde")
}

/// A caller's section.
pub(crate) fn caller_toml(name: &str, key: &str, rules: &str) -> String {
    format!("[caller.{name}]\nkey = \"{}\"\n{rules}\n", hash(key))
}

/// As a configuration holds it.
pub(crate) fn hash(key: &str) -> String {
    format!("sha256:{}", hex(&sha256(key.as_bytes())))
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
