//! Parses listener addresses, accepted host names and tenant URLs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    config::{BindAddress, Origin},
    net::url::{UrlParts, parse_port},
};

/// The names of the loopback interface: the host names accepted by default.
#[must_use]
pub(crate) fn loopback_hosts() -> Vec<String> {
    ["localhost", "127.0.0.1", "::1"].map(String::from).into()
}

/// Why a text is not a listener address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BindAddressParseError {
    #[error("an address is \"127.0.0.1:6465\", \"[::1]:6465\", \":0\" (loopback) or \"fd:NAME\"")]
    InvalidFormat,
    #[error(
        "a host name is not an address to listen on: write the IP address, such as \"127.0.0.1:6465\""
    )]
    HostName,
    #[error("the name after \"fd:\" is 1 to 255 printable ASCII characters without a colon")]
    SocketName,
}

/// Longest name of a socket from systemd (`sd_listen_fds_with_names(3)`), in bytes.
const SOCKET_NAME_BYTES_MAX: usize = 255;

/// Parses a listener address.
pub(crate) fn parse_bind_address(text: &str) -> Result<BindAddress, BindAddressParseError> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix("fd:") {
        let fits = (1..=SOCKET_NAME_BYTES_MAX).contains(&name.len());
        let holds = name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':');
        return if fits && holds {
            Ok(BindAddress::Inherited(name.to_owned()))
        } else {
            Err(BindAddressParseError::SocketName)
        };
    }
    if let Some(port) = text.strip_prefix(':') {
        let port = parse_port(port).ok_or(BindAddressParseError::InvalidFormat)?;
        return Ok(BindAddress::Address((Ipv4Addr::LOCALHOST, port).into()));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(BindAddress::Address(address));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if parse_port(port).is_some() && is_host_name(host) => {
            Err(BindAddressParseError::HostName)
        }
        _ => Err(BindAddressParseError::InvalidFormat),
    }
}

/// The same port of IPv6's loopback, for a listener at `127.0.0.1`.
#[must_use]
pub(crate) fn ipv6_loopback(bind: &BindAddress) -> Option<SocketAddr> {
    match bind {
        BindAddress::Address(address) if address.ip() == Ipv4Addr::LOCALHOST => {
            Some((Ipv6Addr::LOCALHOST, address.port()).into())
        }
        BindAddress::Address(_) | BindAddress::Inherited(_) => None,
    }
}

/// Whether two listeners need the same port.
#[must_use]
pub(crate) fn binds_conflict(one: &BindAddress, other: &BindAddress) -> bool {
    match (one, other) {
        (BindAddress::Address(one), BindAddress::Address(other)) => {
            let same_ip =
                one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
            one.port() != 0 && one.port() == other.port() && same_ip
        }
        (BindAddress::Inherited(one), BindAddress::Inherited(other)) => one == other,
        _ => false,
    }
}

/// Why a text is not a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostParseError {
    #[error("a host is written without its port")]
    HasPort,
    #[error("a host is a name such as \"njp.internal\" or an IP address such as \"10.0.0.5\"")]
    InvalidFormat,
}

/// Parses a host name or IP address without port; the result is in lower case and has no brackets.
pub(crate) fn parse_host(text: &str) -> Result<String, HostParseError> {
    let text = text.trim();
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = inner.unwrap_or(text).parse::<Ipv6Addr>() {
        return Ok(address.to_string());
    }
    if let Some((host, port)) = text.rsplit_once(':') {
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let is_host = is_host_name(host) || host.starts_with('[');
        return Err(if is_port && is_host {
            HostParseError::HasPort
        } else {
            HostParseError::InvalidFormat
        });
    }
    if is_host_name(text) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(HostParseError::InvalidFormat)
    }
}

/// Longest host name (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= HOST_BYTES_MAX && text.split('.').all(is_label)
}

/// Why a text is not the URL of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OriginParseError {
    #[error("a tenant's url starts with https://")]
    Scheme,
    #[error("plain http:// is allowed to a loopback address only")]
    PlainHttp,
    #[error("a tenant's url must not contain a user name or a password")]
    UserInfo,
    #[error("a tenant's url ends after the host; it has no path and no query")]
    Path,
    #[error(
        "a tenant's url is https://, a host and, if needed, a port, such as \"https://acme.rmmservice.com\""
    )]
    InvalidFormat,
}

/// Parses `https://host[:port]`; `http://` only for a loopback host.
pub(crate) fn parse_origin(text: &str) -> Result<Origin, OriginParseError> {
    let text = text.trim();
    let url = UrlParts::split(text).ok_or(OriginParseError::Scheme)?;
    let tls = match url.scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(OriginParseError::Scheme),
    };
    if text.contains('@') {
        return Err(OriginParseError::UserInfo);
    }
    let is_bare = matches!(url.path, "" | "/") && url.query.is_none() && url.fragment.is_none();
    if !is_bare || url.authority.contains('\\') {
        return Err(OriginParseError::Path);
    }
    let (host, port) = parse_authority(url.authority).ok_or(OriginParseError::InvalidFormat)?;
    let port = port.unwrap_or(if tls { 443 } else { 80 });
    if !tls && !is_loopback(&host) {
        return Err(OriginParseError::PlainHttp);
    }
    Ok(Origin::direct(tls, host, port))
}

/// The URL of a tenant that was probably meant: with `https://`, and without what follows the host.
#[must_use]
pub(crate) fn corrected_origin(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    // A word is no host of NinjaOne's: it may have been meant to be a region.
    let looks_right = authority.contains('.') && !authority.contains('@');
    let right = format!("https://{authority}");
    (looks_right && parse_origin(&right).is_ok()).then_some(right)
}

/// The host and port of a URL. The host is in lower case and has no brackets; the port is not 0.
pub(in crate::config) fn parse_authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = split_port(text)?;
    let host = parse_host(host).ok()?;
    (port != Some(0)).then_some((host, port))
}

/// Unlike [`HostPort::split`](crate::net::url::HostPort::split), accepts an IPv6 address with a port but without brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.get(end..)?.rfind(':') {
        Some(colon) => {
            let host = authority.get(..end + colon)?;
            let port = parse_port(authority.get(end + colon + 1..)?)?;
            Some((host, Some(port)))
        }
        None => Some((authority, None)),
    }
}

/// Whether a host is `localhost` or a loopback address.
#[must_use]
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
