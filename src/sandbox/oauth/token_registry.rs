//! The registry of valid access tokens, codes, logins and refresh tokens. Every change is atomic under one lock, so that of
//! two requests with one refresh token only the first succeeds.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{clock::Moment, ninjaone::operation::Scope};

use super::{
    bounded_map::BoundedMap,
    counts::OAuthCounts,
    granted_scopes::ValidatedToken,
    issued_code::{CodeBinding, CodeRedemption, IssuedCode},
    token_strings::TokenStrings,
};

/// How many access tokens are remembered; the oldest makes room.
const TOKENS_MAX: usize = 10_000;

/// How many codes are remembered, exchanged ones too; the oldest makes room.
const CODES_MAX: usize = 1_000;

/// How many logins stand; the oldest makes room, and its tokens are dead.
const LOGINS_MAX: usize = 1_000;

/// How many exchanged refresh tokens are remembered, to know them again; the oldest makes room.
const ROTATED_MAX: usize = 10_000;

/// What an access token stands for.
pub(in crate::sandbox) struct Bearer {
    /// Place of the client: cursors belong to it.
    pub(in crate::sandbox) client: usize,
    pub(in crate::sandbox) scopes: Vec<Scope>,
    pub(in crate::sandbox) user_context: bool,
}

/// A person's login at an app: its tokens live and die together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LoginId(u64);

/// How tokens are given at present.
pub(super) struct TokenIssuancePolicy {
    /// Of an access token.
    pub(super) life: Duration,
    /// The access token gets this scope alone.
    pub(super) only: Option<Scope>,
    /// Without, there is no refresh token in the answer, and the one that came stays good.
    pub(super) rotate: bool,
    /// A refresh token that comes again ends its login.
    pub(super) reuse_ends_login: bool,
}

/// What an answer gives.
pub(super) struct TokenPair {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    pub(super) life: Duration,
    pub(super) granted: ValidatedToken,
}

/// Why a refresh token was not exchanged.
pub(super) enum RotationError {
    /// Unknown, exchanged before, of another app, or its login has ended.
    InvalidToken,
    /// More was asked for than the login gave.
    Scope,
}

/// A token that was given to another app.
pub(super) struct WrongClientError;

struct AccessTokenEntry {
    bearer: Arc<Bearer>,
    ends: Moment,
    login: Option<LoginId>,
}

struct LoginEntry {
    client: usize,
    granted: ValidatedToken,
    refresh: Option<Box<str>>,
}

pub(super) struct TokenRegistry {
    access_tokens: BoundedMap<Box<str>, AccessTokenEntry>,
    codes: BoundedMap<Box<str>, IssuedCode>,
    logins: BoundedMap<LoginId, LoginEntry>,
    /// The refresh tokens that are good: at most one a login.
    refresh_tokens: HashMap<Box<str>, LoginId>,
    rotated: BoundedMap<Box<str>, LoginId>,
    last_login: u64,
    pub(super) counts: OAuthCounts,
}

impl TokenRegistry {
    pub(super) fn new() -> Self {
        Self {
            access_tokens: BoundedMap::new(TOKENS_MAX),
            codes: BoundedMap::new(CODES_MAX),
            logins: BoundedMap::new(LOGINS_MAX),
            refresh_tokens: HashMap::new(),
            rotated: BoundedMap::new(ROTATED_MAX),
            last_login: 0,
            counts: OAuthCounts::default(),
        }
    }

    /// What the living access token with this text stands for.
    pub(super) fn bearer(&self, token: &str) -> Option<Arc<Bearer>> {
        let access = self.access_tokens.get(token)?;
        let is_logged_in = access
            .login
            .is_none_or(|login| self.logins.get(&login).is_some());
        (is_logged_in && Moment::now() < access.ends).then(|| Arc::clone(&access.bearer))
    }

    /// A token that no login stands behind.
    pub(super) fn insert_access_token(&mut self, text: String, bearer: Bearer, life: Duration) {
        let access = AccessTokenEntry {
            bearer: Arc::new(bearer),
            ends: Moment::now().plus(life),
            login: None,
        };
        self.access_tokens.insert(text.into(), access);
    }

    /// Begins a login; with a refresh token if `offline_access` was given.
    pub(super) fn log_in(
        &mut self,
        texts: TokenStrings,
        client: usize,
        granted: ValidatedToken,
        terms: &TokenIssuancePolicy,
    ) -> TokenPair {
        self.begin(texts, client, granted, terms).1
    }

    fn begin(
        &mut self,
        texts: TokenStrings,
        client: usize,
        granted: ValidatedToken,
        terms: &TokenIssuancePolicy,
    ) -> (LoginId, TokenPair) {
        self.counts.logins += 1;
        self.last_login += 1;
        let id = LoginId(self.last_login);
        let refresh = (granted.offline && terms.rotate).then_some(texts.refresh);
        let login = LoginEntry {
            client,
            granted: granted.clone(),
            refresh: refresh.as_deref().map(Into::into),
        };
        if let Some(oldest) = self.logins.insert(id, login) {
            self.forget_refresh(&oldest);
        }
        if let Some(refresh) = &refresh {
            self.refresh_tokens.insert(refresh.as_str().into(), id);
        }
        let granted = self.issue_access_token(texts.access.clone(), (id, client), granted, terms);
        let tokens = TokenPair {
            access: texts.access,
            refresh,
            life: terms.life,
            granted,
        };
        (id, tokens)
    }

