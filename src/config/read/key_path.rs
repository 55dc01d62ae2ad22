//! The path of a setting: `caller.powerbi.key[1]`.

use std::fmt;

/// A path of keys from the root of the settings. The elements of a list have their decimal index, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyPath(Vec<String>);

impl KeyPath {
    #[must_use]
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// The path `keys`, from the root.
    #[must_use]
    pub(crate) fn from_keys(keys: &[&str]) -> Self {
        Self(keys.iter().map(|&key| key.to_owned()).collect())
    }

    #[must_use]
    pub(crate) fn child(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }

    #[must_use]
    pub(crate) fn element(&self, index: usize) -> Self {
        self.child(&index.to_string())
    }

    #[must_use]
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    #[must_use]
    pub(crate) fn keys(&self) -> &[String] {
        &self.0
    }

    #[must_use]
    pub(crate) fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().enumerate() {
            // A tenant, caller or policy may be called "7".
            let is_name = index == 1 && self.0.first().is_some_and(|first| first != "operation");
            if index > 0 && !is_name && key.bytes().all(|byte| byte.is_ascii_digit()) {
                write!(f, "[{key}]")?;
            } else if index == 0 {
                f.write_str(key)?;
            } else {
                write!(f, ".{key}")?;
            }
        }
        Ok(())
    }
}
