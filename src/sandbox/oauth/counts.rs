//! Counters of token events, for tests in another process.

use serde::Serialize;

use crate::sandbox::oauth::grant_type::GrantType;

/// Counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OAuthCounts {
    /// Requests to the token endpoint, whatever the response was.
    pub token_calls: TokenCalls,
    /// Logins that began, each with its own refresh tokens.
    pub logins: u64,
    /// Refresh tokens that were exchanged for their successor.
    pub rotations: u64,
    /// Refresh tokens that were presented again after they had been exchanged.
    pub reuses: u64,
    /// Codes that were presented again after they had been exchanged.
    pub code_reuses: u64,
    /// Known tokens that were revoked at the revocation endpoint.
    pub revocations: u64,
}

/// Requests to the token endpoint by `grant_type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TokenCalls {
    pub authorization_code: u64,
    pub refresh_token: u64,
    pub client_credentials: u64,
    /// Unknown or absent.
    pub other: u64,
}

impl TokenCalls {
    /// All token calls.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.authorization_code + self.refresh_token + self.client_credentials + self.other
    }

    pub(super) const fn count(&mut self, grant: Option<GrantType>) {
        let calls = match grant {
            Some(GrantType::AuthorizationCode) => &mut self.authorization_code,
            Some(GrantType::RefreshToken) => &mut self.refresh_token,
            Some(GrantType::ClientCredentials) => &mut self.client_credentials,
            None => &mut self.other,
        };
        *calls += 1;
    }
}
