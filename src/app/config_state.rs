//! What the status shows of the configuration in force, besides the rules built from it.

use std::{path::PathBuf, sync::Arc};

use crate::{
    admin::status_snapshot::OutgoingProxyStatus,
    config::{Config, effective_settings::EffectiveSetting},
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

const fn percent(at: RenewalSchedule) -> Option<u8> {
    match at {
        RenewalSchedule::AtLifetimePercent(percent) => Some(percent),
        RenewalSchedule::BeforeExpiry(_) => None,
    }
}
