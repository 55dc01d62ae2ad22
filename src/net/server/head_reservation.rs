//! The memory for incomplete heads, shared by all callers' connections. A head is short-lived unless somebody holds it back,
//! so the oldest is evicted when there is no room for another.

use std::{collections::BTreeMap, mem, task::Waker};

use crate::lock::Lock;

/// Most memory for incomplete heads in the process, in bytes.
pub const UNFINISHED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// In the order in which they began.
static HEADS: Lock<Heads> = Lock::new(Heads {
    bytes: 0,
    begun: 0,
    kept: BTreeMap::new(),
});

struct Heads {
    bytes: usize,
    /// Heads so far: the id of the youngest.
    begun: u64,
    kept: BTreeMap<u64, Kept>,
}

struct Kept {
    bytes: usize,
    /// Of the connection, which is woken when its head is evicted.
    waker: Waker,
}

/// One connection's part of the memory. Dropped, it is free.
#[derive(Default)]
pub struct Share {
    /// None while no head is incomplete; then nothing is locked.
    number: Option<u64>,
}

impl Share {
    /// To be called whenever the connection waits for more of a head: it holds `bytes` bytes. False: the head was evicted; the
    /// connection frees its memory and refuses the request.
    #[must_use]
    pub fn keep(&mut self, bytes: usize, waker: &Waker) -> bool {
        let mut heads = HEADS.lock();
        let number = match self.number {
            Some(number) if heads.kept.contains_key(&number) => number,
            Some(_) => {
                self.number = None;
                return false;
            }
            None => {
                heads.begun += 1;
                heads.begun
            }
        };
        self.number = Some(number);
        let waker = waker.clone();
        let before = heads.kept.insert(number, Kept { bytes, waker });
        heads.bytes += bytes;
        heads.bytes -= before.map_or(0, |it| it.bytes);
        let gone = heads.make_room();
        drop(heads);
        // Woken without holding the lock: the woken task may run at once.
        gone.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether memory is reserved.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.number.is_some()
    }

    /// Frees the memory: the head is complete, or never will be.
    pub fn release(&mut self) {
        if let Some(number) = self.number.take() {
            let mut heads = HEADS.lock();
            let gone = heads.kept.remove(&number);
            heads.bytes -= gone.map_or(0, |it| it.bytes);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

impl Heads {
    /// Evicts the oldest until the others have room; returns their wakers.
    fn make_room(&mut self) -> Vec<Waker> {
        let mut gone = Vec::new();
        while self.bytes > UNFINISHED_BYTES_MAX
            && let Some((_, mut oldest)) = self.kept.pop_first()
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
        let quarter = UNFINISHED_BYTES_MAX / 4;
        let mut shares: Vec<Share> = (0..5).map(|_| Share::default()).collect();
        for share in &mut shares {
            assert!(share.keep(quarter, waker));
        }
        let [first, second, third, ..] = shares.as_mut_slice() else {
            return;
        };
        assert!(!first.keep(quarter, waker));
        assert!(!first.is_held());

        // One that is done makes room; one that begins again is the youngest.
        second.release();
        assert!(first.keep(quarter, waker) && third.keep(quarter, waker));
        assert!(second.keep(1, waker));
        assert!(!third.keep(quarter, waker) && first.keep(quarter, waker));
    }
}
