//! The checks of `doctor`: everything that may keep the proxy from working, and what to do about it. They change nothing, and
//! never renew a login: that would invalidate the refresh token of the running proxy. The running proxy and the command make the
//! same checks.

mod callers;
mod certificates;
pub(crate) mod check;
mod directory_trial;
pub(crate) mod endpoint;
mod host;
mod login;
pub(crate) mod machine;
mod outgoing_proxy;
mod ports;
mod probe_file;
pub(crate) mod report;
mod service;
mod tokens;
mod user;

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinSet, spawn_blocking},
    time::timeout,
};

use crate::{
    admin::{health::Health, status_snapshot::StatusSnapshot},
    app::wiring,
    config::{self, Config, read::diagnostics::Warning},
    names::{IdentityKind, TenantName},
    net::client::endpoint::Endpoint,
    ninjaone::catalogue::Catalogue,
    policy::{policy_set::PolicySet, required_scope::RequiredScope},
};

use self::{
    check::{CheckName, DoctorCheck},
    login::LoginExpectations,
    machine::FoundProxy,
    report::DoctorReport,
};

/// Longest time for all disk checks, and for all checks of one tenant, which are made at the same time: less than the 30 seconds
/// that operators wait for a command.
const DISK_TIMEOUT_MS: u64 = 20_000;
const TENANT_TIMEOUT_MS: u64 = 28_000;

const OFFLINE: &str = "--offline: nothing leaves this machine";

/// The checks of a tenant's host.
const HOST_CHECKS: [CheckName; 6] = [
    CheckName::Dns,
    CheckName::Tcp,
    CheckName::Tls,
    CheckName::Http,
    CheckName::ClockSkew,
    CheckName::Discovery,
];

/// What is looked at, and by whom.
pub(crate) struct Examination {
    pub(crate) config: Arc<Config>,
    /// What is to say of the configuration itself.
    pub(crate) configuration: DoctorCheck,
    pub(crate) found: FoundProxy,
    /// This tenant alone.
    pub(crate) tenant: Option<String>,
    /// Nothing is sent to NinjaOne.
    pub(crate) offline: bool,
}

/// # Errors
/// There is no such tenant; the text names those that there are.
pub(crate) fn find_tenant(config: &Config, wanted: Option<&str>) -> Result<(), String> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let names = config.tenants.iter().map(|it| it.name.as_str());
    if names.clone().any(|it| it == wanted) {
        return Ok(());
    }
    let known: Vec<&str> = names.collect();
    Err(format!(
        "there is no tenant {wanted:?}; there are: {}",
        known.join(", ")
    ))
}

impl Examination {
    /// Makes all checks. Takes as long as the slowest of them, at most [`TENANT_TIMEOUT_MS`].
    pub(crate) async fn run(self) -> DoctorReport {
        let mut checks = vec![self.configuration.clone(), machine::clock()];
        let (of_disk, of_tenants) = tokio::join!(self.disk_checks(), self.tenant_checks());
        checks.push(machine::proxy(&self.found, &of_tenants));
        checks.extend(callers::expired(&self.config));
        checks.extend(of_disk);
        checks.extend(of_tenants);
        DoctorReport(checks)
    }

    async fn disk_checks(&self) -> Vec<DoctorCheck> {
        let (config, found) = (&self.config, &self.found);
        let ports = ports::ports(config, found);
        let https = Arc::clone(config);
        let audit = config.audit.clone();
        let store = config.store.clone();
        let checked = spawn_blocking(move || {
            let tokens = tokens::caller_tokens(store.as_ref());
            let store = store.map_or_else(
                || {
                    DoctorCheck::skipped(
                        CheckName::StoreDirectory,
                        "nothing is stored: `store.seal` is not set",
                    )
                },
                |store| machine::store_directory(&store),
            );
            let mut checks = vec![
                machine::audit_directory(&audit),
                machine::audit_chain(&audit.path),
                store,
                tokens,
            ];
            checks.extend(certificates::check(&https.listen.https));
            checks
        });
        let mut checks = vec![ports];
        let checked = with_disk_timeout(checked).await.unwrap_or_else(|| {
            let names = [
                CheckName::AuditDirectory,
                CheckName::AuditChain,
                CheckName::StoreDirectory,
                CheckName::CallerTokens,
            ];
            names.map(slow_disk).to_vec()
        });
        let running = found.own().map(|it| it.health);
        if matches!(running, Some(Health::Degraded | Health::NeedsLogin)) {
            // The verdict is that of `status`: it serves what it can without them.
            let still = "the running proxy goes on, as `ninjaone-proxy status` says";
            checks.extend(checked.into_iter().map(|it| it.softened(still)));
        } else {
            checks.extend(checked);
        }
        checks
    }

