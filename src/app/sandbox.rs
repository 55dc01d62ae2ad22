//! The sandbox's configuration: a simulated NinjaOne, the proxy in front of it and well-known callers. Nothing is written to
//! disk, and no account is needed.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rustix::system::uname;

use crate::{
    admin::health::ReadinessCondition,
    audit::{log_space, stranger_queue::StrangerLimits},
    caller::api_key::KeyHash,
    clock::Reading,
    config::{
        AdminConfig, AuditConfig, BindAddress, BudgetConfig, CallerConfig, CallerLimitConfig,
        CallerTokenConfig, Config, ListenConfig, LogFormat, Origin, PathOrigin, Platform,
        RedirectUri, RequestLogging, RetryConfig, ServiceIdentity, TelemetryConfig, TenantConfig,
        TimeoutConfig, UserIdentity, value::address::loopback_hosts,
    },
    credentials::{
        grant::application::ClientAuthMethod,
        login::authorization::AuthorizationFlow,
        store::{
            LoginStore,
            error::StoreError,
            stored_login::{StoredAccessToken, StoredLogin},
        },
        token::schedule::RenewalSchedule,
    },
    limits::rate::Rate,
    policy::{
        rule::{Effect, Rule},
        selector::Selector,
    },
    random,
    sandbox::{
        DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, Sandbox, SandboxLoginError,
    },
    secret::Secret,
};

use super::wiring::login_slot;

/// A caller of the sandbox, with its allow and deny selectors.
struct SandboxCaller {
    name: &'static str,
    allow: &'static [&'static str],
    deny: &'static [&'static str],
}

const SANDBOX_CALLERS: [SandboxCaller; 3] = [
    SandboxCaller {
        name: "reporting",
        allow: &["read"],
        deny: &["secrets"],
    },
    SandboxCaller {
        name: "helpdesk",
        allow: &["read", "resetAlert", "tag:ticketing", "runScriptOnDevice"],
        deny: &[],
    },
    SandboxCaller {
        name: "operator",
        allow: &["all"],
        deny: &[],
    },
];

const TENANT: &str = "sandbox";
const REDIRECT_ADDRESS: &str = "127.0.0.1:6468";
const REDIRECT: &str = "http://127.0.0.1:6468/callback";

/// The addresses that the sandbox listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SandboxAddresses {
    pub callers: SocketAddr,
    pub admin: SocketAddr,
    pub ninjaone: SocketAddr,
}

impl SandboxAddresses {
    /// The names under which callers may reach it: those of loopback, and where it listens.
    fn caller_hosts(&self) -> Vec<String> {
        let mut hosts = loopback_hosts();
        let ip = self.callers.ip();
        if ip.is_unspecified() {
            hosts.push(uname().nodename().to_string_lossy().into_owned());
            hosts.extend(way_out_address().map(|it| it.to_string()));
        } else if !ip.is_loopback() {
            hosts.push(ip.to_string());
        }
        hosts
    }
}

/// The machine's address towards other networks. Connecting a UDP socket sends nothing (RFC 5737 keeps this one unused).
fn way_out_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|it| it.ip())
}

/// The name and key of each caller of a sandbox with this seed.
#[must_use]
pub fn keys(seed: u64) -> Vec<(&'static str, String)> {
    SandboxKeys::from_seed(seed).0
}

/// The keys of the sandbox's callers.
pub(crate) struct SandboxKeys(Vec<(&'static str, String)>);

impl SandboxKeys {
    /// The same seed gives the same keys. Everybody can know them, so they are for loopback alone.
    #[must_use]
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self::of(|name| {
            let text = format!("sandbox {seed} {name}");
            BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
        })
    }

    /// Keys that nobody else knows. `None` if the system has no random bytes.
    #[must_use]
    pub(crate) fn random() -> Option<Self> {
        let secrets: Option<Vec<[u8; 32]>> =
            SANDBOX_CALLERS.iter().map(|_| random::bytes()).collect();
        let mut secrets = secrets?.into_iter();
        Some(Self::of(|_| {
            BASE64_URL_SAFE_NO_PAD.encode(secrets.next().unwrap_or_default())
        }))
    }

    fn of(mut secret: impl FnMut(&str) -> String) -> Self {
        let key = |name| (name, format!("njp_{name}_{}", secret(name)));
        Self(SANDBOX_CALLERS.iter().map(|it| it.name).map(key).collect())
    }

    /// The name and key of each caller.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, key)| (*name, key.as_str()))
    }

    fn of_caller(&self, wanted: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == wanted).map(|it| it.1)
    }
}

