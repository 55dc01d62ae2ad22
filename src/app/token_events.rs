//! Writes token and login lifecycle events to the log and the audit log.

use std::sync::Arc;

use crate::{
    admin::login_requests::LoginRequests,
    audit::{entry::AuditEvent, ledger::Ledger},
    credentials::{
        login::renewal_error::RenewalError,
        store::stored_login::Slot,
        token::event::{TokenEvent, TokenEventKind, TokenObserver},
    },
    typed_command::typed,
};

/// An observer that writes each token event to the log and the audit log. `requests` says who asked for a login or a logout.
pub(super) fn observer(ledger: Ledger, requests: LoginRequests) -> TokenObserver {
    Arc::new(move |event: TokenEvent| {
        let is_login = matches!(
            event.kind,
            TokenEventKind::LoggedIn | TokenEventKind::LoggedOut
        );
        let slot = || Slot {
            tenant: event.tenant.clone(),
            identity: event.identity,
        };
        let by = is_login.then(|| requests.take(&slot())).flatten();
        log(&event, by.as_deref());
        ledger.event(audit_event(&event, by));
        // The login was revoked, and its token with it.
        if event.kind == TokenEventKind::LoggedOut {
            ledger.event(revocation_event(&event));
        }
    })
}

fn log(event: &TokenEvent, by: Option<&str>) {
    let (tenant, identity, generation) = (&event.tenant, event.identity, event.generation);
    let fault = event.store_fault.as_deref();
    match event.kind {
        TokenEventKind::Minted
        | TokenEventKind::Renewed
        | TokenEventKind::Forced
        | TokenEventKind::Adopted
        | TokenEventKind::Persisted => {
            tracing::info!(%tenant, %identity, generation, "token {}", event.kind.as_str());
        }
        TokenEventKind::LoggedIn | TokenEventKind::LoggedOut => {
            tracing::info!(%tenant, %identity, generation, by, "{}", event.kind.as_str());
        }
        TokenEventKind::PersistFailed => {
            tracing::error!(%tenant, %identity, generation, fault, "the renewed login could not be stored yet; retrying until it is");
        }
        TokenEventKind::LoginEnded(error) => {
            let login = typed(format!("ninjaone-proxy login {tenant}"));
            tracing::error!(%tenant, %identity, %error, "the login is no longer valid; run: {login}");
        }
        TokenEventKind::ChangeRefused(change, error) => {
            let rest = event.serves_until.map_or_else(
                || "there is no valid token".to_owned(),
                |end| format!("the old token is used until {}", end.to_the_minute()),
            );
            tracing::error!(%tenant, %identity, %error, "{} refused; {rest}", change.as_str());
        }
        TokenEventKind::Failed(error @ RenewalError::Login(_)) => {
            let login = typed(format!("ninjaone-proxy login {tenant}"));
            tracing::warn!(%tenant, %identity, "{error}; run: {login}");
        }
        TokenEventKind::Failed(error) => {
            tracing::warn!(%tenant, %identity, %error, fault, "no token");
        }
    }
}

fn audit_event(event: &TokenEvent, by: Option<String>) -> AuditEvent {
    let tenant = event.tenant.as_str().into();
    let (identity, generation) = (event.identity, event.generation);
    let (result, error) = match event.kind {
        TokenEventKind::Failed(error) | TokenEventKind::ChangeRefused(_, error) => {
            ("refused", Some(error.as_str()))
        }
        TokenEventKind::LoginEnded(error) => ("dead", Some(error.as_str())),
        other => (other.as_str(), None),
    };
    let error = error.map(Box::from);
    match event.kind {
        TokenEventKind::LoggedIn | TokenEventKind::LoggedOut => AuditEvent::Login {
            tenant,
            identity,
            result,
            by: by.map(Into::into),
        },
        _ => AuditEvent::Token {
            tenant,
            identity,
            result,
            generation,
            error,
        },
    }
}

fn revocation_event(event: &TokenEvent) -> AuditEvent {
    AuditEvent::Token {
        tenant: event.tenant.as_str().into(),
        identity: event.identity,
        result: "revoked",
        generation: event.generation,
        error: None,
    }
}
