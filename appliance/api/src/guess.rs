//! Slows guessing down: failures are counted and the next try has to wait, up to 30 s.
//!
//! An account is counted for each address that tries it, and each address over all accounts, or trying one name after the
//! other would never have to wait. A device that has signed in to an account before is counted for itself alone. So nobody
//! can lock the owner out of a known device, and a known device gives nobody more tries than a new address would.
//! The clock is the monotonic one: setting the box's time forgives nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brookbox_vault::TokenHash;
use secrecy::SecretString;

use crate::net;
use crate::problem::{Code, Problem};

/// Most buckets kept. When full, the one whose wait ended longest ago makes room; if all still wait, new ones wait too.
const BUCKETS: usize = 4096;
/// Failures that cost no waiting: everybody mistypes.
const FREE: u32 = 2;
/// The same for an address over all accounts: a household or a proxy is many people.
const FREE_OF_ADDRESS: u32 = 10;
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// After so long without a failure a bucket counts from the start.
const FORGIVEN: Duration = Duration::from_secs(15 * 60);
/// Tries of one bucket that may be under way at once.
const AT_ONCE: u32 = 3;

/// Guessing from one address is told of at most so often, and from all addresses at most [`TOLD`] times in that time.
const TOLD_EVERY: Duration = Duration::from_secs(60);
const TOLD: usize = 6;

/// What failures are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Any account from an address.
    Address(IpAddr),
    /// An account (hashed, so that what was typed is not kept) from an address.
    Account([u8; 32], IpAddr),
    /// An account from a known device.
    Device([u8; 32], [u8; 32]),
}

impl Key {
    /// Failures that cost no waiting.
    fn free(self) -> u32 {
        match self {
            Self::Address(_) => FREE_OF_ADDRESS,
            Self::Account(..) | Self::Device(..) => FREE,
        }
    }
}

/// What one try is counted for.
#[derive(Clone, Copy, Debug)]
enum Counted {
    Stranger { address: Key, account: Key },
    Known(Key),
}

impl Counted {
    fn keys(self) -> impl Iterator<Item = Key> {
        let (first, second) = match self {
            Self::Stranger { address, account } => (address, Some(account)),
            Self::Known(device) => (device, None),
        };
        [Some(first), second].into_iter().flatten()
    }
}

#[derive(Debug)]
struct Bucket {
    failures: u32,
    under_way: u32,
    next: Instant,
    last: Instant,
}

/// Counts failures.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    buckets: Mutex<HashMap<Key, Bucket>>,
    /// From where guessing was told of lately.
    told: Mutex<Vec<(IpAddr, Instant)>>,
}

/// One try under way. Dropped without a word it counts as neither: a request that was cut off says nothing.
#[derive(Debug)]
#[must_use]
pub(crate) struct Try<'a> {
    guesses: &'a Guesses,
    counted: Counted,
    settled: bool,
}

impl Guesses {
    /// Whether to tell people of guessing from this address: of each once a minute, and of few in a minute, since events
    /// that matter must not be pushed out by events that strangers make.
    pub(crate) fn is_news(&self, address: IpAddr) -> bool {
        let (address, now) = (net::bucket(address), Instant::now());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(_, at)| now.saturating_duration_since(*at) < TOLD_EVERY);
        let news = told.len() < TOLD && told.iter().all(|(known, _)| *known != address);
        if news {
            told.push((address, now));
        }
        news
    }

    /// Lets one try begin, or says how long to wait. `device` is the hash of a device, or of a sign-in, that is known for
    /// this account.
    pub(crate) fn begin(&self, account: &str, address: IpAddr, device: Option<TokenHash>) -> Result<Try<'_>, Problem> {
        self.begin_at(account, address, device, Instant::now())
    }

    fn begin_at(
        &self,
        account: &str,
        address: IpAddr,
        device: Option<TokenHash>,
        now: Instant,
    ) -> Result<Try<'_>, Problem> {
        let account = *TokenHash::of(&SecretString::from(account.to_lowercase())).as_bytes();
        let counted = match device {
            Some(device) => Counted::Known(Key::Device(account, *device.as_bytes())),
            None => {
                let address = net::bucket(address);
                Counted::Stranger { address: Key::Address(address), account: Key::Account(account, address) }
            }
        };
        let mut buckets = self.lock();
        for bucket in counted.keys().filter_map(|key| buckets.get(&key)) {
            bucket.admits(now)?;
        }
        // There are few known devices, and strangers must not keep them out by filling the table.
        if matches!(counted, Counted::Stranger { .. }) {
            make_room(&mut buckets, counted, now)?;
        }
        for key in counted.keys() {
            let bucket = buckets.entry(key).or_insert(Bucket { failures: 0, under_way: 0, next: now, last: now });
            if now.saturating_duration_since(bucket.last) > FORGIVEN {
                bucket.failures = 0;
            }
            bucket.under_way += 1;
        }
        drop(buckets);
        Ok(Try { guesses: self, counted, settled: false })
    }

    /// Ends a try, and returns the failures in a row at this account.
    fn settle(&self, counted: Counted, outcome: Option<bool>, now: Instant) -> u32 {
        let mut buckets = self.lock();
        let mut failures = 0;
        for key in counted.keys() {
            let Some(bucket) = buckets.get_mut(&key) else { continue };
            bucket.under_way = bucket.under_way.saturating_sub(1);
            match outcome {
                Some(false) => {
                    bucket.failures = bucket.failures.saturating_add(1);
                    bucket.last = now;
                    bucket.next = now + delay(bucket.failures, key.free());
                }
                // Somebody's right password says nothing of the other accounts that were tried from there.
                Some(true) if !matches!(key, Key::Address(_)) => bucket.failures = 0,
                Some(true) | None => {}
            }
            failures = bucket.failures;
            if bucket.under_way == 0 && bucket.failures == 0 {
                buckets.remove(&key);
            }
        }
        failures
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    /// Whether one more try may begin.
    fn admits(&self, now: Instant) -> Result<(), Problem> {
        let busy = if self.under_way >= AT_ONCE { Duration::from_secs(1) } else { Duration::ZERO };
        let wait = self.next.saturating_duration_since(now).max(busy);
        if wait.is_zero() {
            return Ok(());
        }
        Err(Problem::new(Code::TooManyAttempts).retry_after(seconds(wait)))
    }
}

