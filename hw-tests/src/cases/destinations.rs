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
use crate::tap::{Tap, Visit};
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
    Case::new("destinations/a second broadcast to one that stayed on begins with its first frame", second_broadcast),
    Case::new("destinations/stop holds when another input starts", stop_holds),
    Case::new("destinations/a redirect is followed, within bounds", redirect),
    Case::new("destinations/a server that asks for a reconnect is reconnected to", reconnect_request),
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
    let (id, url) = second_input(&daemon)?;
    daemon.add_destination("First's", &nginx.url(), "first")?;
    let output = json!({"output": format!("{id}/passthrough")});
    daemon.add_destination_with("Second's", &nginx.url(), "second", &output)?;
    let mut first = Publisher::start(ctx, "first", Clip::H264, &daemon.publish_url()?)?;
    Publisher::start(ctx, "second", Clip::BFrames, &url)?.done(secs(40))?;
    first.done(secs(40))?;
    compare_file(ctx, Clip::H264, &nginx.finished("first", secs(15))?, Part::All)?;
    compare_file(ctx, Clip::BFrames, &nginx.finished("second", secs(15))?, Part::All)
}

/// Makes another input; gives its id and where to publish to it.
fn second_input(daemon: &Daemon) -> Result<(String, String)> {
    let second = daemon.ask("POST", "/inputs", Some(&json!({"name": "Second"})))?;
    let id = second["id"].as_str().context("an id")?.to_owned();
    let answer = daemon.ask("POST", &format!("/inputs/{id}/key"), None)?;
    let key = answer["key"].as_str().context("a key")?;
    let url = format!("rtmp://{}/live/{key}", daemon.rtmp());
    Ok((id, url))
}

fn second_broadcast(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    // Four times as fast as real time: when the destination is connected, the third group of pictures has begun.
    let port = fault::slow_way(nginx.port, std::time::Duration::from_millis(700))?;
    let club = daemon.add_destination("Club", &format!("rtmp://127.0.0.1:{port}/live"), BROADCAST_KEY)?;
    let url = daemon.publish_url()?;
    for (name, clip) in [("first", Clip::BFrames), ("second", Clip::H264)] {
        Publisher::start_with(ctx, name, clip, &url, &["-readrate", "4"], &[])?.done(secs(20))?;
        daemon.wait_input("none", secs(3))?;
        daemon.wait_state(&club, "waiting", secs(5))?;
        let file = nginx.finished(BROADCAST_KEY, secs(10))?;
        compare_file(ctx, clip, &file, Part::All).with_context(|| format!("the {name} broadcast"))?;
        // nginx names its recordings by the second.
        std::thread::sleep(secs(1));
    }
    let count = nginx.recordings(BROADCAST_KEY)?.len();
    ensure!(count == 2, "{count} connections for two broadcasts");
    Ok(())
}