/// The configuration of the sandbox.
#[must_use]
pub(crate) fn config(addresses: SandboxAddresses, keys: &SandboxKeys, workers: usize) -> Config {
    let strangers = StrangerLimits::default();
    Config {
        listen: listen(addresses, workers),
        tenants: tenant(addresses.ninjaone).into_iter().collect(),
        callers: SANDBOX_CALLERS
            .iter()
            .filter_map(|it| caller(it, keys))
            .collect(),
        operations: Vec::new(),
        budget: BudgetConfig {
            rate: rate(1000),
            burst: 1000,
            concurrency: 64,
            queue_timeout: Duration::from_secs(2),
        },
        caller_tokens: CallerTokenConfig {
            rate: rate(1000),
            burst: 1000,
            lifetime: Duration::from_hours(1),
        },
        timeouts: TimeoutConfig {
            resolve: Origin::RESOLVE_TIMEOUT_DEFAULT,
            connect: Duration::from_secs(5),
            first_byte: Duration::from_mins(1),
            idle: Duration::from_secs(30),
            body_rate_min: 1024,
            body_total: Duration::from_mins(30),
        },
        retry: RetryConfig {
            attempts_max: 3,
            backoff_from: Duration::from_millis(250),
            backoff_to: Duration::from_secs(8),
            jitter: true,
            budget_percent: 10,
        },
        audit: AuditConfig {
            path: PathBuf::new(),
            path_origin: PathOrigin::Default,
            serve_reads_unrecorded: true,
            strangers: strangers.all,
            strangers_per_peer: strangers.per_peer,
            total_bytes_max: log_space::TOTAL_BYTES_MAX,
            reserve_bytes: log_space::RESERVE_BYTES,
        },
        admin: AdminConfig {
            listen: Some(BindAddress::Address(addresses.admin)),
            listen_ipv6: None,
            probes: None,
            metrics: None,
            socket: None,
            anonymous: true,
            readiness: ReadinessCondition::AnyToken,
            hosts: loopback_hosts(),
            access: Vec::new(),
            watchdog_timeout: Duration::from_secs(5),
        },
        store: None,
        telemetry: TelemetryConfig {
            log_format: LogFormat::Auto,
            log_level: "warn".to_owned(),
            log_requests: RequestLogging::None,
            metrics: true,
        },
        fingerprint: "sandbox".to_owned(),
        effective: Arc::default(),
        file: None,
        watched_paths: Vec::new(),
    }
}

fn listen(addresses: SandboxAddresses, workers: usize) -> ListenConfig {
    ListenConfig {
        http: vec![BindAddress::Address(addresses.callers)],
        http_ipv6: None,
        unix: Vec::new(),
        https: Vec::new(),
        hosts: addresses.caller_hosts(),
        head_bytes_max: 32 * 1024,
        body_bytes_max: 16 * 1024 * 1024,
        upload_bytes_max: 100 * 1024 * 1024,
        drain_timeout: Duration::from_secs(20),
        workers,
        connections_max: 4096,
        connections_per_peer_max: 256,
        unauthenticated_idle: Duration::from_secs(10),
    }
}

fn tenant(ninjaone: SocketAddr) -> Option<TenantConfig> {
    Some(TenantConfig {
        name: TENANT.parse().ok()?,
        label: Some("simulated NinjaOne".to_owned()),
        origin: Origin::direct(false, ninjaone.ip().to_string(), ninjaone.port()),
        service: Some(ServiceIdentity {
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            client_secret: Secret::new(DEFAULT_CLIENT_SECRET.to_owned()),
            scopes: Vec::new(),
            refresh_at: RenewalSchedule::AtLifetimePercent(80),
            client_auth: ClientAuthMethod::ClientSecretPost,
        }),
        user: Some(UserIdentity {
            client_id: NATIVE_CLIENT_ID.to_owned(),
            client_secret: None,
            platform: Platform::Native,
            grant: AuthorizationFlow::Code,
            scopes: ["monitoring", "management", "offline_access"]
                .map(str::to_owned)
                .to_vec(),
            redirect: RedirectUri {
                uri: REDIRECT.to_owned(),
                loopback: REDIRECT_ADDRESS.parse().ok(),
                path: "/callback".to_owned(),
            },
            keepalive: Duration::from_hours(12),
            refresh_at: RenewalSchedule::AtLifetimePercent(80),
            client_auth: ClientAuthMethod::ClientSecretPost,
        }),
    })
}

/// Why the sandbox's store has no login.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxStoreError {
    #[error(transparent)]
    Refused(#[from] SandboxLoginError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An in-memory store with a user login: scripts and tickets need one.
///
/// # Errors
/// The simulated NinjaOne refuses the login.
pub(crate) fn store(ninja: &Sandbox) -> Result<LoginStore, SandboxStoreError> {
    let store = LoginStore::memory();
    let login = ninja.log_in(NATIVE_CLIENT_ID)?;
    let now = Reading::now();
    let stored = StoredLogin {
        generation: 1,
        client_id: NATIVE_CLIENT_ID.to_owned(),
        host: ninja.address().to_string(),
        scopes: login.scopes.iter().map(|it| it.as_str().into()).collect(),
        logged_in_at: now.at,
        refreshed_at: now.at,
        refresh_token: Some(login.refresh_token),
        access_token: Some(StoredAccessToken::dated(
            login.access_token,
            now,
            login.life,
        )),
        renewal_marker: None,
        ended: None,
    };
    if let Ok(tenant) = TENANT.parse()
        && let Some(locked) = store.try_lock(&login_slot(&tenant))?
    {
        locked.write(&stored)?;
    }
    Ok(store)
}

fn caller(known: &SandboxCaller, keys: &SandboxKeys) -> Option<CallerConfig> {
    let owner: Arc<str> = Arc::from(format!("caller.{}", known.name));
    let rule = |effect: Effect, text: &&str| {
        Some(Rule {
            effect,
            selector: Selector::parse(text).ok()?,
            owner: Arc::clone(&owner),
            location: Arc::from("sandbox"),
            identity_pin: None,
        })
    };
    let allowed = known.allow.iter().filter_map(|it| rule(Effect::Allow, it));
    let denied = known.deny.iter().filter_map(|it| rule(Effect::Deny, it));
    let key = KeyHash::of(keys.of_caller(known.name)?.as_bytes())?;
    Some(CallerConfig {
        name: known.name.parse().ok()?,
        keys: vec![key.to_bytes()],
        expires: None,
        tenants: vec![0],
        rules: allowed.chain(denied).collect(),
        reason_required: false,
        on_behalf_of_required: false,
        limit: CallerLimitConfig {
            rate: rate(50),
            burst: 100,
            concurrency: 16,
        },
    })
}

fn rate(per_second: u32) -> Rate {
    Rate::per_second(std::num::NonZeroU32::new(per_second).unwrap_or(std::num::NonZeroU32::MIN))
}
