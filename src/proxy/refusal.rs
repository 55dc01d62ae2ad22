//! The wording of refusals: error code, detail, hint and headers. Those of malformed requests are in `malformed_refusal.rs`.

use std::time::Duration;

use http::{HeaderValue, StatusCode};

use crate::{
    caller::{self, Unidentified},
    credentials::{self, TokenUnavailable},
    limits::{LimitKind, RateLimitStatus, Throttled, caller_limiter::CallerRateLimit},
    names::{CallerName, IdentityKind},
    net::{body::request_body_error::RequestBodyError, exceeded_size::ExceededSize},
    ninjaone::operation::{Operation, Payload},
    policy::{Authorized, DenialReason, Denied, TenantSelectionError},
    upstream::ForwardError,
};

use super::{error_code::ErrorCode, hint::Hint};

/// What callers are told where waiting helps.
const WAIT: &str = "Send it again after as many seconds as Retry-After says.";
const LOOK_BEFORE_WRITING_AGAIN: &str =
    "Look in NinjaOne whether it was done before you send it again.";
/// Commands that operators are told to run.
const DOCTOR: &str = "ninjaone-proxy doctor";
const STATUS: &str = "ninjaone-proxy status";

/// A response that we make ourselves.
pub(crate) struct Refusal {
    /// Decides the status, the title and the words for programs.
    pub code: ErrorCode,
    /// The status, where it is not the code's own.
    pub status: Option<StatusCode>,
    /// What happened, for people: a sentence.
    pub detail: String,
    /// What to do about it; none if an operator can do no more than look at what `explain` says.
    pub hint: Option<Hint>,
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
            status: None,
            detail: detail.into(),
            hint: None,
            retry_after: None,
            bucket: None,
            rate_limit: None,
            error: None,
            proxy_status: None,
        }
    }

    /// The status that the caller is sent.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| self.code.status())
    }

    /// Sets what to do about it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: Hint) -> Self {
        self.hint = Some(hint);
        self
    }

    /// How to go on where NinjaOne may have received the request and its response is lost.
    fn with_lost_response_hint(self, authorized: &Authorized) -> Self {
        let query = authorized.request().target().query();
        let text = if !is_read(authorized) {
            LOOK_BEFORE_WRITING_AGAIN
        } else if authorized.operation().paging.moves_cursor(query) {
            "NinjaOne keeps the cursor's place and may have moved it on, so this was not sent again: start over without 'cursor'."
        } else {
            "Send it again."
        };
        self.with_hint(Hint::either(
            text,
            format!("See whether NinjaOne answers: run '{DOCTOR}'."),
        ))
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
    let tenant = &authorized.tenant().name;
    match error {
        ForwardError::OverBudget { by, retry_after } => over_budget(by, retry_after, authorized),
        ForwardError::Throttled { retry_after } => {
            over_budget(LimitKind::TenantPaused, retry_after, authorized)
        }
        ForwardError::Page {
            status,
            retry_after,
        } => page_instead_of_json(status, retry_after, authorized),
        ForwardError::Unreachable(error) => {
            let detail = format!("NinjaOne cannot be reached: {error}. Nothing was sent.");
            let mut refusal = Refusal::new(ErrorCode::UpstreamUnreachable, detail)
                .with_hint(Hint::either(WAIT, format!("See what is in the way: run '{DOCTOR}'.")));
            refusal.proxy_status = Some(error.proxy_status());
            refusal.with_retry_after(Duration::from_secs(5))
        }
        ForwardError::BadResponse(error) => {
            let mut refusal = Refusal::new(
                ErrorCode::UpstreamBadAnswer,
                format!("NinjaOne may have received the request, but {error}."),
            );
            refusal.proxy_status = Some(error.proxy_status());
            refusal.with_lost_response_hint(authorized)
        }
        ForwardError::TokenRejected => Refusal::new(
            ErrorCode::UpstreamBadAnswer,
            "NinjaOne refused the proxy's own token. Your key is good.",
        )
        .with_hint(Hint::either(
            "Send it again.",
            format!("See the state of the token: run '{STATUS}'."),
        )),
        ForwardError::InsufficientPrivileges => insufficient_privileges(authorized),
        ForwardError::NoToken(unavailable) => no_token(&unavailable, authorized),
        ForwardError::BodyNotReplayable => body_not_replayable(authorized),
        ForwardError::TimedOut => Refusal::new(
            ErrorCode::UpstreamTimeout,
            format!("NinjaOne may have received the request for tenant {tenant}, but sent no answer in time."),
        )
        .with_lost_response_hint(authorized),
        ForwardError::Body(fault) => from_body_error(fault, authorized.operation()),
    }
}

