//! A NINJAONE TO PRACTISE ON: the whole catalogue over real HTTP, with a small made-up world behind it and faults on demand.
//!
//! It serves the `sandbox` command, other people's tests, and ours. It behaves as the real one is known to: opaque tokens,
//! `user_context_required`, 404 for a client id of another instance, cursors that belong to a client, pages of HTML where
//! there should be data. Where nothing is known, it does the plainest thing.
//!
//! Served: `POST /ws/oauth/token` and `/oauth/token` (client credentials, in the body or as Basic),
//! `GET /.well-known/oauth-authorization-server`, and every operation below `/v2` and `/api/v2`.
//!
//! # Control
//! On the same listener, unless [`Options::control`] is off. Never recorded, never subject to faults, no token needed.
//!
//! | request | answer |
//! |---|---|
//! | `GET /sandbox/requests[?limit=N]` | `{"seen":N,"token_calls":N,"requests":[…]}`: how many came since the start, and the last 1,000 or N requests, oldest first, each `{"number","method","target","headers":[[name,value],…],"body_bytes","body_sha256","status"}`; `status` is null while unanswered, and if the answer was lost on purpose |
//! | `DELETE /sandbox/requests` | 204; the requests are forgotten, the counts are not |
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
//! | `"status":N` | API requests are answered with this status (400 to 599) and an error body |
//! | `"insufficient_privileges":true` | API requests are answered with 401 `insufficient_privileges` |
//! | `"slow_ms":N` | API requests wait so long (at most 10 minutes) before anything else |
//! | `"lose_response":true` | API requests are done, and the connection closes before the answer |
//! | `"cut_body":true` | answers to API requests end in the middle of the body |
//! | `"token":TEXT` | token requests: `"429"`, `"500"`, `"503"` and any other status from 400, `"html"`, `"empty"`, `"not_json"`, `"hang"`, `"slow:MS"`, `"expires_in:N"`, `"expires_in:string"`, `"expires_in:absent"` |
//! | `"count":N` | the switches go off after N requests that they applied to |
//! | `"revoke_tokens":true` | at once: no token that was issued is known any more |
//! | `"expire_tokens":true` | at once: every token that was issued has expired |

mod answer;
mod api;
mod control;
mod creation;
mod exchange;
pub mod faults;
mod oauth;
mod query;
mod reads;
mod reports;
mod samples;
pub mod seen;
mod server;
mod world;
mod writes;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    ninjaone::{catalogue::Catalogue, endpoint::TOKEN_LIFE_SECONDS, operation::Scope},
    secret::Secret,
    tasks::Tasks,
};

use self::{
    faults::{FaultDesk, Switches},
    oauth::Tokens,
    reports::Cursors,
    seen::{Ring, Seen},
    world::World,
};

pub const DEFAULT_CLIENT_ID: &str = "sandbox-client";

/// Known to everybody: it opens nothing but sandboxes.
pub const DEFAULT_CLIENT_SECRET: &str = "sandbox-secret-not-a-real-one";

const DEFAULT_SEED: u64 = 1;

/// How long [`Ninja::stop`] waits for connections to end.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// An app as an administrator would have made it under Administration, Apps, API.
#[derive(Clone)]
pub struct Client {
    pub id: String,
    pub secret: Secret<String>,
    pub scopes: Vec<Scope>,
    /// Its tokens carry a person, as those of a login do: operations that need one are done.
    pub user_context: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            id: DEFAULT_CLIENT_ID.to_owned(),
            secret: Secret::new(DEFAULT_CLIENT_SECRET.to_owned()),
            scopes: Scope::ALL.to_vec(),
            user_context: false,
        }
    }
}

/// Where the sandbox listens.
pub enum Place {
    /// Port 0 takes a free one: see [`Ninja::address`].
    Address(SocketAddr),
    Listener(TcpListener),
}

pub struct Options {
    pub place: Place,
    /// `None` is plain HTTP. The configuration's ALPN should offer `h2` and `http/1.1`.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The same seed makes the same world, byte for byte.
    pub seed: u64,
    pub clients: Vec<Client>,
    pub token_life: Duration,
    /// Whether `/sandbox/…` is served.
    pub control: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            place: Place::Address(SocketAddr::from(([127, 0, 0, 1], 0))),
            tls: None,
            seed: DEFAULT_SEED,
            clients: vec![Client::default()],
            token_life: Duration::from_secs(u64::from(TOKEN_LIFE_SECONDS)),
            control: true,
        }
    }
}

/// Everything that the sandbox knows while it runs.
struct State {
    catalogue: Catalogue,
    seed: u64,
    control: bool,
    tokens: Tokens,
    world: World,
    cursors: Cursors,
    switches: Switches,
    seen: Ring,
    token_calls: AtomicU64,
}

/// A running sandbox. It ends when this is dropped.
pub struct Ninja {
    state: Arc<State>,
    address: SocketAddr,
    tasks: Tasks,
}

impl Ninja {
    /// Listens and serves on the Tokio runtime of the caller.
    ///
    /// # Errors
    /// The address is taken or may not be used, or there is no runtime.
    pub fn start(options: Options) -> io::Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(io::Error::other("the sandbox needs a Tokio runtime"));
        }
        let listener = match options.place {
            Place::Address(address) => TcpListener::bind(address)?,
            Place::Listener(listener) => listener,
        };
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            catalogue: Catalogue::builtin(),
            seed: options.seed,
            control: options.control,
            tokens: Tokens::new(options.clients, options.token_life),
            world: World::new(options.seed),
            cursors: Cursors::default(),
            switches: Switches::default(),
            seen: Ring::default(),
            token_calls: AtomicU64::new(0),
        });
        let tasks = Tasks::new();
        tasks.spawn_until_stop(server::accept(
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

    /// Every request that is remembered, oldest first: at most [`seen::REQUESTS_MAX`].
    #[must_use]
    pub fn seen(&self) -> Vec<Arc<Seen>> {
        self.state.seen.all()
    }

    pub fn forget_seen(&self) {
        self.state.seen.clear();
    }

    /// Returns once `count` requests have come since the start, answered or not: so that nobody has to sleep.
    pub async fn received(&self, count: u64) {
        self.state.seen.received(count).await;
    }

    /// How many requests came to the token endpoint since the start, whatever the answer was.
    #[must_use]
    pub fn token_calls(&self) -> u64 {
        self.state.token_calls.load(Ordering::Relaxed)
    }

    /// The switches, as over `/sandbox/faults`.
    #[must_use]
    pub fn faults(&self) -> FaultDesk {
        FaultDesk::new(Arc::clone(&self.state))
    }

    pub fn revoke_all_tokens(&self) {
        self.state.tokens.revoke_all();
    }

    /// Closes the listener and every connection, and waits until that is done: at most five seconds.
    pub async fn stop(&self) {
        self.tasks.stop();
        self.tasks.join(STOP_WAIT).await;
    }
}

impl Drop for Ninja {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}
