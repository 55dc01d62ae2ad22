//! The running program: started from one configuration, ended by a drain that loses nothing that was accepted.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::{
    admin::{self, Admin, logins::Logins},
    audit::{
        ledger::{self, Ledger, Where},
        sink::resume,
    },
    caller::issued::IssuedTokens,
    clock::Timestamp,
    config::{self, Bind, Config},
    credentials::{refresh_calls::RefreshCalls, store::Store},
    net::{
        connections::{ConnectionLimits, Connections},
        handler::ServerOptions,
        listener::Listener,
        patience::Patience,
        tls::ServerCertificate,
    },
    ninjaone::catalogue::Clash,
    proxy::{
        Proxy,
        rules::{RequestIds, Rules},
        tally::Tally,
    },
    random,
    tasks::Tasks,
    upstream::Upstream,
    watchdog::Watchdog,
};

use super::{
    accept::{Entrance, accept},
    assembly::Assembly,
    deadline::{END_MAX, REFRESH_CALL_MAX},
    entrances::{self, Inherited},
    keepers::{self, Keepers},
    logins,
    status::{ConfigState, Status},
    supervisor::{self, Desk},
    tokens,
    worker::Worker,
};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// For a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// A kept connection without requests. Longer than what clients keep theirs, so that we seldom close first.
const IDLE_PATIENCE: Duration = Duration::from_mins(3);
/// NinjaOne's own idle time-out ends an answer that it does not go on with; a caller that does not read is given this
/// much longer, so that the record can tell them apart.
const WRITE_GRACE: Duration = Duration::from_secs(5);
/// How long one of the things that a stop waits for may take to end: all of them together stay below [`END_MAX`].
const PART_END_MAX: Duration = Duration::from_millis(500);
/// Kept of [`END_MAX`] for the log's last lines.
const LOG_END: Duration = Duration::from_millis(800);
/// For the audit log to be closed, however long the rest of the stop took.
const CLOSE_MIN: Duration = Duration::from_secs(2);

/// The watchdog knows a worker by this and its number.
const WORKER: &str = "worker";

