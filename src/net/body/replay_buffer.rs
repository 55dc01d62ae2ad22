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

use super::{metered_body::MeteredBody, progress::Passage};

/// Longest body that is recorded, in bytes; a longer one cannot be replayed.
pub const KEPT_BYTES_MAX: usize = 256 * 1024;

/// A recorded body.
pub struct Kept {
    state: Lock<State>,
    changed: Notify,
}

enum State {
    /// It is being sent.
    Passing {
        pieces: VecDeque<Bytes>,
        bytes: usize,
    },
    /// NinjaOne responded before all of it had come: the caller has still to send the rest.
    Left {
        pieces: VecDeque<Bytes>,
        bytes: usize,
        rest: Box<MeteredBody>,
    },
    /// All of it was recorded.
    Whole {
        pieces: VecDeque<Bytes>,
        bytes: usize,
    },
    /// It was too long, ended early, or has been taken.
    Lost,
}

/// Records chunks as they pass. Dropped before the body's end, the recording is lost.
pub struct Keeping(Arc<Kept>);

/// A recorded body on its way once more.
pub struct Replay {
    pieces: VecDeque<Bytes>,
    left: usize,
    passage: Arc<Passage>,
}

impl Keeping {
    /// Starts recording; none if more is declared than can be kept. `announced`: bytes.
    pub(in crate::net) fn begin(announced: u64) -> Option<(Self, Arc<Kept>)> {
        if announced > KEPT_BYTES_MAX as u64 {
            return None;
        }
        let kept = Arc::new(Kept {
            state: Lock::new(State::Passing {
                pieces: VecDeque::new(),
                bytes: 0,
            }),
            changed: Notify::new(),
        });
        Some((Self(Arc::clone(&kept)), kept))
    }

    pub(in crate::net) fn add(&self, data: &Bytes) {
        let mut state = self.0.lock();
        let State::Passing { pieces, bytes } = &mut *state else {
            return;
        };
        if *bytes + data.len() > KEPT_BYTES_MAX {
            *state = State::Lost;
            self.0.changed.notify_one();
        } else if !data.is_empty() {
            *bytes += data.len();
            pieces.push_back(data.clone());
        }
    }

    /// Nobody sends the body any more, and the caller has not sent all of it.
    pub(in crate::net) fn leave(self, rest: Box<MeteredBody>) {
        let mut state = self.0.lock();
        if let State::Passing { pieces, bytes } = &mut *state {
            *state = State::Left {
                pieces: std::mem::take(pieces),
                bytes: *bytes,
                rest,
            };
        }
    }

    /// The body is complete.
    pub(in crate::net) fn end(self) {
        let mut state = self.0.lock();
        if let State::Passing { pieces, bytes } = &mut *state {
            *state = State::Whole {
                pieces: std::mem::take(pieces),
                bytes: *bytes,
            };
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if matches!(*state, State::Passing { .. }) {
            *state = State::Lost;
        }
        drop(state);
        self.0.changed.notify_one();
    }
}

impl Kept {
    /// The body once more, when all of it has come; none if it cannot be replayed or has been taken. One task may wait at a
    /// time.
    pub async fn again(&self) -> Option<Replay> {
        while self.is_passing() {
            self.changed.notified().await;
        }
        let state = std::mem::replace(&mut *self.lock(), State::Lost);
        let (pieces, bytes) = match state {
            State::Whole { pieces, bytes } => (pieces, bytes),
            State::Left {
                pieces,
                bytes,
                rest,
            } => with_rest(pieces, bytes, rest).await?,
            State::Passing { .. } | State::Lost => return None,
        };
        Some(Replay {
            pieces,
            left: bytes,
            passage: Arc::default(),
        })
    }

    fn is_passing(&self) -> bool {
        matches!(*self.lock(), State::Passing { .. })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Reads what the caller has still to send; none if it is too long or ends early.
async fn with_rest(
    mut pieces: VecDeque<Bytes>,
    mut bytes: usize,
    mut rest: Box<MeteredBody>,
) -> Option<(VecDeque<Bytes>, usize)> {
    while let Some(next) = poll_fn(|cx| rest.poll_data(cx)).await {
        let data = next.ok()?;
        bytes += data.len();
        if bytes > KEPT_BYTES_MAX {
            return None;
        }
        pieces.push_back(data);
    }
    Some((pieces, bytes))
}

impl Replay {
    /// The progress of this sending, not of the first.
    pub(in crate::net) fn passage(&self) -> Arc<Passage> {
        Arc::clone(&self.passage)
    }

    pub(in crate::net) fn left(&self) -> u64 {
        self.left as u64
    }

    pub(in crate::net) fn next(&mut self) -> Option<Bytes> {
        let Some(data) = self.pieces.pop_front() else {
            self.passage.end();
            return None;
        };
        self.left -= data.len();
        self.passage.add(data.len() as u64);
        if self.left == 0 {
            self.passage.end();
        }
        Some(data)
    }
}
