//! Checks timeouts, retries, the budget, the audit log and telemetry.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    config::{
        AuditConfig, BudgetConfig, RetryConfig, TelemetryConfig, TimeoutConfig,
        read::key_path::KeyPath,
        settings::{self, operating},
        value::{byte_rate, percentage},
    },
    limits::rate::{Period, Rate},
};

use super::Checker;

/// The levels in a log filter such as `info,ninjaone_proxy::upstream=debug`.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const BUDGET_PERCENT_MAX: u8 = 50;

impl Checker<'_> {
    pub(super) fn timeouts(&mut self, settings: &settings::TimeoutSettings) -> TimeoutConfig {
        let settings::TimeoutSettings {
            connect,
            first_byte,
            idle,
            body_rate,
            body_total,
        } = settings;
        let top = KeyPath::from_keys(&["timeouts"]);
        TimeoutConfig {
            connect: self.duration(&top.child("connect"), connect),
            first_byte: self.duration(&top.child("first_byte"), first_byte),
            idle: self.duration(&top.child("idle"), idle),
            body_rate_min: self.byte_rate(&top.child("body_rate"), body_rate),
            body_total: self.duration(&top.child("body_total"), body_total),
        }
    }

    fn byte_rate(&mut self, path: &KeyPath, text: &str) -> u64 {
        match byte_rate::parse(text) {
            Ok(bytes) => return bytes,
            Err(error) => self.error(path, error),
        }
        1
    }

    pub(super) fn retry(&mut self, settings: &settings::RetrySettings) -> RetryConfig {
        let settings::RetrySettings {
            attempts,
            backoff: settings::BackoffSettings { from, to, jitter },
            budget,
        } = settings;
        let top = KeyPath::from_keys(&["retry"]);
        let at_backoff = top.child("backoff");
        let backoff_from = self.duration(&at_backoff.child("from"), from);
        let backoff_to = self.duration(&at_backoff.child("to"), to);
        if backoff_to < backoff_from {
            self.error(
                &at_backoff.child("to"),
                "the longest wait is shorter than the first",
            );
        }
        let at_budget = top.child("budget");
        let budget_percent = match percentage::parse(budget) {
            Ok(share) if share > BUDGET_PERCENT_MAX => {
                self.error(
                    &at_budget,
                    "this is at most \"50%\": more would make an outage worse",
                );
                0
            }
            Ok(share) => share,
            Err(error) => {
                self.error(&at_budget, error);
                0
            }
        };
        RetryConfig {
            attempts_max: *attempts,
            backoff_from,
            backoff_to,
            jitter: *jitter,
            budget_percent,
        }
    }

    pub(super) fn budget(&mut self, settings: &settings::UpstreamLimitSettings) -> BudgetConfig {
        let settings::UpstreamLimitSettings {
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

    pub(super) fn audit(&mut self, settings: &operating::AuditSettings) -> AuditConfig {
        let operating::AuditSettings {
            path,
            on_failure: operating::AuditFailureSettings { write, read },
        } = settings;
        // There is no other choice.
        let operating::WriteFailureSetting::Refuse = write;
        if path.is_empty() {
            let at = KeyPath::from_keys(&["audit", "path"]);
            self.error(&at, "the audit log needs a directory");
        }
        AuditConfig {
            path: self.path(path),
            serve_reads_unrecorded: *read == operating::ReadFailureSetting::Serve,
        }
    }

    pub(super) fn telemetry(&mut self, settings: &operating::TelemetrySettings) -> TelemetryConfig {
        let operating::TelemetrySettings {
            log: operating::LogSettings { format, level },
            metrics,
        } = settings;
        let at_level = KeyPath::from_keys(&["telemetry", "log", "level"]);
        for part in level.split(',') {
            let word = part.rsplit('=').next().unwrap_or(part).trim();
            if !LEVELS.contains(&word.to_ascii_lowercase().as_str()) {
                let message = format!("a level is one of {}", LEVELS.join(", "));
                self.error_with_hint(
                    &at_level,
                    message,
                    "parts may differ: \"info,ninjaone_proxy::upstream=debug\"",
                );
                break;
            }
        }
        TelemetryConfig {
            log_format: *format,
            log_level: level.clone(),
            metrics: *metrics,
        }
    }
}

/// The default burst: what the rate gives in two seconds, rounded up; at least 1.
pub(super) fn default_burst(rate: Rate) -> u32 {
    let seconds = u32::try_from(rate.period().duration().as_secs()).unwrap_or(1);
    let twice = rate.count().get().saturating_mul(2);
    twice.div_ceil(seconds.max(1)).max(1)
}
