//! Builds the rules from a configuration, in journey order. Tokens, counters and connections survive a reload wherever
//! their settings are unchanged.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    config::{self, Config},
    credentials::{TokenCells, user_only_operations::UserOnlyOperations},
    names::TenantName,
    net::client::endpoint::Endpoint,
    ninjaone::{catalogue::CatalogueError, operation::Operation},
    proxy::rules::Rules,
    upstream::tenant_upstream::{TenantUpstream, TenantUpstreams},
};

use super::{
    token_renewers::TokenRenewers,
    wiring::{self, endpoint},
};

/// Builds rules, and keeps what outlives them.
pub(crate) struct RulesBuilder {
    generation: u64,
    renewers: TokenRenewers,
    upstreams: Vec<(TenantName, Arc<TenantUpstream>)>,
    user_only_operations: Vec<RememberedTenant>,
}

/// What was learned about a tenant, and the endpoint and operations for which it holds.
struct RememberedTenant {
    tenant: TenantName,
    endpoint: Endpoint,
    operations: Arc<[Operation]>,
    user_only_operations: Arc<UserOnlyOperations>,
}

impl RulesBuilder {
    /// Nothing has been built yet.
    #[must_use]
    pub(crate) fn new(renewers: TokenRenewers) -> Self {
        Self {
            generation: 0,
            renewers,
            upstreams: Vec::new(),
            user_only_operations: Vec::new(),
        }
    }

    /// Builds the rules of `config`, taking over what is unchanged from `previous`.
    ///
    /// # Errors
    /// An `[[operation]]` clashes with the catalogue.
    pub(crate) fn build(
        &mut self,
        config: &Config,
        previous: Option<&Rules>,
    ) -> Result<Rules, CatalogueError> {
        let catalogue = wiring::catalogue(config)?;
        self.user_only_operations = self.user_only_operations(config, catalogue.all().len());
        let learned = self
            .user_only_operations
            .iter()
            .map(|it| Arc::clone(&it.user_only_operations));
        let identities = self.renewers.identities(config, learned);
        let upstreams = self.upstreams(config);
        self.generation += 1;
        let rules = Rules {
            generation: self.generation,
            fingerprint: config.fingerprint.clone(),
            loaded_at: Timestamp::now(),
            requests: wiring::request_rules(config),
            callers: wiring::caller_directory(config),
            policy: wiring::policy_set(config, catalogue),
            limits: wiring::limits(config, previous.map(|it| &it.limits)),
            token_requests: wiring::token_request_limits(config, previous),
            token_lifetime: config.caller_tokens.lifetime,
            credentials: TokenCells::new(identities),
            upstreams: TenantUpstreams::new(
                upstreams.iter().map(|(_, it)| Arc::clone(it)).collect(),
            ),
        };
        self.upstreams = upstreams;
        Ok(rules)
    }

    /// One for each tenant. It is taken over as long as the endpoint and the operations are the same; otherwise it is
    /// learned again, at the cost of one refused request for each operation.
    fn user_only_operations(&self, config: &Config, count: usize) -> Vec<RememberedTenant> {
        let operations: Arc<[Operation]> = config.operations.clone().into();
        let remembered = |tenant: &config::TenantConfig| {
            let endpoint = endpoint(&tenant.origin);
            let same = self.user_only_operations.iter().find(|it| {
                it.tenant == tenant.name && it.endpoint == endpoint && it.operations == operations
            });
            RememberedTenant {
                tenant: tenant.name.clone(),
                endpoint,
                operations: Arc::clone(&operations),
                user_only_operations: same.map_or_else(
                    || Arc::new(UserOnlyOperations::new(count)),
                    |it| Arc::clone(&it.user_only_operations),
                ),
            }
        };
        config.tenants.iter().map(remembered).collect()
    }

    fn upstreams(&self, config: &Config) -> Vec<(TenantName, Arc<TenantUpstream>)> {
        let timeouts = wiring::upstream_timeouts(config);
        let retry = wiring::retry_settings(config);
        let upstream = |tenant: &config::TenantConfig| {
            let endpoint = endpoint(&tenant.origin);
            let same = self.upstreams.iter().find(|(name, it)| {
                *name == tenant.name && it.has_same_config(&endpoint, timeouts, retry)
            });
            let upstream = same.map_or_else(
                || TenantUpstream::new(endpoint.clone(), timeouts, retry),
                |(_, it)| Arc::clone(it),
            );
            (tenant.name.clone(), upstream)
        };
        config.tenants.iter().map(upstream).collect()
    }
}
