//! Where a destination may lead: the rules of reaching out.
//!
//! A name is resolved, every answer is checked, and the checked address is the one connected to, at each try.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The internet.
    Public,
    /// Loopback, private, shared, link-local, unique local: only with `allowLocal`.
    Local,
    /// Never a destination: unspecified, multicast, broadcast, reserved, cloud metadata.
    Never,
}

/// Classifies an address; IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4, Teredo's server aside) counts as that IPv4.
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| reach_v6(v6), reach_v4),
    }
}

fn reach_v4(v4: Ipv4Addr) -> Reach {
    let [a, b, c, d] = v4.octets();
    match (a, b, c) {
        // Metadata services of clouds: link-local (most), Alibaba, Oracle.
        (169, 254, 169) if d == 254 => Reach::Never,
        (100, 100, 100) if d == 200 => Reach::Never,
        (192, 0, 0) if d == 192 => Reach::Never,
        (0, ..) | (224.., ..) => Reach::Never,
        (10 | 127, ..) | (172, 16..=31, _) | (192, 168, _) | (169, 254, _) | (100, 64..=127, _) => Reach::Local,
        // IETF protocol assignments and benchmarking networks are nobody's server on the internet.
        (192, 0, 0) | (198, 18 | 19, _) => Reach::Local,
        _ => Reach::Public,
    }
}

fn reach_v6(v6: Ipv6Addr) -> Reach {
    const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let first = v6.segments()[0];
    if v6 == Ipv6Addr::UNSPECIFIED || v6.is_multicast() || v6 == AWS_METADATA {
        Reach::Never
    } else if v6.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 || first & 0xffc0 == 0xfec0 {
        Reach::Local
    } else {
        Reach::Public
    }
}

fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        // ::ffff:0:0/96 mapped, ::ffff:0:0:0/96 translated, 64:ff9b::/96 and 64:ff9b:1::/48 NAT64
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(join(g, h)),
        [0x64, 0xff9b, 1, ..] => Some(join(g, h)),
        // ::/96 compatible, but not :: and ::1
        [0, 0, 0, 0, 0, 0] if (g, h) != (0, 0) && (g, h) != (0, 1) => Some(join(g, h)),
        // 2002::/16 6to4
        [0x2002, ..] => Some(join(b, c)),
        _ => None,
    }
}

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAllowed {
    Local,
    Never,
    OwnListener,
}

/// Checks one resolved address.
pub(crate) fn check(address: SocketAddr, allow_local: bool, own: &OwnListeners) -> Result<(), NotAllowed> {
    if own.contains(address) {
        return Err(NotAllowed::OwnListener);
    }
    match reach(address.ip()) {
        Reach::Public => Ok(()),
        Reach::Local if allow_local => Ok(()),
        Reach::Local => Err(NotAllowed::Local),
        Reach::Never => Err(NotAllowed::Never),
    }
}

/// The box's own listeners, which a destination must never dial: it would feed itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnListeners(pub(crate) Vec<SocketAddr>);

impl OwnListeners {
    fn contains(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.0.iter().any(|own| {
            own.port() == address.port()
                && (own.ip().to_canonical() == ip || own.ip().is_unspecified() && is_own_address(ip))
        })
    }
}

/// Whether an address is one of this machine's: only those can be bound.
fn is_own_address(ip: IpAddr) -> bool {
    ip.is_loopback() || std::net::UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_place() {
        for (address, expected) in [
            ("93.184.216.34", Reach::Public),
            ("2606:2800:220:1::1", Reach::Public),
            ("127.0.0.1", Reach::Local),
            ("::1", Reach::Local),
            ("10.1.2.3", Reach::Local),
            ("172.31.255.255", Reach::Local),
            ("172.32.0.1", Reach::Public),
            ("192.168.0.1", Reach::Local),
            ("100.64.0.1", Reach::Local),
            ("169.254.1.1", Reach::Local),
            ("fe80::1", Reach::Local),
            ("fd12::1", Reach::Local),
            ("::ffff:192.168.0.1", Reach::Local),
            ("64:ff9b::10.0.0.1", Reach::Local),
            ("64:ff9b::8.8.8.8", Reach::Public),
            ("2002:c0a8:0001::1", Reach::Local),
            ("::7f00:1", Reach::Local),
            ("169.254.169.254", Reach::Never),
            ("::ffff:169.254.169.254", Reach::Never),
            ("fd00:ec2::254", Reach::Never),
            ("100.100.100.200", Reach::Never),
            ("0.0.0.0", Reach::Never),
            ("::", Reach::Never),
            ("0.1.2.3", Reach::Never),
            ("224.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
            ("ff02::1", Reach::Never),
        ] {
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_box_never_feeds_itself() {
        let own = OwnListeners(vec!["0.0.0.0:1935".parse().unwrap(), "[::]:8080".parse().unwrap()]);
        let check = |a: &str| check(a.parse().unwrap(), true, &own);
        assert_eq!(check("127.0.0.1:1935"), Err(NotAllowed::OwnListener));
        assert_eq!(check("127.9.9.9:1935"), Err(NotAllowed::OwnListener));
        assert_eq!(check("[::1]:8080"), Err(NotAllowed::OwnListener));
        assert_eq!(check("[::ffff:127.0.0.1]:1935"), Err(NotAllowed::OwnListener));
        assert_eq!(check("127.0.0.1:1936"), Ok(()));
        assert_eq!(check("192.168.255.254:1935"), Ok(()), "another machine's port");
    }
}
