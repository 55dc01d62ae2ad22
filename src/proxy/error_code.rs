//! Error codes of the responses that we make ourselves: status, title and RFC 9209 error type of each.

use http::StatusCode;

use crate::audit::decision::Decision;

/// The reason of a response that we make ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ErrorCode {
    BadRequest,
    BrowserRefused,
    HostRefused,
    Unauthenticated,
    PolicyDenied,
    UnknownOperation,
    InsufficientPrivileges,
    TenantUnknown,
    MethodRefused,
    BodyTooLarge,
    TargetTooLong,
    EncodingRefused,
    HeadTooLarge,
    ExpectationFailed,
    ReasonRequired,
    CallerLimit,
    UpstreamThrottled,
    UpstreamUnreachable,
    UpstreamBadAnswer,
    /// NinjaOne refused the request with a page; the status is NinjaOne's.
    UpstreamRefused,
    UpstreamTimeout,
    LoginNeeded,
    TokenUnavailable,
    SendAgain,
    AuditUnavailable,
    /// A fault of ours.
    Internal,
    /// The caller hung up; nobody sees this one.
    CallerGone,
}

/// The caller has gone, so nobody receives it. The number is nginx's "client closed request".
const CLIENT_CLOSED: u16 = 499;

impl ErrorCode {
    /// All of them, roughly in the order in which a request can meet them.
    pub(crate) const ALL: [Self; 27] = [
        Self::BadRequest,
        Self::BrowserRefused,
        Self::HostRefused,
        Self::Unauthenticated,
        Self::PolicyDenied,
        Self::UnknownOperation,
        Self::InsufficientPrivileges,
        Self::TenantUnknown,
        Self::MethodRefused,
        Self::BodyTooLarge,
        Self::TargetTooLong,
        Self::EncodingRefused,
        Self::HeadTooLarge,
        Self::ExpectationFailed,
        Self::ReasonRequired,
        Self::CallerLimit,
        Self::UpstreamThrottled,
        Self::UpstreamUnreachable,
        Self::UpstreamBadAnswer,
        Self::UpstreamRefused,
        Self::UpstreamTimeout,
        Self::LoginNeeded,
        Self::TokenUnavailable,
        Self::SendAgain,
        Self::AuditUnavailable,
        Self::Internal,
        Self::CallerGone,
    ];

