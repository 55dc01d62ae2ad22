//! Which `Host` values are accepted: a short list, so that DNS rebinding leads nowhere.

use crate::net::url::HostPort;

/// The host names of this proxy, without port and in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHosts(Vec<String>);

/// How a `Host` or `:authority` value matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostMatch {
    /// A name of ours.
    Allowed,
    /// A valid name that is not ours.
    Misdirected,
    /// Not a host and an optional port (RFC 9112 section 3.2: 400).
    Malformed,
}

impl AllowedHosts {
    /// Names and IP addresses, without port and brackets, in any letter case.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(
            names
                .into_iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        )
    }

    /// The name in the value of `Host` or `:authority`, without port and brackets; the value itself if it holds none.
    #[must_use]
    pub fn without_port(value: &[u8]) -> &[u8] {
        let host = std::str::from_utf8(value).ok().and_then(host_of);
        host.map_or(value, str::as_bytes)
    }

    /// Matches the value of `Host` or `:authority`; any port will do.
    #[must_use]
    pub fn check(&self, value: &[u8]) -> HostMatch {
        // An IPv6 address stands in brackets there: it is left to the parser below.
        let mut names = self.0.iter().filter(|ours| !ours.contains(':'));
        if names.any(|ours| matches_with_optional_port(value, ours.as_bytes())) {
            return HostMatch::Allowed;
        }
        let Some(host) = std::str::from_utf8(value).ok().and_then(host_of) else {
            return HostMatch::Malformed;
        };
        if self.0.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
            HostMatch::Allowed
        } else {
            HostMatch::Misdirected
        }
    }
}

/// The common case without parsing: exactly the name, alone or with a port.
fn matches_with_optional_port(value: &[u8], name: &[u8]) -> bool {
    match value.strip_prefix(name) {
        Some([]) => true,
        Some([b':', port @ ..]) => {
            (1..=4).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`, without brackets; none if it holds what no host does.
fn host_of(value: &str) -> Option<&str> {
    let HostPort { host, .. } = HostPort::split(value)?;
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':'));
    is_host.then_some(host)
}
