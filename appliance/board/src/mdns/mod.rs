//! How the box is found: multicast DNS (RFC 6762) and its services (RFC 6763).
//!
//! There is one responder for each link, so that a link hears of its own addresses only: IPv4, and IPv6 link-local and
//! unique local. Global IPv6 addresses are left out, because browsers refuse a public page what a private one may do;
//! loopback is left out too. A name is probed for on a link before it is announced there. The box has one name: where
//! another box answers to it on any link, all links go on to `NAME-2`, `NAME-3` … Where two boxes have had one name, each
//! on a network of its own, and the networks are joined, the one with the lower address gives way.

mod changes;
mod links;
mod responder;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::mdns::changes::Changes;
use crate::mdns::links::Served;
use crate::mdns::responder::{End, News, Reporter, Responder};

/// Longest label of a name in the DNS, in bytes (RFC 1035, section 2.3.4).
const LABEL: usize = 63;
/// After so many names were taken, the next is tried only after [`PATIENCE`] (RFC 6762, section 8.1).
const HASTE: u32 = 15;
const PATIENCE: Duration = Duration::from_secs(5);
/// A rival who ought to give way is given so many times so long.
const CONTESTS: u32 = 3;
const CONTEST: Duration = Duration::from_secs(3);
/// What changes together is looked at together.
const SETTLING: Duration = Duration::from_millis(30);

/// What is to be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The box's name: one label, `brookbox` for `brookbox.local`.
    pub name: String,
    /// Its services.
    pub services: Vec<Service>,
    /// The TXT record of every service: names and values.
    pub txt: Vec<(String, String)>,
}

/// A service of the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// As `_http._tcp`.
    pub kind: &'static str,
    /// Where it listens: it is announced only where it can be reached.
    pub listener: SocketAddr,
}

/// What is announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The host name, as `brookbox-2.local`; empty before the first look at the network.
    pub host: String,
    /// Whether the name has been probed for and announced on every link that there is.
    pub settled: bool,
}

/// Announces what is wanted, follows every change of it and of the network, and says goodbye when the sender of
/// `wanted` is gone. `told` shows what is announced.
pub async fn announce(wanted: watch::Receiver<Wanted>, told: watch::Sender<Announced>) {
    let (news, heard) = mpsc::channel(64);
    let first = wanted.borrow().clone();
    let announcer = Announcer {
        now: first,
        taken: 0,
        links: BTreeMap::new(),
        generation: 0,
        contests: 0,
        hold_until: None,
        news,
        told,
    };
    announcer.run(wanted, heard).await;
}

struct Announcer {
    now: Wanted,
    /// How many names are taken: 1 makes `NAME-2`.
    taken: u32,
    /// By the interface's index.
    links: BTreeMap<u32, Link>,
    /// Counts responders, so that late news of one that was ended are told from those of its successor.
    generation: u64,
    /// How often the name was found with a rival who ought to give way and did not yet.
    contests: u32,
    /// Nothing is announced until then.
    hold_until: Option<Instant>,
    news: mpsc::Sender<(u32, u64, News)>,
    told: watch::Sender<Announced>,
}

struct Link {
    name: String,
    served: Served,
    generation: u64,
    /// `None` while it is asked who has the name, before anything is announced.
    responder: Option<Responder>,
    /// Whether it is being asked who has the name: anybody can make us ask, but not twice at a time.
    asking: bool,
}

impl Link {
    fn reporter(&self, index: u32, to: &mpsc::Sender<(u32, u64, News)>) -> Reporter {
        Reporter { index, generation: self.generation, to: to.clone() }
    }

    fn end(self) -> Option<End> {
        self.responder.map(Responder::end)
    }
}

