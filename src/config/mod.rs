//! CONFIGURATION: files and environment become one checked [`Config`], or a list of everything that is wrong.

pub(crate) mod admin_socket;
pub mod caller_edits;
pub mod caller_file_error;
pub mod caller_files;
mod check;
pub(crate) mod effective_settings;
mod path_origin;
pub mod read;
pub mod settings;
pub mod value;
pub mod way_out;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    admin::{
        access::{AdminRole, UnixAccount},
        health::ReadinessCondition,
    },
    clock::Timestamp,
    credentials::{
        grant::application::ClientAuthMethod, login::authorization::AuthorizationFlow,
        token::schedule::RenewalSchedule,
    },
    limits::rate::Rate,
    names::{CallerName, TenantName},
    ninjaone::operation::Operation,
    policy::rule::Rule,
    secret::Secret,
};

use self::{
    effective_settings::EffectiveSetting,
    read::{
        diagnostics::{ConfigurationError, Warning},
        sources::Sources,
    },
    way_out::WayOut,
};

pub(crate) use self::check::directories::{can_be_written, own_state_directory};
pub use self::{
    path_origin::PathOrigin,
    settings::{
        identity::Platform,
        telemetry::{LogFormat, RequestLogging},
    },
};

/// The settings of the two directories, as errors name them.
pub(crate) const AUDIT_PATH: &str = "audit.path";
pub(crate) const STORE_PATH: &str = "store.path";

/// Reads and checks the configuration. `known` are the operations of the built-in catalogue, against which the selectors of
/// rules are checked; if it is empty they are not.
///
/// # Errors
/// All problems, in the order of the files. The exit code for them is 78.
pub fn load(
    sources: &Sources,
    known: &[Operation],
) -> Result<(Config, Vec<Warning>), ConfigurationError> {
    read_and_check(sources, known, SecretUse::Needed)
}

/// As [`load`], for commands that send nothing: a service's credentials and variables exist for the service alone, so they
/// need not be there, and no command is run for a secret. Those that are missing are empty in the result, which must not be
/// served with.
///
/// # Errors
/// All problems, in the order of the files. The exit code for them is 78.
pub fn inspect(
    sources: &Sources,
    known: &[Operation],
) -> Result<(Config, Vec<Warning>), ConfigurationError> {
    read_and_check(sources, known, SecretUse::NotNeeded)
}

fn read_and_check(
    sources: &Sources,
    known: &[Operation],
    secrets: SecretUse,
) -> Result<(Config, Vec<Warning>), ConfigurationError> {
    let written = crate::config::read::load::read(sources);
    let shown = effective_settings::effective_settings(&written);
    let (mut config, warnings) = check::check(written, sources, known, secrets)?;
    config.effective = in_force(shown, &config).into();
    Ok((config, warnings))
}

/// Whether whoever reads the configuration needs its secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecretUse {
    Needed,
    NotNeeded,
}

/// What is written, with what follows from the machine and the environment.
fn in_force(mut shown: Vec<EffectiveSetting>, config: &Config) -> Vec<EffectiveSetting> {
    if config.audit.path_origin == PathOrigin::UserState {
        let origin = config.audit.path_origin.describe(AUDIT_PATH);
        let of_audit = shown.iter_mut().filter(|it| it.setting == AUDIT_PATH);
        for setting in of_audit {
            setting.value = config.audit.path.display().to_string().into();
            setting.origin.clone_from(&origin);
        }
    }
    let tenants = config.tenants.iter();
    let ways_out = tenants.map(|it| (&it.name, &it.origin.way_out));
    effective_settings::add_ways_out(&mut shown, ways_out);
    shown
}

/// The checked configuration. Only `app` and `cli` read it; `app::wiring` translates it for the stations.
pub struct Config {
    pub listen: ListenConfig,
    pub tenants: Vec<TenantConfig>,
    pub callers: Vec<CallerConfig>,
    /// What `[[operation]]` adds to the catalogue, which sets their `index`.
    pub operations: Vec<Operation>,
    pub budget: BudgetConfig,
    pub caller_tokens: CallerTokenConfig,
    pub timeouts: TimeoutConfig,
    pub retry: RetryConfig,
    pub audit: AuditConfig,
    pub admin: AdminConfig,
    /// `None`: nothing but the audit log outlives the process.
    pub store: Option<StoreConfig>,
    pub telemetry: TelemetryConfig,
    /// SHA-256 of the merged settings, in hex: ties a decision to the configuration that made it.
    pub fingerprint: String,
    /// Every setting as it is in force, secrets masked.
    pub effective: Arc<[EffectiveSetting]>,
    /// The main file, as an absolute path; none where there is none.
    pub file: Option<PathBuf>,
    /// Every file and directory that was read: a change to any of them triggers a reload.
    pub watched_paths: Vec<PathBuf>,
}

