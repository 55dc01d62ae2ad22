//! The send loop: attempts a request, and retries it as `retry.rs` decides.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    audit::Intended,
    credentials::{
        TokenCells,
        token::{access_token::AccessToken, cell::TokenWaitError},
    },
    limits::budget::Permit,
    names::IdentityKind,
    net::{
        body::{replay_buffer::ReplayBuffer, request_body::RequestBody},
        client::pool::Pool,
    },
};

use super::{
    attempt_result::{AttemptResult, UpstreamResponse},
    forward_error::{ForwardError, ForwardFailed},
    forwarded::Forwarded,
    retry::{Repeatability, RetryDecision, RetryState},
    send_log::SendLog,
    tenant_upstream::{TenantUpstream, ThrottleKind},
    user_context::{keep_body_for_replay, requires_user},
};

/// Longest that a read waits for another token after its own was rejected.
const NEW_TOKEN_WAIT_MAX: Duration = Duration::from_secs(6);

/// One request while it is being sent, and sent again.
pub(super) struct SendLoop<'a> {
    pub(super) upstream: &'a TenantUpstream,
    pub(super) pool: &'a Arc<Pool>,
    pub(super) token_cells: &'a TokenCells,
    pub(super) intended: Intended,
    /// The body of the next attempt; empty once it was taken.
    pub(super) body: RequestBody,
    /// The token of the next attempt.
    pub(super) token: Arc<AccessToken>,
    /// Whether the next attempt must go on a connection of its own.
    pub(super) new_connection: bool,
    pub(super) send_log: SendLog,
    pub(super) retry: RetryState<'a>,
    /// The body, if it may be needed twice.
    pub(super) replay: Option<Arc<ReplayBuffer>>,
}

/// Why the loop ended without a response.
pub(super) enum SendLoopError {
    Failed(ForwardError),
    /// NinjaOne did nothing and requires a user; the request may be sent as one, see `identity_retry.rs`.
    UserRequired,
}

impl From<ForwardError> for SendLoopError {
    fn from(why: ForwardError) -> Self {
        Self::Failed(why)
    }
}

impl<'a> SendLoop<'a> {
    pub(super) fn new(
        upstream: &'a TenantUpstream,
        pool: &'a Arc<Pool>,
        token_cells: &'a TokenCells,
        intended: Intended,
        mut body: RequestBody,
    ) -> Self {
        Self {
            upstream,
            pool,
            token_cells,
            replay: keep_body_for_replay(&intended, &mut body, token_cells),
            token: Arc::clone(intended.token()),
            new_connection: false,
            send_log: SendLog::default(),
            retry: RetryState::new(upstream.retry_budget(), Repeatability::of(&intended)),
            intended,
            body,
        }
    }

    /// Sends until there is a response to pass on, or nothing more to try. The first attempt is made at `now`.
    pub(super) async fn run(
        &mut self,
        mut now: Instant,
    ) -> Result<UpstreamResponse, SendLoopError> {
        loop {
            let permit = self.permit(now).await?;
            if permit.was_queued() {
                now = Instant::now();
            }
            let mut result = self.send_once(permit, now).await;
            // Boxed, so that what waiting needs does not lie in every request's future.
            if self.may_require_user(&result) && Box::pin(requires_user(&mut result)).await {
                return Err(SendLoopError::UserRequired);
            }
            self.record_reachability(&result);
            let paused = self.apply_throttle(&result);
            match self.retry.decide(result, paused) {
                RetryDecision::Done(response) => return Ok(response),
                RetryDecision::Fail(why) => return Err(why.into()),
                RetryDecision::Retry {
                    wait,
                    new_connection: fresh,
                } => {
                    if let Some(wait) = wait {
                        Box::pin(tokio::time::sleep(wait)).await;
                    }
                    self.new_connection = fresh;
                }
                RetryDecision::RetryWithNewToken => self.renew_token().await?,
                RetryDecision::RejectToken => return Err(self.reject_token().await.into()),
            }
            // Read once an attempt: the clock costs more than it looks.
            now = Instant::now();
        }
    }

