//! An HTTP proxy on the way to a server, and who we are to it.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// An HTTP proxy that connections to a server go through. It is spoken to in plain HTTP; TLS runs inside the tunnel.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingProxy {
    /// A name or an IP address, without brackets.
    host: String,
    /// The TCP port.
    port: u16,
    /// The value of `Proxy-Authorization` (RFC 7617).
    authorization: Option<Secret<String>>,
}

/// A user of a proxy. The user's name has no colon (RFC 7617 section 2).
#[derive(Clone)]
pub struct ProxyUser {
    pub name: String,
    /// May be empty.
    pub password: Secret<String>,
}

impl OutgoingProxy {
    /// The proxy at `host`, a name or an address without brackets.
    #[must_use]
    pub fn new(host: String, port: u16, user: Option<&ProxyUser>) -> Self {
        let authorization = user.map(|ProxyUser { name, password }| {
            let pair = Zeroizing::new(format!("{name}:{}", password.expose()));
            Secret::new(format!("Basic {}", BASE64_STANDARD.encode(&*pair)))
        });
        Self {
            host,
            port,
            authorization,
        }
    }

    /// A name or an IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is told a user and a password.
    #[must_use]
    pub const fn has_user(&self) -> bool {
        self.authorization.is_some()
    }

    /// The request for a tunnel to `target`, a host with its port (RFC 9110 section 9.3.6).
    #[must_use]
    pub fn connect_request(&self, target: &str) -> Zeroizing<Vec<u8>> {
        let authorization = self.authorization.as_ref();
        let authorization = authorization.map_or("", |it| it.expose().as_str());
        // Written once at its full length: growing would leave copies behind.
        let mut request = Zeroizing::new(Vec::with_capacity(
            CONNECT_HEAD_BYTES + 2 * target.len() + authorization.len(),
        ));
        let mut put = |part: &str| request.extend_from_slice(part.as_bytes());
        put("CONNECT ");
        put(target);
        put(" HTTP/1.1\r\nHost: ");
        put(target);
        put("\r\nUser-Agent: ninjaone-proxy\r\n");
        if !authorization.is_empty() {
            put("Proxy-Authorization: ");
            put(authorization);
            put("\r\n");
        }
        put("\r\n");
        request
    }
}

/// Room for the request without its target and its authorization.
const CONNECT_HEAD_BYTES: usize = 96;

/// `http://proxy.example:3128`, with `***@` instead of a user.
impl fmt::Display for OutgoingProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.has_user() { "***@" } else { "" };
        if self.host.contains(':') {
            write!(f, "http://{user}[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{user}{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for OutgoingProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_request_names_the_target_and_the_user_and_nothing_shows_the_user() {
        let user = ProxyUser {
            name: "Aladdin".into(),
            password: Secret::new("open sesame".into()),
        };
        let proxy = OutgoingProxy::new("2001:db8::1".into(), 3128, Some(&user));

        let request = proxy.connect_request("acme.example:443");

        let text = std::str::from_utf8(&request).unwrap();
        assert_eq!(
            text,
            "CONNECT acme.example:443 HTTP/1.1\r\nHost: acme.example:443\r\nUser-Agent: ninjaone-proxy\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
        assert!(request.capacity() <= CONNECT_HEAD_BYTES + 2 * 16 + 34);
        assert_eq!(format!("{proxy}"), "http://***@[2001:db8::1]:3128");
        assert_eq!(format!("{proxy:?}"), "http://***@[2001:db8::1]:3128");
    }
}
