//! The power goes, the daemon is killed: everything is as before.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{BROADCAST_KEY, compare_file};
use crate::bed::Ctx;
use crate::daemon::{Daemon, Options};
use crate::frames::Part;
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::Publisher;
use crate::peers::nginx::NginxRtmp;
use crate::peers::obs::{Obs, Studio};
use crate::process;
use crate::runner::Case;
use crate::tap::Tap;
use crate::wait::{self, secs};

pub(super) const CASES: &[Case] = &[
    Case::new("restart/killed in the middle of a stream", killed),
    Case::new("restart/obs returns by itself and is live again", obs_returns),
    Case::new("restart/a hundred kills during writes corrupt nothing", hundred_kills).limit(300),
    Case::new("restart/stopped and manual broadcasts stay as they were", broadcasts_stay),
    Case::new("restart/ready within 0.3 s", ready).timing(),
    Case::new("restart/ended by SIGTERM within 5 s, properly", terminated),
    Case::new("restart/SIGTERM is not held up by a black hole", terminated_beside_black_hole),
];

/// Everything that has to survive, without what may change.
fn settings(daemon: &Daemon) -> Result<Value> {
    Ok(json!({
        "inputs": daemon.ask("GET", "/inputs", None)?,
        "destinations": daemon.ask("GET", "/destinations", None)?,
        "key": daemon.key()?,
    }))
}

fn killed(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let mut daemon = Daemon::start(ctx)?;
    let on = [
        daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?,
        daemon.add_destination("Second", &nginx.url(), "second")?,
    ];
    let off = daemon.add_destination("Off", &nginx.url(), "off")?;
    daemon.switch(&off, false)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    for id in &on {
        daemon.wait_state(id, "live", secs(10))?;
    }
    let before = settings(&daemon)?;
    daemon.kill();
    publisher.process.ended(secs(10)).context("the publisher notices")?;
    daemon.restart()?;
    let after = settings(&daemon)?;
    ensure!(before == after, "before the kill: {before:#}\nafter it: {after:#}");
    let start = Instant::now();
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    for id in &on {
        daemon.wait_state(id, "live", secs(10))?;
    }
    ctx.note(format!("live again {:.1} s after the publisher's new start", start.elapsed().as_secs_f32()));
    ensure!(daemon.destination(&off)?["state"] == "off", "the switch was not kept");
    publisher.done(secs(40))?;
    for key in [BROADCAST_KEY, "second"] {
        compare_file(ctx, Clip::BFrames, &nginx.finished(key, secs(15))?, Part::All)?;
    }
    ensure!(nginx.recordings("off")?.is_empty(), "a destination that is off was sent to");
    Ok(())
}

fn obs_returns(ctx: &Ctx) -> Result<()> {
    let nginx = NginxRtmp::start(ctx, "nginx")?;
    let mut daemon = Daemon::start(ctx)?;
    let destinations = [
        daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?,
        daemon.add_destination("Second", &nginx.url(), "second")?,
    ];
    let _obs = Obs::start(ctx, "obs", &Studio::Debian, &format!("rtmp://{}/live", daemon.rtmp()), &daemon.key()?)?;
    for id in &destinations {
        daemon.wait_state(id, "live", Obs::START)?;
    }
    // OBS takes a loss within its first seconds for a failed start.
    std::thread::sleep(secs(3));
    daemon.kill();
    daemon.restart()?;
    let start = Instant::now();
    daemon.wait_input("receiving", secs(15)).context("OBS' return")?;
    let returned = start.elapsed();
    for id in &destinations {
        daemon.wait_state(id, "live", secs(5))?;
    }
    ctx.note(format!("OBS was back after {returned:.1?}, live everywhere after {:.1?}", start.elapsed()));
    Ok(())
}