    async fn tenant_checks(&self) -> Vec<DoctorCheck> {
        let own = self.found.own();
        let policy = policy_set(&self.config);
        let mut running = JoinSet::new();
        for (index, tenant) in self.config.tenants.iter().enumerate() {
            let is_wanted = self
                .tenant
                .as_deref()
                .is_none_or(|it| it == tenant.name.as_str());
            if !is_wanted {
                continue;
            }
            let tenant_checks = TenantChecks {
                endpoint: wiring::endpoint(&tenant.origin),
                service_needs: policy.required_scopes(index, IdentityKind::Service),
                user_needs: policy.required_scopes(index, IdentityKind::User),
                serving: own.map_or_else(ServingTokens::default, |it| {
                    ServingTokens::of(it, &tenant.name)
                }),
                tenant: tenant.clone(),
                store: self.config.store.clone(),
                is_offline: self.offline,
            };
            running.spawn(async move { (index, tenant_checks.run().await) });
        }
        let mut finished = running.join_all().await;
        finished.sort_by_key(|(index, _)| *index);
        finished
            .into_iter()
            .flat_map(|(_, checks)| checks)
            .collect()
    }
}

/// Until when the running proxy can send as each identity of a tenant, `15:36 UTC`.
#[derive(Default)]
struct ServingTokens {
    service: Option<String>,
    user: Option<String>,
}

impl ServingTokens {
    fn of(running: &StatusSnapshot, tenant: &TenantName) -> Self {
        let mut tenants = running.tenants.iter();
        let tenant = tenants.find(|it| it.name == tenant.as_str());
        let end = |kind: IdentityKind| {
            let mut identities = tenant?.identities.iter();
            let identity = identities.find(|it| it.identity == kind.as_str())?;
            identity.serves_until.clone()
        };
        Self {
            service: end(IdentityKind::Service),
            user: end(IdentityKind::User),
        }
    }
}

/// Of a configuration that was read from its files.
pub(crate) fn configuration(config: &Config, warnings: &[Warning]) -> DoctorCheck {
    let name = CheckName::Configuration;
    let what = configured(config);
    let Some(first) = warnings.first() else {
        return DoctorCheck::ok(name, what);
    };
    let count = counted(warnings.len(), "warning");
    let seen = format!("{what}; {count}: {}: {}", first.location(), first.message);
    let remedy = first.hint.clone().unwrap_or_default();
    DoctorCheck::warning(
        name,
        seen,
        format!("{remedy} (all of them: ninjaone-proxy config check)"),
    )
}

