//! Translates the configuration into the values that the stations take. Every translation is here, once.

use std::{num::NonZeroU32, sync::Arc};

use crate::{
    admin::{access::AdminAccess, login_endpoint::LoginTarget},
    audit::{log_space::SpaceLimits, stranger_queue::StrangerLimits},
    caller::{self, api_key::KeyHash},
    config::{self, Config},
    credentials::{
        grant::application::Application,
        login::authorization::AuthorizationParams,
        store::{
            LoginStore,
            error::StoreError,
            seal_key::{SealKey, SealKeyError, SealKeys},
            stored_login::Slot,
        },
    },
    limits::{
        RateLimits,
        budget::BudgetLimit,
        caller_limiter::CallerRateLimit,
        token_request_limits::{TokenRequestLimit, TokenRequestLimits},
    },
    names::{IdentityKind, TenantName},
    net::{
        body::timeouts::BodyTimeouts,
        client::endpoint::Endpoint,
        request::{allowed_hosts::AllowedHosts, request_rules::RequestRules},
    },
    ninjaone::{
        catalogue::{Catalogue, CatalogueError},
        operation::Operation,
    },
    policy::{
        identity::ConfiguredIdentities,
        policy_set::{CallerSource, PolicySet, PolicySource, TenantSource},
    },
    proxy::rules::Rules,
    upstream::tenant_upstream::{RetryPolicy, UpstreamTimeouts},
};

/// The operations of the built-in catalogue: [`config::read::load`] checks selectors against them.
#[must_use]
pub fn builtin_operations() -> Vec<Operation> {
    let catalogue = Catalogue::builtin();
    catalogue.all().iter().map(|it| (**it).clone()).collect()
}

/// The built-in catalogue with what `[[operation]]` adds.
///
/// # Errors
/// An added operation has the id, or the method and path, of another one.
pub(crate) fn catalogue(config: &Config) -> Result<Arc<Catalogue>, CatalogueError> {
    Catalogue::with_added(config.operations.clone()).map(Arc::new)
}

/// The address of a tenant's NinjaOne.
#[must_use]
pub fn endpoint(origin: &config::Origin) -> Endpoint {
    let config::Origin {
        tls,
        host,
        port,
        ca,
        way_out,
        resolve_timeout,
    } = origin.clone();
    Endpoint {
        tls,
        host,
        port,
        ca,
        proxy: way_out.into_proxy(),
        resolve_timeout,
    }
}

/// The OAuth application of a service identity.
#[must_use]
pub(crate) fn service_application(
    endpoint: &Endpoint,
    it: &config::ServiceIdentity,
) -> Application {
    Application {
        endpoint: endpoint.clone(),
        client_id: it.client_id.clone(),
        client_secret: Some(it.client_secret.clone()),
        client_auth: it.client_auth,
    }
}

/// The OAuth application of a user identity.
#[must_use]
pub fn user_application(endpoint: &Endpoint, it: &config::UserIdentity) -> Application {
    Application {
        endpoint: endpoint.clone(),
        client_id: it.client_id.clone(),
        client_secret: it.client_secret.clone(),
        client_auth: it.client_auth,
    }
}

/// The slot of the store that holds a tenant's login.
#[must_use]
pub fn login_slot(tenant: &TenantName) -> Slot {
    Slot {
        tenant: tenant.clone(),
        identity: IdentityKind::User,
    }
}

/// Why the store of logins cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpenError {
    /// A key of the store is not suitable.
    #[error("the key of the store: {0}")]
    Key(#[from] SealKeyError),
    /// Its directory is not private enough, or cannot be used.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
}

/// Opens the store of logins with its keys.
///
/// # Errors
/// The directory or a key is not suitable for secrets.
pub fn open_store(store: &config::StoreConfig) -> Result<LoginStore, StoreOpenError> {
    let mut keys = store.seals.iter().map(|seal| match seal {
        config::Seal::Key(key) => SealKey::from_bytes(key.expose()),
        config::Seal::Passphrase(text) => SealKey::from_passphrase(text.expose().as_bytes()),
    });
    let first = keys.next().unwrap_or_else(|| SealKey::from_bytes(&[]))?;
    let older = keys.collect::<Result<Vec<_>, _>>()?;
    Ok(LoginStore::open(&store.path, SealKeys::new(first, older)?)?)
}

/// The parameters of the authorization request for a login.
#[must_use]
pub(crate) fn authorization_params(
    endpoint: &Endpoint,
    user: &config::UserIdentity,
) -> AuthorizationParams {
    AuthorizationParams {
        application: user_application(endpoint, user),
        flow: user.grant,
        scopes: user.scopes.clone(),
        redirect_uri: user.redirect.uri.clone(),
    }
}

/// The tenants that have a user identity, with what a login to them needs.
#[must_use]
pub(crate) fn login_targets(config: &Config) -> Vec<LoginTarget> {
    let users = config
        .tenants
        .iter()
        .filter_map(|tenant| Some((tenant, tenant.user.as_ref()?)));
    users
        .map(|(tenant, user)| LoginTarget {
            slot: login_slot(&tenant.name),
            params: authorization_params(&endpoint(&tenant.origin), user),
        })
        .collect()
}

