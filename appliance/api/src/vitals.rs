//! How the machine does: heat, power, memory and disk, every ten seconds; and what a person has to know of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brookbox_store::Time;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;

use crate::app::{App, blocking};
use crate::machine::{self, Interface, Machine};
use crate::notices;
use crate::sentences::Deed;

/// Each look is a wake-up.
const EVERY: Duration = Duration::from_secs(10);
/// Something is wrong after so many looks that say so, and in order after so many that do not.
const LOOKS: u32 = 3;
/// Less disk than this is little, in bytes; a broadcast's events and settings need next to nothing.
const DISK: u64 = 1 << 30;
/// Of small disks it is this part.
const DISK_PART: u64 = 20;
/// Less memory than this part is little.
const MEMORY_PART: u64 = 16;
/// Interfaces whose addresses are remembered.
const MOST_INTERFACES: usize = 64;

/// What can be wrong with the machine.
const HOT: &str = "hot";
const UNDERVOLTAGE: &str = "undervoltage";
const DISK_LOW: &str = "disk_low";
const MEMORY_LOW: &str = "memory_low";

/// All of these.
pub(crate) const ALARMS: [&str; 4] = [HOT, UNDERVOLTAGE, DISK_LOW, MEMORY_LOW];

/// What is measured of the machine. What this machine does not say is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Board {
    /// The hottest thermal zone, °C.
    temperature_c: Option<f64>,
    /// Where the processor is slowed down, °C.
    throttle_c: Option<f64>,
    /// Whether the processor is slowed down now, for heat or want of power.
    throttled: Option<bool>,
    /// Whether the supply voltage is too low now.
    undervoltage: Option<bool>,
    /// Mean number of programs that wanted to run, over one minute.
    load: Option<f64>,
    /// Bytes of memory.
    memory_total: Option<u64>,
    /// Bytes of memory that programs could still have.
    memory_available: Option<u64>,
    /// Bytes of the file system that holds the box's data.
    storage_total: Option<u64>,
    /// Bytes of it that the box may still write.
    storage_free: Option<u64>,
    /// Whether the clock is in step with a time server.
    clock_synchronized: Option<bool>,
    /// What is wrong.
    alarms: Vec<BoardAlarm>,
}

/// Something that is wrong with the machine.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct BoardAlarm {
    /// Stable.
    #[schema(schema_with = crate::openapi::board_alarm)]
    code: &'static str,
    #[schema(value_type = String, format = DateTime)]
    since: Time,
}

impl From<&Machine> for Board {
    fn from(machine: &Machine) -> Self {
        Self {
            // Tenths are enough, and told only when they change.
            temperature_c: machine.temperature_c.map(|degrees| (degrees * 10.0).round() / 10.0),
            throttle_c: machine.throttle_c,
            throttled: machine.throttled,
            undervoltage: machine.undervoltage,
            load: machine.load,
            memory_total: machine.memory_total,
            memory_available: machine.memory_available,
            storage_total: machine.storage.as_ref().map(|storage| storage.total),
            storage_free: machine.storage.as_ref().map(|storage| storage.free),
            clock_synchronized: machine.clock_synchronized,
            alarms: Vec::new(),
        }
    }
}

impl Board {
    /// What this look says to each alarm.
    fn wrongs(&self) -> [(&'static str, bool); 4] {
        let is_low = |free: Option<u64>, least: Option<u64>| free.zip(least).is_some_and(|(free, least)| free < least);
        let heat = self.temperature_c.zip(self.throttle_c).is_some_and(|(now, limit)| now >= limit);
        [
            (HOT, heat || self.throttled == Some(true) && self.undervoltage != Some(true)),
            (UNDERVOLTAGE, self.undervoltage == Some(true)),
            (DISK_LOW, is_low(self.storage_free, self.storage_total.map(|total| (total / DISK_PART).min(DISK)))),
            (MEMORY_LOW, is_low(self.memory_available, self.memory_total.map(|total| total / MEMORY_PART))),
        ]
    }
}

/// How the machine did when it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    now: Mutex<Board>,
}

impl Vitals {
    /// Load and °C.
    pub(crate) fn load_and_heat(&self) -> (Option<f64>, Option<f64>) {
        let board = self.lock();
        (board.load, board.temperature_c)
    }

