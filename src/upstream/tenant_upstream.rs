//! A tenant's API: where it is, its timeouts and retry budget, and how often it throttled us.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    net::{
        body::timeouts::BodyTimeouts,
        client::{
            connector::{Connector, ConnectorError},
            endpoint::Endpoint,
            pool::Pool,
        },
        tls::AlpnOffer,
    },
    tasks::Tasks,
};

use super::reachability::Reachability;

/// Pauses after throttle pages that do not say how long: 1 s, doubled each time, up to this.
const DEFAULT_PAUSE_MAX: Duration = Duration::from_mins(1);
/// Longest pause that NinjaOne can ask for.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// Connections that nobody uses are closed after this.
const CONNECTION_IDLE_MAX: Duration = Duration::from_mins(1);

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the head of the response; begins anew while the caller's body is on its way.
    pub first_byte: Duration,
    /// For bodies, either way.
    pub body: BodyTimeouts,
}

/// How reads are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub attempts_max: u32,
    /// The first pause; each following one is twice as long.
    pub backoff_from: Duration,
    /// The longest pause.
    pub backoff_to: Duration,
    /// Whether a pause is a random time up to what it may be.
    pub jitter: bool,
    /// Retries as a share of recent requests, in percent.
    pub budget_percent: u8,
}

/// A tenant's API.
pub struct TenantUpstream {
    id: u64,
    endpoint: Endpoint,
    timeouts: UpstreamTimeouts,
    retry_budget: RetryBudget,
    /// Consecutive throttles.
    throttle_streak: AtomicU32,
    throttled_by_status: AtomicU64,
    throttled_by_page: AtomicU64,
    reachability: Reachability,
}

/// How NinjaOne said that it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThrottleKind {
    /// 429
    TooManyRequests,
    /// A page of HTML.
    HtmlPage,
}

/// Ids tell pools apart, also those of one tenant before and after a reload.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl TenantUpstream {
    /// A tenant's API of which nothing is known yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, timeouts: UpstreamTimeouts, retry: RetryPolicy) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            endpoint,
            timeouts,
            retry_budget: RetryBudget::new(retry),
            throttle_streak: AtomicU32::new(0),
            throttled_by_status: AtomicU64::new(0),
            throttled_by_page: AtomicU64::new(0),
            reachability: Reachability::default(),
        })
    }

    /// Whether `new` with these arguments would make the same upstream. Then it stays over a reload, with its connections.
    #[must_use]
    pub fn has_same_config(
        &self,
        endpoint: &Endpoint,
        timeouts: UpstreamTimeouts,
        retry: RetryPolicy,
    ) -> bool {
        self.endpoint == *endpoint && self.timeouts == timeouts && self.retry_budget.policy == retry
    }

    /// Tells pools apart, also those of one tenant before and after a reload.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether the host could be reached when it was last tried.
    #[must_use]
    pub fn reachability(&self) -> &Reachability {
        &self.reachability
    }

    /// How long to wait for what.
    #[must_use]
    pub fn timeouts(&self) -> UpstreamTimeouts {
        self.timeouts
    }

    /// What retries may still cost.
    #[must_use]
    pub fn retry_budget(&self) -> &RetryBudget {
        &self.retry_budget
    }

    /// # Errors
    /// When TLS cannot be set up.
    pub fn open_pool(&self, tasks: Tasks) -> Result<Arc<Pool>, ConnectorError> {
        let connector = Connector::new(
            self.endpoint.clone(),
            AlpnOffer::Http2OrHttp1,
            self.timeouts.connect,
        )?;
        Ok(Pool::new(connector, CONNECTION_IDLE_MAX, tasks))
    }

    /// How long to send nothing after a throttle whose `Retry-After` was `told`.
    pub fn record_throttle(&self, kind: ThrottleKind, told: Option<Duration>) -> Duration {
        let count = match kind {
            ThrottleKind::TooManyRequests => &self.throttled_by_status,
            ThrottleKind::HtmlPage => &self.throttled_by_page,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let streak = self.throttle_streak.fetch_add(1, Ordering::Relaxed).min(6);
        told.unwrap_or_else(|| Duration::from_secs(1 << streak).min(DEFAULT_PAUSE_MAX))
            .clamp(Duration::from_secs(1), PAUSE_MAX)
    }

    /// How often each kind was seen.
    #[must_use]
    pub fn throttle_counts(&self) -> [(&'static str, u64); 2] {
        [
            ("status", self.throttled_by_status.load(Ordering::Relaxed)),
            ("html", self.throttled_by_page.load(Ordering::Relaxed)),
        ]
    }

    /// NinjaOne responded without a throttle: the next pause begins at 1 s again.
    pub fn reset_throttle(&self) {
        if self.throttle_streak.load(Ordering::Relaxed) != 0 {
            self.throttle_streak.store(0, Ordering::Relaxed);
        }
    }
}

/// The APIs of all tenants, by the tenant's index.
pub struct TenantUpstreams(Vec<Arc<TenantUpstream>>);

impl TenantUpstreams {
    /// In the order of the tenants in the rules.
    #[must_use]
    pub fn new(upstreams: Vec<Arc<TenantUpstream>>) -> Self {
        Self(upstreams)
    }

    /// The API of the tenant with this index.
    #[must_use]
    pub fn get(&self, tenant: usize) -> Option<&Arc<TenantUpstream>> {
        self.0.get(tenant)
    }
}

/// Retries that may be made, in hundredths: each request earns `budget_percent`, each retry costs a hundred.
pub struct RetryBudget {
    policy: RetryPolicy,
    hundredths: AtomicI64,
}

/// What is there at the start, and the most that can be saved up: ten retries.
const SAVED_HUNDREDTHS_MAX: i64 = 1000;
const RETRY_HUNDREDTHS: i64 = 100;

impl RetryBudget {
    fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            hundredths: AtomicI64::new(SAVED_HUNDREDTHS_MAX),
        }
    }

    /// The configured limits.
    #[must_use]
    pub fn policy(&self) -> RetryPolicy {
        self.policy
    }

    /// A request is made.
    pub fn deposit(&self) {
        if self.hundredths.load(Ordering::Relaxed) < SAVED_HUNDREDTHS_MAX {
            self.hundredths
                .fetch_add(i64::from(self.policy.budget_percent), Ordering::Relaxed);
        }
    }

    /// Pays for a retry; false if there is nothing left.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.hundredths
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
                (saved >= RETRY_HUNDREDTHS).then_some(saved - RETRY_HUNDREDTHS)
            })
            .is_ok()
    }
}
