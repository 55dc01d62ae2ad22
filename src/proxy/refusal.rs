//! The wording of every refusal: error code, detail, hint and headers, in one place.

use std::time::Duration;

use http::HeaderValue;

use crate::{
    caller::{self, Unidentified},
    credentials::{self, TokenUnavailable},
    limits::{LimitKind, RateLimitStatus, Throttled},
    names::IdentityKind,
    net::{
        body::request_body_error::RequestBodyError,
        request::{
            headers::HeaderError, incoming_request::Malformed, request_error::RequestError,
            target::TargetError,
        },
    },
    policy::{Authorized, DenialReason, Denied, TenantSelectionError},
    upstream::ForwardError,
};

use super::error_code::ErrorCode;

/// A response that we make ourselves.
pub(crate) struct Refusal {
    /// Decides the status, the title and the words for programs.
    pub code: ErrorCode,
    /// What happened, for people: a sentence.
    pub detail: String,
    /// What to do about it; `explain` if there is nothing better.
    pub hint: Option<String>,
    /// For `Retry-After`, clamped to 1 to 300 s.
    pub retry_after: Option<Duration>,
    /// The limit that was hit.
    pub bucket: Option<LimitKind>,
    /// For `RateLimit-Policy` and `RateLimit`.
    pub rate_limit: Option<(HeaderValue, RateLimitStatus)>,
    /// More for the audit line than callers are told.
    pub error: Option<&'static str>,
    /// A more exact error type for `proxy-status`.
    pub proxy_status: Option<&'static str>,
}

impl Refusal {
    /// A refusal with `code` and the problem body's `detail`, and nothing else.
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            hint: None,
            retry_after: None,
            bucket: None,
            rate_limit: None,
            error: None,
            proxy_status: None,
        }
    }

    fn with_hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Sets what `Retry-After` says.
    #[must_use]
    pub(crate) fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }
}

/// Of a request that was on record and got no response to pass on.
#[must_use]
pub(crate) fn from_forward_error(error: ForwardError, authorized: &Authorized) -> Refusal {
    match error {
        ForwardError::OverBudget { by, retry_after } => {
            let mut refusal = Refusal::new(
                ErrorCode::UpstreamThrottled,
                "The tenant's budget for NinjaOne had no room in time.",
            );
            refusal.bucket = Some(by);
            refusal.with_retry_after(retry_after)
        }
        ForwardError::Throttled { retry_after } => {
            let mut refusal = Refusal::new(
                ErrorCode::UpstreamThrottled,
                "NinjaOne asks for fewer requests.",
            );
            refusal.bucket = Some(LimitKind::TenantPaused);
            refusal.with_retry_after(retry_after)
        }
        ForwardError::Unreachable(error) => {
            let mut refusal = Refusal::new(
                ErrorCode::UpstreamUnreachable,
                format!("NinjaOne cannot be reached: {error}."),
            );
            refusal.proxy_status = Some(error.proxy_status());
            refusal.with_retry_after(Duration::from_secs(5))
        }
        ForwardError::BadResponse(error) => {
            let mut refusal = Refusal::new(
                ErrorCode::UpstreamBadAnswer,
                format!("NinjaOne may have received the request, but {error}."),
            );
            refusal.proxy_status = Some(error.proxy_status());
            refusal
        }
        ForwardError::TokenRejected => Refusal::new(
            ErrorCode::UpstreamBadAnswer,
            "NinjaOne refused the proxy's own token. Your key is good; try again.",
        ),
        ForwardError::InsufficientPrivileges => Refusal::new(
            ErrorCode::InsufficientPrivileges,
            "NinjaOne refuses this operation to the identity that the proxy used: its application lacks the scope or role.",
        ),
        ForwardError::NoToken(unavailable) => no_token(&unavailable, authorized),
        ForwardError::BodyNotReplayable => body_not_replayable(authorized),
        ForwardError::TimedOut => Refusal::new(
            ErrorCode::UpstreamTimeout,
            "NinjaOne may have received the request, but sent no answer in time.",
        ),
        ForwardError::Body(fault) => from_body_error(fault),
    }
}

