//! Tokens of our own that were revoked (RFC 7009) and would otherwise still hold. Each is remembered until its end.
//!
//! There are at most [`REVOKED_TOKENS_MAX`]. One more ends every token that the caller with the most revoked ones was issued
//! so far, and takes one place for all of them: a revoked token never comes back to life, and a caller that revokes in such
//! numbers costs nobody else a login.

use std::{collections::HashMap, time::Duration};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};

use crate::{clock::Timestamp, lock::Lock};

use super::access_token::{EXPIRY_LEEWAY, OpenedToken, TOKEN_ID_BYTES, TokenId};

/// Most revoked tokens, and callers whose earlier tokens have all ended, that are remembered together.
pub const REVOKED_TOKENS_MAX: usize = 10_000;
/// Longest life that a token may have: after that nothing needs to be remembered of it.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_hours(24);

/// Bytes of each entry as it is stored.
const ENTRY_BYTES: usize = 1 + TOKEN_ID_BYTES + OWNER_BYTES + 8;
/// Longest text of [`RevokedTokens::to_bytes`].
pub const REVOKED_BYTES_MAX: usize = REVOKED_TOKENS_MAX * ENTRY_BYTES;

const KIND_TOKEN: u8 = 1;
const KIND_CALLER: u8 = 2;

const OWNER_BYTES: usize = 8;
/// The first bytes of SHA-256 over a caller's name.
type Owner = [u8; OWNER_BYTES];

/// More tokens are revoked than can be remembered, and no caller has more than one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{REVOKED_TOKENS_MAX} revoked tokens are remembered, and no more can be")]
pub struct TooManyRevokedError;

/// The revoked tokens. Reading neither locks nor allocates.
#[derive(Default)]
pub struct RevokedTokens {
    current: ArcSwap<RevokedSet>,
    writer: Lock<()>,
}

#[derive(Clone, Default)]
struct RevokedSet {
    tokens: HashMap<TokenId, RevokedToken, foldhash::fast::RandomState>,
    callers: HashMap<Owner, EndedTokens, foldhash::fast::RandomState>,
}

#[derive(Clone, Copy)]
struct RevokedToken {
    owner: Owner,
    expires_at: Timestamp,
}

/// Every token of a caller that was issued no later than `issued_until`.
#[derive(Clone, Copy)]
struct EndedTokens {
    issued_until: Timestamp,
    /// By then the last of them has ended by itself.
    forget_at: Timestamp,
}

impl RevokedTokens {
    /// Whether the token was revoked.
    #[must_use]
    pub fn contains(&self, token: &OpenedToken) -> bool {
        let set = self.current.load();
        if set.tokens.contains_key(&token.id) {
            return true;
        }
        // The digest is taken only where a caller ever hit the bound.
        !set.callers.is_empty()
            && set
                .callers
                .get(&owner_of(token))
                .is_some_and(|ended| token.issued_at <= ended.issued_until)
    }

    /// Ends a token at once, and forgets those that have ended by themselves.
    ///
    /// # Errors
    /// The bound is reached, and there is nobody to blame. The token lives on.
    pub fn revoke(&self, token: &OpenedToken, now: Timestamp) -> Result<(), TooManyRevokedError> {
        let revoked = RevokedToken {
            owner: owner_of(token),
            expires_at: token.expires_at,
        };
        self.change(now, |set| {
            set.tokens.insert(token.id, revoked);
        })
    }

    /// Adds those that another process has revoked.
    ///
    /// # Errors
    /// The bound is reached, and there is nobody to blame. None is added.
    pub fn add(&self, others: &Self, now: Timestamp) -> Result<(), TooManyRevokedError> {
        let others = others.current.load();
        self.change(now, |set| {
            set.tokens.extend(&others.tokens);
            for (owner, other) in &others.callers {
                let known = set.callers.entry(*owner).or_insert(*other);
                if known.issued_until < other.issued_until {
                    *known = *other;
                }
            }
        })
    }

