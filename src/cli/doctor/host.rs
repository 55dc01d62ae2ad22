//! Checks that a tenant's host is reachable, has a valid certificate and responds like NinjaOne.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Response, header};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::{
    admin::health::humanize_duration,
    clock::Timestamp,
    config::way_out::WayOut,
    credentials::grant::discovery::{DiscoveryError, OAuthPaths},
    limits::retry_after::parse_http_date,
    net::client::{endpoint::Endpoint, exchange_error::ExchangeError},
    ninjaone::paths::DISCOVERY_PATH,
};

use super::{
    check::{CheckName, DoctorCheck},
    outgoing_proxy,
};

/// Timeouts of the name lookup and of the connection.
const DNS_TIMEOUT_MS: u64 = 3_000;
const TCP_TIMEOUT_MS: u64 = 3_000;

/// Most addresses that are shown and tried.
const ADDRESSES_MAX: usize = 4;

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
    let (host, port) = (endpoint.host.as_str(), endpoint.port);
    let resolved = timeout(
        Duration::from_millis(DNS_TIMEOUT_MS),
        lookup_host((host, port)),
    )
    .await;
    let addresses: Vec<_> = match resolved {
        Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    if addresses.is_empty() {
        checks.push(DoctorCheck::failed(
            CheckName::Dns,
            format!("{host} has no address, as far as this machine can tell"),
            "Check the tenant's `region` or `url`, and this machine's name servers.",
        ));
        checks.push(DoctorCheck::skipped(
            CheckName::Tcp,
            "there is no address to connect to",
        ));
        return Err(HostUnreachableError);
    }
    let texts: Vec<String> = addresses.iter().map(|it| it.ip().to_string()).collect();
    let is_name = host.parse::<IpAddr>().is_err();
    checks.push(DoctorCheck::ok(
        CheckName::Dns,
        if is_name {
            format!("{host} is {}", texts.join(", "))
        } else {
            format!("{host} is an address: nothing to resolve")
        },
    ));
    let connected = timeout(
        Duration::from_millis(TCP_TIMEOUT_MS),
        TcpStream::connect(addresses.as_slice()),
    );
    let why = match connected.await {
        Ok(Ok(_)) => {
            checks.push(DoctorCheck::ok(
                CheckName::Tcp,
                format!("port {port} takes connections"),
            ));
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    checks.push(DoctorCheck::failed(
        CheckName::Tcp,
        format!("no connection to {host} port {port}: {why}"),
        "Let this machine reach it: look at firewalls and the port of `url`. Where only an HTTP proxy leads out, set the tenant's `proxy`.",
    ));
    Err(HostUnreachableError)
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
            "Nothing, if tokens are issued. Otherwise check that `url` is NinjaOne's own.",
        ),
        Err(DiscoveryError::InvalidMetadata) => DoctorCheck::warning(
            name,
            format!("what {origin} answers is not what NinjaOne would say; {known}"),
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
