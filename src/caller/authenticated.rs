//! The caller that a request was authenticated as, and the method.

use crate::names::CallerName;

/// How a caller was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    ApiKey,
    /// A token of our own token endpoint.
    AccessToken,
}

impl AuthMethod {
    /// The word of the audit line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "key",
            Self::AccessToken => "token",
        }
    }
}

/// A configured caller.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The configured name.
    pub name: CallerName,
    /// Its index in the tables of the same rules.
    pub index: usize,
}