/// A body that could not be sent on. What its caller does too slowly has a word of its own in the audit line.
#[must_use]
pub(crate) fn from_body_error(fault: RequestBodyError) -> Refusal {
    let (code, error) = match fault {
        RequestBodyError::TooLarge => (ErrorCode::BodyTooLarge, None),
        RequestBodyError::Stalled | RequestBodyError::Slow | RequestBodyError::Overdue => {
            (ErrorCode::BadRequest, Some(fault.as_str()))
        }
        RequestBodyError::Malformed => (ErrorCode::BadRequest, None),
        RequestBodyError::Broken => (ErrorCode::CallerGone, None),
    };
    let mut refusal = Refusal::new(code, format!("The request was not sent whole: {fault}."));
    refusal.error = error;
    refusal
}

/// Of bytes that are no request, or one that could be read in two ways.
#[must_use]
pub(crate) fn malformed(it: &Malformed) -> Refusal {
    let code = match it.error {
        RequestError::Target(TargetError::TooLong) => ErrorCode::TargetTooLong,
        RequestError::Target(TargetError::MethodOverride)
        | RequestError::Header(HeaderError::MethodOverride)
        | RequestError::Method => ErrorCode::MethodRefused,
        RequestError::Header(HeaderError::Browser) => ErrorCode::BrowserRefused,
        RequestError::Header(HeaderError::TooMany)
        | RequestError::HeadTooLarge
        | RequestError::HeadUnfinished => ErrorCode::HeadTooLarge,
        RequestError::Header(HeaderError::Expectation) => ErrorCode::ExpectationFailed,
        RequestError::MisdirectedHost => ErrorCode::HostRefused,
        RequestError::BodyTooLarge => ErrorCode::BodyTooLarge,
        RequestError::Target(_)
        | RequestError::Header(_)
        | RequestError::Host
        | RequestError::UnexpectedBody
        | RequestError::PseudoHeader
        | RequestError::Scheme
        | RequestError::AbsoluteForm
        | RequestError::NotHttp => ErrorCode::BadRequest,
    };
    let mut refusal = Refusal::new(code, sentence(&it.error.to_string()));
    refusal.error = Some(it.error.as_str());
    refusal
}

/// One text for all: what is wrong with the credentials is for the audit log, not for whoever guesses. That a scheme is
/// not spoken here tells nothing of any key.
#[must_use]
pub(crate) fn unidentified(it: &Unidentified) -> Refusal {
    let detail = match it.error {
        caller::AuthenticationError::LegacySignature => {
            "NinjaOne's legacy signatures ('Authorization: NJ') are not accepted. Send a valid key of this proxy as 'Authorization: Bearer', 'Authorization: Basic' or 'X-Api-Key'."
        }
        _ => {
            "Send a valid key of this proxy as 'Authorization: Bearer', 'Authorization: Basic' or 'X-Api-Key'."
        }
    };
    let mut refusal = Refusal::new(ErrorCode::Unauthenticated, detail);
    refusal.error = Some(it.error.as_str());
    refusal
}

