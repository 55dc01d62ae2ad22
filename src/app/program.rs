//! The running program: starts from one configuration and ends by a drain that loses no accepted request.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::{
    admin::{
        control::{Control, ControlRequest},
        login_endpoint::LoginEndpoint,
    },
    audit::{
        ledger::{self, Ledger},
        ledger_observer::LedgerObserver,
        sink::resume,
    },
    clock::Timestamp,
    config::{AUDIT_PATH, BindAddress, Config, STORE_PATH, StoreConfig},
    credentials::{login::refresh_calls::RefreshCalls, store::LoginStore},
    net::{
        server::{
            connections::{ConnectionLimits, Connections},
            handler::ServerOptions,
            listener::Listener,
            timeouts::{
                ConnectionTimeouts, HEAD_READ_TIMEOUT, KEEP_ALIVE_IDLE_TIMEOUT,
                TLS_HANDSHAKE_TIMEOUT,
            },
        },
        tls::ServerCertificate,
    },
    ninjaone::catalogue::CatalogueError,
    proxy::{
        Proxy,
        rules::{RequestIdGenerator, Rules},
        token_authority::{NoTokenKeyError, TokenAuthority},
        worker_metrics::WorkerMetrics,
    },
    random,
    tasks::Tasks,
    upstream::Upstream,
    watchdog::{Heartbeat, Watchdog},
};

use super::{
    VERSION,
    accept::{BoundListener, accept, log_rejected_connections},
    admin_access_control::AdminAccessControl,
    admin_listeners::{AdminParts, OperatorListeners},
    config_state::ConfigState,
    fd_limit,
    listeners::{self, InheritedSockets},
    rules_builder::RulesBuilder,
    shutdown_deadline::ShutdownDeadline,
    status_collector::StatusCollector,
    token_events,
    token_renewers::TokenRenewers,
    wiring::{self, StoreOpenError},
    worker::Worker,
};

/// The watchdog's name of a worker is this and its number.
const WORKER_NAME_PREFIX: &str = "worker";