    fn change(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut RevokedSet),
    ) -> Result<(), TooManyRevokedError> {
        let _writer = self.writer.lock();
        let mut set = RevokedSet::clone(&self.current.load());
        change(&mut set);
        set.forget_ended(now);
        while set.count() > REVOKED_TOKENS_MAX {
            let before = set.count();
            set.end_all_of_the_busiest(now);
            if set.count() >= before {
                return Err(TooManyRevokedError);
            }
        }
        self.current.store(set.into());
        Ok(())
    }

    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.current.load().count()
    }

    /// To be stored: entries of 33 bytes, in any order.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let set = self.current.load();
        let mut bytes = Vec::with_capacity(set.count() * ENTRY_BYTES);
        for (id, it) in &set.tokens {
            bytes.push(KIND_TOKEN);
            bytes.extend_from_slice(id);
            bytes.extend_from_slice(&it.owner);
            bytes.extend_from_slice(&it.expires_at.unix_micros().to_be_bytes());
        }
        for (owner, it) in &set.callers {
            bytes.push(KIND_CALLER);
            bytes.extend_from_slice(&it.issued_until.unix_micros().to_be_bytes());
            bytes.extend_from_slice(&[0; TOKEN_ID_BYTES - 8]);
            bytes.extend_from_slice(owner);
            bytes.extend_from_slice(&it.forget_at.unix_micros().to_be_bytes());
        }
        bytes
    }

    /// What [`RevokedTokens::to_bytes`] gave; none for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut set = RevokedSet::default();
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || entries.len() > REVOKED_TOKENS_MAX {
            return None;
        }
        for entry in entries {
            let (&kind, entry) = entry.split_first()?;
            let (id, entry) = entry.split_first_chunk::<TOKEN_ID_BYTES>()?;
            let (&owner, entry) = entry.split_first_chunk::<OWNER_BYTES>()?;
            let end = timestamp(entry)?;
            match kind {
                KIND_TOKEN => {
                    let expires_at = end;
                    set.tokens.insert(*id, RevokedToken { owner, expires_at });
                }
                KIND_CALLER => {
                    let ended = EndedTokens {
                        issued_until: timestamp(id)?,
                        forget_at: end,
                    };
                    set.callers.insert(owner, ended);
                }
                _ => return None,
            }
        }
        Some(Self {
            current: ArcSwap::from_pointee(set),
            writer: Lock::default(),
        })
    }
}

impl RevokedSet {
    fn count(&self) -> usize {
        self.tokens.len() + self.callers.len()
    }

    fn forget_ended(&mut self, now: Timestamp) {
        self.tokens.retain(|_, it| now < it.expires_at);
        self.callers.retain(|_, it| now < it.forget_at);
    }

