//! Where a configured server is: never taken from a request.

use std::{path::PathBuf, time::Duration};

use super::outgoing_proxy::OutgoingProxy;

/// A server from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// HTTPS, not plain HTTP.
    pub tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// What connections go through; without one they are made to the host itself.
    pub proxy: Option<OutgoingProxy>,
    /// How long a lookup of the name may take.
    pub resolve_timeout: Duration,
}

impl Endpoint {
    /// `host` or `host:port`, the latter where the port is not the scheme's own; IPv6 in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.bracketed_host(),
            _ => self.host_and_port(),
        }
    }

    /// `host:port`, IPv6 in brackets.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    /// `https://host` or `https://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }
}
