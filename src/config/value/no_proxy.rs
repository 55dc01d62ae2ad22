//! Parses `NO_PROXY`: the hosts that are reached without a proxy, as curl reads them.
//!
//! hyper-util has a matcher for this. It differs from curl in which variable wins, in `*`, in blanks and in dots at the end,
//! and drops a proxy that it does not understand without a word; what is left of it is shorter than the way around that.

use std::net::IpAddr;

/// Whether `list` names `host`, which is in lower case and without brackets. `*` alone names every host; a name also stands
/// for all names below it, with a dot in front or without; an address may be a network. A port in an entry is part of no
/// host, so such an entry names none.
#[must_use]
pub(crate) fn names(list: &str, host: &str) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let mut entries = list
        .split([',', ' ', '\t'])
        .filter(|entry| !entry.is_empty());
    if let Ok(address) = host.parse::<IpAddr>() {
        return entries.any(|entry| is_within(address, entry));
    }
    let host = without_last_dot(host);
    entries.any(|entry| is_at_or_below(host, entry))
}

fn without_last_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_at_or_below(host: &str, entry: &str) -> bool {
    let domain = without_last_dot(entry);
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let Some(start) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    let is_whole = start == 0 || host.get(..start).is_some_and(|it| it.ends_with('.'));
    let end = host.get(start..).unwrap_or_default();
    !domain.is_empty() && is_whole && end.eq_ignore_ascii_case(domain)
}

/// Whether `entry`, `10.0.0.1`, `10.0.0.0/8`, `::1` or `[::1]`, is or contains `address`.
fn is_within(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, Some(bits)),
        None => (entry, None),
    };
    let network = network.strip_prefix('[').unwrap_or(network);
    let network = network.strip_suffix(']').unwrap_or(network);
    let Ok(network) = network.parse::<IpAddr>() else {
        return false;
    };
    let Some(bits) = bits else {
        return network == address;
    };
    let Ok(bits) = bits.parse::<u32>() else {
        return false;
    };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= u32::BITS => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= u128::BITS => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_as_curl_reads_it() {
        for (list, host, is_named) in [
            ("*", "acme.example", true),
            ("b.example, *", "acme.example", false),
            ("*.example", "acme.example", false),
            ("acme.example", "acme.example", true),
            ("ACME.Example", "acme.example", true),
            ("example", "acme.example", true),
            (".example", "acme.example", true),
            (".acme.example", "acme.example", true),
            ("example.", "acme.example", true),
            ("me.example", "acme.example", false),
            ("www.acme.example", "acme.example", false),
            ("acme.example:443", "acme.example", false),
            ("b,,acme.example", "acme.example", true),
            ("b \t acme.example", "acme.example", true),
            (" , .", "acme.example", false),
            ("", "acme.example", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.0/24", "192.0.2.7", true),
            ("192.0.2.8/29", "192.0.2.7", false),
            ("192.0.2.7/33", "192.0.2.7", false),
            ("0.0.0.0/0", "192.0.2.7", true),
            ("2.7", "192.0.2.7", false),
            ("2001:db8::/32", "2001:db8::7", true),
            ("2001:db9::/32", "2001:db8::7", false),
            ("[2001:db8::7]", "2001:db8::7", true),
            ("::/0", "192.0.2.7", false),
        ] {
            assert_eq!(names(list, host), is_named, "{list:?} and {host}");
        }
    }
}
