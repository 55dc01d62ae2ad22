//! Looks host names up, for the whole process: by the system's `getaddrinfo`, so that `/etc/hosts` and `nsswitch.conf` count,
//! on a thread of its own, because it cannot be interrupted.
//!
//! A name has one lookup at a time, and all who ask share it. Who waits gives up after its own time; the lookup goes on, and
//! what it finds late serves the next one. While the name servers fail, the last known addresses are used (RFC 8767).

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    panic::catch_unwind,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use crate::{clock::Moment, lock::Lock};

use super::{
    exchange_error::ExchangeError,
    known_name::{ADDRESSES_MAX, KnownName, with_families_taking_turns},
};

/// Most lookups that run at once; one may hang for as long as the system lets it. More names wait for their turn.
const LOOKUPS_MAX: usize = 16;
/// Longest that a request waits for a lookup when the last known addresses are at hand (RFC 8767 section 5 recommends
/// 1.8 s).
const STALE_WAIT: Duration = Duration::from_millis(1800);
/// Most addresses that are read of an answer.
const ANSWER_ADDRESSES_MAX: usize = 256;
/// Most names that are remembered. They come from the configuration; each reload may bring others.
const NAMES_MAX: usize = 1024;

static NAMES: LazyLock<Lock<HashMap<Arc<str>, NameEntry>>> = LazyLock::new(Lock::default);
static LOOKUPS: Semaphore = Semaphore::const_new(LOOKUPS_MAX);

/// How a lookup has ended; none while it runs.
type LookupEnd = Option<Result<(), ExchangeError>>;

#[derive(Default)]
struct NameEntry {
    known: KnownName,
    lookup: Option<Lookup>,
}

/// A lookup that is running.
#[derive(Clone)]
struct Lookup {
    began: Instant,
    end: watch::Receiver<LookupEnd>,
}

/// What one who asks has to do.
enum NextStep {
    Use(Vec<SocketAddr>),
    WaitFor(Lookup, StaleAddresses),
    WaitForRoom,
    Fail(ExchangeError),
}

/// Whether there are addresses to fall back on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StaleAddresses {
    Known,
    None,
}

/// The addresses of `host`, with the port 0, in the order in which they are to be tried. An IP address is its own.
///
/// # Errors
/// [`ExchangeError::Resolve`]: the name has no address, or the name servers failed; [`ExchangeError::ResolveTimedOut`]: no
/// answer came within `wait_max`. In both cases no addresses are known from before.
pub async fn resolve(host: &str, wait_max: Duration) -> Result<Vec<SocketAddr>, ExchangeError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, 0)]);
    }
    let give_up = Instant::now() + wait_max;
    loop {
        match next_step(host) {
            NextStep::Use(addresses) => return Ok(addresses),
            NextStep::Fail(error) => return Err(error),
            NextStep::WaitForRoom => {
                // Whoever has the room next looks again who needs it.
                let room = timeout_at(give_up, LOOKUPS.acquire()).await;
                drop(room.map_err(|_| ExchangeError::ResolveTimedOut)?);
            }
            NextStep::WaitFor(mut lookup, stale) => {
                let until = match stale {
                    StaleAddresses::Known => give_up.min(lookup.began + STALE_WAIT),
                    StaleAddresses::None => give_up,
                };
                let ended = timeout_at(until, lookup.end.wait_for(Option::is_some)).await;
                let error = match ended {
                    Ok(Ok(end)) => end.unwrap_or(Ok(())).err(),
                    // Its thread is gone.
                    Ok(Err(_)) => Some(ExchangeError::Resolve),
                    Err(_) => Some(ExchangeError::ResolveTimedOut),
                };
                let mut names = NAMES.lock();
                let known = names.get_mut(host).map(|it| &mut it.known);
                let known = known.ok_or(ExchangeError::Resolve)?;
                return match error {
                    None => known.stale(Moment::now()).ok_or(ExchangeError::Resolve),
                    Some(error) => fall_back(host, known).ok_or(error),
                };
            }
        }
    }
}

/// Whether the last known addresses of `host` are used because the name servers gave no answer when they were asked last.
#[must_use]
pub fn is_stale_in_use(host: &str) -> bool {
    let names = NAMES.lock();
    names.get(host).is_some_and(|it| it.known.is_stale_in_use())
}

