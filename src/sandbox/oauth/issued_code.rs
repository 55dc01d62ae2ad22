//! Authorization codes, which an application exchanges for tokens (RFC 6749 section 4.1, RFC 7636).

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::clock::Moment;

use super::{granted_scopes::GrantedScopes, token_registry::LoginId};

/// Length of a challenge: SHA-256 in base64url.
const CHALLENGE_CHARACTERS: usize = 43;

const VERIFIER_CHARACTERS_MIN: usize = 43;

const VERIFIER_CHARACTERS_MAX: usize = 128;

/// RFC 7636 section 4.2, method S256.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PkceChallenge(Box<str>);

impl PkceChallenge {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (text.len() == CHALLENGE_CHARACTERS && text.bytes().all(is_base64url))
            .then(|| Self(text.into()))
    }

    fn matches_verifier(&self, verifier: &str) -> bool {
        let is_unreserved =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let hash = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        (VERIFIER_CHARACTERS_MIN..=VERIFIER_CHARACTERS_MAX).contains(&verifier.len())
            && verifier.bytes().all(is_unreserved)
            && hash == *self.0
    }
}

/// An authorization code that was issued.
pub(super) struct IssuedCode {
    pub(super) binding: CodeBinding,
    pub(super) granted: GrantedScopes,
    pub(super) ends: Moment,
    /// The login that it was exchanged for: a code is exchanged once.
    pub(super) redeemed_login: Option<LoginId>,
}

/// What a code is bound to: the exchange must match it.
pub(super) struct CodeBinding {
    /// Index of the client.
    pub(super) client: usize,
    pub(super) redirect: String,
    pub(super) challenge: Option<PkceChallenge>,
}

/// What the token endpoint receives with a code.
pub(super) struct CodeRedemption<'a> {
    pub(super) client: usize,
    pub(super) redirect: &'a str,
    pub(super) verifier: Option<&'a str>,
}

impl CodeBinding {
    /// A verifier without a challenge is refused too: the challenge was stripped (RFC 9700 section 4.8.2).
    pub(super) fn matches(&self, redemption: &CodeRedemption<'_>) -> bool {
        let is_proved = match (&self.challenge, redemption.verifier) {
            (Some(challenge), Some(verifier)) => challenge.matches_verifier(verifier),
            (None, None) => true,
            _ => false,
        };
        is_proved && self.client == redemption.client && self.redirect == redemption.redirect
    }
}
