//! MAY THEY NOW? `Authorized` ──► `Admitted`. Rate limits: what a caller may do per time, and what a tenant may spend at NinjaOne.

mod admitted;
pub mod budget;
pub mod caller_limiter;
mod fair_queue;
mod gcra_limiter;
mod limit_kind;
pub mod rate;
mod rate_limit_status;
mod release_pace;
pub mod retry_after;
pub mod token_request_limits;

use std::{collections::HashMap, hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

use http::HeaderValue;

use crate::{
    names::{CallerName, TenantName},
    policy::Authorized,
};

use self::{
    budget::{Budget, BudgetLimit},
    caller_limiter::{CallerLimiter, CallerRateLimit},
    rate::Rate,
};

pub use self::{admitted::Admitted, limit_kind::LimitKind, rate_limit_status::RateLimitStatus};

/// The `Retry-After` of a request whose caller or tenant the limits do not know. Tables of the same rules always agree,
/// so this should not happen; it fails closed.
const UNKNOWN_RETRY_AFTER_S: u32 = 1;

/// Every caller's meter and every tenant's budget, by their index in the rules.
pub struct RateLimits {
    callers: Vec<(CallerName, Arc<CallerLimiter>)>,
    tenants: Vec<(TenantName, Arc<Budget>)>,
}

impl RateLimits {
    /// Takes over what `previous` has counted where name and limit are the same; what is gone is dropped.
    #[must_use]
    pub fn new(
        callers: Vec<(CallerName, CallerRateLimit)>,
        tenants: Vec<(TenantName, BudgetLimit)>,
        previous: Option<&Self>,
    ) -> Self {
        let meters = by_name(previous.map(|limits| limits.callers.as_slice()));
        let budgets = by_name(previous.map(|limits| limits.tenants.as_slice()));
        let meter = |(name, limit): (CallerName, CallerRateLimit)| {
            let kept = meters.get(&name).filter(|meter| *meter.limit() == limit);
            let meter = kept.map_or_else(
                || Arc::new(CallerLimiter::new(limit)),
                |kept| Arc::clone(kept),
            );
            (name, meter)
        };
        let budget = |(name, limit): (TenantName, BudgetLimit)| {
            let kept = budgets.get(&name).filter(|it| *it.limit() == limit);
            let budget = kept.map_or_else(|| Arc::new(Budget::new(limit)), |kept| Arc::clone(kept));
            (name, budget)
        };
        Self {
            callers: callers.into_iter().map(meter).collect(),
            tenants: tenants.into_iter().map(budget).collect(),
        }
    }

    /// Lets a request in if its caller is within its limits. Never waits.
    pub fn admit(&self, authorized: Authorized) -> Result<Admitted, Box<Throttled>> {
        let caller = self.callers.get(authorized.caller().index);
        let tenant = self.tenants.get(authorized.tenant().index);
        let (Some((_, meter)), Some((_, budget))) = (caller, tenant) else {
            return Err(Throttled::unknown_caller_or_tenant(authorized));
        };
        match meter.admit() {
            Ok((concurrency, rate_limit_status)) => Ok(Admitted::assert_admitted(
                authorized,
                concurrency,
                rate_limit_status,
                Arc::clone(budget),
            )),
            Err((by, retry_after, rate_limit_status)) => Err(Box::new(Throttled {
                authorized,
                retry_after,
                limit: by,
                caller_limit: *meter.limit(),
                rate_limit_status,
                policy_header: meter.policy_header().clone(),
            })),
        }
    }

    /// The meter of the caller with this index.
    #[must_use]
    pub fn caller_limiter(&self, caller: usize) -> Option<&Arc<CallerLimiter>> {
        self.callers.get(caller).map(|(_, meter)| meter)
    }

    /// The configured limit of the caller with this name.
    #[must_use]
    pub fn limit_of_caller(&self, name: &str) -> Option<&CallerRateLimit> {
        let mut callers = self.callers.iter();
        let found = callers.find(|(it, _)| it.as_str() == name);
        found.map(|(_, meter)| meter.limit())
    }

    /// The budget of the tenant with this index.
    #[must_use]
    pub fn budget(&self, tenant: usize) -> Option<&Arc<Budget>> {
        self.tenants.get(tenant).map(|(_, budget)| budget)
    }

    /// Every tenant's budget, for status and metrics.
    pub fn budgets(&self) -> impl Iterator<Item = (&TenantName, &Arc<Budget>)> {
        self.tenants.iter().map(|(name, budget)| (name, budget))
    }
}

fn by_name<N: Eq + Hash, T>(table: Option<&[(N, Arc<T>)]>) -> HashMap<&N, &Arc<T>> {
    let rows = table.unwrap_or_default().iter();
    rows.map(|(name, value)| (name, value)).collect()
}

/// A request that came too soon.
pub struct Throttled {
    /// The request.
    pub authorized: Authorized,
    /// When the next one may pass.
    pub retry_after: Duration,
    /// The limit that it ran into.
    pub limit: LimitKind,
    /// What the caller may do per time.
    pub caller_limit: CallerRateLimit,
    /// What the caller has left.
    pub rate_limit_status: RateLimitStatus,
    /// The caller's limit, for the `RateLimit-Policy` header.
    pub policy_header: HeaderValue,
}

impl Throttled {
    fn unknown_caller_or_tenant(authorized: Authorized) -> Box<Self> {
        Box::new(Self {
            authorized,
            retry_after: Duration::from_secs(UNKNOWN_RETRY_AFTER_S.into()),
            limit: LimitKind::CallerRate,
            caller_limit: CallerRateLimit {
                rate: Rate::per_second(NonZeroU32::MIN),
                burst: NonZeroU32::MIN,
                concurrency: NonZeroU32::MIN,
            },
            rate_limit_status: RateLimitStatus {
                remaining: 0,
                reset_s: UNKNOWN_RETRY_AFTER_S,
            },
            policy_header: HeaderValue::from_static("\"caller\";q=0"),
        })
    }
}
