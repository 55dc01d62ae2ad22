//! Makes rules of a configuration, in journey order. What lives on over a reload (tokens, counters, connections) is taken
//! over from the rules before wherever its settings are unchanged.

use std::{num::NonZeroU32, sync::Arc};

use crate::{
    caller::{self, api_key::KeyHash},
    clock::Timestamp,
    config::{self, Config},
    credentials::{Vaults, learned::Learned},
    limits::{Limits, budget::BudgetLimit, meter::Limit},
    names::TenantName,
    net::{client::Endpoint, host::Hosts, incoming::Doors, pace::BodyPatience},
    ninjaone::{
        catalogue::{Catalogue, Clash},
        operation::Operation,
    },
    policy::{
        book::{Book, BookSource, CallerSource, TenantSource},
        identity::Held,
    },
    proxy::rules::Rules,
    upstream::origin::{Origin, Origins, Patience, RetrySettings},
};

use super::keepers::{Keepers, endpoint};

/// What outlives the rules.
pub struct Assembly {
    generation: u64,
    keepers: Keepers,
    origins: Vec<(TenantName, Arc<Origin>)>,
    learned: Vec<Lesson>,
}

/// What was learned of a tenant, and of which catalogue and NinjaOne it holds.
struct Lesson {
    tenant: TenantName,
    endpoint: Endpoint,
    operations: Arc<[Operation]>,
    learned: Arc<Learned>,
}

impl Assembly {
    #[must_use]
    pub fn new(keepers: Keepers) -> Self {
        Self {
            generation: 0,
            keepers,
            origins: Vec::new(),
            learned: Vec::new(),
        }
    }

    /// # Errors
    /// When an `[[operation]]` clashes with the catalogue.
    pub fn rules(&mut self, config: &Config, previous: Option<&Rules>) -> Result<Rules, Clash> {
        let catalogue = Arc::new(Catalogue::with(config.operations.clone())?);
        self.learned = self.learned(config, catalogue.all().len());
        let learned = self.learned.iter().map(|it| Arc::clone(&it.learned));
        let identities = self.keepers.identities(config, learned);
        let origins = self.origins(config);
        self.generation += 1;
        let rules = Rules {
            generation: self.generation,
            fingerprint: config.fingerprint.clone(),
            loaded: Timestamp::now(),
            doors: doors(config),
            callers: directory(config),
            policy: book(config, catalogue),
            limits: limits(config, previous),
            credentials: Vaults::new(identities),
            origins: Origins::new(origins.iter().map(|(_, it)| Arc::clone(it)).collect()),
        };
        self.origins = origins;
        Ok(rules)
    }

    /// One for each tenant. Taken over while it is the same NinjaOne and the operations have the same places; otherwise
    /// it is learned again, which costs one refused request an operation.
    fn learned(&self, config: &Config, count: usize) -> Vec<Lesson> {
        let operations: Arc<[Operation]> = config.operations.clone().into();
        let lesson = |tenant: &config::Tenant| {
            let endpoint = endpoint(&tenant.origin);
            let same = self.learned.iter().find(|it| {
                it.tenant == tenant.name && it.endpoint == endpoint && it.operations == operations
            });
            Lesson {
                tenant: tenant.name.clone(),
                endpoint,
                operations: Arc::clone(&operations),
                learned: same.map_or_else(
                    || Arc::new(Learned::new(count)),
                    |it| Arc::clone(&it.learned),
                ),
            }
        };
        config.tenants.iter().map(lesson).collect()
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

fn patience(config: &Config) -> Patience {
    Patience {
        connect: config.timeouts.connect,
        first_byte: config.timeouts.first_byte,
        body: body_patience(config),
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
        body: body_patience(config),
    }
}

/// For bodies, either way.
#[must_use]
pub fn body_patience(config: &Config) -> BodyPatience {
    BodyPatience {
        idle: config.timeouts.idle,
        rate: config.timeouts.body_rate,
        total: config.timeouts.body_total,
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
    let tenant = |tenant: &config::Tenant| TenantSource {
        name: tenant.name.clone(),
        held: Held {
            service: tenant.service.is_some(),
            user: tenant.user.is_some(),
        },
    };
    Book::new(BookSource {
        catalogue,
        tenants: config.tenants.iter().map(tenant).collect(),
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
