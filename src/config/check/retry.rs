//! Checks `[retry]`.

use crate::config::{
    RetryConfig,
    read::key_path::KeyPath,
    settings::retry::{BackoffSettings, RetrySettings},
    value::percentage,
};

use super::Checker;

const BUDGET_PERCENT_MAX: u8 = 50;

impl Checker<'_> {
    pub(super) fn retry(&mut self, settings: &RetrySettings) -> RetryConfig {
        let RetrySettings {
            attempts,
            backoff: BackoffSettings { from, to, jitter },
            budget,
        } = settings;
        let top = KeyPath::from_keys(&["retry"]);
        let at_backoff = top.child("backoff");
        let backoff_from = self.duration(&at_backoff.child("from"), from);
        let backoff_to = self.duration(&at_backoff.child("to"), to);
        let are_accepted = ["from", "to"]
            .iter()
            .all(|it| self.was_accepted(&at_backoff.child(it)));
        if are_accepted && backoff_to < backoff_from {
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
}
