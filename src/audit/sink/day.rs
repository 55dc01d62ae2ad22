//! The UTC date of a log file.

/// The date of an RFC 3339 time in UTC, such as `2026-11-17`: dates sort as they follow each other.
pub type Day = [u8; DAY_LENGTH];

/// Bytes of a [`Day`].
pub const DAY_LENGTH: usize = 10;
