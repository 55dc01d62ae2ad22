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

use super::reload::{ReloadResult, Reloader};

/// Poll interval. A change takes effect once two polls have seen it, so within twice this.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Most events that wait for the control loop.
const EVENTS_MAX: usize = 4;

/// What the watcher reports to the control loop.
pub(crate) enum ReloadEvent {
    /// The files are being read; for the requests up to this one, if for any.
    Loading(Option<u64>),
    /// They were read, with or without errors.
    Loaded(ReloadResult),
}

/// The watcher thread. It ends when this is dropped.
pub(crate) struct ConfigWatcher {
    reload_requests: SyncSender<u64>,
    /// The number of the newest request.
    newest: u64,
    events: mpsc::Receiver<ReloadEvent>,
}

impl ConfigWatcher {
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
        // One pending request covers all that arrive before it is served.
        let (request_reload, reload_requests) = sync_channel(1);
        let (send_event, events) = mpsc::channel(EVENTS_MAX);
        let watcher = WatcherThread {
            reloader,
            certificates,
            reload_requests,
            events: send_event,
        };
        std::thread::Builder::new()
            .name(Self::PART.to_owned())
            .spawn(move || {
                watcher.run(&heartbeat);
                heartbeat.retire();
            })?;
        Ok(Self {
            reload_requests: request_reload,
            newest: 0,
            events,
        })
    }

    /// Reloads the files, whether they have changed or not. The number is that of the request which covers this one.
    pub(crate) fn reload_now(&mut self) -> u64 {
        // Full: the newest request is still waiting, and covers this one.
        if self.reload_requests.try_send(self.newest + 1).is_ok() {
            self.newest += 1;
        }
        self.newest
    }

    /// The next event. Never resolves once the thread has ended: the watchdog reports that.
    pub(crate) async fn next_event(&mut self) -> ReloadEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

/// The state of the watcher thread.
struct WatcherThread {
    reloader: Reloader,
    certificates: Vec<Arc<ServerCertificate>>,
    reload_requests: Receiver<u64>,
    events: mpsc::Sender<ReloadEvent>,
}

impl WatcherThread {
    fn run(mut self, heartbeat: &Heartbeat) {
        loop {
            heartbeat.beat();
            let (is_due, request) = match self.reload_requests.recv_timeout(POLL_INTERVAL) {
                Ok(request) => (true, Some(request)),
                Err(RecvTimeoutError::Timeout) => (self.reloader.has_changed(), None),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if is_due && self.load(request, heartbeat).is_err() {
                return;
            }
        }
    }

    /// A secret may come from a command, which has its own timeout: that is slow, not stalled.
    fn load(
        &mut self,
        request: Option<u64>,
        heartbeat: &Heartbeat,
    ) -> Result<(), mpsc::error::SendError<ReloadEvent>> {
        heartbeat.in_system_call(|| {
            self.events.blocking_send(ReloadEvent::Loading(request))?;
            let loaded = self.reloader.load(&self.certificates);
            self.events.blocking_send(ReloadEvent::Loaded(loaded))
        })
    }
}
