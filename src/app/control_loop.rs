//! The control loop: signals, reloads, and the service manager's notifications.

use std::io;

use sd_notify::NotifyState;

use super::{
    config_watcher::{News, Watch},
    program::Program,
    reload::Reloader,
    signals::{Asked, Signals},
};

/// The watchdog's name of the control loop.
const PART: &str = "control";

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
    let heartbeat = program.watchdog.watch(PART);
    let mut watch = reloader.and_then(|it| watch(it, &program));
    tell(&[NotifyState::Ready]);
    let why = loop {
        heartbeat.beat();
        tokio::select! {
            asked = signals.next() => match (asked, &watch) {
                (Asked::Stop(why), _) => break why,
                (Asked::Reload, Some(watch)) => watch.load_now(),
                (Asked::Reload, None) => {}
            },
            news = next(&mut watch) => follow(news, &mut program),
            () = tokio::time::sleep(heartbeat.interval()) => {}
        }
    };
    heartbeat.retire();
    tracing::info!(why, "draining");
    tell(&[NotifyState::Stopping]);
    drop(watch);
    let is_clean = program.drain(why, signals.stop_again()).await;
    tracing::info!("stopped");
    if is_clean {
        Ok(())
    } else {
        Err(io::Error::other("the stop has lost what belongs on disk"))
    }
}

fn watch(reloader: Reloader, program: &Program) -> Option<Watch> {
    let heartbeat = program.watchdog.watch(Watch::PART);
    match Watch::start(reloader, program.certificates.clone(), heartbeat) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::error!(%error, "the configuration is not watched");
            None
        }
    }
}

async fn next(watch: &mut Option<Watch>) -> News {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

fn follow(news: News, program: &mut Program) {
    match news {
        News::Loading => {
            if let Ok(now) = NotifyState::monotonic_usec_now() {
                tell(&[NotifyState::Reloading, now]);
            }
        }
        News::Loaded(loaded) => {
            loaded.take_effect(program);
            tell(&[NotifyState::Ready]);
        }
    }
}

/// Notifies the service manager, if there is one (`sd_notify`).
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
