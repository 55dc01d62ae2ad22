//! Parses sizes: `32KiB`.

/// Why a text is not a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a size is a whole number above 0 and a unit: \"512B\", \"32KiB\", \"16MiB\" or \"1GiB\"")]
pub(crate) struct SizeParseError;

const UNITS: [(&str, u64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("B", 1),
];

/// Parses a size in bytes.
pub(crate) fn parse(text: &str) -> Result<u64, SizeParseError> {
    let text = text.trim();
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)))
        .ok_or(SizeParseError)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SizeParseError);
    }
    let count: u64 = digits.parse().map_err(|_| SizeParseError)?;
    let bytes = count.checked_mul(factor).ok_or(SizeParseError)?;
    if bytes == 0 {
        Err(SizeParseError)
    } else {
        Ok(bytes)
    }
}
