//! The running program: starts from one configuration and ends by a drain that loses no accepted request.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::{
    admin::{AdminService, login_endpoint::LoginEndpoint},
    audit::{
        ledger::{self, Ledger, LedgerStorage},
        sink::resume,
    },
    caller::tokens::CallerTokens,
    clock::Timestamp,
    config::{Bind, Config},
    credentials::{login::refresh_calls::RefreshCalls, store::LoginStore},
    net::{
        server::{
            connections::{ConnectionLimits, Connections},
            handler::ServerOptions,
            listener::Listener,
            timeouts::ConnectionTimeouts,
        },
        tls::ServerCertificate,
    },
    ninjaone::catalogue::CatalogueError,
    proxy::{
        Proxy,
        rules::{RequestIdGenerator, Rules},
        worker_metrics::WorkerMetrics,
    },
    random,
    tasks::Tasks,
    upstream::Upstream,
    watchdog::{Heartbeat, Watchdog},
};

use super::{
    VERSION,
    accept::{Entrance, accept, tell_of_turned_away},
    fd_limit,
    listeners::{self, Inherited},
    rules_builder::Assembly,
    status_collector::{ConfigState, Status},
    supervisor::{self, Desk},
    token_events,
    token_renewers::Keepers,
    wiring::{self, StoreOpenError},
    worker::Worker,
};

/// Longest time that a request's head may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Longest time that a TLS handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// Idle timeout of a keep-alive connection. Longer than clients' own, so that we seldom close first.
const IDLE_PATIENCE: Duration = Duration::from_mins(3);
/// The watchdog's name of a worker is this and its number.
const WORKER: &str = "worker";