    /// Gives what the access token may do.
    fn issue_access_token(
        &mut self,
        text: String,
        (login, client): (LoginId, usize),
        granted: ValidatedToken,
        terms: &TokenIssuancePolicy,
    ) -> ValidatedToken {
        let granted = match terms.only {
            Some(only) => granted.narrowed_to(only),
            None => granted,
        };
        let bearer = Bearer {
            client,
            scopes: granted.scopes.clone(),
            user_context: true,
        };
        let access = AccessTokenEntry {
            bearer: Arc::new(bearer),
            ends: Moment::now().plus(terms.life),
            login: Some(login),
        };
        self.access_tokens.insert(text.into(), access);
        granted
    }

    pub(super) fn put_code(
        &mut self,
        text: &str,
        bound: CodeBinding,
        granted: ValidatedToken,
        life: Duration,
    ) {
        let code = IssuedCode {
            binding: bound,
            granted,
            ends: Moment::now().plus(life),
            redeemed_login: None,
        };
        self.codes.insert(text.into(), code);
    }

    /// Exchanges a code. `None` if it is unknown, expired, bound to something else, or was exchanged before: that ends the
    /// login that came of it (RFC 6749 section 4.1.2).
    pub(super) fn redeem(
        &mut self,
        code: &str,
        redemption: &CodeRedemption<'_>,
        texts: TokenStrings,
        terms: &TokenIssuancePolicy,
    ) -> Option<TokenPair> {
        let known = self.codes.get(code)?;
        if let Some(login) = known.redeemed_login {
            self.counts.code_reuses += 1;
            self.end_login(login);
            return None;
        }
        if Moment::now() >= known.ends || !known.binding.matches(redemption) {
            return None;
        }
        let granted = known.granted.clone();
        let (login, tokens) = self.begin(texts, redemption.client, granted, terms);
        if let Some(known) = self.codes.get_mut(code) {
            known.redeemed_login = Some(login);
        }
        Some(tokens)
    }

    /// Exchanges a refresh token for its successor and an access token. `asked` may narrow what the access token may do, never
    /// widen it (RFC 6749 section 6).
    pub(super) fn rotate(
        &mut self,
        refresh: &str,
        client: usize,
        asked: Option<&str>,
        texts: TokenStrings,
        terms: &TokenIssuancePolicy,
    ) -> Result<TokenPair, RotationError> {
        let Some(id) = self.refresh_tokens.get(refresh).copied() else {
            self.record_reuse(refresh, terms);
            return Err(RotationError::InvalidToken);
        };
        let login = self
            .logins
            .get_mut(&id)
            .ok_or(RotationError::InvalidToken)?;
        if login.client != client {
            return Err(RotationError::InvalidToken);
        }
        let granted = narrowed(&login.granted, asked).ok_or(RotationError::Scope)?;
        let successor = terms.rotate.then_some(texts.refresh);
        if let Some(successor) = &successor {
            login.refresh = Some(successor.as_str().into());
            self.refresh_tokens.remove(refresh);
            self.refresh_tokens.insert(successor.as_str().into(), id);
            self.rotated.insert(refresh.into(), id);
            self.counts.rotations += 1;
        }
        let granted = self.issue_access_token(texts.access.clone(), (id, client), granted, terms);
        Ok(TokenPair {
            access: texts.access,
            refresh: successor,
            life: terms.life,
            granted,
        })
    }

    fn record_reuse(&mut self, refresh: &str, terms: &TokenIssuancePolicy) {
        let Some(login) = self.rotated.get(refresh).copied() else {
            return;
        };
        self.counts.reuses += 1;
        if terms.reuse_ends_login {
            self.end_login(login);
        }
    }

    fn end_login(&mut self, login: LoginId) {
        if let Some(ended) = self.logins.remove(&login) {
            self.forget_refresh(&ended);
        }
    }

    fn forget_refresh(&mut self, login: &LoginEntry) {
        if let Some(refresh) = &login.refresh {
            self.refresh_tokens.remove(refresh);
        }
    }

    /// RFC 7009 section 2: a refresh token takes its login with it, an access token goes alone. What is unknown is dead
    /// already.
    pub(super) fn revoke(&mut self, token: &str, client: usize) -> Result<(), WrongClientError> {
        if let Some(login) = self.refresh_tokens.get(token).copied() {
            if self.logins.get(&login).map(|it| it.client) != Some(client) {
                return Err(WrongClientError);
            }
            self.end_login(login);
            self.counts.revocations += 1;
        } else if let Some(access) = self.access_tokens.get(token) {
            if access.bearer.client != client {
                return Err(WrongClientError);
            }
            self.access_tokens.remove(token);
            self.counts.revocations += 1;
        }
        Ok(())
    }

    /// Nothing that was issued is known any more.
    pub(super) fn revoke_all(&mut self) {
        self.access_tokens.clear();
        self.codes.clear();
        self.logins.clear();
        self.refresh_tokens.clear();
        self.rotated.clear();
    }

    /// Every access token has expired; refresh tokens are good still. To the API an expired token and an unknown one are the
    /// same.
    pub(super) fn expire_all(&mut self) {
        let now = Moment::now();
        for access in self.access_tokens.values_mut() {
            access.ends = now;
        }
    }
}

fn narrowed(granted: &ValidatedToken, asked: Option<&str>) -> Option<ValidatedToken> {
    match asked.filter(|it| !it.trim().is_empty()) {
        None => Some(granted.clone()),
        Some(asked) => ValidatedToken::parse(asked).filter(|asked| granted.covers(asked)),
    }
}
