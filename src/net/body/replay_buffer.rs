//! Records a caller's body while it passes, for the one case in which a write is sent once more: NinjaOne said that it did
//! nothing. Chunks are reference-counted; nothing is copied.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, MutexGuard},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::lock::Lock;

use super::{metered_body::MeteredBody, progress::BodyProgress};

/// Longest body that is recorded, in bytes; a longer one cannot be replayed.
pub const REPLAY_BYTES_MAX: usize = 256 * 1024;

/// A recorded body.
pub struct ReplayBuffer {
    state: Lock<ReplayState>,
    changed: Notify,
}

enum ReplayState {
    /// It is being sent.
    Recording {
        chunks: VecDeque<Bytes>,
        bytes: usize,
    },
    /// NinjaOne responded before all of it had come: the caller has still to send the rest.
    Partial {
        chunks: VecDeque<Bytes>,
        bytes: usize,
        rest: Box<MeteredBody>,
    },
    /// All of it was recorded.
    Complete {
        chunks: VecDeque<Bytes>,
        bytes: usize,
    },
    /// It was too long, ended early, or has been taken.
    Unavailable,
}

/// Records chunks as they pass. Dropped before the body's end, the recording is lost.
pub struct ReplayRecorder(Arc<ReplayBuffer>);

/// A recorded body on its way once more.
pub struct ReplayBody {
    chunks: VecDeque<Bytes>,
    remaining_bytes: usize,
    progress: Arc<BodyProgress>,
}

impl ReplayRecorder {
    /// Starts recording; none if more is declared than can be kept. `declared`: bytes.
    pub(in crate::net) fn start(declared: u64) -> Option<(Self, Arc<ReplayBuffer>)> {
        if declared > REPLAY_BYTES_MAX as u64 {
            return None;
        }
        let buffer = Arc::new(ReplayBuffer {
            state: Lock::new(ReplayState::Recording {
                chunks: VecDeque::new(),
                bytes: 0,
            }),
            changed: Notify::new(),
        });
        Some((Self(Arc::clone(&buffer)), buffer))
    }

    pub(in crate::net) fn record(&self, data: &Bytes) {
        let mut state = self.0.lock();
        let ReplayState::Recording { chunks, bytes } = &mut *state else {
            return;
        };
        if *bytes + data.len() > REPLAY_BYTES_MAX {
            *state = ReplayState::Unavailable;
            self.0.changed.notify_one();
        } else if !data.is_empty() {
            *bytes += data.len();
            chunks.push_back(data.clone());
        }
    }

    /// Nobody sends the body any more, and the caller has not sent all of it.
    pub(in crate::net) fn interrupt(self, rest: Box<MeteredBody>) {
        let mut state = self.0.lock();
        if let ReplayState::Recording { chunks, bytes } = &mut *state {
            *state = ReplayState::Partial {
                chunks: std::mem::take(chunks),
                bytes: *bytes,
                rest,
            };
        }
    }

    /// The body is complete.
    pub(in crate::net) fn finish(self) {
        let mut state = self.0.lock();
        if let ReplayState::Recording { chunks, bytes } = &mut *state {
            *state = ReplayState::Complete {
                chunks: std::mem::take(chunks),
                bytes: *bytes,
            };
        }
    }
}

impl Drop for ReplayRecorder {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if matches!(*state, ReplayState::Recording { .. }) {
            *state = ReplayState::Unavailable;
        }
        drop(state);
        self.0.changed.notify_one();
    }
}

impl ReplayBuffer {
    /// The body once more, when all of it has come; none if it cannot be replayed or has been taken. One task may wait at a
    /// time.
    pub async fn replay(&self) -> Option<ReplayBody> {
        while self.is_recording() {
            self.changed.notified().await;
        }
        let state = std::mem::replace(&mut *self.lock(), ReplayState::Unavailable);
        let (chunks, bytes) = match state {
            ReplayState::Complete { chunks, bytes } => (chunks, bytes),
            ReplayState::Partial {
                chunks,
                bytes,
                rest,
            } => read_remaining(chunks, bytes, rest).await?,
            ReplayState::Recording { .. } | ReplayState::Unavailable => return None,
        };
        Some(ReplayBody {
            chunks,
            remaining_bytes: bytes,
            progress: Arc::default(),
        })
    }

    fn is_recording(&self) -> bool {
        matches!(*self.lock(), ReplayState::Recording { .. })
    }

    fn lock(&self) -> MutexGuard<'_, ReplayState> {
        self.state.lock()
    }
}

/// Reads what the caller has still to send; none if it is too long or ends early.
async fn read_remaining(
    mut chunks: VecDeque<Bytes>,
    mut bytes: usize,
    mut rest: Box<MeteredBody>,
) -> Option<(VecDeque<Bytes>, usize)> {
    while let Some(next) = poll_fn(|cx| rest.poll_data(cx)).await {
        let data = next.ok()?;
        bytes += data.len();
        if bytes > REPLAY_BYTES_MAX {
            return None;
        }
        chunks.push_back(data);
    }
    Some((chunks, bytes))
}

impl ReplayBody {
    /// The progress of this sending, not of the first.
    pub(in crate::net) fn progress(&self) -> Arc<BodyProgress> {
        Arc::clone(&self.progress)
    }

    pub(in crate::net) fn remaining_bytes(&self) -> u64 {
        self.remaining_bytes as u64
    }

    pub(in crate::net) fn next_chunk(&mut self) -> Option<Bytes> {
        let Some(data) = self.chunks.pop_front() else {
            self.progress.finish();
            return None;
        };
        self.remaining_bytes -= data.len();
        self.progress.add_bytes(data.len() as u64);
        if self.remaining_bytes == 0 {
            self.progress.finish();
        }
        Some(data)
    }
}
