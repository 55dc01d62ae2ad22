//! Who was authenticated, and how.

use crate::names::CallerName;

/// How a caller proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    Key,
    /// A token of our own token endpoint.
    Token,
}

impl Proof {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
        }
    }
}

/// A caller as configured. `index` is its place in every table of the same rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    pub name: CallerName,
    pub index: usize,
}
