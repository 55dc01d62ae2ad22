//! The retry policy: what is sent again, and what never is.
//!
//! Only GET and HEAD are retried. NinjaOne has no idempotency keys, so a write that may have arrived is not sent again,
//! whatever the response.

use std::time::Duration;

use crate::{
    net::{
        Method,
        client::{connector::ExchangeError, pool::SendError},
    },
    random,
};

use super::{
    attempt_result::{Answer, Verdict},
    forward_error::Why,
    tenant_upstream::RetryBudget,
};

/// What to do after an attempt.
pub(super) enum Step {
    Done(Answer),
    Again {
        wait: Option<Duration>,
        /// On a connection of its own.
        fresh: bool,
    },
    WithNewToken,
    /// The token is no longer valid; this request is not retried.
    RejectToken,
    GiveUp(Why),
}

/// One request's retries.
pub(super) struct Retry<'a> {
    budget: &'a RetryBudget,
    repeatable: bool,
    made: u32,
    new_token_tried: bool,
    fresh_tried: bool,
}

impl<'a> Retry<'a> {
    pub(super) fn new(budget: &'a RetryBudget, method: Method) -> Self {
        budget.earn();
        Self {
            budget,
            repeatable: matches!(method, Method::Get | Method::Head),
            made: 0,
            new_token_tried: false,
            fresh_tried: false,
        }
    }

    /// `paused` is how long the tenant sends nothing because of this verdict.
    pub(super) fn after(&mut self, verdict: Verdict, paused: Option<Duration>) -> Step {
        match verdict {
            Verdict::Answer(answer) => Step::Done(answer),
            Verdict::Unwell(answer) => self.backed_off().unwrap_or(Step::Done(answer)),
            Verdict::Throttled(..) => self.again_when_allowed(paused),
            Verdict::TokenRejected if !self.repeatable => Step::RejectToken,
            Verdict::TokenRejected if self.new_token_tried => Step::RejectToken,
            Verdict::TokenRejected => {
                self.new_token_tried = true;
                Step::WithNewToken
            }
            Verdict::InsufficientPrivileges => Step::GiveUp(Why::InsufficientPrivileges),
            Verdict::TimedOut => Step::GiveUp(Why::TimedOut),
            Verdict::Body(fault) => Step::GiveUp(Why::Body(fault)),
            Verdict::Unsent(error) => self.after_failure(SendError::NotSent(error)),
            Verdict::DiedReused => self.after_failure(SendError::StaleConnection),
            Verdict::Lost(error) => self.after_failure(SendError::MaybeSent(error)),
        }
    }

    fn after_failure(&mut self, error: SendError) -> Step {
        let (why, fresh) = match error {
            SendError::NotSent(error) => (Why::Unreachable(error), false),
            SendError::StaleConnection => (Why::BadAnswer(ExchangeError::Broken), true),
            SendError::MaybeSent(error) => (Why::BadAnswer(error), false),
        };
        // A kept connection that had died says nothing about NinjaOne: once more, at once, outside the budget.
        if fresh && self.repeatable && !self.fresh_tried {
            self.fresh_tried = true;
            return Step::Again {
                wait: None,
                fresh: true,
            };
        }
        let hopeless = matches!(why, Why::Unreachable(ExchangeError::Certificate));
        if hopeless {
            return Step::GiveUp(why);
        }
        self.backed_off().unwrap_or(Step::GiveUp(why))
    }

    /// Another attempt after a pause that doubles, if this request may have one and the budget pays for it.
    fn backed_off(&mut self) -> Option<Step> {
        let settings = self.budget.settings();
        if !self.repeatable || self.made + 1 >= settings.attempts_max || !self.budget.spend() {
            return None;
        }
        let longest = settings
            .backoff_from
            .saturating_mul(1 << self.made.min(16))
            .min(settings.backoff_to);
        self.made += 1;
        let wait = if settings.jitter {
            random::up_to(longest)
        } else {
            longest
        };
        Some(Step::Again {
            wait: Some(wait),
            fresh: false,
        })
    }

    /// The tenant's budget is paused by now: taking the next permit waits as long as the queue allows, or refuses.
    fn again_when_allowed(&mut self, paused: Option<Duration>) -> Step {
        let settings = self.budget.settings();
        if self.repeatable && self.made + 1 < settings.attempts_max && self.budget.spend() {
            self.made += 1;
            return Step::Again {
                wait: None,
                fresh: false,
            };
        }
        Step::GiveUp(Why::Throttled {
            retry_after: paused.unwrap_or(Duration::from_secs(1)),
        })
    }
}
