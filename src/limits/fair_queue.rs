//! A bounded fair queue: callers take turns, and each caller's requests are served in order.

use std::collections::{HashMap, VecDeque};

/// Most entries of one queue.
pub(super) const WAITERS_MAX: usize = 4_096;

/// Most entries of one caller in one queue.
pub(super) const WAITERS_PER_CALLER_MAX: usize = 1_024;

/// What stands for an entry, to take it out again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueTicket {
    caller: usize,
    number: u64,
}

/// The queue, or this caller's share of it, is full.
pub(super) struct QueueFullError;

/// Holds nothing about a caller that has no entry, so it does not grow with the number of callers.
pub(super) struct FairQueue<T> {
    by_caller: HashMap<usize, VecDeque<(u64, T)>>,
    /// The callers that have entries, each once, the next one to be served first.
    rotation: VecDeque<usize>,
    length: usize,
    next_number: u64,
}

impl<T> FairQueue<T> {
    pub(super) fn new() -> Self {
        Self {
            by_caller: HashMap::new(),
            rotation: VecDeque::new(),
            length: 0,
            next_number: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn push(&mut self, caller: usize, entry: T) -> Result<QueueTicket, QueueFullError> {
        let queued = self.by_caller.get(&caller).map_or(0, VecDeque::len);
        if self.length >= WAITERS_MAX || queued >= WAITERS_PER_CALLER_MAX {
            return Err(QueueFullError);
        }
        if queued == 0 {
            self.rotation.push_back(caller);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.length += 1;
        let line = self.by_caller.entry(caller).or_default();
        line.push_back((number, entry));
        Ok(QueueTicket { caller, number })
    }

    /// The first entry of the caller whose turn it is; that caller's next turn comes after all others'.
    pub(super) fn pop(&mut self) -> Option<T> {
        let caller = self.rotation.pop_front()?;
        let line = self.by_caller.get_mut(&caller)?;
        let (_, entry) = line.pop_front()?;
        if line.is_empty() {
            self.by_caller.remove(&caller);
        } else {
            self.rotation.push_back(caller);
        }
        self.length -= 1;
        Some(entry)
    }

    /// Takes an entry out; nothing happens if it has been served.
    pub(super) fn remove(&mut self, permit: QueueTicket) {
        let Some(line) = self.by_caller.get_mut(&permit.caller) else {
            return;
        };
        // Numbers grow along a line.
        let Ok(position) = line.binary_search_by_key(&permit.number, |(number, _)| *number) else {
            return;
        };
        line.remove(position);
        self.length -= 1;
        if line.is_empty() {
            self.by_caller.remove(&permit.caller);
            self.rotation.retain(|caller| *caller != permit.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn callers_take_turns_and_each_is_served_in_order() {
        let mut queue = FairQueue::new();
        for (caller, entry) in [
            (1, "a1"),
            (1, "a2"),
            (1, "a3"),
            (2, "b1"),
            (3, "c1"),
            (2, "b2"),
        ] {
            assert!(queue.push(caller, entry).is_ok());
        }

        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();

        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(queue.is_empty() && queue.by_caller.is_empty() && queue.rotation.is_empty());
    }

    #[test]
    fn an_entry_that_leaves_makes_no_hole() {
        let mut queue = FairQueue::new();
        let first = queue.push(1, "a1").ok().unwrap();
        let second = queue.push(2, "b1").ok().unwrap();
        let _third = queue.push(1, "a2").ok().unwrap();

        queue.remove(first);
        queue.remove(first);
        queue.remove(second);

        assert_eq!(queue.len(), 1);
        assert_eq!(queue.pop(), Some("a2"));
        assert_eq!(queue.pop(), None);
        assert!(queue.by_caller.is_empty() && queue.rotation.is_empty());
    }

    #[test]
    fn a_caller_and_the_whole_queue_have_a_bound() {
        let mut queue = FairQueue::new();
        for _ in 0..WAITERS_PER_CALLER_MAX {
            assert!(queue.push(0, ()).is_ok());
        }
        assert!(queue.push(0, ()).is_err());
        for entry in WAITERS_PER_CALLER_MAX..WAITERS_MAX {
            assert!(queue.push(entry, ()).is_ok());
        }
        assert!(queue.push(usize::MAX, ()).is_err());
    }
}
