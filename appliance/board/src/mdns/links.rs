//! The links that there are, and what can be reached on each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use if_addrs::Interface;

use crate::mdns::Service;

/// Most links that are announced on.
const MOST: usize = 16;

/// What a link can reach: the kinds of service, each by IPv4 (`true`) or IPv6.
pub(super) type Served = BTreeSet<(&'static str, bool)>;

/// The links on which at least one of the services can be reached, by the interface's index, with their names.
pub(super) fn list(services: &[Service]) -> BTreeMap<u32, (String, Served)> {
    let mut links: BTreeMap<u32, (String, Served)> = BTreeMap::new();
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        let Some(index) = interface.index.filter(|_| interface.is_oper_up() && is_announced(&interface)) else {
            continue;
        };
        let address = interface.ip();
        let reached = services.iter().filter(|service| reaches(service.listener, address));
        let reached: Served = reached.map(|service| (service.kind, address.is_ipv4())).collect();
        if !reached.is_empty() && (links.len() < MOST || links.contains_key(&index)) {
            links.entry(index).or_insert_with(|| (interface.name.clone(), Served::new())).1.extend(reached);
        }
    }
    links
}

/// The addresses of this machine, or those that are announced on one link.
pub(super) fn addresses(on: Option<u32>) -> BTreeSet<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    all.filter(|interface| on.is_none() || (interface.index == on && is_announced(interface)))
        .map(|interface| interface.ip())
        .collect()
}

/// Whether an address is one that is announced on its link.
pub(super) fn is_announced(interface: &Interface) -> bool {
    !interface.is_p2p() && is_local(interface.ip())
}

/// Whether who connects to this address comes to the listener. One for all IPv6 addresses takes IPv4 too.
pub(super) fn reaches(listener: SocketAddr, address: IpAddr) -> bool {
    match listener.ip() {
        IpAddr::V4(own) if own.is_unspecified() => address.is_ipv4(),
        IpAddr::V6(own) if own.is_unspecified() => true,
        own => own == address,
    }
}

fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_unspecified(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_ipv6_and_loopback_are_left_out() {
        for address in ["192.168.1.9", "10.0.0.1", "169.254.3.4", "203.0.113.7", "fe80::1", "fd12::1"] {
            assert!(is_local(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1", "::1", "2001:db8::1", "0.0.0.0", "::", "::ffff:10.0.0.1"] {
            assert!(!is_local(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_not_announced() {
        let (v4, v6) = ("192.168.1.9".parse().unwrap(), "fe80::1".parse().unwrap());
        for (listener, by_v4, by_v6) in
            [("0.0.0.0:80", true, false), ("[::]:80", true, true), ("192.168.1.9:80", true, false)]
        {
            let listener = listener.parse().unwrap();
            assert_eq!((reaches(listener, v4), reaches(listener, v6)), (by_v4, by_v6), "{listener}");
        }
        let loopback = Service { kind: "_http._tcp", listener: "127.0.0.1:80".parse().unwrap() };
        assert!(list(&[loopback]).is_empty());
    }
}
