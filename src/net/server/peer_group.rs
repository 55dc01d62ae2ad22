//! Which connections are counted together: one party may have many addresses, and must not get more connections by them.

use std::net::{IpAddr, Ipv4Addr};

use crate::net::peer::Peer;

/// Peers that are one party, as far as a connection shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerGroup {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address: a site has at least a network of that size (RFC 6177), and any machine in it can
    /// use all its addresses.
    V6([u16; 4]),
    /// The user at the other end of a Unix socket.
    UnixUser(u32),
}

impl PeerGroup {
    /// The group that a peer belongs to.
    #[must_use]
    pub fn of(peer: Peer) -> Self {
        match peer {
            Peer::Unix { uid } => Self::UnixUser(uid),
            // An IPv4 peer of a listener for both (RFC 4291 section 2.5.5.2) is the same as of one for IPv4.
            Peer::Tcp(address) => match address.ip().to_canonical() {
                IpAddr::V4(address) => Self::V4(address),
                IpAddr::V6(address) => {
                    let [first, second, third, fourth, ..] = address.segments();
                    Self::V6([first, second, third, fourth])
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> PeerGroup {
        PeerGroup::of(Peer::Tcp(std::net::SocketAddr::new(
            address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            1,
        )))
    }

    #[test]
    fn addresses_of_one_ipv6_network_of_64_bits_are_one_group() {
        assert_eq!(
            of("2001:db8:1:2::1"),
            of("2001:db8:1:2:ffff:ffff:ffff:ffff")
        );
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn an_ipv4_peer_is_one_group_however_it_is_written() {
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("::ffff:192.0.2.7"), of("::ffff:192.0.2.8"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
