//! The supervisor thread: checks that every part of the program is responsive, names in the log what needs attention, serves
//! the admin listeners and notifies the service manager. It has its own runtime, so that it responds when the rest does not.

use std::{io, sync::Arc, time::Duration};

use sd_notify::NotifyState;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    admin::{self, AdminService},
    net::server::listener::UnregisteredListener,
    tasks::Tasks,
    watchdog::{CHECK_INTERVAL, Heartbeat, Liveness, PartStatus, Watchdog},
};

use super::{
    logging,
    trouble_log::{TroubleLog, TroubleSource},
};

const THREAD_NAME: &str = "supervisor";

/// The watchdog's name of who serves the admin socket.
const SOCKET_PART: &str = "admin socket";

/// How many notifications the service manager gets within its watchdog timeout.
const PINGS_PER_TIMEOUT: u32 = 3;

/// A listener of the supervisor, not yet registered with its runtime, and its handler.
pub(crate) type AdminListener = (UnregisteredListener, Arc<AdminService>);

/// Starts the thread. It ends when `tasks` have been asked to stop and have ended.
///
/// # Errors
/// The thread or its runtime cannot be started, or a listener cannot be registered.
pub(crate) fn start(
    watchdog: Watchdog,
    troubles: TroubleSource,
    listeners: Vec<AdminListener>,
    tasks: Tasks,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let runtime_guard = runtime.enter();
    for (listener, admin) in listeners {
        match listener {
            UnregisteredListener::Tcp(listener) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let heartbeat = watchdog.watch(format!("listener {}", listener.local_addr()?));
                let serving = admin::server::serve(listener, admin, tasks.clone());
                tasks.spawn(watched(serving, heartbeat));
            }
            UnregisteredListener::Unix(listener, file) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                let heartbeat = watchdog.watch(SOCKET_PART);
                let serving = admin::server::serve_socket(listener, file, admin, tasks.clone());
                tasks.spawn(watched(serving, heartbeat));
            }
        }
    }
    drop(runtime_guard);
    std::thread::Builder::new()
        .name(THREAD_NAME.to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = supervise(watchdog, TroubleLog::new(troubles)) => {}
                    () = tasks.shutdown_complete() => {}
                }
            });
            runtime.shutdown_background();
        })?;
    Ok(())
}

/// A listener that ends by itself counts as stalled.
async fn watched(serving: impl Future<Output = ()>, heartbeat: Heartbeat) {
    heartbeat.beat_during(Duration::MAX, serving).await;
    heartbeat.retire();
}

async fn supervise(watchdog: Watchdog, mut troubles: TroubleLog) {
    let mut pings = ServiceManagerPings::from_environment();
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Instant::now();
    loop {
        ticks.tick().await;
        let now = Instant::now();
        watchdog.check(now - before).iter().for_each(log);
        logging::look(now - before);
        before = now;
        troubles.update();
        logging::report_lost_lines();
        let stalled = |it: &PartStatus| it.liveness == Liveness::Stalled;
        if !watchdog.parts().iter().any(stalled) {
            pings.ping(now);
        }
    }
}

fn log(part: &PartStatus) {
    let (name, silent_s) = (part.name.as_str(), part.silent.as_secs());
    match part.liveness {
        Liveness::Alive => tracing::warn!(part = name, "no longer stalled"),
        Liveness::Slow => {
            tracing::error!(part = name, silent_s, "stalled in a system call");
        }
        Liveness::Stalled => {
            tracing::error!(part = name, silent_s, "stalled: /livez fails");
        }
    }
}

/// Notifies the service manager's own watchdog (`sd_watchdog_enabled`), if it has one.
struct ServiceManagerPings {
    interval: Option<Duration>,
    last: Option<Instant>,
}

impl ServiceManagerPings {
    fn from_environment() -> Self {
        let timeout = sd_notify::watchdog_enabled();
        Self {
            interval: timeout.map(|it| it / PINGS_PER_TIMEOUT),
            last: None,
        }
    }

    fn ping(&mut self, now: Instant) {
        let Some(interval) = self.interval else {
            return;
        };
        if self.last.is_some_and(|last| now - last < interval) {
            return;
        }
        self.last = Some(now);
        if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }
}
