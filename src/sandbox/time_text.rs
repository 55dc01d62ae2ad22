//! Times as queries have them: `20190704`, `2019-07-04`, `2019-07-04T10:00:00.000Z`, or seconds or milliseconds since 1970.

use std::ops::Range;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

const DAY_SECONDS: u64 = 86_400;

/// A greater number counts milliseconds.
const SECONDS_MAX: u64 = 100_000_000_000;

/// The seconds since 1970 that a text means: a whole day, or one second. `None`: it is no time.
pub(super) fn parse_time(text: &str) -> Option<Range<u64>> {
    let is_number = text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    let day: Option<Date> = match text.len() {
        8 if is_number => Some(Date::strptime("%Y%m%d", text).ok()?),
        10 if !is_number => text.parse().ok(),
        _ => None,
    };
    if let Some(day) = day {
        let start = seconds(day.to_zoned(TimeZone::UTC).ok()?.timestamp())?;
        return Some(start..start + DAY_SECONDS);
    }
    let start = if is_number {
        let whole: u64 = text.split('.').next()?.parse().ok()?;
        if whole > SECONDS_MAX {
            whole / 1_000
        } else {
            whole
        }
    } else {
        seconds(text.parse().ok()?)?
    };
    Some(start..start + 1)
}

fn seconds(at: Timestamp) -> Option<u64> {
    u64::try_from(at.as_second()).ok()
}

/// In the form of `date-time`, as in `2019-07-04T10:00:00Z`.
pub(super) fn date_time(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|it| Timestamp::from_second(it).ok())
        .unwrap_or_default()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_mean_the_same_day_or_second() {
        let day = Some(1_562_198_400..1_562_284_800);
        assert_eq!(parse_time("20190704"), day);
        assert_eq!(parse_time("2019-07-04"), day);
        let second = Some(1_562_198_400..1_562_198_401);
        for text in [
            "2019-07-04T00:00:00.000Z",
            "2019-07-04T02:00:00+02:00",
            "1562198400",
            "1562198400.5",
            "1562198400000",
        ] {
            assert_eq!(parse_time(text), second, "{text}");
        }
        for text in ["", "yesterday", "2019-13-01", "20191301", "2019-07", "-5"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        assert_eq!(date_time(1_562_198_400), "2019-07-04T00:00:00Z");
    }
}