impl Try<'_> {
    /// Whether it comes from a device that is known for the account.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self.counted, Counted::Known(_))
    }

    /// The password was right: the count begins anew.
    pub(crate) fn right(mut self) {
        self.settled = true;
        self.guesses.settle(self.counted, Some(true), Instant::now());
    }

    /// The password was wrong. Returns how often it was in a row.
    pub(crate) fn wrong(mut self) -> u32 {
        self.settled = true;
        self.guesses.settle(self.counted, Some(false), Instant::now())
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.guesses.settle(self.counted, None, Instant::now());
        }
    }
}

/// Makes room for what a try is counted for.
fn make_room(buckets: &mut HashMap<Key, Bucket>, counted: Counted, now: Instant) -> Result<(), Problem> {
    let new = counted.keys().filter(|key| !buckets.contains_key(key)).count();
    let too_many = |buckets: &HashMap<Key, Bucket>| buckets.len() + new > BUCKETS;
    let own = |key: &Key| counted.keys().any(|own| own == *key);
    if too_many(buckets) {
        let old = |bucket: &Bucket| now.saturating_duration_since(bucket.last) > FORGIVEN;
        buckets.retain(|key, bucket| own(key) || bucket.under_way > 0 || !old(bucket));
    }
    while too_many(buckets) {
        let idle = buckets.iter().filter(|(key, bucket)| !own(key) && bucket.under_way == 0 && bucket.next <= now);
        let idlest = idle.min_by_key(|(_, bucket)| (bucket.failures, bucket.next)).map(|(&key, _)| key);
        let idlest = idlest.ok_or_else(|| Problem::new(Code::TooManyAttempts).retry_after(seconds(LONGEST)))?;
        buckets.remove(&idlest);
    }
    Ok(())
}

/// Nothing for the free ones, then 1, 2, 4, 8, 16, 30, 30 … s.
fn delay(failures: u32, free: u32) -> Duration {
    match failures.checked_sub(free + 1) {
        Some(doublings) => Duration::from_secs(1 << doublings.min(5)).min(LONGEST),
        None => Duration::ZERO,
    }
}

