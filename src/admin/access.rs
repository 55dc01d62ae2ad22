//! Who may do what over the admin listener and the admin socket.
//!
//! A handler takes a proof: [`Viewer`] to look, [`Operator`] to change something. Only this file makes them, so a handler that
//! forgets to ask who is there does not compile.

use aws_lc_rs::constant_time;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};

use crate::{
    caller::api_key::{AuthorizationHeader, KeyHash, parse_authorization},
    hex,
    net::peer::Peer,
};

use super::accounts;

/// How much of a key's digest names it in the audit log, in hex digits.
const KEY_NAME_DIGITS: usize = 8;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminRole {
    /// May change things.
    Operator,
    /// May look.
    Auditor,
}

/// An account of this machine, at the other end of the admin socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnixAccount {
    /// By name or number.
    User(String),
    /// Whoever is in this group, by name or number.
    Group(String),
}

impl UnixAccount {
    fn includes(&self, uid: u32) -> bool {
        match self {
            Self::User(user) => accounts::user_id(user) == Some(uid),
            Self::Group(group) => {
                accounts::group_id(group).is_some_and(|gid| accounts::is_member(uid, gid))
            }
        }
    }

    /// Whether this machine has such an account.
    #[must_use]
    pub fn exists(&self) -> bool {
        match self {
            Self::User(user) => accounts::user_id(user).is_some(),
            Self::Group(group) => accounts::group_id(group).is_some(),
        }
    }
}

/// The keys and accounts that have a role. Root and the user that the proxy runs as are operators on the socket.
#[derive(Debug, Clone, Default)]
pub struct AdminAccess {
    pub keys: Vec<(KeyHash, AdminRole)>,
    pub accounts: Vec<(UnixAccount, AdminRole)>,
    /// Whether anybody may look at `/status` and `/metrics`: `admin.anonymous`.
    pub anonymous: bool,
}

/// Proof that its holder may look.
#[derive(Debug)]
pub struct Viewer(());

/// Proof that its holder may change something, and who that is.
#[derive(Debug)]
pub struct Operator {
    who: String,
    from: String,
}

impl Operator {
    /// For the record: `unix:root`, or `key:` and the first digits of the key's digest; and from where, such as
    /// `127.0.0.1:50122`.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.from.is_empty() {
            self.who.clone()
        } else {
            format!("{} from {}", self.who, self.from)
        }
    }
}

/// Why somebody may not do this here. The texts are for those who ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminAuthError {
    #[error(
        "a proof is needed: ask over the admin socket, or send Authorization: Bearer KEY with a key of [[admin.access]]"
    )]
    MissingProof,
    #[error("this key is not in [[admin.access]]")]
    WrongKey,
    #[error(
        "user {0} has no access: add {{ unix = {{ user = \"{0}\" }}, role = \"auditor\" }} to [[admin.access]], or ask as root"
    )]
    WrongUser(String),
    #[error(
        "an auditor may look but change nothing: this needs role = \"operator\" in [[admin.access]]"
    )]
    AuditorOnly,
}

impl AdminAuthError {
    /// 401 where a proof is missing, 403 where it does not do.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::MissingProof => StatusCode::UNAUTHORIZED,
            Self::WrongKey | Self::WrongUser(_) | Self::AuditorOnly => StatusCode::FORBIDDEN,
        }
    }
}

impl AdminAccess {
    /// # Errors
    /// Nobody may look without a proof, and there is none or a wrong one.
    pub fn viewer(
        &self,
        peer: Option<Peer>,
        headers: &HeaderMap,
    ) -> Result<Viewer, AdminAuthError> {
        if self.anonymous && !headers.contains_key(AUTHORIZATION) {
            return Ok(Viewer(()));
        }
        self.known_viewer(peer, headers)
    }

    /// For what `admin.anonymous` does not open.
    ///
    /// # Errors
    /// The proof is missing or wrong.
    pub fn known_viewer(
        &self,
        peer: Option<Peer>,
        headers: &HeaderMap,
    ) -> Result<Viewer, AdminAuthError> {
        self.authenticate(peer, headers).map(|_| Viewer(()))
    }

    /// # Errors
    /// The proof is missing or wrong, or is an auditor's.
    pub fn operator(
        &self,
        peer: Option<Peer>,
        headers: &HeaderMap,
    ) -> Result<Operator, AdminAuthError> {
        let (who, role) = self.authenticate(peer, headers)?;
        let from = match peer {
            Some(Peer::Tcp(address)) => address.to_string(),
            Some(Peer::Unix { .. }) | None => String::new(),
        };
        match role {
            AdminRole::Operator => Ok(Operator { who, from }),
            AdminRole::Auditor => Err(AdminAuthError::AuditorOnly),
        }
    }

    /// Whether this user has a role without a key.
    #[must_use]
    pub fn has_account(&self, uid: u32) -> bool {
        self.account(uid).is_ok()
    }

    /// A key that is shown decides alone: a wrong one never falls back to the account.
    fn authenticate(
        &self,
        peer: Option<Peer>,
        headers: &HeaderMap,
    ) -> Result<(String, AdminRole), AdminAuthError> {
        if headers.contains_key(AUTHORIZATION) {
            return self.key(headers);
        }
        match peer {
            Some(Peer::Unix { uid }) => self.account(uid),
            Some(Peer::Tcp(_)) | None => Err(AdminAuthError::MissingProof),
        }
    }

    fn key(&self, headers: &HeaderMap) -> Result<(String, AdminRole), AdminAuthError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(AdminAuthError::MissingProof);
        };
        let Some(AuthorizationHeader::Bearer(key)) = parse_authorization(value.as_bytes()) else {
            return Err(AdminAuthError::MissingProof);
        };
        let shown = KeyHash::of(key).ok_or(AdminAuthError::WrongKey)?;
        // All are looked at, so that the time tells nothing of which one it was.
        let mut found = None;
        for (known, role) in &self.keys {
            if constant_time_eq(known, &shown) {
                found = Some(*role);
            }
        }
        let role = found.ok_or(AdminAuthError::WrongKey)?;
        Ok((format!("key:{}", key_name(&shown)), role))
    }

    fn account(&self, uid: u32) -> Result<(String, AdminRole), AdminAuthError> {
        let name = accounts::user_name(uid);
        if uid == 0 || uid == rustix::process::geteuid().as_raw() {
            return Ok((format!("unix:{name}"), AdminRole::Operator));
        }
        let held = self.accounts.iter().filter(|(it, _)| it.includes(uid));
        let mut roles = held.map(|(_, role)| *role).peekable();
        if roles.peek().is_none() {
            return Err(AdminAuthError::WrongUser(name));
        }
        let role = if roles.any(|it| it == AdminRole::Operator) {
            AdminRole::Operator
        } else {
            AdminRole::Auditor
        };
        Ok((format!("unix:{name}"), role))
    }
}

fn key_name(key: &KeyHash) -> String {
    let mut name = hex::encode(&key.to_bytes());
    name.truncate(KEY_NAME_DIGITS);
    name
}

fn constant_time_eq(one: &KeyHash, other: &KeyHash) -> bool {
    constant_time::verify_slices_are_equal(&one.to_bytes(), &other.to_bytes()).is_ok()
}
