//! The log of the last 100,000 requests that the sandbox received.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicU16, Ordering},
    },
};

use http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::lock::Lock;

/// How many requests are remembered.
pub const REQUESTS_MAX: usize = 100_000;

/// And how many bytes of targets and headers.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A request as it arrived. Headers are recorded in full, credentials too: a test must see what left the proxy.
pub struct RequestRecord {
    /// Counts from 1 since the start, including requests that were forgotten.
    pub number: u64,
    pub method: Box<str>,
    /// Path and query, as received.
    pub target: Box<[u8]>,
    /// `name: value` lines, each with CR LF: names in lower case, in the order received.
    head: Box<[u8]>,
    pub body_bytes: u64,
    /// In lower-case hex.
    pub body_sha256: Box<str>,
    /// 0 until the response is known.
    status: AtomicU16,
}

impl RequestRecord {
    /// The status of the response; `None` until there is one, and if the response was lost on purpose.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Acquire)).filter(|status| *status != 0)
    }

    fn kept_bytes(&self) -> usize {
        self.target.len() + self.head.len()
    }

    pub(super) fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::Release);
    }

    /// Every header line, in the order received.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.strip_suffix(b"\r"))
            .filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let (name, value) = line.split_at_checked(colon)?;
                Some((std::str::from_utf8(name).ok()?, value.strip_prefix(b": ")?))
            })
    }

    /// The first value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    pub(super) fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .headers()
            .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
            .collect();
        json!({
            "number": self.number,
            "method": self.method,
            "target": String::from_utf8_lossy(&self.target),
            "headers": headers,
            "body_bytes": self.body_bytes,
            "body_sha256": self.body_sha256,
            "status": self.status(),
        })
    }
}

/// `GET /v2/devices 401`, without headers: they hold credentials.
impl fmt::Debug for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = String::from_utf8_lossy(&self.target);
        write!(f, "{} {target} ", self.method)?;
        match self.status() {
            Some(status) => write!(f, "{status}"),
            None => f.write_str("-"),
        }
    }
}

/// The recorded parts of a request.
pub(super) struct NewRequest<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a [u8],
    pub(super) headers: &'a HeaderMap,
    pub(super) body_bytes: u64,
    pub(super) body_sha256: Box<str>,
}

/// The last requests; a new one evicts the oldest.
#[derive(Default)]
pub(super) struct RequestLog {
    logged: Lock<LoggedRequests>,
    count: watch::Sender<u64>,
}

#[derive(Default)]
struct LoggedRequests {
    requests: VecDeque<Arc<RequestRecord>>,
    /// Of their targets and headers.
    bytes: usize,
    count: u64,
}

impl RequestLog {
    fn logged(&self) -> MutexGuard<'_, LoggedRequests> {
        self.logged.lock()
    }

    pub(super) fn push(&self, request: NewRequest<'_>) -> Arc<RequestRecord> {
        let head = head_lines(request.headers);
        let mut logged = self.logged();
        logged.count += 1;
        let record = Arc::new(RequestRecord {
            number: logged.count,
            method: request.method.into(),
            target: request.target.into(),
            head,
            body_bytes: request.body_bytes,
            body_sha256: request.body_sha256,
            status: AtomicU16::new(0),
        });
        logged.bytes += record.kept_bytes();
        logged.requests.push_back(Arc::clone(&record));
        while logged.requests.len() > REQUESTS_MAX || logged.bytes > REQUEST_BYTES_MAX {
            let Some(oldest) = logged.requests.pop_front() else {
                break;
            };
            logged.bytes -= oldest.kept_bytes();
        }
        self.count.send_replace(logged.count);
        record
    }

    pub(super) fn all(&self) -> Vec<Arc<RequestRecord>> {
        self.logged().requests.iter().cloned().collect()
    }

    /// Returns once `count` requests have come since the start.
    pub(super) async fn wait_for(&self, count: u64) {
        // It fails only when the sender is gone, and that is held here.
        let _ = self.count.subscribe().wait_for(|it| *it >= count).await;
    }

    /// The last `limit`, oldest first, and how many arrived in all.
    pub(super) fn last(&self, limit: usize) -> (Vec<Arc<RequestRecord>>, u64) {
        let logged = self.logged();
        let skipped = logged.requests.len().saturating_sub(limit);
        let last = logged.requests.iter().skip(skipped).cloned().collect();
        (last, logged.count)
    }

    pub(super) fn clear(&self) {
        let mut logged = self.logged();
        logged.requests.clear();
        logged.bytes = 0;
    }
}

fn head_lines(headers: &HeaderMap) -> Box<[u8]> {
    let mut head = Vec::with_capacity(512);
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn push(log: &RequestLog) {
        log.push(NewRequest {
            method: "GET",
            target: b"/v2/devices",
            headers: &HeaderMap::new(),
            body_bytes: 0,
            body_sha256: Box::default(),
        });
    }

    #[test]
    fn the_oldest_request_makes_room_when_the_ring_is_full() {
        let log = RequestLog::default();
        for _ in 0..=REQUESTS_MAX {
            push(&log);
        }
        let all = log.all();
        assert_eq!(all.len(), REQUESTS_MAX);
        assert_eq!(all[0].number, 2);
    }

    #[test]
    fn headers_are_given_back_as_they_came_and_not_shown_by_debug() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer x: y".parse().unwrap());
        headers.append("accept", http::HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append("accept", http::HeaderValue::from_static(""));
        let log = RequestLog::default();
        let record = log.push(NewRequest {
            method: "GET",
            target: b"/",
            headers: &headers,
            body_bytes: 0,
            body_sha256: Box::default(),
        });
        let kept: Vec<_> = record.headers().collect();
        let expected: [(&str, &[u8]); 3] = [
            ("authorization", b"Bearer x: y"),
            ("accept", b"\xff"),
            ("accept", b""),
        ];
        assert_eq!(kept, expected);
        assert_eq!(format!("{record:?}"), "GET / -");
    }
}
