//! Lengths of time as people say them.

use std::time::Duration;

/// A length of time as people say it: `45 s`, `36 min`, `5 h 3 min`, `12 d 4 h`.
#[must_use]
pub fn humanize_duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let two = |large, large_unit, rest, small_unit| match rest {
        0 => format!("{large} {large_unit}"),
        rest => format!("{large} {large_unit} {rest} {small_unit}"),
    };
    match Duration::from_secs(seconds).as_secs() {
        s if s < 2 * MINUTE => format!("{s} s"),
        s if s < 2 * HOUR => format!("{} min", s / MINUTE),
        s if s < DAY => two(s / HOUR, "h", s % HOUR / MINUTE, "min"),
        s => two(s / DAY, "d", s % DAY / HOUR, "h"),
    }
}
