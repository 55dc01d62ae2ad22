//! Checks that a tenant's host is reachable, has a valid certificate and responds like NinjaOne.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, header};
use tokio::time::Instant;

use crate::{
    admin::health::humanize_duration,
    clock::Timestamp,
    config::way_out::WayOut,
    credentials::grant::discovery::{DiscoveryError, OAuthPaths},
    limits::retry_after::parse_http_date,
    net::client::{
        endpoint::Endpoint,
        exchange_error::ExchangeError,
        name_resolver,
        tcp_dialer::{ConnectTimeouts, TcpDialer},
    },
    ninjaone::paths::DISCOVERY_PATH,
};

use super::{
    check::{CheckName, DoctorCheck},
    outgoing_proxy,
};

/// Timeout of the connection to each address.
const TCP_TIMEOUT_MS: u64 = 3_000;

/// A lookup that takes longer than this is worth reporting: name servers answer in milliseconds.
const SLOW_LOOKUP: Duration = Duration::from_secs(2);

/// Clock difference worth reporting: we count a token's life, and the host ends it.
const CLOCK_SKEW_S_MAX: u64 = 60;

const AFTER_HOST: [CheckName; 4] = [
    CheckName::Tls,
    CheckName::Http,
    CheckName::ClockSkew,
    CheckName::Discovery,
];

/// Checks the host step by step. True if it responds, so that further checks make sense.
pub(super) async fn check_host(endpoint: &Endpoint, way_out: &WayOut) -> (Vec<DoctorCheck>, bool) {
    let mut checks = Vec::new();
    // A proxy resolves and connects: our own try would say nothing of it.
    if endpoint.proxy.is_none() && connect(endpoint, &mut checks).await.is_err() {
        return unreachable(endpoint, checks);
    }
    let response = OAuthPaths::fetch_metadata(endpoint).await;
    checks.extend(
        outgoing_proxy::checks(endpoint, way_out, &response)
            .into_iter()
            .flatten(),
    );
    if matches!(response, Err(ExchangeError::Tunnel(_))) {
        return unreachable(endpoint, checks);
    }
    if endpoint.tls {
        checks.push(tls(endpoint, &response));
    }
    match response {
        Ok(response) => {
            let status = response.status().as_u16();
            let origin = endpoint.origin();
            checks.push(DoctorCheck::ok(
                CheckName::Http,
                format!("{origin} answers (status {status} to {DISCOVERY_PATH})"),
            ));
            checks.push(clock_skew(&response));
            checks.push(discovery(endpoint, &response));
            (checks, true)
        }
        Err(error) => {
            checks.extend(no_response(endpoint, error));
            (checks, false)
        }
    }
}

fn unreachable(endpoint: &Endpoint, mut checks: Vec<DoctorCheck>) -> (Vec<DoctorCheck>, bool) {
    let after = AFTER_HOST
        .into_iter()
        .filter(|it| endpoint.tls || *it != CheckName::Tls);
    checks.extend(after.map(|it| DoctorCheck::skipped(it, "the host cannot be reached")));
    (checks, false)
}

struct HostUnreachableError;

async fn connect(
    endpoint: &Endpoint,
    checks: &mut Vec<DoctorCheck>,
) -> Result<(), HostUnreachableError> {
    let addresses = match resolve(endpoint).await {
        Ok((addresses, check)) => {
            checks.push(check);
            addresses
        }
        Err(check) => {
            checks.push(*check);
            checks.push(DoctorCheck::skipped(
                CheckName::Tcp,
                "there is no address to connect to",
            ));
            return Err(HostUnreachableError);
        }
    };
    let (host, port) = (endpoint.host.as_str(), endpoint.port);
    let dialer = TcpDialer::new(ConnectTimeouts {
        resolve: endpoint.resolve_timeout,
        connect: Duration::from_millis(TCP_TIMEOUT_MS),
    });
    match dialer.connect(host, port).await {
        Ok(socket) => {
            checks.push(connected(port, &addresses, socket.address.ip()));
            Ok(())
        }
        Err(error) => {
            checks.push(DoctorCheck::failed(
                CheckName::Tcp,
                format!("no connection to {host} port {port}: {error}"),
                "Let this machine reach it: look at firewalls and the port of `url`. Where only an HTTP proxy leads out, set the tenant's `proxy`.",
            ));
            Err(HostUnreachableError)
        }
    }
}

/// The host's addresses in the order in which they are tried, and what to say of them; otherwise why there are none.
async fn resolve(endpoint: &Endpoint) -> Result<(Vec<IpAddr>, DoctorCheck), Box<DoctorCheck>> {
    let (name, host) = (CheckName::Dns, endpoint.host.as_str());
    let longest = endpoint.resolve_timeout;
    let asked = Instant::now();
    let addresses = match name_resolver::resolve(host, longest).await {
        Ok(addresses) => addresses,
        Err(ExchangeError::ResolveTimedOut) => {
            return Err(Box::new(DoctorCheck::failed(
                name,
                format!("looking {host} up took longer than {longest:?}"),
                "Check this machine's name servers (/etc/resolv.conf): one that is dead costs 5 s before the next is asked. `timeouts.resolve` says how long to wait.",
            )));
        }
        Err(_) => {
            return Err(Box::new(DoctorCheck::failed(
                name,
                format!("{host} has no address: this machine cannot resolve it"),
                "Check the tenant's `region` or `url`, and this machine's name servers.",
            )));
        }
    };
    let waited = asked.elapsed();
    let addresses: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    if host.parse::<IpAddr>().is_ok() {
        let text = format!("{host} is an address: nothing to resolve");
        return Ok((addresses, DoctorCheck::ok(name, text)));
    }
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let text = format!("{host} is {}", shown.join(", "));
    let check = if waited > SLOW_LOOKUP {
        DoctorCheck::warning(
            name,
            format!("{text}, but the lookup took {:.1} s", waited.as_secs_f64()),
            "Check this machine's name servers (/etc/resolv.conf): the first one may be dead. Requests wait for as long, until the name is known.",
        )
    } else {
        DoctorCheck::ok(name, text)
    };
    Ok((addresses, check))
}

