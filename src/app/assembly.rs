//! Makes rules of a configuration, in journey order. What lives on over a reload (tokens, counters, connections) is taken
//! over from the rules before wherever its settings are unchanged.

use std::{num::NonZeroU32, sync::Arc};

use crate::{
    caller::{self, api_key::KeyHash},
    clock::Timestamp,
    config::{self, Config},
    credentials::{
        Identities, Vaults,
        grant::{Grant, client_credentials::ClientCredentials},
        keeper::{Keeper, KeeperHandle, Keeping, Observer},
        schedule::RefreshAt,
        vault::Vault,
    },
    limits::{Limits, budget::BudgetLimit, meter::Limit},
    names::{IdentityKind, TenantName},
    net::{client::Endpoint, host::Hosts, incoming::Doors},
    ninjaone::catalogue::{Catalogue, Clash},
    policy::book::{Book, BookSource, CallerSource},
    proxy::rules::Rules,
    tasks::Tasks,
    upstream::origin::{Origin, Origins, Patience, RetrySettings},
};

/// What outlives the rules.
pub struct Assembly {
    tasks: Tasks,
    observer: Observer,
    generation: u64,
    keepers: Vec<Kept>,
    origins: Vec<(TenantName, Arc<Origin>)>,
}

/// A keeper at work, and what it was started with.
struct Kept {
    tenant: TenantName,
    endpoint: Endpoint,
    identity: config::ServiceIdentity,
    vault: Arc<Vault>,
    /// Ends the keeper when dropped.
    _handle: KeeperHandle,
}