/// Whether anything is written to disk.
pub(crate) enum Record {
    /// The audit log and the store are in the directories of the configuration.
    Configured,
    /// Everything stays in memory; logins are in this store.
    Memory(LoginStore),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Entrance(#[from] listeners::OpenError),
    #[error("the audit log: {0}")]
    Ledger(#[from] resume::LedgerOpenError),
    #[error("an [[operation]] of the configuration: {0}")]
    Clash(#[from] CatalogueError),
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}

/// A running program.
pub(crate) struct Program {
    pub status: Arc<Status>,
    pub assembly: Assembly,
    /// The endpoint through which operators log in a user from another machine.
    pub logins: Arc<LoginEndpoint>,
    /// Certificates of the TLS listeners; a reload reads them again.
    pub certificates: Vec<Arc<ServerCertificate>>,
    pub watchdog: Watchdog,
    /// Refresh-token calls under way: the process does not end before their results are stored.
    pub calls: RefreshCalls,
    /// Longest time that a shutdown waits for accepted requests.
    pub drain: Duration,
    pub(super) entrances: Tasks,
    pub(super) keepers: Tasks,
    pub(super) admin: Tasks,
    pub(super) cut: Tasks,
    pub(super) workers: Arc<Vec<Worker>>,
}

impl Program {
    /// Opens the log and the listeners and starts everything. Runs on the control runtime. [`super::shutdown_deadline`] watches
    /// `calls` too.
    ///
    /// # Errors
    /// Something cannot be opened; then nothing is left running.
    pub(crate) fn start(
        config: &Config,
        record: &Record,
        inherited: &mut Inherited,
        calls: RefreshCalls,
    ) -> Result<Self, StartError> {
        let boot = format!("{:016x}", random::random_u64());
        let opened = Opened::open(config, inherited)?;
        let store = open_store(config, record)?;
        let watchdog = Watchdog::new(config.admin.watchdog);
        let ledger = open_ledger(config, record, &boot, &watchdog)?;

        let (entrances, admin, cut, keepers) = <(Tasks, Tasks, Tasks, Tasks)>::default();
        let logins = login_endpoint(config, store.clone(), ledger.clone(), keepers.clone());
        let mut assembly = Assembly::new(Keepers::new(
            keepers.clone(),
            token_events::observer(ledger.clone()),
            store,
            calls.clone(),
            watchdog.clone(),
        ));
        let rules = Arc::new(ArcSwap::from_pointee(assembly.rules(config, None)?));
        let shared = Shared {
            rules: Arc::clone(&rules),
            ledger: ledger.clone(),
            issued: Arc::default(),
        };
        let (workers, tallies) =
            start_workers(config, &shared, &cut, &watchdog).map_err(StartError::Thread)?;
        let status = Arc::new(Status {
            boot,
            started: Timestamp::now(),
            rules,
            ledger,
            connections: connections(config),
            tallies,
            listeners: opened.listeners(),
            config: ArcSwap::from_pointee(ConfigState::of(config)),
            draining: AtomicBool::new(false),
            watchdog: watchdog.clone(),
        });
        let desks = desks(config, &status, &logins, opened.admin, opened.probes);
        desks
            .and_then(|desks| supervisor::start(watchdog.clone(), desks, admin.clone()))
            .map_err(StartError::Thread)?;
        let certificates = opened.entrances.iter();
        let certificates = certificates.filter_map(|it| it.certificate.clone());
        let certificates = certificates.collect();
        let workers = Arc::new(workers);
        accept_callers(opened.entrances, &workers, &status, &entrances);
        Ok(Self {
            status,
            assembly,
            logins,
            certificates,
            watchdog,
            calls,
            drain: config.listen.drain,
            entrances,
            keepers,
            admin,
            cut,
            workers,
        })
    }
}

fn accept_callers(
    opened: Vec<Entrance>,
    workers: &Arc<Vec<Worker>>,
    status: &Status,
    entrances: &Tasks,
) {
    entrances.spawn_until_shutdown(tell_of_turned_away(Arc::clone(&status.connections)));
    for entrance in opened {
        let name = format!("listener {}", entrance.listener.local_address());
        let heartbeat = status.watchdog.watch(name);
        let connections = Arc::clone(&status.connections);
        let accepting = accept(entrance, Arc::clone(workers), connections);
        entrances.spawn(accept_until_stopped(
            accepting,
            heartbeat,
            entrances.clone(),
        ));
    }
}

async fn accept_until_stopped(
    accepting: impl Future<Output = ()>,
    heartbeat: Heartbeat,
    entrances: Tasks,
) {
    tokio::select! {
        () = heartbeat.beat_during(Duration::MAX, accepting) => {}
        () = entrances.shutdown_requested() => {}
    }
    heartbeat.retire();
}

/// The bound listeners, before anything is served.
struct Opened {
    entrances: Vec<Entrance>,
    admin: Option<Listener>,
    probes: Option<Listener>,
}

impl Opened {
    fn open(config: &Config, inherited: &mut Inherited) -> Result<Self, listeners::OpenError> {
        let mut open = |bind: Option<&Bind>| {
            bind.map(|it| listeners::open_one(it, inherited))
                .transpose()
        };
        let (admin, probes) = (
            open(config.admin.listen.as_ref())?,
            open(config.admin.probes.as_ref())?,
        );
        Ok(Self {
            entrances: listeners::open(&config.listen, inherited)?,
            admin,
            probes,
        })
    }

    /// The role and address of each.
    fn listeners(&self) -> Vec<(&'static str, String)> {
        let callers = self.entrances.iter().map(|it| {
            let local = it.listener.local_address();
            let scheme = match (&it.listener, &it.certificate) {
                (Listener::Unix(..), _) => "unix:",
                (Listener::Tcp(_), Some(_)) => "https://",
                (Listener::Tcp(_), None) => "http://",
            };
            ("callers", format!("{scheme}{local}"))
        });
        let beside = |role, it: Option<&Listener>| {
            it.map(|it| (role, format!("http://{}", it.local_address())))
        };
        callers
            .chain(beside("admin", self.admin.as_ref()))
            .chain(beside("probes", self.probes.as_ref()))
            .collect()
    }
}

fn connections(config: &Config) -> Arc<Connections> {
    Connections::new(ConnectionLimits {
        total_max: fd_limit::places(config.listen.connections_max),
        per_peer_max: config.listen.connections_per_peer_max,
    })
}

/// Resources that all workers share.
struct Shared {
    rules: Arc<ArcSwap<Rules>>,
    ledger: Ledger,
    issued: Arc<CallerTokens>,
}

fn start_workers(
    config: &Config,
    shared: &Shared,
    cut: &Tasks,
    watchdog: &Watchdog,
) -> io::Result<(Vec<Worker>, Vec<Arc<WorkerMetrics>>)> {
    let options = ServerOptions {
        head_bytes_max: config.listen.head_bytes_max,
        handshake_timeout: HANDSHAKE_PATIENCE,
        timeouts: ConnectionTimeouts {
            head: HEAD_PATIENCE,
            idle: IDLE_PATIENCE,
            unauthenticated_idle: config.listen.unproven_idle,
            // Overridden by the rules in force when a connection is accepted.
            response: wiring::body_timeouts(config),
        },
    };
    let (mut workers, mut tallies) = (Vec::new(), Vec::new());
    for number in 0..config.listen.workers.max(1) {
        let tally = Arc::<WorkerMetrics>::default();
        tallies.push(Arc::clone(&tally));
        let (rules, ledger) = (Arc::clone(&shared.rules), shared.ledger.clone());
        let issued = Arc::clone(&shared.issued);
        let make = move |tasks: Tasks| Proxy {
            rules,
            ledger,
            issued_tokens: issued,
            // Pooled connections to NinjaOne end with their worker; no shutdown waits for them.
            upstream: Upstream::new(Tasks::new()),
            metrics: tally,
            request_ids: RequestIdGenerator::new(random::random_u64()),
            tasks,
        };
        let heartbeat = watchdog.watch(format!("{WORKER}-{number}"));
        workers.push(Worker::start(heartbeat, options, cut.clone(), make)?);
    }
    Ok((workers, tallies))
}

fn open_store(config: &Config, record: &Record) -> Result<Option<LoginStore>, StoreOpenError> {
    match record {
        Record::Configured => config.store.as_ref().map(wiring::open_store).transpose(),
        Record::Memory(store) => Ok(Some(store.clone())),
    }
}

fn open_ledger(
    config: &Config,
    record: &Record,
    boot: &str,
    watchdog: &Watchdog,
) -> Result<Ledger, resume::LedgerOpenError> {
    let place = match record {
        Record::Configured => LedgerStorage::Directory(config.audit.path.clone()),
        Record::Memory(_) => LedgerStorage::Memory,
    };
    let mut options = ledger::LedgerOptions::new(place, boot, VERSION, &config.fingerprint);
    options.serve_reads_unrecorded = config.audit.serve_reads_unrecorded;
    options.watchdog = watchdog.clone();
    Ledger::open(options)
}

/// The endpoint through which operators log in a user from another machine. Its logins are stored under `tasks`.
fn login_endpoint(
    config: &Config,
    store: Option<LoginStore>,
    ledger: Ledger,
    tasks: Tasks,
) -> Arc<LoginEndpoint> {
    let logins = LoginEndpoint::new(wiring::admin_access(&config.admin), store, ledger, tasks);
    logins.set_targets(wiring::login_targets(config));
    Arc::new(logins)
}

/// The listeners that the supervisor serves.
fn desks(
    config: &Config,
    status: &Arc<Status>,
    logins: &Arc<LoginEndpoint>,
    admin: Option<Listener>,
    probes: Option<Listener>,
) -> io::Result<Vec<Desk>> {
    let admin = admin.map(|it| admin_desk(config, status, logins, it));
    let probes = probes.map(|it| probes_desk(config, status, it));
    admin.into_iter().chain(probes).collect()
}

fn admin_desk(
    config: &Config,
    status: &Arc<Status>,
    logins: &Arc<LoginEndpoint>,
    listener: Listener,
) -> io::Result<Desk> {
    let figures = config.telemetry.metrics.then(|| status.figures_source());
    let hosts = config.admin.hosts.clone();
    let admin = AdminService::new(status.snapshot_source(), figures, config.admin.ready, hosts)
        .with_watchdog(status.watchdog.clone())
        .with_logins(Arc::clone(logins));
    Ok((listener.into_std()?, Arc::new(admin)))
}

fn probes_desk(config: &Config, status: &Arc<Status>, listener: Listener) -> io::Result<Desk> {
    let admin = AdminService::probes_only(status.snapshot_source(), config.admin.ready)
        .with_watchdog(status.watchdog.clone());
    Ok((listener.into_std()?, Arc::new(admin)))
}