/// Which of the addresses took the connection, where there are several.
fn connected(port: u16, addresses: &[IpAddr], winner: IpAddr) -> DoctorCheck {
    let name = CheckName::Tcp;
    match addresses {
        [_] => DoctorCheck::ok(name, format!("port {port} accepts connections")),
        [first, ..] if *first != winner => DoctorCheck::warning(
            name,
            format!(
                "port {port} accepts connections at {winner}, but {first} accepted none in time"
            ),
            "Look at routes and firewalls for that address. Connections still work, to the other one.",
        ),
        _ => DoctorCheck::ok(name, format!("port {port} accepts connections at {winner}")),
    }
}

fn tls(endpoint: &Endpoint, response: &Result<Response<Bytes>, ExchangeError>) -> DoctorCheck {
    let host = &endpoint.host;
    match response {
        Err(ExchangeError::Certificate) => DoctorCheck::failed(
            CheckName::Tls,
            format!(
                "the certificate of {host} is not accepted: expired, for another name, or of an authority that is not known here"
            ),
            "Check `url` and this machine's clock. If a gateway of yours opens TLS, name its authority in the tenant's `ca`.",
        ),
        Err(ExchangeError::Tls) => DoctorCheck::failed(
            CheckName::Tls,
            format!("TLS with {host} failed, or cannot be set up here"),
            "Check that `url` and its port speak HTTPS, that `ca` can be read, and that this machine has certificate authorities.",
        ),
        _ => DoctorCheck::ok(CheckName::Tls, format!("the certificate is one for {host}")),
    }
}

/// After connecting: TLS, then HTTP.
fn no_response(endpoint: &Endpoint, error: ExchangeError) -> Vec<DoctorCheck> {
    let http = match error {
        ExchangeError::Certificate | ExchangeError::Tls => {
            DoctorCheck::skipped(CheckName::Http, "there is no TLS to speak it over")
        }
        other => DoctorCheck::failed(
            CheckName::Http,
            format!(
                "{} does not answer as it should: {other}",
                endpoint.origin()
            ),
            "Check that `url` is NinjaOne's own and that no gateway stands in between.",
        ),
    };
    let after = [CheckName::ClockSkew, CheckName::Discovery];
    let after = after.map(|it| DoctorCheck::skipped(it, "the host does not answer"));
    std::iter::once(http).chain(after).collect()
}

fn clock_skew(response: &Response<Bytes>) -> DoctorCheck {
    let date = response.headers().get(header::DATE);
    let date = date
        .and_then(|it| it.to_str().ok())
        .and_then(parse_http_date);
    let Some(theirs) = date else {
        return DoctorCheck::skipped(CheckName::ClockSkew, "NinjaOne's answer has no date");
    };
    let ours = Timestamp::now().unix_seconds();
    let apart = ours.abs_diff(theirs);
    if apart <= CLOCK_SKEW_S_MAX {
        return DoctorCheck::ok(
            CheckName::ClockSkew,
            format!("{apart} s apart from NinjaOne's"),
        );
    }
    let way = if ours > theirs { "ahead of" } else { "behind" };
    DoctorCheck::warning(
        CheckName::ClockSkew,
        format!(
            "this machine's clock is {} {way} NinjaOne's",
            humanize_duration(apart)
        ),
        "Let the machine keep time (chrony, systemd-timesyncd): the audit log is dated with it.",
    )
}

fn discovery(endpoint: &Endpoint, response: &Response<Bytes>) -> DoctorCheck {
    let name = CheckName::Discovery;
    let origin = endpoint.origin();
    let known = "the usual paths are used";
    let check_host = "Check `region` or `url`: credentials are sent to the configured host only.";
    match OAuthPaths::from_metadata(endpoint, response) {
        Ok(paths) => DoctorCheck::ok(
            name,
            format!("tokens at {}, login at {}", paths.token, paths.authorize),
        ),
        Err(DiscoveryError::UnexpectedStatus(404)) => {
            DoctorCheck::ok(name, format!("absent; {known}"))
        }
        Err(DiscoveryError::UnexpectedStatus(status)) => DoctorCheck::warning(
            name,
            format!("it answers with status {status}; {known}"),
            "No need to act if tokens are issued. Otherwise check that `url` is NinjaOne's own.",
        ),
        Err(DiscoveryError::InvalidMetadata) => DoctorCheck::warning(
            name,
            format!("{origin} does not answer as NinjaOne does; {known}"),
            "Check that `url` is NinjaOne's own and that no gateway stands in between.",
        ),
        Err(DiscoveryError::IssuerMismatch(issuer)) => DoctorCheck::warning(
            name,
            format!(
                "{origin} names itself {}; that is not believed, and {known}",
                truncated(&issuer)
            ),
            check_host,
        ),
        Err(DiscoveryError::ForeignHost(address)) => DoctorCheck::warning(
            name,
            format!(
                "{origin} points to {}; that is not followed, and {known}",
                truncated(&address)
            ),
            check_host,
        ),
    }
}

/// Foreign text, shortened to one line.
fn truncated(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 100;
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
