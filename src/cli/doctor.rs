//! `doctor`: checks everything that may keep the proxy from working, and says what to do. It changes nothing, and never
//! renews a login: that would invalidate the refresh token of the running proxy.

mod check;
mod directory_trial;
mod host;
mod login;
mod machine;
mod outgoing_proxy;
mod ports;
mod probe_file;
mod report;
mod service;
mod tokens;
mod user;

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::{
    task::{JoinSet, spawn_blocking},
    time::timeout,
};

use crate::{
    admin::{health::Health, status_snapshot::StatusSnapshot},
    app::wiring::{self, endpoint},
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

use super::{context::Context, exit::ExitStatus, status};

/// Longest time for all disk checks, and for all checks of one tenant: together less than the 30 seconds that operators wait
/// for a command.
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

/// Check everything that may keep the proxy from working, and say how to fix it
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DoctorArgs {
    /// Check this tenant only
    tenant: Option<String>,
    /// Send nothing to NinjaOne
    #[arg(long)]
    offline: bool,
}

impl DoctorArgs {
    /// Runs all checks and prints the report.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub(super) async fn run(
        &self,
        context: &Context,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let (config, warnings) = match context.load_with_warnings() {
            Ok((config, warnings, _)) => (config, warnings),
            Err(problems) => {
                let first = problems.as_slice().iter().find(|it| it.is_error());
                let first = first.map_or_else(String::new, |it| match it.location() {
                    place if place.is_empty() => it.message.clone(),
                    place => format!("at {place}: {}", it.message),
                });
                writeln!(err, "{problems}\n")?;
                let seen = format!("{} wrong; the first {first}", problems.error_count());
                let remedy = "Mend what stands above, then: ninjaone-proxy config check";
                let wrong = DoctorCheck::failed(CheckName::Configuration, seen, remedy);
                return DoctorReport(vec![wrong]).print(context, out);
            }
        };
        if let Some(wanted) = &self.tenant
            && config.tenants.iter().all(|it| it.name.as_str() != wanted)
        {
            let known: Vec<&str> = config.tenants.iter().map(|it| it.name.as_str()).collect();
            writeln!(
                err,
                "error: there is no tenant {wanted:?}; there are: {}",
                known.join(", ")
            )?;
            return Ok(ExitStatus::Failed);
        }
        let running = status::fetch_snapshot(context).await;
        let found = FoundProxy::new(running, &config);
        let mut checks = vec![configuration(&config, &warnings), machine::clock()];
        checks.push(machine::proxy(&found));
        checks.extend(self.disk_checks(&config, &found).await);
        checks.extend(self.tenant_checks(config, found.own()).await);
        DoctorReport(checks).print(context, out)
    }

    async fn disk_checks(&self, config: &Config, found: &FoundProxy) -> Vec<DoctorCheck> {
        let ports = ports::ports(config, found);
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
            vec![
                machine::audit_directory(&audit),
                machine::audit_chain(&audit.path),
                store,
                tokens,
            ]
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

    async fn tenant_checks(
        &self,
        config: Config,
        own: Option<&StatusSnapshot>,
    ) -> Vec<DoctorCheck> {
        let policy = policy_set(&config);
        let Config { tenants, store, .. } = config;
        let mut running = JoinSet::new();
        for (index, tenant) in tenants.into_iter().enumerate() {
            let is_wanted = self
                .tenant
                .as_deref()
                .is_none_or(|it| it == tenant.name.as_str());
            if !is_wanted {
                continue;
            }
            let tenant_checks = TenantChecks {
                endpoint: endpoint(&tenant.origin),
                service_needs: policy.required_scopes(index, IdentityKind::Service),
                user_needs: policy.required_scopes(index, IdentityKind::User),
                store: store.clone(),
                serving: own.map_or_else(ServingTokens::default, |it| {
                    ServingTokens::of(it, &tenant.name)
                }),
                tenant,
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

impl DoctorReport {
    fn print(&self, context: &Context, out: &mut dyn Write) -> io::Result<ExitStatus> {
        if context.json {
            self.print_json(out)?;
        } else {
            self.print_text(context.quiet, out)?;
        }
        Ok(self.exit_code())
    }
}

fn configuration(config: &Config, warnings: &[Warning]) -> DoctorCheck {
    let name = CheckName::Configuration;
    let what = format!(
        "{}, {}",
        counted(config.tenants.len(), "tenant"),
        counted(config.callers.len(), "caller")
    );
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
