//! Who was refused, folded: a thousand wrong keys from one address are one line and one event a minute. And who is blocked:
//! by the same measure, so that whoever blocks a line of the list blocks all that it stands for.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::SystemTime;

use crate::Refusal;
use crate::clock::rfc3339;
use crate::connections::network;

/// Lines kept.
const MAX: usize = 64;
/// One event in this time for the same line, ms.
const FOLD_MS: u64 = 60_000;

/// The list, newest last.
#[derive(Debug, Default)]
pub(crate) struct Refusals(VecDeque<Line>);

#[derive(Debug)]
struct Line {
    address: IpAddr,
    reason: &'static str,
    count: u64,
    first: SystemTime,
    last: SystemTime,
    told: u64,
    untold: u64,
}

impl Refusals {
    /// Notes a refusal. Gives how many are to be told of now, if it is time.
    pub(crate) fn note(&mut self, address: IpAddr, reason: &'static str, now: u64) -> Option<u64> {
        let (address, wall) = (address.to_canonical(), SystemTime::now());
        let place = self.0.iter().position(|l| network(l.address) == network(address) && l.reason == reason);
        let known = place.and_then(|i| self.0.remove(i));
        let fresh = known.is_none();
        let mut line =
            known.unwrap_or(Line { address, reason, count: 0, first: wall, last: wall, told: now, untold: 0 });
        line.count += 1;
        line.untold += 1;
        (line.address, line.last) = (address, wall);
        let tell = fresh || now.saturating_sub(line.told) >= FOLD_MS;
        let told = tell.then(|| std::mem::take(&mut line.untold));
        if tell {
            line.told = now;
        }
        if self.0.len() == MAX {
            self.0.pop_front();
        }
        self.0.push_back(line);
        told
    }

    /// The newest first; `blocked_until` knows the blocks.
    pub(crate) fn list(&self, blocked_until: impl Fn(IpAddr) -> Option<SystemTime>) -> Vec<Refusal> {
        let shown = |l: &Line| Refusal {
            address: l.address.to_string(),
            reason: l.reason,
            count: l.count,
            first: rfc3339(l.first),
            last: rfc3339(l.last),
            blocked_until: blocked_until(l.address).map(rfc3339),
        };
        self.0.iter().rev().map(shown).collect()
    }
}

/// The addresses (/64 for IPv6) that a person has blocked, each with the ms at which that ends.
#[derive(Debug, Default)]
pub(crate) struct Blocks(BTreeMap<IpAddr, u64>);

impl Blocks {
    /// Blocks an address, or changes until when.
    pub(crate) fn put(&mut self, address: IpAddr, until: u64) {
        self.0.insert(network(address), until);
    }

    /// How long an address is still blocked, ms; `None`: it is not.
    pub(crate) fn left(&self, address: IpAddr, now: u64) -> Option<u64> {
        self.0.get(&network(address))?.checked_sub(now).filter(|left| *left > 0)
    }

    /// Forgets what has ended.
    pub(crate) fn expire(&mut self, now: u64) {
        self.0.retain(|_, until| now < *until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_refusals_are_one_line_and_one_event_a_minute() {
        let mut refusals = Refusals::default();
        let address = "192.0.2.7".parse().unwrap();
        assert_eq!(refusals.note(address, "bad_key", 0), Some(1));
        for ms in 1..100 {
            assert_eq!(refusals.note("::ffff:192.0.2.7".parse().unwrap(), "bad_key", ms), None);
        }
        assert_eq!(refusals.note(address, "bad_key", 60_000), Some(100));
        assert_eq!(refusals.list(|_| None).len(), 1);
        assert_eq!(refusals.list(|_| None)[0].count, 101);
    }

    #[test]
    fn an_ipv6_neighbour_is_the_same_line() {
        let mut refusals = Refusals::default();
        let told: Vec<_> = (1..=100u16)
            .map(|n| refusals.note([0x2001, 0xdb8, 0, 0, 0, 0, 0, n].into(), "bad_key", u64::from(n)))
            .collect();
        assert_eq!((told[0], told.iter().flatten().count(), refusals.list(|_| None).len()), (Some(1), 1, 1));
        assert_eq!(refusals.list(|_| None)[0].address, "2001:db8::64", "the last one");
    }

    #[test]
    fn a_block_holds_for_all_that_the_line_stands_for() {
        let (mut refusals, mut blocks) = (Refusals::default(), Blocks::default());
        for n in 1..=3u16 {
            refusals.note([0x2001, 0xdb8, 0, 0, 0, 0, 0, n].into(), "bad_key", 0);
        }
        let shown = refusals.list(|_| None)[0].address.parse().unwrap();
        blocks.put(shown, 60_000);
        for (address, left) in [
            ("2001:db8::1", Some(59_000)),
            ("2001:db8::ffff:2", Some(59_000)),
            ("2001:db8:0:1::1", None),
            ("192.0.2.7", None),
        ] {
            assert_eq!(blocks.left(address.parse().unwrap(), 1_000), left, "{address}");
        }
        assert!(
            refusals.list(|address| blocks.left(address, 1_000).map(|_| SystemTime::now()))[0].blocked_until.is_some()
        );
        blocks.put("::ffff:192.0.2.7".parse().unwrap(), 2_000);
        assert_eq!(blocks.left("192.0.2.7".parse().unwrap(), 1_000), Some(1_000));
        assert_eq!(blocks.left("192.0.2.7".parse().unwrap(), 2_000), None, "it is over");
        // Whoever is let in again is let in under each of the addresses.
        blocks.put("2001:db8::9".parse().unwrap(), 1_000);
        blocks.expire(1_000);
        assert_eq!(blocks.left(shown, 1_000), None);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut refusals = Refusals::default();
        for i in 0..1000u32 {
            refusals.note(IpAddr::V4(i.into()), "bad_key", 0);
        }
        assert_eq!(refusals.list(|_| None).len(), MAX);
    }
}
