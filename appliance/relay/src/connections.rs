//! Everybody connected to the RTMP listener, and who has to go when there are too many.
//!
//! A stranger costs a place until it has shown a right key. When places run out, the stranger that has got least far,
//! and among those the one that has had longest, makes room: thousands of half-open connections cannot keep a
//! publisher out, which is through its handshake in milliseconds.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use tokio::sync::Notify;

/// How far a connection has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Nothing, or part of a handshake.
    Opened,
    /// It has said `connect`.
    Connected,
    /// It has shown a right key.
    Trusted,
}

/// One connection.
#[derive(Debug)]
struct Peer {
    address: IpAddr,
    stage: Stage,
    close: Rc<Notify>,
}

/// The list of connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    peers: BTreeMap<u64, Peer>,
    next: u64,
}

/// Most connections of each sort.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) all: u32,
    pub(crate) strangers: u32,
    pub(crate) strangers_per_address: u32,
}

/// A new connection's number, and its notice to close.
pub(crate) type Admitted = (u64, Rc<Notify>);

impl Connections {
    /// Lets a connection in; closes another one where there is no place. None: all places are taken by the trusted.
    pub(crate) fn admit(&mut self, address: IpAddr, places: Places) -> Option<Admitted> {
        let address = network(address);
        let strangers = || self.peers.iter().filter(|(_, p)| p.stage < Stage::Trusted);
        let neighbours = strangers().filter(|(_, p)| p.address == address).count();
        let too_many = |count: usize, limit: u32| count >= usize::try_from(limit).unwrap_or(usize::MAX);
        let victim = if too_many(neighbours, places.strangers_per_address) {
            first_to_go(strangers().filter(|(_, p)| p.address == address))
        } else if too_many(strangers().count(), places.strangers) || too_many(self.peers.len(), places.all) {
            Some(first_to_go(strangers())?)
        } else {
            None
        };
        if let Some(peer) = victim.and_then(|id| self.peers.remove(&id)) {
            peer.close.notify_one();
        }
        let (id, close) = (self.next, Rc::new(Notify::new()));
        self.next += 1;
        self.peers.insert(id, Peer { address, stage: Stage::Opened, close: close.clone() });
        Some((id, close))
    }

    pub(crate) fn set_stage(&mut self, id: u64, stage: Stage) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.stage = stage;
        }
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.peers.remove(&id);
    }

    /// Closes the strangers from an address.
    pub(crate) fn close_strangers(&mut self, address: IpAddr) {
        let address = network(address);
        for peer in self.peers.values().filter(|p| p.address == address && p.stage < Stage::Trusted) {
            peer.close.notify_one();
        }
    }
}

fn first_to_go<'a>(peers: impl Iterator<Item = (&'a u64, &'a Peer)>) -> Option<u64> {
    peers.min_by_key(|(id, p)| (p.stage, **id)).map(|(id, _)| *id)
}

/// What counts as one address: an IPv6 customer has a /64.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places = Places { all: 6, strangers: 4, strangers_per_address: 2 };

    fn ids(c: &Connections) -> Vec<u64> {
        c.peers.keys().copied().collect()
    }

    #[test]
    fn the_stranger_that_got_least_far_makes_room() {
        let mut c = Connections::default();
        for i in 0..4u32 {
            c.admit(IpAddr::V4((i << 8).into()), PLACES).unwrap();
        }
        c.set_stage(0, Stage::Connected);
        c.admit("198.51.100.1".parse().unwrap(), PLACES).unwrap();
        assert_eq!(ids(&c), [0, 2, 3, 4], "1 was the oldest of those that had said nothing");
    }

    #[test]
    fn an_address_pays_for_its_own_flood() {
        let mut c = Connections::default();
        let (first, _) = c.admit("198.51.100.1".parse().unwrap(), PLACES).unwrap();
        for _ in 0..100 {
            c.admit("203.0.113.5".parse().unwrap(), PLACES).unwrap();
        }
        assert!(ids(&c).contains(&first));
        assert_eq!(ids(&c).len(), 3);
    }

    #[test]
    fn the_trusted_are_never_closed_for_room() {
        let mut c = Connections::default();
        for i in 0..6u32 {
            let (id, _) = c.admit(IpAddr::V4((i << 8).into()), PLACES).unwrap();
            c.set_stage(id, Stage::Trusted);
        }
        assert!(c.admit("203.0.113.5".parse().unwrap(), PLACES).is_none());
        assert_eq!(ids(&c).len(), 6);
    }

    #[test]
    fn neighbours_in_ipv6_are_one_address() {
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff:2".parse().unwrap()));
        assert_ne!(network("2001:db8::1".parse().unwrap()), network("2001:db8:0:1::1".parse().unwrap()));
    }
}
