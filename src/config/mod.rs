//! WHAT THE OPERATOR WROTE: files and environment become one checked `Config`, or a list of everything that is wrong.

pub(crate) mod address;
pub(crate) mod byte_rate;
pub mod caller_files;
mod check;
pub(crate) mod duration;
mod environment;
pub(crate) mod expiry;
pub mod key_digest;
pub(crate) mod key_path;
mod layers;
pub mod load;
pub(crate) mod origin;
pub(crate) mod percent;
pub mod problem;
mod reader;
pub(crate) mod redirect;
pub mod schema;
pub mod secret_ref;
pub mod settings;
pub mod shape;
pub(crate) mod show;
pub(crate) mod size;
pub mod sources;
mod suggestion;
pub(crate) mod text;
mod unsupported;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    admin::{access::Role, health::Ready},
    clock::Timestamp,
    credentials::{authorization::Flow, grant::application::ClientAuth, schedule::RefreshAt},
    limits::rate::Rate,
    names::{CallerName, TenantName},
    ninjaone::operation::Operation,
    policy::rule::Rule,
    secret::Secret,
};

pub use self::settings::{identity::Platform, operating::LogFormat};

use self::{
    problem::{Problems, Warning},
    show::Shown,
    sources::Sources,
};

/// Reads and checks the configuration. `known` are the operations of the catalogue, for the selectors of rules:
/// those of `Catalogue::builtin().all()`. Without any, selectors are not compared with them.
///
/// # Errors
/// All problems, in the order of the files; the exit status for them is 78.
pub fn load(sources: &Sources, known: &[Operation]) -> Result<(Config, Vec<Warning>), Problems> {
    check::check(load::read(sources), sources, known)
}

/// Every setting in force with its origin.
///
/// # Errors
/// All problems, as [`fn@load`] reports them.
pub(crate) fn shown(sources: &Sources, known: &[Operation]) -> Result<Vec<Shown>, Problems> {
    let written = load::read(sources);
    let shown = show::settings(&written);
    check::check(written, sources, known)?;
    Ok(shown)
}

/// Everything the program needs to know, checked. Stations take plain constructors; only `app` reads this.
pub struct Config {
    pub listen: Listen,
    pub tenants: Vec<Tenant>,
    pub callers: Vec<Caller>,
    /// What `[[operation]]` adds to the catalogue. Their `index` is set by the catalogue.
    pub operations: Vec<Operation>,
    pub budget: Budget,
    pub timeouts: Timeouts,
    pub retry: Retry,
    pub audit: Audit,
    pub admin: Admin,
    /// None: nothing outlives the process but the audit log.
    pub store: Option<Store>,
    pub telemetry: Telemetry,
    /// SHA-256 over the merged settings, in hex: ties a decision to a text.
    pub fingerprint: String,
    /// Every file and directory that was read: a change of one of them is a reason to load again.
    pub watched: Vec<PathBuf>,
}

