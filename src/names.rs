//! Checked names: callers, tenants, policies, identities and request ids.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest name of a caller, tenant or policy, in bytes.
pub const NAME_LENGTH_MAX: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name is 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.', and starts with a letter or a digit"
)]
pub struct NameParseError;

fn parse_name(text: &str) -> Result<Arc<str>, NameParseError> {
    let fits = (1..=NAME_LENGTH_MAX).contains(&text.len());
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let holds = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits && starts && holds {
        Ok(Arc::from(text))
    } else {
        Err(NameParseError)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name, as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameParseError;
            fn from_str(text: &str) -> Result<Self, NameParseError> {
                parse_name(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A client of the proxy: a program or person that sends it requests.
    CallerName
);
name!(
    /// A NinjaOne instance that we hold credentials for.
    TenantName
);
name!(
    /// A named set of rules.
    PolicyName
);

/// The identity that carries requests to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityKind {
    /// The machine identity: client credentials.
    Service,
    /// The user identity: somebody logs in once.
    User,
}

impl IdentityKind {
    /// The word of settings, audit lines and metrics: `service` or `user`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::User => "user",
        }
    }
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A request's id: 26 characters of Crockford base 32, 48 bits of milliseconds and then 80 bits that differ.
///
/// Ids of one process sort by time; they are names, not secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId([u8; Self::LENGTH]);

impl RequestId {
    /// Characters of an id.
    pub const LENGTH: usize = 26;

    /// `distinct` fills the lower 80 bits.
    #[must_use]
    pub fn new(unix_ms: u64, distinct: u128) -> Self {
        let mut bits = (u128::from(unix_ms) << 80) | (distinct & ((1 << 80) - 1));
        let mut text = [0; Self::LENGTH];
        for digit in text.iter_mut().rev() {
            *digit = CROCKFORD[(bits & 31) as usize];
            bits >>= 5;
        }
        Self(text)
    }

    /// When the request came, as its id tells.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        let digits = self.0.iter().take(10);
        digits.fold(0, |sum, digit| {
            let value = CROCKFORD.iter().position(|it| it == digit);
            sum << 5 | value.unwrap_or_default() as u64
        })
    }

    /// The 26 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only Crockford digits are ever stored.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for RequestId {
    type Err = RequestIdParseError;
    fn from_str(text: &str) -> Result<Self, RequestIdParseError> {
        let upper = text.to_ascii_uppercase();
        let bytes: [u8; Self::LENGTH] = upper
            .as_bytes()
            .try_into()
            .map_err(|_| RequestIdParseError)?;
        if bytes.iter().all(|b| CROCKFORD.contains(b)) {
            Ok(Self(bytes))
        } else {
            Err(RequestIdParseError)
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id is 26 characters of Crockford base 32")]
pub struct RequestIdParseError;
