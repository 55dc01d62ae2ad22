//! What is known of a host name: its addresses, how old they are, and which of them took connections.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crate::clock::Moment;

/// Addresses are used for this long without asking again. The system tells no lifetime of its answers, and connections are
/// made seldom enough that a short one costs nothing.
const FRESH_MAX: Duration = Duration::from_secs(30);
/// While the name servers fail, the last known addresses are used for this long (RFC 8767 section 5 recommends one to three
/// days). A server that has moved away from an address cannot pass for NinjaOne: its certificate is checked.
const STALE_MAX: Duration = Duration::from_hours(24);
/// After a failed lookup the last known addresses are used at once for this long, without another lookup (RFC 8767
/// section 5).
const FAILURE_RECHECK: Duration = Duration::from_secs(30);
/// Most addresses of a name that are kept and tried.
pub const ADDRESSES_MAX: usize = 16;

/// What is known of a host name. The port of all its addresses is 0.
#[derive(Default)]
pub struct KnownName {
    found: Option<FoundAddresses>,
    /// When the last lookup failed, if no later one succeeded.
    failed_at: Option<Moment>,
    /// Whether stale addresses were used since the last lookup that succeeded.
    is_stale_in_use: bool,
    /// The address that took a connection last.
    worked: Option<IpAddr>,
    /// Those that took none, and have not since.
    failed: Vec<IpAddr>,
}

struct FoundAddresses {
    addresses: Arc<[SocketAddr]>,
    at: Moment,
    /// None of them took a connection.
    is_doubtful: bool,
}

impl KnownName {
    /// The addresses, if a lookup found them a short while ago and they were not all in vain.
    #[must_use]
    pub fn fresh(&self, now: Moment) -> Option<Vec<SocketAddr>> {
        let found = self.found.as_ref()?;
        let is_fresh = !found.is_doubtful && now.since(found.at) < FRESH_MAX;
        is_fresh.then(|| self.in_order(&found.addresses))
    }

    /// The last known addresses, for as long as the name servers may fail.
    #[must_use]
    pub fn stale(&self, now: Moment) -> Option<Vec<SocketAddr>> {
        let found = self.found.as_ref()?;
        (now.since(found.at) < STALE_MAX).then(|| self.in_order(&found.addresses))
    }

    /// Whether a lookup failed so short a while ago that another one is not worth a wait.
    #[must_use]
    pub fn has_just_failed(&self, now: Moment) -> bool {
        self.failed_at
            .is_some_and(|at| now.since(at) < FAILURE_RECHECK)
    }

    /// A lookup has found these. True if stale addresses were in use until now.
    pub fn record_found(&mut self, addresses: Arc<[SocketAddr]>, now: Moment) -> bool {
        self.failed.retain(|ip| has_ip(&addresses, *ip));
        self.worked = self.worked.filter(|ip| has_ip(&addresses, *ip));
        self.found = Some(FoundAddresses {
            addresses,
            at: now,
            is_doubtful: false,
        });
        self.failed_at = None;
        std::mem::take(&mut self.is_stale_in_use)
    }

    /// A lookup has failed.
    pub fn record_failure(&mut self, now: Moment) {
        self.failed_at = Some(now);
    }

    /// Stale addresses are used. True for the first time since a lookup succeeded.
    pub fn record_stale_use(&mut self) -> bool {
        !std::mem::replace(&mut self.is_stale_in_use, true)
    }

    /// Whether stale addresses have been used since the last lookup that succeeded.
    #[must_use]
    pub const fn is_stale_in_use(&self) -> bool {
        self.is_stale_in_use
    }

    /// A connection to this address was made.
    pub fn record_connected(&mut self, ip: IpAddr) {
        self.worked = Some(ip);
        self.failed.retain(|it| *it != ip);
    }

    /// No connection to this address could be made, or not one that served.
    pub fn record_unreachable(&mut self, ip: IpAddr) {
        self.worked = self.worked.filter(|it| *it != ip);
        if !self.failed.contains(&ip) && self.failed.len() < ADDRESSES_MAX {
            self.failed.push(ip);
        }
    }

    /// No address took a connection: the next one is preceded by a lookup, because the name may have moved.
    pub fn doubt(&mut self) {
        if let Some(found) = &mut self.found {
            found.is_doubtful = true;
        }
    }

