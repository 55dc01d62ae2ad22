//! Parses byte rates: `1KiB/s`.

use super::size;

/// Why a text is not a byte rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pace is a size a second, above 0: \"512B/s\", \"1KiB/s\" or \"1MiB/s\"")]
pub(crate) struct ByteRateParseError;

/// A higher rate is a mistake: no body would be fast enough.
const BYTES_PER_SECOND_MAX: u64 = 1 << 30;

/// Parses a rate in bytes per second; at most 1 GiB/s.
pub(crate) fn parse(text: &str) -> Result<u64, ByteRateParseError> {
    let (size, unit) = text.rsplit_once('/').ok_or(ByteRateParseError)?;
    if unit.trim() != "s" {
        return Err(ByteRateParseError);
    }
    let bytes = size::parse(size).map_err(|_| ByteRateParseError)?;
    if bytes > BYTES_PER_SECOND_MAX {
        return Err(ByteRateParseError);
    }
    Ok(bytes)
}
