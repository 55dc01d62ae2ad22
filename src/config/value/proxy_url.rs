//! Parses the URL of an outgoing proxy, and shows it without what it may hold of a secret.

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::{net::client::outgoing_proxy::ProxyUser, secret::Secret};

use super::address::parse_authority;

/// The parts of a proxy's URL.
pub(crate) struct ProxyUrl {
    /// In lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<ProxyUser>,
    /// There is more behind the host than a slash.
    pub(crate) has_path: bool,
}

/// Why a text is not the URL of a proxy. The texts hold nothing of it but its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyUrlError {
    #[error("SOCKS proxies are not supported, only HTTP proxies are")]
    Socks,
    #[error(
        "a proxy is spoken to over http:// (TLS with NinjaOne runs inside), https:// proxies are not supported"
    )]
    Https,
    #[error("{0:?} is no scheme of a proxy: its url begins with http://")]
    Scheme(String),
    #[error("a proxy's url is http://, a host and a port, such as \"http://proxy.example:3128\"")]
    InvalidFormat,
    #[error("the user or the password in it cannot be sent: {0}")]
    User(#[from] ProxyUserError),
}

/// Why somebody cannot be a proxy's user (RFC 7617 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyUserError {
    #[error("a user's name has no colon")]
    Colon,
    #[error("there is a control character")]
    ControlCharacter,
    #[error("this is not UTF-8 text")]
    NotUtf8,
    #[error("a user's name is not empty")]
    Empty,
}

impl ProxyUrl {
    /// Parses `http://[user[:password]@]host[:port]`. As with curl the scheme may be left out, user and password are
    /// percent-decoded, and a path means nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let text = text.trim();
        let rest = match text.split_once("://") {
            Some((scheme, rest)) => {
                check_scheme(scheme)?;
                rest
            }
            None => text,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = parse_authority(host).ok_or(ProxyUrlError::InvalidFormat)?;
        let user = user.filter(|it| !matches!(*it, "" | ":"));
        Ok(Self {
            host,
            port,
            user: user.map(parse_user).transpose()?,
            has_path: !matches!(path, "" | "/"),
        })
    }
}

fn check_scheme(scheme: &str) -> Result<(), ProxyUrlError> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(()),
        "https" => Err(ProxyUrlError::Https),
        "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => Err(ProxyUrlError::Socks),
        // Anything else may be the beginning of a user's name.
        other if is_scheme(other) => Err(ProxyUrlError::Scheme(other.to_owned())),
        _ => Err(ProxyUrlError::InvalidFormat),
    }
}

/// Longest scheme that is worth showing, in bytes.
const SCHEME_BYTES_MAX: usize = 12;

fn is_scheme(text: &str) -> bool {
    (1..=SCHEME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn parse_user(text: &str) -> Result<ProxyUser, ProxyUserError> {
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let decoded = |part: &str| {
        let bytes = Zeroizing::new(percent_decode_str(part).collect::<Vec<u8>>());
        let text = std::str::from_utf8(&bytes).map_err(|_| ProxyUserError::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(ProxyUserError::ControlCharacter);
        }
        Ok(text.to_owned())
    };
    let name = decoded(name)?;
    check_user_name(&name)?;
    Ok(ProxyUser {
        name,
        password: Secret::new(decoded(password)?),
    })
}

/// Whether a proxy's user may have this name.
pub(crate) fn check_user_name(name: &str) -> Result<(), ProxyUserError> {
    if name.is_empty() {
        Err(ProxyUserError::Empty)
    } else if name.contains(':') {
        Err(ProxyUserError::Colon)
    } else if name.chars().any(char::is_control) {
        Err(ProxyUserError::ControlCharacter)
    } else {
        Ok(())
    }
}

/// What may be shown of a text that should be a proxy's URL: scheme, host and port if they can be told apart from the rest.
#[must_use]
pub(crate) fn masked(text: &str) -> String {
    let text = text.trim();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        _ => (String::new(), text),
    };
    // The last one: a password may hold some of its own, and slashes as well.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    match parse_authority(host) {
        Some(_) => format!("{scheme}{user}{host}"),
        None => format!("{scheme}***"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, Option<u16>, Option<(String, String)>) {
        let url = ProxyUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let user = url
            .user
            .map(|it| (it.name.clone(), it.password.expose().clone()));
        (url.host, url.port, user)
    }

    #[test]
    fn a_url_is_read_as_curl_reads_it() {
        let user = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        for (url, host, port, who) in [
            ("http://proxy:3128", "proxy", Some(3128), None),
            (
                "HTTP://Proxy.Example:3128/",
                "proxy.example",
                Some(3128),
                None,
            ),
            ("proxy", "proxy", None, None),
            ("10.0.0.1:8080", "10.0.0.1", Some(8080), None),
            ("http://[2001:db8::1]:8080", "2001:db8::1", Some(8080), None),
            ("http://proxy:1/path?x", "proxy", Some(1), None),
            ("http://a:b@proxy:1", "proxy", Some(1), user("a", "b")),
            ("a:b@proxy:1", "proxy", Some(1), user("a", "b")),
            ("http://a@proxy:1", "proxy", Some(1), user("a", "")),
            ("http://@proxy:1", "proxy", Some(1), None),
            (
                "http://d%5Cname:p%40ss%3A%2f%25@proxy:1",
                "proxy",
                Some(1),
                user("d\\name", "p@ss:/%"),
            ),
            ("http://a:b@c@proxy:1", "proxy", Some(1), user("a", "b@c")),
        ] {
            assert_eq!(parts(url), (host.to_owned(), port, who), "{url}");
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_named_and_nothing_secret_is_shown() {
        for (url, error, shown) in [
            (
                "socks5://proxy:1080",
                ProxyUrlError::Socks,
                "socks5://proxy:1080",
            ),
            (
                "socks5h://a:b@proxy",
                ProxyUrlError::Socks,
                "socks5h://***@proxy",
            ),
            (
                "SOCKS4://a:b@proxy",
                ProxyUrlError::Socks,
                "SOCKS4://***@proxy",
            ),
            (
                "https://a:b@proxy:443",
                ProxyUrlError::Https,
                "https://***@proxy:443",
            ),
            (
                "ftp://proxy",
                ProxyUrlError::Scheme("ftp".into()),
                "ftp://proxy",
            ),
            ("http://", ProxyUrlError::InvalidFormat, "http://***"),
            (
                "http://proxy:port",
                ProxyUrlError::InvalidFormat,
                "http://***",
            ),
            ("http://proxy:0", ProxyUrlError::InvalidFormat, "http://***"),
            ("user:secret", ProxyUrlError::InvalidFormat, "***"),
            (
                "http://a:s/e#cret@proxy:1",
                ProxyUrlError::InvalidFormat,
                "http://***@proxy:1",
            ),
            (
                "pass-word://x@proxy",
                ProxyUrlError::InvalidFormat,
                "***@proxy",
            ),
            (
                "http://a%3Ab:c@proxy",
                ProxyUrlError::User(ProxyUserError::Colon),
                "http://***@proxy",
            ),
            (
                "http://a:%0d%0a@proxy",
                ProxyUrlError::User(ProxyUserError::ControlCharacter),
                "http://***@proxy",
            ),
            (
                "http://a:%ff@proxy",
                ProxyUrlError::User(ProxyUserError::NotUtf8),
                "http://***@proxy",
            ),
        ] {
            assert_eq!(ProxyUrl::parse(url).err(), Some(error), "{url}");
            assert_eq!(masked(url), shown, "{url}");
        }
    }
}