impl Announcer {
    async fn run(mut self, mut wanted: watch::Receiver<Wanted>, mut heard: mpsc::Receiver<(u32, u64, News)>) {
        let mut changes = Changes::watch();
        self.look();
        loop {
            let held = self.hold_until;
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let new = wanted.borrow_and_update().clone();
                    self.change(new).await;
                }
                () = changes.next() => {
                    tokio::time::sleep(SETTLING).await;
                    self.look();
                }
                Some((index, generation, news)) = heard.recv() => self.hear(index, generation, news).await,
                () = sleep_until(held.unwrap_or_else(Instant::now)), if held.is_some() => {
                    self.hold_until = None;
                    self.look();
                }
            }
            self.tell();
        }
        self.end_all().await;
    }

    /// Begins on links that are new, ends on those that are gone.
    fn look(&mut self) {
        let there = links::list(&self.now.services);
        let gone = |index: &u32| !there.contains_key(index);
        for index in self.links.keys().copied().filter(gone).collect::<Vec<_>>() {
            if let Some(link) = self.links.remove(&index) {
                tracing::info!(link = link.name, "mDNS: the link is gone");
                link.end();
            }
        }
        if self.hold_until.is_none() {
            for (index, (name, served)) in there {
                // More addresses of a kind that is announced there already are the responder's own business. What was not
                // probed for on this link has to be, now.
                match self.links.get_mut(&index) {
                    Some(link) if link.served.is_superset(&served) => link.served = served,
                    _ => self.begin(index, name, served, true),
                }
            }
        }
        self.tell();
    }

    fn begin(&mut self, index: u32, name: String, served: Served, probe: bool) {
        if let Some(before) = self.links.remove(&index) {
            before.end();
        }
        let host = self.label();
        let reporter = self.reporter(index);
        let generation = reporter.generation;
        match Responder::begin(&host, &self.now, &served, probe, reporter) {
            Ok(responder) => {
                tracing::info!(link = name, host = format!("{host}.local"), probe, "mDNS: to be announced");
                self.links.insert(index, Link { name, served, generation, responder: Some(responder), asking: false });
            }
            // The next change of the network is another try.
            Err(error) => tracing::warn!(link = name, %error, "mDNS: nothing can be announced on this link"),
        }
    }

    fn reporter(&mut self, index: u32) -> Reporter {
        self.generation += 1;
        Reporter { index, generation: self.generation, to: self.news.clone() }
    }

    async fn change(&mut self, new: Wanted) {
        let renamed = new.name != self.now.name || new.services != self.now.services;
        self.now = new;
        if renamed {
            self.taken = 0;
            self.contests = 0;
            self.hold_until = None;
            self.end_all().await;
            self.look();
        } else {
            let host = self.label();
            for responder in self.links.values_mut().filter_map(|link| link.responder.as_mut()) {
                responder.update(&host, &self.now);
            }
        }
    }

    async fn hear(&mut self, index: u32, generation: u64, news: News) {
        let others = self.links.len() > 1;
        let host = self.label();
        let Some(link) = self.links.get_mut(&index).filter(|link| link.generation == generation) else { return };
        match news {
            News::Announced(service) => {
                let Some(responder) = &mut link.responder else { return };
                if responder.announced(&service, &host, &self.now) {
                    tracing::info!(link = link.name, host = format!("{host}.local"), "mDNS: announced");
                }
            }
            // Two links may lead to the same network, by cable and by Wi-Fi: then it may be the box itself that answers.
            News::Taken if others => {
                if let Some(responder) = link.responder.take() {
                    responder.end();
                }
                let reporter = self.reporter(index);
                if let Some(link) = self.links.get_mut(&index) {
                    (link.generation, link.asking) = (reporter.generation, true);
                }
                tokio::spawn(responder::ask(host, reporter));
            }
            News::Taken => self.give_way(index).await,
            // What was heard may be an address that the box had before.
            News::Heard(addresses) if !link.asking && !is_own(&addresses) => {
                link.asking = true;
                tokio::spawn(responder::ask(host, link.reporter(index, &self.news)));
            }
            News::Heard(_) => {}
            News::Holders(holders) => {
                let (name, served) = (link.name.clone(), link.served.clone());
                link.asking = false;
                match (is_own(&holders), &mut link.responder) {
                    (true, None) => self.begin(index, name, served, false),
                    (false, None) => self.give_way(index).await,
                    (true, Some(_)) => self.contests = 0,
                    (false, Some(_)) if holders.is_empty() => self.contests = 0,
                    // Both had the name, each on a network of its own. Whoever would lose the probing gives way (RFC 6762,
                    // section 8.2); the other says that it is here, lest it was not heard. A rival who ought to give way
                    // and does not keeps the name all the same.
                    (false, Some(responder)) if self.contests < CONTESTS && outranks(index, &holders) => {
                        self.contests += 1;
                        link.asking = true;
                        responder.update(&host, &self.now);
                        let reporter = link.reporter(index, &self.news);
                        tokio::spawn(async move {
                            tokio::time::sleep(CONTEST).await;
                            responder::ask(host, reporter).await;
                        });
                    }
                    (false, Some(_)) => self.give_way(index).await,
                }
            }
        }
    }

    /// Another box has the name: on to the next, everywhere.
    async fn give_way(&mut self, index: u32) {
        let taken = self.label();
        self.taken = self.taken.saturating_add(1);
        self.contests = 0;
        tracing::warn!(
            link = self.links.get(&index).map(|link| &link.name),
            taken = format!("{taken}.local"),
            next = format!("{}.local", self.label()),
            "mDNS: another box has this name"
        );
        self.hold_until = (self.taken >= HASTE).then(|| Instant::now() + PATIENCE);
        self.end_all().await;
        self.look();
    }

    /// Says goodbye on every link, and waits until that is said.
    async fn end_all(&mut self) {
        let ends: Vec<_> = std::mem::take(&mut self.links).into_values().filter_map(Link::end).collect();
        for end in ends {
            end.wait().await;
        }
    }

    fn label(&self) -> String {
        label(&self.now.name, self.taken)
    }

    fn tell(&self) {
        let settled = self.hold_until.is_none()
            && self.links.values().all(|link| link.responder.as_ref().is_some_and(Responder::is_settled));
        let announced = Announced { host: format!("{}.local", self.label()), settled };
        self.told.send_if_modified(|told| {
            let news = *told != announced;
            *told = announced;
            news
        });
    }
}

