//! A SIMULATED NINJAONE: the whole catalogue over real HTTP, with a small fictitious world behind it and faults on demand.
//!
//! It serves the `sandbox` command, users' tests, and ours. It behaves as NinjaOne is known to: opaque tokens,
//! `user_context_required`, 404 for a client id of another instance, cursors that belong to a client, pages of HTML where
//! there should be data. Where nothing is known, it does the simplest thing.
//!
//! Served: the OAuth server (`/ws/oauth/authorize`, `/ws/oauth/token`, `/ws/oauth/revoke`,
//! `/.well-known/oauth-authorization-server`; the first two also below `/oauth/`) and every operation below `/v2` and `/api/v2`.
//!
//! # Apps
//! One of each platform, unless [`SandboxOptions::clients`] says otherwise:
//!
//! | client id | platform | client secret | redirect addresses | grants |
//! |---|---|---|---|---|
//! | [`DEFAULT_CLIENT_ID`] | API Services | [`DEFAULT_CLIENT_SECRET`] | none: its authorize page is 404 | `client_credentials` |
//! | [`WEB_CLIENT_ID`] | Web | [`WEB_CLIENT_SECRET`] | exactly one of [`WEB_REDIRECTS`] | `authorization_code`, `refresh_token`, implicit |
//! | [`NATIVE_CLIENT_ID`] | Native | none | `http://127.0.0.1` with any port and path | `authorization_code` with PKCE, `refresh_token`, implicit |
//! | [`SINGLE_PAGE_CLIENT_ID`] | Single Page | none | exactly one of [`SINGLE_PAGE_REDIRECTS`] | `authorization_code` with PKCE, implicit |
//!
//! A refresh token comes with the scope `offline_access` only, and is valid for one use. Whoever opens the authorize page is
//! logged in; its form posts the parameters of the query, and `decision=allow` or `decision=deny`.
//!
//! # Control
//! On the same listener, unless [`SandboxOptions::control`] is off. Never recorded, never subject to faults, no token needed.
//!
//! | request | response |
//! |---|---|
//! | `GET /sandbox/requests[?limit=N]` | `{"seen":N,"token_calls":N,"requests":[…]}`: how many arrived since the start, and the last 1,000 or N requests, oldest first, each `{"number","method","target","headers":[[name,value],…],"body_bytes","body_sha256","status"}`; `status` is null until there is a response, and if it was lost on purpose |
//! | `DELETE /sandbox/requests` | 204; the requests are forgotten, the counts are not |
//! | `GET /sandbox/counts` | `{"token_calls":{"authorization_code":N,"refresh_token":N,"client_credentials":N,"other":N},"logins":N,"rotations":N,"reuses":N,"code_reuses":N,"revocations":N}` since the start |
//! | `POST /sandbox/logins` | with `{"client_id":ID}`: 201 and the token response of a login, with a refresh token; 400 with a sentence if the app can have none |
//! | `POST /sandbox/reset` | 204; the world is as after the start, and no cursor is open. Tokens and requests stay |
//! | `GET /sandbox/clock` | `{"now":N}`: the sandbox's time in seconds since 1970; it starts at 2026-11-17T14:00:00Z |
//! | `POST /sandbox/clock` | with `{"advance_seconds":N}`: puts the time forward, so that what is due happens: scripts end, maintenance begins and ends |
//! | `GET /sandbox/webhooks` | `{"webhooks":[…]}`: the webhooks that apps have configured. Nothing is sent to them |
//! | `GET /sandbox/faults` | the switches that are on, as they would be posted |
//! | `POST /sandbox/faults` | the switches that are on from now, instead of those before; 400 with a sentence if it is not understood |
//! | `DELETE /sandbox/faults` | 204; all switches are off |
//!
//! The body of `POST /sandbox/faults` is an object of at most 4 KiB with any of:
//!
//! | member | meaning |
//! |---|---|
//! | `"throttle":"429"` or `"html"` | API requests are throttled, as a status or as a page with status 200 |
//! | `"retry_after":N` | seconds in the `Retry-After` of a throttle or a 503; absent by default |
//! | `"status":N` | API requests get this status (400 to 599) and an error body |
//! | `"insufficient_privileges":true` | API requests get 401 `insufficient_privileges` |
//! | `"slow_ms":N` | API requests wait so long (at most 10 minutes) before anything else |
//! | `"lose_response":true` | API requests are processed, and the connection closes without a response |
//! | `"cut_body":true` | responses to API requests end in the middle of the body |
//! | `"token":TEXT` | token requests: see below |
//! | `"token_grant":TEXT` | `token` is for requests with this `grant_type` only |
//! | `"count":N` | the switches above go off after N requests that they applied to |
//! | `"revoke_tokens":true` | at once: every token, code and login that was issued is revoked |
//! | `"expire_tokens":true` | at once: every access token that was issued has expired |
//! | `"token_life_seconds":N` | access tokens live so long from now on |
//! | `"reuse_ends_login":true` | a reused refresh token ends its login: its successors and access tokens are invalid |
//! | `"issuer_in_answers":true` | the authorize page returns `iss` (RFC 9207), and discovery says so |
//! | `"new_cursor_names":true` | each page of a report names a new cursor; otherwise one name leads through all of them |
//! | `"no_discovery":true` | `/.well-known/oauth-authorization-server` is 404 |
//!
//! | `token` | what a token request gets |
//! |---|---|
//! | `"400"` to `"599"` | this status, with the body that is known for it and `retry_after`; the request is not processed |
//! | `"invalid_token"`, `"expired_token"`, `"invalid_grant"` | 400 with this error code; the request is not processed |
//! | `"html"`, `"empty"`, `"not_json"` | 200 with a page, with nothing, with half a body; the request is not processed |
//! | `"hang"` | nothing, for ten minutes |
//! | `"slow_start:MS"` | its response, after a pause before processing |
//! | `"slow:MS"` | its response, after a pause after processing: a refresh token is invalid at once |
//! | `"lose_response"` | nothing: the request is processed, and the connection closes |
//! | `"no_refresh_token"` | a token alone; the refresh token that was presented stays valid |
//! | `"scope:NAME"` | a token with this scope alone |
//! | `"expires_in:N"`, `"expires_in:string"`, `"expires_in:absent"` | a token with this life stated |

