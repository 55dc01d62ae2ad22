//! Checks the outgoing proxy of a tenant: whether it opens a tunnel to the tenant's host.

use bytes::Bytes;
use http::Response;

use crate::{
    config::way_out::{PROXY_SETTING, WayOut},
    net::client::{
        endpoint::Endpoint, exchange_error::ExchangeError, outgoing_proxy::OutgoingProxy,
        tunnel_error::TunnelError,
    },
};

use super::check::{CheckName, DoctorCheck};

const BY_PROXY: &str = "the outgoing proxy does this";

/// Where a tenant's way out leads, as far as a request through it told. None without an outgoing proxy.
pub(super) fn checks(
    endpoint: &Endpoint,
    way_out: &WayOut,
    response: &Result<Response<Bytes>, ExchangeError>,
) -> Option<[DoctorCheck; 3]> {
    let proxy = endpoint.proxy.as_ref()?;
    let target = endpoint.host_and_port();
    let from = way_out.source();
    let check = match response {
        Err(ExchangeError::Tunnel(error)) => DoctorCheck::failed(
            CheckName::OutgoingProxy,
            format!("no way to {target} through {proxy} (from {from}): {error}"),
            remedy(*error, proxy, &target, from),
        ),
        _ => DoctorCheck::ok(
            CheckName::OutgoingProxy,
            format!("{proxy} (from {from}) opens a tunnel to {target}"),
        ),
    };
    let of_proxy = [CheckName::Dns, CheckName::Tcp];
    let [dns, tcp] = of_proxy.map(|it| DoctorCheck::skipped(it, BY_PROXY));
    Some([check, dns, tcp])
}

fn remedy(error: TunnelError, proxy: &OutgoingProxy, target: &str, from: &str) -> String {
    match error {
        TunnelError::Resolve => format!(
            "Check the host {} in {from}, and this machine's name servers.",
            proxy.host()
        ),
        TunnelError::Connect => format!(
            "Check host and port in {from}, whether the proxy runs, and firewalls between here and there. Without a proxy: {PROXY_SETTING} = \"none\"."
        ),
        TunnelError::TimedOut => format!(
            "Check host and port in {from}, and firewalls between here and there. If the proxy takes connections, ask its operator: its name servers or its own way to {target} may be slow."
        ),
        TunnelError::Broken => {
            "Look at the proxy's log: it may allow other hosts, ports or clients only.".to_owned()
        }
        TunnelError::NotHttp => format!(
            "Check host and port in {from}: it must be the port of an HTTP proxy, not of SOCKS, TLS or anything else."
        ),
        TunnelError::CredentialsMissing => format!(
            "Set {PROXY_SETTING} = {{ url = \"http://{}:{}\", user = \"…\", password = {{ file = \"…\" }} }}.",
            proxy.host(),
            proxy.port()
        ),
        TunnelError::CredentialsRefused(_) => {
            format!("Check the user and the password in {from} with the proxy's operator.")
        }
        TunnelError::BasicNotOffered => format!(
            "Ask the proxy's operator for Basic, or to let this machine connect to {target} without a proof: Negotiate, NTLM and Digest are not supported."
        ),
        TunnelError::Status(502..=504 | 500) => format!(
            "The proxy cannot reach {target} itself: check the tenant's `region` or `url`, then ask the proxy's operator about its name servers and its own way out."
        ),
        TunnelError::Status(_) => {
            format!("Ask the proxy's operator to allow CONNECT to {target} for this machine.")
        }
    }
}
