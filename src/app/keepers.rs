//! The keepers of all tenants' tokens. One whose settings are unchanged lives on over a reload.

use std::sync::Arc;

use crate::{
    config::{self, Config},
    credentials::{
        Identities,
        custody::LoginRenewer,
        grant::{
            application::{Application, ClientAuth},
            client_credentials::ClientCredentials,
        },
        keeper::{KeeperHandle, Keeping},
        learned::Learned,
        login::Login,
        news::Observer,
        refresh_calls::RefreshCalls,
        schedule::RefreshAt,
        service_renewer::ServiceRenewer,
        store::{
            Store,
            error::StoreError,
            kept::Slot,
            key::{BadSealKey, SealKey, SealKeys},
        },
        vault::Vault,
    },
    names::{IdentityKind, TenantName},
    net::client::Endpoint,
    tasks::Tasks,
    watchdog::Watchdog,
};

/// All keepers at work.
pub struct Keepers {
    tasks: Tasks,
    observer: Observer,
    store: Option<Store>,
    calls: RefreshCalls,
    watchdog: Watchdog,
    kept: Vec<Kept>,
}

/// A keeper at work, and what it was started with.
struct Kept {
    tenant: TenantName,
    endpoint: Endpoint,
    identity: Identity,
    vault: Arc<Vault>,
    /// Ends the keeper when dropped.
    _handle: KeeperHandle,
}

#[derive(Clone, PartialEq, Eq)]
enum Identity {
    Service(config::ServiceIdentity),
    User(config::UserIdentity),
}

impl Keepers {
    /// Keepers run on the current runtime under `tasks`; `observer` is told of everything that befalls a token. Logins
    /// are kept in `store`: without one there are none.
    #[must_use]
    pub fn new(
        tasks: Tasks,
        observer: Observer,
        store: Option<Store>,
        calls: RefreshCalls,
        watchdog: Watchdog,
    ) -> Self {
        Self {
            tasks,
            observer,
            store,
            calls,
            watchdog,
            kept: Vec::new(),
        }
    }

    /// The vaults of each tenant, in the order of the configuration, beside what was `learned` of it. A keeper whose identity is gone or changed ends.
    pub fn identities(
        &mut self,
        config: &Config,
        learned: impl Iterator<Item = Arc<Learned>>,
    ) -> Vec<Identities> {
        let mut before = std::mem::take(&mut self.kept);
        let mut all = Vec::new();
        for (tenant, learned) in config.tenants.iter().zip(learned) {
            let service = tenant.service.clone().map(Identity::Service);
            let user = tenant.user.clone().map(Identity::User);
            let mut vault = |identity: Option<Identity>| self.vault(tenant, identity?, &mut before);
            all.push(Identities {
                service: vault(service),
                user: vault(user),
                learned,
            });
        }
        all
    }

    fn vault(
        &mut self,
        tenant: &config::Tenant,
        identity: Identity,
        before: &mut Vec<Kept>,
    ) -> Option<Arc<Vault>> {
        let endpoint = endpoint(&tenant.origin);
        let same = before.iter().position(|it| {
            it.tenant == tenant.name && it.endpoint == endpoint && it.identity == identity
        });
        let kept = match same {
            Some(at) => before.swap_remove(at),
            None => self.start(tenant.name.clone(), endpoint, identity)?,
        };
        let vault = Arc::clone(&kept.vault);
        self.kept.push(kept);
        Some(vault)
    }

    fn start(&self, tenant: TenantName, endpoint: Endpoint, identity: Identity) -> Option<Kept> {
        let keeping = |kind: IdentityKind, refresh_at: RefreshAt| Keeping {
            tenant: tenant.clone(),
            refresh_at,
            observer: Arc::clone(&self.observer),
            heartbeat: self.watchdog.watch(format!("renewer {tenant}/{kind}")),
        };
        let (vault, handle) = match &identity {
            Identity::Service(it) => {
                let credentials = ClientCredentials {
                    application: service_application(&endpoint, it),
                    scopes: it.scopes.clone(),
                };
                let keeping = keeping(IdentityKind::Service, it.refresh_at);
                ServiceRenewer::start(keeping, credentials, &self.tasks)
            }
            Identity::User(it) => {
                let application = user_application(&endpoint, it);
                let login = Login::new(application, self.store.clone()?, slot(&tenant));
                LoginRenewer::start(
                    keeping(IdentityKind::User, it.refresh_at),
                    Box::new(login),
                    it.keepalive,
                    self.calls.clone(),
                    &self.tasks,
                )
            }
        };
        Some(Kept {
            tenant,
            endpoint,
            identity,
            vault,
            _handle: handle,
        })
    }
}

/// Where a tenant's login is kept.
#[must_use]
pub fn slot(tenant: &TenantName) -> Slot {
    Slot {
        tenant: tenant.clone(),
        identity: IdentityKind::User,
    }
}

/// Why the store of logins cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the key of the store: {0}")]
    Key(#[from] BadSealKey),
    #[error("the store: {0}")]
    Store(#[from] StoreError),
}

/// # Errors
/// When its directory or a key is not fit for secrets.
pub fn open_store(store: &config::Store) -> Result<Store, OpenError> {
    let mut keys = store.seals.iter().map(|seal| match seal {
        config::Seal::Key(key) => SealKey::from_bytes(key.expose()),
        config::Seal::Passphrase(text) => SealKey::from_passphrase(text.expose().as_bytes()),
    });
    let first = keys.next().unwrap_or_else(|| SealKey::from_bytes(&[]))?;
    let older = keys.collect::<Result<Vec<_>, _>>()?;
    Ok(Store::open(&store.path, SealKeys::new(first, older)?)?)
}

#[must_use]
pub fn endpoint(origin: &config::Origin) -> Endpoint {
    Endpoint {
        tls: origin.tls,
        host: origin.host.clone(),
        port: origin.port,
        ca: origin.ca.clone(),
    }
}

#[must_use]
pub fn service_application(endpoint: &Endpoint, it: &config::ServiceIdentity) -> Application {
    Application {
        endpoint: endpoint.clone(),
        client_id: it.client_id.clone(),
        client_secret: Some(it.client_secret.clone()),
        auth: client_auth(it.client_auth),
    }
}

#[must_use]
pub fn user_application(endpoint: &Endpoint, it: &config::UserIdentity) -> Application {
    Application {
        endpoint: endpoint.clone(),
        client_id: it.client_id.clone(),
        client_secret: it.client_secret.clone(),
        auth: client_auth(it.client_auth),
    }
}

const fn client_auth(auth: config::ClientAuth) -> ClientAuth {
    match auth {
        config::ClientAuth::Body => ClientAuth::Body,
        config::ClientAuth::Basic => ClientAuth::Basic,
    }
}