fn hundred_kills(ctx: &Ctx) -> Result<()> {
    let mut daemon = Daemon::start(ctx)?;
    let kept = daemon.add_destination("0", "rtmp://localhost/live", "kept-key")?;
    let kept = format!("/destinations/{kept}");
    let mut sent = 0_u32;
    // The moments are random but the same in every run.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..100 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let until = Instant::now() + Duration::from_millis(5 + random % 120);
        let mut kept_at_least = None;
        // Writes as fast as they are answered; the kill comes from beside, in the middle of one.
        let victim = daemon.pid();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
                process::kill_child(victim);
            });
            for _ in 0.. {
                sent += 1;
                if daemon.ask("PATCH", &kept, Some(&json!({"name": sent.to_string()}))).is_err() {
                    break;
                }
                kept_at_least = Some(sent);
                let extra = daemon.add_destination("Extra", "rtmp://localhost/x", "extra-key");
                let Ok(extra) = extra else { break };
                if daemon.ask("DELETE", &format!("/destinations/{extra}"), None).is_err() {
                    break;
                }
            }
        });
        daemon.restart().with_context(|| format!("after kill {round}"))?;
        let name = daemon.ask("GET", &kept, None)?["name"].as_str().unwrap_or_default().to_owned();
        let stored: u32 = name.parse().with_context(|| format!("after kill {round} the name is {name:?}"))?;
        if let Some(least) = kept_at_least {
            ensure!(stored >= least, "kill {round}: write {least} was answered, but {stored} is stored");
        }
        ensure!(stored <= sent, "kill {round}: {stored} was never written");
    }
    daemon.terminate()?;
    let mut check = std::process::Command::new(&ctx.tools.brookboxd);
    process::output(check.arg("check").arg("--data-dir").arg(daemon.data())).context("brookboxd check")?;
    ctx.note(format!("{sent} rounds of writes"));
    Ok(())
}

fn broadcasts_stay(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let mut daemon = Daemon::start(ctx)?;
    let manual = daemon.add_destination_with("Manual", &tap.url(), "manual", &json!({"startMode": "manual"}))?;
    let stream = |daemon: &Daemon| Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?);
    let publisher = stream(&daemon)?;
    daemon.wait_input("receiving", secs(10))?;
    daemon.ask("POST", "/broadcast/start", None)?;
    daemon.wait_state(&manual, "live", secs(5))?;
    drop(publisher);
    daemon.restart()?;
    // The broadcast that was going on goes on.
    let publisher = stream(&daemon)?;
    daemon.wait_state(&manual, "live", secs(10))?;
    daemon.ask("POST", "/broadcast/stop", None)?;
    daemon.wait_state(&manual, "waiting|off", secs(5))?;
    drop(publisher);
    daemon.restart()?;
    let _publisher = stream(&daemon)?;
    daemon.wait_input("receiving", secs(10))?;
    std::thread::sleep(secs(2));
    let state = daemon.destination(&manual)?["state"].clone();
    ensure!(state == "waiting", "after stop and restart a manual destination is {state}");
    Ok(())
}

fn ready(ctx: &Ctx) -> Result<()> {
    let mut daemon = Daemon::start(ctx)?;
    let first = daemon.ready_after;
    for n in 0..20 {
        daemon.add_destination(&format!("Destination {n}"), "rtmp://localhost/live", "some-key")?;
    }
    let mut later = Vec::new();
    for _ in 0..5 {
        daemon.restart()?;
        later.push(daemon.ready_after);
    }
    later.sort();
    ctx.note(format!("{first:.0?} for the first start, {:.0?} (median) with 20 destinations", later[2]));
    ensure!(first < Duration::from_millis(300), "the first start took {first:?}");
    ensure!(later[4] < Duration::from_millis(300), "a start took {:?}", later[4]);
    Ok(())
}

fn terminated(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let mut daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    let took = daemon.terminate()?;
    ctx.note(format!("ended after {took:.2?}"));
    wait::until(secs(1), "a proper end at the destination", || {
        Ok(tap.visits().first().is_some_and(|visit| visit.ended_properly && visit.closed).then_some(()))
    })
}

fn terminated_beside_black_hole(ctx: &Ctx) -> Result<()> {
    let hole = crate::fault::Faulty::start(crate::fault::Fault::BlackHole)?;
    let silent = crate::fault::Faulty::start(crate::fault::Fault::SilentAfterHandshake)?;
    let tap = Tap::start()?;
    let mut daemon = Daemon::start_as(ctx, "box", Options::default())?;
    daemon.add_destination("Hole", &hole.url(), "lost-key")?;
    daemon.add_destination("Silent", &silent.url(), "lost-key")?;
    let club = daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    std::thread::sleep(secs(2));
    let took = daemon.terminate()?;
    ctx.note(format!("ended after {took:.2?}"));
    ensure!(tap.visits().first().is_some_and(|visit| visit.ended_properly), "the healthy destination was cut off");
    Ok(())
}
