//! Collects every station's snapshot into the status and the metrics that the admin listener shows.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::{
    admin::{
        MetricsSource, StatusSource,
        health::Health,
        metrics_snapshot::{self, MetricsSnapshot},
        status_snapshot::{self, IdentityState, StatusSnapshot},
    },
    audit::{decision::Decision, ledger::Ledger},
    clock::Timestamp,
    config::Config,
    credentials::token::{
        schedule::RenewalSchedule,
        snapshot::{StoredLoginStatus, TokenSnapshot, TokenState},
    },
    names::{CallerName, IdentityKind, TenantName},
    net::server::{
        connection_rejections::{RejectionCounts, RejectionReason},
        connections::Connections,
    },
    proxy::{
        rules::Rules,
        worker_metrics::{self, WorkerMetrics},
    },
    watchdog::{Liveness, PartStatus, Watchdog},
};

use super::{VERSION, audit_status, logging};

/// What the status shows of the configuration in force, besides the rules built from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigState {
    pub tenants: Vec<TenantState>,
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
                service_percent: tenant
                    .service
                    .as_ref()
                    .and_then(|it| percent(it.refresh_at)),
                user_percent: tenant.user.as_ref().and_then(|it| percent(it.refresh_at)),
            }
        });
        Self {
            tenants: tenants.collect(),
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

/// Collects the status and the metrics.
pub(crate) struct StatusCollector {
    pub boot: String,
    pub started: Timestamp,
    pub rules: Arc<ArcSwap<Rules>>,
    pub ledger: Ledger,
    pub connections: Arc<Connections>,
    pub worker_metrics: Vec<Arc<WorkerMetrics>>,
    /// The role and address of each listener.
    pub listeners: Vec<(&'static str, String)>,
    pub config: ArcSwap<ConfigState>,
    pub draining: AtomicBool,
    pub watchdog: Watchdog,
}

impl StatusCollector {
    #[must_use]
    pub(crate) fn snapshot_source(self: &Arc<Self>) -> StatusSource {
        let status = Arc::clone(self);
        Box::new(move || status.snapshot())
    }

    #[must_use]
    pub(crate) fn metrics_source(self: &Arc<Self>) -> MetricsSource {
        let status = Arc::clone(self);
        Box::new(move || status.metrics_snapshot())
    }

    #[must_use]
    pub(crate) fn snapshot(&self) -> StatusSnapshot {
        let now = Timestamp::now();
        let rules = self.rules.load();
        let config = self.config.load();
        let counts = self.counts();
        let parts = self.watchdog.parts();
        StatusSnapshot {
            schema: status_snapshot::SCHEMA.to_owned(),
            health: Health::Healthy,
            degraded: config
                .pending_restart
                .iter()
                .map(|setting| restart_needed_text(setting))
                .collect(),
            version: VERSION.to_owned(),
            pid: std::process::id(),
            boot: self.boot.clone(),
            started: self.started.to_string(),
            uptime_s: now.since(self.started).as_secs(),
            starting: false,
            draining: self.draining.load(Ordering::Acquire),
            config: status_snapshot::ConfigStatus {
                generation: rules.generation,
                fingerprint: rules.fingerprint.clone(),
                loaded_at: rules.loaded_at.to_string(),
                last_error: config.last_error.clone(),
                tries: config.load_attempts,
            },
            listeners: self.listeners(),
            tenants: tenants(&config, &rules, now),
            callers: callers(&rules, &counts),
            audit: audit_status::audit_status(self.ledger.snapshot(), &parts),
            traffic: self.traffic(&counts),
            stalled: stalled(parts),
        }
        .with_health()
    }

    fn listeners(&self) -> Vec<status_snapshot::ListenerStatus> {
        let open = self.connections.open_count() as u64;
        self.listeners
            .iter()
            .map(|(role, address)| status_snapshot::ListenerStatus {
                role: (*role).to_owned(),
                address: address.clone(),
                connections: if *role == "callers" { open } else { 0 },
            })
            .collect()
    }

    fn traffic(&self, counts: &BTreeMap<RequestCountKey, u64>) -> status_snapshot::Traffic {
        let mut traffic = status_snapshot::Traffic {
            in_flight: self
                .worker_metrics
                .iter()
                .map(|it| it.in_flight() as u64)
                .sum(),
            ..status_snapshot::Traffic::default()
        };
        for (key, count) in counts {
            traffic.requests += count;
            *traffic
                .decisions
                .entry(key.2.as_str().to_owned())
                .or_default() += count;
            let class = metrics_snapshot::status_class(key.3);
            *traffic.statuses.entry(class.to_owned()).or_default() += count;
        }
        traffic
    }

    /// The request counts of all workers.
    fn counts(&self) -> BTreeMap<RequestCountKey, u64> {
        let mut counts = BTreeMap::new();
        for worker in &self.worker_metrics {
            worker.for_each(|key, count| {
                let key = (
                    key.caller.clone(),
                    key.operation.clone(),
                    key.decision,
                    key.status_class,
                );
                *counts.entry(key).or_default() += count;
            });
        }
        counts
    }

    #[must_use]
    pub(crate) fn metrics_snapshot(&self) -> MetricsSnapshot {
        let rules = self.rules.load();
        let ledger = self.ledger.snapshot();
        let turned_away = self.connections.rejections();
        let requests = self.counts().into_iter().map(|(key, count)| {
            let (caller, operation, decision, class) = key;
            metrics_snapshot::RequestCount {
                caller: caller.map_or_else(|| Arc::from("none"), |it| Arc::from(it.as_str())),
                operation: operation.unwrap_or_else(|| Arc::from("none")),
                decision,
                status_class: metrics_snapshot::status_class(class),
                count,
            }
        });
        MetricsSnapshot {
            version: VERSION,
            requests: requests.collect(),
            duration: self.histogram(|it| &it.duration),
            overhead: self.histogram(|it| &it.overhead),
            in_flight: self
                .worker_metrics
                .iter()
                .map(|it| it.in_flight() as u64)
                .sum(),
            connections: self.connections.open_count() as u64,
            connections_refused: by_reason(turned_away.refused(), Some(RejectionReason::Idle)),
            connections_evicted: by_reason(turned_away.evicted(), None),
            tokens: rules
                .credentials
                .iter()
                .map(|it| token(&it.snapshot()))
                .collect(),
            renewals: rules
                .credentials
                .iter()
                .flat_map(|it| renewals(&it.snapshot()))
                .collect(),
            throttled: throttled(&rules),
            audit_records: ledger.records,
            audit_failures: ledger.failures,
            audit_queued: ledger.queued as u64,
            audit_strangers_counted: ledger.strangers_counted,
            audit_space: ledger.space.as_ref().map(audit_status::space_metrics),
            config_generation: rules.generation,
            log_lines_lost: logging::lost_lines(),
            parts: self
                .watchdog
                .parts()
                .into_iter()
                .map(|it| (it.name, it.liveness != Liveness::Alive))
                .collect(),
        }
    }

    fn histogram(
        &self,
        which: impl Fn(&WorkerMetrics) -> &worker_metrics::DurationHistogram,
    ) -> metrics_snapshot::HistogramSnapshot {
        let mut counts = vec![0; worker_metrics::BOUNDS_S.len() + 1];
        let mut sum_us = 0;
        for worker in &self.worker_metrics {
            let (own, own_sum_us) = which(worker).snapshot();
            for (total, count) in counts.iter_mut().zip(own) {
                *total += count;
            }
            sum_us += own_sum_us;
        }
        metrics_snapshot::HistogramSnapshot {
            bounds_s: worker_metrics::BOUNDS_S.to_vec(),
            counts,
            sum_s: Duration::from_micros(sum_us).as_secs_f64(),
        }
    }
}

fn stalled(parts: Vec<PartStatus>) -> Vec<status_snapshot::StalledPart> {
    let stalled = parts
        .into_iter()
        .filter(|it| it.liveness != Liveness::Alive);
    stalled
        .map(|it| status_snapshot::StalledPart {
            part: it.name,
            silent_s: it.silent.as_secs(),
            is_fatal: it.liveness == Liveness::Stalled,
        })
        .collect()
}

fn by_reason(counts: RejectionCounts, never: Option<RejectionReason>) -> Vec<(&'static str, u64)> {
    let counts = counts.into_iter();
    let counts = counts.filter(|(why, _)| Some(*why) != never);
    counts.map(|(why, count)| (why.as_str(), count)).collect()
}

/// Caller, operation, decision, status class.
type RequestCountKey = (Option<CallerName>, Option<Arc<str>>, Decision, u8);

fn restart_needed_text(setting: &str) -> String {
    format!("`{setting}` has changed; it takes effect when ninjaone-proxy is started again.")
}

fn tenants(
    config: &ConfigState,
    rules: &Rules,
    now: Timestamp,
) -> Vec<status_snapshot::TenantStatus> {
    let tenant = |(index, it): (usize, &TenantState)| {
        let of = |kind| Some(rules.credentials.get(index, kind)?.snapshot());
        let service = of(IdentityKind::Service).map(|token| (token, it.service_percent));
        let user = of(IdentityKind::User).map(|token| (token, it.user_percent));
        let budget = rules.limits.budget(index).map(|it| it.snapshot());
        status_snapshot::TenantStatus {
            name: it.name.to_string(),
            label: it.label.clone(),
            origin: it.origin.clone(),
            identities: service
                .into_iter()
                .chain(user)
                .map(|(token, percent)| identity(&token, percent, now))
                .collect(),
            learned_user_operations: user_only_operations(rules, index),
            budget: budget.map_or_else(status_snapshot::BudgetStatus::default, |it| {
                status_snapshot::BudgetStatus {
                    in_flight: it.in_flight.into(),
                    waiting: it.waiting as u64,
                    paused_s: it.paused_for.map_or(0, |it| it.as_secs() + 1),
                }
            }),
        }
    };
    config.tenants.iter().enumerate().map(tenant).collect()
}

fn user_only_operations(rules: &Rules, tenant: usize) -> Vec<String> {
    let learned = rules.credentials.user_only_operations(tenant);
    let operations = rules.policy.catalogue().all().iter();
    operations
        .filter(|it| learned.is_some_and(|learned| learned.contains(it.index)))
        .map(|it| it.id.to_string())
        .collect()
}

fn identity(
    token: &TokenSnapshot,
    refresh_percent: Option<u8>,
    now: Timestamp,
) -> status_snapshot::IdentityStatus {
    let is_renewable = token.login.as_ref().is_none_or(|it| {
        let login = it.login.as_ref();
        login.is_some_and(|it| it.renewable)
    });
    let renews_at = || {
        if !is_renewable {
            return None;
        }
        let (from, to) = (token.minted_at?, token.expires_at?);
        let percent = u32::from(refresh_percent?);
        Some(from.plus(to.since(from) * percent / 100))
    };
    status_snapshot::IdentityStatus {
        identity: token.identity.to_string(),
        state: match (token.usable, token.generation) {
            (true, _) => IdentityState::Valid,
            (false, _) if token.state == TokenState::LoginNeeded => IdentityState::LoginNeeded,
            (false, 0) if token.failing_since.is_none() => IdentityState::Starting,
            (false, _) => IdentityState::Unavailable,
        },
        expires_at: token.expires_at.map(|it| it.to_string()),
        expires_in_s: token.expires_at.map(|it| it.since(now).as_secs()),
        renews_in_s: renews_at().map(|it| it.since(now).as_secs()),
        generation: token.generation,
        last_error: match (token.failing_since, &token.last_error) {
            (Some(_), Some((_, error))) => Some(error.to_string()),
            _ => None,
        },
        login: token.login.as_ref().map(login),
    }
}

fn login(state: &StoredLoginStatus) -> status_snapshot::UserLoginStatus {
    let login = state.login.as_ref();
    status_snapshot::UserLoginStatus {
        logged_in_at: login.map(|it| it.logged_in_at.to_string()),
        refreshed_at: login.map(|it| it.refreshed_at.to_string()),
        renewable: login.is_some_and(|it| it.renewable),
        unsaved_since: state.unsaved_since.map(|it| it.to_string()),
        store_fault: state.store_fault.clone(),
    }
}

fn callers(
    rules: &Rules,
    counts: &BTreeMap<RequestCountKey, u64>,
) -> Vec<status_snapshot::CallerStatus> {
    let caller = |name: &CallerName| {
        let own = counts
            .iter()
            .filter(|(key, _)| key.0.as_ref() == Some(name));
        let (mut requests, mut refused) = (0, 0);
        for (key, count) in own {
            requests += count;
            refused += if key.2.is_refused() { *count } else { 0 };
        }
        status_snapshot::CallerStatus {
            name: name.to_string(),
            requests,
            refused,
        }
    };
    rules
        .callers
        .callers()
        .iter()
        .map(|it| caller(&it.name))
        .collect()
}

fn token(token: &TokenSnapshot) -> metrics_snapshot::TokenMetrics {
    metrics_snapshot::TokenMetrics {
        tenant: Arc::from(token.tenant.as_str()),
        identity: token.identity.as_str(),
        expires_unix_s: token.expires_at.map(Timestamp::unix_seconds),
        login: token
            .login
            .as_ref()
            .map(|it| metrics_snapshot::LoginMetrics {
                needed: token.state == TokenState::LoginNeeded,
                unsaved: it.unsaved_since.is_some(),
            }),
    }
}

fn renewals(token: &TokenSnapshot) -> Vec<metrics_snapshot::RenewalCount> {
    let result = |(result, count): &(&'static str, u64)| metrics_snapshot::RenewalCount {
        tenant: Arc::from(token.tenant.as_str()),
        identity: token.identity.as_str(),
        result,
        count: *count,
    };
    token.results.iter().map(result).collect()
}

fn throttled(rules: &Rules) -> Vec<metrics_snapshot::ThrottleCount> {
    let mut all = Vec::new();
    for tenant in rules.policy.tenants() {
        if let Some(origin) = rules.upstreams.get(tenant.index) {
            for (kind, count) in origin.throttle_counts() {
                all.push(metrics_snapshot::ThrottleCount {
                    tenant: Arc::from(tenant.name.as_str()),
                    kind,
                    count,
                });
            }
        }
    }
    all
}
