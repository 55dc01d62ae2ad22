//! Requests that the proxy answers itself: at its own token endpoint, which asks no policy.

use serde_json::json;

use crate::{
    admin::plain_text::escape_control,
    net::Method,
    ninjaone::paths::{DISCOVERY_PATH, REVOKE_PATH, REVOKE_PATH_ALIAS, is_token_path},
};

use super::{
    answer::{ExplainAnswer, ExplainOutcome, SCHEMA},
    recorded_request::RecordedRequest,
};

/// What a recorded request asked of the proxy itself.
#[derive(Clone, Copy)]
pub(super) enum OwnEndpoint {
    Token,
    Revocation,
    Metadata,
}

/// Why it was refused, and what to do about it.
pub(super) struct TokenRefusalText {
    pub(super) reason: &'static str,
    pub(super) remedy: &'static str,
}

impl OwnEndpoint {
    /// None if a request with this method and canonical path is for somebody else.
    #[must_use]
    pub(super) fn at(method: &str, path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        match method {
            "POST" if is_token_path(path) => Some(Self::Token),
            "POST" if path == REVOKE_PATH || path == REVOKE_PATH_ALIAS => Some(Self::Revocation),
            "GET" | "HEAD" => {
                let after = path.strip_prefix(DISCOVERY_PATH)?;
                (after.is_empty() || after.starts_with("/tenant/")).then_some(Self::Metadata)
            }
            _ => None,
        }
    }

    /// None if the recorded request was for somebody else. The line has the path without a tenant's base path.
    #[must_use]
    pub(super) fn of(record: &RecordedRequest) -> Option<Self> {
        let path = record
            .path
            .as_deref()
            .filter(|_| record.has_no_operation())?;
        let found = Self::at(record.method.as_deref()?, path)?;
        // Everybody may have the metadata: one that was refused was not understood as a request for them.
        match found {
            Self::Metadata if record.was_refused() => None,
            found => Some(found),
        }
    }

    /// What it did for a request that it did not refuse.
    #[must_use]
    pub(super) const fn deed(self) -> &'static str {
        match self {
            Self::Token => "a token was issued",
            Self::Revocation => "the token was revoked, or was none that is valid",
            Self::Metadata => "the metadata of the token endpoint were served",
        }
    }

    /// What it does, and what for.
    #[must_use]
    const fn purpose(self) -> &'static str {
        match self {
            Self::Token => {
                "the proxy itself issues a token there, for the caller's name as client_id and its key as client_secret (grant_type=client_credentials)"
            }
            Self::Revocation => {
                "the proxy itself revokes a token of the caller there (token, client_id and client_secret in the form)"
            }
            Self::Metadata => {
                "the proxy itself tells everybody there how to get a token (RFC 8414)"
            }
        }
    }

    /// What it would have done for one that it refused.
    #[must_use]
    pub(super) const fn refused_deed(self) -> &'static str {
        match self {
            Self::Token => "No token was issued",
            Self::Revocation => "No token was revoked",
            Self::Metadata => "No metadata were served",
        }
    }
}

/// The answer to what would become of such a request.
#[must_use]
pub(super) fn answer(
    caller: &str,
    method: Method,
    path: &str,
    endpoint: OwnEndpoint,
) -> ExplainAnswer {
    let purpose = endpoint.purpose();
    let verdict = "Nothing is sent to NinjaOne, and no policy is asked.";
    ExplainAnswer {
        outcome: ExplainOutcome::Allowed,
        document: json!({
            "schema": SCHEMA,
            "caller": caller,
            "method": method.as_str(),
            "path": path,
            "decision": "allowed",
            "now": "allowed",
            "verdict": format!("Answered here: {purpose}. {verdict}"),
            "steps": [{ "step": "endpoint", "text": purpose }],
            "changes": [],
            "then": null,
        }),
        text: format!(
            "{caller}: {method} {}\n\n  1. endpoint   {purpose}\n\nAnswered here. {verdict}\n",
            escape_control(path)
        ),
    }
}

/// By the audit line's `error`; none for what was wrong before the endpoint was asked.
#[must_use]
pub(super) fn token_refusal(word: &str) -> Option<TokenRefusalText> {
    let (reason, remedy) = match word {
        "form-not-received" => (
            "its form did not come whole",
            "Send at most 8 KiB, within 10 seconds, as application/x-www-form-urlencoded.",
        ),
        "parameter-twice" => (
            "a parameter stood in its form twice",
            "Send grant_type, client_id, client_secret, scope and token once each.",
        ),
        "no-grant-type" => (
            "its form had no grant_type",
            "Send grant_type=client_credentials as application/x-www-form-urlencoded, not as JSON.",
        ),
        "grant-type" => (
            "it asked for a grant that is not served here (unsupported_grant_type)",
            "Send grant_type=client_credentials.",
        ),
        "scope" => (
            "it asked for a scope that does not exist (invalid_scope)",
            "Ask for monitoring, management, control or offline_access, or for none.",
        ),
        "token-requests" => (
            "its caller asked for tokens faster than limits.tokens allows",
            "Keep a token until its end, or raise limits.tokens.",
        ),
        "no-randomness" => (
            "the system had no randomness to make a token of",
            "Try again.",
        ),
        "no-token" => (
            "its form had no token",
            "Send the token to revoke as application/x-www-form-urlencoded.",
        ),
        "token-of-another" => (
            "the token was issued to another caller",
            "Revoke it as the caller that it was issued to.",
        ),
        "key-is-no-token" => (
            "it sent a key, and only tokens are revoked there",
            "Revoke a key with: ninjaone-proxy caller revoke",
        ),
        "too-many-revoked" => (
            "no more tokens could be revoked then, and this one lives on",
            "Try again.",
        ),
        "revocation-not-stored" => (
            "the token has ended, but that could not be stored: it may live on after a restart",
            "Try again. See why: ninjaone-proxy status",
        ),
        _ => return client_refusal(word),
    };
    Some(TokenRefusalText { reason, remedy })
}

/// The client did not prove which caller it is. Some of these words have another meaning for other requests.
fn client_refusal(word: &str) -> Option<TokenRefusalText> {
    let (reason, remedy) = match word {
        "no-proof" => (
            "it named no client (invalid_client)",
            "Send client_id (the caller's name) and client_secret (its key) in the form, or both as 'Authorization: Basic'.",
        ),
        "unknown-key" => (
            "its client is not known here, or its secret is no valid key of that caller (invalid_client)",
            "Send the caller's name as client_id, and a key made with caller add as client_secret.",
        ),
        "proof-not-understood" => (
            "its 'Authorization: Basic' could not be read",
            "It must be base64 of the caller's name, a colon and its key.",
        ),
        "two-proofs" => (
            "it named one client as 'Authorization: Basic', and another one, or another secret, in the form",
            "Authenticate once.",
        ),
        "key-of-another" => (
            "its 'Authorization: Basic' proved two callers: one as sent, another one read form-encoded (invalid_client)",
            "Send client_id and client_secret in the form.",
        ),
        _ => return None,
    };
    Some(TokenRefusalText { reason, remedy })
}
