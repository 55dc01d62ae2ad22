//! Request counters and duration histograms of one worker, for `/metrics` and `/status`; they are summed up when read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use tokio::time::Instant;

use crate::{audit::decision::Decision, names::CallerName, ninjaone::operation::Operation};

/// Upper bounds of the buckets of the two histograms, in microseconds.
const BOUNDS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000, 30_000_000,
];

/// The same, in seconds.
pub(crate) const BOUNDS_S: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 5.0, 30.0,
];

/// What requests are counted by: closed sets only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RequestLabels {
    /// None: nobody was identified.
    pub caller: Option<CallerName>,
    /// Its id.
    pub operation: Option<Arc<str>>,
    /// What was decided.
    pub decision: Decision,
    /// 2 for 2xx, and so on.
    pub status_class: u8,
}

/// The requests with the same labels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestTally {
    pub count: u64,
    /// When the latest of them began.
    pub latest: Instant,
}

/// Durations by bucket.
#[derive(Default)]
pub(crate) struct DurationHistogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl DurationHistogram {
    /// Counts one duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Counts by bucket, the last one for what is above all bounds, and the sum in microseconds.
    #[must_use]
    pub(crate) fn snapshot(&self) -> ([u64; BOUNDS_US.len() + 1], u64) {
        let counts = std::array::from_fn(|at| {
            self.buckets
                .get(at)
                .map_or(0, |it| it.load(Ordering::Relaxed))
        });
        (counts, self.sum_us.load(Ordering::Relaxed))
    }
}

/// One worker's counts.
#[derive(Default)]
pub(crate) struct WorkerMetrics {
    requests: DashMap<RequestLabels, RequestTally, foldhash::fast::RandomState>,
    /// From the request's head to the response's last byte.
    pub duration: DurationHistogram,
    /// Our own part of the duration.
    pub overhead: DurationHistogram,
    in_flight: AtomicUsize,
}

/// A request that is on its way through the stations.
pub(crate) struct InFlightGuard<'a>(&'a WorkerMetrics);

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl WorkerMetrics {
    /// Counts a request in until the guard is dropped.
    pub(crate) fn track_in_flight(&self) -> InFlightGuard<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlightGuard(self)
    }

    /// Counts a request that began at `started` and got its response.
    pub(crate) fn count_request(
        &self,
        caller: Option<&CallerName>,
        operation: Option<&Arc<Operation>>,
        decision: Decision,
        status: u16,
        started: Instant,
    ) {
        let key = RequestLabels {
            caller: caller.cloned(),
            operation: operation.map(|it| Arc::clone(&it.id)),
            decision,
            status_class: u8::try_from(status / 100).unwrap_or_default(),
        };
        let mut tally = self.requests.entry(key).or_insert(RequestTally {
            count: 0,
            latest: started,
        });
        tally.count += 1;
        tally.latest = tally.latest.max(started);
    }

    /// Requests that are under way.
    #[must_use]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Shows each set of labels and its requests.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&RequestLabels, RequestTally)) {
        for entry in &self.requests {
            visit(entry.key(), *entry.value());
        }
    }

    /// Forgets callers that are no longer configured.
    pub(crate) fn retain_callers(&self, mut configured: impl FnMut(&CallerName) -> bool) {
        self.requests
            .retain(|key, _| key.caller.as_ref().is_none_or(&mut configured));
    }
}