/// The watchdog's names of who follows the revocations of other processes, and of who logs turned-away connections.
const REVOCATIONS_PART: &str = "revocations";
const REJECTIONS_PART: &str = "rejections";

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Listener(#[from] listeners::ListenerOpenError),
    #[error("the audit log: {error}; its directory is {origin}")]
    Ledger {
        error: resume::LedgerOpenError,
        /// Which setting the directory comes from.
        origin: String,
    },
    #[error("an [[operation]] of the configuration: {0}")]
    Catalogue(#[from] CatalogueError),
    #[error("{error}; its directory is {origin}")]
    Store {
        error: StoreOpenError,
        origin: String,
    },
    #[error(transparent)]
    TokenKey(#[from] NoTokenKeyError),
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}

/// A running program.
pub(crate) struct Program {
    pub status: Arc<StatusCollector>,
    pub rules_builder: RulesBuilder,
    /// The endpoint through which operators log in a user from another machine.
    pub logins: Arc<LoginEndpoint>,
    /// Who may ask the program for something, and change it.
    pub admin_access: AdminAccessControl,
    /// What operators ask of the control loop.
    pub requests: mpsc::Receiver<ControlRequest>,
    /// Certificates of the TLS listeners; a reload reads them again.
    pub certificates: Vec<Arc<ServerCertificate>>,
    pub watchdog: Watchdog,
    /// Refresh-token calls under way: the process does not end before their results are stored.
    pub refresh_calls: RefreshCalls,
    /// Longest time that a shutdown waits for accepted requests.
    pub drain_timeout: Duration,
    pub(super) listener_tasks: Tasks,
    pub(super) renewer_tasks: Tasks,
    pub(super) admin_tasks: Tasks,
    pub(super) abort_tasks: Tasks,
    pub(super) workers: Arc<Vec<Worker>>,
}

impl Program {
    /// Opens the log and the listeners and starts everything. Runs on the control runtime. [`super::shutdown_deadline`] watches
    /// `calls` too, and `deadline` is watched. `observer` is told of each entry of the audit log.
    ///
    /// # Errors
    /// Something cannot be opened; then nothing is left running.
    pub(crate) fn start(
        config: &Arc<Config>,
        observer: Option<LedgerObserver>,
        inherited: &mut InheritedSockets,
        calls: RefreshCalls,
        deadline: &ShutdownDeadline,
    ) -> Result<Self, StartError> {
        let boot = format!("{:016x}", random::random_u64());
        let mut opened = OpenListeners::open(config, inherited)?;
        let store = open_store(config)?;
        let admin_access = opened.open_admin_socket(config)?;
        let token_authority = Arc::new(TokenAuthority::open(store.as_ref())?);
        let watchdog = Watchdog::new(config.admin.watchdog_timeout);
        deadline.watch_by(&watchdog);
        let ledger = open_ledger(config, observer, &boot, &watchdog)?;

        let (listener_tasks, admin, abort_tasks, renewer_tasks) =
            <(Tasks, Tasks, Tasks, Tasks)>::default();
        let logins = login_endpoint(config, store.clone(), ledger.clone(), renewer_tasks.clone());
        let observer = token_events::observer(ledger.clone(), logins.requests());
        let (tasks, parts) = (renewer_tasks.clone(), watchdog.clone());
        let renewers = TokenRenewers::new(tasks, observer, store, calls.clone(), parts);
        let mut rules_builder = RulesBuilder::new(renewers);
        let rules = Arc::new(ArcSwap::from_pointee(rules_builder.build(config, None)?));
        let shared = WorkerResources {
            rules: Arc::clone(&rules),
            ledger: ledger.clone(),
            token_authority: Arc::clone(&token_authority),
        };
        follow_revocations(&token_authority, &watchdog, &renewer_tasks);
        let (workers, worker_metrics) =
            start_workers(config, &shared, &abort_tasks, &watchdog).map_err(StartError::Thread)?;
        let status = Arc::new(StatusCollector {
            boot,
            started: Timestamp::now(),
            rules,
            ledger,
            token_authority,
            connections: connection_registry(config),
            worker_metrics,
            listeners: opened.addresses(),
            config: ArcSwap::from_pointee(ConfigState::of(config)),
            settings: ArcSwap::new(Arc::clone(config)),
            draining: AtomicBool::new(false),
            watchdog: watchdog.clone(),
        });
        let (control, requests) = Control::new(deadline.drain_notice());
        let admin_parts = AdminParts::new(config, &status, &logins, &admin_access, control);
        let served = admin_parts.serve(opened.operators, &admin);
        served.map_err(StartError::Thread)?;
        let (certificates, workers) = (certificates(&opened.callers), Arc::new(workers));
        accept_connections(opened.callers, &workers, &status, &listener_tasks);
        Ok(Self {
            status,
            rules_builder,
            logins,
            admin_access,
            requests,
            certificates,
            watchdog,
            refresh_calls: calls,
            drain_timeout: config.listen.drain_timeout,
            listener_tasks,
            renewer_tasks,
            admin_tasks: admin,
            abort_tasks,
            workers,
        })
    }
}

/// Of the TLS listeners.
fn certificates(listeners: &[BoundListener]) -> Vec<Arc<ServerCertificate>> {
    let all = listeners.iter();
    all.filter_map(|it| it.certificate.clone()).collect()
}

fn accept_connections(
    opened: Vec<BoundListener>,
    workers: &Arc<Vec<Worker>>,
    status: &StatusCollector,
    listener_tasks: &Tasks,
) {
    listener_tasks.spawn(until_stopped(
        log_rejected_connections(Arc::clone(&status.connections)),
        status.watchdog.watch(REJECTIONS_PART),
        listener_tasks.clone(),
    ));
    for bound in opened {
        let name = format!("listener {}", bound.listener.local_address());
        let heartbeat = status.watchdog.watch(name);
        let connections = Arc::clone(&status.connections);
        let accepting = accept(bound, Arc::clone(workers), connections);
        listener_tasks.spawn(until_stopped(accepting, heartbeat, listener_tasks.clone()));
    }
}

fn follow_revocations(authority: &Arc<TokenAuthority>, watchdog: &Watchdog, tasks: &Tasks) {
    let following = Arc::clone(authority).follow_store();
    let heartbeat = watchdog.watch(REVOCATIONS_PART);
    tasks.spawn(until_stopped(following, heartbeat, tasks.clone()));
}

/// Watched: whoever panics counts as stalled.
async fn until_stopped(work: impl Future<Output = ()>, heartbeat: Heartbeat, tasks: Tasks) {
    tokio::select! {
        () = heartbeat.beat_during(Duration::MAX, work) => {}
        () = tasks.shutdown_requested() => {}
    }
    heartbeat.retire();
}

/// The bound listeners, before anything is served.
struct OpenListeners {
    callers: Vec<BoundListener>,
    operators: OperatorListeners,
}

impl OpenListeners {
    fn open(
        config: &Config,
        inherited: &mut InheritedSockets,
    ) -> Result<Self, listeners::ListenerOpenError> {
        let mut open = |bind: Option<&BindAddress>| {
            bind.map(|it| listeners::open_listener(it, inherited))
                .transpose()
        };
        let (admin, probes, metrics) = (
            open(config.admin.listen.as_ref())?,
            open(config.admin.probes.as_ref())?,
            open(config.admin.metrics.as_ref())?,
        );
        let admin_ipv6 = listeners::open_ipv6_listener(config.admin.listen_ipv6)?;
        Ok(Self {
            callers: listeners::open_listeners(&config.listen, inherited)?,
            operators: OperatorListeners {
                socket: None,
                admin: admin.into_iter().chain(admin_ipv6).collect(),
                probes,
                metrics,
            },
        })
    }

    /// After the store is open, in whose directory the socket may be.
    fn open_admin_socket(
        &mut self,
        config: &Config,
    ) -> Result<AdminAccessControl, listeners::ListenerOpenError> {
        let (access_control, socket) = AdminAccessControl::open(&config.admin)?;
        self.operators.socket = socket;
        Ok(access_control)
    }

    /// The role and address of each.
    fn addresses(&self) -> Vec<(&'static str, String)> {
        let callers = self.callers.iter().map(|it| {
            let local = it.listener.local_address();
            let scheme = match (&it.listener, &it.certificate) {
                (Listener::Unix(..), _) => "unix:",
                (Listener::Tcp(_), Some(_)) => "https://",
                (Listener::Tcp(_), None) => "http://",
            };
            ("callers", format!("{scheme}{local}"))
        });
        let beside = |role, it: &Listener| (role, format!("http://{}", it.local_address()));
        let operators = &self.operators;
        callers
            .chain(operators.admin.iter().map(|it| beside("admin", it)))
            .chain(
                operators
                    .socket
                    .iter()
                    .map(|it| ("socket", format!("unix:{}", it.local_address()))),
            )
            .chain(operators.probes.iter().map(|it| beside("probes", it)))
            .chain(operators.metrics.iter().map(|it| beside("metrics", it)))
            .collect()
    }
}

fn connection_registry(config: &Config) -> Arc<Connections> {
    Connections::new(ConnectionLimits {
        total_max: fd_limit::connection_limit(config.listen.connections_max),
        per_peer_max: config.listen.connections_per_peer_max,
    })
}

/// Resources that all workers share.
struct WorkerResources {
    rules: Arc<ArcSwap<Rules>>,
    ledger: Ledger,
    token_authority: Arc<TokenAuthority>,
}

fn start_workers(
    config: &Config,
    shared: &WorkerResources,
    abort_tasks: &Tasks,
    watchdog: &Watchdog,
) -> io::Result<(Vec<Worker>, Vec<Arc<WorkerMetrics>>)> {
    let options = ServerOptions {
        head_bytes_max: config.listen.head_bytes_max,
        handshake_timeout: TLS_HANDSHAKE_TIMEOUT,
        timeouts: ConnectionTimeouts {
            head: HEAD_READ_TIMEOUT,
            idle: KEEP_ALIVE_IDLE_TIMEOUT,
            unauthenticated_idle: config.listen.unauthenticated_idle,
            // Overridden by the rules in force when a connection is accepted.
            response: wiring::body_timeouts(config),
        },
    };
    let (mut workers, mut worker_metrics) = (Vec::new(), Vec::new());
    for number in 0..config.listen.workers.max(1) {
        let metrics = Arc::<WorkerMetrics>::default();
        worker_metrics.push(Arc::clone(&metrics));
        let (rules, ledger) = (Arc::clone(&shared.rules), shared.ledger.clone());
        let token_authority = Arc::clone(&shared.token_authority);
        let make = move |tasks: Tasks| Proxy {
            rules,
            ledger,
            token_authority,
            // Pooled connections to NinjaOne end with their worker; no shutdown waits for them.
            upstream: Upstream::new(Tasks::new()),
            metrics,
            request_ids: RequestIdGenerator::new(random::random_u64()),
            tasks,
        };
        let heartbeat = watchdog.watch(format!("{WORKER_NAME_PREFIX}-{number}"));
        workers.push(Worker::start(
            heartbeat,
            options,
            abort_tasks.clone(),
            make,
        )?);
    }
    Ok((workers, worker_metrics))
}

fn open_store(config: &Config) -> Result<Option<LoginStore>, StartError> {
    let open = |store: &StoreConfig| {
        wiring::open_store(store).map_err(|error| StartError::Store {
            error,
            origin: store.path_origin.describe(STORE_PATH),
        })
    };
    config.store.as_ref().map(open).transpose()
}

fn open_ledger(
    config: &Config,
    observer: Option<LedgerObserver>,
    boot: &str,
    watchdog: &Watchdog,
) -> Result<Ledger, StartError> {
    let directory = config.audit.path.clone();
    let mut options = ledger::LedgerOptions::new(directory, boot, VERSION, &config.fingerprint);
    options.serve_reads_unrecorded = config.audit.serve_reads_unrecorded;
    options.strangers = wiring::stranger_limits(&config.audit);
    options.space = wiring::space_limits(&config.audit);
    options.watchdog = watchdog.clone();
    options.observer = observer;
    Ledger::open(options).map_err(|error| StartError::Ledger {
        error,
        origin: config.audit.path_origin.describe(AUDIT_PATH),
    })
}

/// The endpoint through which operators log in a user from another machine. Its logins are stored under `tasks`.
fn login_endpoint(
    config: &Config,
    store: Option<LoginStore>,
    ledger: Ledger,
    tasks: Tasks,
) -> Arc<LoginEndpoint> {
    let logins = LoginEndpoint::new(store, ledger, tasks);
    logins.set_targets(wiring::login_targets(config));
    Arc::new(logins)
}
