//! The retry policy: what is sent again, and what never is.
//!
//! Only GET and HEAD are retried. NinjaOne has no idempotency keys, so a write that may have arrived is not sent again,
//! whatever the response.

use std::time::Duration;

use crate::{
    net::{
        Method,
        client::{exchange_error::ExchangeError, send_error::SendError},
    },
    random,
};

use super::{
    attempt_result::{AttemptResult, UpstreamResponse},
    forward_error::ForwardError,
    tenant_upstream::RetryBudget,
};

/// What to do after an attempt.
pub(super) enum RetryDecision {
    Done(UpstreamResponse),
    Retry {
        wait: Option<Duration>,
        /// On a connection of its own.
        new_connection: bool,
    },
    RetryWithNewToken,
    /// The token is no longer valid; this request is not retried.
    RejectToken,
    Fail(ForwardError),
}

/// One request's retries.
pub(super) struct RetryState<'a> {
    budget: &'a RetryBudget,
    is_retryable: bool,
    retries: u32,
    new_token_tried: bool,
    new_connection_tried: bool,
}

impl<'a> RetryState<'a> {
    pub(super) fn new(budget: &'a RetryBudget, method: Method) -> Self {
        budget.deposit();
        Self {
            budget,
            is_retryable: matches!(method, Method::Get | Method::Head),
            retries: 0,
            new_token_tried: false,
            new_connection_tried: false,
        }
    }

    /// `paused` is how long the tenant sends nothing because of this verdict.
    pub(super) fn decide(
        &mut self,
        result: AttemptResult,
        paused: Option<Duration>,
    ) -> RetryDecision {
        match result {
            AttemptResult::Response(response) => RetryDecision::Done(response),
            AttemptResult::GatewayError(response) => self
                .retry_with_backoff()
                .unwrap_or(RetryDecision::Done(response)),
            AttemptResult::Throttled(..) => self.retry_after_throttle(paused),
            AttemptResult::TokenRejected if !self.is_retryable => RetryDecision::RejectToken,
            AttemptResult::TokenRejected if self.new_token_tried => RetryDecision::RejectToken,
            AttemptResult::TokenRejected => {
                self.new_token_tried = true;
                RetryDecision::RetryWithNewToken
            }
            AttemptResult::InsufficientPrivileges => {
                RetryDecision::Fail(ForwardError::InsufficientPrivileges)
            }
            AttemptResult::TimedOut => RetryDecision::Fail(ForwardError::TimedOut),
            AttemptResult::RequestBody(error) => RetryDecision::Fail(ForwardError::Body(error)),
            AttemptResult::Unsent(error) => self.decide_send_error(SendError::NotSent(error)),
            AttemptResult::StaleConnection => self.decide_send_error(SendError::StaleConnection),
            AttemptResult::ExchangeFailed(error) => {
                self.decide_send_error(SendError::MaybeSent(error))
            }
        }
    }

    fn decide_send_error(&mut self, error: SendError) -> RetryDecision {
        let (why, fresh) = match error {
            SendError::NotSent(error) => (ForwardError::Unreachable(error), false),
            SendError::StaleConnection => (ForwardError::BadResponse(ExchangeError::Broken), true),
            SendError::MaybeSent(error) => (ForwardError::BadResponse(error), false),
        };
        // A stale connection says nothing about NinjaOne: once more, at once, outside the budget.
        if fresh && self.is_retryable && !self.new_connection_tried {
            self.new_connection_tried = true;
            return RetryDecision::Retry {
                wait: None,
                new_connection: true,
            };
        }
        let hopeless = match why {
            ForwardError::Unreachable(ExchangeError::Tunnel(error)) => error.needs_operator(),
            ForwardError::Unreachable(ExchangeError::Certificate) => true,
            _ => false,
        };
        if hopeless {
            return RetryDecision::Fail(why);
        }
        self.retry_with_backoff()
            .unwrap_or(RetryDecision::Fail(why))
    }

    /// Another attempt after a pause that doubles, if this request may have one and the budget pays for it.
    fn retry_with_backoff(&mut self) -> Option<RetryDecision> {
        let settings = self.budget.policy();
        if !self.is_retryable
            || self.retries + 1 >= settings.attempts_max
            || !self.budget.withdraw()
        {
            return None;
        }
        let longest = settings
            .backoff_from
            .saturating_mul(1 << self.retries.min(16))
            .min(settings.backoff_to);
        self.retries += 1;
        let wait = if settings.jitter {
            random::jitter(longest)
        } else {
            longest
        };
        Some(RetryDecision::Retry {
            wait: Some(wait),
            new_connection: false,
        })
    }

    /// The tenant's budget is paused by now: taking the next permit waits as long as the queue allows, or refuses.
    fn retry_after_throttle(&mut self, paused: Option<Duration>) -> RetryDecision {
        let settings = self.budget.policy();
        if self.is_retryable && self.retries + 1 < settings.attempts_max && self.budget.withdraw() {
            self.retries += 1;
            return RetryDecision::Retry {
                wait: None,
                new_connection: false,
            };
        }
        RetryDecision::Fail(ForwardError::Throttled {
            retry_after: paused.unwrap_or(Duration::from_secs(1)),
        })
    }
}