    /// First the address that worked last, then those that nothing speaks against, with families taking turns, then those
    /// that failed.
    fn in_order(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut order = with_families_taking_turns(addresses);
        // A stable sort keeps the turns.
        order.sort_by_key(|it| match it.ip() {
            ip if self.worked == Some(ip) => 0,
            ip if self.failed.contains(&ip) => 2,
            _ => 1,
        });
        order
    }
}

fn has_ip(addresses: &[SocketAddr], ip: IpAddr) -> bool {
    addresses.iter().any(|it| it.ip() == ip)
}

/// RFC 8305 section 4: the system's order (RFC 6724), except that one family does not keep the other waiting.
pub(super) fn with_families_taking_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else {
        return Vec::new();
    };
    let of_first_family = |it: &SocketAddr| it.is_ipv4() == first.is_ipv4();
    let (mut ones, mut others): (VecDeque<SocketAddr>, VecDeque<SocketAddr>) =
        addresses.iter().copied().partition(of_first_family);
    let mut order = Vec::with_capacity(addresses.len());
    while !ones.is_empty() || !others.is_empty() {
        order.extend(ones.pop_front());
        order.extend(others.pop_front());
    }
    order
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Arc<[SocketAddr]> {
        let parsed = texts.iter().map(|it| SocketAddr::new(ip(it), 0));
        parsed.collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn shown(order: Option<Vec<SocketAddr>>) -> Vec<String> {
        let order = order.unwrap_or_default();
        order.iter().map(|it| it.ip().to_string()).collect()
    }

    #[test]
    fn families_take_turns_beginning_with_the_systems_choice() {
        let mut name = KnownName::default();
        let now = Moment::now();
        let found = ["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"];
        assert!(!name.record_found(addresses(&found), now));
        let order = shown(name.fresh(now));
        assert_eq!(order, ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]);
    }

    #[test]
    fn what_worked_comes_first_and_what_failed_comes_last() {
        let mut name = KnownName::default();
        let now = Moment::now();
        let found = addresses(&["::1", "10.0.0.1", "::2", "10.0.0.2"]);
        name.record_found(Arc::clone(&found), now);
        name.record_unreachable(ip("::1"));
        name.record_connected(ip("10.0.0.2"));
        let order = ["10.0.0.2", "10.0.0.1", "::2", "::1"];
        assert_eq!(shown(name.fresh(now)), order);

        // A lookup that finds the same changes nothing of that.
        name.record_found(found, now);
        assert_eq!(shown(name.fresh(now)), order);

        // What works no more is no longer preferred; what works again has not failed.
        name.record_unreachable(ip("10.0.0.2"));
        name.record_connected(ip("::1"));
        let order = ["::1", "10.0.0.1", "::2", "10.0.0.2"];
        assert_eq!(shown(name.fresh(now)), order);
    }

    #[test]
    fn addresses_are_fresh_then_stale_then_gone() {
        let mut name = KnownName::default();
        let at = Moment::now();
        assert!(name.fresh(at).is_none() && name.stale(at).is_none());
        name.record_found(addresses(&["10.0.0.1"]), at);
        let later = |wait: Duration| at.plus(wait);
        let just = Duration::from_nanos(1);
        assert!(name.fresh(later(FRESH_MAX.saturating_sub(just))).is_some());
        assert!(name.fresh(later(FRESH_MAX)).is_none());
        assert!(name.stale(later(STALE_MAX.saturating_sub(just))).is_some());
        assert!(name.stale(later(STALE_MAX)).is_none());

        name.record_failure(at);
        assert!(name.has_just_failed(later(FAILURE_RECHECK.saturating_sub(just))));
        assert!(!name.has_just_failed(later(FAILURE_RECHECK)));
        // Said once, until a lookup succeeds.
        assert!(name.record_stale_use());
        assert!(!name.record_stale_use());
        assert!(name.record_found(addresses(&["10.0.0.1"]), at));
        assert!(!name.has_just_failed(at));
        assert!(name.record_stale_use());
    }

    #[test]
    fn addresses_that_were_all_in_vain_are_looked_up_again() {
        let mut name = KnownName::default();
        let now = Moment::now();
        name.record_found(addresses(&["10.0.0.1"]), now);
        name.doubt();
        assert!(name.fresh(now).is_none());
        assert!(name.stale(now).is_some());
        name.record_found(addresses(&["10.0.0.2"]), now);
        assert_eq!(shown(name.fresh(now)), ["10.0.0.2"]);
    }
}
