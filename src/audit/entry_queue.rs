//! The queue between the threads that serve requests and the thread that writes the audit log.
//!
//! A request thread locks, pushes and unlocks: no wake-up, no system call. The writer polls; it is woken only when somebody
//! waits for a line to be durable.

use std::{
    sync::{
        Arc, Condvar, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::lock::Lock;

use super::{
    entry::AuditEntry,
    refused_tally::RefusedRequest,
    stranger_queue::{StrangerLimits, StrangerQueue},
};

/// Entries that are open or queued, at most. Beyond that a request is refused, or goes unrecorded and is counted.
pub const QUEUE_ENTRIES_MAX: usize = 65_536;

/// How many lines of refusals and events may come on top: nobody reserved room for them, and they must not be the
/// first to suffer when the log cannot be written for a while.
pub const UNRESERVED_ENTRIES_MAX: usize = 16_384;

const CAPACITY_AT_START: usize = 1024;

/// Told once everything that was queued before it is durable; dropped if that failed.
pub(super) type Waiter = oneshot::Sender<()>;

pub(super) struct EntryQueue {
    pending: Lock<Batch>,
    /// The writer sleeps here. Condition variables hand the guard back themselves, so they ignore poisoning here, as [`Lock`]
    /// does.
    wake: Condvar,
    /// Who closes the ledger sleeps here.
    ended: Condvar,
    occupied: AtomicUsize,
    lost: AtomicU64,
    broken: AtomicBool,
    /// Their lines have no place above.
    pub(super) strangers: StrangerQueue<QueuedEntry>,
    /// Of those that are queued or being written.
    stranger_lines: AtomicUsize,
}

/// What the writer takes away in one go.
pub(super) struct Batch {
    pub(super) items: Vec<QueuedEntry>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) closing: bool,
    ended: bool,
}

/// An entry, and the room that it occupies until it is written.
pub(super) struct QueuedEntry {
    pub(super) entry: AuditEntry,
    _reservation: QueueReservation,
}

/// What a reservation is good for.
enum ReservedRoom {
    /// An entry; released on drop.
    Entry,
    /// Nothing: the entry will only be counted as lost.
    Nothing,
    /// What the strangers' queue makes of it.
    Stranger,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            items: Vec::with_capacity(CAPACITY_AT_START),
            waiters: Vec::new(),
            closing: false,
            ended: false,
        }
    }
}

impl EntryQueue {
    pub(super) fn new(strangers: StrangerLimits) -> Arc<Self> {
        Arc::new(Self {
            pending: Lock::new(Batch::new()),
            wake: Condvar::new(),
            ended: Condvar::new(),
            occupied: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            strangers: StrangerQueue::new(strangers),
            stranger_lines: AtomicUsize::new(0),
        })
    }

