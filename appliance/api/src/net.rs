//! Addresses: whose they are and how they are counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Whether an address is one of a home's network: private (RFC 1918), link-local, or unique local (RFC 4193).
pub(crate) fn is_home(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// How an address that is written out in a destination is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Somewhere in the internet.
    Public,
    /// In the own network or this box: only with `allowLocal`.
    Local,
    /// Never: no host, many hosts, or a cloud's metadata.
    Never,
}

/// Says how to take a literal address. The engine decides again on the address that it connects to.
pub(crate) fn reach(address: IpAddr) -> Reach {
    match canonical(address) {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, ..] = address.octets();
    if a == 0 || a >= 224 || address == Ipv4Addr::new(169, 254, 169, 254) || address == Ipv4Addr::new(100, 100, 100, 200)
    {
        Reach::Never
    } else if address.is_private() || address.is_loopback() || address.is_link_local() || (a == 100 && b & 0xc0 == 64) {
        Reach::Local
    } else {
        Reach::Public
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    /// `fd00:ec2::254`, the metadata address of EC2.
    const EC2: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if address.is_unspecified() || address.is_multicast() || address == EC2 {
        return Reach::Never;
    }
    if address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local() {
        return Reach::Local;
    }
    // NAT64 (RFC 6052, RFC 8215), 6to4 and the old compatible form carry an IPv4 address that decides.
    let [s0, s1, s2, ..] = address.segments();
    let bits = address.to_bits();
    let v4 = |shift: u32| Ipv4Addr::from_bits(u32::try_from((bits >> shift) & 0xffff_ffff).unwrap_or(0));
    match (s0, s1, s2) {
        (0x64, 0xff9b, 0) if bits << 32 >> 64 == 0 => reach_v4(v4(0)),
        (0x64, 0xff9b, 1) => reach_v4(v4(0)).max_local(),
        (0x2002, _, _) => reach_v4(v4(80)),
        _ if bits >> 32 == 0 => reach_v4(v4(0)),
        // Site-local, deprecated by RFC 3879, still inside.
        _ if s0 & 0xffc0 == 0xfec0 => Reach::Local,
        _ => Reach::Public,
    }
}

impl Reach {
    /// At least as near as the own network.
    fn max_local(self) -> Self {
        match self {
            Self::Public => Self::Local,
            other => other,
        }
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
    fn addresses_are_placed() {
        for (address, wanted) in [
            ("8.8.8.8", Reach::Public),
            ("192.0.2.7", Reach::Public),
            ("10.0.0.1", Reach::Local),
            ("172.31.0.1", Reach::Local),
            ("172.32.0.1", Reach::Public),
            ("192.168.1.1", Reach::Local),
            ("100.64.0.1", Reach::Local),
            ("100.128.0.1", Reach::Public),
            ("127.0.0.1", Reach::Local),
            ("169.254.1.1", Reach::Local),
            ("169.254.169.254", Reach::Never),
            ("0.0.0.0", Reach::Never),
            ("0.1.2.3", Reach::Never),
            ("224.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
            ("::", Reach::Never),
            ("::1", Reach::Local),
            ("fe80::1", Reach::Local),
            ("fd12::1", Reach::Local),
            ("fd00:ec2::254", Reach::Never),
            ("ff02::1", Reach::Never),
            ("2001:db8::1", Reach::Public),
            ("::ffff:192.168.1.1", Reach::Local),
            ("::ffff:169.254.169.254", Reach::Never),
            ("::192.168.1.1", Reach::Local),
            ("64:ff9b::192.168.1.1", Reach::Local),
            ("64:ff9b::8.8.8.8", Reach::Public),
            ("64:ff9b:1::8.8.8.8", Reach::Local),
            ("2002:c0a8:101::1", Reach::Local),
            ("fec0::1", Reach::Local),
        ] {
            assert_eq!(reach(address.parse().unwrap()), wanted, "{address}");
        }
    }
}
