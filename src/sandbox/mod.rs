//! A SIMULATED NINJAONE: the whole catalogue over real HTTP, with a small fictitious world behind it and faults on demand.
//!
//! It serves the `sandbox` command, users' tests, and ours. It behaves as NinjaOne is known to: opaque tokens,
//! `user_context_required`, 404 for a client id of another instance, cursors that belong to a client, pages of HTML where
//! there should be data. Where nothing is known, it does the simplest thing.
//!
//! Served: the OAuth server (`/ws/oauth/authorize`, `/ws/oauth/token`, `/ws/oauth/revoke`,
//! `/.well-known/oauth-authorization-server`; the first two also below `/oauth/`) and every operation below `/v2` and `/api/v2`.
//!
//! `docs/reference/sandbox.md` has its applications, the requests below `/sandbox/` that control it, the switches of
//! `POST /sandbox/faults`, and how sure we are that the real one does the same.

mod answer;
mod answer_cache;
mod api;
mod call;
mod certificate;
mod connection;
mod control;
mod cursors;
mod device_filter;
mod exchange;
pub mod faults;
mod filter_terms;
mod form_pairs;
mod multipart;
mod oauth;
mod operations;
mod organization_filter;
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
    answer_cache::AnswerCache,
    cursors::Cursors,
    faults::{FaultControl, FaultSwitches},
    oauth::{OAuthServer, logins},
    request_log::{RequestLog, RequestRecord},
    world::World,
};

pub use self::certificate::SandboxCertificate;

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
    answers: AnswerCache,
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
            answers: AnswerCache::default(),
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
