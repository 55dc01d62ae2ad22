//! Where each setting was written.

use std::{collections::BTreeMap, ops::Range};

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
pub(crate) struct ProvenanceMap(BTreeMap<KeyPath, Provenance>);

impl ProvenanceMap {
    /// Records that the setting at `path` comes from `provenance`.
    pub(crate) fn insert(&mut self, path: KeyPath, provenance: Provenance) {
        self.0.insert(path, provenance);
    }

    /// Adds the provenance of another file's settings.
    pub(crate) fn append(&mut self, other: Self) {
        // Not `BTreeMap::append`, which rebuilds the whole map for each file.
        self.0.extend(other.0);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&KeyPath, &Provenance)> {
        self.0.iter()
    }

    /// Removes everything below `path`: a later layer replaces the whole value.
    pub(crate) fn remove_descendants(&mut self, path: &KeyPath) {
        let below: Vec<KeyPath> = self
            .0
            .range(path.clone()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(path))
            .filter(|key| *key != path)
            .cloned()
            .collect();
        for key in below {
            self.0.remove(&key);
        }
    }

    /// Whether anything was written at exactly `path`.
    #[must_use]
    pub(crate) fn contains(&self, path: &KeyPath) -> bool {
        self.0.contains_key(path)
    }

    #[must_use]
    pub(crate) fn get(&self, path: &KeyPath) -> Option<&Provenance> {
        self.0.get(path)
    }

    /// The provenance of `path`, or of the nearest enclosing key that was written.
    #[must_use]
    pub(crate) fn closest(&self, path: &KeyPath) -> Option<&Provenance> {
        let mut path = path.clone();
        loop {
            if let Some(provenance) = self.0.get(&path) {
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
            .0
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