impl Assembly {
    /// Keepers run on the current runtime under `tasks`; `observer` is told of every renewal.
    #[must_use]
    pub fn new(tasks: Tasks, observer: Observer) -> Self {
        Self {
            tasks,
            observer,
            generation: 0,
            keepers: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// # Errors
    /// When an `[[operation]]` clashes with the catalogue.
    pub fn rules(&mut self, config: &Config, previous: Option<&Rules>) -> Result<Rules, Clash> {
        let catalogue = Arc::new(Catalogue::with(config.operations.clone())?);
        let (keepers, origins) = (self.keepers(config), self.origins(config));
        let credentials = keepers
            .iter()
            .map(|kept| Identities {
                service: kept.as_ref().map(|it| Arc::clone(&it.vault)),
                user: None,
            })
            .collect();
        self.keepers = keepers.into_iter().flatten().collect();
        self.generation += 1;
        let rules = Rules {
            generation: self.generation,
            fingerprint: config.fingerprint.clone(),
            loaded: Timestamp::now(),
            doors: doors(config),
            callers: directory(config),
            policy: book(config, catalogue),
            limits: limits(config, previous),
            credentials: Vaults::new(credentials),
            origins: Origins::new(origins.iter().map(|(_, it)| Arc::clone(it)).collect()),
        };
        self.origins = origins;
        Ok(rules)
    }

    /// One for each tenant that has credentials; a keeper whose tenant is gone or changed ends.
    fn keepers(&mut self, config: &Config) -> Vec<Option<Kept>> {
        let mut before = std::mem::take(&mut self.keepers);
        let mut keeper = |tenant: &config::Tenant| {
            let identity = tenant.service.clone()?;
            let endpoint = endpoint(&tenant.origin);
            let same = before.iter().position(|it| {
                it.tenant == tenant.name && it.endpoint == endpoint && it.identity == identity
            });
            Some(match same {
                Some(at) => before.swap_remove(at),
                None => self.start(tenant.name.clone(), endpoint, identity),
            })
        };
        config.tenants.iter().map(&mut keeper).collect()
    }

    fn start(
        &self,
        tenant: TenantName,
        endpoint: Endpoint,
        identity: config::ServiceIdentity,
    ) -> Kept {
        let keeping = Keeping {
            tenant: tenant.clone(),
            identity: IdentityKind::Service,
            grant: Grant::ClientCredentials(ClientCredentials {
                endpoint: endpoint.clone(),
                client_id: identity.client_id.clone(),
                client_secret: identity.client_secret.clone(),
                scopes: identity.scopes.clone(),
            }),
            refresh_at: match identity.refresh_at {
                config::RefreshAt::Percent(percent) => RefreshAt::OfLife(percent),
                config::RefreshAt::Before(time) => RefreshAt::BeforeEnd(time),
            },
            observer: Arc::clone(&self.observer),
        };
        let (vault, handle) = Keeper::start(keeping, &self.tasks);
        Kept {
            tenant,
            endpoint,
            identity,
            vault,
            _handle: handle,
        }
    }

    fn origins(&self, config: &Config) -> Vec<(TenantName, Arc<Origin>)> {
        let (patience, retry) = (patience(config), retry(config));
        let origin = |tenant: &config::Tenant| {
            let endpoint = endpoint(&tenant.origin);
            let same = self
                .origins
                .iter()
                .find(|(name, it)| *name == tenant.name && it.is(&endpoint, patience, retry));
            let origin = same.map_or_else(
                || Origin::new(endpoint.clone(), patience, retry),
                |(_, it)| Arc::clone(it),
            );
            (tenant.name.clone(), origin)
        };
        config.tenants.iter().map(origin).collect()
    }
}

fn endpoint(origin: &config::Origin) -> Endpoint {
    Endpoint {
        tls: origin.tls,
        host: origin.host.clone(),
        port: origin.port,
        ca: origin.ca.clone(),
    }
}

fn patience(config: &Config) -> Patience {
    Patience {
        connect: config.timeouts.connect,
        first_byte: config.timeouts.first_byte,
        idle: config.timeouts.idle,
    }
}

fn retry(config: &Config) -> RetrySettings {
    RetrySettings {
        attempts_max: config.retry.attempts,
        backoff_from: config.retry.backoff_from,
        backoff_to: config.retry.backoff_to,
        jitter: config.retry.jitter,
        budget_percent: config.retry.budget_percent,
    }
}

fn doors(config: &Config) -> Doors {
    Doors {
        hosts: Hosts::new(config.listen.hosts.iter().cloned()),
        head_bytes_max: config.listen.head_bytes_max,
        body_bytes_max: config.listen.body_bytes_max,
        upload_bytes_max: config.listen.upload_bytes_max,
        idle: config.timeouts.idle,
    }
}

fn directory(config: &Config) -> caller::Directory {
    let entry = |caller: &config::Caller| caller::Entry {
        name: caller.name.clone(),
        keys: caller
            .keys
            .iter()
            .copied()
            .map(KeyHash::from_bytes)
            .collect(),
        expires: caller.expires,
    };
    caller::Directory::new(config.callers.iter().map(entry).collect())
}

/// The rules of all callers over `catalogue`: `explain` makes the same.
#[must_use]
pub fn book(config: &Config, catalogue: Arc<Catalogue>) -> Book {
    let caller = |caller: &config::Caller| CallerSource {
        name: caller.name.clone(),
        rules: caller.rules.clone(),
        tenants: caller.tenants.clone(),
        reason_required: caller.reason_required,
        on_behalf_of_required: caller.on_behalf_of_required,
        policies: Vec::new(),
    };
    Book::new(BookSource {
        catalogue,
        tenants: config.tenants.iter().map(|it| it.name.clone()).collect(),
        callers: config.callers.iter().map(caller).collect(),
    })
}

fn limits(config: &Config, previous: Option<&Rules>) -> Limits {
    let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let caller = |caller: &config::Caller| {
        let limit = Limit {
            rate: caller.limit.rate,
            burst: at_least_one(caller.limit.burst),
            concurrency: at_least_one(caller.limit.concurrency),
        };
        (caller.name.clone(), limit)
    };
    let budget = BudgetLimit {
        rate: config.budget.rate,
        burst: at_least_one(config.budget.burst),
        concurrency: at_least_one(config.budget.concurrency),
        queue: config.budget.queue,
    };
    Limits::new(
        config.callers.iter().map(caller).collect(),
        config
            .tenants
            .iter()
            .map(|it| (it.name.clone(), budget))
            .collect(),
        previous.map(|it| &it.limits),
    )
}
