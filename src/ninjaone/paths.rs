//! NinjaOne's paths other than the operations: OAuth endpoints, API prefixes.

/// Where tokens are issued, as documented.
pub const TOKEN_PATH: &str = "/ws/oauth/token";

/// Where tokens are issued too: undocumented, and in wide production use.
pub const TOKEN_PATH_ALIAS: &str = "/oauth/token";

/// Where a user logs in.
pub const AUTHORIZE_PATH: &str = "/ws/oauth/authorize";

/// Where a user logs in too: undocumented, used by clients in production.
pub const AUTHORIZE_PATH_ALIAS: &str = "/oauth/authorize";

/// Where a login ends whose redirect URI is not registered.
pub const AUTHORIZE_ERROR_PATH: &str = "/ws/oauth/error";

/// Where a token is given back.
pub const REVOKE_PATH: &str = "/ws/oauth/revoke";

/// Where a token is given back too, beside [`TOKEN_PATH_ALIAS`].
pub const REVOKE_PATH_ALIAS: &str = "/oauth/revoke";

/// Authorization server metadata (RFC 8414). There is no `OpenID` counterpart.
pub const DISCOVERY_PATH: &str = "/.well-known/oauth-authorization-server";

/// Every operation's template starts with it.
pub const API_BASE: &str = "/v2";

/// The same API under another name: undocumented, and in wide production use.
pub const API_BASE_ALIAS: &str = "/api/v2";

/// The header by which NinjaOne names a request in its own records.
pub const REQUEST_ID_HEADER: &str = "x-nj-request-id";

/// Longest life of an access token that was ever documented, in seconds.
pub const TOKEN_LIFE_SECONDS: u32 = 3600;

/// Whether tokens are issued at `path`, by either of its names.
#[must_use]
pub fn is_token_path(path: &str) -> bool {
    path == TOKEN_PATH || path == TOKEN_PATH_ALIAS
}
