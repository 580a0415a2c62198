//! One measurement, from start to figures.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::gate::{Gate, Seen};
use super::relays::{Relay, Running};
use super::scan::Frame;
use super::sink::Sink;
use crate::bed::{Ctx, Tools};
use crate::daemon::Daemon;
use crate::media::Clip;
use crate::peers::ffmpeg::Publisher;
use crate::procfs;
use crate::tap::percentile;
use crate::wait::{self, secs};

/// How fast the publisher sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Pace {
    /// As fast as it is to be seen: 6 Mbit/s.
    RealTime,
    /// As fast as it is taken.
    FlatOut,
}

/// One measurement to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The relay.
    pub relay: Relay,
    /// How many destinations.
    pub destinations: usize,
    /// How fast.
    pub pace: Pace,
    /// For how long it is measured.
    pub window: Duration,
}

/// The figures of one measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// The relay.
    pub relay: Relay,
    /// How many destinations.
    pub destinations: usize,
    /// How fast.
    pub pace: Pace,
    /// CPU seconds for each minute of each destination.
    pub cpu_s_per_target_minute: f64,
    /// CPU seconds for each gigabyte that arrived.
    pub cpu_s_per_gb: f64,
    /// Megabytes a second that arrived at all destinations together.
    pub out_mb_per_s: f64,
    /// Private memory at the end of the window, MB.
    pub anon_mb: f64,
    /// Resident memory at the end of the window, MB.
    pub rss_mb: f64,
    /// Frames that did not arrive though later ones did, all destinations together.
    pub frames_lost: usize,
    /// Frames before the first that arrived, all destinations together.
    pub frames_missed_at_start: usize,
    /// Frames that should have arrived.
    pub frames_due: usize,
    /// From the publisher's connect to the first picture, the median of the destinations, ms.
    pub first_picture_ms: f64,
    /// From the frame's passing at the gate to its arrival, ms.
    pub latency_p50_ms: f64,
    /// The same, 99th percentile.
    pub latency_p99_ms: f64,
}

