//! The retry policy: what is sent again, and what never is.
//!
//! Only GET and HEAD are retried. NinjaOne has no idempotency keys, so a write that may have arrived is not sent again,
//! whatever the response. Nor is a read that names a cursor: NinjaOne keeps its place, so a repetition would skip a page without
//! a word.

use std::time::Duration;

use crate::{
    audit::Intended,
    net::{
        Method,
        client::{exchange_error::ExchangeError, send_error::SendError},
    },
    random,
};

use super::{
    attempt_result::{AttemptResult, ErrorPage, UpstreamResponse, is_gateway_error},
    forward_error::ForwardError,
    tenant_upstream::{RetryBudget, ThrottleKind},
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

/// Which requests may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeatability {
    /// A write.
    Never,
    /// A read that moves a cursor on: only where NinjaOne has certainly not served it, by 401, 429 or `user_context_required`, or
    /// where not a byte of it was sent.
    IfNotServed,
    /// Any other read.
    Always,
}

impl Repeatability {
    /// By method, operation and query.
    pub(super) fn of(intended: &Intended) -> Self {
        let request = intended.request();
        match request.method() {
            Method::Get | Method::Head => {
                let query = request.target().query();
                if intended.operation().paging.moves_cursor(query) {
                    Self::IfNotServed
                } else {
                    Self::Always
                }
            }
            _ => Self::Never,
        }
    }
}

/// One request's retries.
pub(super) struct RetryState<'a> {
    budget: &'a RetryBudget,
    repeatability: Repeatability,
    retries: u32,
    new_token_tried: bool,
    new_connection_tried: bool,
}

impl<'a> RetryState<'a> {
    pub(super) fn new(budget: &'a RetryBudget, repeatability: Repeatability) -> Self {
        budget.deposit();
        Self {
            budget,
            repeatability,
            retries: 0,
            new_token_tried: false,
            new_connection_tried: false,
        }
    }

    pub(super) fn repeatability(&self) -> Repeatability {
        self.repeatability
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
                .retry_with_backoff(Repeatability::Always)
                .unwrap_or(RetryDecision::Done(response)),
            // A page of a limit says nothing of what was done before it was shown.
            AttemptResult::Throttled(ThrottleKind::HtmlPage, _) => {
                self.retry_after_throttle(Repeatability::Always, paused)
            }
            AttemptResult::Throttled(ThrottleKind::TooManyRequests, _) => {
                self.retry_after_throttle(Repeatability::IfNotServed, paused)
            }
            AttemptResult::Page(page) => self.decide_page(page),
            AttemptResult::TokenRejected
                if self.new_token_tried || !self.may_repeat(Repeatability::IfNotServed) =>
            {
                RetryDecision::RejectToken
            }
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

    /// Whether this request is at least as repeatable as `needed`.
    fn may_repeat(&self, needed: Repeatability) -> bool {
        match self.repeatability {
            Repeatability::Never => false,
            Repeatability::IfNotServed => needed == Repeatability::IfNotServed,
            Repeatability::Always => true,
        }
    }

    fn decide_page(&mut self, page: ErrorPage) -> RetryDecision {
        let retry = if is_gateway_error(page.status) {
            self.retry_with_backoff(Repeatability::Always)
        } else {
            None
        };
        retry.unwrap_or(RetryDecision::Fail(ForwardError::Page {
            status: page.status,
            retry_after: page.retry_after,
        }))
    }

    fn decide_send_error(&mut self, error: SendError) -> RetryDecision {
        let (why, needed) = match error {
            SendError::NotSent(error) => {
                (ForwardError::Unreachable(error), Repeatability::IfNotServed)
            }
            SendError::StaleConnection => {
                // It says nothing about NinjaOne: once more, at once, outside the budget.
                if self.may_repeat(Repeatability::Always) && !self.new_connection_tried {
                    self.new_connection_tried = true;
                    return RetryDecision::Retry {
                        wait: None,
                        new_connection: true,
                    };
                }
                let why = ForwardError::BadResponse(ExchangeError::Broken);
                (why, Repeatability::Always)
            }
            SendError::MaybeSent(error) => {
                (ForwardError::BadResponse(error), Repeatability::Always)
            }
        };
        let hopeless = match why {
            ForwardError::Unreachable(ExchangeError::Tunnel(error)) => error.needs_operator(),
            ForwardError::Unreachable(ExchangeError::Certificate) => true,
            _ => false,
        };
        if hopeless {
            return RetryDecision::Fail(why);
        }
        self.retry_with_backoff(needed)
            .unwrap_or(RetryDecision::Fail(why))
    }

    /// Another attempt after a pause that doubles, if this request may have one and the budget pays for it.
    fn retry_with_backoff(&mut self, needed: Repeatability) -> Option<RetryDecision> {
        let settings = self.budget.policy();
        if !self.may_repeat(needed)
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
    fn retry_after_throttle(
        &mut self,
        needed: Repeatability,
        paused: Option<Duration>,
    ) -> RetryDecision {
        let settings = self.budget.policy();
        if self.may_repeat(needed)
            && self.retries + 1 < settings.attempts_max
            && self.budget.withdraw()
        {
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