/// The listeners for callers, and the limits on their connections and requests.
pub struct ListenConfig {
    pub http: Vec<BindAddress>,
    /// `[::1]` beside the default of `http`, where the machine has it.
    pub http_ipv6: Option<SocketAddr>,
    pub unix: Vec<UnixListenerConfig>,
    pub https: Vec<TlsListenerConfig>,
    /// Accepted host names: lower case, without port.
    pub hosts: Vec<String>,
    pub head_bytes_max: usize,
    pub body_bytes_max: u64,
    pub upload_bytes_max: u64,
    pub drain_timeout: Duration,
    /// Threads that serve requests; one per core by default.
    pub workers: usize,
    pub connections_max: usize,
    pub connections_per_peer_max: usize,
    /// Idle timeout of a connection that has not authenticated yet.
    pub unauthenticated_idle: Duration,
}

/// What to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAddress {
    Address(SocketAddr),
    /// `fd:NAME`: a socket from systemd, by its `FileDescriptorName`.
    Inherited(String),
}

/// A Unix socket to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixListenerConfig {
    pub path: PathBuf,
    pub mode: u32,
    pub group: Option<String>,
}

/// An address to listen on with TLS. `cert` and `key` are PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsListenerConfig {
    pub bind: BindAddress,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A NinjaOne instance. It has at least one identity.
#[derive(Clone, PartialEq, Eq)]
pub struct TenantConfig {
    pub name: TenantName,
    pub label: Option<String>,
    /// `https://eu.ninjarmm.com`: scheme, host and optional port, nothing else.
    pub origin: Origin,
    /// The service identity: client credentials (RFC 6749 section 4.4).
    pub service: Option<ServiceIdentity>,
    /// The user identity: somebody logs in once.
    pub user: Option<UserIdentity>,
}

/// Scheme, host and port of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// A PEM file with certificate authorities to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    /// For the lookup of the host's name: `timeouts.resolve`.
    pub resolve_timeout: Duration,
    /// How it is reached.
    pub way_out: WayOut,
}

impl Origin {
    /// How long a lookup may take where no configuration says otherwise.
    pub const RESOLVE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

    /// Reached directly, and with the system's certificate authorities alone.
    #[must_use]
    pub(crate) fn direct(tls: bool, host: String, port: u16) -> Self {
        Self {
            tls,
            host,
            port,
            ca: None,
            resolve_timeout: Self::RESOLVE_TIMEOUT_DEFAULT,
            way_out: WayOut::Direct,
        }
    }
}

/// A service identity: client credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceIdentity {
    pub client_id: String,
    pub client_secret: Secret<String>,
    /// If empty, all scopes of the application.
    pub scopes: Vec<String>,
    pub refresh_at: RenewalSchedule,
    pub client_auth: ClientAuthMethod,
}

/// A user identity. Web applications always have a secret, others never.
#[derive(Clone, PartialEq, Eq)]
pub struct UserIdentity {
    pub client_id: String,
    pub client_secret: Option<Secret<String>>,
    pub platform: Platform,
    pub grant: AuthorizationFlow,
    /// Contains `offline_access` only if the platform and the grant give a refresh token.
    pub scopes: Vec<String>,
    pub redirect: RedirectUri,
    /// The refresh token is used at least this often, so that it does not expire; 1 minute to 7 days.
    pub keepalive: Duration,
    pub refresh_at: RenewalSchedule,
    /// How the secret is sent, if there is one.
    pub client_auth: ClientAuthMethod,
}

/// The redirect URI of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    /// Exactly as written: NinjaOne compares every character.
    pub uri: String,
    /// Where `login` listens; `None` if the URI is on another host or uses TLS.
    pub loopback: Option<SocketAddr>,
    /// Its path: begins with a slash, without the query.
    pub path: String,
}

