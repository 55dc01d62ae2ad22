//! Parses a line of the audit log.

use std::borrow::Cow;

use serde::Deserialize;

use crate::ninjaone::operation::RiskClass;

use super::{
    chain::{ChainHash, HASH_MEMBER, Head},
    decision::Decision,
};

/// A longer line is not one of ours: every text in it is capped.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

const FORMAT_VERSION: u32 = 1;

/// What verification looks at.
#[derive(Deserialize)]
pub struct LineFields<'l> {
    v: u32,
    pub seq: u64,
    #[serde(borrow)]
    pub at: Cow<'l, str>,
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'l, str>,
    #[serde(borrow, default)]
    pub request: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    pub class: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    pub decision: Option<Cow<'l, str>>,
    #[serde(borrow)]
    prev: Cow<'l, str>,
}

impl LineFields<'_> {
    /// Whether the line is of a request that needs an intent: of any class but `read`.
    #[must_use]
    pub fn is_of_write(&self) -> bool {
        let class = self.class.as_deref();
        class.is_some_and(|it| it != RiskClass::Read.as_str())
    }

    /// Whether the line says that its request was allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision.as_deref() == Some(Decision::Allowed.as_str())
    }
}

/// A line in the form of the log.
pub struct HashedLine<'l> {
    pub fields: LineFields<'l>,
    pub prev: ChainHash,
    /// The hash that the line claims.
    pub hash: ChainHash,
    /// The hash that its bytes have.
    pub actual: ChainHash,
}

/// Why a line is not in the form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LineError {
    #[error("not a line of the log")]
    NotALine,
    #[error("does not end with its hash")]
    HashNotLast,
}

impl<'l> HashedLine<'l> {
    /// Reads one line, without its line feed. That the hash is right is for the caller to see.
    ///
    /// # Errors
    /// The line is not JSON, lacks a member, or does not end with its hash.
    pub fn parse(line: &'l [u8]) -> Result<Self, LineError> {
        let text = std::str::from_utf8(line).map_err(|_| LineError::NotALine)?;
        let record: LineFields<'l> = serde_json::from_str(text).map_err(|_| LineError::NotALine)?;
        let (body, hash) = split_hash(line).ok_or(LineError::HashNotLast)?;
        let prev = ChainHash::from_hex(record.prev.as_bytes()).ok_or(LineError::NotALine)?;
        if record.v != FORMAT_VERSION {
            return Err(LineError::NotALine);
        }
        Ok(Self {
            fields: record,
            prev,
            hash,
            actual: ChainHash::of(body),
        })
    }

    /// Whether the hash that the line claims is the hash of its bytes.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.hash == self.actual
    }

    /// The line's number and hash: what the next line must link to.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            seq: self.fields.seq,
            hash: self.hash,
        }
    }
}

fn split_hash(line: &[u8]) -> Option<(&[u8], ChainHash)> {
    let before_end = line.strip_suffix(b"\"}")?;
    let hex_at = before_end.len().checked_sub(ChainHash::HEX_LENGTH)?;
    let (before_hex, hex) = before_end.split_at_checked(hex_at)?;
    let body = before_hex.strip_suffix(HASH_MEMBER)?;
    Some((body, ChainHash::from_hex(hex)?))
}
