//! The body of a page of a report, serialised chunk by chunk while it is sent.

use bytes::Bytes;
use serde_json::Value;

/// Approximate size of the chunks of a long response, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// `{"cursor":{…},"results":[…]}`
pub(super) struct ReportRows {
    /// Until the first chunk is sent.
    head: Option<String>,
    row: Box<dyn Fn(usize) -> Value + Send>,
    next: usize,
    end: usize,
    is_done: bool,
}

impl ReportRows {
    /// The rows from `start` to before `end`.
    pub(super) fn new(
        cursor: &Value,
        row: Box<dyn Fn(usize) -> Value + Send>,
        start: usize,
        end: usize,
    ) -> Self {
        Self {
            head: Some(format!("{{\"cursor\":{cursor},\"results\":[")),
            row,
            next: start,
            end,
            is_done: false,
        }
    }

    /// The next bytes; `None` when all have been given.
    pub(super) fn next_chunk(&mut self) -> Option<Bytes> {
        if self.is_done {
            return None;
        }
        let is_first = self.head.is_some();
        let mut chunk = self.head.take().unwrap_or_default();
        let start = self.next;
        while self.next < self.end && chunk.len() < CHUNK_BYTES {
            if !(is_first && self.next == start) {
                chunk.push(',');
            }
            chunk.push_str(&(self.row)(self.next).to_string());
            self.next += 1;
        }
        if self.next == self.end {
            chunk.push_str("]}");
            self.is_done = true;
        }
        Some(chunk.into())
    }
}