/// A connection to this address of `host` was made.
pub fn record_connected(host: &str, ip: IpAddr) {
    if let Some(entry) = NAMES.lock().get_mut(host) {
        entry.known.record_connected(ip);
    }
}

/// No connection to this address of `host` could be made, or not one that served.
pub fn record_unreachable(host: &str, ip: IpAddr) {
    if let Some(entry) = NAMES.lock().get_mut(host) {
        entry.known.record_unreachable(ip);
    }
}

/// No address of `host` took a connection.
pub fn doubt(host: &str) {
    if let Some(entry) = NAMES.lock().get_mut(host) {
        entry.known.doubt();
    }
}

fn next_step(host: &str) -> NextStep {
    let now = Moment::now();
    let mut names = NAMES.lock();
    if names.len() >= NAMES_MAX && !names.contains_key(host) {
        names.retain(|_, it| it.lookup.is_some() || it.known.fresh(now).is_some());
    }
    let name: Arc<str> = match names.get_key_value(host) {
        Some((name, _)) => Arc::clone(name),
        None => host.into(),
    };
    let entry = names.entry(Arc::clone(&name)).or_default();
    if let Some(addresses) = entry.known.fresh(now) {
        return NextStep::Use(addresses);
    }
    let stale = match entry.known.stale(now) {
        Some(_) => StaleAddresses::Known,
        None => StaleAddresses::None,
    };
    if let Some(lookup) = &entry.lookup {
        return NextStep::WaitFor(lookup.clone(), stale);
    }
    let is_waste = entry.known.has_just_failed(now);
    let room = LOOKUPS.try_acquire().ok();
    match (room, stale) {
        (Some(room), _) if !(is_waste && stale == StaleAddresses::Known) => {
            match start(&name, room) {
                Ok(lookup) => {
                    entry.lookup = Some(lookup.clone());
                    NextStep::WaitFor(lookup, stale)
                }
                Err(_) => fall_back(host, &mut entry.known)
                    .map_or(NextStep::Fail(ExchangeError::Resolve), NextStep::Use),
            }
        }
        (_, StaleAddresses::Known) => fall_back(host, &mut entry.known)
            .map_or(NextStep::Fail(ExchangeError::Resolve), NextStep::Use),
        (_, StaleAddresses::None) => NextStep::WaitForRoom,
    }
}

/// The last known addresses, which are used because a lookup failed.
fn fall_back(host: &str, known: &mut KnownName) -> Option<Vec<SocketAddr>> {
    let addresses = known.stale(Moment::now())?;
    if known.record_stale_use() {
        warn!(
            host,
            "the name servers give no answer: the last known addresses are used, for a day at most; look at this machine's name servers"
        );
    }
    Some(addresses)
}

/// Starts a lookup on a thread of its own: the program's end does not wait for it.
fn start(name: &Arc<str>, room: SemaphorePermit<'static>) -> io::Result<Lookup> {
    let (sender, end) = watch::channel(None);
    let host = Arc::clone(name);
    thread::Builder::new()
        .name("lookup".into())
        .spawn(move || {
            // Whatever becomes of it: a name whose lookup never ends is never looked up again. The panic itself is logged.
            let found = catch_unwind(|| look_up(&host));
            let found = found.unwrap_or_else(|_| Err(io::Error::other("a panic")));
            let ended = record(&host, found);
            // The room first: who waits for the end may look the next name up.
            drop(room);
            sender.send_replace(Some(ended));
        })?;
    Ok(Lookup {
        began: Instant::now(),
        end,
    })
}

/// Asks the system, for as long as it takes.
fn look_up(host: &str) -> io::Result<Arc<[SocketAddr]>> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in (host, 0).to_socket_addrs()?.take(ANSWER_ADDRESSES_MAX) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    // Cut only then, so that many addresses of one family do not hide the other.
    let mut addresses = with_families_taking_turns(&found);
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(addresses.into())
}

fn record(host: &str, found: io::Result<Arc<[SocketAddr]>>) -> Result<(), ExchangeError> {
    let now = Moment::now();
    let mut names = NAMES.lock();
    // A name that was forgotten meanwhile is of no interest.
    let entry = names.get_mut(host).ok_or(ExchangeError::Resolve)?;
    entry.lookup = None;
    if let Ok(addresses) = found {
        if entry.known.record_found(addresses, now) {
            info!(host, "the name servers answer again");
        }
        Ok(())
    } else {
        entry.known.record_failure(now);
        Err(ExchangeError::Resolve)
    }
}
