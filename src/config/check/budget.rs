//! Checks `[limits.upstream]`: each tenant's budget.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    config::{BudgetConfig, read::key_path::KeyPath, settings::limits::UpstreamLimitSettings},
    limits::rate::{Period, Rate},
};

use super::Checker;

impl Checker<'_> {
    pub(super) fn budget(&mut self, settings: &UpstreamLimitSettings) -> BudgetConfig {
        let UpstreamLimitSettings {
            rate,
            burst,
            concurrency,
            queue,
        } = settings;
        let top = KeyPath::from_keys(&["limits", "upstream"]);
        let rate = self.rate(&top.child("rate"), rate);
        BudgetConfig {
            rate,
            burst: burst.unwrap_or_else(|| default_burst(rate)),
            concurrency: *concurrency,
            queue_timeout: self.queue(&top.child("queue"), queue),
        }
    }

    /// Parses a duration; zero means not to wait at all.
    fn queue(&mut self, path: &KeyPath, text: &str) -> Duration {
        match crate::config::value::duration::parse(text) {
            Ok(queue) => queue,
            Err(error) => {
                self.error(path, error);
                Duration::ZERO
            }
        }
    }

    pub(super) fn rate(&mut self, path: &KeyPath, text: &str) -> Rate {
        match text.parse() {
            Ok(rate) => rate,
            Err(error) => {
                self.error(path, format!("{error}"));
                Rate::new(NonZeroU32::MIN, Period::Second)
            }
        }
    }
}

/// The default burst: what the rate gives in two seconds, rounded up; at least 1.
pub(super) fn default_burst(rate: Rate) -> u32 {
    let seconds = u32::try_from(rate.period().duration().as_secs()).unwrap_or(1);
    let twice = rate.count().get().saturating_mul(2);
    twice.div_ceil(seconds.max(1)).max(1)
}
