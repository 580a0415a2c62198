//! Watching on the box itself: FLV over HTTP and over WebSocket, for who is signed in and for who has a watch link.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::compare_file;
use crate::bed::Ctx;
use crate::daemon::Daemon;
use crate::frames::Part;
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::Publisher;
use crate::peers::nginx::NginxRtmp;
use crate::process::{self, Process};
use crate::runner::Case;
use crate::wait::{self, secs};
use crate::websocket;

pub(super) const CASES: &[Case] = &[
    Case::new("play/over http", |ctx| over_http(ctx, Clip::H264)),
    Case::new("play/b-frames over http", |ctx| over_http(ctx, Clip::BFrames)),
    Case::new("play/av1 and opus over http", |ctx| over_http(ctx, Clip::Av1Opus)),
    Case::new("play/over websocket", over_websocket),
    Case::new("play/several viewers beside a destination", several),
    Case::new("play/a watch link shows one input and nothing else", watch_link),
    Case::new("play/a watch link ends, and has places for so many", watch_link_ends),
];

const URL: &str = "/play/main.flv";

/// Somebody who watches by curl until the stream ends.
struct Viewer {
    process: Process,
    file: PathBuf,
}

impl Viewer {
    fn start(ctx: &Ctx, name: &str, daemon: &Daemon, cookie: &str) -> Result<Self> {
        let file = ctx.dir.join(format!("{name}.flv"));
        let process = Process::start(name, &ctx.dir, "curl", |command| {
            command.args(["-sS", "-N", "-f", "--max-time", "60", "-H", &format!("cookie: {cookie}"), "-o"]).arg(&file);
            command.arg(format!("http://{}{URL}", daemon.http()));
        })?;
        Ok(Self { process, file })
    }

    /// Until the stream has ended.
    fn done(mut self) -> Result<PathBuf> {
        self.process.succeeded(secs(40))?;
        Ok(self.file)
    }
}

/// Publishes, and waits until there is something to be seen that began a while ago.
fn publish(ctx: &Ctx, daemon: &Daemon, clip: Clip) -> Result<Publisher> {
    let publisher = Publisher::start(ctx, "publisher", clip, &daemon.publish_url()?)?;
    daemon.wait_input("receiving", secs(20))?;
    std::thread::sleep(secs(2));
    Ok(publisher)
}

fn over_http(ctx: &Ctx, clip: Clip) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let mut publisher = publish(ctx, &daemon, clip)?;
    let viewer = Viewer::start(ctx, "viewer", &daemon, daemon.cookie())?;
    publisher.done(secs(40))?;
    watched(ctx, clip, &viewer.done()?)
}

fn over_websocket(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let mut publisher = publish(ctx, &daemon, Clip::H264)?;
    let file = ctx.dir.join("viewer.flv");
    let (place, cookie) = (daemon.http().to_owned(), daemon.cookie().to_owned());
    let to = file.clone();
    let viewer = std::thread::spawn(move || websocket::record(&place, URL, &cookie, &to));
    publisher.done(secs(40))?;
    let close = viewer.join().map_err(|_| anyhow::anyhow!("the viewer died"))??;
    ensure!(close == Some(1000), "closed with {close:?}, not as an end");
    watched(ctx, Clip::H264, &file)
}

/// What was watched begins with a keyframe, and from there on nothing is missing.
fn watched(ctx: &Ctx, clip: Clip, file: &Path) -> Result<()> {
    // By ffprobe, as a stranger would count; Debian's knows no Enhanced RTMP.
    if !clip.enhanced() {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=flags", "-of", "csv=p=0"]);
        let flags = String::from_utf8(process::output(command.arg(file))?)?;
        let flags: Vec<_> = flags.lines().collect();
        ensure!(flags.first().is_some_and(|first| first.starts_with('K')), "it begins with {:?}", flags.first());
        let least = 30 * 5;
        ensure!(flags.len() >= least, "only {} frames, at least {least} were to be seen", flags.len());
        ctx.note(format!("{} frames by ffprobe", flags.len()));
    }
    compare_file(ctx, clip, file, Part::Run).context("what was watched")
}

