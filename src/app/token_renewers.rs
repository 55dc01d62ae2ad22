//! The token renewers of all tenants. One whose settings are unchanged survives a reload.

use std::sync::Arc;

use crate::{
    config::{self, Config},
    credentials::{
        TenantCredentials,
        grant::client_credentials::ClientCredentials,
        login::{refresh_calls::RefreshCalls, renewer::LoginRenewer, session::LoginSession},
        store::LoginStore,
        token::{
            cell::TokenCell,
            event::TokenObserver,
            renewer::{RenewerHandle, RenewerOptions},
            schedule::RenewalSchedule,
            service_renewer::ServiceRenewer,
        },
        user_only_operations::UserOnlyOperations,
    },
    names::{IdentityKind, TenantName},
    net::client::endpoint::Endpoint,
    tasks::Tasks,
    watchdog::Watchdog,
};

use super::wiring::{endpoint, login_slot, service_application, user_application};

/// All running token renewers.
pub(crate) struct TokenRenewers {
    tasks: Tasks,
    observer: TokenObserver,
    store: Option<LoginStore>,
    refresh_calls: RefreshCalls,
    watchdog: Watchdog,
    running: Vec<RunningRenewer>,
}

/// A running token renewer, and what it was started with.
struct RunningRenewer {
    tenant: TenantName,
    endpoint: Endpoint,
    identity: IdentityConfig,
    token_cell: Arc<TokenCell>,
    /// Stops the renewer when dropped.
    _handle: RenewerHandle,
}

#[derive(Clone, PartialEq, Eq)]
enum IdentityConfig {
    Service(config::ServiceIdentity),
    User(config::UserIdentity),
}

impl TokenRenewers {
    /// Renewers run on the current runtime under `tasks`; `observer` receives every token event. Logins are stored in
    /// `store`; without one there are none.
    #[must_use]
    pub(crate) fn new(
        tasks: Tasks,
        observer: TokenObserver,
        store: Option<LoginStore>,
        refresh_calls: RefreshCalls,
        watchdog: Watchdog,
    ) -> Self {
        Self {
            tasks,
            observer,
            store,
            refresh_calls,
            watchdog,
            running: Vec::new(),
        }
    }

    /// The token cells of each tenant, in the order of the configuration, with what was `learned` about it. A renewer whose
    /// identity is gone or changed stops.
    pub(crate) fn identities(
        &mut self,
        config: &Config,
        learned: impl Iterator<Item = Arc<UserOnlyOperations>>,
    ) -> Vec<TenantCredentials> {
        let mut before = std::mem::take(&mut self.running);
        let mut all = Vec::new();
        for (tenant, learned) in config.tenants.iter().zip(learned) {
            let service = tenant.service.clone().map(IdentityConfig::Service);
            let user = tenant.user.clone().map(IdentityConfig::User);
            let mut token_cell =
                |identity: Option<IdentityConfig>| self.token_cell(tenant, identity?, &mut before);
            all.push(TenantCredentials {
                service: token_cell(service),
                user: token_cell(user),
                user_only_operations: learned,
            });
        }
        all
    }

    fn token_cell(
        &mut self,
        tenant: &config::TenantConfig,
        identity: IdentityConfig,
        before: &mut Vec<RunningRenewer>,
    ) -> Option<Arc<TokenCell>> {
        let endpoint = endpoint(&tenant.origin);
        let unchanged = before.iter().position(|it| {
            it.tenant == tenant.name && it.endpoint == endpoint && it.identity == identity
        });
        let renewer = match unchanged {
            Some(at) => before.swap_remove(at),
            None => self.start(tenant.name.clone(), endpoint, identity)?,
        };
        let token_cell = Arc::clone(&renewer.token_cell);
        self.running.push(renewer);
        Some(token_cell)
    }

    fn start(
        &self,
        tenant: TenantName,
        endpoint: Endpoint,
        identity: IdentityConfig,
    ) -> Option<RunningRenewer> {
        let options = |kind: IdentityKind, refresh_at: RenewalSchedule| RenewerOptions {
            tenant: tenant.clone(),
            schedule: refresh_at,
            observer: Arc::clone(&self.observer),
            heartbeat: self.watchdog.watch(format!("renewer {tenant}/{kind}")),
        };
        let (token_cell, handle) = match &identity {
            IdentityConfig::Service(it) => {
                let credentials = ClientCredentials {
                    application: service_application(&endpoint, it),
                    scopes: it.scopes.clone(),
                };
                let options = options(IdentityKind::Service, it.refresh_at);
                ServiceRenewer::start(options, credentials, &self.tasks)
            }
            IdentityConfig::User(it) => {
                let application = user_application(&endpoint, it);
                let login =
                    LoginSession::new(application, self.store.clone()?, login_slot(&tenant));
                LoginRenewer::start(
                    options(IdentityKind::User, it.refresh_at),
                    Box::new(login),
                    it.keepalive,
                    self.refresh_calls.clone(),
                    &self.tasks,
                )
            }
        };
        Some(RunningRenewer {
            tenant,
            endpoint,
            identity,
            token_cell,
            _handle: handle,
        })
    }
}
