//! Addresses: whose they are and how they are counted.

use std::net::{IpAddr, Ipv6Addr};

use nix::sys::socket::SockaddrStorage;

/// An IPv4 address that came over an IPv6 socket is that IPv4 address.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What attempts are counted by: an IPv4 address, or the /64 of an IPv6 address, which one customer has whole.
pub(crate) fn bucket(address: IpAddr) -> IpAddr {
    match canonical(address) {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Whether an address is in a network that one of this machine's interfaces is in: nothing routes between.
pub(crate) fn is_on_link(address: IpAddr) -> bool {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return false };
    let address = canonical(address);
    interfaces.filter_map(|interface| Some((ip(interface.address?)?, ip(interface.netmask?)?))).any(
        |(own, mask)| match (own, mask, address) {
            (IpAddr::V4(own), IpAddr::V4(mask), IpAddr::V4(other)) => {
                own.to_bits() & mask.to_bits() == other.to_bits() & mask.to_bits()
            }
            (IpAddr::V6(own), IpAddr::V6(mask), IpAddr::V6(other)) => {
                own.to_bits() & mask.to_bits() == other.to_bits() & mask.to_bits()
            }
            _ => false,
        },
    )
}

fn ip(address: SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// Whether an address is one of this machine's. Unknown counts as yes.
pub(crate) fn is_own(address: IpAddr) -> bool {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return true };
    let address = canonical(address);
    interfaces.filter_map(|interface| ip(interface.address?)).any(|own| own == address)
}

/// Whether an address is one of a home's network: private (RFC 1918), link-local, or unique local (RFC 4193).
pub(crate) fn is_home(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_counted_by_its_64() {
        let is = |one: &str, other: &str| bucket(one.parse().unwrap()) == bucket(other.parse().unwrap());
        assert!(is("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!is("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(is("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!is("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn neighbours_are_told_from_the_rest() {
        // Every machine has a loopback interface, whose network is 127.0.0.0/8.
        assert!(is_on_link("127.5.5.5".parse().unwrap()));
        assert!(is_on_link("::ffff:127.0.0.1".parse().unwrap()));
        // Nobody has these two: they are for documentation (RFC 5737, RFC 3849).
        assert!(!is_on_link("203.0.113.7".parse().unwrap()));
        assert!(!is_on_link("2001:db8::7".parse().unwrap()));
    }

    #[test]
    fn this_machine_knows_itself() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("203.0.113.7".parse().unwrap()));
    }

    #[test]
    fn the_home_network_is_told_from_the_rest() {
        for home in ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "fe80::1", "fd12::1", "::ffff:192.168.1.1"]
        {
            assert!(is_home(home.parse().unwrap()), "{home}");
        }
        for foreign in ["8.8.8.8", "100.64.0.1", "2001:db8::1", "127.0.0.1", "::1", "0.0.0.0", "172.32.0.1"] {
            assert!(!is_home(foreign.parse().unwrap()), "{foreign}");
        }
    }
}
