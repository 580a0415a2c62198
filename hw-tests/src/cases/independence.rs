//! Nothing that one destination does disturbs another.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{BROADCAST_KEY, compare_file};
use crate::bed::Ctx;
use crate::daemon::Daemon;
use crate::fault::{self, Fault, Faulty};
use crate::frames::{self, Part};
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::Publisher;
use crate::peers::nginx::NginxRtmp;
use crate::procfs;
use crate::runner::Case;
use crate::tags;
use crate::tap::{self, Tap};
use crate::wait::{self, secs};
use crate::wire::{Message, Wire, kind};

pub(super) const CASES: &[Case] = &[
    Case::new("independence/one switched twenty times, one black-holed, one refusing", disturbed).timing().limit(200),
    Case::new("independence/edited and deleted neighbours", neighbours),
    Case::new("independence/a destination joins in the middle with a keyframe", joins),
    Case::new("independence/a black hole 8 MiB behind does not hold up the publisher", far_behind).timing(),
];

/// How long each of the two runs goes on: twenty times off and on, and a little before and after.
const RUN: u64 = 44;

fn disturbed(ctx: &Ctx) -> Result<()> {
    let quiet = inter_arrival(ctx, "quiet", false)?;
    let disturbed = inter_arrival(ctx, "disturbed", true)?;
    ctx.note(format!("inter-arrival p99: {quiet:.1?} undisturbed, {disturbed:.1?} disturbed"));
    ensure!(disturbed <= quiet + Duration::from_millis(20), "the healthy destination was disturbed: {disturbed:.1?}");
    Ok(())
}

/// One run; checks that the healthy destinations lost nothing and gives the 99th percentile of the time between two
/// pictures at one of them.
fn inter_arrival(ctx: &Ctx, name: &str, disturb: bool) -> Result<Duration> {
    let mut nginx = NginxRtmp::start(ctx, &format!("nginx-{name}"))?;
    let stopwatch = Tap::start()?;
    let black_hole = Faulty::start(Fault::BlackHole)?;
    let daemon = Daemon::start_as(ctx, name, crate::daemon::Options::default())?;
    daemon.add_destination("Healthy", &nginx.url(), BROADCAST_KEY)?;
    daemon.add_destination("Timed", &stopwatch.url(), "timed")?;
    let switched = daemon.add_destination("Switched", &nginx.url(), "switched")?;
    if disturb {
        daemon.add_destination("Black hole", &black_hole.url(), "lost")?;
        daemon.add_destination("Refusing", &fault::refusing_url(), "lost")?;
    }
    let seconds = RUN.to_string();
    let options = ["-re", "-t", &seconds];
    let clip = Clip::H264Long;
    let mut publisher =
        Publisher::start_with(ctx, &format!("publisher-{name}"), clip, &daemon.publish_url()?, &options, &[])?;
    daemon.wait_state(&switched, "live", secs(10))?;
    let mut peak = 0;
    for _ in 0..20 {
        if disturb {
            daemon.switch(&switched, false)?;
            std::thread::sleep(secs(1));
            daemon.switch(&switched, true)?;
            std::thread::sleep(secs(1));
        } else {
            std::thread::sleep(secs(2));
        }
        peak = peak.max(procfs::memory(daemon.pid())?.rss);
    }
    publisher.done(secs(30))?;
    // Whole up to where the publisher was told to stop.
    compare_file(ctx, clip, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::Run)?;
    let healthy = nginx.recordings(BROADCAST_KEY)?.len();
    ensure!(healthy == 1, "the healthy destination was connected {healthy} times");
    if disturb {
        nginx.finished("switched", secs(15))?;
        let parts = nginx.recordings("switched")?;
        ensure!(parts.len() >= 20, "the switched destination was on only {} times", parts.len());
        let published = clip.frames(&ctx.tools, &ctx.dir)?;
        for part in &parts {
            let part = frames::read(&ctx.tools.ffmpeg(), part)?;
            frames::compare(&published, &part, Part::Run).context("one of the switched destination's parts")?;
        }
        ctx.note(format!("each of {} parts at the switched destination is without a hole", parts.len()));
        ensure!(black_hole.visits() > 0, "the black hole was never tried");
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        ctx.note(format!("{:.1} MB resident at most", peak as f64 / 1e6));
        ensure!(peak < 40_000_000, "{peak} bytes resident");
    }
    let visits = stopwatch.visits_of("timed");
    let [visit] = &visits[..] else { anyhow::bail!("the timed destination was connected {} times", visits.len()) };
    let pictures: Vec<_> = visit.arrivals.iter().filter(|arrival| arrival.picture).collect();
    let expected = usize::try_from(RUN * 30)?;
    ensure!(pictures.len() == expected, "{} pictures of {expected} arrived", pictures.len());
    let mut gaps: Vec<_> = pictures.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    gaps.sort();
    Ok(tap::percentile(&gaps, 0.99))
}

