//! The lines of strangers on their way to the writer: callers without a valid proof, who could otherwise fill the disk.
//!
//! They have a queue and a lock of their own, so that a flood of them delays no caller's line and takes no room of one.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
};

use crate::{
    clock::Timestamp,
    limits::rate::{Period, Rate},
    lock::Lock,
    net::server::peer_group::PeerGroup,
};

use super::refused_tally::{RefusedRequest, RefusedTally};

/// Strangers' lines that wait to be written; what comes beyond is counted.
pub const STRANGER_LINES_QUEUED_MAX: usize = 1024;

/// Peers whose lines are counted in one period; those of any other are not written one by one until it has passed.
pub const STRANGER_PEERS_MAX: usize = 4096;

/// The defaults of `audit.strangers` and `audit.strangers_per_peer`, per second.
const LINES_PER_SECOND: u32 = 100;
const LINES_PER_SECOND_AND_PEER: u32 = 10;

/// How many lines of strangers are written one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrangerLimits {
    pub all: Rate,
    /// Of one address; for IPv6, of one network of 64 bits.
    pub per_peer: Rate,
}

impl Default for StrangerLimits {
    fn default() -> Self {
        let rate = |lines| Rate::per_second(NonZeroU32::new(lines).unwrap_or(NonZeroU32::MIN));
        Self {
            all: rate(LINES_PER_SECOND),
            per_peer: rate(LINES_PER_SECOND_AND_PEER),
        }
    }
}

/// The queue; `T` is a line.
pub(super) struct StrangerQueue<T>(Lock<StrangerState<T>>);

struct StrangerState<T> {
    limits: StrangerLimits,
    all: Window,
    per_peer: Window,
    /// Lines written for each peer in the current period.
    peers: HashMap<PeerGroup, u32>,
    lines: VecDeque<T>,
    tally: Option<OpenTally>,
    /// Requests that were counted instead of written, since the start.
    counted: u64,
    /// No line is written one by one: there is no room for it.
    counts_all: bool,
}

/// A period of the wall clock, and the lines that were written in it.
#[derive(Default)]
struct Window {
    number: i64,
    lines: u32,
}

impl Window {
    /// True if a new period has begun.
    fn advance(&mut self, at: Timestamp, period: Period) -> bool {
        let seconds = i64::try_from(period.duration().as_secs()).unwrap_or(1);
        let number = at.unix_seconds().div_euclid(seconds.max(1));
        let is_new = number != self.number;
        if is_new {
            *self = Self { number, lines: 0 };
        }
        is_new
    }
}

struct OpenTally {
    tally: RefusedTally,
    opened: Timestamp,
}

impl<T> StrangerQueue<T> {
    pub(super) fn new(limits: StrangerLimits) -> Self {
        Self(Lock::new(StrangerState {
            limits,
            all: Window::default(),
            per_peer: Window::default(),
            peers: HashMap::new(),
            lines: VecDeque::new(),
            tally: None,
            counted: 0,
            counts_all: false,
        }))
    }

    /// Queues the line of a request, or counts the request.
    pub(super) fn submit(&self, request: &RefusedRequest, line: T) {
        self.0.lock().submit(request, line);
    }

    /// Whether lines are counted only, from now on.
    pub(super) fn set_counts_all(&self, counts_all: bool) {
        self.0.lock().counts_all = counts_all;
    }

    /// What is queued, oldest first.
    pub(super) fn take_lines(&self) -> VecDeque<T> {
        std::mem::take(&mut self.0.lock().lines)
    }

    /// What was counted, once its `seconds` are over.
    pub(super) fn take_tally(&self, now: Timestamp, seconds: u64) -> Option<RefusedTally> {
        let mut state = self.0.lock();
        let due = state.tally.take_if(|it| {
            let (now, opened) = (now.unix_seconds(), it.opened.unix_seconds());
            // A clock that was set back must not keep the line.
            now.abs_diff(opened) >= seconds
        });
        due.map(|it| it.tally)
    }

    /// Requests that were counted instead of written, since the start.
    pub(super) fn counted(&self) -> u64 {
        self.0.lock().counted
    }
}

impl<T> StrangerState<T> {
    fn submit(&mut self, request: &RefusedRequest, line: T) {
        if self.may_write(request.at, PeerGroup::of(request.peer)) {
            self.lines.push_back(line);
            return;
        }
        self.counted += 1;
        match &mut self.tally {
            Some(open) => open.tally.add(request),
            None => {
                self.tally = Some(OpenTally {
                    tally: RefusedTally::of(request),
                    opened: request.at,
                });
            }
        }
    }