/// `1 tenant, 3 callers`
fn configured(config: &Config) -> String {
    format!(
        "{}, {}",
        counted(config.tenants.len(), "tenant"),
        counted(config.callers.len(), "caller")
    )
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn policy_set(config: &Config) -> PolicySet {
    // The loaded configuration has no clash with the catalogue: that would be an error.
    let catalogue = wiring::catalogue(config).unwrap_or_else(|_| Catalogue::builtin().into());
    wiring::policy_set(config, catalogue)
}

/// `None` if the disk hangs.
async fn with_disk_timeout<T>(checking: tokio::task::JoinHandle<T>) -> Option<T> {
    let checked = timeout(Duration::from_millis(DISK_TIMEOUT_MS), checking).await;
    checked.ok()?.ok()
}

fn slow_disk(name: CheckName) -> DoctorCheck {
    DoctorCheck::failed(
        name,
        "the disk does not answer",
        "Look at the disk, or at the network that it is behind.",
    )
}

/// The checks of one tenant, and what they need.
struct TenantChecks {
    tenant: config::TenantConfig,
    endpoint: Endpoint,
    store: Option<config::StoreConfig>,
    service_needs: Vec<RequiredScope>,
    user_needs: Vec<RequiredScope>,
    serving: ServingTokens,
    is_offline: bool,
}

impl TenantChecks {
    async fn run(self) -> Vec<DoctorCheck> {
        let name = self.tenant.name.to_string();
        let finished = timeout(Duration::from_millis(TENANT_TIMEOUT_MS), self.run_checks()).await;
        let checks = finished.unwrap_or_else(|_| {
            vec![DoctorCheck::failed(
                CheckName::Http,
                "looking at this tenant took too long",
                "Try again; see whether NinjaOne is slow.",
            )]
        });
        checks.into_iter().map(|it| it.for_tenant(&name)).collect()
    }

    async fn run_checks(self) -> Vec<DoctorCheck> {
        let (mut checks, is_answering) = if self.is_offline {
            (self.skipped_offline(&HOST_CHECKS), false)
        } else {
            host::check_host(&self.endpoint, &self.tenant.origin.way_out).await
        };
        let why = if self.is_offline {
            OFFLINE
        } else {
            "the host does not answer"
        };
        let (service, user) = tokio::join!(
            self.service(is_answering, why),
            self.user(is_answering, why)
        );
        checks.extend(service);
        checks.extend(user);
        checks.extend(self.login().await);
        checks
    }

    fn skipped_offline(&self, names: &[CheckName]) -> Vec<DoctorCheck> {
        let names = names
            .iter()
            .filter(|it| self.endpoint.tls || **it != CheckName::Tls);
        names.map(|it| DoctorCheck::skipped(*it, OFFLINE)).collect()
    }

    async fn service(&self, is_answering: bool, why: &str) -> Vec<DoctorCheck> {
        let Some(identity) = &self.tenant.service else {
            return Vec::new();
        };
        if is_answering {
            let checks = service::check_service(&self.endpoint, identity, &self.service_needs);
            let checks = checks.await.into_iter();
            return match &self.serving.service {
                // What `status` says as well: it works until then.
                Some(end) => {
                    let still = format!("the running proxy's token serves until {end}");
                    checks.map(|it| it.softened(&still)).collect()
                }
                None => checks.collect(),
            };
        }
        let names = [CheckName::ServiceToken, CheckName::ServiceScopes];
        names.map(|it| DoctorCheck::skipped(it, why)).to_vec()
    }

    async fn user(&self, is_answering: bool, why: &str) -> Vec<DoctorCheck> {
        let Some(identity) = &self.tenant.user else {
            return Vec::new();
        };
        let page = if is_answering {
            user::authorize(&self.endpoint, identity).await
        } else {
            DoctorCheck::skipped(CheckName::Authorize, why)
        };
        vec![user::redirect(identity), page]
    }

    async fn login(self) -> Vec<DoctorCheck> {
        let (Some(identity), Some(store)) = (self.tenant.user, self.store) else {
            return Vec::new();
        };
        let serves_until = self.serving.user;
        let checked = spawn_blocking(move || {
            let whose = LoginExpectations {
                tenant: &self.tenant.name,
                endpoint: &self.endpoint,
                identity: &identity,
                needs: &self.user_needs,
            };
            login::check_login(&store, &whose)
        });
        let checked = with_disk_timeout(checked).await;
        let checked = checked.unwrap_or_else(|| vec![slow_disk(CheckName::StoreSlot)]);
        let Some(end) = serves_until else {
            return checked;
        };
        let still = format!("the running proxy's token serves until {end}");
        let soften = |it: DoctorCheck| match it.name {
            // A login is needed all the same.
            CheckName::Login => it,
            _ => it.softened(&still),
        };
        checked.into_iter().map(soften).collect()
    }
}
