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

use crate::{
    admin::{self, Admin, logins::Logins},
    audit::{
        ledger::{self, Ledger, Where},
        sink::resume,
    },
    caller::issued::IssuedTokens,
    clock::Timestamp,
    config::{self, Bind, Config},
    credentials::store::Store,
    net::{
        connections::{ConnectionLimits, Connections},
        handler::ServerOptions,
        listener::Listener,
        patience::Patience,
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
};

use super::{
    accept::{Entrance, accept},
    assembly::Assembly,
    entrances::{self, Inherited},
    keepers::{self, Keepers},
    logins,
    status::{ConfigState, Status},
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
/// How long background tasks and cut connections may take to end.
const END_MAX: Duration = Duration::from_secs(2);
/// How long a renewal under way may take to end: what NinjaOne answers must reach the disk.
const RENEWAL_END_MAX: Duration = Duration::from_secs(15);

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
    #[error("a worker cannot be started: {0}")]
    Worker(io::Error),
}

/// A program that is serving.
pub struct Program {
    pub status: Arc<Status>,
    pub assembly: Assembly,
    /// Where operators log people in from other machines.
    pub logins: Arc<Logins>,
    /// Certificates of the TLS listeners, to be read again when they change.
    pub certificates: Vec<Arc<crate::net::tls::ServerCertificate>>,
    entrances: Tasks,
    background: Tasks,
    keepers: Tasks,
    admin: Tasks,
    cut: Tasks,
    workers: Arc<Vec<Worker>>,
    drain: Duration,
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
        let ledger = open_ledger(config, record, &boot)?;

        let (background, entrances, admin, cut) = <(Tasks, Tasks, Tasks, Tasks)>::default();
        let keepers = Tasks::new();
        let observer = tokens::observer(ledger.clone());
        let logins = logins::desk(config, store.clone(), ledger.clone(), keepers.clone());
        let mut assembly = Assembly::new(Keepers::new(keepers.clone(), observer, store));
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
            start_workers(config, &shared, &cut).map_err(StartError::Worker)?;
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
        });
        serve_admin(config, &status, &logins, admin_listener, &admin);
        serve_probes(config, &status, probes_listener, &admin);
        let certificates = opened
            .iter()
            .filter_map(|it| it.certificate.clone())
            .collect();
        let workers = Arc::new(workers);
        for entrance in opened {
            let accepting = accept(entrance, Arc::clone(&workers), Arc::clone(&connections));
            entrances.spawn_until_stop(accepting);
        }
        Ok(Self {
            status,
            assembly,
            logins,
            certificates,
            entrances,
            background,
            keepers,
            admin,
            cut,
            workers,
            drain: config.listen.drain,
        })
    }

    /// Background work of the program's own: ends with it.
    #[must_use]
    pub fn background(&self) -> &Tasks {
        &self.background
    }

    /// Takes no new connections, lets every accepted request be answered and recorded, and ends; at the latest after the
    /// drain time of the configuration, or when `hurry` resolves.
    pub async fn drain(self, why: &str, hurry: impl Future<Output = ()>) {
        self.status.draining.store(true, Ordering::Release);
        self.entrances.stop();
        self.entrances.join(END_MAX).await;
        self.status.connections.drain();
        let Ok(workers) = Arc::try_unwrap(self.workers) else {
            tracing::error!("a listener did not end");
            return;
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
            () = tokio::time::sleep(self.drain) => false,
            () = hurry => false,
        };
        if !in_time {
            let open = self.status.connections.open();
            tracing::warn!(open, "connections are cut: they did not end in time");
            self.cut.stop();
            let _ = tokio::time::timeout(END_MAX, joined).await;
        }
        self.background.stop();
        self.keepers.stop();
        self.background.join(END_MAX).await;
        if !self.keepers.join(RENEWAL_END_MAX).await {
            tracing::error!("a renewed login could not be stored: it must be logged in again");
        }
        let ledger = self.status.ledger.clone();
        let why = why.to_owned();
        let closed = tokio::task::spawn_blocking(move || ledger.close(&why)).await;
        if !closed.unwrap_or(false) {
            tracing::error!("the audit log could not be written to its end");
        }
        self.admin.stop();
        self.admin.join(END_MAX).await;
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
        workers.push(Worker::start(number, options, cut.clone(), make)?);
    }
    Ok((workers, tallies))
}

fn open_store(config: &Config, record: &Record) -> Result<Option<Store>, keepers::OpenError> {
    match record {
        Record::Configured => config.store.as_ref().map(keepers::open_store).transpose(),
        Record::Memory(store) => Ok(Some(store.clone())),
    }
}

fn open_ledger(config: &Config, record: &Record, boot: &str) -> Result<Ledger, resume::OpenError> {
    let place = match record {
        Record::Configured => Where::Directory(config.audit.path.clone()),
        Record::Memory(_) => Where::Memory,
    };
    let mut options = ledger::Options::new(place, boot, VERSION, &config.fingerprint);
    options.serve_reads_unrecorded = config.audit.serve_reads_unrecorded;
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

fn serve_admin(
    config: &Config,
    status: &Arc<Status>,
    logins: &Arc<Logins>,
    listener: Option<Listener>,
    tasks: &Tasks,
) {
    let Some(Listener::Tcp(listener)) = listener else {
        return;
    };
    let figures = config.telemetry.metrics.then(|| status.figures_source());
    let hosts = config.admin.hosts.clone();
    let admin = Admin::new(status.snapshot_source(), figures, ready(config), hosts)
        .with_logins(Arc::clone(logins));
    tasks.spawn(admin::server::serve(
        listener,
        Arc::new(admin),
        tasks.clone(),
    ));
}

fn serve_probes(config: &Config, status: &Arc<Status>, listener: Option<Listener>, tasks: &Tasks) {
    let Some(Listener::Tcp(listener)) = listener else {
        return;
    };
    let admin = Admin::probes_only(status.snapshot_source(), ready(config));
    tasks.spawn(admin::server::serve(
        listener,
        Arc::new(admin),
        tasks.clone(),
    ));
}

const fn ready(config: &Config) -> admin::health::Ready {
    match config.admin.ready {
        config::Ready::AllTokens => admin::health::Ready::AllTokens,
        config::Ready::AnyToken => admin::health::Ready::AnyToken,
        config::Ready::Listening => admin::health::Ready::Listening,
    }
}
