//! Where a configured server is: never taken from a request.

use std::{path::PathBuf, time::Duration};

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
    /// How long a lookup of the name may take.
    pub resolve_timeout: Duration,
}

impl Endpoint {
    /// `host` or `host:port`, the latter where the port is not the scheme's own; IPv6 in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// `https://host` or `https://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }
}
