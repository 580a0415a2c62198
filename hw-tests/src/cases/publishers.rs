//! Publishers of every kind, and what happens when they come, go and return.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::{BROADCAST_KEY, compare_file};
use crate::bed::{Bed, Ctx};
use crate::daemon::Daemon;
use crate::frames::{self, Part};
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::Publisher;
use crate::peers::gstreamer;
use crate::peers::nginx::NginxRtmp;
use crate::peers::node::NodeMediaServer;
use crate::peers::obs::{Obs, Studio};
use crate::runner::Case;
use crate::tap::Tap;
use crate::wait::{self, secs};
use crate::wire::Wire;

pub(super) const CASES: &[Case] = &[
    Case::new("publishers/gstreamer", gstreamer_publishes).on(Bed::ALL),
    Case::new("publishers/obs studio", obs_publishes).on(Bed::ALL),
    Case::new("publishers/obs enhanced: av1", obs_enhanced).optional(),
    Case::new("publishers/a planned end ends the broadcast", planned_end),
    Case::new("publishers/one that crashes and returns finds its destinations connected", crash_and_return),
    Case::new("publishers/one that does not return is ended properly after 30 s", crash_for_good),
    Case::new("publishers/a second one is refused while the first is well", second_is_refused),
    Case::new("publishers/a second one takes over from one that hangs", take_over),
    Case::new("publishers/any app is taken and the key ends at a question mark", any_app),
    Case::new("publishers/a wrong key is refused before anything starts", wrong_key),
];

fn gstreamer_publishes(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let mut publisher = gstreamer::Publisher::start(ctx, "gstreamer", Clip::BFrames, &daemon.publish_url()?)?;
    publisher.done(secs(40))?;
    let sent = frames::read(&ctx.tools.ffmpeg(), &publisher.copy)?;
    let got = frames::read(&ctx.tools.ffmpeg(), &nginx.finished(BROADCAST_KEY, secs(15))?)?;
    ctx.note(frames::compare(&sent, &got, Part::All)?.to_string());
    Ok(())
}

fn obs_publishes(ctx: &Ctx) -> Result<()> {
    obs_through_a_box(ctx, &Studio::Debian, &mut NginxRtmp::start(ctx, "nginx")?)
}

fn obs_enhanced(ctx: &Ctx) -> Result<()> {
    let root = std::env::var_os("OBS_CHROOT").context("OBS_CHROOT does not say where the newer OBS is")?;
    let studio = Studio::NewerAv1(root.into());
    obs_through_a_box(ctx, &studio, &mut NodeMediaServer::start(ctx, "node-media-server")?)
}

/// OBS publishes for a while; what arrived is compared with what OBS itself recorded meanwhile.
fn obs_through_a_box(ctx: &Ctx, studio: &Studio, server: &mut dyn Recorder) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &server.url(), BROADCAST_KEY)?;
    let mut obs = Obs::start(ctx, "obs", studio, &format!("rtmp://{}/live", daemon.rtmp()), &daemon.key()?)?;
    daemon.wait_state(&club, "live", Obs::START)?;
    let input = daemon.wait_input("receiving", secs(5))?;
    ctx.note(format!("it calls itself {} and sends {}", input["session"]["program"], input["tracks"][0]["codec"]));
    // Ten seconds where the machine keeps up with the encoder.
    wait::until(secs(60), "800 frames of sound and picture", || {
        Ok((daemon.destination(&club)?["framesSent"].as_u64() > Some(800)).then_some(()))
    })?;
    obs.stop()?;
    daemon.wait_input("none", secs(5))?;
    let ffmpeg = ctx.tools.ffmpeg9();
    let sent = frames::read(&ffmpeg, &obs.recording()?)?;
    let got = frames::read(&ffmpeg, &server.finished(BROADCAST_KEY, secs(15))?)?;
    let equal = frames::compare(&sent, &got, Part::Overlap)?;
    ensure!(equal.packets.get("video").is_some_and(|count| *count > 200), "too few to mean anything: {equal}");
    ctx.note(equal.to_string());
    Ok(())
}

fn planned_end(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    publisher.stop()?;
    wait::until(secs(3), "the end at the destination", || {
        Ok(tap.visits().first().is_some_and(|visit| visit.ended_properly && visit.closed).then_some(()))
    })?;
    daemon.wait_state(&club, "waiting", secs(3))?;
    daemon.wait_input("none", secs(3))?;
    Ok(())
}