/// A caller: how it authenticates, and what it may do.
pub struct CallerConfig {
    pub name: CallerName,
    /// The SHA-256 digest of each valid key.
    pub keys: Vec<[u8; 32]>,
    pub expires: Option<Timestamp>,
    /// The tenants that this caller may use, as indexes into `Config::tenants`.
    pub tenants: Vec<usize>,
    /// The rules of its policies, then its own, in the order written.
    pub rules: Vec<Rule>,
    pub reason_required: bool,
    pub on_behalf_of_required: bool,
    pub limit: CallerLimitConfig,
}

/// The rate limit and the concurrency limit of one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerLimitConfig {
    pub rate: Rate,
    pub burst: u32,
    pub concurrency: u32,
}

/// What a tenant may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetConfig {
    pub rate: Rate,
    pub burst: u32,
    pub concurrency: u32,
    /// How long a request may wait for its turn.
    pub queue_timeout: Duration,
}

/// The proxy's own token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerTokenConfig {
    /// How often each caller may ask.
    pub rate: Rate,
    pub burst: u32,
    /// Whole seconds, at least one.
    pub lifetime: Duration,
}

/// Timeouts towards NinjaOne, and of bodies in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutConfig {
    /// For the lookup of a name. Each [`Origin`] has it as well.
    pub resolve: Duration,
    pub connect: Duration,
    pub first_byte: Duration,
    /// Between two chunks of a body, in either direction.
    pub idle: Duration,
    /// Minimum average rate of a body in bytes per second, in either direction.
    pub body_rate_min: u64,
    /// For a whole body, in either direction.
    pub body_total: Duration,
}

/// How reads are retried. Writes never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryConfig {
    /// Most times that a read is sent, including the first.
    pub attempts_max: u32,
    pub backoff_from: Duration,
    pub backoff_to: Duration,
    pub jitter: bool,
    /// Most retries, in percent of recent requests.
    pub budget_percent: u8,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    pub path: PathBuf,
    /// Why the log is there.
    pub path_origin: PathOrigin,
    /// Serve reads while the log cannot be written; writes are always refused then.
    pub serve_reads_unrecorded: bool,
    /// Lines of strangers that are written one by one: of all, and of each peer.
    pub strangers: Rate,
    pub strangers_per_peer: Rate,
    /// Most bytes of all files of the log.
    pub total_bytes_max: u64,
    /// How many of them are kept for intents and outcomes of callers.
    pub reserve_bytes: u64,
}

/// The admin, probes and metrics listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    pub listen: Option<BindAddress>,
    /// `[::1]` beside the default of `listen`, where the machine has it.
    pub listen_ipv6: Option<SocketAddr>,
    pub probes: Option<BindAddress>,
    /// Of `/metrics` alone.
    pub metrics: Option<BindAddress>,
    /// The Unix socket that commands ask.
    pub socket: Option<AdminSocketConfig>,
    /// Whether anybody may look.
    pub anonymous: bool,
    pub readiness: ReadinessCondition,
    pub hosts: Vec<String>,
    pub access: Vec<AdminAccessConfig>,
    /// Longest time that a component may go without a heartbeat.
    pub watchdog_timeout: Duration,
}

/// The admin socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSocketConfig {
    pub path: PathBuf,
    /// Whether the configuration names it; a default that cannot be opened does not keep the program from starting.
    pub is_configured: bool,
}

/// Somebody who may look at the proxy or change something, and the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAccessConfig {
    pub who: AdminIdentity,
    pub role: AdminRole,
}

/// Who somebody is to the admin listener and the admin socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminIdentity {
    /// The SHA-256 digest of a key.
    Key([u8; 32]),
    Account(UnixAccount),
}

/// Where logins are stored, and the keys that encrypt them.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreConfig {
    pub path: PathBuf,
    /// Why the store is there.
    pub path_origin: PathOrigin,
    /// At least one. The first encrypts; all of them decrypt.
    pub seals: Vec<Seal>,
}

/// A key of the store.
#[derive(Clone, PartialEq, Eq)]
pub enum Seal {
    Key(Secret<[u8; 32]>),
    /// At least 12 characters.
    Passphrase(Secret<String>),
}

/// The program's own log, and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    pub log_format: LogFormat,
    pub log_level: String,
    pub log_requests: RequestLogging,
    /// Serve `/metrics` on the admin listener.
    pub metrics: bool,
}
