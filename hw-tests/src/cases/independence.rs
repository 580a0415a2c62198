//! Nothing that one destination does disturbs another.

use std::time::Duration;

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
use crate::tap::{self, Tap};
use crate::wait::secs;

pub(super) const CASES: &[Case] = &[
    Case::new("independence/one switched twenty times, one black-holed, one refusing", disturbed).timing().limit(200),
    Case::new("independence/edited and deleted neighbours", neighbours),
    Case::new("independence/a destination joins in the middle with a keyframe", joins),
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
    let start = std::time::Instant::now();
    daemon.add_destination("Timed", &tap.url(), "timed")?;
    crate::wait::until(secs(3), "the first picture", || Ok((tap.pictures("timed") > 0).then_some(())))?;
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
