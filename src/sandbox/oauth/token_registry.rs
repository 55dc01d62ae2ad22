//! The registry of valid access tokens, codes, logins and refresh tokens. Every change is atomic under one lock, so that of
//! two requests with one refresh token only the first succeeds.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{clock::Moment, ninjaone::operation::Scope};

use super::{
    bounded_map::BoundedMap,
    counts::OAuthCounts,
    granted_scopes::GrantedScopes,
    issued_code::{CodeBinding, CodeRedemption, IssuedCode},
    token_strings::TokenStrings,
};

/// How many access tokens are remembered; the oldest makes room.
const TOKENS_MAX: usize = 10_000;

/// How many codes are remembered, exchanged ones too; the oldest makes room.
const CODES_MAX: usize = 1_000;

/// Most logins; a new one evicts the oldest, whose tokens are then invalid.
const LOGINS_MAX: usize = 1_000;

/// How many exchanged refresh tokens are remembered, to detect their reuse; a new one evicts the oldest.
const ROTATED_MAX: usize = 10_000;

/// What an access token grants.
pub(in crate::sandbox) struct Bearer {
    /// Index of the client: cursors belong to it.
    pub(in crate::sandbox) client: usize,
    pub(in crate::sandbox) scopes: Vec<Scope>,
    pub(in crate::sandbox) user_context: bool,
}

/// A user's login at an app. Its tokens are revoked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LoginId(u64);

/// How tokens are issued at present.
pub(super) struct TokenIssuancePolicy {
    /// Of an access token.
    pub(super) life: Duration,
    /// The access token gets this scope alone.
    pub(super) only: Option<Scope>,
    /// If false, the response has no refresh token, and the one that was presented stays valid.
    pub(super) rotate: bool,
    /// A reused refresh token ends its login.
    pub(super) reuse_ends_login: bool,
    /// A renewal ends the access token that the login had before.
    pub(super) renewal_ends_access_token: bool,
}

/// The tokens of one response.
pub(super) struct TokenPair {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    pub(super) life: Duration,
    pub(super) granted: GrantedScopes,
}

/// Why a refresh token was not exchanged.
pub(super) enum RotationError {
    /// It is unknown, was exchanged before or belongs to another app, or its login has ended.
    InvalidToken,
    /// More scopes were requested than the login granted.
    Scope,
}

/// The token was issued to another app.
pub(super) struct WrongClientError;

struct AccessTokenEntry {
    bearer: Arc<Bearer>,
    ends: Moment,
    login: Option<LoginId>,
}

struct LoginEntry {
    client: usize,
    granted: GrantedScopes,
    refresh: Option<Box<str>>,
    /// The access token that was issued last.
    access: Box<str>,
}

pub(super) struct TokenRegistry {
    access_tokens: BoundedMap<Box<str>, AccessTokenEntry>,
    codes: BoundedMap<Box<str>, IssuedCode>,
    logins: BoundedMap<LoginId, LoginEntry>,
    /// The valid refresh tokens: at most one for each login.
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

    /// The grant of the valid access token with this text.
    pub(super) fn bearer(&self, token: &str) -> Option<Arc<Bearer>> {
        let access = self.access_tokens.get(token)?;
        let is_logged_in = access
            .login
            .is_none_or(|login| self.logins.get(&login).is_some());
        (is_logged_in && Moment::now() < access.ends).then(|| Arc::clone(&access.bearer))
    }

    /// Inserts a token that belongs to no login.
    pub(super) fn insert_access_token(&mut self, text: String, bearer: Bearer, life: Duration) {
        let access = AccessTokenEntry {
            bearer: Arc::new(bearer),
            ends: Moment::now().plus(life),
            login: None,
        };
        self.access_tokens.insert(text.into(), access);
    }

    /// Begins a login; with a refresh token if `offline_access` was granted.
    pub(super) fn log_in(
        &mut self,
        strings: TokenStrings,
        client: usize,
        granted: GrantedScopes,
        policy: &TokenIssuancePolicy,
    ) -> TokenPair {
        self.begin(strings, client, granted, policy).1
    }

