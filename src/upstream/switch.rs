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
    net::kept_body::Kept,
    ninjaone::fault::{Fault, Meaning},
    policy::identity::Wish,
};

use super::{
    Sending, Why,
    attempt::{Answer, Verdict},
};

/// Longest refusal that is read, in bytes; NinjaOne's is 150.
const REFUSAL_BYTES_MAX: usize = 8 * 1024;
/// How long the rest of a refusal is waited for before it is passed on as it comes.
const REFUSAL_WAIT_MS_MAX: u64 = 2_000;
/// How long the rest of a body is waited for that NinjaOne did not wait for.
const BODY_WAIT_MS_MAX: u64 = 5_000;

/// What came of an answer.
pub(super) enum Switched {
    /// It is an answer like any other.
    Not(Verdict),
    /// The request is ready to be sent as the user.
    Yes,
    Failed(Why),
}

/// Keeps the request's body if it may be needed twice.
pub(super) fn keep(intended: &mut Intended, vaults: &Vaults) -> Option<Arc<Kept>> {
    let tenant = intended.leased().admitted().authorized().tenant().index;
    let has_user = || vaults.get(tenant, IdentityKind::User).is_some();
    if !may_switch(intended) || !has_user() {
        return None;
    }
    let authorized = intended.leased_mut().admitted_mut().authorized_mut();
    authorized.identified_mut().incoming_mut().body.keep()
}

fn may_switch(intended: &Intended) -> bool {
    let leased = intended.leased();
    let is_service = leased.identity() == IdentityKind::Service;
    is_service && leased.admitted().authorized().wish() == Wish::Usual
}

impl Sending<'_> {
    /// Whether this may be NinjaOne asking for a person, of a request that may be sent as one.
    pub(super) fn is_perhaps_asked_for_person(&self, verdict: &Verdict) -> bool {
        let is_refusal =
            matches!(verdict, Verdict::Answer(answer) if answer.status == StatusCode::FORBIDDEN);
        is_refusal && may_switch(&self.intended)
    }

    /// Makes the request ready to be sent as the user if that is what NinjaOne asks for.
    pub(super) async fn switch(&mut self, verdict: Verdict) -> Switched {
        let Verdict::Answer(mut answer) = verdict else {
            return Switched::Not(verdict);
        };
        if !asks_for_person(&mut answer).await {
            return Switched::Not(Verdict::Answer(answer));
        }
        // Its permit goes back before another one is taken.
        drop(answer);
        self.remember();
        let leased = self.intended.leased_mut();
        if let Err(lack) = self.vaults.lease_as_user(leased).await {
            return Switched::Failed(Why::NoToken(lack));
        }
        if !self.take_body_again().await {
            return Switched::Failed(Why::BodyNotKept);
        }
        self.intended.entry_mut().subject_mut().identity = Some(IdentityKind::User);
        Switched::Yes
    }

    fn remember(&self) {
        let leased = self.intended.leased();
        if self.vaults.learn(leased) {
            let authorized = leased.admitted().authorized();
            tracing::info!(
                tenant = %authorized.tenant().name,
                operation = %authorized.operation().id,
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
        let authorized = self.intended.leased_mut().admitted_mut().authorized_mut();
        authorized.identified_mut().incoming_mut().body = body.into();
        true
    }
}

/// Whether the body says `user_context_required`. A body that cannot be read, because it is compressed, long or slow, says
/// nothing; whatever was read of it is passed on.
async fn asks_for_person(answer: &mut Answer) -> bool {
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
