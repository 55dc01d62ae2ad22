//! Parses the date or time at which a caller's keys expire.

use jiff::{civil::Date, tz::TimeZone};

use crate::clock::Timestamp;

/// Why a text is not such a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExpiryParseError {
    #[error(
        "this is neither a date such as 2027-03-31 (its start, in UTC) nor a moment such as 2027-03-31T18:00:00Z"
    )]
    InvalidFormat,
    #[error(
        "a moment needs its distance to UTC: 2027-03-31T18:00:00Z or 2027-03-31T18:00:00+02:00"
    )]
    MissingOffset,
}

/// Parses a date, which means its start in UTC, or an RFC 3339 time.
pub(crate) fn parse(text: &str) -> Result<Timestamp, ExpiryParseError> {
    let text = text.trim();
    if text.len() == "2027-03-31".len() {
        let date: Date = text.parse().map_err(|_| ExpiryParseError::InvalidFormat)?;
        let start = date
            .to_zoned(TimeZone::UTC)
            .map_err(|_| ExpiryParseError::InvalidFormat)?;
        return Ok(Timestamp::from_unix_micros(
            start.timestamp().as_microsecond(),
        ));
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_unix_micros(moment.as_microsecond()));
    }
    match text.parse::<jiff::civil::DateTime>() {
        Ok(_) => Err(ExpiryParseError::MissingOffset),
        Err(_) => Err(ExpiryParseError::InvalidFormat),
    }
}
