//! The other end of a caller's connection: the socket's view, not yet an authenticated caller.

use std::{fmt, net::SocketAddr};

/// The other end of a caller's connection. Displays as `address:port` or `unix:uid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Address and port of a TCP connection.
    Tcp(SocketAddr),
    /// A Unix socket's peer; the kernel vouches for the user id.
    Unix { uid: u32 },
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { uid } => write!(f, "unix:{uid}"),
        }
    }
}
