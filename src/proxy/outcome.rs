//! All the ways in which a request can end.

use crate::{
    audit::Unrecordable,
    caller::Unidentified,
    credentials::NoToken,
    limits::Throttled,
    net::request::incoming_request::Malformed,
    policy::Denied,
    upstream::{ForwardFailed, Forwarded},
};

use super::{
    request_buffering::BodyNotReceived,
    token_response::{MetadataServed, TokenIssued, TokenRefused, TokenRevoked},
};

/// How a request ended. A refusal owns the proof that it reached. A new way to end must be handled in `respond.rs` and
/// recorded there before the program compiles again.
pub(crate) enum Outcome {
    Malformed(Box<Malformed>),
    Unidentified(Box<Unidentified>),
    Denied(Box<Denied>),
    Throttled(Box<Throttled>),
    BodyNotReceived(Box<BodyNotReceived>),
    NoToken(Box<NoToken>),
    Unrecordable(Box<Unrecordable>),
    ForwardFailed(Box<ForwardFailed>),
    Forwarded(Box<Forwarded>),
    /// Answered by our own token endpoint.
    TokenIssued(Box<TokenIssued>),
    TokenRevoked(Box<TokenRevoked>),
    TokenRefused(Box<TokenRefused>),
    MetadataServed(Box<MetadataServed>),
}

macro_rules! ends_as {
    ($($from:ident),*) => {
        $(impl From<Box<$from>> for Outcome {
            fn from(ended: Box<$from>) -> Self {
                Self::$from(ended)
            }
        })*
    };
}

ends_as!(
    Malformed,
    Unidentified,
    Denied,
    Throttled,
    BodyNotReceived,
    NoToken,
    Unrecordable,
    ForwardFailed,
    TokenIssued,
    TokenRevoked,
    TokenRefused,
    MetadataServed
);
