//! What the status shows of the configuration in force, besides the rules built from it.

use std::{path::PathBuf, sync::Arc};

use crate::{
    admin::status_snapshot::OutgoingProxyStatus,
    config::{Config, Origin, effective_settings::EffectiveSetting},
    credentials::token::schedule::RenewalSchedule,
    names::TenantName,
};

use super::way_out::proxy_status;

/// What the status shows of the configuration in force, besides the rules built from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigState {
    pub tenants: Vec<TenantState>,
    /// The main file, absolute; none where there is none.
    pub file: Option<PathBuf>,
    /// Every setting as it is in force, secrets masked.
    pub effective: Arc<[EffectiveSetting]>,
    /// Why the last reload was rejected.
    pub last_error: Option<String>,
    /// How often a load was attempted.
    pub load_attempts: u64,
    /// Changed settings that need a restart.
    pub pending_restart: Vec<&'static str>,
}

/// What the status shows of a tenant's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantState {
    pub name: TenantName,
    pub label: Option<String>,
    pub origin: String,
    pub proxy: Option<OutgoingProxyStatus>,
    /// Whose name is looked up: the proxy's, or that of the origin.
    pub dialed_host: String,
    /// Part of a token's life after which it is renewed, in percent; `None` where a time before its end is configured.
    pub service_percent: Option<u8>,
    pub user_percent: Option<u8>,
}

impl ConfigState {
    /// The state right after `config` was loaded for the first time.
    #[must_use]
    pub(crate) fn of(config: &Config) -> Self {
        let tenants = config.tenants.iter().map(|tenant| {
            let scheme = if tenant.origin.tls { "https" } else { "http" };
            TenantState {
                name: tenant.name.clone(),
                label: tenant.label.clone(),
                origin: format!("{scheme}://{}:{}", tenant.origin.host, tenant.origin.port),
                proxy: proxy_status(&tenant.origin.way_out),
                dialed_host: dialed_host(&tenant.origin),
                service_percent: tenant
                    .service
                    .as_ref()
                    .and_then(|it| percent(it.refresh_at)),
                user_percent: tenant.user.as_ref().and_then(|it| percent(it.refresh_at)),
            }
        });
        Self {
            tenants: tenants.collect(),
            file: config.file.clone(),
            effective: Arc::clone(&config.effective),
            last_error: None,
            load_attempts: 1,
            pending_restart: Vec::new(),
        }
    }
}

/// Whose name is looked up before a connection.
fn dialed_host(origin: &Origin) -> String {
    let proxy = origin.way_out.proxy();
    proxy.map_or_else(|| origin.host.clone(), |it| it.host().to_owned())
}

/// What is in force after a reload: settings that wait for a restart are as they were.
pub(crate) fn in_force(
    before: &[EffectiveSetting],
    loaded: &[EffectiveSetting],
    pending_restart: &[&str],
) -> Arc<[EffectiveSetting]> {
    let waits = |it: &EffectiveSetting| waits_for_restart(&it.setting, pending_restart);
    let of_name =
        |all: &'_ [EffectiveSetting], name: &str| all.iter().find(|it| it.setting == name).cloned();
    let shown = loaded.iter().filter_map(|it| {
        if waits(it) {
            of_name(before, &it.setting)
        } else {
            Some(it.clone())
        }
    });
    // Those that the files no longer have.
    let removed = before
        .iter()
        .filter(|it| waits(it) && of_name(loaded, &it.setting).is_none());
    shown.chain(removed.cloned()).collect()
}

/// Of these two sections a reload applies a part.
fn waits_for_restart(setting: &str, pending: &[&str]) -> bool {
    let is_in = |section: &str| {
        let rest = setting.strip_prefix(section);
        rest.is_some_and(|it| it.is_empty() || it.starts_with(['.', '[']))
    };
    pending.iter().any(|name| match *name {
        "listen" => ["listen.http", "listen.https", "listen.unix"]
            .into_iter()
            .any(is_in),
        "admin" => is_in("admin") && !is_in("admin.access") && !is_in("admin.anonymous"),
        name => is_in(name),
    })
}

const fn percent(at: RenewalSchedule) -> Option<u8> {
    match at {
        RenewalSchedule::AtLifetimePercent(percent) => Some(percent),
        RenewalSchedule::BeforeExpiry(_) => None,
    }
}
