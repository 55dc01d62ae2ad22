//! Where each setting was written.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::key_path::KeyPath;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Provenance {
    File {
        /// Index in the list of files that were read.
        file: usize,
        /// Bytes of the key, or of the element of a list.
        key: Range<usize>,
        /// Bytes of the value; of a table, its header.
        value: Range<usize>,
    },
    /// An environment variable, by its name.
    Variable(String),
}

/// The provenance of every key that was written, whether or not its value is valid.
#[derive(Debug, Default)]
pub(crate) struct ProvenanceMap {
    written: BTreeMap<KeyPath, Provenance>,
    /// What unknown keys were probably meant to be.
    meant: BTreeSet<KeyPath>,
    /// The last unknown key of each table.
    unknown: BTreeMap<KeyPath, Provenance>,
}

impl ProvenanceMap {
    /// Records that the setting at `path` comes from `provenance`.
    pub(crate) fn insert(&mut self, path: KeyPath, provenance: Provenance) {
        self.written.insert(path, provenance);
    }

    /// Adds the provenance of another file's settings.
    pub(crate) fn append(&mut self, other: Self) {
        // Not `BTreeMap::append`, which rebuilds the whole map for each file.
        self.written.extend(other.written);
        self.meant.extend(other.meant);
        self.unknown.extend(other.unknown);
    }

    /// Records that `table` has a key that is unknown, and what it was probably meant to be.
    pub(crate) fn insert_unknown(
        &mut self,
        table: KeyPath,
        meant: Option<&str>,
        provenance: Provenance,
    ) {
        self.meant.extend(meant.map(|name| table.child(name)));
        self.unknown.insert(table, provenance);
    }

    /// Whether something at exactly `path` was misspelt, which has been reported.
    #[must_use]
    pub(crate) fn is_misspelt(&self, path: &KeyPath) -> bool {
        self.meant.contains(path)
    }

    /// The last key of the table at `path` that is unknown.
    #[must_use]
    pub(crate) fn last_unknown(&self, path: &KeyPath) -> Option<&Provenance> {
        self.unknown.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&KeyPath, &Provenance)> {
        self.written.iter()
    }

    /// Removes everything below `path`: a later layer replaces the whole value.
    pub(crate) fn remove_descendants(&mut self, path: &KeyPath) {
        let below: Vec<KeyPath> = self
            .written
            .range(path.clone()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(path))
            .filter(|key| *key != path)
            .cloned()
            .collect();
        for key in below {
            self.written.remove(&key);
        }
    }

    /// Whether anything was written at exactly `path`, or was misspelt.
    #[must_use]
    pub(crate) fn contains(&self, path: &KeyPath) -> bool {
        self.written.contains_key(path) || self.is_misspelt(path)
    }

    #[must_use]
    pub(crate) fn get(&self, path: &KeyPath) -> Option<&Provenance> {
        self.written.get(path)
    }

    /// The provenance of `path`, or of the nearest enclosing key that was written.
    #[must_use]
    pub(crate) fn closest(&self, path: &KeyPath) -> Option<&Provenance> {
        let mut path = path.clone();
        loop {
            if let Some(provenance) = self.written.get(&path) {
                return Some(provenance);
            }
            path = path.parent()?;
        }
    }
}

impl ProvenanceMap {
    /// The name below `path` that part of an environment variable's name stands for: `HELPDESK_BOT` for `helpdesk-bot`.
    ///
    /// # Errors
    /// All names that fit, if there are several.
    pub(crate) fn resolve_name(
        &self,
        path: &KeyPath,
        part: &str,
    ) -> Result<Option<String>, Vec<String>> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '.'], "_");
        let depth = path.keys().len();
        let mut fitting: Vec<String> = self
            .written
            .range(path.clone()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(path))
            .filter(|key| key.keys().len() == depth + 1)
            .filter_map(|key| key.keys().last().cloned())
            .filter(|name| plain(name) == plain(part))
            .collect();
        match fitting.len() {
            0 | 1 => Ok(fitting.pop()),
            _ => Err(fitting),
        }
    }
}
