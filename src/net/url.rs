//! Takes absolute URLs and authorities apart (RFC 3986 section 3), in one place. It only splits: what a part may hold is for
//! who uses it to decide.

use std::net::Ipv6Addr;

/// The parts of an absolute URL with an authority, as written: nothing is decoded or changed in case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlParts<'a> {
    /// Before `://`.
    pub scheme: &'a str,
    /// Up to the path; may hold user information. See [`HostPort::split`].
    pub authority: &'a str,
    /// Begins with `/`, or is empty.
    pub path: &'a str,
    /// After `?`.
    pub query: Option<&'a str>,
    /// After `#`.
    pub fragment: Option<&'a str>,
}

impl<'a> UrlParts<'a> {
    /// Splits `scheme://authority[/path][?query][#fragment]` (RFC 3986 appendix B); none without `://`.
    #[must_use]
    pub fn split(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (rest, fragment) = split_off(rest, '#');
        let (rest, query) = split_off(rest, '?');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Some(Self {
            scheme,
            authority,
            path,
            query,
            fragment,
        })
    }
}

fn split_off(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// `scheme://authority` at the front of an absolute URL, as written; none without `://`.
#[must_use]
pub fn origin(url: &str) -> Option<&str> {
    let UrlParts {
        scheme, authority, ..
    } = UrlParts::split(url)?;
    url.get(..scheme.len() + "://".len() + authority.len())
}

/// Host and port of an authority without user information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPort<'a> {
    /// As written, without the brackets of an IPv6 address. Only such an address holds a colon.
    pub host: &'a str,
    /// None where it is left out.
    pub port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// Splits `host`, `host:port`, `[v6]` or `[v6]:port`. None if the port is not 1 to 5 digits up to 65535, or if what is in
    /// brackets is no IPv6 address. The host may be empty.
    #[must_use]
    pub fn split(authority: &'a str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                match after {
                    "" => (host, None),
                    after => (host, Some(after.strip_prefix(':')?)),
                }
            }
            None => split_off(authority, ':'),
        };
        let port = match port {
            Some(port) => Some(parse_port(port)?),
            None => None,
        };
        Some(Self { host, port })
    }
}

/// Reads a port: decimal digits, no sign.
#[must_use]
pub fn parse_port(text: &str) -> Option<u16> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn split(url: &str) -> (&str, &str, &str, Option<&str>, Option<&str>) {
        let parts = UrlParts::split(url).unwrap();
        let UrlParts {
            scheme,
            authority,
            path,
            query,
            fragment,
        } = parts;
        (scheme, authority, path, query, fragment)
    }

    #[test]
    fn a_url_is_split_into_its_parts() {
        assert_eq!(
            split("https://acme.example:8443/a/b?c=/d#e?f"),
            (
                "https",
                "acme.example:8443",
                "/a/b",
                Some("c=/d"),
                Some("e?f")
            )
        );
        assert_eq!(split("http://[::1]"), ("http", "[::1]", "", None, None));
        assert_eq!(split("http://h?q/r"), ("http", "h", "", Some("q/r"), None));
        assert_eq!(split("http://h#/?"), ("http", "h", "", None, Some("/?")));
        assert_eq!(UrlParts::split("/path"), None);
        assert_eq!(origin("https://h:1?q"), Some("https://h:1"));
        assert_eq!(origin("//h/path"), None);
    }

    #[test]
    fn an_authority_is_split_into_host_and_port() {
        let of = |text| HostPort::split(text).map(|it| (it.host, it.port));
        assert_eq!(of("acme.example"), Some(("acme.example", None)));
        assert_eq!(of("acme.example:443"), Some(("acme.example", Some(443))));
        assert_eq!(of("[2001:db8::1]:80"), Some(("2001:db8::1", Some(80))));
        assert_eq!(of("[::1]"), Some(("::1", None)));
        for wrong in [
            "h:", "h:+1", "h:65536", "h:1:2", "::1", "[::1", "[::1]80", "[::1]:", "[name]", "[]",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
