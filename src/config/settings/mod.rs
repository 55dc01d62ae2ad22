//! The settings as written: names, types and defaults. `check` parses values such as "32KiB".
//!
//! The JSON Schema, the known keys and the defaults all come from these types, so each key is declared once. Their doc
//! comments are the descriptions in the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod caller;
pub mod identity;
pub mod keyword;
pub mod operating;
pub mod operation;
pub mod secret;
pub mod store;

use crate::ninjaone::region::Region;

use self::{
    caller::{CallerSettings, PolicySettings},
    identity::{ServiceIdentitySettings, UserIdentitySettings},
    keyword::Keyword,
    operating::{AdminSettings, AuditSettings, TelemetrySettings},
    operation::OperationSettings,
    store::StoreSettings,
};

use super::value::address::loopback_hosts;

/// Settings of ninjaone-proxy.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where callers connect.
    pub listen: ListenSettings,
    /// The NinjaOne instances that we hold credentials for, by name.
    #[schemars(extend("x-named" = "a tenant"))]
    pub tenant: BTreeMap<String, TenantSettings>,
    /// Who may ask, by name. Nothing is allowed that no rule allows.
    #[schemars(extend("x-named" = "a caller"))]
    pub caller: BTreeMap<String, CallerSettings>,
    /// Sets of rules that callers share, by name.
    #[schemars(extend("x-named" = "a policy"))]
    pub policy: BTreeMap<String, PolicySettings>,
    /// What may be done per time.
    pub limits: LimitsSettings,
    /// Operations that NinjaOne has added since this build.
    pub operation: Vec<OperationSettings>,
    /// How long NinjaOne and the bodies of both sides may take.
    pub timeouts: TimeoutSettings,
    /// How reads are repeated. Writes never are.
    pub retry: RetrySettings,
    /// What happened, on record.
    pub audit: AuditSettings,
    /// The listeners of those who operate the proxy.
    pub admin: AdminSettings,
    /// What outlives the process, encrypted.
    pub store: StoreSettings,
    /// The log and the metrics.
    pub telemetry: TelemetrySettings,
}

/// Where callers connect.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSettings {
    /// Addresses for plain HTTP: "127.0.0.1:6465", ":0" for any free port of the loopback, "fd:http" for a systemd socket.
    pub http: Vec<String>,
    /// Unix sockets.
    pub unix: Vec<UnixListenerSettings>,
    /// Addresses for HTTPS.
    pub https: Vec<TlsListenerSettings>,
    /// Host names that are answered, without port.
    pub hosts: Vec<String>,
    /// Longest head of a request, such as "32KiB".
    pub max_header: String,
    /// Longest body of a request, such as "16MiB".
    pub max_body: String,
    /// Longest body of an upload, such as "100MiB".
    pub max_upload: String,
    /// How long a shutdown waits for requests under way, such as "20s".
    pub drain: String,
    /// Threads that serve requests; one a core if not set.
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u32>,
    /// Connections at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Connections at a time from one address.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_peer: u32,
    /// How long a connection may be idle before its first request with a valid key, such as "10s".
    pub unproven_idle: String,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            http: vec!["127.0.0.1:6465".into()],
            unix: Vec::new(),
            https: Vec::new(),
            hosts: loopback_hosts(),
            max_header: "32KiB".into(),
            max_body: "16MiB".into(),
            max_upload: "100MiB".into(),
            drain: "20s".into(),
            workers: None,
            connections: 4096,
            connections_per_peer: 256,
            unproven_idle: "10s".into(),
        }
    }
}

/// A Unix socket.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UnixListenerSettings {
    /// Where the socket is made.
    #[schemars(extend("x-required" = true))]
    pub path: Option<String>,
    /// Its permissions in octal, "0660" if not set.
    pub mode: Option<String>,
    /// The group that it belongs to.
    pub group: Option<String>,
}

/// An address for HTTPS.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsListenerSettings {
    /// An address such as "0.0.0.0:6443".
    #[schemars(extend("x-required" = true))]
    pub bind: Option<String>,
    /// A PEM file: the certificate and those between it and its authority.
    #[schemars(extend("x-required" = true))]
    pub cert: Option<String>,
    /// A PEM file: the private key.
    #[schemars(extend("x-required" = true))]
    pub key: Option<String>,
}

/// A NinjaOne instance. It has a `region` or a `url`, and at least one of `service` and `user`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// The region that the instance is in.
    pub region: Option<Keyword<Region>>,
    /// The address of a branded instance, such as `https://acme.rmmservice.com`.
    pub url: Option<String>,
    /// A text for people.
    pub label: Option<String>,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca: Option<String>,
    /// The machine identity.
    pub service: Option<ServiceIdentitySettings>,
    /// The person-backed identity, for operations that NinjaOne refuses to machines.
    pub user: Option<UserIdentitySettings>,
}

/// What may be done per time.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSettings {
    /// What each tenant sees of us.
    pub upstream: UpstreamLimitSettings,
    /// What each caller may do, unless a policy or the caller says otherwise.
    pub caller: DefaultCallerLimitSettings,
}

/// What a tenant sees of us.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamLimitSettings {
    /// Such as "10/s".
    pub rate: String,
    /// How many may go at once; if not set, what the rate gives in two seconds, but at least 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
    /// How many may be under way at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: u32,
    /// How long a request waits for its turn, such as "2s".
    pub queue: String,
}

impl Default for UpstreamLimitSettings {
    fn default() -> Self {
        Self {
            rate: "10/s".into(),
            burst: None,
            concurrency: 8,
            queue: "2s".into(),
        }
    }
}

/// What a caller may do, unless something else is said.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultCallerLimitSettings {
    /// Such as "5/s".
    pub rate: String,
    /// How many may come at once; if not set, what the rate gives in two seconds, but at least 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
    /// How many may be under way at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: u32,
}

impl Default for DefaultCallerLimitSettings {
    fn default() -> Self {
        Self {
            rate: "5/s".into(),
            burst: None,
            concurrency: 4,
        }
    }
}

/// How long NinjaOne and the bodies of both sides may take.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutSettings {
    /// To accept a connection.
    pub connect: String,
    /// To begin its answer.
    pub first_byte: String,
    /// Between two pieces of a body.
    pub idle: String,
    /// The least that comes of a body on average over 30 seconds, such as "1KiB/s".
    pub body_rate: String,
    /// For all of a body.
    pub body_total: String,
}

impl Default for TimeoutSettings {
    fn default() -> Self {
        Self {
            connect: "5s".into(),
            first_byte: "60s".into(),
            idle: "30s".into(),
            body_rate: "1KiB/s".into(),
            body_total: "30m".into(),
        }
    }
}

/// How reads are repeated.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySettings {
    /// How often a read is sent at most, the first time included.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// How long to wait in between.
    pub backoff: BackoffSettings,
    /// Repetitions as a share of recent requests.
    pub budget: String,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: BackoffSettings::default(),
            budget: "10%".into(),
        }
    }
}

/// How long to wait between two attempts; it doubles each time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackoffSettings {
    /// The first time.
    pub from: String,
    /// At most.
    pub to: String,
    /// Whether any shorter time will do, so that callers do not come back together.
    pub jitter: bool,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self {
            from: "250ms".into(),
            to: "8s".into(),
            jitter: true,
        }
    }
}