    /// The code of problem bodies, audit lines and metrics.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest | Self::ExpectationFailed => "bad-request",
            Self::BrowserRefused => "browser-refused",
            Self::HostRefused => "host-refused",
            Self::Unauthenticated => "unauthenticated",
            Self::PolicyDenied => "policy-denied",
            Self::UnknownOperation => "unknown-operation",
            Self::InsufficientPrivileges => "insufficient-privileges",
            Self::TenantUnknown => "tenant-unknown",
            Self::MethodRefused => "method-refused",
            Self::BodyTooLarge | Self::TargetTooLong | Self::HeadTooLarge => "too-large",
            Self::EncodingRefused => "encoding-refused",
            Self::ReasonRequired => "reason-required",
            Self::CallerLimit => "caller-limit",
            Self::UpstreamThrottled => "upstream-throttled",
            Self::UpstreamUnreachable => "upstream-unreachable",
            Self::UpstreamBadAnswer => "upstream-bad-answer",
            Self::UpstreamRefused => "upstream-refused",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::LoginNeeded => "login-needed",
            Self::TokenUnavailable => "token-unavailable",
            Self::SendAgain => "send-again",
            Self::AuditUnavailable => "audit-unavailable",
            Self::Internal => "internal-error",
            Self::CallerGone => "caller-gone",
        }
    }

    /// As an audit line and the metrics say it.
    #[must_use]
    pub(crate) const fn decision(self) -> Decision {
        Decision::Refused(self.as_str())
    }

    /// The status that the caller is sent, unless the refusal has one of its own.
    #[must_use]
    pub(crate) fn status(self) -> StatusCode {
        let status = match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::BrowserRefused
            | Self::PolicyDenied
            | Self::UnknownOperation
            | Self::InsufficientPrivileges => 403,
            Self::TenantUnknown => 404,
            Self::MethodRefused => 405,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::EncodingRefused => 415,
            Self::ExpectationFailed => 417,
            Self::HostRefused => 421,
            Self::ReasonRequired => 428,
            Self::CallerLimit | Self::UpstreamThrottled => 429,
            Self::HeadTooLarge => 431,
            Self::Internal => 500,
            Self::UpstreamUnreachable | Self::UpstreamBadAnswer | Self::UpstreamRefused => 502,
            Self::LoginNeeded
            | Self::TokenUnavailable
            | Self::SendAgain
            | Self::AuditUnavailable => 503,
            Self::UpstreamTimeout => 504,
            Self::CallerGone => CLIENT_CLOSED,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The `title` of the problem body (RFC 9457).
    #[must_use]
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request was not sent in a way that can be served",
            Self::ExpectationFailed => "The expectation is not supported",
            Self::BrowserRefused => "Requests from web pages are refused",
            Self::HostRefused => "This proxy does not serve this host",
            Self::Unauthenticated => "The caller did not prove who it is",
            Self::PolicyDenied => "The policy does not allow this operation",
            Self::UnknownOperation => "The operation is not in the catalogue",
            Self::InsufficientPrivileges => "NinjaOne says that the identity lacks a privilege",
            Self::TenantUnknown => "No such tenant for this caller",
            Self::MethodRefused => "The method is refused",
            Self::BodyTooLarge => "The body is too large",
            Self::TargetTooLong => "The target is too long",
            Self::EncodingRefused => "The body is encoded",
            Self::HeadTooLarge => "The request's head is too large",
            Self::ReasonRequired => "The policy asks for more about this request",
            Self::CallerLimit => "The caller's limit is reached",
            Self::UpstreamThrottled => {
                "NinjaOne or this proxy's budget for it allows no more requests for now"
            }
            Self::UpstreamUnreachable => "NinjaOne cannot be reached",
            Self::UpstreamBadAnswer => "NinjaOne's answer could not be used",
            Self::UpstreamRefused => "NinjaOne refused the request without saying why in JSON",
            Self::UpstreamTimeout => "NinjaOne did not answer in time",
            Self::LoginNeeded => "Somebody must log in first",
            Self::TokenUnavailable => "There is no valid token for NinjaOne",
            Self::SendAgain => "Nothing was done: send it again",
            Self::AuditUnavailable => "The audit log cannot be written",
            Self::Internal => "The proxy failed",
            Self::CallerGone => "The caller hung up",
        }
    }

    /// RFC 9209 section 2.3.
    #[must_use]
    pub(crate) const fn proxy_status(self) -> &'static str {
        match self {
            Self::BadRequest
            | Self::MethodRefused
            | Self::HostRefused
            | Self::BodyTooLarge
            | Self::TargetTooLong
            | Self::EncodingRefused
            | Self::HeadTooLarge
            | Self::ExpectationFailed
            | Self::UpstreamRefused
            | Self::CallerGone => "http_request_error",
            Self::BrowserRefused
            | Self::Unauthenticated
            | Self::PolicyDenied
            | Self::UnknownOperation
            | Self::TenantUnknown
            | Self::ReasonRequired
            | Self::CallerLimit
            | Self::UpstreamThrottled
            | Self::InsufficientPrivileges => "http_request_denied",
            Self::UpstreamUnreachable => "destination_unavailable",
            Self::UpstreamBadAnswer => "http_protocol_error",
            Self::UpstreamTimeout => "http_response_timeout",
            Self::LoginNeeded
            | Self::TokenUnavailable
            | Self::SendAgain
            | Self::AuditUnavailable
            | Self::Internal => "proxy_internal_error",
        }
    }

    /// What stands in `error`: NinjaOne's own word where it has one.
    #[must_use]
    pub(crate) const fn ninjaone_error(self) -> &'static str {
        match self {
            Self::BadRequest | Self::ExpectationFailed => "bad_request",
            Self::BrowserRefused => "browser_refused",
            Self::HostRefused => "host_refused",
            Self::Unauthenticated => "not_authenticated",
            Self::PolicyDenied => "policy_denied",
            Self::UnknownOperation => "unknown_operation",
            Self::InsufficientPrivileges => "insufficient_privileges",
            Self::TenantUnknown => "tenant_unknown",
            Self::MethodRefused => "method_refused",
            Self::BodyTooLarge | Self::TargetTooLong | Self::HeadTooLarge => "too_large",
            Self::EncodingRefused => "encoding_refused",
            Self::ReasonRequired => "reason_required",
            Self::CallerLimit => "caller_limit",
            Self::UpstreamThrottled => "upstream_throttled",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamBadAnswer => "upstream_bad_answer",
            Self::UpstreamRefused => "upstream_refused",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::LoginNeeded => "login_needed",
            Self::TokenUnavailable => "token_unavailable",
            Self::SendAgain => "send_again",
            Self::AuditUnavailable => "audit_unavailable",
            Self::Internal => "internal_error",
            Self::CallerGone => "caller_gone",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_missing_from_the_list_of_all() {
        // A repeated one would hide a missing one.
        let mut all: Vec<_> = ErrorCode::ALL.map(|it| it as usize).to_vec();
        all.sort_unstable();
        assert_eq!(all, (0..ErrorCode::ALL.len()).collect::<Vec<_>>());
        assert_eq!(ErrorCode::CallerGone as usize + 1, ErrorCode::ALL.len());
    }
}
