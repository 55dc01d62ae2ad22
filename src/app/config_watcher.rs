//! Notices changes of the configuration's files by polling several times a second. That works on every file system, also
//! through the symbolic links of a Kubernetes volume, and costs a few system calls.
//!
//! It runs on its own thread: a file system that hangs blocks nothing else, and the watchdog names it.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use crate::{net::tls::ServerCertificate, watchdog::Heartbeat};

use super::reload::{Loaded, Reloader};

/// Poll interval. A change takes effect once two polls have seen it, so within twice this.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Most events that wait for the control loop.
const NEWS_MAX: usize = 4;

/// What the watcher reports to the control loop.
pub(crate) enum News {
    /// The files are being read.
    Loading,
    /// They were read, with or without errors.
    Loaded(Loaded),
}

/// The watcher thread. It ends when this is dropped.
pub(crate) struct Watch {
    load: SyncSender<()>,
    news: mpsc::Receiver<News>,
}

impl Watch {
    /// The thread's name, also for the watchdog.
    pub(crate) const PART: &str = "reload";

    /// Starts the thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(
        reloader: Reloader,
        certificates: Vec<Arc<ServerCertificate>>,
        heartbeat: Heartbeat,
    ) -> io::Result<Self> {
        // One pending request stands for all that come before it is served.
        let (load, wishes) = sync_channel(1);
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let watching = Watching {
            reloader,
            certificates,
            wishes,
            tell,
        };
        std::thread::Builder::new()
            .name(Self::PART.to_owned())
            .spawn(move || {
                watching.run(&heartbeat);
                heartbeat.retire();
            })?;
        Ok(Self { load, news })
    }

    /// Reloads the files, whether they have changed or not.
    pub(crate) fn load_now(&self) {
        // Full: a reload is pending already.
        let _ = self.load.try_send(());
    }

    /// The next event. Never resolves once the thread has ended: the watchdog reports that.
    pub(crate) async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

/// The state of the watcher thread.
struct Watching {
    reloader: Reloader,
    certificates: Vec<Arc<ServerCertificate>>,
    wishes: Receiver<()>,
    tell: mpsc::Sender<News>,
}

impl Watching {
    fn run(mut self, heartbeat: &Heartbeat) {
        loop {
            heartbeat.beat();
            let is_due = match self.wishes.recv_timeout(LOOK_INTERVAL) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => self.reloader.notices_change(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if is_due && self.load(heartbeat).is_err() {
                return;
            }
        }
    }

    /// A secret may come from a command, which has its own timeout: that is slow, not stalled.
    fn load(&mut self, heartbeat: &Heartbeat) -> Result<(), mpsc::error::SendError<News>> {
        heartbeat.in_system_call(|| {
            self.tell.blocking_send(News::Loading)?;
            let loaded = self.reloader.load(&self.certificates);
            self.tell.blocking_send(News::Loaded(loaded))
        })
    }
}