/// Of a request for which the tenant's budget had no room in time, or that NinjaOne did not want now.
fn over_budget(by: LimitKind, retry_after: Duration, authorized: &Authorized) -> Refusal {
    let tenant = &authorized.tenant().name;
    let detail = match by {
        LimitKind::TenantPaused => {
            format!("NinjaOne asked for fewer requests to tenant {tenant}.")
        }
        LimitKind::TenantConcurrency => format!(
            "As many requests to tenant {tenant} are under way as this proxy sends at a time."
        ),
        LimitKind::TenantQueue => {
            format!("Too many requests wait for their turn at tenant {tenant}.")
        }
        _ => format!("Requests to tenant {tenant} come faster than this proxy sends them."),
    };
    let operator = by.setting().map_or_else(
        || format!("NinjaOne's limit ends by itself: see '{STATUS}'."),
        |setting| format!("If NinjaOne takes more, raise {setting}; see '{STATUS}'."),
    );
    let mut refusal = Refusal::new(ErrorCode::UpstreamThrottled, detail)
        .with_hint(Hint::either(WAIT, operator))
        .with_retry_after(retry_after);
    refusal.bucket = Some(by);
    refusal
}

fn insufficient_privileges(authorized: &Authorized) -> Refusal {
    let (operation, tenant) = (authorized.operation(), &authorized.tenant().name);
    let (id, scope) = (&operation.id, operation.scope);
    let detail = format!(
        "NinjaOne refuses {id} to the identity that the proxy used: its application lacks the scope or role. Nothing was done."
    );
    let operator = format!(
        "In NinjaOne, see that the application of tenant {tenant} has the scope {scope}, and that its user has a role for {id}."
    );
    Refusal::new(ErrorCode::InsufficientPrivileges, detail).with_hint(Hint::operator(operator))
}

fn is_read(authorized: &Authorized) -> bool {
    authorized.class().is_read(authorized.request().method())
}

/// Of a page of HTML that NinjaOne, or a gateway or firewall before it, showed where it should have answered with JSON.
/// The caller gets the page's own status where that is an error, so that its own rules for errors hold. A write is never told
/// when to come back: what became of it is not known.
fn page_instead_of_json(
    status: StatusCode,
    retry_after: Option<Duration>,
    authorized: &Authorized,
) -> Refusal {
    let is_read = is_read(authorized);
    let (code, own_status) = match status.as_u16() {
        400..=499 => (ErrorCode::UpstreamRefused, Some(status)),
        501..=599 => (ErrorCode::UpstreamBadAnswer, Some(status)),
        // An application's error that it did not put in JSON is a gateway's to the caller; a page is no success.
        _ => (ErrorCode::UpstreamBadAnswer, None),
    };
    let verb = if code == ErrorCode::UpstreamRefused {
        "refused the request"
    } else {
        "answered"
    };
    let said = format!(
        "NinjaOne, or a gateway or firewall before it, {verb} with status {} and a web page instead of JSON",
        status.as_u16()
    );
    let mut refusal = if is_read || code == ErrorCode::UpstreamRefused {
        Refusal::new(code, format!("{said}."))
    } else {
        let detail =
            format!("{said}. Whether the write was done is unknown: do not simply send it again.");
        Refusal::new(code, detail)
    };
    refusal = if code == ErrorCode::UpstreamRefused {
        let caller = "Look at the request first: its path, its parameters and its body.";
        let operator = "Look in NinjaOne, and at what stands before it, for why it refuses this.";
        refusal.with_hint(Hint::either(caller, operator))
    } else {
        refusal.with_lost_response_hint(authorized)
    };
    refusal.status = own_status;
    refusal.retry_after = retry_after.filter(|_| is_read);
    refusal
}

