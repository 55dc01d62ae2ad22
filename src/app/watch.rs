//! Notices that a file of the configuration has changed: by looking, several times a second. That works on every file
//! system, through the symbolic links of a Kubernetes volume too, and costs a few system calls.
//!
//! It looks and reads on a thread of its own: a file system that hangs holds up nothing else, and the watchdog names it.

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

/// How often to look. A change is acted upon when it was the same at two looks, so within twice this.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// News that wait for the program to take notice.
const NEWS_MAX: usize = 4;

/// What the watch tells the program.
pub(crate) enum News {
    /// Files are being read.
    Loading,
    /// They were read, well or not.
    Loaded(Loaded),
}

/// The thread that watches. It ends with this.
pub(crate) struct Watch {
    load: SyncSender<()>,
    news: mpsc::Receiver<News>,
}

impl Watch {
    /// Its name, and that by which the watchdog knows it.
    pub(crate) const PART: &str = "reload";

    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(
        reloader: Reloader,
        certificates: Vec<Arc<ServerCertificate>>,
        heartbeat: Heartbeat,
    ) -> io::Result<Self> {
        // One wish to load stands for all that come before it is granted.
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

    /// Reads the files, whether they have changed or not.
    pub(crate) fn load_now(&self) {
        // Full: it is about to.
        let _ = self.load.try_send(());
    }

    /// What comes next. Never resolves when the thread has ended: the watchdog tells of that.
    pub(crate) async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

/// What the thread works with.
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

    /// A secret may come from a command, which has its own time-out: that is slow, not stalled.
    fn load(&mut self, heartbeat: &Heartbeat) -> Result<(), mpsc::error::SendError<News>> {
        heartbeat.in_system_call(|| {
            self.tell.blocking_send(News::Loading)?;
            let loaded = self.reloader.load(&self.certificates);
            self.tell.blocking_send(News::Loaded(loaded))
        })
    }
}
