//! WHO IS ASKING? `IncomingRequest` ──► `Identified`: authenticates the caller by API key or token.

pub mod access_token;
pub mod api_key;
mod authenticated;
mod identified;
pub mod revoked_tokens;
pub mod tokens;

use std::{collections::HashMap, sync::Arc};

use crate::{
    clock::Timestamp,
    names::CallerName,
    net::{IncomingRequest, PresentedCredentials},
};

use self::{access_token::OpenedToken, api_key::KeyHash, tokens::CallerTokens};

pub use self::{
    authenticated::{AuthMethod, Caller},
    identified::Identified,
};

/// A request whose caller could not be established.
pub struct Unidentified {
    /// The request.
    pub incoming: Box<IncomingRequest>,
    /// Why its caller is not known.
    pub error: AuthenticationError,
}

/// Why authentication failed, for the audit line. The caller sees the same 401 for all, except for a legacy
/// signature: its scheme is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthenticationError {
    MissingCredentials,
    MalformedCredentials,
    /// A signature for NinjaOne's legacy API, which nobody here can check.
    LegacySignature,
    UnknownKey,
    ExpiredKey,
    /// Basic authentication with the key of another caller.
    NameMismatch,
    /// A token of ours whose time is up.
    ExpiredToken,
    /// A token of ours that was revoked.
    RevokedToken,
    /// A token of ours whose caller or key is no longer there.
    OrphanedToken,
}

/// The result of one authentication method. Bad credentials never fall through to the next method.
enum AuthenticationOutcome {
    NoCredentials,
    Authenticated(Arc<Caller>, AuthMethod),
    Rejected(AuthenticationError),
}

impl AuthenticationError {
    /// The word of the audit line's `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingCredentials => "no-proof",
            Self::MalformedCredentials => "proof-not-understood",
            Self::LegacySignature => "legacy-signature",
            Self::UnknownKey => "unknown-key",
            Self::ExpiredKey => "expired-key",
            Self::NameMismatch => "key-of-another",
            Self::ExpiredToken => "expired-token",
            Self::RevokedToken => "revoked-token",
            Self::OrphanedToken => "token-of-gone-key",
        }
    }
}

/// A caller and its API keys.
pub struct CallerEntry {
    /// The configured name.
    pub name: CallerName,
    /// Each of them authenticates the caller.
    pub keys: Vec<KeyHash>,
    /// When the keys end; none: never.
    pub expires: Option<Timestamp>,
}

/// All configured callers, found by their credentials.
pub struct CallerDirectory {
    callers: Vec<Arc<Caller>>,
    keys: HashMap<KeyHash, RegisteredKey, foldhash::fast::RandomState>,
}

struct RegisteredKey {
    caller: Arc<Caller>,
    expires: Option<Timestamp>,
}

impl CallerDirectory {
    /// The position of an entry becomes its caller's `index`.
    #[must_use]
    pub fn new(entries: Vec<CallerEntry>) -> Self {
        let mut callers = Vec::with_capacity(entries.len());
        let mut keys = HashMap::default();
        for (index, entry) in entries.into_iter().enumerate() {
            let caller = Arc::new(Caller {
                name: entry.name,
                index,
            });
            for key in entry.keys {
                let known = RegisteredKey {
                    caller: Arc::clone(&caller),
                    expires: entry.expires,
                };
                keys.insert(key, known);
            }
            callers.push(caller);
        }
        Self { callers, keys }
    }

    /// All callers, in the order of the configuration.
    #[must_use]
    pub fn callers(&self) -> &[Arc<Caller>] {
        &self.callers
    }

    /// # Errors
    /// When no credentials were presented, or any that were are not valid.
    pub fn identify(
        &self,
        mut incoming: Box<IncomingRequest>,
        issued: &CallerTokens,
    ) -> Result<Identified, Box<Unidentified>> {
        let credentials = incoming.take_credentials();
        match self.authenticate(&credentials, issued, incoming.received_at()) {
            Ok((caller, proof)) => Ok(Identified::assert_identified(incoming, caller, proof)),
            Err(why) => Err(Box::new(Unidentified {
                incoming,
                error: why,
            })),
        }
    }

    fn authenticate(
        &self,
        credentials: &PresentedCredentials,
        issued: &CallerTokens,
        now: Timestamp,
    ) -> Result<(Arc<Caller>, AuthMethod), AuthenticationError> {
        let outcomes = [
            self.check_authorization_header(credentials, issued, now),
            self.check_api_key_header(credentials, now),
        ];
        let mut authenticated: Option<(Arc<Caller>, AuthMethod)> = None;
        for outcome in outcomes {
            match outcome {
                AuthenticationOutcome::NoCredentials => {}
                AuthenticationOutcome::Rejected(why) => return Err(why),
                AuthenticationOutcome::Authenticated(caller, proof) => match &authenticated {
                    Some((other, _)) if other.index != caller.index => {
                        return Err(AuthenticationError::NameMismatch);
                    }
                    _ => authenticated = Some((caller, proof)),
                },
            }
        }
        authenticated.ok_or(AuthenticationError::MissingCredentials)
    }

