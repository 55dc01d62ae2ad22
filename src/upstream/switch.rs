//! A request that went as the service and that NinjaOne wants a person for: sent once more, as the user.
//!
//! NinjaOne answers 403 `user_context_required` before it does anything (seen 2026-07 on `POST
//! /v2/device/{id}/script/run`), so this holds for writes too. It is the only way in which a write is sent again, and it
//! happens once at most: whoever goes as the user is not switched.

use std::{sync::Arc, time::Duration};

use http::{StatusCode, header};
use tokio::time::timeout;

use crate::{
    audit::Intended,
    credentials::Vaults,
    names::IdentityKind,
    net::{body::RequestBody, kept_body::Kept},
    ninjaone::fault::{Fault, Meaning},
    policy::identity::Wish,
};

use super::{Why, attempt_result::Verdict, send_loop::Sending};

/// Longest refusal that is read, in bytes; NinjaOne's is 150.
const REFUSAL_BYTES_MAX: usize = 8 * 1024;
/// How long the rest of a refusal is waited for before it is passed on as it comes.
const REFUSAL_WAIT_MS_MAX: u64 = 2_000;
/// How long the rest of a body is waited for that NinjaOne did not wait for.
const BODY_WAIT_MS_MAX: u64 = 5_000;

/// Keeps the request's body if it may be needed twice.
pub(super) fn keep(
    intended: &Intended,
    body: &mut RequestBody,
    vaults: &Vaults,
) -> Option<Arc<Kept>> {
    let has_user = || {
        let user = vaults.get(intended.tenant().index, IdentityKind::User);
        user.is_some()
    };
    if may_switch(intended) && has_user() {
        body.keep()
    } else {
        None
    }
}

fn may_switch(intended: &Intended) -> bool {
    intended.identity() == IdentityKind::Service && intended.wish() == Wish::Usual
}

impl Sending<'_> {
    /// Whether this may be NinjaOne asking for a user, of a request that may be sent as one.
    pub(super) fn may_require_user(&self, verdict: &Verdict) -> bool {
        let is_refusal =
            matches!(verdict, Verdict::Answer(answer) if answer.status == StatusCode::FORBIDDEN);
        is_refusal && may_switch(&self.intended)
    }

    /// Makes the request ready to be sent as the user.
    ///
    /// # Errors
    /// There is no token of one, or no body any more. The request comes back as the service's.
    pub(super) async fn switch(mut self) -> Result<Self, Box<(Self, Why)>> {
        self.remember();
        // Without a token the caller is not asked for the rest of the body; without a body the service's lease stays.
        let tenant = self.intended.tenant().index;
        if let Err(lack) = self.vaults.wait_for_user(tenant).await {
            return Err(Box::new((self, Why::NoToken(lack))));
        }
        if !self.take_body_again().await {
            return Err(Box::new((self, Why::BodyNotKept)));
        }
        match self.intended.lease_as_user(self.vaults).await {
            Ok(intended) => {
                self.token = Arc::clone(intended.token());
                self.new_connection = false;
                self.intended = intended;
                Ok(self)
            }
            Err(it) => {
                let (intended, lack) = *it;
                self.intended = intended;
                Err(Box::new((self, Why::NoToken(lack))))
            }
        }
    }

    fn remember(&self) {
        if self.vaults.learn(self.intended.leased()) {
            tracing::info!(
                tenant = %self.intended.tenant().name,
                operation = %self.intended.operation().id,
                "NinjaOne wants a person for this operation: it goes as the user from now on"
            );
        }
    }

    /// False if the request had a body that is not there any more.
    async fn take_body_again(&mut self) -> bool {
        if self.journal.passage.is_none() {
            return true;
        }
        let Some(kept) = self.kept.take() else {
            return false;
        };
        let patience = Duration::from_millis(BODY_WAIT_MS_MAX);
        let Ok(Some(body)) = timeout(patience, kept.again()).await else {
            return false;
        };
        self.body = body;
        true
    }
}

/// Whether an answer says `user_context_required`. A body that cannot be read, because it is compressed, long or slow, says
/// nothing; whatever was read of it is passed on.
pub(super) async fn requires_user(verdict: &mut Verdict) -> bool {
    let Verdict::Answer(answer) = verdict else {
        return false;
    };
    if answer.fields.contains(&header::CONTENT_ENCODING) {
        return false;
    }
    let patience = Duration::from_millis(REFUSAL_WAIT_MS_MAX);
    let reading = answer.body.read_ahead(REFUSAL_BYTES_MAX);
    let Ok(Some(body)) = timeout(patience, reading).await else {
        return false;
    };
    Fault::parse(&body).map(|it| it.meaning()) == Some(Meaning::UserContextRequired)
}
