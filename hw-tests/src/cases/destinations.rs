//! Destinations: switches, broadcasts, backup addresses, keys and addresses of every shape.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{BROADCAST_KEY, compare_file, secret_file};
use crate::auth::{AskingServer, Challenge};
use crate::bed::Ctx;
use crate::daemon::{Daemon, Options};
use crate::fault::{self, Fault, Faulty};
use crate::frames::Part;
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::Publisher;
use crate::peers::nginx::NginxRtmp;
use crate::peers::tls::{Authority, Certificate, Stunnel};
use crate::runner::Case;
use crate::tap::Tap;
use crate::wait::{self, secs};

pub(super) const CASES: &[Case] = &[
    Case::new("destinations/three at once receive everything", three),
    Case::new("destinations/rtmps through stunnel", rtmps),
    Case::new("destinations/off is a proper end, on is a new start", off_and_on),
    Case::new("destinations/stop and start of the whole broadcast", stop_and_start),
    Case::new("destinations/a manual one waits for start", manual),
    Case::new("destinations/the backup address takes turns after three failures", backup),
    Case::new("destinations/dropped by the server, back within seconds", dropped),
    Case::new("destinations/keys and addresses of every shape arrive as they are", shapes),
    Case::new("destinations/variables from a file", variables),
    Case::new("destinations/retry now", retry),
    Case::new("destinations/user name and password where a server asks", password),
    Case::new("destinations/two inputs do not mix", two_inputs),
];

fn three(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    for key in ["first", "second", "third"] {
        daemon.add_destination(key, &nginx.url(), key)?;
    }
    Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?.done(secs(40))?;
    for key in ["first", "second", "third"] {
        compare_file(ctx, Clip::BFrames, &nginx.finished(key, secs(15))?, Part::All)?;
    }
    Ok(())
}

fn rtmps(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let authority = Authority::new(ctx)?;
    let stunnel = Stunnel::start(ctx, "stunnel", &authority, Certificate::Good, nginx.port)?;
    let options = Options { config: Some(authority.daemon_config()), ..Options::default() };
    let daemon = Daemon::start_as(ctx, "box", options)?;
    daemon.add_destination("Club", &stunnel.url(), BROADCAST_KEY)?;
    Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?.done(secs(40))?;
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)
}

fn off_and_on(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &tap.url(), BROADCAST_KEY)?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    daemon.switch(&club, false)?;
    daemon.wait_state(&club, "off", secs(3))?;
    wait::until(secs(3), "a proper end", || {
        Ok(tap.visits().first().is_some_and(|visit| visit.ended_properly && visit.closed).then_some(()))
    })?;
    daemon.switch(&club, true)?;
    daemon.wait_state(&club, "live", secs(3))?;
    // The bitrate is a mean: it takes a moment to be known.
    let status = wait::until(secs(7), "a measured bitrate", || {
        let status = daemon.destination(&club)?;
        Ok((!status["bitrateBps"].is_null()).then_some(status))
    })?;
    ensure!(tap.visits().len() == 2, "there were {} connections", tap.visits().len());
    for field in ["name", "platform", "output", "enabled", "since", "bitrateBps", "rttMs", "queueMs", "framesSent"] {
        ensure!(!status[field].is_null(), "live, but {field} is not known: {status}");
    }
    Ok(())
}

fn stop_and_start(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let on = [daemon.add_destination("One", &tap.url(), "one")?, daemon.add_destination("Two", &tap.url(), "two")?];
    let off = daemon.add_destination_with("Off", &tap.url(), "off", &json!({"enabled": false}))?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    for id in &on {
        daemon.wait_state(id, "live", secs(10))?;
    }
    daemon.ask("POST", "/broadcast/stop", None)?;
    wait::until(secs(5), "a proper end at both", || {
        Ok((tap.visits().iter().filter(|visit| visit.ended_properly && visit.closed).count() == 2).then_some(()))
    })?;
    for id in &on {
        let status = daemon.wait_state(id, "waiting", secs(1))?;
        ensure!(status["enabled"] == true, "stop moved a switch: {status}");
    }
    daemon.ask("POST", "/broadcast/start", None)?;
    for id in &on {
        daemon.wait_state(id, "live", secs(5))?;
    }
    ensure!(daemon.destination(&off)?["state"] == "off", "start switched something on");
    ensure!(tap.visits_of("off").is_empty(), "a destination that is off was sent to");
    Ok(())
}

fn manual(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let with_stream = daemon.add_destination("With the stream", &tap.url(), "with")?;
    let manual = daemon.add_destination_with("Manual", &tap.url(), "manual", &json!({"startMode": "manual"}))?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&with_stream, "live", secs(10))?;
    std::thread::sleep(secs(2));
    ensure!(daemon.destination(&manual)?["state"] == "waiting", "{}", daemon.destination(&manual)?);
    ensure!(tap.visits_of("manual").is_empty(), "the sound check was not private");
    daemon.ask("POST", "/broadcast/start", None)?;
    daemon.wait_state(&manual, "live", secs(5))?;
    ensure!(tap.visits_of("with").len() == 1, "start disturbed one that was live");
    Ok(())
}

fn backup(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let main = Faulty::start(Fault::ClosesAtOnce)?;
    let club = daemon.add_destination_with("Club", &main.url(), BROADCAST_KEY, &json!({"backupUrl": tap.url()}))?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    // Tries at 0, 1 and 3 s fail; the fourth, at 7 s and a little, takes the other address.
    daemon.wait_state(&club, "live", secs(20))?;
    ensure!(main.visits() == 3, "the main address was tried {} times", main.visits());
    ensure!(tap.visits_of(BROADCAST_KEY).len() == 1, "the backup address was not used");
    Ok(())
}

