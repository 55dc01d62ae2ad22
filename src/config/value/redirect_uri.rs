//! Parses the redirect URI of a login (RFC 6749 section 3.1.2, RFC 8252 section 7.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{config::RedirectUri, net::url::UrlParts};

use super::address;

/// The only host that NinjaOne accepts with any port, and only for a native application.
const ANY_PORT_HOST: &str = "127.0.0.1";

const REDIRECT_BYTES_MAX: usize = 2048;

/// Why a text is not a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectUriParseError {
    #[error(
        "a redirect is a whole URL of at most {REDIRECT_BYTES_MAX} bytes, such as \"http://127.0.0.1:6468/callback\""
    )]
    InvalidFormat,
    #[error("a redirect begins with http:// or https://")]
    Scheme,
    #[error("a redirect has no fragment (#)")]
    Fragment,
    #[error("a redirect holds no user name and no password")]
    UserInfo,
    #[error("a redirect does not go to `localhost`, which may be somebody else's address")]
    Localhost,
    #[error("plain http:// is for 127.0.0.1 and [::1] only")]
    PlainHttp,
}

impl RedirectUriParseError {
    /// What to do about it.
    #[must_use]
    pub(crate) const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Localhost => Some("write 127.0.0.1, here and in the application in NinjaOne"),
            Self::PlainHttp => Some("write https://, or an address of this machine"),
            _ => None,
        }
    }
}

/// Parses an absolute URL and keeps it exactly as written.
pub(crate) fn parse(text: &str) -> Result<RedirectUri, RedirectUriParseError> {
    let is_url = text.bytes().all(is_url_byte);
    if !is_url || text.len() > REDIRECT_BYTES_MAX {
        return Err(RedirectUriParseError::InvalidFormat);
    }
    let url = UrlParts::split(text).ok_or(RedirectUriParseError::Scheme)?;
    let tls = match url.scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(RedirectUriParseError::Scheme),
    };
    if url.authority.contains('@') {
        return Err(RedirectUriParseError::UserInfo);
    }
    if url.fragment.is_some() {
        return Err(RedirectUriParseError::Fragment);
    }
    // Port 0 means any: `login` replaces it with the port that it gets.
    let (authority, any_port) = match url.authority.strip_suffix(":0") {
        Some(host) if host == ANY_PORT_HOST => (host, true),
        _ => (url.authority, false),
    };
    let (host, port) =
        address::parse_authority(authority).ok_or(RedirectUriParseError::InvalidFormat)?;
    let port = if any_port { Some(0) } else { port };
    if host == "localhost" || host.ends_with(".localhost") {
        return Err(RedirectUriParseError::Localhost);
    }
    let loopback = match (tls, loopback(&host)) {
        (false, None) => return Err(RedirectUriParseError::PlainHttp),
        (false, Some(ip)) => Some(SocketAddr::new(ip, port.unwrap_or(80))),
        (true, _) => None,
    };
    Ok(RedirectUri {
        uri: text.to_owned(),
        loopback,
        path: match url.path {
            "" => "/",
            path => path,
        }
        .to_owned(),
    })
}

/// Whether a native application may have this URI: NinjaOne registers `http://127.0.0.1` with any port for them.
#[must_use]
pub(crate) fn is_native_loopback(redirect: &RedirectUri) -> bool {
    redirect.uri.starts_with("http://127.0.0.1:")
}

/// Whether a character may be in a URL (RFC 3986 appendix A).
fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn loopback(host: &str) -> Option<IpAddr> {
    let ours: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    host.parse().ok().filter(|address| ours.contains(address))
}