fn several(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    daemon.add_destination("Club", &nginx.url(), "there")?;
    let mut publisher = publish(ctx, &daemon, Clip::H264)?;
    let viewers: Vec<_> = (0..4)
        .map(|number| Viewer::start(ctx, &format!("viewer-{number}"), &daemon, daemon.cookie()))
        .collect::<Result<_>>()?;
    wait::until(secs(5), "all viewers to be counted", || {
        Ok((daemon.status()?["inputs"]["main"]["viewers"] == 4).then_some(()))
    })?;
    publisher.done(secs(40))?;
    for viewer in viewers {
        watched(ctx, Clip::H264, &viewer.done()?)?;
    }
    super::passthrough::arrived_whole(ctx, Clip::H264, &mut nginx, "there")?;
    let left = daemon.status()?["inputs"]["main"]["viewers"].clone();
    ensure!(left == 0, "{left} viewers are left");
    Ok(())
}

/// An answer of curl: its status and everything that it said.
fn curl(daemon: &Daemon, path: &str, cookie: Option<&str>, body: Option<&str>) -> Result<(u16, String)> {
    let mut command = Command::new("curl");
    command.args(["-sS", "-D", "-", "--max-time", "10", "-H", &format!("origin: http://{}", daemon.http())]);
    if let Some(cookie) = cookie {
        command.args(["-H", &format!("cookie: {cookie}")]);
    }
    if let Some(body) = body {
        command.args(["-H", "content-type: application/json", "-d", body]);
    }
    let said = process::output(command.arg(format!("http://{}{path}", daemon.http())))?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let status = said.split(' ').nth(1).context("a status")?.parse()?;
    Ok((status, said))
}

/// Makes a watch link for so many, and gives its id and the cookie that it is exchanged for.
fn link(daemon: &Daemon, viewers: u32) -> Result<(String, String)> {
    let wanted = json!({"name": "Family", "input": "main", "viewers": viewers});
    let made = daemon.ask("POST", "/watch-links", Some(&wanted))?;
    let path = made["path"].as_str().context("a link has a path")?;
    let secret = path.strip_prefix("/watch/").context("a path of the page")?;
    let (status, said) = curl(daemon, "/play/watch", None, Some(&json!({"token": secret}).to_string()))?;
    ensure!(status == 200, "{said}");
    let cookie = said.lines().find_map(|line| line.to_lowercase().starts_with("set-cookie: ").then(|| &line[12..]));
    let cookie = cookie.context("a cookie")?;
    ensure!(cookie.contains("Path=/play;") && cookie.contains("HttpOnly"), "{cookie}");
    let id = made["id"].as_str().context("a link has an id")?.to_owned();
    Ok((id, cookie.split(';').next().unwrap_or_default().to_owned()))
}

fn watch_link(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    daemon.ask("POST", "/inputs", Some(&json!({"name": "Second"})))?;
    let (_, cookie) = link(&daemon, 2)?;
    let mut publisher = publish(ctx, &daemon, Clip::H264)?;
    let viewer = Viewer::start(ctx, "viewer", &daemon, &cookie)?;
    for path in ["/api/v1/status", "/api/v1/inputs", "/api/v1/me", "/api/v1/live"] {
        let (status, said) = curl(&daemon, path, Some(&cookie), None)?;
        ensure!(status == 401, "{path}: {said}");
    }
    let second = daemon.ask("GET", "/inputs", None)?;
    let other = second.as_array().and_then(|list| list.iter().find(|input| input["name"] == "Second"));
    let other = other.and_then(|input| input["id"].as_str()).context("the second input")?;
    let (status, said) = curl(&daemon, &format!("/play/{other}.flv"), Some(&cookie), None)?;
    ensure!(status == 403, "another input: {said}");
    let (status, said) = curl(&daemon, URL, None, None)?;
    ensure!(status == 401, "without anything: {said}");
    publisher.done(secs(40))?;
    watched(ctx, Clip::H264, &viewer.done()?)
}

fn watch_link_ends(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    let (id, cookie) = link(&daemon, 1)?;
    let mut publisher = publish(ctx, &daemon, Clip::H264)?;
    let mut viewer = Viewer::start(ctx, "viewer", &daemon, &cookie)?;
    wait::until(secs(5), "the viewer", || Ok((daemon.status()?["inputs"]["main"]["viewers"] == 1).then_some(())))?;
    let (status, said) = curl(&daemon, URL, Some(&cookie), None)?;
    ensure!(status == 429, "a second viewer: {said}");
    let deleted = Instant::now();
    daemon.ask("DELETE", &format!("/watch-links/{id}"), None)?;
    viewer.process.ended(secs(5))?;
    let took = deleted.elapsed();
    ensure!(took < secs(2), "it went on for {took:?}");
    ctx.note(format!("ended {} ms after the link", took.as_millis()));
    let (status, said) = curl(&daemon, URL, Some(&cookie), None)?;
    ensure!(status == 401, "an ended link: {said}");
    publisher.stop()
}
