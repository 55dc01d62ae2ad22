//! BYTES: sockets, TLS and HTTP. A request becomes well-formed here, or is refused; nothing here knows NinjaOne.

pub mod body;
pub mod body_timer;
pub mod client;
pub mod connections;
pub mod handler;
pub mod headers;
pub mod host;
pub mod http1;
pub mod http2;
pub mod incoming;
pub mod kept_body;
pub mod listener;
pub mod neighbour;
pub mod pace;
pub mod patience;
pub mod pool;
pub mod problem;
pub mod response;
pub mod seat;
pub mod small_server;
pub mod sniff;
pub mod target;
pub mod tls;
pub mod tls_stream;
pub mod turned_away;
pub mod unfinished;
pub mod worker_cell;

use std::{fmt, net::SocketAddr};

use http::HeaderValue;

pub use self::incoming::Incoming;

/// The methods that we know. Everything else is refused before policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The exact, upper-case token (RFC 9110 section 9.1: methods are case-sensitive).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }

    #[must_use]
    pub fn to_http(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Head => http::Method::HEAD,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Patch => http::Method::PATCH,
            Self::Delete => http::Method::DELETE,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Tcp(SocketAddr),
    /// A Unix socket; the kernel vouches for the user id.
    Unix {
        uid: u32,
    },
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { uid } => write!(f, "unix:{uid}"),
        }
    }
}

/// What a caller presented to prove who they are, taken out of the headers so that it cannot be forwarded.
#[derive(Default)]
pub struct Evidence {
    pub authorization: Option<HeaderValue>,
    pub api_key: Option<HeaderValue>,
}
