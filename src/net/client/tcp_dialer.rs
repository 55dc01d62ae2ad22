//! TCP connections to a host by its name: a lookup, then its addresses by turns, so that one that drops packets does not hide
//! one that works (RFC 8305).
//!
//! The HTTP library's own connector splits one time-out between all addresses of a family and tries them in turn: of two
//! IPv4 addresses, the second waits for half of that time.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout_at},
};

use super::{exchange_error::ExchangeError, name_resolver};

/// How long an address has the field to itself before the next one is tried as well (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// An idle connection is probed after this, and so often, until it is taken for dead.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;
/// A connection ends when what was sent has been acknowledged by nobody for this long, or a full receiver has made no room.
/// A little less than the probes take, which this bounds as well (tcp(7), `TCP_USER_TIMEOUT`).
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(40);

/// How long to wait for what before there is a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectTimeouts {
    /// For the lookup of a name.
    pub resolve: Duration,
    /// For an attempt to connect to one address, with all that is agreed upon before the first request.
    pub connect: Duration,
}

/// Makes TCP connections.
#[derive(Debug, Clone, Copy)]
pub struct TcpDialer {
    timeouts: ConnectTimeouts,
}

/// A connection that was just made.
pub struct DialedSocket {
    pub stream: TcpStream,
    /// Where it leads.
    pub address: SocketAddr,
    /// When its attempt ends, with all that is agreed upon before the first request.
    pub deadline: Instant,
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// An attempt under way: to which address, since when, and what of it.
struct RunningAttempt {
    address: SocketAddr,
    deadline: Instant,
    attempt: Attempt,
}

impl TcpDialer {
    /// Waits as long as `timeouts` say.
    #[must_use]
    pub const fn new(timeouts: ConnectTimeouts) -> Self {
        Self { timeouts }
    }

    /// Looks `host` up, so that the next connection to it need not.
    ///
    /// # Errors
    /// See [`name_resolver::resolve`].
    pub async fn resolve(&self, host: &str) -> Result<(), ExchangeError> {
        let found = name_resolver::resolve(host, self.timeouts.resolve).await;
        found.map(drop)
    }

    /// Connects to one of the addresses of `host`, the one that worked last before all others. Losers are dropped.
    ///
    /// # Errors
    /// The name could not be resolved, or no address took the connection in time.
    pub async fn connect(&self, host: &str, port: u16) -> Result<DialedSocket, ExchangeError> {
        let mut addresses = name_resolver::resolve(host, self.timeouts.resolve).await?;
        for address in &mut addresses {
            address.set_port(port);
        }
        let made = race(host, addresses, self.timeouts.connect).await;
        match &made {
            Ok(socket) => name_resolver::record_connected(host, socket.address.ip()),
            Err(_) => name_resolver::doubt(host),
        }
        let socket = made?;
        set_options(&socket.stream).map_err(|_| ExchangeError::Connect)?;
        Ok(socket)
    }

    /// A connection to `host` at `address` was made and did not serve: others are tried first next time.
    pub fn record_unfit(&self, host: &str, address: SocketAddr) {
        name_resolver::record_unreachable(host, address.ip());
    }
}

/// Tries the addresses in their order: the next one after a delay, or as soon as the one before has failed.
async fn race(
    host: &str,
    addresses: Vec<SocketAddr>,
    attempt_max: Duration,
) -> Result<DialedSocket, ExchangeError> {
    let mut waiting = addresses.into_iter();
    let mut running: Vec<RunningAttempt> = Vec::new();
    let mut failure = None;
    loop {
        if let Some(address) = waiting.next() {
            running.push(begin(address, attempt_max));
        } else if running.is_empty() {
            return Err(failure.unwrap_or(ExchangeError::Connect));
        }
        let next = Instant::now() + ATTEMPT_DELAY;
        let is_next_waiting = !waiting.as_slice().is_empty();
        tokio::select! {
            (ended, result) = poll_fn(|cx| poll_attempts(&mut running, cx)) => match result {
                Ok(stream) => {
                    // Who had a head start and lost it is tried later next time.
                    for slower in running.iter().take_while(|it| it.deadline < ended.deadline) {
                        name_resolver::record_unreachable(host, slower.address.ip());
                    }
                    return Ok(DialedSocket {
                        stream,
                        address: ended.address,
                        deadline: ended.deadline,
                    });
                }
                Err(error) => {
                    name_resolver::record_unreachable(host, ended.address.ip());
                    failure = Some(worse(failure, &error));
                }
            },
            () = sleep_until(next), if is_next_waiting => {}
        }
    }
}

fn begin(address: SocketAddr, attempt_max: Duration) -> RunningAttempt {
    let deadline = Instant::now() + attempt_max;
    RunningAttempt {
        address,
        deadline,
        attempt: Box::pin(async move {
            timeout_at(deadline, TcpStream::connect(address))
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }),
    }
}

/// Waits until one of the attempts has ended, and takes it out.
fn poll_attempts(
    running: &mut Vec<RunningAttempt>,
    cx: &mut Context<'_>,
) -> Poll<(RunningAttempt, io::Result<TcpStream>)> {
    for at in 0..running.len() {
        let Some(it) = running.get_mut(at) else { break };
        if let Poll::Ready(result) = it.attempt.as_mut().poll(cx) {
            return Poll::Ready((running.remove(at), result));
        }
    }
    Poll::Pending
}

/// What to say of several failures: that one was refused says more than that another was silent.
fn worse(before: Option<ExchangeError>, error: &io::Error) -> ExchangeError {
    match (before, error.kind()) {
        (None | Some(ExchangeError::ConnectTimedOut), io::ErrorKind::TimedOut) => {
            ExchangeError::ConnectTimedOut
        }
        _ => ExchangeError::Connect,
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_notices_that_the_other_end_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dialer = TcpDialer::new(ConnectTimeouts {
            resolve: Duration::ZERO,
            connect: Duration::from_secs(5),
        });
        let port = listener.local_addr().unwrap().port();
        let socket = dialer.connect("127.0.0.1", port).await.unwrap();
        let options = SockRef::from(&socket.stream);
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(
            options.tcp_keepalive_interval().unwrap(),
            KEEPALIVE_INTERVAL
        );
        assert_eq!(options.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
        assert_eq!(
            options.tcp_user_timeout().unwrap(),
            Some(UNACKNOWLEDGED_MAX)
        );
        // Otherwise the kernel would end the connection before the last probe.
        assert!(UNACKNOWLEDGED_MAX <= KEEPALIVE_IDLE + KEEPALIVE_PROBES * KEEPALIVE_INTERVAL);
    }

    #[tokio::test]
    async fn of_all_failures_the_one_that_says_most_is_told() {
        let silent = io::Error::from(io::ErrorKind::TimedOut);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let told =
            |errors: &[&io::Error]| errors.iter().fold(None, |it, error| Some(worse(it, error)));
        assert_eq!(
            told(&[&silent, &silent]),
            Some(ExchangeError::ConnectTimedOut)
        );
        for errors in [[&silent, &refused], [&refused, &silent]] {
            assert_eq!(told(&errors), Some(ExchangeError::Connect));
        }
    }
}