/// Whether these are addresses, and all of them this machine's.
fn is_own(addresses: &BTreeSet<IpAddr>) -> bool {
    !addresses.is_empty() && addresses.is_subset(&links::addresses(None))
}

/// Whether the box's addresses on this link are above a rival's: the one who has the greater keeps the name.
fn outranks(index: u32, holders: &BTreeSet<IpAddr>) -> bool {
    let rivals = holders - &links::addresses(None);
    is_above(&links::addresses(Some(index)), &rivals)
}

/// Compares by the first kind of address that both have, so that two who compare each other come to one result even where
/// one has heard only some of the other's.
fn is_above(own: &BTreeSet<IpAddr>, rivals: &BTreeSet<IpAddr>) -> bool {
    let greatest = |of: &BTreeSet<IpAddr>, v4| of.iter().rev().find(|address| address.is_ipv4() == v4).copied();
    let compared = [true, false].into_iter().find_map(|v4| Some(greatest(own, v4)? > greatest(rivals, v4)?));
    compared.unwrap_or(false)
}

/// The label to announce when so many before it are taken.
fn label(name: &str, taken: u32) -> String {
    let suffix = if taken == 0 { String::new() } else { format!("-{}", u64::from(taken) + 1) };
    let room = LABEL - suffix.len();
    // A name is letters, digits and hyphens; were it not, it is cut between characters all the same.
    let cut = name.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= room).last();
    format!("{}{suffix}", name.get(..cut.unwrap_or(0)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_boxes_exactly_one_keeps_the_name() {
        let set = |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
        let low: BTreeSet<IpAddr> = set(&["10.0.0.9", "fe80::9"]);
        for high in [set(&["10.0.0.10", "fe80::1"]), set(&["10.0.0.10"]), set(&["fe80::a", "fd00::1"])] {
            assert!(is_above(&high, &low) && !is_above(&low, &high), "{high:?}");
        }
        assert!(!is_above(&set(&["10.0.0.1"]), &set(&["fe80::1"])), "nothing to compare: nobody insists");
    }

    #[test]
    fn names_that_are_taken_give_way_to_numbers() {
        assert_eq!(label("brookbox", 0), "brookbox");
        assert_eq!(label("brookbox", 1), "brookbox-2");
        assert_eq!(label("river-street", 9), "river-street-10");
        let long = "a".repeat(63);
        assert_eq!(label(&long, 0), long);
        assert_eq!(label(&long, 1), format!("{}-2", "a".repeat(61)));
    }
}