mod answer;
mod api;
mod call;
mod control;
mod cursors;
mod device_filter;
mod exchange;
pub mod faults;
mod form_pairs;
mod form_parts;
mod oauth;
mod operations;
mod received_request;
mod report_rows;
pub mod request_log;
mod response;
mod schema;
mod seeded_rng;
mod server;
mod time_text;
mod world;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use crate::{
    ninjaone::{catalogue::Catalogue, paths::TOKEN_LIFE_SECONDS},
    tasks::Tasks,
};

use self::{
    cursors::Cursors,
    faults::{FaultControl, FaultSwitches},
    oauth::{OAuthServer, logins},
    request_log::{RequestLog, RequestRecord},
    world::World,
};

pub use self::oauth::{
    clients::{
        Client, ClientPlatform, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID,
        SINGLE_PAGE_CLIENT_ID, SINGLE_PAGE_REDIRECTS, WEB_CLIENT_ID, WEB_CLIENT_SECRET,
        WEB_REDIRECTS,
    },
    counts::{OAuthCounts, TokenCalls},
    grant_type::GrantType,
    logins::{SandboxLogin, SandboxLoginError},
};

const DEFAULT_SEED: u64 = 1;

const CODE_LIFE_DEFAULT: Duration = Duration::from_mins(1);

/// How long [`Sandbox::stop`] waits for connections to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the sandbox listens.
pub enum ListenerSource {
    /// Port 0 picks a free one: see [`Sandbox::address`].
    Address(SocketAddr),
    Listener(TcpListener),
}

