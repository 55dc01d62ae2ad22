//! The token renewers of all tenants. One whose host and client id are unchanged survives a reload, with its token.

use std::{sync::Arc, time::Duration};

use crate::{
    config::{self, Config},
    credentials::{
        TenantCredentials,
        grant::{application::Application, client_credentials::ClientCredentials},
        login::{refresh_calls::RefreshCalls, renewer::LoginRenewer, session::LoginSession},
        store::LoginStore,
        token::{
            cell::TokenCell,
            event::TokenObserver,
            renewer::{RenewerHandle, RenewerOptions},
            schedule::RenewalSchedule,
            service_renewer::ServiceRenewer,
            update::{RenewerUpdate, UnprovenChange},
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
    handle: RenewerHandle,
}

#[derive(Clone, PartialEq, Eq)]
enum IdentityConfig {
    Service(config::ServiceIdentity),
    User(config::UserIdentity),
}

impl IdentityConfig {
    /// Whether a token of one is a token of the other, at the same host.
    fn is_same_client(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Service(before), Self::Service(after)) => before.client_id == after.client_id,
            (Self::User(before), Self::User(after)) => before.client_id == after.client_id,
            (Self::Service(_), Self::User(_)) | (Self::User(_), Self::Service(_)) => false,
        }
    }

    fn application(&self, endpoint: &Endpoint) -> Application {
        match self {
            Self::Service(it) => service_application(endpoint, it),
            Self::User(it) => user_application(endpoint, it),
        }
    }

    /// What a token request asks for. A login is renewed with the scopes that it has.
    fn scopes(&self) -> Vec<String> {
        match self {
            Self::Service(it) => it.scopes.clone(),
            Self::User(_) => Vec::new(),
        }
    }

    /// When a token is renewed, and how often at least.
    fn schedule(&self) -> (RenewalSchedule, Duration) {
        match self {
            Self::Service(it) => (it.refresh_at, Duration::MAX),
            Self::User(it) => (it.refresh_at, it.keepalive),
        }
    }
}

impl RunningRenewer {
    /// The same renewer and token, with what has changed of the settings.
    fn updated(mut self, endpoint: Endpoint, identity: IdentityConfig) -> Self {
        if self.endpoint == endpoint && self.identity == identity {
            return self;
        }
        let application = identity.application(&endpoint);
        let (schedule, interval_max) = identity.schedule();
        self.handle.update(RenewerUpdate {
            change: self.change(&application, &endpoint, &identity),
            application,
            scopes: identity.scopes(),
            schedule,
            interval_max,
        });
        self.endpoint = endpoint;
        self.identity = identity;
        self
    }

    fn change(
        &self,
        after: &Application,
        endpoint: &Endpoint,
        identity: &IdentityConfig,
    ) -> Option<UnprovenChange> {
        let before = self.identity.application(&self.endpoint);
        if before.client_secret != after.client_secret {
            return Some(UnprovenChange::Secret);
        }
        let is_same = before.client_auth == after.client_auth
            && self.endpoint == *endpoint
            && self.identity.scopes() == identity.scopes();
        (!is_same).then_some(UnprovenChange::Settings)
    }
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
    /// identity is gone, or has another host or client id, stops. Any other keeps its token and takes up what has changed.
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
        let same = before.iter().position(|it| {
            it.tenant == tenant.name
                && it.endpoint.origin() == endpoint.origin()
                && it.identity.is_same_client(&identity)
        });
        let renewer = match same {
            Some(at) => before.swap_remove(at).updated(endpoint, identity),
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
            handle,
        })
    }
}