/// Of a request that policy does not allow.
#[must_use]
pub(crate) fn denied(it: &Denied) -> Refusal {
    let caller = &it.identified.caller().name;
    let operation = it.operation.as_ref().map_or("this", |it| &it.id);
    match &it.reason {
        DenialReason::TenantUnknown(problem) => Refusal::new(
            ErrorCode::TenantUnknown,
            match problem {
                TenantSelectionError::NoSuchTenant => {
                    format!("Caller {caller} has no tenant of that name.")
                }
                TenantSelectionError::Ambiguous => format!(
                    "Caller {caller} may use several tenants: name one by 'NJP-Tenant' or '/tenant/<name>/v2/…'."
                ),
                TenantSelectionError::Conflicting => {
                    "The base path and 'NJP-Tenant' name different tenants.".to_owned()
                }
            },
        ),
        DenialReason::UnknownOperation => Refusal::new(
            ErrorCode::UnknownOperation,
            "No catalogued operation has this method and path; an [[operation]] in the configuration can add one.",
        ),
        DenialReason::NotAllowed { policies } if policies.is_empty() => Refusal::new(
            ErrorCode::PolicyDenied,
            format!(
                "Caller {caller} may not call {operation}: it has no rule that allows anything."
            ),
        ),
        DenialReason::NotAllowed { policies } => Refusal::new(
            ErrorCode::PolicyDenied,
            format!("Caller {caller} may not call {operation}: {policies} does not allow it."),
        ),
        DenialReason::DeniedBy { rule } => Refusal::new(
            ErrorCode::PolicyDenied,
            format!("Caller {caller} may not call {operation}: denied by {rule}."),
        ),
        DenialReason::ReasonRequired => Refusal::new(
            ErrorCode::ReasonRequired,
            format!("Caller {caller} must say why: send 'NJP-Reason: <text>'."),
        ),
        DenialReason::OnBehalfOfRequired => Refusal::new(
            ErrorCode::ReasonRequired,
            format!("Caller {caller} must say for whom: send 'NJP-On-Behalf-Of: <name>'."),
        ),
    }
}

/// Of a request beyond its caller's limits.
#[must_use]
pub(crate) fn throttled(it: &Throttled) -> Refusal {
    let caller = &it.authorized.caller().name;
    let mut refusal = Refusal::new(
        ErrorCode::CallerLimit,
        match it.limit {
            LimitKind::CallerConcurrency => {
                format!("Caller {caller} has too many requests under way.")
            }
            _ => format!("Caller {caller} sends requests faster than its limit."),
        },
    );
    refusal.bucket = Some(it.limit);
    refusal.rate_limit = Some((it.policy_header.clone(), it.rate_limit_status));
    refusal.with_retry_after(it.retry_after)
}

/// Of a request for which there is no token.
#[must_use]
pub(crate) fn no_token(unavailable: &TokenUnavailable, authorized: &Authorized) -> Refusal {
    let (tenant, identity) = (&authorized.tenant().name, unavailable.identity);
    let operation = &authorized.operation().id;
    let goes =
        format!("{operation} goes to NinjaOne as the {identity} identity of tenant {tenant}");
    let login = format!("ninjaone-proxy login {tenant}");
    let mut refusal = match unavailable.reason {
        credentials::TokenUnavailableReason::NotConfigured => {
            let section = format!("[tenant.{tenant}.{identity}]");
            let detail = format!("{goes}, and the configuration has no {section}.");
            let hint = match identity {
                IdentityKind::Service => format!("add {section}"),
                IdentityKind::User => format!("add {section}, then run: {login}"),
            };
            Refusal::new(ErrorCode::LoginNeeded, detail).with_hint(hint)
        }
        credentials::TokenUnavailableReason::LoginNeeded => {
            let detail = format!("{goes}, and nobody is logged in for it. Run: {login}");
            Refusal::new(ErrorCode::LoginNeeded, detail).with_hint(login)
        }
        credentials::TokenUnavailableReason::TemporarilyUnavailable => Refusal::new(
            ErrorCode::TokenUnavailable,
            format!("{goes}, and there is no valid token of it for now; nothing was done."),
        ),
    };
    refusal.retry_after = unavailable.retry_after;
    refusal
}

fn body_not_replayable(authorized: &Authorized) -> Refusal {
    let operation = &authorized.operation().id;
    let detail = format!(
        "NinjaOne wants a person for {operation} and did nothing; the body was too long to be sent once more. \
         Send the request again: it goes as the user from now on."
    );
    Refusal::new(ErrorCode::SendAgain, detail)
        .with_hint("send the same request again".to_owned())
        .with_retry_after(Duration::from_secs(1))
}

/// Starts with a capital and ends with a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}
