//! Serves until told to stop.

use sd_notify::NotifyState;

use super::{
    program::Program,
    reload::Reloader,
    signals::{Asked, Signals},
    watch::LOOK_INTERVAL,
};

/// Serves until SIGTERM or SIGINT, loads the configuration again when it changes, and drains. Without a reloader there is
/// nothing to load again.
pub async fn run(mut program: Program, mut reloader: Option<Reloader>, mut signals: Signals) {
    tell(&[NotifyState::Ready]);
    let why = loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop(why) => break why,
                Asked::Reload => {
                    if let Some(reloader) = &mut reloader {
                        reload(reloader, &mut program).await;
                    }
                }
            },
            () = tokio::time::sleep(LOOK_INTERVAL), if reloader.is_some() => {
                if let Some(reloader) = &mut reloader
                    && reloader.notices_change()
                {
                    reload(reloader, &mut program).await;
                }
            }
        }
    };
    tracing::info!(why, "draining");
    tell(&[NotifyState::Stopping]);
    program.drain(why, signals.stop_again()).await;
    tracing::info!("stopped");
}

async fn reload(reloader: &mut Reloader, program: &mut Program) {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
    reloader.reload(program).await;
    tell(&[NotifyState::Ready]);
}

/// Tells the service manager, if there is one (`sd_notify`).
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