/// Who has access to the admin listener and the admin socket. An account that this machine does not have opens nothing.
pub(super) fn admin_access(config: &config::AdminConfig) -> AdminAccess {
    let mut access = AdminAccess {
        anonymous: config.anonymous,
        ..AdminAccess::default()
    };
    for config::AdminAccessConfig { who, role } in &config.access {
        match who {
            config::AdminIdentity::Key(key) => access.keys.push((KeyHash::from_bytes(*key), *role)),
            config::AdminIdentity::Account(account) => {
                if !account.exists() {
                    tracing::warn!(
                        ?account,
                        "[[admin.access]]: this machine has no such account"
                    );
                }
                access.accounts.push((account.clone(), *role));
            }
        }
    }
    access
}

/// How many lines of strangers are written one by one.
pub(super) const fn stranger_limits(audit: &config::AuditConfig) -> StrangerLimits {
    StrangerLimits {
        all: audit.strangers,
        per_peer: audit.strangers_per_peer,
    }
}

/// The room that the audit log may take.
pub(super) const fn space_limits(audit: &config::AuditConfig) -> SpaceLimits {
    SpaceLimits {
        total_bytes_max: audit.total_bytes_max,
        reserve_bytes: audit.reserve_bytes,
    }
}

/// Timeouts towards NinjaOne.
pub(super) fn upstream_timeouts(config: &Config) -> UpstreamTimeouts {
    UpstreamTimeouts {
        connect: config.timeouts.connect,
        first_byte: config.timeouts.first_byte,
        body: body_timeouts(config),
    }
}

/// Timeouts and minimum rate of a body, in either direction.
pub(super) fn body_timeouts(config: &Config) -> BodyTimeouts {
    BodyTimeouts {
        idle: config.timeouts.idle,
        min_rate: config.timeouts.body_rate_min,
        total: config.timeouts.body_total,
    }
}

/// How reads are retried.
pub(super) const fn retry_settings(config: &Config) -> RetryPolicy {
    let config::RetryConfig {
        attempts_max: attempts,
        backoff_from,
        backoff_to,
        jitter,
        budget_percent,
    } = config.retry;
    RetryPolicy {
        attempts_max: attempts,
        backoff_from,
        backoff_to,
        jitter,
        budget_percent,
    }
}

/// Limits on every request, checked before authentication.
pub(super) fn request_rules(config: &Config) -> RequestRules {
    RequestRules {
        allowed_hosts: AllowedHosts::new(config.listen.hosts.iter().cloned()),
        head_bytes_max: config.listen.head_bytes_max,
        body_bytes_max: config.listen.body_bytes_max,
        upload_bytes_max: config.listen.upload_bytes_max,
        body_timeouts: body_timeouts(config),
    }
}

/// The callers and their keys.
pub(crate) fn caller_directory(config: &Config) -> caller::CallerDirectory {
    let entry = |caller: &config::CallerConfig| caller::CallerEntry {
        name: caller.name.clone(),
        keys: caller
            .keys
            .iter()
            .copied()
            .map(KeyHash::from_bytes)
            .collect(),
        expires: caller.expires,
    };
    caller::CallerDirectory::new(config.callers.iter().map(entry).collect())
}

/// The rules of all callers over `catalogue`. The proxy and `explain` use the same.
#[must_use]
pub(crate) fn policy_set(config: &Config, catalogue: Arc<Catalogue>) -> PolicySet {
    let caller = |caller: &config::CallerConfig| CallerSource {
        name: caller.name.clone(),
        rules: caller.rules.clone(),
        tenants: caller.tenants.clone(),
        reason_required: caller.reason_required,
        on_behalf_of_required: caller.on_behalf_of_required,
        policies: Vec::new(),
    };
    let tenant = |tenant: &config::TenantConfig| TenantSource {
        name: tenant.name.clone(),
        identities: ConfiguredIdentities {
            service: tenant.service.is_some(),
            user: tenant.user.is_some(),
        },
    };
    PolicySet::new(PolicySource {
        catalogue,
        tenants: config.tenants.iter().map(tenant).collect(),
        callers: config.callers.iter().map(caller).collect(),
    })
}

/// The limits of callers and tenants; counters are taken over from `previous`.
pub(crate) fn limits(config: &Config, previous: Option<&RateLimits>) -> RateLimits {
    let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let caller = |caller: &config::CallerConfig| {
        let config::CallerLimitConfig {
            rate,
            burst,
            concurrency,
        } = caller.limit;
        let limit = CallerRateLimit {
            rate,
            burst: at_least_one(burst),
            concurrency: at_least_one(concurrency),
        };
        (caller.name.clone(), limit)
    };
    let config::BudgetConfig {
        rate,
        burst,
        concurrency,
        queue_timeout: queue,
    } = config.budget;
    let budget = BudgetLimit {
        rate,
        burst: at_least_one(burst),
        concurrency: at_least_one(concurrency),
        queue_timeout: queue,
    };
    RateLimits::new(
        config.callers.iter().map(caller).collect(),
        config
            .tenants
            .iter()
            .map(|it| (it.name.clone(), budget))
            .collect(),
        previous,
    )
}

/// The limits of callers at our own token endpoint; counters are taken over from `previous`.
pub(super) fn token_request_limits(
    config: &Config,
    previous: Option<&Rules>,
) -> TokenRequestLimits {
    let config::CallerTokenConfig {
        rate,
        burst,
        lifetime: _,
    } = config.caller_tokens;
    let limit = TokenRequestLimit {
        rate,
        burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
    };
    let names = config.callers.iter().map(|it| it.name.clone());
    TokenRequestLimits::new(names, limit, previous.map(|it| &it.token_requests))
}