    fn end_all_of_the_busiest(&mut self, now: Timestamp) {
        let mut counts: HashMap<Owner, usize> = HashMap::new();
        for it in self.tokens.values() {
            *counts.entry(it.owner).or_default() += 1;
        }
        let Some((owner, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
            return;
        };
        self.tokens.retain(|_, it| it.owner != owner);
        let ended = EndedTokens {
            issued_until: now,
            forget_at: now.plus(TOKEN_LIFETIME_MAX + EXPIRY_LEEWAY),
        };
        self.callers.insert(owner, ended);
    }
}

fn owner_of(token: &OpenedToken) -> Owner {
    let hash = digest(&SHA256, token.caller());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

fn timestamp(bytes: &[u8]) -> Option<Timestamp> {
    let micros = bytes.first_chunk()?;
    Some(Timestamp::from_unix_micros(i64::from_be_bytes(*micros)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::caller::{access_token::TokenKey, api_key::KeyHash};

    const HOUR: Duration = Duration::from_hours(1);

    struct Issuer(TokenKey);

    impl Issuer {
        fn token(&self, caller: &str, at: Timestamp) -> OpenedToken {
            let name = caller.parse().unwrap();
            let text = self.0.seal(&name, KeyHash::from_bytes([1; 32]), at, HOUR);
            self.0.open(text.unwrap().as_bytes()).unwrap()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_revoked_token_is_remembered_until_its_end_and_no_longer() {
        let issuer = Issuer(TokenKey::random().unwrap());
        let revoked = RevokedTokens::default();
        let [one, other] = [issuer.token("a", at(0)), issuer.token("a", at(0))];
        revoked.revoke(&one, at(1)).unwrap();
        assert!(revoked.contains(&one) && !revoked.contains(&other));

        let again = RevokedTokens::from_bytes(&revoked.to_bytes()).unwrap();
        assert!(again.contains(&one) && !again.contains(&other));

        revoked
            .revoke(&issuer.token("a", at(4000)), at(4000))
            .unwrap();
        assert_eq!(revoked.count(), 1, "the first has ended by itself");
    }

    #[test]
    fn at_the_bound_the_busiest_caller_loses_its_tokens_and_nobody_else_does() {
        let issuer = Issuer(TokenKey::random().unwrap());
        let revoked = RevokedTokens::default();
        let quiet = issuer.token("quiet", at(0));
        let quiet_alive = issuer.token("quiet", at(0));
        let busy_alive = issuer.token("busy", at(0));
        let busy_first = issuer.token("busy", at(0));
        revoked.revoke(&quiet, at(1)).unwrap();
        revoked.revoke(&busy_first, at(1)).unwrap();
        // Filled without a copy of the set for each.
        let mut set = RevokedSet::clone(&revoked.current.load());
        let owner = owner_of(&busy_first);
        for number in 2..REVOKED_TOKENS_MAX as u128 {
            let expires_at = at(3600);
            set.tokens
                .insert(number.to_be_bytes(), RevokedToken { owner, expires_at });
        }
        revoked.current.store(set.into());
        assert_eq!(revoked.count(), REVOKED_TOKENS_MAX);
        assert!(revoked.to_bytes().len() <= REVOKED_BYTES_MAX);

        let one_more = issuer.token("quiet", at(1));
        revoked.revoke(&one_more, at(2)).unwrap();

        assert_eq!(revoked.count(), 3);
        let again = RevokedTokens::from_bytes(&revoked.to_bytes()).unwrap();
        for revoked in [revoked, again] {
            assert!(revoked.contains(&quiet) && revoked.contains(&one_more));
            assert!(revoked.contains(&busy_first) && revoked.contains(&busy_alive));
            assert!(!revoked.contains(&quiet_alive));
            assert!(
                !revoked.contains(&issuer.token("busy", at(3))),
                "a new login works"
            );
        }
    }

    #[test]
    fn what_another_process_revoked_is_added() {
        let issuer = Issuer(TokenKey::random().unwrap());
        let [one, other] = [issuer.token("a", at(0)), issuer.token("b", at(0))];
        let (ours, theirs) = (RevokedTokens::default(), RevokedTokens::default());
        ours.revoke(&one, at(1)).unwrap();
        theirs.revoke(&other, at(1)).unwrap();
        ours.add(&theirs, at(2)).unwrap();
        assert!(ours.contains(&one) && ours.contains(&other));
        assert!(!theirs.contains(&one));
    }

    #[test]
    fn with_nobody_to_blame_the_bound_refuses() {
        let issuer = Issuer(TokenKey::random().unwrap());
        let mut set = RevokedSet::default();
        for number in 0..REVOKED_TOKENS_MAX as u64 {
            let (issued_until, forget_at) = (at(0), at(3600));
            let ended = EndedTokens {
                issued_until,
                forget_at,
            };
            set.callers.insert(number.to_be_bytes(), ended);
        }
        let revoked = RevokedTokens::default();
        revoked.current.store(set.into());
        let token = issuer.token("a", at(1));
        assert_eq!(revoked.revoke(&token, at(2)), Err(TooManyRevokedError));
        assert!(!revoked.contains(&token));
    }

    #[test]
    fn foreign_bytes_are_no_revoked_tokens() {
        for bytes in [vec![0; ENTRY_BYTES - 1], vec![9; ENTRY_BYTES]] {
            assert!(RevokedTokens::from_bytes(&bytes).is_none());
        }
        assert!(RevokedTokens::from_bytes(&vec![1; REVOKED_BYTES_MAX + ENTRY_BYTES]).is_none());
    }
}
