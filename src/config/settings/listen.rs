//! The settings of the listeners: `[listen]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::address::loopback_hosts;

/// Where callers connect.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSettings {
    /// Addresses for plain HTTP: "127.0.0.1:6465", ":0" for any free port of the loopback, "fd:http" for a systemd socket.
    pub http: Vec<String>,
    /// Plain HTTP on addresses that others can reach is meant: the network keeps it private.
    pub unencrypted: bool,
    /// Unix sockets.
    pub unix: Vec<UnixListenerSettings>,
    /// Addresses for HTTPS.
    pub https: Vec<TlsListenerSettings>,
    /// Host names that are answered, without port.
    pub hosts: Vec<String>,
    /// Longest head of a request, such as "32KiB".
    pub max_header: String,
    /// Longest body of a request, such as "16MiB".
    pub max_body: String,
    /// Longest body of an upload, such as "100MiB".
    pub max_upload: String,
    /// How long a shutdown waits for requests under way, such as "20s".
    pub drain: String,
    /// Threads that serve requests; one a core if not set.
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u32>,
    /// Connections at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Connections at a time from one address.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_peer: u32,
    /// How long a connection may be idle before its first request with a valid key, such as "10s".
    pub unproven_idle: String,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            http: vec!["127.0.0.1:6465".into()],
            unencrypted: false,
            unix: Vec::new(),
            https: Vec::new(),
            hosts: loopback_hosts(),
            max_header: "32KiB".into(),
            max_body: "16MiB".into(),
            max_upload: "100MiB".into(),
            drain: "20s".into(),
            workers: None,
            connections: 4096,
            connections_per_peer: 256,
            unproven_idle: "10s".into(),
        }
    }
}

/// A Unix socket.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UnixListenerSettings {
    /// Where the socket is made.
    #[schemars(extend("x-required" = true))]
    pub path: Option<String>,
    /// Its permissions in octal, "0660" if not set.
    pub mode: Option<String>,
    /// The group that it belongs to.
    pub group: Option<String>,
}

/// An address for HTTPS.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsListenerSettings {
    /// An address such as "0.0.0.0:6443".
    #[schemars(extend("x-required" = true))]
    pub bind: Option<String>,
    /// A PEM file: the certificate and those between it and its authority.
    #[schemars(extend("x-required" = true))]
    pub cert: Option<String>,
    /// A PEM file: the private key.
    #[schemars(extend("x-required" = true))]
    pub key: Option<String>,
}