pub struct SandboxOptions {
    pub listener: ListenerSource,
    /// `None` is plain HTTP. The configuration's ALPN should offer `h2` and `http/1.1`.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The same seed makes the same world, byte for byte.
    pub seed: u64,
    pub clients: Vec<Client>,
    /// Of an access token; a switch can change it later.
    pub token_life: Duration,
    /// How long the code of a login can be exchanged.
    pub code_life: Duration,
    /// Ids of operations that need a user, in addition to those marked in the catalogue.
    pub user_only_operations: Vec<String>,
    /// Whether `/sandbox/…` is served.
    pub control: bool,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listener: ListenerSource::Address(SocketAddr::from(([127, 0, 0, 1], 0))),
            tls: None,
            seed: DEFAULT_SEED,
            clients: Client::defaults(),
            token_life: Duration::from_secs(u64::from(TOKEN_LIFE_SECONDS)),
            code_life: CODE_LIFE_DEFAULT,
            user_only_operations: Vec::new(),
            control: true,
        }
    }
}

/// The state of a running sandbox.
struct SandboxState {
    catalogue: Catalogue,
    seed: u64,
    control: bool,
    /// The scheme of its own URLs.
    scheme: &'static str,
    oauth: OAuthServer,
    user_only_operations: Vec<String>,
    world: World,
    cursors: Cursors,
    faults: FaultSwitches,
    requests: RequestLog,
}

/// A running sandbox. It stops when dropped.
pub struct Sandbox {
    state: Arc<SandboxState>,
    address: SocketAddr,
    tasks: Tasks,
}

impl Sandbox {
    /// Listens and serves on the Tokio runtime of the caller.
    ///
    /// # Errors
    /// The address is taken or may not be used, or there is no runtime.
    pub fn start(options: SandboxOptions) -> io::Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(io::Error::other("the sandbox needs a Tokio runtime"));
        }
        let listener = match options.listener {
            ListenerSource::Address(address) => TcpListener::bind(address)?,
            ListenerSource::Listener(listener) => listener,
        };
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let state = Arc::new(SandboxState {
            catalogue: Catalogue::builtin(),
            seed: options.seed,
            control: options.control,
            scheme: if options.tls.is_some() {
                "https"
            } else {
                "http"
            },
            oauth: OAuthServer::new(options.clients, options.token_life, options.code_life),
            user_only_operations: options.user_only_operations,
            world: World::new(options.seed),
            cursors: Cursors::default(),
            faults: FaultSwitches::default(),
            requests: RequestLog::default(),
        });
        let tasks = Tasks::new();
        tasks.spawn_until_shutdown(server::accept(
            listener,
            options.tls,
            Arc::clone(&state),
            tasks.clone(),
        ));
        Ok(Self {
            state,
            address,
            tasks,
        })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request that is remembered, oldest first: at most [`request_log::REQUESTS_MAX`].
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<RequestRecord>> {
        self.state.requests.all()
    }

    pub fn clear_requests(&self) {
        self.state.requests.clear();
    }

    /// Returns once `count` requests have arrived since the start, with or without a response, so that no test has to sleep.
    pub async fn wait_for_requests(&self, count: u64) {
        self.state.requests.wait_for(count).await;
    }

    /// How many requests came to the token endpoint since the start, whatever the response was.
    #[must_use]
    pub fn token_calls(&self) -> u64 {
        self.counts().token_calls.all()
    }

    /// What happened to tokens since the start, as over `/sandbox/counts`.
    #[must_use]
    pub fn counts(&self) -> OAuthCounts {
        self.state.oauth.counts()
    }

    /// Logs a user in without the consent page: with all scopes of the app and `offline_access`.
    ///
    /// # Errors
    /// There is no such app, or it gets no refresh tokens.
    pub fn log_in(&self, client_id: &str) -> Result<SandboxLogin, SandboxLoginError> {
        logins::log_in(&self.state, client_id)
    }

    /// The switches, as over `/sandbox/faults`.
    #[must_use]
    pub fn faults(&self) -> FaultControl {
        FaultControl::new(Arc::clone(&self.state))
    }

    /// Revokes access tokens, codes, and logins with their refresh tokens.
    pub fn revoke_all_tokens(&self) {
        self.state.oauth.revoke_all();
    }

    /// Closes the listener and every connection, and waits until that is done: at most five seconds.
    pub async fn stop(&self) {
        self.tasks.request_shutdown();
        self.tasks.join_timeout(STOP_TIMEOUT).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.request_shutdown();
    }
}