/// A body that could not be sent on. What its caller does too slowly has a word of its own in the audit line.
#[must_use]
pub(crate) fn from_body_error(fault: RequestBodyError, operation: &Operation) -> Refusal {
    let (code, error) = match fault {
        RequestBodyError::TooLarge(exceeded) => return body_too_large(exceeded, operation),
        RequestBodyError::Stalled | RequestBodyError::Slow | RequestBodyError::Overdue => {
            (ErrorCode::BadRequest, Some(fault.as_str()))
        }
        RequestBodyError::Malformed => (ErrorCode::BadRequest, None),
        RequestBodyError::Broken => (ErrorCode::CallerGone, None),
    };
    let mut refusal = Refusal::new(code, format!("The request was not sent whole: {fault}."))
        .with_hint(Hint::caller(
            "Send it again, and send its body without a pause.",
        ));
    refusal.error = error;
    refusal
}

fn body_too_large(exceeded: ExceededSize, operation: &Operation) -> Refusal {
    let id = &operation.id;
    let setting = if operation.payload == Payload::Upload {
        "listen.max_upload"
    } else {
        "listen.max_body"
    };
    let detail = format!("The body {exceeded} for {id}.");
    let operator = format!("If bodies of this length are meant for {id}, raise {setting}.");
    Refusal::new(ErrorCode::BodyTooLarge, detail)
        .with_hint(Hint::either("Send less in one request.", operator))
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
    let operator = "A new caller gets a key from 'ninjaone-proxy caller add NAME', a known one from 'ninjaone-proxy caller rotate NAME'.";
    let mut refusal = Refusal::new(ErrorCode::Unauthenticated, detail).with_hint(Hint::either(
        "See that the key is sent whole, and that it is one of this proxy, not of NinjaOne.",
        operator,
    ));
    refusal.error = Some(it.error.as_str());
    refusal
}

/// Of a request that policy does not allow.
#[must_use]
pub(crate) fn denied(it: &Denied) -> Refusal {
    let caller = &it.identified.caller().name;
    let operation = it.operation.as_ref().map_or("this", |it| &it.id);
    match &it.reason {
        DenialReason::TenantUnknown(problem) => tenant_unknown(problem, caller),
        DenialReason::UnknownOperation => unknown_operation(it),
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
            format!("Caller {caller} must say why it calls {operation}."),
        )
        .with_hint(Hint::caller(
            "Send it again with the header 'NJP-Reason: <text>'.",
        )),
        DenialReason::OnBehalfOfRequired => Refusal::new(
            ErrorCode::ReasonRequired,
            format!("Caller {caller} must say for whom it calls {operation}."),
        )
        .with_hint(Hint::caller(
            "Send it again with the header 'NJP-On-Behalf-Of: <name>'.",
        )),
    }
}

fn tenant_unknown(problem: &TenantSelectionError, caller: &CallerName) -> Refusal {
    let (detail, hint) = match problem {
        TenantSelectionError::NoSuchTenant => (
            format!("Caller {caller} has no tenant of that name."),
            Hint::either(
                "See that the tenant's name is written as the operator of this proxy gave it to you.",
                format!(
                    "See which tenants there are: run '{STATUS}'. Those of {caller} are in caller.{caller}.tenants."
                ),
            ),
        ),
        TenantSelectionError::Ambiguous => (
            format!("Caller {caller} may use several tenants, and the request names none."),
            Hint::caller(
                "Name the tenant: send 'NJP-Tenant: <name>', or put '/tenant/<name>' before '/v2/'.",
            ),
        ),
        TenantSelectionError::Conflicting => (
            "The base path and 'NJP-Tenant' name different tenants.".to_owned(),
            Hint::caller("Name the tenant once: in the base path or in 'NJP-Tenant'."),
        ),
    };
    Refusal::new(ErrorCode::TenantUnknown, detail).with_hint(hint)
}

fn unknown_operation(it: &Denied) -> Refusal {
    let path = it.identified.request().target().canonical_path();
    if !path.starts_with("/v2/") {
        return Refusal::new(
            ErrorCode::UnknownOperation,
            "Only paths under /v2/ and /api/v2/ are sent to NinjaOne.",
        )
        .with_hint(Hint::caller(
            "Use a path under /v2/, such as /v2/organizations.",
        ));
    }
    let operator = "If NinjaOne has this operation, add an [[operation]] section for it; 'ninjaone-proxy ops list' shows those that are known.";
    Refusal::new(
        ErrorCode::UnknownOperation,
        "No operation in the catalogue has this method and path.",
    )
    .with_hint(Hint::either(
        "Compare the method and the path with NinjaOne's API documentation.",
        operator,
    ))
}