fn neighbours(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let edited = daemon.add_destination("Edited", &nginx.url(), "edited")?;
    let deleted = daemon.add_destination("Deleted", &nginx.url(), "deleted")?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    for id in [&club, &edited, &deleted] {
        daemon.wait_state(id, "live", secs(10))?;
    }
    let patch = serde_json::json!({"key": "changed"});
    daemon.ask("PATCH", &format!("/destinations/{edited}"), Some(&patch))?;
    daemon.ask("DELETE", &format!("/destinations/{deleted}"), None)?;
    nginx.wait_publishing("changed", secs(5))?;
    // A new name alone reconnects nobody.
    daemon.ask("PATCH", &format!("/destinations/{edited}"), Some(&serde_json::json!({"name": "Renamed"})))?;
    let added = daemon.add_destination("Added", &nginx.url(), "added")?;
    daemon.wait_state(&added, "live", secs(5))?;
    publisher.done(secs(40))?;
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)?;
    for key in ["edited", "changed", "deleted", "added"] {
        let file = nginx.finished(key, secs(15))?;
        compare_file(ctx, Clip::BFrames, &file, Part::Run).with_context(|| key.to_owned())?;
        ensure!(nginx.recordings(key)?.len() == 1, "{key} was connected more than once");
    }
    Ok(())
}

fn joins(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    daemon.wait_input("receiving", secs(10))?;
    // In the middle of its second group of pictures.
    std::thread::sleep(Duration::from_millis(3300));
    let start = Instant::now();
    daemon.add_destination("Timed", &tap.url(), "timed")?;
    wait::until(secs(3), "the first picture", || Ok((tap.pictures("timed") > 0).then_some(())))?;
    ctx.note(format!("first picture after {:.0?}", start.elapsed()));
    ensure!(start.elapsed() < Duration::from_millis(300 + 20), "the first picture took {:?}", start.elapsed());
    daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    publisher.done(secs(40))?;
    let file = nginx.finished(BROADCAST_KEY, secs(15))?;
    compare_file(ctx, Clip::BFrames, &file, Part::Run)?;
    let whole = Clip::BFrames.frames(&ctx.tools, &ctx.dir)?;
    let got = frames::read(&ctx.tools.ffmpeg(), &file)?;
    let last = |frames: &frames::Frames| frames.streams["video"].last().map(|packet| packet.hash.clone());
    ensure!(last(&whole) == last(&got), "the end is missing");
    Ok(())
}

/// 20 Mbit/s in real time, on a clock that did not begin at zero, with one destination that takes nothing.
fn far_behind(ctx: &Ctx) -> Result<()> {
    /// 60 a second.
    const PICTURES: u32 = 60 * 8;
    const BYTES: usize = 20_000_000 / 8 / 60;
    /// What the publisher has sent when 8 MiB have been passed.
    const BEHIND_MS: u64 = 4_000;
    let tap = Tap::start()?;
    let black_hole = Faulty::start(Fault::BlackHole)?;
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Healthy", &tap.url(), BROADCAST_KEY)?;
    let lost = daemon.add_destination("Black hole", &black_hole.url(), "lost")?;
    let mut wire = Wire::connect(daemon.rtmp())?;
    let key = daemon.key()?;
    let status = wire.publish("live", &key)?;
    ensure!(status == "NetStream.Publish.Start", "the publisher was told {status:?}");
    wire.set_chunk_size(65_536)?;
    let publisher = std::thread::spawn(move || -> Result<(Wire, Vec<u64>, Duration)> {
        let (mut sent, mut longest) = (Vec::new(), Duration::ZERO);
        let start = Instant::now();
        for number in 0..=PICTURES {
            // The configuration first, then picture by picture when it is due.
            let since = number.saturating_sub(1) * 1000 / 60;
            let body = match number {
                0 => tags::avc_config(),
                _ => tags::picture(number % 60 == 1, number, BYTES),
            };
            let message = Message { kind: kind::VIDEO, stream_id: 1, timestamp: 5_000 + since, body };
            std::thread::sleep(Duration::from_millis(since.into()).saturating_sub(start.elapsed()));
            let begun = Instant::now();
            wire.send(6, &message)?;
            longest = longest.max(begun.elapsed());
            sent.push(message.fingerprint());
        }
        wire.unpublish(&key)?;
        // Closed no sooner than the other side has read everything: acknowledgements that nobody reads make a reset of it.
        Ok((wire, sent, longest))
    });
    let behind = wait::until(secs(7), "the black hole to be 8 MiB behind", || {
        let status = daemon.destination(&lost)?;
        Ok(status["queueMs"].as_u64().filter(|behind| *behind > BEHIND_MS))
    })?;
    let (_wire, sent, longest) = publisher.join().map_err(|_| anyhow::anyhow!("the publisher panicked"))??;
    wait::until(secs(5), "the end at the healthy destination", || {
        Ok(tap.visits().first().is_some_and(|visit| visit.closed).then_some(()))
    })?;
    let visits = tap.visits();
    ensure!(visits.len() == 1, "the healthy destination was connected {} times", visits.len());
    let arrivals = &visits[0].arrivals;
    let gap = tap::longest_gap(arrivals);
    ctx.note(format!(
        "the black hole {behind} ms behind; {gap:.0?} at most between two arrivals at the other, {longest:.0?} for the \
         publisher to send one"
    ));
    ensure!(arrivals.iter().map(|arrival| arrival.fingerprint).eq(sent), "not every frame arrived as it was sent");
    ensure!(gap < Duration::from_millis(500), "nothing arrived for {gap:.1?}");
    ensure!(longest < Duration::from_millis(500), "the publisher was held up for {longest:.1?}");
    Ok(())
}