pub struct Listen {
    pub http: Vec<Bind>,
    pub unix: Vec<UnixBind>,
    pub https: Vec<TlsBind>,
    /// Lower-case host names that are answered, without port.
    pub hosts: Vec<String>,
    pub head_bytes_max: usize,
    pub body_bytes_max: u64,
    pub upload_bytes_max: u64,
    pub drain: Duration,
    /// Threads that serve requests; one a core by default.
    pub workers: usize,
    pub connections_max: usize,
    pub connections_per_peer_max: usize,
    /// For a connection without a valid proof so far.
    pub unproven_idle: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    Address(SocketAddr),
    /// `fd:NAME`: a socket that systemd passed, by its `FileDescriptorName`.
    Inherited(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixBind {
    pub path: PathBuf,
    pub mode: u32,
    pub group: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsBind {
    pub bind: Bind,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// It has at least one identity.
pub struct Tenant {
    pub name: TenantName,
    pub label: Option<String>,
    /// `https://eu.ninjarmm.com`: scheme, host and optional port, nothing else.
    pub origin: Origin,
    /// The machine.
    pub service: Option<ServiceIdentity>,
    /// A person who logs in once.
    pub user: Option<UserIdentity>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct ServiceIdentity {
    pub client_id: String,
    pub client_secret: Secret<String>,
    /// Empty: all scopes of the application.
    pub scopes: Vec<String>,
    pub refresh_at: RefreshAt,
    pub client_auth: ClientAuth,
}

/// A person-backed identity. Only a web application has a secret, and it always has one.
#[derive(Clone, PartialEq, Eq)]
pub struct UserIdentity {
    pub client_id: String,
    pub client_secret: Option<Secret<String>>,
    pub platform: Platform,
    pub grant: Flow,
    /// With `offline_access` there will be a refresh token. Never with it where the platform or the grant has none.
    pub scopes: Vec<String>,
    pub redirect: Redirect,
    /// A refresh token is used at least this often, so that it does not lapse; 1 minute to 7 days.
    pub keepalive: Duration,
    pub refresh_at: RefreshAt,
    /// How the secret is sent, where there is one.
    pub client_auth: ClientAuth,
}

/// Where NinjaOne sends the browser after a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Exactly as written: NinjaOne compares it to the last slash.
    pub text: String,
    /// Where `login` listens; none where the browser ends up on another host, or speaks TLS.
    pub loopback: Option<SocketAddr>,
    /// The path of a request to it: begins with a slash, without the query.
    pub path: String,
}

pub struct Caller {
    pub name: CallerName,
    /// SHA-256 of each key that is valid.
    pub keys: Vec<[u8; 32]>,
    pub expires: Option<Timestamp>,
    /// Indexes into `Config::tenants`: which ones this caller may use.
    pub tenants: Vec<usize>,
    /// The rules of its policies and its own, in the order written.
    pub rules: Vec<Rule>,
    pub reason_required: bool,
    pub on_behalf_of_required: bool,
    pub limit: CallerLimit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerLimit {
    pub rate: Rate,
    pub burst: u32,
    pub concurrency: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub rate: Rate,
    pub burst: u32,
    pub concurrency: u32,
    /// How long a request may wait for a slot.
    pub queue: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    pub first_byte: Duration,
    /// Between two pieces of a body, either way.
    pub idle: Duration,
    /// The least that comes of a body on average, in bytes a second, either way.
    pub body_rate: u64,
    /// For all of a body, either way.
    pub body_total: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often a read is sent at most, the first time included.
    pub attempts: u32,
    pub backoff_from: Duration,
    pub backoff_to: Duration,
    pub jitter: bool,
    /// Retries as a share of recent requests, in percent.
    pub budget_percent: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    pub path: PathBuf,
    /// Serve reads while the log cannot be written; everything else is always refused then.
    pub serve_reads_unrecorded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    pub listen: Option<Bind>,
    pub probes: Option<Bind>,
    pub ready: Ready,
    pub hosts: Vec<String>,
    pub access: Vec<Access>,
    /// Longest that a part of the program may go without a sign of life.
    pub watchdog: Duration,
}

/// Who may do what on the admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// SHA-256 of the key.
    pub key: [u8; 32],
    pub role: Role,
}

/// Where refresh tokens are kept, and what they are encrypted with.
#[derive(Clone, PartialEq, Eq)]
pub struct Store {
    pub path: PathBuf,
    /// At least one. The first seals; all of them open.
    pub seals: Vec<Seal>,
}

/// What the store is encrypted with.
#[derive(Clone, PartialEq, Eq)]
pub enum Seal {
    Key(Secret<[u8; 32]>),
    /// At least 12 characters.
    Passphrase(Secret<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    pub log_format: LogFormat,
    pub log_level: String,
    /// Serve `/metrics` on the admin listener.
    pub metrics: bool,
}
