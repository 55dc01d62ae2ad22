//! The control loop: signals, reloads, and the service manager's notifications.

use std::io;

use sd_notify::NotifyState;
use tokio::sync::oneshot;

use crate::admin::control::{ControlRequest, ReloadReport};

use super::{
    config_watcher::{ConfigWatcher, ReloadEvent},
    program::Program,
    reload::Reloader,
    signals::{SignalRequest, Signals},
};

/// The watchdog's name of the control loop.
const WATCHDOG_PART: &str = "control";

/// Serves until SIGTERM or SIGINT, reloads the configuration when it changes, and drains. Without a reloader nothing is
/// reloaded.
///
/// # Errors
/// Something that belongs on disk was lost during shutdown; the log says what.
pub(crate) async fn run(
    mut program: Program,
    reloader: Option<Reloader>,
    mut signals: Signals,
) -> io::Result<()> {
    let heartbeat = program.watchdog.watch(WATCHDOG_PART);
    let mut watcher = reloader.and_then(|it| start_watcher(it, &program));
    notify_service_manager(&[NotifyState::Ready]);
    let mut reloads = RequestedReloads::default();
    let (why, is_requested) = loop {
        heartbeat.beat();
        tokio::select! {
            request = signals.next() => match (request, &mut watcher) {
                (SignalRequest::Stop(why), _) => break (why.to_owned(), false),
                (SignalRequest::Reload, Some(watcher)) => {
                    // Nobody waits for what comes of it.
                    watcher.reload_now();
                }
                (SignalRequest::Reload, None) => {}
            },
            Some(request) = program.requests.recv() => match request {
                ControlRequest::Drain { by } => break (format!("drain by {by}"), true),
                ControlRequest::Reload { by, report } => {
                    // Without a watcher the report is dropped, and whoever asked is told so.
                    if let Some(watcher) = &mut watcher {
                        reloads.wait(watcher.reload_now(), by, report);
                    }
                }
            },
            event = next_event(&mut watcher) => reloads.apply(event, &mut program),
            () = tokio::time::sleep(heartbeat.interval()) => {}
        }
    };
    heartbeat.retire();
    tracing::info!(why, "draining");
    notify_service_manager(&[NotifyState::Stopping]);
    drop(watcher);
    // The stop that a service manager sends after a drain is no second one.
    let hurry = async {
        if is_requested {
            signals.second_stop().await;
        }
        signals.second_stop().await;
    };
    let is_clean = program.shutdown(&why, hurry).await;
    tracing::info!("stopped");
    if is_clean {
        Ok(())
    } else {
        Err(io::Error::other("shutdown lost data that belongs on disk"))
    }
}

fn start_watcher(reloader: Reloader, program: &Program) -> Option<ConfigWatcher> {
    let heartbeat = program.watchdog.watch(ConfigWatcher::PART);
    match ConfigWatcher::start(reloader, program.certificates.clone(), heartbeat) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::error!(%error, "the configuration files are not watched");
            None
        }
    }
}

async fn next_event(watcher: &mut Option<ConfigWatcher>) -> ReloadEvent {
    match watcher {
        Some(watcher) => watcher.next_event().await,
        None => std::future::pending().await,
    }
}

/// Operators who wait for what comes of a reload.
#[derive(Default)]
struct RequestedReloads {
    waiting: Vec<RequestedReload>,
    /// Those that the load under way covers.
    loading: Vec<RequestedReload>,
}

struct RequestedReload {
    request: u64,
    by: String,
    report: oneshot::Sender<ReloadReport>,
}

impl RequestedReloads {
    fn wait(&mut self, request: u64, by: String, report: oneshot::Sender<ReloadReport>) {
        // Whoever has hung up needs no place.
        self.waiting.retain(|it| !it.report.is_closed());
        self.waiting.push(RequestedReload {
            request,
            by,
            report,
        });
    }

    fn apply(&mut self, event: ReloadEvent, program: &mut Program) {
        match event {
            ReloadEvent::Loading(request) => {
                let covered = |it: &mut RequestedReload| request.is_some_and(|to| it.request <= to);
                self.loading.extend(self.waiting.extract_if(.., covered));
                if let Ok(now) = NotifyState::monotonic_usec_now() {
                    notify_service_manager(&[NotifyState::Reloading, now]);
                }
            }
            ReloadEvent::Loaded(loaded) => {
                let by: Vec<&str> = self.loading.iter().map(|it| it.by.as_str()).collect();
                let by = by.join(", ");
                let by = Some(by.as_str()).filter(|it| !it.is_empty());
                let report = loaded.apply(program, by);
                for waiting in self.loading.drain(..) {
                    // Whoever asked may have hung up.
                    let _ = waiting.report.send(report.clone());
                }
                notify_service_manager(&[NotifyState::Ready]);
            }
        }
    }
}

/// Notifies the service manager, if there is one (`sd_notify`).
fn notify_service_manager(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
