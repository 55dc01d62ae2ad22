//! One caller's limits: rate with burst, and concurrency.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;

use super::{Dimension, pace::Pace, rate::Rate};

/// When a caller that has all its requests under way should ask again: nobody can know when one of them ends.
const CONCURRENCY_RETRY_S: u32 = 1;

/// Longest header value that a meter writes: the name, two numbers of ten digits, and what is between them.
const HEADER_BYTES_MAX: usize = 48;

/// What a caller may do per time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub rate: Rate,
    /// Requests that may come at once after a pause.
    pub burst: NonZeroU32,
    /// Requests that may be under way together.
    pub concurrency: NonZeroU32,
}

/// Counts one caller's requests against its [`Limit`].
pub struct Meter {
    limit: Limit,
    pace: Pace,
    under_way: AtomicU32,
    policy: HeaderValue,
}

impl Meter {
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        let pace = Pace::new(limit.rate, limit.burst);
        let burst = pace.burst();
        Self {
            policy: header([("q", burst), ("w", pace.refill_s(burst).max(1))]),
            limit,
            pace,
            under_way: AtomicU32::new(0),
        }
    }

    #[must_use]
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    /// How many of the caller's requests are under way.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): `"caller";q=20;w=4`, where `q` is the
    /// burst and `w` the seconds that refill it.
    #[must_use]
    pub fn policy_header(&self) -> &HeaderValue {
        &self.policy
    }

    /// Lets one request in, or says which limit it ran into and when to come back. A refusal writes nothing shared.
    ///
    /// # Errors
    /// The dimension that refused, the time after which one request may pass, and what is left.
    pub fn admit(
        self: &Arc<Self>,
    ) -> Result<(Concurrency, Standing), (Dimension, Duration, Standing)> {
        // Concurrency first: a request that finds no place must not use up the rate.
        let Some(concurrency) = self.enter() else {
            let standing = Standing {
                remaining: 0,
                reset_s: CONCURRENCY_RETRY_S,
            };
            let retry_after = Duration::from_secs(CONCURRENCY_RETRY_S.into());
            return Err((Dimension::CallerConcurrency, retry_after, standing));
        };
        match self.pace.check() {
            Ok(standing) => Ok((concurrency, standing)),
            Err(soon) => Err((Dimension::CallerRate, soon.wait, soon.standing)),
        }
    }

    fn enter(self: &Arc<Self>) -> Option<Concurrency> {
        let most = self.limit.concurrency.get();
        self.under_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < most).then_some(count + 1)
            })
            .ok()
            .map(|_| Concurrency {
                meter: Arc::clone(self),
            })
    }
}

/// One of a caller's concurrent requests; given back on drop.
#[must_use]
pub struct Concurrency {
    meter: Arc<Meter>,
}

impl Concurrency {
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }
}

impl Drop for Concurrency {
    fn drop(&mut self) {
        self.meter.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Requests that may follow at once.
    pub remaining: u32,
    /// Seconds until the burst is whole again.
    pub reset_s: u32,
}

impl Standing {
    /// The value of `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): `"caller";r=19;t=1`.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        header([("r", self.remaining), ("t", self.reset_s)])
    }
}

/// `"caller";a=1;b=2`, written without the formatting machinery: every answer carries one.
fn header(parameters: [(&str, u32); 2]) -> HeaderValue {
    let mut line = Line {
        bytes: [0; HEADER_BYTES_MAX],
        length: 0,
    };
    line.put(b"\"caller\"");
    for (name, value) in parameters {
        line.put(b";");
        line.put(name.as_bytes());
        line.put(b"=");
        line.put_number(value);
    }
    HeaderValue::from_bytes(line.written()).unwrap_or(HeaderValue::from_static("\"caller\""))
}

struct Line {
    bytes: [u8; HEADER_BYTES_MAX],
    length: usize,
}

impl Line {
    fn put(&mut self, text: &[u8]) {
        let end = self.length + text.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(text);
            self.length = end;
        }
    }

    fn put_number(&mut self, number: u32) {
        let mut digits = [b'0'; 10];
        let (mut rest, mut used) = (number, 0);
        for place in digits.iter_mut().rev() {
            // The remainder of a division by ten fits a byte.
            *place = b'0' + (rest % 10) as u8;
            (rest, used) = (rest / 10, used + 1);
            if rest == 0 {
                break;
            }
        }
        self.put(digits.split_at(digits.len() - used).1);
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
