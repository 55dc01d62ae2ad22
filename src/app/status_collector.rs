//! Collects every station's snapshot into the status and the metrics that the admin listener shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::{
    admin::{
        MetricsSource, StatusSource,
        health::Health,
        metrics_snapshot::{self, MetricsSnapshot},
        status_snapshot::{self, StatusSnapshot},
        trouble::{Trouble, TroubleKind},
    },
    audit::{decision::Decision, ledger::Ledger},
    clock::Timestamp,
    config::Config,
    names::CallerName,
    net::server::{
        connection_rejections::{RejectionCounts, RejectionReason},
        connections::Connections,
    },
    proxy::{
        rules::Rules,
        token_authority::TokenAuthority,
        worker_metrics::{self, RequestTally, WorkerMetrics},
    },
    watchdog::{Liveness, PartStatus, Watchdog},
};

use super::{
    VERSION, audit_status,
    config_state::ConfigState,
    logging,
    tenant_status::tenants,
    token_metrics::{renewals, throttled, token},
    trouble_log::TroubleSource,
};

/// Collects the status and the metrics.
pub(crate) struct StatusCollector {
    pub boot: String,
    pub started: Timestamp,
    pub rules: Arc<ArcSwap<Rules>>,
    pub ledger: Ledger,
    pub token_authority: Arc<TokenAuthority>,
    pub connections: Arc<Connections>,
    pub worker_metrics: Vec<Arc<WorkerMetrics>>,
    /// The role and address of each listener.
    pub listeners: Vec<(&'static str, String)>,
    pub config: ArcSwap<ConfigState>,
    /// The configuration that was loaded last, for `doctor`. It has the tenants' secrets.
    pub settings: ArcSwap<Config>,
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
    pub(crate) fn trouble_source(self: &Arc<Self>) -> TroubleSource {
        let status = Arc::clone(self);
        Box::new(move || status.judged().troubles)
    }

    #[must_use]
    pub(crate) fn metrics_source(self: &Arc<Self>) -> MetricsSource {
        let status = Arc::clone(self);
        Box::new(move || status.metrics_snapshot())
    }

    /// Everything that `status` shows.
    #[must_use]
    pub(crate) fn snapshot(&self) -> StatusSnapshot {
        let rules = self.rules.load();
        let counts = self.counts();
        StatusSnapshot {
            callers: callers(&rules, &counts),
            traffic: self.traffic(&counts),
            ..self.judged()
        }
    }

    /// The same without what callers have done, which says nothing of the proxy's health and takes longer to count.
    #[must_use]
    pub(crate) fn judged(&self) -> StatusSnapshot {
        let now = Timestamp::now();
        let rules = self.rules.load();
        let config = self.config.load();
        let parts = self.watchdog.parts();
        let file = config.file.as_ref();
        StatusSnapshot {
            schema: status_snapshot::SCHEMA.to_owned(),
            health: Health::Healthy,
            degraded: Vec::new(),
            troubles: Vec::new(),
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
                file: file.map(|it| it.display().to_string()),
                pending_restart: config
                    .pending_restart
                    .iter()
                    .map(|it| (*it).to_owned())
                    .collect(),
            },
            listeners: self.listeners(),
            tenants: tenants(&config, &rules, now),
            callers: Vec::new(),
            audit: audit_status::audit_status(self.ledger.snapshot(), &parts),
            traffic: status_snapshot::Traffic::default(),
            caller_token_faults: self.token_authority.troubles(),
            stalled: stalled(parts),
            log: logging::status(self.watchdog.silence_max()),
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

    fn traffic(&self, counts: &RequestCounts) -> status_snapshot::Traffic {
        let mut traffic = status_snapshot::Traffic {
            in_flight: self
                .worker_metrics
                .iter()
                .map(|it| it.in_flight() as u64)
                .sum(),
            ..status_snapshot::Traffic::default()
        };
        for (key, tally) in counts {
            let count = tally.count;
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
    fn counts(&self) -> RequestCounts {
        let mut counts = RequestCounts::new();
        for worker in &self.worker_metrics {
            worker.for_each(|key, tally| {
                let key = (
                    key.caller.clone(),
                    key.operation.clone(),
                    key.decision,
                    key.status_class,
                );
                let sum = counts
                    .entry(key)
                    .or_insert(RequestTally { count: 0, ..tally });
                sum.count += tally.count;
                sum.latest = sum.latest.max(tally.latest);
            });
        }
        counts
    }

    #[must_use]
    pub(crate) fn metrics_snapshot(&self) -> MetricsSnapshot {
        let rules = self.rules.load();
        let ledger = self.ledger.snapshot();
        let judged = self.judged();
        let turned_away = self.connections.rejections();
        let requests = self.counts().into_iter().map(|(key, tally)| {
            let (caller, operation, decision, class) = key;
            metrics_snapshot::RequestCount {
                caller: caller.map_or_else(|| Arc::from("none"), |it| Arc::from(it.as_str())),
                operation: operation.unwrap_or_else(|| Arc::from("none")),
                decision,
                status_class: metrics_snapshot::status_class(class),
                count: tally.count,
            }
        });
        MetricsSnapshot {
            version: VERSION,
            health: Some(judged.health),
            troubles: counted_troubles(&judged.troubles),
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
            config_refused: judged.config.last_error.is_some(),
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

/// None once it has been shown for long enough.
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

/// Every kind, so that an alert finds its series before there is trouble.
fn counted_troubles(troubles: &[Trouble]) -> Vec<(TroubleKind, u64)> {
    let count = |kind| troubles.iter().filter(|it| it.kind == kind).count() as u64;
    TroubleKind::ALL.map(|kind| (kind, count(kind))).to_vec()
}

fn by_reason(counts: RejectionCounts, never: Option<RejectionReason>) -> Vec<(&'static str, u64)> {
    let counts = counts.into_iter();
    let counts = counts.filter(|(why, _)| Some(*why) != never);
    counts.map(|(why, count)| (why.as_str(), count)).collect()
}

/// Caller, operation, decision, status class.
type RequestCounts = BTreeMap<RequestCountKey, RequestTally>;
type RequestCountKey = (Option<CallerName>, Option<Arc<str>>, Decision, u8);

fn callers(rules: &Rules, counts: &RequestCounts) -> Vec<status_snapshot::CallerStatus> {
    let expired = rules.callers.expired(Timestamp::now());
    let expired: BTreeSet<&str> = expired.map(|(name, _)| name).collect();
    let caller = |name: &CallerName| {
        let own = counts
            .iter()
            .filter(|(key, _)| key.0.as_ref() == Some(name));
        let (mut requests, mut refused) = (0, 0);
        let mut latest = None;
        for (key, tally) in own {
            requests += tally.count;
            refused += if key.2.is_refused() { tally.count } else { 0 };
            latest = latest.max(Some(tally.latest));
        }
        status_snapshot::CallerStatus {
            name: name.to_string(),
            requests,
            refused,
            last_used: latest.map(|it| moment_of(it).to_string()),
            expired: expired.contains(name.as_str()),
        }
    };
    rules
        .callers
        .callers()
        .iter()
        .map(|it| caller(&it.name))
        .collect()
}

/// When it was, by the clock as it is set now, to the second: two clocks are read, so microseconds would differ each time.
fn moment_of(past: Instant) -> Timestamp {
    const SECOND_MICROS: i64 = 1_000_000;
    let micros = i64::try_from(past.elapsed().as_micros()).unwrap_or(i64::MAX);
    let at = Timestamp::now().unix_micros().saturating_sub(micros);
    Timestamp::from_unix_micros(at / SECOND_MICROS * SECOND_MICROS)
}
