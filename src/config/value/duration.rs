//! Parses durations: `20s`, `250ms`.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number and a unit: \"250ms\", \"20s\", \"2m\", \"12h\" or \"400d\"")]
pub(crate) struct DurationParseError;

/// Longer ones are mistakes.
const DAYS_MAX: u64 = 36_500;
const DAY_MS: u64 = 86_400_000;

const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("min", 60_000),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", DAY_MS),
];

/// Parses a duration; zero is valid.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationParseError> {
    let text = text.trim();
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)))
        .ok_or(DurationParseError)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationParseError);
    }
    let count: u64 = digits.parse().map_err(|_| DurationParseError)?;
    let millis = count.checked_mul(factor).ok_or(DurationParseError)?;
    if millis > DAYS_MAX * DAY_MS {
        return Err(DurationParseError);
    }
    Ok(Duration::from_millis(millis))
}
