//! Retries a request as the user after NinjaOne refused it to the service with `user_context_required`.
//!
//! NinjaOne sends that 403 before it does anything (seen 2026-07 on `POST /v2/device/{id}/script/run`), so this holds for
//! writes too. It is the only way in which a write is sent again, and it happens at most once: a request that goes as the user
//! is not switched.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::timeout;

use super::{
    attempt_result::AttemptResult, forward_error::ForwardError, send_loop::SendLoop,
    user_context::may_retry_as_user,
};

/// How long the rest of a body is waited for that NinjaOne did not wait for.
const BODY_WAIT_MS_MAX: u64 = 5_000;

impl SendLoop<'_> {
    /// Whether this response may be `user_context_required`, to a request that may go as the user.
    pub(super) fn may_require_user(&self, result: &AttemptResult) -> bool {
        let is_refusal = matches!(result, AttemptResult::Response(response) if response.status == StatusCode::FORBIDDEN);
        is_refusal && may_retry_as_user(&self.intended)
    }

    /// Makes the request ready to be sent as the user.
    ///
    /// # Errors
    /// There is no token of one, or no body any more. The request comes back as the service's.
    pub(super) async fn switch_to_user(mut self) -> Result<Self, Box<(Self, ForwardError)>> {
        self.remember_user_only();
        // Without a token the caller is not asked for the rest of the body; without a body the service's lease stays.
        let tenant = self.intended.tenant().index;
        if let Err(unavailable) = self.token_cells.wait_for_user(tenant).await {
            return Err(Box::new((self, ForwardError::NoToken(unavailable))));
        }
        if !self.restore_body().await {
            return Err(Box::new((self, ForwardError::BodyNotReplayable)));
        }
        match self.intended.lease_as_user(self.token_cells).await {
            Ok(intended) => {
                self.token = Arc::clone(intended.token());
                self.new_connection = false;
                self.intended = intended;
                Ok(self)
            }
            Err(it) => {
                let (intended, unavailable) = *it;
                self.intended = intended;
                Err(Box::new((self, ForwardError::NoToken(unavailable))))
            }
        }
    }

    fn remember_user_only(&self) {
        if self.token_cells.learn_user_only(self.intended.leased()) {
            tracing::info!(
                tenant = %self.intended.tenant().name,
                operation = %self.intended.operation().id,
                "NinjaOne requires a user for this operation: it is sent as the user from now on"
            );
        }
    }

    /// False if the request had a body that is not there any more.
    async fn restore_body(&mut self) -> bool {
        if self.send_log.body_progress.is_none() {
            return true;
        }
        let Some(replay) = self.replay.take() else {
            return false;
        };
        let wait_max = Duration::from_millis(BODY_WAIT_MS_MAX);
        let Ok(Some(body)) = timeout(wait_max, replay.replay()).await else {
            return false;
        };
        self.body = body.into();
        true
    }
}