/// Whole seconds, rounded up, so that who waits as told is let in.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "192.168.1.2";

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn account(counted: Counted) -> Key {
        match counted {
            Counted::Stranger { account, .. } => account,
            Counted::Known(device) => device,
        }
    }

    /// Fails until a try has to wait, and returns for how many seconds each did.
    fn waits(guesses: &Guesses, tries: usize) -> Vec<u64> {
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..tries {
            let attempt = guesses.begin_at("mara", at(HOME), None, now).unwrap();
            let counted = attempt.counted;
            std::mem::forget(attempt);
            guesses.settle(counted, Some(false), now);
            let wait = guesses.lock()[&account(counted)].next - now;
            waits.push(wait.as_secs());
            if !wait.is_zero() {
                let early = now + wait - Duration::from_millis(1);
                assert!(guesses.begin_at("mara", at(HOME), None, early).is_err());
            }
            now += wait;
        }
        waits
    }

    #[test]
    fn the_wait_grows_to_half_a_minute() {
        assert_eq!(waits(&Guesses::default(), 10), [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn others_do_not_wait() {
        let guesses = Guesses::default();
        for _ in 0..3 {
            guesses.begin("mara", at(HOME), None).unwrap().wrong();
        }
        let now = Instant::now();
        assert!(guesses.begin_at("mara", at(HOME), None, now).is_err());
        assert!(guesses.begin_at("MARA", at(HOME), None, now).is_err(), "the case of letters is no way around");
        assert!(guesses.begin_at("mara", at("192.168.1.3"), None, now).is_ok());
        assert!(guesses.begin_at("jonas", at(HOME), None, now).is_ok());
        let device = TokenHash::of(&"device".into());
        assert!(guesses.begin_at("mara", at(HOME), Some(device), now).is_ok(), "a known device counts for itself");
        guesses.begin("mara", at("2001:db8:1:2::1"), None).unwrap().wrong();
        guesses.begin("mara", at("2001:db8:1:2::2"), None).unwrap().wrong();
        guesses.begin("mara", at("2001:db8:1:2::3"), None).unwrap().wrong();
        assert!(guesses.begin("mara", at("2001:db8:1:2::4"), None).is_err(), "a /64 is one");
    }

    #[test]
    fn a_right_password_and_time_forgive() {
        let guesses = Guesses::default();
        guesses.begin("mara", at(HOME), None).unwrap().wrong();
        guesses.begin("mara", at(HOME), None).unwrap().wrong();
        guesses.begin("mara", at(HOME), None).unwrap().right();
        assert!(guesses.lock().keys().all(|key| matches!(key, Key::Address(_))));
        for _ in 0..3 {
            guesses.begin("mara", at(HOME), None).unwrap().wrong();
        }
        let later = Instant::now() + FORGIVEN + Duration::from_secs(1);
        let attempt = guesses.begin_at("mara", at(HOME), None, later).unwrap();
        assert!(guesses.lock().values().all(|bucket| bucket.failures == 0));
        drop(attempt);
    }

    #[test]
    fn tries_at_once_are_few_and_a_dropped_one_is_none() {
        let guesses = Guesses::default();
        let tries: Vec<_> = (0..AT_ONCE).map(|_| guesses.begin("mara", at(HOME), None).unwrap()).collect();
        assert_eq!(guesses.begin("mara", at(HOME), None).unwrap_err().code(), Code::TooManyAttempts);
        drop(tries);
        assert!(guesses.lock().is_empty());
    }

    #[test]
    fn one_name_after_the_other_is_no_way_around() {
        let guesses = Guesses::default();
        let tries: Vec<_> =
            (0..AT_ONCE).map(|number| guesses.begin(&format!("name {number}"), at(HOME), None).unwrap()).collect();
        assert!(guesses.begin("another", at(HOME), None).is_err(), "few at once, whatever the names");
        let device = TokenHash::of(&"device".into());
        assert!(guesses.begin("mara", at(HOME), Some(device)).is_ok(), "a known device is not one of them");
        assert!(guesses.begin("mara", at("192.168.1.3"), None).is_ok(), "nor is another address");
        drop(tries);
        for number in 0..=FREE_OF_ADDRESS {
            guesses.begin(&format!("name {number}"), at(HOME), None).unwrap().wrong();
            guesses.begin("jonas", at(HOME), Some(device)).unwrap().right();
        }
        let now = Instant::now();
        assert!(guesses.begin_at("another", at(HOME), None, now).is_err());
        assert!(guesses.begin_at("mara", at(HOME), Some(device), now).is_ok());
        assert!(guesses.begin_at("mara", at("192.168.1.3"), None, now).is_ok());
    }

    #[test]
    fn guessing_is_told_of_now_and_then() {
        let guesses = Guesses::default();
        assert!(guesses.is_news(at(HOME)));
        assert!(!guesses.is_news(at(HOME)));
        let news = (1..=200).filter(|number| guesses.is_news(at(&format!("192.0.2.{number}")))).count();
        assert_eq!(news, TOLD - 1);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_those_who_wait() {
        let guesses = Guesses::default();
        for _ in 0..=FREE {
            guesses.begin("mara", at(HOME), None).unwrap().wrong();
        }
        guesses.lock().values_mut().filter(|bucket| bucket.failures > 0).for_each(|bucket| bucket.next += LONGEST);
        for number in 0..2 * u32::try_from(BUCKETS).unwrap() {
            guesses.begin("name", IpAddr::from(number.to_be_bytes()), None).unwrap().wrong();
        }
        assert!(guesses.lock().len() <= BUCKETS);
        assert!(guesses.begin("mara", at(HOME), None).is_err(), "flooding the table does not free a bucket that waits");
    }
}