fn dropped(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::H264, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    std::thread::sleep(secs(2));
    nginx.drop_publisher(BROADCAST_KEY)?;
    let status = daemon.wait_state(&club, "retrying", secs(2))?;
    ensure!(status["reason"]["code"] == "remote_closed", "{status}");
    ensure!(!status["nextTryAt"].is_null(), "no word of the next try: {status}");
    daemon.wait_state(&club, "live", secs(5))?;
    publisher.done(secs(40))?;
    nginx.finished(BROADCAST_KEY, secs(15))?;
    let parts = nginx.recordings(BROADCAST_KEY)?;
    ensure!(parts.len() == 2, "{} connections", parts.len());
    for part in parts {
        compare_file(ctx, Clip::H264, &part, Part::Run)?;
    }
    Ok(())
}

fn shapes(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let port = tap.port;
    let shapes = [
        (format!("rtmp://127.0.0.1:{port}/live"), "FB-1-0-AbC?s_bl=1&s_ps=1&a=Abx=="),
        (format!("rtmp://127.0.0.1:{port}/live2/"), "plain-key"),
        (format!("rtmp://localhost:{port}/a/b/c"), "nested.app~key_1"),
        (format!("rtmp://127.0.0.1:{port}/live?token=x&y=z"), "app-with-query"),
        (format!("rtmp://127.0.0.1:{port}/rtmp/"), "?streamname=sk_eu&auth=%2F%3D"),
    ];
    let daemon = Daemon::start(ctx)?;
    for (url, key) in &shapes {
        daemon.add_destination("Club", url, key)?;
    }
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    for (url, key) in &shapes {
        wait::until(secs(10), &format!("{url} with key {key}"), || Ok((tap.pictures(key) > 0).then_some(())))?;
    }
    Ok(())
}

fn variables(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let file = ctx.dir.join("variables");
    secret_file(&file, &format!("CLUB_PORT={}\nCLUB_KEY=key-from-a-file\n", tap.port))?;
    let config = format!("[variables]\nfile = \"{}\"\n", file.display());
    let daemon = Daemon::start_as(ctx, "box", Options { config: Some(config), ..Options::default() })?;
    daemon.add_destination("Club", "rtmp://127.0.0.1:${CLUB_PORT}/live", "${CLUB_KEY}")?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    wait::until(secs(10), "the key from the file", || Ok((tap.pictures("key-from-a-file") > 0).then_some(())))
}

fn retry(ctx: &Ctx) -> Result<()> {
    let nginx_port = fault::refusing_url();
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &nginx_port, BROADCAST_KEY)?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    // Wait until the next try is some seconds away.
    wait::until(secs(20), "the fourth try", || {
        let status = daemon.destination(&club)?;
        Ok((status["state"] == "retrying" && status["tries"].as_u64() >= Some(4)).then_some(()))
    })?;
    let tap = Tap::start()?;
    daemon.ask("PATCH", &format!("/destinations/{club}"), Some(&json!({"url": tap.url()})))?;
    daemon.wait_state(&club, "live", secs(3))?;
    daemon.ask("POST", &format!("/destinations/{club}/retry"), None)?;
    std::thread::sleep(secs(1));
    ensure!(tap.visits().len() == 1, "retry disturbed a destination that was live");
    Ok(())
}

fn password(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    for challenge in [Challenge::Adobe, Challenge::Limelight] {
        let server = AskingServer::start(challenge, "mara", "a-password")?;
        let url = format!("rtmp://{}", server.place());
        let login = |password: &str| json!({"username": "mara", "password": password});
        daemon.add_destination_with("Right", &url, BROADCAST_KEY, &login("a-password"))?;
        wait::until(secs(10), "pictures after the password", || Ok((server.pictures() > 0).then_some(())))?;
        ensure!(server.steps() == ["who", "challenge", "welcome"], "{challenge:?}: {:?}", server.steps());
        let wrong = daemon.add_destination_with("Wrong", &url, BROADCAST_KEY, &login("wrong"))?;
        let status = wait::until(secs(5), "a reason", || {
            let status = daemon.destination(&wrong)?;
            Ok((!status["reason"].is_null()).then_some(status))
        })?;
        ctx.note(format!("a wrong password at {challenge:?}: {}", status["reason"]));
        ensure!(status["state"] == "failed" || status["state"] == "retrying", "{status}");
    }
    drop(publisher);
    Ok(())
}

fn two_inputs(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    let second = daemon.ask("POST", "/inputs", Some(&json!({"name": "Second"})))?;
    let id = second["id"].as_str().context("an id")?.to_owned();
    let key = daemon.ask("POST", &format!("/inputs/{id}/key"), None)?["key"].as_str().context("a key")?.to_owned();
    daemon.add_destination("First's", &nginx.url(), "first")?;
    let output = json!({"output": format!("{id}/passthrough")});
    daemon.add_destination_with("Second's", &nginx.url(), "second", &output)?;
    let mut first = Publisher::start(ctx, "first", Clip::H264, &daemon.publish_url()?)?;
    let url = format!("rtmp://{}/live/{key}", daemon.rtmp());
    Publisher::start(ctx, "second", Clip::BFrames, &url)?.done(secs(40))?;
    first.done(secs(40))?;
    compare_file(ctx, Clip::H264, &nginx.finished("first", secs(15))?, Part::All)?;
    compare_file(ctx, Clip::BFrames, &nginx.finished("second", secs(15))?, Part::All)
}
