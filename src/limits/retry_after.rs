//! Parses NinjaOne's `Retry-After`, and bounds it.

use std::time::Duration;

use jiff::{fmt::strtime, tz::TimeZone};

use crate::clock::Timestamp;

/// Longest that we wait because NinjaOne said so: a hostile or mistaken value must not silence us for a day.
pub const RETRY_AFTER_S_MAX: u64 = 300;

/// Shortest wait: zero would be an invitation to hammer.
pub const RETRY_AFTER_S_MIN: u64 = 1;

/// Longest text that is looked at. A date of RFC 850 with the longest weekday has 33 bytes.
const HEADER_VALUE_BYTES_MAX: usize = 40;

/// The three forms of a date in HTTP (RFC 9110 section 5.6.7), in the order of preference.
const HTTP_DATE_FORMATS: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// Reads `Retry-After` (RFC 9110 section 10.2.3), whole seconds or a date, as 1 to 300 seconds from `now`.
///
/// None if it is neither of the two; what is too long is cut, what is past or zero is one second.
#[must_use]
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() || text.len() > HEADER_VALUE_BYTES_MAX {
        return None;
    }
    let seconds = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit are a number all the same: a very large one.
        text.parse().unwrap_or(u64::MAX)
    } else {
        u64::try_from(parse_http_date(text)?.saturating_sub(now.unix_seconds())).unwrap_or_default()
    };
    Some(Duration::from_secs(
        seconds.clamp(RETRY_AFTER_S_MIN, RETRY_AFTER_S_MAX),
    ))
}

/// A date as HTTP writes it (RFC 9110 section 5.6.7), in seconds since 1970.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<i64> {
    if text.len() > HEADER_VALUE_BYTES_MAX {
        return None;
    }
    let parsed = HTTP_DATE_FORMATS
        .iter()
        .find_map(|form| strtime::parse(form, text).ok())?;
    let at = parsed.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(at.timestamp().as_second())
}