    async fn permit(&self, now: Instant) -> Result<Permit, ForwardError> {
        let caller = self.intended.caller().index;
        let taken = self.intended.budget().acquire(caller, now).await;
        taken.map_err(|(by, retry_after)| ForwardError::OverBudget { by, retry_after })
    }

    /// Waits for a token that is younger than the rejected one.
    async fn renew_token(&mut self) -> Result<(), ForwardError> {
        let rejected = self.token.generation();
        let cell = self.intended.cell();
        let renewed = Box::pin(cell.wait_for_newer_than(rejected, NEW_TOKEN_WAIT_MAX)).await;
        self.token = renewed.map_err(|why| self.without_token(why))?;
        Ok(())
    }

    /// The error of a request that is not sent again although its token was rejected. For a login it waits for what the
    /// renewal brings: one that has ended must not be taken for something that passes.
    async fn reject_token(&self) -> ForwardError {
        let (cell, rejected) = (self.intended.cell(), self.token.generation());
        if cell.identity() == IdentityKind::Service {
            cell.reject(rejected);
            return ForwardError::TokenRejected;
        }
        let renewed = Box::pin(cell.wait_for_newer_than(rejected, NEW_TOKEN_WAIT_MAX)).await;
        let failed = renewed.err().map(|why| self.without_token(why));
        failed.unwrap_or(ForwardError::TokenRejected)
    }

    fn without_token(&self, why: TokenWaitError) -> ForwardError {
        match why {
            TokenWaitError::LoginNeeded => {
                ForwardError::NoToken(why.for_identity(self.intended.cell().identity()))
            }
            // The renewal has failed, and the rejected token is not sent any more.
            TokenWaitError::RetryAfter(_) if self.intended.cell().current().is_none() => {
                ForwardError::NoToken(why.for_identity(self.intended.cell().identity()))
            }
            TokenWaitError::RetryAfter(_) => ForwardError::TokenRejected,
        }
    }

    /// What the attempt says of the way to NinjaOne.
    fn record_reachability(&self, result: &AttemptResult) {
        let reachability = self.upstream.reachability();
        match result {
            AttemptResult::Unsent(error) => reachability.record_failure(*error),
            AttemptResult::Response(_)
            | AttemptResult::GatewayError(_)
            | AttemptResult::Throttled(..)
            | AttemptResult::TokenRejected
            | AttemptResult::InsufficientPrivileges => reachability.record_contact(),
            // The connection was there, and so was somebody at its other end.
            _ => {}
        }
    }

    /// Tells the tenant's budget what NinjaOne thinks of our pace. Gives how long nothing will be sent.
    fn apply_throttle(&self, result: &AttemptResult) -> Option<Duration> {
        match result {
            AttemptResult::Throttled(kind, told) => {
                let pause = self.upstream.record_throttle(*kind, *told);
                self.intended.budget().pause(pause);
                return Some(pause);
            }
            AttemptResult::Page(page) if page.shows_limit => {
                let kind = ThrottleKind::HtmlPage;
                let pause = self.upstream.record_throttle(kind, page.retry_after);
                self.intended.budget().pause(pause);
            }
            AttemptResult::Response(_) => self.upstream.reset_throttle(),
            _ => {}
        }
        None
    }

    /// There is a response to pass on.
    pub(super) fn finish(self, response: UpstreamResponse, started: Instant) -> Box<Forwarded> {
        let send_log = ended(self.send_log, started);
        Forwarded::assert_forwarded(self.intended, response, send_log)
    }

    /// There is none.
    pub(super) fn fail(self, why: ForwardError, started: Instant) -> Box<ForwardFailed> {
        ForwardFailed::new(self.intended, why, ended(self.send_log, started))
    }
}

fn ended(send_log: SendLog, started: Instant) -> SendLog {
    let now = Instant::now();
    SendLog {
        upstream_wait: now - started,
        wait_ended: Some(now),
        ..send_log
    }
}
