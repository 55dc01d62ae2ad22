//! A rate as settings write it: `10/s`, `60/min`, `1000/h`.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

/// `count` events in each `period`; the period is a second, a minute or an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    period: Period,
}

/// The unit of a rate's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Second,
    Minute,
    Hour,
}

impl Period {
    /// How long it is.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        })
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }
}

impl Rate {
    /// `count` events in each `period`.
    #[must_use]
    pub const fn new(count: NonZeroU32, period: Period) -> Self {
        Self { count, period }
    }

    /// `count` events in each second.
    #[must_use]
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self::new(count, Period::Second)
    }

    /// Events in each period.
    #[must_use]
    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// The period that events are counted in.
    #[must_use]
    pub const fn period(self) -> Period {
        self.period
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.period.unit())
    }
}

/// Why a text is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a whole number above 0 and a unit, such as \"5/s\", \"60/min\" or \"1000/h\"")]
pub struct RateParseError;

impl FromStr for Rate {
    type Err = RateParseError;
    fn from_str(text: &str) -> Result<Self, RateParseError> {
        let (count, unit) = text.split_once('/').ok_or(RateParseError)?;
        let count = count.trim().parse().map_err(|_| RateParseError)?;
        let period = match unit.trim() {
            "s" | "sec" => Period::Second,
            "m" | "min" => Period::Minute,
            "h" | "hour" => Period::Hour,
            _ => return Err(RateParseError),
        };
        Ok(Self { count, period })
    }
}