/// Where lines go, and what is different about a rehearsal.
pub enum Record {
    /// To the directories that the configuration names.
    Configured,
    /// To memory: nothing on disk. Logins are in this store.
    Memory(Store),
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Entrance(#[from] entrances::OpenError),
    #[error("the audit log: {0}")]
    Ledger(#[from] resume::OpenError),
    #[error("an [[operation]] of the configuration: {0}")]
    Clash(#[from] Clash),
    #[error(transparent)]
    Store(#[from] keepers::OpenError),
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}

/// A program that is serving.
pub struct Program {
    pub status: Arc<Status>,
    pub assembly: Assembly,
    /// Where operators log people in from other machines.
    pub logins: Arc<Logins>,
    /// Certificates of the TLS listeners, to be read again when they change.
    pub certificates: Vec<Arc<ServerCertificate>>,
    pub watchdog: Watchdog,
    /// Refresh tokens in use: the process does not end before what they brought is stored.
    pub calls: RefreshCalls,
    /// Longest that accepted requests are waited for.
    pub drain: Duration,
    entrances: Tasks,
    keepers: Tasks,
    admin: Tasks,
    cut: Tasks,
    workers: Arc<Vec<Worker>>,
}

impl Program {
    /// Opens the log and the listeners and starts everything. Runs on the control runtime.
    ///
    /// # Errors
    /// When something cannot be opened; nothing is left running then.
    pub fn start(
        config: &Config,
        record: &Record,
        inherited: &mut Inherited,
    ) -> Result<Self, StartError> {
        let boot = format!("{:016x}", random::number());
        let opened = entrances::open(&config.listen, inherited)?;
        let admin_listener = open_admin(config.admin.listen.as_ref(), inherited)?;
        let probes_listener = open_admin(config.admin.probes.as_ref(), inherited)?;
        let store = open_store(config, record)?;
        let watchdog = Watchdog::new(config.admin.watchdog);
        let ledger = open_ledger(config, record, &boot, &watchdog)?;

        let (entrances, admin, cut, keepers) = <(Tasks, Tasks, Tasks, Tasks)>::default();
        let calls = RefreshCalls::default();
        let observer = tokens::observer(ledger.clone());
        let logins = logins::desk(config, store.clone(), ledger.clone(), keepers.clone());
        let keeping = Keepers::new(
            keepers.clone(),
            observer,
            store,
            calls.clone(),
            watchdog.clone(),
        );
        let mut assembly = Assembly::new(keeping);
        let rules = Arc::new(ArcSwap::from_pointee(assembly.rules(config, None)?));
        let connections = Connections::new(ConnectionLimits {
            total_max: config.listen.connections_max,
            per_peer_max: config.listen.connections_per_peer_max,
        });
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
            connections: Arc::clone(&connections),
            tallies,
            listeners: listeners(&opened, admin_listener.as_ref(), probes_listener.as_ref()),
            config: ArcSwap::from_pointee(ConfigState::of(config)),
            draining: AtomicBool::new(false),
            watchdog: watchdog.clone(),
        });
        let desks = [
            admin_listener.map(|it| admin_desk(config, &status, &logins, it)),
            probes_listener.map(|it| probes_desk(config, &status, it)),
        ];
        let desks = desks.into_iter().flatten().collect::<io::Result<_>>();
        desks
            .and_then(|desks| supervisor::start(watchdog.clone(), desks, admin.clone()))
            .map_err(StartError::Thread)?;
        let certificates = opened
            .iter()
            .filter_map(|it| it.certificate.clone())
            .collect();
        let workers = Arc::new(workers);
        for entrance in opened {
            let heartbeat = watchdog.watch(format!("listener {}", entrance.listener.local()));
            let (workers, connections) = (Arc::clone(&workers), Arc::clone(&connections));
            let stop = entrances.clone();
            entrances.spawn(async move {
                let accepting = accept(entrance, workers, connections);
                tokio::select! {
                    () = heartbeat.beat_during(Duration::MAX, accepting) => {}
                    () = stop.stopping() => {}
                }
                heartbeat.retire();
            });
        }
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

    /// Takes no new connections, lets every accepted request be answered and recorded, and ends; at the latest [`END_MAX`]
    /// after the drain time of the configuration, or after `hurry` resolves. No renewal begins; an answer to a refresh token
    /// that was sent may take [`REFRESH_CALL_MAX`] more.
    pub async fn drain(self, why: &str, hurry: impl Future<Output = ()>) {
        let ends = Instant::now() + self.drain + END_MAX - LOG_END;
        self.status.draining.store(true, Ordering::Release);
        self.calls.close();
        self.keepers.stop();
        self.entrances.stop();
        self.entrances.join(PART_END_MAX).await;
        self.status.connections.drain();
        end_workers(self.workers, self.drain, hurry, &self.cut, || {
            self.status.connections.open()
        })
        .await;
        if !self.keepers.join(PART_END_MAX).await && self.calls.are_open() {
            self.keepers.join(REFRESH_CALL_MAX).await;
        }
        if self.calls.are_open() {
            tracing::error!("a renewed login could not be stored: it must be logged in again");
        }
        let (ledger, why) = (self.status.ledger.clone(), why.to_owned());
        let left = ends.saturating_duration_since(Instant::now()).max(CLOSE_MIN);
        let closing = tokio::task::spawn_blocking(move || ledger.close_within(&why, left));
        if !closing.await.unwrap_or(false) {
            tracing::error!("the audit log could not be written to its end");
        }
        self.admin.stop();
        self.admin.join(PART_END_MAX).await;
    }
}

/// Waits for the workers to serve what they have accepted; what is left after `drain`, or when `hurry` resolves, is cut.
async fn end_workers(
    workers: Arc<Vec<Worker>>,
    drain: Duration,
    hurry: impl Future<Output = ()>,
    cut: &Tasks,
    open: impl Fn() -> usize,
) {
    let Ok(workers) = Arc::try_unwrap(workers) else {
        tracing::error!("a listener did not end: what it accepts is cut");
        return cut.stop();
    };
    let threads: Vec<_> = workers.into_iter().map(Worker::close).collect();
    let joined = tokio::task::spawn_blocking(move || {
        for thread in threads {
            drop(thread.join());
        }
    });
    let mut joined = std::pin::pin!(joined);
    let in_time = tokio::select! {
        _ = &mut joined => true,
        () = tokio::time::sleep(drain) => false,
        () = hurry => false,
    };
    if !in_time {
        let open = open();
        tracing::warn!(open, "connections are cut: they did not end in time");
        cut.stop();
        let _ = tokio::time::timeout(PART_END_MAX, joined).await;
    }
}

/// What all workers share.
struct Shared {
    rules: Arc<ArcSwap<Rules>>,
    ledger: Ledger,
    issued: Arc<IssuedTokens>,
}

fn start_workers(
    config: &Config,
    shared: &Shared,
    cut: &Tasks,
    watchdog: &Watchdog,
) -> io::Result<(Vec<Worker>, Vec<Arc<Tally>>)> {
    let options = ServerOptions {
        head_bytes_max: config.listen.head_bytes_max,
        handshake: HANDSHAKE_PATIENCE,
        patience: Patience {
            head: HEAD_PATIENCE,
            idle: IDLE_PATIENCE,
            write: config.timeouts.idle + WRITE_GRACE,
        },
    };
    let (mut workers, mut tallies) = (Vec::new(), Vec::new());
    for number in 0..config.listen.workers.max(1) {
        let tally = Arc::<Tally>::default();
        tallies.push(Arc::clone(&tally));
        let (rules, ledger) = (Arc::clone(&shared.rules), shared.ledger.clone());
        let issued = Arc::clone(&shared.issued);
        let make = move |tasks: Tasks| Proxy {
            rules,
            ledger,
            issued,
            // Kept connections to NinjaOne end with their worker: no shutdown waits for them.
            upstream: Upstream::new(Tasks::new()),
            tally,
            ids: RequestIds::new(random::number()),
            tasks,
        };
        let heartbeat = watchdog.watch(format!("{WORKER}-{number}"));
        workers.push(Worker::start(heartbeat, options, cut.clone(), make)?);
    }
    Ok((workers, tallies))
}

fn open_store(config: &Config, record: &Record) -> Result<Option<Store>, keepers::OpenError> {
    match record {
        Record::Configured => config.store.as_ref().map(keepers::open_store).transpose(),
        Record::Memory(store) => Ok(Some(store.clone())),
    }
}

fn open_ledger(
    config: &Config,
    record: &Record,
    boot: &str,
    watchdog: &Watchdog,
) -> Result<Ledger, resume::OpenError> {
    let place = match record {
        Record::Configured => Where::Directory(config.audit.path.clone()),
        Record::Memory(_) => Where::Memory,
    };
    let mut options = ledger::Options::new(place, boot, VERSION, &config.fingerprint);
    options.serve_reads_unrecorded = config.audit.serve_reads_unrecorded;
    options.watchdog = watchdog.clone();
    Ledger::open(options)
}

fn open_admin(
    bind: Option<&Bind>,
    inherited: &mut Inherited,
) -> Result<Option<Listener>, entrances::OpenError> {
    bind.map(|it| entrances::open_one(it, inherited))
        .transpose()
}

fn listeners(
    opened: &[Entrance],
    admin: Option<&Listener>,
    probes: Option<&Listener>,
) -> Vec<(&'static str, String)> {
    let callers = opened.iter().map(|it| {
        let local = it.listener.local();
        let scheme = match (&it.listener, &it.certificate) {
            (Listener::Unix(..), _) => "unix:",
            (Listener::Tcp(_), Some(_)) => "https://",
            (Listener::Tcp(_), None) => "http://",
        };
        ("callers", format!("{scheme}{local}"))
    });
    let beside =
        |role, it: Option<&Listener>| it.map(|it| (role, format!("http://{}", it.local())));
    callers
        .chain(beside("admin", admin))
        .chain(beside("probes", probes))
        .collect()
}

fn admin_desk(
    config: &Config,
    status: &Arc<Status>,
    logins: &Arc<Logins>,
    listener: Listener,
) -> io::Result<Desk> {
    let figures = config.telemetry.metrics.then(|| status.figures_source());
    let hosts = config.admin.hosts.clone();
    let admin = Admin::new(status.snapshot_source(), figures, ready(config), hosts)
        .with_watchdog(status.watchdog.clone())
        .with_logins(Arc::clone(logins));
    Ok((listener.into_std()?, Arc::new(admin)))
}

fn probes_desk(config: &Config, status: &Arc<Status>, listener: Listener) -> io::Result<Desk> {
    let admin = Admin::probes_only(status.snapshot_source(), ready(config))
        .with_watchdog(status.watchdog.clone());
    Ok((listener.into_std()?, Arc::new(admin)))
}

const fn ready(config: &Config) -> admin::health::Ready {
    match config.admin.ready {
        config::Ready::AllTokens => admin::health::Ready::AllTokens,
        config::Ready::AnyToken => admin::health::Ready::AnyToken,
        config::Ready::Listening => admin::health::Ready::Listening,
    }
}
