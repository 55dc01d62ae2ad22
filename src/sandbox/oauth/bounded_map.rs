//! A bounded map: a new entry evicts the oldest.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

pub(super) struct BoundedMap<K, V> {
    entries: HashMap<K, V>,
    /// Every inserted key, removed ones too, until it is the oldest.
    by_age: VecDeque<K>,
    max: usize,
}

impl<K: Hash + Eq + Clone, V> BoundedMap<K, V> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            by_age: VecDeque::new(),
            max,
        }
    }

    /// Returns the evicted entry. `key` must never have been inserted before.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let oldest = if self.by_age.len() < self.max {
            None
        } else {
            self.by_age.pop_front()
        };
        let gone = oldest.and_then(|oldest| self.entries.remove(&oldest));
        self.by_age.push_back(key.clone());
        self.entries.insert(key, value);
        gone
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(super) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get_mut(key)
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.remove(key)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.by_age.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_makes_room_and_a_removed_one_counts_until_it_is_the_oldest() {
        let mut aged = BoundedMap::new(2);
        assert_eq!(aged.insert(1, "a"), None);
        assert_eq!(aged.insert(2, "b"), None);
        assert_eq!(aged.insert(3, "c"), Some("a"));
        assert_eq!(aged.remove(&2), Some("b"));
        assert_eq!(aged.insert(4, "d"), None);
        assert_eq!((aged.get(&3), aged.get(&4)), (Some(&"c"), Some(&"d")));
        assert_eq!(aged.by_age.len(), 2);
    }
}
