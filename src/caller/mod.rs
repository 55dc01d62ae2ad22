//! WHO IS ASKING? `Incoming` ──► `Identified`: authenticates the caller by API key or token.

pub mod api_key;
mod authenticated;
mod identified;
pub mod tokens;

use std::{collections::HashMap, sync::Arc};

use crate::{
    clock::Timestamp,
    names::CallerName,
    net::{IncomingRequest, PresentedCredentials},
};

use self::{api_key::KeyHash, tokens::IssuedTokens};

pub use self::{
    authenticated::{Caller, Proof},
    identified::Identified,
};

/// A request whose caller could not be established.
pub struct Unidentified {
    /// The request.
    pub incoming: Box<IncomingRequest>,
    /// Why its caller is not known.
    pub why: Why,
}

/// Why authentication failed, for the audit line. The caller sees the same 401 for all, except for a legacy
/// signature: its scheme is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    NothingPresented,
    NotUnderstood,
    /// A signature for NinjaOne's legacy API, which nobody here can check.
    LegacySignature,
    UnknownKey,
    ExpiredKey,
    /// Basic authentication with the key of another caller.
    NameMismatch,
}

/// The result of one authentication method. Bad credentials never fall through to the next method.
enum Finding {
    NotPresented,
    Proven(Arc<Caller>, Proof),
    Rejected(Why),
}

impl Why {
    /// The word of the audit line's `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingPresented => "no-proof",
            Self::NotUnderstood => "proof-not-understood",
            Self::LegacySignature => "legacy-signature",
            Self::UnknownKey => "unknown-key",
            Self::ExpiredKey => "expired-key",
            Self::NameMismatch => "key-of-another",
        }
    }
}

/// A caller and its API keys.
pub struct Entry {
    /// The configured name.
    pub name: CallerName,
    /// Each of them authenticates the caller.
    pub keys: Vec<KeyHash>,
    /// When the keys end; none: never.
    pub expires: Option<Timestamp>,
}

/// All configured callers, found by their credentials.
pub struct Directory {
    callers: Vec<Arc<Caller>>,
    keys: HashMap<KeyHash, Known, foldhash::fast::RandomState>,
}

struct Known {
    caller: Arc<Caller>,
    expires: Option<Timestamp>,
}

impl Directory {
    /// The position of an entry becomes its caller's `index`.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut callers = Vec::with_capacity(entries.len());
        let mut keys = HashMap::default();
        for (index, entry) in entries.into_iter().enumerate() {
            let caller = Arc::new(Caller {
                name: entry.name,
                index,
            });
            for key in entry.keys {
                let known = Known {
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
        issued: &IssuedTokens,
    ) -> Result<Identified, Box<Unidentified>> {
        let evidence = incoming.take_credentials();
        match self.find(&evidence, issued, incoming.received_at()) {
            Ok((caller, proof)) => Ok(Identified::assert_identified(incoming, caller, proof)),
            Err(why) => Err(Box::new(Unidentified { incoming, why })),
        }
    }

    fn find(
        &self,
        evidence: &PresentedCredentials,
        issued: &IssuedTokens,
        now: Timestamp,
    ) -> Result<(Arc<Caller>, Proof), Why> {
        let findings = [
            self.by_authorization(evidence, issued, now),
            self.by_header(evidence, now),
        ];
        let mut proven: Option<(Arc<Caller>, Proof)> = None;
        for finding in findings {
            match finding {
                Finding::NotPresented => {}
                Finding::Rejected(why) => return Err(why),
                Finding::Proven(caller, proof) => match &proven {
                    Some((other, _)) if other.index != caller.index => {
                        return Err(Why::NameMismatch);
                    }
                    _ => proven = Some((caller, proof)),
                },
            }
        }
        proven.ok_or(Why::NothingPresented)
    }

    fn by_authorization(
        &self,
        evidence: &PresentedCredentials,
        issued: &IssuedTokens,
        now: Timestamp,
    ) -> Finding {
        let Some(value) = &evidence.authorization else {
            return Finding::NotPresented;
        };
        match api_key::presented(value.as_bytes()) {
            None => Finding::Rejected(Why::NotUnderstood),
            Some(api_key::Presented::LegacySignature) => Finding::Rejected(Why::LegacySignature),
            Some(api_key::Presented::Bearer(key)) => self.by_bearer(key, issued, now),
            Some(api_key::Presented::Basic { name, key }) => {
                self.by_key(key.as_bytes(), now, Some(&name))
            }
        }
    }

    fn by_header(&self, evidence: &PresentedCredentials, now: Timestamp) -> Finding {
        match &evidence.api_key {
            None => Finding::NotPresented,
            Some(value) => self.by_key(value.as_bytes(), now, None),
        }
    }

    fn by_bearer(&self, bearer: &[u8], issued: &IssuedTokens, now: Timestamp) -> Finding {
        let Some(hash) = KeyHash::of(bearer) else {
            return Finding::Rejected(Why::NotUnderstood);
        };
        if self.keys.contains_key(&hash) {
            return self.by_hash(hash, Proof::Key, now);
        }
        match issued.key_of(&hash) {
            Some(key) => self.by_hash(key, Proof::Token, now),
            None => Finding::Rejected(Why::UnknownKey),
        }
    }

    fn by_key(&self, key: &[u8], now: Timestamp, name: Option<&str>) -> Finding {
        let Some(hash) = KeyHash::of(key) else {
            return Finding::Rejected(Why::NotUnderstood);
        };
        match self.by_hash(hash, Proof::Key, now) {
            Finding::Proven(caller, _) if name.is_some_and(|it| it != caller.name.as_str()) => {
                Finding::Rejected(Why::NameMismatch)
            }
            finding => finding,
        }
    }

    /// Looked up by digest: how long that takes tells nothing of a key.
    fn by_hash(&self, hash: KeyHash, proof: Proof, now: Timestamp) -> Finding {
        let Some(known) = self.keys.get(&hash) else {
            return Finding::Rejected(Why::UnknownKey);
        };
        if known.expires.is_some_and(|expires| now >= expires) {
            return Finding::Rejected(Why::ExpiredKey);
        }
        Finding::Proven(Arc::clone(&known.caller), proof)
    }

    /// Authenticates a client by name and key: for the token endpoint, whose clients send both.
    #[must_use]
    pub fn prove(&self, name: &str, key: &str, now: Timestamp) -> Option<(Arc<Caller>, KeyHash)> {
        let hash = KeyHash::of(key.as_bytes())?;
        match self.by_key(key.as_bytes(), now, Some(name)) {
            Finding::Proven(caller, _) => Some((caller, hash)),
            Finding::NotPresented | Finding::Rejected(_) => None,
        }
    }
}
