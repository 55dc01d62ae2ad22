//! Checks timeouts, retries, the budget, the audit log and telemetry.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    config::{
        Audit, Budget, Retry, Telemetry, Timeouts,
        read::key_path::KeyPath,
        settings::{self, operating},
        value::{byte_rate, percentage},
    },
    limits::rate::{Period, Rate},
};

use super::Check;

/// The levels in a log filter such as `info,ninjaone_proxy::upstream=debug`.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const BUDGET_PERCENT_MAX: u8 = 50;

impl Check<'_> {
    pub(super) fn timeouts(&mut self, settings: &settings::Timeouts) -> Timeouts {
        let settings::Timeouts {
            connect,
            first_byte,
            idle,
            body_rate,
            body_total,
        } = settings;
        let top = KeyPath::of(&["timeouts"]);
        Timeouts {
            connect: self.duration(&top.child("connect"), connect),
            first_byte: self.duration(&top.child("first_byte"), first_byte),
            idle: self.duration(&top.child("idle"), idle),
            body_rate: self.byte_rate(&top.child("body_rate"), body_rate),
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

    pub(super) fn retry(&mut self, settings: &settings::Retry) -> Retry {
        let settings::Retry {
            attempts,
            backoff: settings::Backoff { from, to, jitter },
            budget,
        } = settings;
        let top = KeyPath::of(&["retry"]);
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
        Retry {
            attempts: *attempts,
            backoff_from,
            backoff_to,
            jitter: *jitter,
            budget_percent,
        }
    }

    pub(super) fn budget(&mut self, settings: &settings::Upstream) -> Budget {
        let settings::Upstream {
            rate,
            burst,
            concurrency,
            queue,
        } = settings;
        let top = KeyPath::of(&["limits", "upstream"]);
        let rate = self.rate(&top.child("rate"), rate);
        Budget {
            rate,
            burst: burst.unwrap_or_else(|| usual_burst(rate)),
            concurrency: *concurrency,
            queue: self.queue(&top.child("queue"), queue),
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

    pub(super) fn audit(&mut self, settings: &operating::Audit) -> Audit {
        let operating::Audit {
            path,
            on_failure: operating::OnFailure { write, read },
        } = settings;
        // There is no other choice.
        let operating::Refuse::Refuse = write;
        if path.is_empty() {
            let at = KeyPath::of(&["audit", "path"]);
            self.error(&at, "the audit log needs a directory");
        }
        Audit {
            path: self.path(path),
            serve_reads_unrecorded: *read == operating::ServeOrRefuse::Serve,
        }
    }

    pub(super) fn telemetry(&mut self, settings: &operating::Telemetry) -> Telemetry {
        let operating::Telemetry {
            log: operating::Log { format, level },
            metrics,
        } = settings;
        let at_level = KeyPath::of(&["telemetry", "log", "level"]);
        for part in level.split(',') {
            let word = part.rsplit('=').next().unwrap_or(part).trim();
            if !LEVELS.contains(&word.to_ascii_lowercase().as_str()) {
                let message = format!("a level is one of {}", LEVELS.join(", "));
                self.error_hint(
                    &at_level,
                    message,
                    "parts may differ: \"info,ninjaone_proxy::upstream=debug\"",
                );
                break;
            }
        }
        Telemetry {
            log_format: *format,
            log_level: level.clone(),
            metrics: *metrics,
        }
    }
}

/// The default burst: what the rate gives in two seconds, rounded up; at least 1.
pub(super) fn usual_burst(rate: Rate) -> u32 {
    let seconds = u32::try_from(rate.period().duration().as_secs()).unwrap_or(1);
    let twice = rate.count().get().saturating_mul(2);
    twice.div_ceil(seconds.max(1)).max(1)
}
