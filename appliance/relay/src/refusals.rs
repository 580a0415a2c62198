//! Who was refused, folded: a thousand wrong keys from one address are one line and one event a minute.

use std::collections::VecDeque;
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
    fn the_list_is_bounded() {
        let mut refusals = Refusals::default();
        for i in 0..1000u32 {
            refusals.note(IpAddr::V4(i.into()), "bad_key", 0);
        }
        assert_eq!(refusals.list(|_| None).len(), MAX);
    }
}
