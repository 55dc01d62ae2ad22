//! The memory for incomplete heads, shared by all callers' connections. A head is short-lived unless somebody holds it back,
//! so the oldest is evicted when there is no room for another.

use std::{collections::BTreeMap, mem, task::Waker};

use crate::lock::Lock;

/// Most memory for incomplete heads in the process, in bytes.
pub const INCOMPLETE_HEADS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// In the order in which they began.
static INCOMPLETE_HEADS: Lock<IncompleteHeads> = Lock::new(IncompleteHeads {
    bytes: 0,
    last_id: 0,
    by_age: BTreeMap::new(),
});

struct IncompleteHeads {
    bytes: usize,
    /// Heads so far: the id of the youngest.
    last_id: u64,
    by_age: BTreeMap<u64, IncompleteHead>,
}

struct IncompleteHead {
    bytes: usize,
    /// Of the connection, which is woken when its head is evicted.
    waker: Waker,
}

/// One connection's part of the memory. Dropped, it is free.
#[derive(Default)]
pub struct HeadReservation {
    /// None while no head is incomplete; then nothing is locked.
    id: Option<u64>,
}

impl HeadReservation {
    /// To be called whenever the connection waits for more of a head: it holds `bytes` bytes. False: the head was evicted; the
    /// connection frees its memory and refuses the request.
    #[must_use]
    pub fn reserve(&mut self, bytes: usize, waker: &Waker) -> bool {
        let mut heads = INCOMPLETE_HEADS.lock();
        let id = match self.id {
            Some(id) if heads.by_age.contains_key(&id) => id,
            Some(_) => {
                self.id = None;
                return false;
            }
            None => {
                heads.last_id += 1;
                heads.last_id
            }
        };
        self.id = Some(id);
        let waker = waker.clone();
        let before = heads.by_age.insert(id, IncompleteHead { bytes, waker });
        heads.bytes += bytes;
        heads.bytes -= before.map_or(0, |it| it.bytes);
        let evicted = heads.evict_oldest();
        drop(heads);
        // Woken without holding the lock: the woken task may run at once.
        evicted.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether memory is reserved.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.id.is_some()
    }

    /// Frees the memory: the head is complete, or never will be.
    pub fn release(&mut self) {
        if let Some(id) = self.id.take() {
            let mut heads = INCOMPLETE_HEADS.lock();
            let removed = heads.by_age.remove(&id);
            heads.bytes -= removed.map_or(0, |it| it.bytes);
        }
    }
}

impl Drop for HeadReservation {
    fn drop(&mut self) {
        self.release();
    }
}

impl IncompleteHeads {
    /// Evicts the oldest until the others have room; returns their wakers.
    fn evict_oldest(&mut self) -> Vec<Waker> {
        let mut evicted = Vec::new();
        while self.bytes > INCOMPLETE_HEADS_BYTES_MAX
            && let Some((_, mut oldest)) = self.by_age.pop_first()
        {
            self.bytes -= mem::take(&mut oldest.bytes);
            evicted.push(oldest.waker);
        }
        evicted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The only test that keeps this much: the memory is the process's.
    #[test]
    fn the_oldest_head_is_evicted_when_there_is_no_room_for_another() {
        let waker = Waker::noop();
        let quarter = INCOMPLETE_HEADS_BYTES_MAX / 4;
        let mut reservations: Vec<HeadReservation> =
            (0..5).map(|_| HeadReservation::default()).collect();
        for reservation in &mut reservations {
            assert!(reservation.reserve(quarter, waker));
        }
        let [first, second, third, ..] = reservations.as_mut_slice() else {
            return;
        };
        assert!(!first.reserve(quarter, waker));
        assert!(!first.is_reserved());

        // One that is done makes room; one that begins again is the youngest.
        second.release();
        assert!(first.reserve(quarter, waker) && third.reserve(quarter, waker));
        assert!(second.reserve(1, waker));
        assert!(!third.reserve(quarter, waker) && first.reserve(quarter, waker));
    }
}