    /// Room for an entry that is pushed later; none if the queue is full.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<QueueReservation> {
        self.try_reserve(QUEUE_ENTRIES_MAX)
    }

    /// A reservation of nothing, for an entry that will only be counted.
    pub(super) fn unreserved(self: &Arc<Self>) -> QueueReservation {
        self.reservation(ReservedRoom::Nothing)
    }

    /// For the outcome of a stranger's request: written one by one, or counted.
    pub(super) fn stranger(self: &Arc<Self>) -> QueueReservation {
        self.stranger_lines.fetch_add(1, Ordering::Relaxed);
        self.reservation(ReservedRoom::Stranger)
    }

    /// Room for an entry for which none was reserved. If there is none, the entry is lost, and counted.
    pub(super) fn reserve_extra(self: &Arc<Self>) -> QueueReservation {
        self.try_reserve(QUEUE_ENTRIES_MAX + UNRESERVED_ENTRIES_MAX)
            .unwrap_or_else(|| self.unreserved())
    }

    /// Queues an entry for which no room was reserved.
    pub(super) fn push(self: &Arc<Self>, entry: AuditEntry) {
        self.reserve_extra().enqueue(entry);
    }

    /// For an entry that is to be written once more.
    pub(super) fn unreserved_entry(self: &Arc<Self>, entry: AuditEntry) -> QueuedEntry {
        QueuedEntry {
            entry,
            _reservation: self.unreserved(),
        }
    }

    /// Queues an entry and wakes the writer; the receiver is notified when it is durable.
    pub(super) fn push_durable(
        &self,
        reservation: QueueReservation,
        entry: AuditEntry,
    ) -> oneshot::Receiver<()> {
        let (waiter, durable) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.ended {
            return durable;
        }
        waiting.items.push(QueuedEntry {
            entry,
            _reservation: reservation,
        });
        waiting.waiters.push(waiter);
        drop(waiting);
        self.wake.notify_one();
        durable
    }

    /// The receiver is notified when everything that is queued now is durable.
    pub(super) fn flush(&self) -> oneshot::Receiver<()> {
        let (waiter, durable) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.ended {
            waiting.waiters.push(waiter);
            self.wake.notify_one();
        }
        durable
    }

    /// Swaps what is waiting with `batch`, which must be empty. Sleeps up to `longest` unless somebody waits.
    pub(super) fn take_batch(&self, batch: &mut Batch, longest: Duration) {
        let mut waiting = self.lock();
        if waiting.waiters.is_empty() && !waiting.closing {
            waiting = self
                .wake
                .wait_timeout(waiting, longest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        std::mem::swap(&mut waiting.items, &mut batch.items);
        std::mem::swap(&mut waiting.waiters, &mut batch.waiters);
        batch.closing = waiting.closing;
    }

    /// Asks the writer to write what is left and end.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Called by the writer when it writes no more.
    pub(super) fn mark_ended(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        waiting.items.clear();
        waiting.waiters.clear();
        drop(waiting);
        self.ended.notify_all();
    }

    /// False if the writer had not ended when `longest` had passed.
    pub(super) fn wait_for_end(&self, longest: Duration) -> bool {
        self.ended
            .wait_timeout_while(self.lock(), longest, |waiting| !waiting.ended)
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .ended
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Release);
    }

    /// Whether [`EntryQueue::reserve`] finds no room.
    pub(super) fn is_full(&self) -> bool {
        self.occupied.load(Ordering::Relaxed) >= QUEUE_ENTRIES_MAX
    }

    /// Entries that are open or queued, or being written.
    pub(super) fn occupied(&self) -> usize {
        self.occupied.load(Ordering::Relaxed) + self.stranger_lines.load(Ordering::Relaxed)
    }

    /// Entries that were lost since the last line that says so.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Counts entries that will not be written.
    pub(super) fn count_lost(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes note that `count` lost entries are on record as lost.
    pub(super) fn acknowledge_lost(&self, count: u64) {
        self.lost.fetch_sub(count, Ordering::Relaxed);
    }

    fn try_reserve(self: &Arc<Self>, most: usize) -> Option<QueueReservation> {
        let before = self.occupied.fetch_add(1, Ordering::Relaxed);
        let reservation = self.reservation(ReservedRoom::Entry);
        // Dropping the reservation releases it.
        (before < most).then_some(reservation)
    }

    fn submit_stranger(&self, entry: AuditEntry, reservation: QueueReservation) {
        let AuditEntry::Outcome { at, facts, details } = &entry else {
            return;
        };
        let request = RefusedRequest {
            at: *at,
            id: facts.request_id,
            peer: facts.peer,
            reason: details.decision.as_str(),
        };
        let line = QueuedEntry {
            entry,
            _reservation: reservation,
        };
        self.strangers.submit(&request, line);
    }

    fn reservation(self: &Arc<Self>, room: ReservedRoom) -> QueueReservation {
        QueueReservation {
            queue: Arc::clone(self),
            room,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.pending.lock()
    }
}

/// A reservation in the queue, released on drop.
pub(super) struct QueueReservation {
    queue: Arc<EntryQueue>,
    room: ReservedRoom,
}

impl QueueReservation {
    /// Queues `entry` here, or counts it as lost if nothing was reserved.
    pub(super) fn enqueue(self, entry: AuditEntry) {
        let queue = Arc::clone(&self.queue);
        match self.room {
            ReservedRoom::Stranger => queue.submit_stranger(entry, self),
            ReservedRoom::Nothing => queue.count_lost(1),
            ReservedRoom::Entry => {
                let mut waiting = queue.lock();
                if waiting.ended {
                    drop(waiting);
                    queue.count_lost(1);
                } else {
                    waiting.items.push(QueuedEntry {
                        entry,
                        _reservation: self,
                    });
                }
            }
        }
    }
}

impl Drop for QueueReservation {
    fn drop(&mut self) {
        let counter = match self.room {
            ReservedRoom::Entry => &self.queue.occupied,
            ReservedRoom::Stranger => &self.queue.stranger_lines,
            ReservedRoom::Nothing => return,
        };
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}
