//! Time-outs, repetition, budget, audit, log.

use std::{num::NonZeroU32, time::Duration};

use crate::limits::rate::{Period, Rate};

use super::{
    super::{
        Audit, Budget, LogFormat, Retry, Telemetry, Timeouts, byte_rate,
        key_path::KeyPath,
        percent,
        settings::{self, operating},
    },
    Check,
};

/// Part of a log filter: `info`, `ninjaone_proxy::upstream=debug`.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const BUDGET_PERCENT_MAX: u8 = 50;

impl Check<'_> {
    pub(super) fn timeouts(&mut self, settings: &settings::Timeouts) -> Timeouts {
        let top = KeyPath::of(&["timeouts"]);
        Timeouts {
            connect: self.duration(&top.child("connect"), &settings.connect),
            first_byte: self.duration(&top.child("first_byte"), &settings.first_byte),
            idle: self.duration(&top.child("idle"), &settings.idle),
            body_rate: self.byte_rate(&top.child("body_rate"), &settings.body_rate),
            body_total: self.duration(&top.child("body_total"), &settings.body_total),
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
        let top = KeyPath::of(&["retry"]);
        let backoff = top.child("backoff");
        let from = self.duration(&backoff.child("from"), &settings.backoff.from);
        let to = self.duration(&backoff.child("to"), &settings.backoff.to);
        if to < from {
            self.error(
                &backoff.child("to"),
                "the longest wait is shorter than the first",
            );
        }
        let budget = top.child("budget");
        let budget_percent = match percent::parse(&settings.budget) {
            Ok(share) if share > BUDGET_PERCENT_MAX => {
                self.error(
                    &budget,
                    "this is at most \"50%\": more would make an outage worse",
                );
                0
            }
            Ok(share) => share,
            Err(error) => {
                self.error(&budget, error);
                0
            }
        };
        Retry {
            attempts: settings.attempts,
            backoff_from: from,
            backoff_to: to,
            jitter: settings.backoff.jitter,
            budget_percent,
        }
    }

    pub(super) fn budget(&mut self, settings: &settings::Upstream) -> Budget {
        let top = KeyPath::of(&["limits", "upstream"]);
        let rate = self.rate(&top.child("rate"), &settings.rate);
        Budget {
            rate,
            burst: settings.burst.unwrap_or_else(|| usual_burst(rate)),
            concurrency: settings.concurrency,
            queue: self.queue(&top.child("queue"), &settings.queue),
        }
    }

    /// Zero means not to wait at all.
    fn queue(&mut self, path: &KeyPath, text: &str) -> Duration {
        match super::super::duration::parse(text) {
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
        let path = KeyPath::of(&["audit", "path"]);
        if settings.path.is_empty() {
            self.error(&path, "the audit log needs a directory");
        }
        Audit {
            path: self.path(&settings.path),
            serve_reads_unrecorded: settings.on_failure.read == operating::ServeOrRefuse::Serve,
        }
    }

    pub(super) fn telemetry(&mut self, settings: &operating::Telemetry) -> Telemetry {
        let level = KeyPath::of(&["telemetry", "log", "level"]);
        for part in settings.log.level.split(',') {
            let word = part.rsplit('=').next().unwrap_or(part).trim();
            if !LEVELS.contains(&word.to_ascii_lowercase().as_str()) {
                let message = format!("a level is one of {}", LEVELS.join(", "));
                self.error_hint(
                    &level,
                    message,
                    "parts may differ: \"info,ninjaone_proxy::upstream=debug\"",
                );
                break;
            }
        }
        Telemetry {
            log_format: match settings.log.format {
                operating::LogFormat::Auto => LogFormat::Auto,
                operating::LogFormat::Text => LogFormat::Text,
                operating::LogFormat::Json => LogFormat::Json,
            },
            log_level: settings.log.level.clone(),
            metrics: settings.metrics,
        }
    }
}

/// What a rate gives in two seconds, rounded up; at least 1.
pub(super) fn usual_burst(rate: Rate) -> u32 {
    let seconds = u32::try_from(rate.period().duration().as_secs()).unwrap_or(1);
    let twice = rate.count().get().saturating_mul(2);
    twice.div_ceil(seconds.max(1)).max(1)
}
