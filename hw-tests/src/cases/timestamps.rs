//! Whatever the publisher's clock does, what leaves the box runs on, and nothing is lost.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::BROADCAST_KEY;
use crate::bed::Ctx;
use crate::daemon::Daemon;
use crate::runner::Case;
use crate::tags;
use crate::tap::{Arrival, Tap};
use crate::wait::{self, secs};
use crate::wire::{Message, Wire, kind};

pub(super) const CASES: &[Case] = &[
    Case::new("timestamps/what arrives is monotonic whatever the publisher's clock does", any_clock),
    Case::new("timestamps/after 4 h 39 min they no longer fit into 24 bits", extended),
];

/// One message as it was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    kind: u8,
    timestamp: u32,
    fingerprint: u64,
    /// The time since the message before of its kind really passed: it has to be kept to the millisecond.
    even: bool,
}

/// A publisher of numbered messages, and what it has sent.
struct Clockmaker {
    wire: Wire,
    key: String,
    sent: Vec<Sent>,
}

impl Clockmaker {
    fn start(daemon: &Daemon) -> Result<Self> {
        let key = daemon.key()?;
        let mut wire = Wire::connect(daemon.rtmp())?;
        let status = wire.publish("live", &key)?;
        ensure!(status == "NetStream.Publish.Start", "the publisher was told {status:?}");
        Ok(Self { wire, key, sent: Vec::new() })
    }

    fn send(&mut self, kind: u8, timestamp: u32, even: bool, body: Vec<u8>) -> Result<()> {
        let message = Message { kind, stream_id: 1, timestamp, body };
        self.wire.send(if kind == kind::VIDEO { 6 } else { 4 }, &message)?;
        self.sent.push(Sent { kind, timestamp, fingerprint: message.fingerprint(), even });
        Ok(())
    }

    /// Ends properly, and gives what was sent and what arrived: every message once, in order within its kind.
    fn end(mut self, tap: &Tap) -> Result<Vec<(Sent, Arrival)>> {
        self.wire.unpublish(&self.key)?;
        wait::until(secs(10), "the end at the destination", || {
            Ok(tap.visits().first().is_some_and(|visit| visit.closed).then_some(()))
        })?;
        let visits = tap.visits();
        ensure!(visits.len() == 1, "there were {} connections", visits.len());
        let mut pairs = Vec::new();
        for kind in [kind::VIDEO, kind::AUDIO] {
            let sent: Vec<_> = self.sent.iter().filter(|sent| sent.kind == kind).collect();
            let got: Vec<_> = visits[0].arrivals.iter().filter(|arrival| arrival.kind == kind).collect();
            let differs = sent.iter().zip(&got).find(|(sent, got)| sent.fingerprint != got.fingerprint);
            if let Some((sent, got)) = differs {
                anyhow::bail!(
                    "type {kind}: another message than that of {} arrived at {}",
                    sent.timestamp,
                    got.timestamp
                );
            }
            ensure!(sent.len() == got.len(), "type {kind}: {} of {} messages arrived", got.len(), sent.len());
            pairs.extend(sent.into_iter().zip(got).map(|(sent, got)| (*sent, *got)));
        }
        Ok(pairs)
    }
}

/// Two seconds each on a clock that goes on anywhere: pictures every 40 ms, sound 13 ms after each.
fn any_clock(ctx: &Ctx) -> Result<()> {
    /// Crosses 2^32 in its middle.
    const WRAP: u32 = u32::MAX - 999;
    /// Far ahead of what came before, and the last one.
    const LATE: u32 = WRAP - 5_000_000;
    let clocks = [
        WRAP,
        // Forward, backward.
        3_000_000_000,
        100_000_000,
        // Crosses 2^24, from where on timestamps are extended.
        0xff_ffff - 999,
        0,
        // Crosses 2^31.
        0x7fff_ffff - 999,
        LATE,
    ];
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let mut publisher = Clockmaker::start(&daemon)?;
    publisher.send(kind::VIDEO, WRAP, false, tags::avc_config())?;
    publisher.send(kind::AUDIO, WRAP, false, tags::aac_config())?;
    let mut number = 0;
    for start in clocks {
        for n in 0..50 {
            number += 1;
            let time = start.wrapping_add(n * 40);
            // Larger than a chunk now and then: further chunks repeat an extended timestamp.
            let bytes = if n % 10 == 0 { 70_000 } else { 200 };
            publisher.send(kind::VIDEO, time, n > 0, tags::picture(n % 25 == 0, number, bytes))?;
            publisher.send(kind::AUDIO, time.wrapping_add(13), n > 0, tags::sound(number, 90))?;
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    // At last it trembles: every third picture is said to be earlier than the one before.
    for n in 0..50 {
        number += 1;
        let time = LATE + 2_000 + n * 40 - if n % 3 == 2 { 70 } else { 0 };
        publisher.send(kind::VIDEO, time, false, tags::picture(false, number, 200))?;
    }
    let pairs = publisher.end(&tap)?;
    for ((before, earlier), (sent, got)) in pairs.iter().zip(&pairs[1..]) {
        if before.kind != sent.kind {
            continue;
        }
        let place = format!("type {}, sent at {} after {}", sent.kind, sent.timestamp, before.timestamp);
        let step = got.timestamp.checked_sub(earlier.timestamp);
        let step = step.with_context(|| format!("{place}: at {} after {}", got.timestamp, earlier.timestamp))?;
        // A clock that jumps is no time that passes.
        ensure!(step < 1_000, "{place}: {step} ms later");
        let due = sent.timestamp.wrapping_sub(before.timestamp);
        ensure!(!sent.even || step == due, "{place}: {step} ms later instead of {due}");
    }
    ctx.note(format!("{} messages, all in order", pairs.len()));
    Ok(())
}

/// Five hours in a second: pictures whose times are nine seconds apart.
fn extended(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let mut publisher = Clockmaker::start(&daemon)?;
    publisher.send(kind::VIDEO, 0, false, tags::avc_config())?;
    for number in 0..2000_u32 {
        let key = number % 50 == 0;
        publisher.send(
            kind::VIDEO,
            number * 9_000,
            false,
            tags::picture(key, number, if key { 70_000 } else { 200 }),
        )?;
        if key {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let pairs = publisher.end(&tap)?;
    let wrong = pairs.iter().find(|(sent, got)| sent.timestamp != got.timestamp);
    ensure!(wrong.is_none(), "a time has changed: {wrong:?}");
    let last = pairs.last().map(|(_, got)| got.timestamp).context("nothing arrived")?;
    ensure!(last > 0xff_ffff, "the last time was {last}: this shows nothing");
    Ok(())
}
