//! What the token endpoint answers when it gives no token, what that means, and what to do.

use crate::ninjaone::fault::{Fault, is_html};

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// `invalid_token`, `expired_token`, `invalid_grant`: the refresh token or code is dead for good.
    InvalidGrant,
    /// A scope was asked for that the app does not have. NinjaOne refuses rather than narrows.
    InvalidScope,
    /// The secret is wrong, or the app may not use this grant.
    InvalidClient,
    /// 404 `Client app not exist`: the app lives on another instance, or nowhere.
    WrongRegion,
    /// The app does not offer this grant.
    GrantNotOffered,
    /// 429, or a page where there should be data.
    Throttled,
    /// 5xx.
    Server,
    NotUnderstood,
}

impl TokenFault {
    /// Reads an answer that is not a token. `content_type` is the header's value, if there was one.
    #[must_use]
    pub fn read(status: u16, content_type: Option<&str>, body: &[u8]) -> Self {
        let page = content_type.is_some_and(is_html);
        if status == 429 {
            return Self::Throttled;
        }
        if status >= 500 {
            return Self::Server;
        }
        let fault = Fault::parse(body).unwrap_or_default();
        if let Some(known) = fault.error.as_deref().and_then(Self::of_word) {
            return known;
        }
        match status {
            404 => Self::WrongRegion,
            _ if page => Self::Throttled,
            401 => Self::InvalidClient,
            _ => Self::NotUnderstood,
        }
    }

    /// RFC 6749 section 5.2, and the two words of NinjaOne's own.
    fn of_word(error: &str) -> Option<Self> {
        Some(match error {
            "invalid_token" | "expired_token" | "invalid_grant" => Self::InvalidGrant,
            "invalid_scope" => Self::InvalidScope,
            "invalid_client" => Self::InvalidClient,
            "unauthorized_client" | "unsupported_grant_type" => Self::GrantNotOffered,
            _ => return None,
        })
    }

    /// Whether asking again later, unchanged, may succeed.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Throttled | Self::Server | Self::NotUnderstood)
    }

    /// For labels and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidGrant => "invalid-grant",
            Self::InvalidScope => "invalid-scope",
            Self::InvalidClient => "invalid-client",
            Self::WrongRegion => "wrong-region",
            Self::GrantNotOffered => "grant-not-offered",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::NotUnderstood => "not-understood",
        }
    }

    /// One sentence: what it means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::InvalidGrant => "NinjaOne no longer accepts the refresh token or login code.",
            Self::InvalidScope => "The NinjaOne app does not have a scope that was asked for.",
            Self::InvalidClient => {
                "NinjaOne does not accept the client secret, or the app may not use this grant."
            }
            Self::WrongRegion => "This NinjaOne instance does not know the client id.",
            Self::GrantNotOffered => "The NinjaOne app does not offer this way to obtain tokens.",
            Self::Throttled => "NinjaOne asks for fewer requests.",
            Self::Server => "NinjaOne had an error of its own.",
            Self::NotUnderstood => "NinjaOne answered something that is not a token.",
        }
    }

    /// One sentence: what to do.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::InvalidGrant => "Log in again: ninjaone-proxy login TENANT.",
            Self::InvalidScope => {
                "Tick the scope on the app (Administration, Apps, API), or take it out of `scopes`."
            }
            Self::InvalidClient => {
                "Check the secret; a new one, made under Administration, Apps, API, ends all access of the old one."
            }
            Self::WrongRegion => "Check `region` or `url`, then `client_id`.",
            Self::GrantNotOffered => {
                "Tick the grant on the app: client credentials for a service, authorization code and refresh token for a user."
            }
            Self::Throttled => "Nothing: it is tried again, ever more slowly.",
            Self::Server => "Nothing: it is tried again. If it lasts, see NinjaOne's status page.",
            Self::NotUnderstood => {
                "Check that `url` is NinjaOne's own and that no gateway stands in between."
            }
        }
    }
}
