//! The only place that reads a clock.
//!
//! `Timestamp` is wall time, for people and the audit log. `Moment` counts through suspend (`CLOCK_BOOTTIME`) and never
//! jumps: the lifetime of a token is measured with it. `tokio::time::Instant` is for time-outs.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::tz::{Offset, TimeZone};
use rustix::time::{ClockId, clock_gettime};

/// Wall time, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The wall clock's time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// From microseconds since 1970, UTC.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970, UTC.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970, UTC; 0 for anything earlier.
    #[must_use]
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or_default()
    }

    /// Whole seconds since 1970, UTC, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole time from `earlier` to `self`; zero if the clock went back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or_default())
    }

    /// The time `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// As people read it: `15:36 UTC` within twelve hours of now, otherwise with the day, `2026-11-17 15:36 UTC`.
    #[must_use]
    pub fn to_the_minute(self) -> String {
        const WITHOUT_DAY_MICROS_MAX: u64 = 12 * 3600 * 1_000_000;
        let text = self.to_string();
        let (day, time) = (
            text.get(..10).unwrap_or_default(),
            text.get(11..16).unwrap_or_default(),
        );
        if self.0.abs_diff(Self::now().0) <= WITHOUT_DAY_MICROS_MAX {
            format!("{time} UTC")
        } else {
            format!("{day} {time} UTC")
        }
    }

    /// Of RFC 3339, such as `2026-11-17T14:02:11.123456Z`; `None` for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        Some(Self(parsed.as_microsecond()))
    }

    /// In the machine's time zone, as people read it: `2026-11-17 15:02 CET`; in UTC if it has none.
    #[must_use]
    pub fn local_to_the_minute(self) -> String {
        let zoned = self.to_jiff().to_zoned(TimeZone::system());
        zoned.strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// The time of day in the machine's time zone, `15:36:02`; in UTC if it has none.
    #[must_use]
    pub fn local_time_of_day(self) -> String {
        let civil = self.to_jiff().to_zoned(TimeZone::system());
        let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// The same time; the year 9999 for anything later, which no clock shows.
    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

/// RFC 3339, UTC, six decimals: `2026-11-17T14:02:11.123456Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = rfc3339(*self);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The 27 bytes of `2026-11-17T14:02:11.123456Z`: jiff computes the calendar, but its formatter takes three times as long, and
/// the audit log writes one a line.
#[must_use]
pub fn rfc3339(at: Timestamp) -> [u8; 27] {
    let civil = Offset::UTC.to_datetime(at.to_jiff());
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let mut put = |start: usize, width: usize, value: i64| {
        let mut rest = value.unsigned_abs();
        for digit in text[start..start + width].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
    };
    put(0, 4, civil.year().into());
    put(5, 2, civil.month().into());
    put(8, 2, civil.day().into());
    put(11, 2, civil.hour().into());
    put(14, 2, civil.minute().into());
    put(17, 2, civil.second().into());
    put(20, 6, i64::from(civil.subsec_nanosecond() / 1000));
    text
}

/// Both clocks, read together: `moment` to decide with, `at` to show and to store beyond this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub moment: Moment,
    pub at: Timestamp,
}

impl Reading {
    /// Reads both clocks.
    #[must_use]
    pub fn now() -> Self {
        Self {
            moment: Moment::now(),
            at: Timestamp::now(),
        }
    }

    /// The reading `duration` later, by both clocks.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self {
            moment: self.moment.plus(duration),
            at: self.at.plus(duration),
        }
    }
}

/// A point of the boot-time clock, in nanoseconds: goes on during suspend, knows no leap and no correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The boot-time clock's time.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// For another process of the same boot; whole milliseconds.
    #[must_use]
    pub const fn boot_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// What [`Moment::boot_millis`] gave, in the same boot.
    #[must_use]
    pub const fn from_boot_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