    pub(crate) fn now(&self) -> Board {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event for the beginning or the end of an alarm: its code and one plain sentence.
pub(crate) fn words(alarm: &str, is_on: bool) -> (&'static str, &'static str) {
    match (alarm, is_on) {
        (HOT, true) => ("box_hot", "The box is too hot and has slowed down."),
        (HOT, false) => ("box_cooled", "The box has cooled down."),
        (UNDERVOLTAGE, true) => ("box_undervoltage", "The power supply gives the box too little voltage."),
        (UNDERVOLTAGE, false) => ("box_power_well", "The power supply is in order again."),
        (DISK_LOW, true) => ("disk_low", "The box's disk is nearly full."),
        (DISK_LOW, false) => ("disk_well", "The box's disk has room again."),
        (_, true) => ("memory_low", "The box has little memory left."),
        (_, false) => ("memory_well", "The box has memory again."),
    }
}

/// Alarms, with what they hang on.
#[derive(Debug, Default)]
struct Alarms {
    on: BTreeMap<&'static str, Time>,
    /// How many looks in a row have said otherwise.
    otherwise: BTreeMap<&'static str, u32>,
}

impl Alarms {
    /// Notes what a look says; gives what began or ended.
    fn note(&mut self, wrongs: [(&'static str, bool); 4], now: Time) -> Vec<(&'static str, bool)> {
        let mut changed = Vec::new();
        for (code, is_wrong) in wrongs {
            let looks = self.otherwise.entry(code).or_default();
            *looks = if is_wrong == self.on.contains_key(code) { 0 } else { *looks + 1 };
            if *looks < LOOKS {
                continue;
            }
            *looks = 0;
            match is_wrong {
                true => _ = self.on.insert(code, now),
                false => _ = self.on.remove(code),
            }
            changed.push((code, is_wrong));
        }
        changed
    }
}

/// The addresses by which each interface was reached last. A cable that was pulled forgets none.
#[derive(Debug, Default)]
struct Moves {
    known: BTreeMap<String, BTreeSet<Ipv4Addr>>,
}

impl Moves {
    /// Notes the addresses there are; gives an old and a new one of each interface that has none of its old ones left. Only
    /// IPv4: those of IPv6 change by themselves, and nobody types them into a program.
    fn note(&mut self, network: &[Interface]) -> Vec<(Ipv4Addr, Ipv4Addr)> {
        let mut moved = Vec::new();
        for Interface { name, addresses, .. } in network {
            let now = addresses.iter().filter_map(|address| address.parse().ok());
            let now: BTreeSet<Ipv4Addr> = now.filter(|address: &Ipv4Addr| !address.is_link_local()).collect();
            let Some(&to) = now.first() else { continue };
            let before = self.known.insert(name.clone(), now.clone()).unwrap_or_default();
            if let Some(&from) = before.first().filter(|_| before.is_disjoint(&now)) {
                moved.push((from, to));
            }
        }
        // Interfaces come and go where programs make them.
        while self.known.len() > MOST_INTERFACES {
            self.known.pop_first();
        }
        moved
    }
}

/// Looks at the machine now and then. Ends with the program.
pub(crate) async fn run(app: App) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alarms = Alarms::default();
    let mut moves = Moves::default();
    loop {
        tick.tick().await;
        let looked = app.clone();
        let Ok(machine) = blocking(move || Ok(machine::look(looked.store.path()))).await else { continue };
        let mut board = Board::from(&machine);
        let changed = alarms.note(board.wrongs(), Time::now());
        board.alarms = alarms.on.iter().map(|(&code, &since)| BoardAlarm { code, since }).collect();
        *app.vitals.lock() = board;
        for (alarm, is_on) in changed {
            app.note(Deed::BoxNoticed { alarm, is_on }.event(None)).await;
        }
        for (from, to) in moves.note(&machine.network) {
            app.note(Deed::AddressChanged { from, to }.event(None)).await;
        }
        notices::look(&app).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_needs_more_than_one_look() {
        let mut alarms = Alarms::default();
        let mut look = |undervoltage| {
            let board = Board { undervoltage: Some(undervoltage), ..Board::default() };
            alarms.note(board.wrongs(), Time::from_ms(1))
        };
        assert_eq!((look(true), look(true)), (vec![], vec![]));
        assert_eq!(look(true), [(UNDERVOLTAGE, true)]);
        assert_eq!((look(true), look(false), look(true)), (vec![], vec![], vec![]));
        assert_eq!((look(false), look(false)), (vec![], vec![]));
        assert_eq!(look(false), [(UNDERVOLTAGE, false)]);
    }

    #[test]
    fn an_address_has_changed_when_no_old_one_is_left() {
        let mut moves = Moves::default();
        let mut note = |addresses: &[&str]| {
            let addresses = addresses.iter().map(ToString::to_string).collect();
            let interface = Interface { name: "eth0".into(), up: true, speed_mbps: None, addresses };
            moves.note(&[interface]).into_iter().map(|(from, to)| format!("{from} {to}")).collect::<Vec<_>>()
        };
        let nothing = Vec::<String>::new();
        assert_eq!(note(&["192.168.1.5", "fe80::1"]), nothing, "the first one is no change");
        assert_eq!(note(&[]), nothing, "the cable was pulled");
        assert_eq!(note(&["169.254.7.7"]), nothing, "no address came");
        assert_eq!(note(&["192.168.1.5"]), nothing, "the same again");
        assert_eq!(note(&["10.0.0.9"]), ["192.168.1.5 10.0.0.9"]);
        assert_eq!(note(&["10.0.0.9", "10.0.0.10"]), nothing);
        assert_eq!(note(&["10.0.0.10"]), nothing, "by this one it was reached before");
    }

    #[test]
    fn what_is_not_measured_is_not_wrong() {
        let of =
            |board: Board| board.wrongs().into_iter().filter(|(_, on)| *on).map(|(code, _)| code).collect::<Vec<_>>();
        assert_eq!(of(Board::default()), [] as [&str; 0]);
        let gib = |n: u64| Some(n << 30);
        assert_eq!(of(Board { storage_free: gib(2), storage_total: gib(64), ..Board::default() }), [] as [&str; 0]);
        assert_eq!(of(Board { storage_free: Some(900 << 20), storage_total: gib(64), ..Board::default() }), [DISK_LOW]);
        assert_eq!(
            of(Board { storage_free: Some(900 << 20), storage_total: gib(4), ..Board::default() }),
            [] as [&str; 0]
        );
        assert_eq!(
            of(Board { memory_available: Some(50 << 20), memory_total: gib(1), ..Board::default() }),
            [MEMORY_LOW]
        );
        assert_eq!(of(Board { temperature_c: Some(80.0), throttle_c: Some(80.0), ..Board::default() }), [HOT]);
        assert_eq!(of(Board { throttled: Some(true), ..Board::default() }), [HOT]);
        let hungry = Board { throttled: Some(true), undervoltage: Some(true), ..Board::default() };
        assert_eq!(of(hungry), [UNDERVOLTAGE]);
    }
}
