//! The control loop: signals, reloads, and the service manager's notifications.

use std::io;

use sd_notify::NotifyState;

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
    let why = loop {
        heartbeat.beat();
        tokio::select! {
            request = signals.next() => match (request, &watcher) {
                (SignalRequest::Stop(why), _) => break why,
                (SignalRequest::Reload, Some(watcher)) => watcher.reload_now(),
                (SignalRequest::Reload, None) => {}
            },
            event = next_event(&mut watcher) => apply_event(event, &mut program),
            () = tokio::time::sleep(heartbeat.interval()) => {}
        }
    };
    heartbeat.retire();
    tracing::info!(why, "draining");
    notify_service_manager(&[NotifyState::Stopping]);
    drop(watcher);
    let is_clean = program.shutdown(why, signals.second_stop()).await;
    tracing::info!("stopped");
    if is_clean {
        Ok(())
    } else {
        Err(io::Error::other("the stop has lost what belongs on disk"))
    }
}

fn start_watcher(reloader: Reloader, program: &Program) -> Option<ConfigWatcher> {
    let heartbeat = program.watchdog.watch(ConfigWatcher::PART);
    match ConfigWatcher::start(reloader, program.certificates.clone(), heartbeat) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::error!(%error, "the configuration is not watched");
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

fn apply_event(event: ReloadEvent, program: &mut Program) {
    match event {
        ReloadEvent::Loading => {
            if let Ok(now) = NotifyState::monotonic_usec_now() {
                notify_service_manager(&[NotifyState::Reloading, now]);
            }
        }
        ReloadEvent::Loaded(loaded) => {
            loaded.apply(program);
            notify_service_manager(&[NotifyState::Ready]);
        }
    }
}

/// Notifies the service manager, if there is one (`sd_notify`).
fn notify_service_manager(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