/// Makes one measurement.
///
/// # Errors
/// A process cannot be started, or not every destination gets the stream.
pub fn measure(tools: &Tools, plan: Plan) -> Result<Sample> {
    let Plan { relay, destinations, pace, window } = plan;
    let ctx = Ctx::new(tools, tools.build.join("bench/work"))?;
    let sink = Sink::open(relay.speech())?;
    let mut running = Running::start(&ctx, relay, destinations, sink.port)?;
    let gate = Gate::open(running.onward)?;
    let url = format!("rtmp://127.0.0.1:{}/{}", gate.port, running.path);
    let input: &[&str] = if pace == Pace::RealTime { &["-re", "-stream_loop", "-1"] } else { &["-stream_loop", "-1"] };
    let mut publisher = Publisher::start_with(&ctx, "publisher", Clip::Bench, &url, input, &[])?;
    wait::until(secs(10), "the first frame at the gate", || Ok((!gate.seen().frames.is_empty()).then_some(())))?;
    running.stream_is_there(&ctx)?;
    wait::until(secs(40), "the stream at every destination", || {
        ensure!(publisher.process.runs(), "the publisher ended: {}", publisher.process.said());
        Ok((sink.playing() >= destinations).then_some(()))
    })
    .with_context(|| format!("only {} of {destinations} have it", sink.playing()))?;
    // What is done once, at the start, is no cost of a minute: Brookbox fills a log of ten seconds.
    std::thread::sleep(if pace == Pace::RealTime { secs(12) } else { secs(2) });
    let (cpu, bytes, start) = (running.cpu()?, sink.bytes(), Instant::now());
    std::thread::sleep(window);
    let (cpu, bytes, took) = (running.cpu()? - cpu, sink.bytes() - bytes, start.elapsed());
    let (anon, rss) = running.memory()?;
    // What is on its way gets time to arrive; the relay may then go.
    publisher.process.kill();
    let given_up = Instant::now() + secs(15);
    loop {
        let before = sink.bytes();
        std::thread::sleep(Duration::from_millis(700));
        if sink.bytes() == before || Instant::now() > given_up {
            break;
        }
    }
    drop(running);
    wait::until(secs(10), "the connections' end", || Ok((sink.connections() == 0).then_some(())))?;
    let seen = gate.seen();
    let frames = compare(&seen, &sink.arrivals(), start, start + took);
    let minutes = took.as_secs_f64() / 60.0;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(Sample {
        relay,
        destinations,
        pace,
        cpu_s_per_target_minute: cpu.as_secs_f64() / minutes / destinations as f64,
        cpu_s_per_gb: cpu.as_secs_f64() / (bytes.max(1) as f64 / 1e9),
        out_mb_per_s: bytes as f64 / 1e6 / took.as_secs_f64(),
        anon_mb: anon as f64 / 1e6,
        rss_mb: rss as f64 / 1e6,
        frames_lost: frames.lost,
        frames_missed_at_start: frames.missed_at_start,
        frames_due: frames.due,
        first_picture_ms: ms(percentile(&frames.first_pictures, 0.5)),
        latency_p50_ms: ms(percentile(&frames.latencies, 0.5)),
        latency_p99_ms: ms(percentile(&frames.latencies, 0.99)),
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[derive(Debug, Default)]
struct Compared {
    lost: usize,
    missed_at_start: usize,
    due: usize,
    /// Sorted.
    latencies: Vec<Duration>,
    /// Sorted.
    first_pictures: Vec<Duration>,
}

/// Goes through what came by at the gate and what arrived, side by side. Losses and latencies are counted for frames
/// that came by between `from` and `to`.
fn compare(seen: &Seen, arrivals: &[Vec<Frame>], from: Instant, to: Instant) -> Compared {
    /// A frame is looked for among that many next ones.
    const AHEAD: usize = 20_000;
    let mut compared = Compared::default();
    let inside = |frame: &Frame| frame.at >= from && frame.at < to;
    for arrived in arrivals {
        // Sound and picture each for itself: some relays change their order among each other.
        for picture in [true, false] {
            let sent: Vec<_> = seen.frames.iter().filter(|frame| frame.picture == picture).collect();
            let mut expected = 0;
            let mut started = false;
            for frame in arrived.iter().filter(|frame| frame.picture == picture) {
                let ahead = sent[expected..].iter().take(AHEAD);
                let Some(skipped) = ahead.clone().position(|sent| sent.fingerprint == frame.fingerprint) else {
                    continue;
                };
                if started {
                    compared.lost += ahead.take(skipped).filter(|sent| inside(sent)).count();
                } else {
                    compared.missed_at_start += skipped;
                    started = true;
                }
                let sent = sent[expected + skipped];
                expected += skipped + 1;
                if inside(sent) {
                    compared.due += 1;
                    compared.latencies.push(frame.at.saturating_duration_since(sent.at));
                }
            }
            // What did not arrive at all before the end of the window.
            compared.lost += sent[expected..].iter().filter(|sent| inside(sent)).count();
        }
        let first = arrived.iter().find(|frame| frame.picture);
        if let (Some(first), Some(connected)) = (first, seen.connected) {
            compared.first_pictures.push(first.at.saturating_duration_since(connected));
        }
    }
    compared.due += compared.lost;
    compared.latencies.sort();
    compared.first_pictures.sort();
    compared
}

/// Figures of Brookbox alone.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Extras {
    /// From the start of the process to `ready`, median, ms.
    pub ready_ms: f64,
    /// Size of the program, MB.
    pub binary_mb: f64,
    /// CPU used while ten destinations wait and nothing is published, % of one core.
    pub idle_cpu_percent: f64,
    /// From a destination's switching on in the middle of a stream to its first picture, median, ms.
    pub join_ms: f64,
}

/// Measures what only Brookbox is asked for.
///
/// # Errors
/// A process cannot be started, or a picture does not come.
pub fn extras(tools: &Tools, idle: Duration) -> Result<Extras> {
    let ctx = Ctx::new(tools, tools.build.join("bench/work"))?;
    let sink = crate::tap::Tap::start()?;
    let mut daemon = Daemon::start(&ctx)?;
    for n in 0..10 {
        daemon.add_destination(&format!("Sink {n}"), &sink.url(), &format!("k{n}"))?;
    }
    let mut ready = Vec::new();
    for _ in 0..5 {
        daemon.restart()?;
        ready.push(daemon.ready_after);
    }
    ready.sort();
    std::thread::sleep(secs(2));
    let before = procfs::cpu(daemon.pid())?;
    std::thread::sleep(idle);
    let used = procfs::cpu(daemon.pid())? - before;
    let mut publisher = Publisher::start_with(
        &ctx,
        "publisher",
        Clip::Bench,
        &daemon.publish_url()?,
        &["-re", "-stream_loop", "-1"],
        &[],
    )?;
    daemon.wait_input("receiving", secs(10))?;
    let mut joins = Vec::new();
    for n in 0..7 {
        // Not always at the same place in the group of pictures.
        std::thread::sleep(Duration::from_millis(700));
        let key = format!("join{n}");
        let start = Instant::now();
        daemon.add_destination("Joining", &sink.url(), &key)?;
        wait::until(secs(5), "its first picture", || Ok((sink.pictures(&key) > 0).then_some(())))?;
        let first = sink.visits_of(&key).first().and_then(|v| v.arrivals.iter().find(|a| a.picture)).map(|a| a.at);
        joins.push(first.context("a picture that was there")?.saturating_duration_since(start));
    }
    joins.sort();
    publisher.stop()?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(Extras {
        ready_ms: ms(ready[2]),
        binary_mb: std::fs::metadata(&tools.brookboxd)?.len() as f64 / 1e6,
        idle_cpu_percent: used.as_secs_f64() / idle.as_secs_f64() * 100.0,
        join_ms: ms(joins[3]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_missed_and_late_frames_are_counted() {
        let start = Instant::now();
        let at =
            |ms: u64, fingerprint: u64| Frame { at: start + Duration::from_millis(ms), fingerprint, picture: true };
        let seen = Seen { connected: Some(start), frames: (0..10).map(|n| at(n * 10, n)).collect() };
        // Frame 0 is missed, 4 and 5 are lost, each other comes 2 ms late, and the last two never come.
        let arrived = [1, 2, 3, 6, 7].map(|n| at(n * 10 + 2, n)).to_vec();
        let found = compare(&seen, &[arrived], start, start + Duration::from_secs(1));
        assert_eq!((found.missed_at_start, found.lost, found.due), (1, 4, 9));
        assert_eq!(percentile(&found.latencies, 0.99), Duration::from_millis(2));
        assert_eq!(found.first_pictures, [Duration::from_millis(12)]);
    }

    #[test]
    fn sound_may_change_places_with_pictures() {
        let start = Instant::now();
        let frame = |fingerprint, picture| Frame { at: start, fingerprint, picture };
        let seen = Seen { connected: Some(start), frames: vec![frame(1, true), frame(2, false), frame(3, true)] };
        let arrived = vec![frame(2, false), frame(1, true), frame(3, true)];
        let found = compare(&seen, &[arrived], start, start + Duration::from_secs(1));
        assert_eq!((found.missed_at_start, found.lost, found.due), (0, 0, 3));
    }
}
