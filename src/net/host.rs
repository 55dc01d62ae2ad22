//! Which `Host` values are answered: a short list, so that a rebound DNS name leads nowhere.

/// Host names that we answer to, without port and in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

/// What a `Host` or `:authority` value is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostVerdict {
    Ours,
    Foreign,
    /// Not a host and an optional port (RFC 9112 section 3.2: 400).
    Malformed,
}

impl Hosts {
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(
            names
                .into_iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        )
    }

    #[must_use]
    pub fn judge(&self, value: &[u8]) -> HostVerdict {
        // An IPv6 address stands in brackets there: it is left to the careful reading below.
        let mut names = self.0.iter().filter(|ours| !ours.contains(':'));
        if names.any(|ours| is_with_port(value, ours.as_bytes())) {
            return HostVerdict::Ours;
        }
        let Some(host) = std::str::from_utf8(value).ok().and_then(host_of) else {
            return HostVerdict::Malformed;
        };
        if self.0.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
            HostVerdict::Ours
        } else {
            HostVerdict::Foreign
        }
    }
}

/// The common case at a glance: exactly the name, alone or with a port.
fn is_with_port(value: &[u8], name: &[u8]) -> bool {
    match value.strip_prefix(name) {
        Some([]) => true,
        Some([b':', port @ ..]) => {
            (1..=4).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`, without brackets.
fn host_of(value: &str) -> Option<&str> {
    let (host, port) = match value.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            match after {
                "" => (host, None),
                after => (host, Some(after.strip_prefix(':')?)),
            }
        }
        None => match value.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (value, None),
        },
    };
    let port_fits = match port {
        None => true,
        Some(port) => port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    };
    let host_fits = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':'));
    (port_fits && host_fits).then_some(host)
}
