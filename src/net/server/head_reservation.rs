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
        let number = match self.id {
            Some(number) if heads.by_age.contains_key(&number) => number,
            Some(_) => {
                self.id = None;
                return false;
            }
            None => {
                heads.last_id += 1;
                heads.last_id
            }
        };
        self.id = Some(number);
        let waker = waker.clone();
        let before = heads.by_age.insert(number, IncompleteHead { bytes, waker });
        heads.bytes += bytes;
        heads.bytes -= before.map_or(0, |it| it.bytes);
        let gone = heads.evict_oldest();
        drop(heads);
        // Woken without holding the lock: the woken task may run at once.
        gone.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether memory is reserved.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.id.is_some()
    }

    /// Frees the memory: the head is complete, or never will be.
    pub fn release(&mut self) {
        if let Some(number) = self.id.take() {
            let mut heads = INCOMPLETE_HEADS.lock();
            let gone = heads.by_age.remove(&number);
            heads.bytes -= gone.map_or(0, |it| it.bytes);
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
        let mut gone = Vec::new();
        while self.bytes > INCOMPLETE_HEADS_BYTES_MAX
            && let Some((_, mut oldest)) = self.by_age.pop_first()
        {
            self.bytes -= mem::take(&mut oldest.bytes);
            gone.push(oldest.waker);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The only test that keeps this much: the room is the process's.
    #[test]
    fn the_oldest_head_lets_go_when_there_is_no_room_for_another() {
        let waker = Waker::noop();
        let quarter = INCOMPLETE_HEADS_BYTES_MAX / 4;
        let mut shares: Vec<HeadReservation> = (0..5).map(|_| HeadReservation::default()).collect();
        for share in &mut shares {
            assert!(share.reserve(quarter, waker));
        }
        let [first, second, third, ..] = shares.as_mut_slice() else {
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
