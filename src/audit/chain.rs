//! The hash chain: each line carries the hash of the line before it, so that changing, removing or moving one shows.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};

use crate::hex;

use super::{entry::AuditEntry, line_writer};

/// Lines are gathered into writes of at most this size; a single longer line is a write of its own.
pub const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Stands before a line's hash, which is always its last member.
pub const HASH_MEMBER: &[u8] = b",\"hash\":\"";

const PREV_MEMBER: &[u8] = b",\"prev\":\"";

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash([u8; Self::BYTES]);

impl ChainHash {
    /// Bytes of a hash.
    pub const BYTES: usize = 32;
    /// Characters of a hash in hex.
    pub const HEX_LENGTH: usize = 2 * Self::BYTES;

    /// What the first line of all names as the one before it.
    pub const ZERO: Self = Self([0; Self::BYTES]);

    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; Self::BYTES];
        for (to, from) in hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
            *to = *from;
        }
        Self(hash)
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn to_hex(self) -> [u8; Self::HEX_LENGTH] {
        let mut digits = [0; Self::HEX_LENGTH];
        hex::encode_into(&self.0, &mut digits);
        digits
    }

    /// Reads 64 lower-case hex digits; nothing else will do, because the line's bytes are what counts.
    #[must_use]
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        if digits.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let mut hash = [0; Self::BYTES];
        hex::decode_into(digits, &mut hash).map(|()| Self(hash))
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_hex()).unwrap_or_default())
    }
}

/// The end of a chain: its last line's number and hash. Written `1404882:<64 hex digits>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    pub seq: u64,
    pub hash: ChainHash,
}

impl Head {
    /// Before the first line of all, which is number 1.
    pub const START: Self = Self {
        seq: 0,
        hash: ChainHash::ZERO,
    };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// Why a text is not the end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a line's number and its hash, such as 1404882:9f86d081… with 64 lower-case hex digits"
)]
pub struct ChainHeadParseError;

impl FromStr for Head {
    type Err = ChainHeadParseError;
    fn from_str(text: &str) -> Result<Self, ChainHeadParseError> {
        let (seq, hash) = text.split_once(':').ok_or(ChainHeadParseError)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| ChainHeadParseError)?,
            hash: ChainHash::from_hex(hash.as_bytes()).ok_or(ChainHeadParseError)?,
        })
    }
}

/// Whole lines that continue the chain. Only a [`Chain`] makes them, and a sink takes nothing else.
pub struct LinkedLines<'b> {
    bytes: &'b [u8],
    count: usize,
    head: Head,
}

impl LinkedLines<'_> {
    /// The bytes themselves.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// How many lines these are.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.count
    }

    /// The end of the chain once these are written.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }
}

/// Where the next line is linked to.
pub struct Chain {
    head: Head,
}

impl Chain {
    /// Goes on after `head`, the last line that was written.
    #[must_use]
    pub fn resume(head: Head) -> Self {
        Self { head }
    }

    /// The last line so far.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Links as many entries as fit in one write. The chain itself goes on only with [`Chain::advance`], when they are
    /// written: if they cannot be, the same entries are linked anew.
    pub fn link<'b, 'e>(
        &self,
        buffer: &'b mut Vec<u8>,
        boot: &str,
        entries: impl Iterator<Item = &'e AuditEntry>,
    ) -> LinkedLines<'b> {
        buffer.clear();
        let mut head = self.head;
        let mut count = 0;
        for entry in entries {
            let start = buffer.len();
            let next = append_line(buffer, head, boot, entry);
            if buffer.len() > WRITE_BYTES_MAX && count > 0 {
                buffer.truncate(start);
                break;
            }
            head = next;
            count += 1;
        }
        LinkedLines {
            bytes: buffer,
            count,
            head,
        }
    }

    /// Moves to `head`: the lines up to there are written.
    pub fn advance(&mut self, head: Head) {
        self.head = head;
    }
}

fn append_line(buffer: &mut Vec<u8>, head: Head, boot: &str, entry: &AuditEntry) -> Head {
    let start = buffer.len();
    let seq = head.seq.saturating_add(1);
    line_writer::write(buffer, seq, boot, entry);
    buffer.extend_from_slice(PREV_MEMBER);
    buffer.extend_from_slice(&head.hash.to_hex());
    buffer.push(b'"');
    let hash = ChainHash::of(buffer.get(start..).unwrap_or_default());
    buffer.extend_from_slice(HASH_MEMBER);
    buffer.extend_from_slice(&hash.to_hex());
    buffer.extend_from_slice(b"\"}\n");
    Head { seq, hash }
}
