//! An input's limits hold, and whoever passes one is told.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::BROADCAST_KEY;
use crate::bed::Ctx;
use crate::daemon::Daemon;
use crate::runner::Case;
use crate::tags;
use crate::tap::Tap;
use crate::wait::secs;
use crate::wire::{Amf, Message, Wire, decode, kind};

pub(super) const CASES: &[Case] =
    &[Case::new("limits/a publisher above the input's bitrate limit is closed and told of", bitrate)];

/// The least that an input can be limited to, bit/s.
const LEAST: u64 = 100_000;

fn bitrate(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let limit = |bitrate: u64| json!({"limits": {"bitrateBps": bitrate}});
    let below = daemon.call("PATCH", "/inputs/main", Some(&limit(LEAST - 1)))?;
    ensure!(below.status == 422 && below.text.contains("limits.bitrateBps"), "below the least: {below:?}");
    let input = daemon.ask("PATCH", "/inputs/main", Some(&limit(LEAST)))?;
    ensure!(input["limits"]["bitrateBps"] == LEAST, "{input}");
    // Half of what is allowed goes on; eight times as much is closed within seconds.
    let said = publish(&daemon, 50_000, secs(2))?;
    ensure!(said.is_none(), "half of what is allowed was closed: {said:?}");
    ensure!(daemon.events()?.iter().all(|event| event["code"] != "publisher_limit"), "a limit was passed by nobody");
    let said = publish(&daemon, 800_000, secs(6))?.context("eight times as much as is allowed was not closed")?;
    ensure!(said == "NetStream.Unpublish.Success", "it was closed with {said:?}");
    let event = daemon.wait_event("publisher_limit", secs(2))?;
    ensure!(event["severity"] == "error" && event["input"] == "main", "{event}");
    ctx.note(event["sentence"].as_str().unwrap_or_default());
    daemon.wait_input("none", secs(2))?;
    daemon.wait_state(&club, "waiting", secs(3))?;
    ensure!(tap.visits().iter().all(|visit| visit.ended_properly), "the destination was not ended properly");
    daemon.ask("PATCH", "/inputs/main", Some(&limit(10 * LEAST)))?;
    let said = publish(&daemon, 800_000, secs(2))?;
    ensure!(said.is_none(), "what is allowed now was closed: {said:?}");
    Ok(())
}

/// Publishes at this bitrate in real time; ends properly, unless the box ends it first. Then that is what it said.
fn publish(daemon: &Daemon, bitrate: usize, time: Duration) -> Result<Option<String>> {
    let key = daemon.key()?;
    let mut wire = Wire::connect(daemon.rtmp())?;
    let status = wire.publish("live", &key)?;
    ensure!(status == "NetStream.Publish.Start", "the publisher was told {status:?}");
    wire.socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    let send = |wire: &mut Wire, timestamp: u32, body| {
        // Closed in the middle of it: what the box said before that is still there to be read.
        let _ = wire.send(6, &Message { kind: kind::VIDEO, stream_id: 1, timestamp, body });
    };
    send(&mut wire, 0, tags::avc_config());
    let start = Instant::now();
    for number in 0.. {
        let due = Duration::from_millis(u64::from(number) * 40);
        if due > time {
            break;
        }
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        send(&mut wire, number * 40, tags::picture(number % 25 == 0, number, bitrate / 8 / 25));
        let told = told(&mut wire)?;
        if told.is_some() {
            return Ok(told);
        }
    }
    wire.unpublish(&key)?;
    drop(wire);
    daemon.wait_input("none", secs(3))?;
    Ok(None)
}

/// The status that the box has sent meanwhile; `nothing` if it has closed without one.
fn told(wire: &mut Wire) -> Result<Option<String>> {
    loop {
        let message = match wire.message() {
            Ok(Some(message)) => message,
            Err(error) if error.downcast_ref().is_some_and(is_timeout) => return Ok(None),
            Ok(None) | Err(_) => return Ok(Some("nothing".into())),
        };
        if message.kind == kind::COMMAND {
            let values = decode(&message.body)?;
            if values.first().and_then(Amf::as_text) == Some("onStatus") {
                let code = values.get(3).and_then(|info| info.field("code")).and_then(Amf::as_text);
                return Ok(Some(code.unwrap_or_default().to_owned()));
            }
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