    fn check_authorization_header(
        &self,
        credentials: &PresentedCredentials,
        issued: &CallerTokens,
        now: Timestamp,
    ) -> AuthenticationOutcome {
        let Some(value) = &credentials.authorization else {
            return AuthenticationOutcome::NoCredentials;
        };
        match api_key::parse_authorization(value.as_bytes()) {
            None => AuthenticationOutcome::Rejected(AuthenticationError::MalformedCredentials),
            Some(api_key::AuthorizationHeader::LegacySignature) => {
                AuthenticationOutcome::Rejected(AuthenticationError::LegacySignature)
            }
            Some(api_key::AuthorizationHeader::Bearer(key)) => self.check_bearer(key, issued, now),
            Some(api_key::AuthorizationHeader::Basic { name, key }) => {
                self.check_key(key.as_bytes(), now, Some(&name))
            }
        }
    }

    fn check_api_key_header(
        &self,
        credentials: &PresentedCredentials,
        now: Timestamp,
    ) -> AuthenticationOutcome {
        match &credentials.api_key {
            None => AuthenticationOutcome::NoCredentials,
            Some(value) => self.check_key(value.as_bytes(), now, None),
        }
    }

    fn check_bearer(
        &self,
        bearer: &[u8],
        issued: &CallerTokens,
        now: Timestamp,
    ) -> AuthenticationOutcome {
        match issued.open(bearer) {
            Some(token) => self.check_token(&token, issued, now),
            None => self.check_key(bearer, now, None),
        }
    }

    /// Judged by the callers of now: a token whose key went, or went to another caller, has ended.
    fn check_token(
        &self,
        token: &OpenedToken,
        issued: &CallerTokens,
        now: Timestamp,
    ) -> AuthenticationOutcome {
        if now >= token.expires_at {
            return AuthenticationOutcome::Rejected(AuthenticationError::ExpiredToken);
        }
        if issued.revoked().contains(token) {
            return AuthenticationOutcome::Rejected(AuthenticationError::RevokedToken);
        }
        match self.check_key_hash(token.key, AuthMethod::AccessToken, now) {
            AuthenticationOutcome::Authenticated(caller, method)
                if caller.name.as_str().as_bytes() == token.caller() =>
            {
                AuthenticationOutcome::Authenticated(caller, method)
            }
            AuthenticationOutcome::Rejected(AuthenticationError::ExpiredKey) => {
                AuthenticationOutcome::Rejected(AuthenticationError::ExpiredKey)
            }
            _ => AuthenticationOutcome::Rejected(AuthenticationError::OrphanedToken),
        }
    }

    fn check_key(&self, key: &[u8], now: Timestamp, name: Option<&str>) -> AuthenticationOutcome {
        let Some(hash) = KeyHash::of(key) else {
            return AuthenticationOutcome::Rejected(AuthenticationError::MalformedCredentials);
        };
        match self.check_key_hash(hash, AuthMethod::ApiKey, now) {
            AuthenticationOutcome::Authenticated(caller, _)
                if name.is_some_and(|it| it != caller.name.as_str()) =>
            {
                AuthenticationOutcome::Rejected(AuthenticationError::NameMismatch)
            }
            outcome => outcome,
        }
    }

    /// When a key ends; none: never, or it is no key of these callers.
    #[must_use]
    pub fn key_expires(&self, key: KeyHash) -> Option<Timestamp> {
        self.keys.get(&key)?.expires
    }

    /// The callers whose keys have ended by `now`, and when they did. Looks at every key.
    pub(crate) fn expired(&self, now: Timestamp) -> impl Iterator<Item = (&str, Timestamp)> {
        self.keys.values().filter_map(move |it| {
            let at = it.expires.filter(|at| *at <= now)?;
            Some((it.caller.name.as_str(), at))
        })
    }

    /// Looked up by digest: how long that takes tells nothing of a key.
    fn check_key_hash(
        &self,
        hash: KeyHash,
        proof: AuthMethod,
        now: Timestamp,
    ) -> AuthenticationOutcome {
        let Some(known) = self.keys.get(&hash) else {
            return AuthenticationOutcome::Rejected(AuthenticationError::UnknownKey);
        };
        if known.expires.is_some_and(|expires| now >= expires) {
            return AuthenticationOutcome::Rejected(AuthenticationError::ExpiredKey);
        }
        AuthenticationOutcome::Authenticated(Arc::clone(&known.caller), proof)
    }

    /// Authenticates a client by name and key: for the token endpoint, whose clients send both.
    #[must_use]
    pub fn authenticate_client(
        &self,
        name: &str,
        key: &str,
        now: Timestamp,
    ) -> Option<(Arc<Caller>, KeyHash)> {
        let hash = KeyHash::of(key.as_bytes())?;
        match self.check_key(key.as_bytes(), now, Some(name)) {
            AuthenticationOutcome::Authenticated(caller, _) => Some((caller, hash)),
            AuthenticationOutcome::NoCredentials | AuthenticationOutcome::Rejected(_) => None,
        }
    }
    /// Whether `text` is the key of a caller, expired or not.
    #[must_use]
    pub fn is_key(&self, text: &[u8]) -> bool {
        KeyHash::of(text).is_some_and(|hash| self.keys.contains_key(&hash))
    }
}