    /// Whether a line is written one by one; takes its place in the rates.
    fn may_write(&mut self, at: Timestamp, peer: PeerGroup) -> bool {
        self.all.advance(at, self.limits.all.period());
        if self.per_peer.advance(at, self.limits.per_peer.period()) {
            self.peers.clear();
        }
        if self.counts_all
            || self.all.lines >= self.limits.all.count().get()
            || self.lines.len() >= STRANGER_LINES_QUEUED_MAX
        {
            return false;
        }
        let has_room = self.peers.len() < STRANGER_PEERS_MAX;
        let written = match self.peers.get_mut(&peer) {
            Some(written) => written,
            None if has_room => self.peers.entry(peer).or_default(),
            None => return false,
        };
        if *written >= self.limits.per_peer.count().get() {
            return false;
        }
        *written += 1;
        self.all.lines += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{audit::refused_tally::PEERS_NAMED_MAX, names::RequestId, net::Peer};

    const START_MS: i64 = 1_763_388_131_000;

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_unix_micros((START_MS + ms) * 1000)
    }

    fn submit(queue: &StrangerQueue<()>, ms: i64, peer: &str) {
        let at = at_ms(ms);
        let request = RefusedRequest {
            at,
            id: RequestId::new(at.unix_millis(), 1),
            peer: Peer::Tcp(peer.parse().unwrap()),
            reason: "unauthenticated",
        };
        queue.submit(&request, ());
    }

    fn queue(all: &str, per_peer: &str) -> StrangerQueue<()> {
        StrangerQueue::new(StrangerLimits {
            all: all.parse().unwrap(),
            per_peer: per_peer.parse().unwrap(),
        })
    }

    #[test]
    fn lines_beyond_either_rate_are_counted_until_the_next_period() {
        let queue = queue("5/s", "3/s");
        for _ in 0..10 {
            submit(&queue, 1, "192.0.2.1:1");
        }
        for port in 1..=10 {
            submit(&queue, 2, &format!("192.0.2.2:{port}"));
        }
        assert_eq!(queue.take_lines().len(), 3 + 2);
        submit(&queue, 1000, "192.0.2.1:1");
        assert_eq!(queue.take_lines().len(), 1);

        let tally = queue.take_tally(at_ms(1001), 1).unwrap();
        assert_eq!(tally.count, 7 + 8);
        assert_eq!(tally.reasons["unauthenticated"], 15);
        assert_eq!((tally.first, tally.last), (at_ms(1), at_ms(2)));
        let peers: Vec<_> = tally.peers.iter().map(ToString::to_string).collect();
        assert_eq!(peers, ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(queue.counted(), 15);
    }

    #[test]
    fn a_tally_is_taken_when_its_second_is_over_or_the_clock_was_set_back() {
        let queue = queue("1/s", "1/s");
        for _ in 0..2 {
            submit(&queue, 500, "192.0.2.1:1");
        }
        assert_eq!(queue.take_tally(at_ms(999), 1), None);
        assert!(queue.take_tally(at_ms(1000), 1).is_some());
        assert_eq!(queue.take_tally(at_ms(2000), 1), None, "nothing is left");

        submit(&queue, 600, "192.0.2.1:1");
        assert!(queue.take_tally(at_ms(-60_000), 1).is_some());
    }

    #[test]
    fn where_there_is_no_room_every_line_is_counted() {
        let queue = queue("5/s", "3/s");
        queue.set_counts_all(true);
        submit(&queue, 0, "192.0.2.1:1");
        assert_eq!((queue.take_lines().len(), queue.counted()), (0, 1));
    }

    #[test]
    fn the_queue_the_peers_that_are_named_and_those_that_are_followed_have_bounds() {
        let queue = queue("1000000/s", "1000000/s");
        for number in 0..2 * STRANGER_LINES_QUEUED_MAX {
            let (high, low) = (number / 250, number % 250 + 1);
            submit(&queue, 0, &format!("10.0.{high}.{low}:1"));
        }
        assert_eq!(queue.take_lines().len(), STRANGER_LINES_QUEUED_MAX);
        let tally = queue.take_tally(at_ms(1000), 1).unwrap();
        assert_eq!(tally.count, STRANGER_LINES_QUEUED_MAX as u64);
        assert_eq!(tally.peers.len(), PEERS_NAMED_MAX);

        for number in 0..STRANGER_PEERS_MAX + 10 {
            let (high, low) = (number / 250, number % 250 + 1);
            submit(&queue, 5000, &format!("10.1.{high}.{low}:1"));
            queue.take_lines();
        }
        let tally = queue.take_tally(at_ms(6000), 1).unwrap();
        assert_eq!(tally.count, 10);
    }
}