fn stop_holds(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let (second, url) = second_input(&daemon)?;
    let club = daemon.add_destination("First's", &tap.url(), BROADCAST_KEY)?;
    let _first = Publisher::start(ctx, "first", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    daemon.ask("POST", "/broadcast/stop", None)?;
    daemon.wait_state(&club, "waiting", secs(5))?;
    let mut other = Publisher::start(ctx, "second", Clip::H264Long, &url)?;
    wait::until(secs(5), "a stream on the second input", || {
        Ok((daemon.status()?["inputs"][&second]["state"] == "receiving").then_some(()))
    })?;
    let held = |when: &str| -> Result<()> {
        for _ in 0..10 {
            let status = daemon.destination(&club)?;
            ensure!(status["state"] == "waiting", "{when}: {status}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let visits = tap.visits_of(BROADCAST_KEY).len();
        ensure!(visits == 1, "{when}: it was connected {visits} times");
        Ok(())
    };
    held("while the other input receives")?;
    other.stop()?;
    held("after the other input's end")?;
    daemon.ask("POST", "/broadcast/start", None)?;
    daemon.wait_state(&club, "live", secs(5))?;
    Ok(())
}

fn redirect(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_input("receiving", secs(10))?;
    let leads = |host, port| Faulty::start(Fault::Redirects { host, port, path: "live" });
    let near = leads("127.0.0.1", Some(tap.port))?;
    let club = daemon.add_destination("Near", &near.url(), BROADCAST_KEY)?;
    daemon.wait_state(&club, "live", secs(5))?;
    ensure!(tap.visits_of(BROADCAST_KEY).len() == 1 && near.visits() == 1, "it did not go one way");
    // Some servers send the address of the whole stream.
    let whole =
        Faulty::start(Fault::Redirects { host: "127.0.0.1", port: Some(tap.port), path: "live/nested/stream" })?;
    let id = daemon.add_destination("Whole", &whole.url(), "stream?token=1")?;
    daemon.wait_state(&id, "live", secs(5))?;
    let visits = tap.visits_of("stream?token=1");
    ensure!(
        visits.len() == 1 && visits[0].app == "live/nested",
        "it went to {:?}",
        visits.first().map(|visit| &visit.app)
    );
    daemon.switch(&id, false)?;
    // Another host is somebody else, even where both names lead here: a key must not wander.
    let far = leads("localhost", Some(tap.port))?;
    let circle = leads("127.0.0.1", None)?;
    for (server, key) in [(&far, "wanders"), (&circle, "circles")] {
        let id = daemon.add_destination(key, &server.url(), key)?;
        let status = daemon.wait_state(&id, "retrying", secs(5))?;
        ensure!(status["reason"]["code"] == "refused", "{key}: {status}");
        ctx.note(format!("{key}: {}", status["reason"]["sentence"]));
        daemon.switch(&id, false)?;
    }
    ensure!(tap.visits().len() == 2, "a redirect to another host was followed");
    // Each try connects once and follows two redirects.
    ensure!(circle.visits() % 3 == 0, "it went in circles {} times", circle.visits());
    Ok(())
}

/// Once to where it was, once to elsewhere; nothing is lost on the way.
fn reconnect_request(ctx: &Ctx) -> Result<()> {
    let (here, elsewhere) = (Tap::start()?, Tap::start()?);
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &here.url(), BROADCAST_KEY)?;
    daemon.add_destination("Steady", &elsewhere.url(), "steady")?;
    let _publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    let pictures = |tap: &Tap, connection: usize| {
        wait::until(secs(10), &format!("pictures over connection {connection}"), || {
            let visits = tap.visits_of(BROADCAST_KEY);
            let count = visits.get(connection).map_or(0, |visit| visit.arrivals.iter().filter(|a| a.picture).count());
            Ok((count > 40).then_some(()))
        })
    };
    pictures(&here, 0)?;
    here.ask_to_reconnect(BROADCAST_KEY, None);
    pictures(&here, 1)?;
    here.ask_to_reconnect(BROADCAST_KEY, Some(elsewhere.url()));
    pictures(&elsewhere, 0)?;
    let status = daemon.wait_state(&club, "live", secs(2))?;
    ensure!(status["reason"].is_null(), "{status}");
    let moved = here.visits_of(BROADCAST_KEY);
    ensure!(moved.len() == 2 && moved.iter().all(|visit| visit.ended_properly && visit.closed), "no proper ends");
    let codes: Vec<_> = daemon.events()?.into_iter().map(|event| event["code"].clone()).collect();
    ensure!(codes.iter().all(|code| code != "destination_retrying"), "it was taken for a fault: {codes:?}");
    let seen = |visits: Vec<Visit>| visits.into_iter().flat_map(|visit| visit.arrivals).filter(|a| a.picture);
    let last = elsewhere.visits_of(BROADCAST_KEY);
    let got: Vec<_> = seen(moved).chain(seen(last)).map(|arrival| arrival.fingerprint).collect();
    let steady: Vec<_> = seen(elsewhere.visits_of("steady")).map(|arrival| arrival.fingerprint).collect();
    let place = |picture: Option<&u64>| steady.iter().position(|other| Some(other) == picture);
    let from = place(got.first()).context("the steady destination has nothing of the first connection")?;
    // Its newest pictures may be still on their way.
    let to = place(got.last()).unwrap_or(steady.len() - 1);
    let missing = steady[from..=to].iter().filter(|picture| !got.contains(picture)).count();
    ensure!(missing == 0, "{missing} of {} pictures came over none of the connections", to - from + 1);
    ctx.note(format!("{} pictures over three connections, none missing", to - from + 1));
    Ok(())
}
