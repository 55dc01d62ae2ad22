//! The sandbox's files: the configuration of a proxy in front of a simulated NinjaOne, with well-known callers, in a temporary
//! directory. No account is needed, and nothing stays.

pub(crate) mod directory;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::PathBuf,
};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rustix::system::uname;

use crate::{
    clock::Reading,
    config::{
        self, Config,
        read::{
            diagnostics::ConfigurationError,
            sources::{CALLERS_DIRECTORY, Sources},
        },
        value::{address::loopback_hosts, key_digest},
    },
    credentials::store::{
        error::StoreError,
        stored_login::{StoredAccessToken, StoredLogin},
    },
    random,
    sandbox::{
        DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, Sandbox, SandboxLoginError,
    },
};

use self::directory::SandboxDirectory;

use super::{
    reload::Reloader,
    wiring::{self, StoreOpenError, login_slot},
};

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

/// Files of the sandbox, beside its configuration.
const SECRET_FILE: &str = "client.secret";
const SEAL_FILE: &str = "store.key";
const SOCKET_FILE: &str = "admin.sock";

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

/// The URL of a listener on all addresses, by one that others reach too.
pub(crate) fn reachable(url: &str) -> String {
    let Some(address) = way_out_address().filter(IpAddr::is_ipv4) else {
        return url.to_owned();
    };
    let host = format!("//{address}:");
    url.replace("//0.0.0.0:", &host).replace("//[::]:", &host)
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

/// The files of a sandbox: a configuration like any other, so that every command works on it.
pub(crate) struct SandboxFiles {
    directory: SandboxDirectory,
    sources: Sources,
}

impl SandboxFiles {
    /// Writes the configuration, its secrets and a file for each caller.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn write(
        directory: SandboxDirectory,
        addresses: SandboxAddresses,
        keys: &SandboxKeys,
    ) -> io::Result<Self> {
        let seal = random::bytes::<32>()
            .ok_or_else(|| io::Error::other("the system has no random bytes for a key"))?;
        directory.write(SECRET_FILE, DEFAULT_CLIENT_SECRET.as_bytes())?;
        directory.write(SEAL_FILE, &seal)?;
        for caller in &SANDBOX_CALLERS {
            let file = format!("{CALLERS_DIRECTORY}/{}.toml", caller.name);
            directory.write(&file, caller_text(caller, keys).as_bytes())?;
        }
        let file = directory.write("config.toml", config_text(addresses).as_bytes())?;
        let sources = Sources {
            file,
            // The variables of whoever tries it are for another proxy.
            environment: Vec::new(),
        };
        Ok(Self { directory, sources })
    }

    /// Reads them as `run` would.
    ///
    /// # Errors
    /// What the sandbox has written is wrong.
    pub(crate) fn load(&self) -> Result<Config, ConfigurationError> {
        config::load(&self.sources, &wiring::builtin_operations()).map(|it| it.0)
    }

    #[must_use]
    pub(crate) fn reloader(&self, config: &Config) -> Reloader {
        Reloader::new(self.sources.clone(), config)
    }

    /// Where commands reach the sandbox.
    #[must_use]
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET_FILE)
    }
}

fn config_text(addresses: SandboxAddresses) -> String {
    let SandboxAddresses {
        callers,
        admin,
        ninjaone,
    } = addresses;
    let hosts: Vec<String> = addresses
        .caller_hosts()
        .iter()
        .map(|it| format!("{it:?}"))
        .collect();
    let hosts = hosts.join(", ");
    format!(
        r#"# The configuration of a sandbox. It is removed when the sandbox ends.

[listen]
http = ["{callers}"]
hosts = [{hosts}]

[tenant.{TENANT}]
label = "simulated NinjaOne"
url = "http://{ninjaone}"

[tenant.{TENANT}.service]
client_id = "{DEFAULT_CLIENT_ID}"
client_secret = {{ file = "{SECRET_FILE}" }}

[tenant.{TENANT}.user]
client_id = "{NATIVE_CLIENT_ID}"

[limits.upstream]
rate = "1000/s"
burst = 1000
concurrency = 64

[limits.caller]
rate = "50/s"
burst = 100
concurrency = 16

[limits.tokens]
rate = "1000/s"
burst = 1000

[audit]
path = "audit"

[admin]
listen = "{admin}"
socket = "{SOCKET_FILE}"
anonymous = true

[store]
path = "store"
seal = {{ file = "{SEAL_FILE}" }}

[telemetry]
log = {{ level = "warn", requests = "none" }}
"#
    )
}

fn caller_text(caller: &SandboxCaller, keys: &SandboxKeys) -> String {
    let key = keys.of_caller(caller.name).unwrap_or_default();
    let digest = key_digest::to_text(&key_digest::sha256(key));
    let SandboxCaller { name, allow, deny } = caller;
    format!("[caller.{name}]\nkey = [\"{digest}\"]\nallow = {allow:?}\ndeny = {deny:?}\n")
}

/// Why the sandbox's store has no login.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxStoreError {
    #[error(transparent)]
    Refused(#[from] SandboxLoginError),
    #[error(transparent)]
    Open(#[from] StoreOpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts a user login into the store, before the proxy opens it: scripts and tickets need one.
///
/// # Errors
/// The simulated NinjaOne refuses the login, or the store cannot be written.
pub(crate) fn log_in(config: &Config, ninja: &Sandbox) -> Result<(), SandboxStoreError> {
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
    let store = config.store.as_ref().map(wiring::open_store).transpose()?;
    if let Some(store) = store
        && let Some(tenant) = config.tenants.first()
        && let Some(locked) = store.try_lock(&login_slot(&tenant.name))?
    {
        locked.write(&stored)?;
    }
    Ok(())
}
