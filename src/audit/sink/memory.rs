//! Keeps lines in memory: for the sandbox, which leaves nothing on disk.

use std::{collections::VecDeque, sync::MutexGuard};

use crate::{audit::chain::LinkedLines, lock::Lock};

/// The oldest line makes room for the newest.
pub const MEMORY_LINES_MAX: usize = 10_000;

/// The newest lines, in memory; older ones are dropped.
#[derive(Default)]
pub struct MemorySink {
    lines: Lock<VecDeque<Box<str>>>,
}

impl MemorySink {
    pub(super) fn append(&self, linked: &LinkedLines<'_>) {
        let text = String::from_utf8_lossy(linked.bytes());
        let mut lines = self.lock();
        for line in text.lines() {
            if lines.len() == MEMORY_LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(line.into());
        }
    }

    /// The newest `most` lines, oldest first, without line feeds.
    pub fn newest(&self, most: usize) -> Vec<Box<str>> {
        let lines = self.lock();
        let skipped = lines.len().saturating_sub(most);
        lines.iter().skip(skipped).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Box<str>>> {
        self.lines.lock()
    }
}
