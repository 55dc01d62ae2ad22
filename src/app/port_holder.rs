//! Which process listens on an address that is taken, as far as the kernel tells this user (proc(5), `/proc/net/tcp`).

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

const PROGRAM: &str = "ninjaone-proxy";

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortHolder {
    pid: u32,
    /// Its name, as the kernel has it: 15 bytes at most.
    name: String,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

impl PortHolder {
    /// Whether it is a process of this program, by its name.
    #[must_use]
    pub(crate) fn is_ours(&self) -> bool {
        self.name.trim_end() == PROGRAM
    }

    /// None if it is another user's, or has gone.
    pub(crate) fn find(address: SocketAddr) -> Option<Self> {
        let inode = listening_inode(address)?;
        let wanted = format!("socket:[{inode}]");
        let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
        processes
            .filter_map(|it| {
                let pid: u32 = it.file_name().to_str()?.parse().ok()?;
                holds(&it.path(), &wanted).then_some((pid, it.path()))
            })
            .map(|(pid, path)| {
                let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
                // Any process may choose its own name.
                let name = name.chars().filter(|it| !it.is_control()).collect();
                Self { pid, name }
            })
            .next()
    }
}

fn holds(process: &Path, wanted: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors
        .filter_map(Result::ok)
        .filter_map(|it| fs::read_link(it.path()).ok())
        .any(|it| it.as_os_str() == wanted)
}

/// The inode of the socket that listens there, or on all addresses.
fn listening_inode(address: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|it| fs::read_to_string(it).unwrap_or_default());
    tables
        .iter()
        .flat_map(|it| it.lines())
        .find_map(|line| inode_of_line(line, address))
}

fn inode_of_line(line: &str, address: SocketAddr) -> Option<String> {
    /// `TCP_LISTEN` of the kernel.
    const LISTENS: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (local, state) = (fields.nth(1)?, fields.nth(1)?);
    let (ip, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip = parse_address(ip)?;
    let is_it = ip.is_unspecified() || address.ip().is_unspecified() || ip == address.ip();
    if state != LISTENS || port != address.port() || !is_it {
        return None;
    }
    fields.nth(5).map(str::to_owned)
}

/// Words of 32 bits, each in the machine's byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let words = hex.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok()?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    });
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(octets) => IpAddr::V4(Ipv4Addr::from(octets)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some(ip.to_canonical())
}