fn crash_and_return(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let url = daemon.publish_url()?;
    let mut publisher = Publisher::start(ctx, "first", Clip::BFrames, &url)?;
    daemon.wait_state(&club, "live", secs(10))?;
    std::thread::sleep(secs(2));
    publisher.process.kill();
    daemon.wait_input("lost", secs(3))?;
    std::thread::sleep(secs(5));
    ensure!(nginx.publishing(BROADCAST_KEY)?, "the destination was not kept connected");
    // Another clip, so that what came after is not mistaken for what came before.
    Publisher::start(ctx, "second", Clip::H264, &url)?.done(secs(40))?;
    let file = nginx.finished(BROADCAST_KEY, secs(15))?;
    let files = nginx.recordings(BROADCAST_KEY)?.len();
    ensure!(files == 1, "the destination saw {files} connections");
    let got = frames::read(&ctx.tools.ffmpeg(), &file)?;
    for (kind, packets) in &got.streams {
        if let Some(pair) = packets.windows(2).find(|pair| pair[1].dts < pair[0].dts) {
            anyhow::bail!("{kind} goes back in time: {} ms after {} ms", pair[1].dts, pair[0].dts);
        }
    }
    // All of the second publisher's pictures are there after the last of the first's.
    let second = &Clip::H264.frames(&ctx.tools, &ctx.dir)?.streams["video"];
    let video = &got.streams["video"];
    let from =
        video.iter().position(|packet| packet.hash == second[0].hash).context("nothing of the second publisher")?;
    let same = video[from..].iter().map(|p| &p.hash).eq(second.iter().map(|p| &p.hash));
    ensure!(same, "of the second publisher's {} pictures, other {} arrived", second.len(), video.len() - from);
    ctx.note(format!("{from} pictures of the first publisher, then all {} of the second", second.len()));
    daemon.wait_event("publisher_returned", secs(3))?;
    Ok(())
}

fn crash_for_good(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    publisher.process.kill();
    std::thread::sleep(secs(25));
    ensure!(tap.visits().iter().all(|visit| !visit.closed), "ended before 30 s had passed");
    wait::until(secs(10), "the end at the destination", || {
        Ok(tap.visits().first().is_some_and(|visit| visit.ended_properly && visit.closed).then_some(()))
    })?;
    daemon.wait_state(&club, "waiting", secs(3))?;
    Ok(())
}

fn second_is_refused(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::H264, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    for _ in 0..3 {
        let status = Wire::connect(daemon.rtmp())?.publish("live", &daemon.key()?)?;
        ensure!(status == "NetStream.Publish.BadName", "the second publisher was told {status:?}");
    }
    daemon.wait_event("publisher_active", secs(3))?;
    publisher.done(secs(40))?;
    compare_file(ctx, Clip::H264, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)
}

fn take_over(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let url = daemon.publish_url()?;
    let mut first = Publisher::start(ctx, "first", Clip::H264Long, &url)?;
    daemon.wait_state(&club, "live", secs(10))?;
    // It hangs with its connection open, as a frozen computer does.
    first.process.signal(Signal::SIGSTOP)?;
    std::thread::sleep(secs(3));
    Publisher::start(ctx, "second", Clip::H264, &url)?.done(secs(40)).context("the returning publisher")?;
    let file = nginx.finished(BROADCAST_KEY, secs(15))?;
    ensure!(nginx.recordings(BROADCAST_KEY)?.len() == 1, "the destination was not kept connected");
    let got = frames::read(&ctx.tools.ffmpeg(), &file)?;
    let second = &Clip::H264.frames(&ctx.tools, &ctx.dir)?.streams["video"];
    let same =
        got.streams["video"].iter().rev().map(|p| &p.hash).take(second.len()).eq(second.iter().rev().map(|p| &p.hash));
    ensure!(same, "not every picture of the second publisher arrived");
    Ok(())
}

fn any_app(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let key = daemon.key()?;
    for (app, name) in [
        ("live", key.clone()),
        ("anything", key.clone()),
        ("", key.clone()),
        ("nested/app/here", key.clone()),
        ("app?user=me", key.clone()),
        ("live", format!("{key}?clientConfigId=1&x=y")),
    ] {
        let mut client = Wire::connect(daemon.rtmp())?;
        let status = client.publish(app, &name)?;
        ensure!(status == "NetStream.Publish.Start", "app {app:?} was answered {status:?}");
        client.unpublish(&name)?;
        drop(client);
        daemon.wait_input("none", secs(3))?;
    }
    Ok(())
}

fn wrong_key(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let key = daemon.key()?;
    let mut almost = key.clone();
    almost.pop();
    for wrong in ["", "x", "no-such-key-at-all", &almost, &format!("{key}x"), &format!(" {key}")] {
        let answer = Wire::connect(daemon.rtmp())?.publish("live", wrong);
        // Closing is as good as a status; a start is not.
        if let Ok(status) = answer {
            ensure!(status.starts_with("NetStream.Publish.") && !status.ends_with("Start"), "{wrong:?}: {status:?}");
        }
        ensure!(daemon.status()?["inputs"]["main"]["state"] == "none", "a wrong key changed the input's state");
    }
    let refusals = daemon.ask("GET", "/refusals", None)?;
    ensure!(refusals.as_array().is_some_and(|list| !list.is_empty()), "nobody was told: {refusals}");
    let mut client = Wire::connect(daemon.rtmp())?;
    let status = client.publish("live", &key)?;
    ensure!(status == "NetStream.Publish.Start", "the right key after wrong ones was answered {status:?}");
    Ok(())
}