/// Of a request beyond its caller's limits.
#[must_use]
pub(crate) fn throttled(it: &Throttled) -> Refusal {
    let caller = &it.authorized.caller().name;
    let CallerRateLimit {
        rate,
        burst,
        concurrency,
    } = it.caller_limit;
    let detail = match it.limit {
        LimitKind::CallerConcurrency => {
            format!("Caller {caller} has {concurrency} requests under way, as many as it may have.")
        }
        _ => format!(
            "Caller {caller} sends requests faster than its limit of {rate} with a burst of {burst}."
        ),
    };
    let setting = it.limit.setting().unwrap_or_default();
    let operator = format!(
        "To let {caller} send more, raise its own limit, that of its policy, or {setting}."
    );
    let mut refusal =
        Refusal::new(ErrorCode::CallerLimit, detail).with_hint(Hint::either(WAIT, operator));
    refusal.bucket = Some(it.limit);
    refusal.rate_limit = Some((it.policy_header.clone(), it.rate_limit_status));
    refusal.with_retry_after(it.retry_after)
}

/// Of a request for which there is no token.
#[must_use]
pub(crate) fn no_token(unavailable: &TokenUnavailable, authorized: &Authorized) -> Refusal {
    let (tenant, identity) = (&authorized.tenant().name, unavailable.identity);
    let operation = &authorized.operation().id;
    let goes = format!(
        "Operation {operation} goes to NinjaOne as the {identity} identity of tenant {tenant}"
    );
    let login = format!("ninjaone-proxy login {tenant}");
    let mut refusal = match unavailable.reason {
        credentials::TokenUnavailableReason::NotConfigured => {
            let detail = format!("{goes}, which this proxy does not have. Nothing was done.");
            let section = format!("[tenant.{tenant}.{identity}]");
            let operator = match identity {
                IdentityKind::Service => format!("Add {section} to the configuration."),
                IdentityKind::User => {
                    format!("Add {section} to the configuration, then run '{login}'.")
                }
            };
            Refusal::new(ErrorCode::LoginNeeded, detail).with_hint(Hint::operator(operator))
        }
        credentials::TokenUnavailableReason::LoginNeeded => {
            let detail = format!("{goes}, and nobody is logged in for it. Nothing was done.");
            let operator = format!("Log in: run '{login}'.");
            Refusal::new(ErrorCode::LoginNeeded, detail).with_hint(Hint::operator(operator))
        }
        credentials::TokenUnavailableReason::TemporarilyUnavailable => Refusal::new(
            ErrorCode::TokenUnavailable,
            format!("{goes}, and there is no valid token of it for now. Nothing was done."),
        )
        .with_hint(Hint::either(
            WAIT,
            format!("See why there is no token: run '{STATUS}'."),
        )),
    };
    refusal.retry_after = unavailable.retry_after;
    refusal
}

fn body_not_replayable(authorized: &Authorized) -> Refusal {
    let operation = &authorized.operation().id;
    let detail = format!(
        "NinjaOne wants a person for {operation} and did nothing; the body was too long to be sent once more."
    );
    Refusal::new(ErrorCode::SendAgain, detail)
        .with_hint(Hint::caller(
            "Send the same request again: it goes as the user from now on.",
        ))
        .with_retry_after(Duration::from_secs(1))
}

/// Of a request that was not sent, because its line could not be written.
#[must_use]
pub(crate) fn unrecordable() -> Refusal {
    let detail = "The audit log cannot be written, so nothing was sent.";
    Refusal::new(ErrorCode::AuditUnavailable, detail)
        .with_hint(Hint::either(
            WAIT,
            format!("See why the audit log cannot be written: run '{STATUS}'."),
        ))
        .with_retry_after(Duration::from_secs(5))
}

/// Of a request that ended in a fault of ours.
#[must_use]
pub(crate) fn internal() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "The proxy failed; the request may have been sent.",
    )
    .with_hint(Hint::either(
        LOOK_BEFORE_WRITING_AGAIN,
        "This is a fault of the proxy: its log says more.",
    ))
}