    fn begin(
        &mut self,
        strings: TokenStrings,
        client: usize,
        granted: GrantedScopes,
        policy: &TokenIssuancePolicy,
    ) -> (LoginId, TokenPair) {
        self.counts.logins += 1;
        self.last_login += 1;
        let id = LoginId(self.last_login);
        let refresh = (granted.offline && policy.rotate).then_some(strings.refresh);
        let login = LoginEntry {
            client,
            granted: granted.clone(),
            refresh: refresh.as_deref().map(Into::into),
            access: strings.access.as_str().into(),
        };
        if let Some(oldest) = self.logins.insert(id, login) {
            self.forget_refresh(&oldest);
        }
        if let Some(refresh) = &refresh {
            self.refresh_tokens.insert(refresh.as_str().into(), id);
        }
        let granted =
            self.issue_access_token(strings.access.clone(), (id, client), granted, policy);
        let tokens = TokenPair {
            access: strings.access,
            refresh,
            life: policy.life,
            granted,
        };
        (id, tokens)
    }

    /// Gives what the access token may do.
    fn issue_access_token(
        &mut self,
        text: String,
        (login, client): (LoginId, usize),
        granted: GrantedScopes,
        policy: &TokenIssuancePolicy,
    ) -> GrantedScopes {
        let granted = match policy.only {
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
            ends: Moment::now().plus(policy.life),
            login: Some(login),
        };
        self.access_tokens.insert(text.into(), access);
        granted
    }

    pub(super) fn put_code(
        &mut self,
        text: &str,
        bound: CodeBinding,
        granted: GrantedScopes,
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
    /// login that it was exchanged for (RFC 6749 section 4.1.2).
    pub(super) fn redeem(
        &mut self,
        code: &str,
        redemption: &CodeRedemption<'_>,
        strings: TokenStrings,
        policy: &TokenIssuancePolicy,
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
        let (login, tokens) = self.begin(strings, redemption.client, granted, policy);
        if let Some(known) = self.codes.get_mut(code) {
            known.redeemed_login = Some(login);
        }
        Some(tokens)
    }

    /// Exchanges a refresh token for its successor and an access token. `requested_scopes` may narrow what the access token may do, never
    /// widen it (RFC 6749 section 6).
    pub(super) fn rotate(
        &mut self,
        refresh: &str,
        client: usize,
        requested_scopes: Option<&str>,
        strings: TokenStrings,
        policy: &TokenIssuancePolicy,
    ) -> Result<TokenPair, RotationError> {
        let Some(id) = self.refresh_tokens.get(refresh).copied() else {
            self.record_reuse(refresh, policy);
            return Err(RotationError::InvalidToken);
        };
        let login = self
            .logins
            .get_mut(&id)
            .ok_or(RotationError::InvalidToken)?;
        if login.client != client {
            return Err(RotationError::InvalidToken);
        }
        let granted = narrowed(&login.granted, requested_scopes).ok_or(RotationError::Scope)?;
        let older = std::mem::replace(&mut login.access, strings.access.as_str().into());
        let successor = policy.rotate.then_some(strings.refresh);
        if let Some(successor) = &successor {
            login.refresh = Some(successor.as_str().into());
            self.refresh_tokens.remove(refresh);
            self.refresh_tokens.insert(successor.as_str().into(), id);
            self.rotated.insert(refresh.into(), id);
            self.counts.rotations += 1;
        }
        if policy.renewal_ends_access_token {
            self.access_tokens.remove(&*older);
        }
        let granted =
            self.issue_access_token(strings.access.clone(), (id, client), granted, policy);
        Ok(TokenPair {
            access: strings.access,
            refresh: successor,
            life: policy.life,
            granted,
        })
    }

    fn record_reuse(&mut self, refresh: &str, policy: &TokenIssuancePolicy) {
        let Some(login) = self.rotated.get(refresh).copied() else {
            return;
        };
        self.counts.reuses += 1;
        if policy.reuse_ends_login {
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

    /// Forgets everything that was issued.
    pub(super) fn revoke_all(&mut self) {
        self.access_tokens.clear();
        self.codes.clear();
        self.logins.clear();
        self.refresh_tokens.clear();
        self.rotated.clear();
    }

    /// Expires every access token; refresh tokens stay valid. The API does not distinguish an expired token from an unknown
    /// one.
    pub(super) fn expire_all(&mut self) {
        let now = Moment::now();
        for access in self.access_tokens.values_mut() {
            access.ends = now;
        }
    }
}

fn narrowed(granted: &GrantedScopes, requested_scopes: Option<&str>) -> Option<GrantedScopes> {
    match requested_scopes.filter(|it| !it.trim().is_empty()) {
        None => Some(granted.clone()),
        Some(requested_scopes) => GrantedScopes::parse(requested_scopes)
            .filter(|requested_scopes| granted.covers(requested_scopes)),
    }
}
