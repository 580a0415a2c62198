//! A secret is nowhere to be seen: canaries are put in everywhere and looked for everywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use super::secret_file;
use crate::bed::Ctx;
use crate::daemon::{Daemon, Options, PASSWORD};
use crate::fault::{self, Fault, Faulty};
use crate::media::Clip;
use crate::peers::ffmpeg::Publisher;
use crate::process;
use crate::runner::Case;
use crate::tap::Tap;
use crate::text::{base64, hex};
use crate::wait::{self, secs};
use crate::wire::Wire;

pub(super) const CASES: &[Case] = &[
    Case::new("secrets/no key in logs, answers, events, metrics, processes or files", nowhere),
    Case::new("secrets/a search that looks finds what it looks for", found),
];

const INPUT: &str = "canary-input-4b1d9e";
const WRONG: &str = "canary-wrong-77a0c2";
const GOOD: &str = "canary-good-0d3f51?x=1&sig=canary-sig-9e2b";
const REFUSED: &str = "canary-refused-c5d6e7";
const CLOSED: &str = "canary-closed-18f0aa";
const NAMED: &str = "canary-from-file-3c3c1d";
const BAD_URL: &str = "canary-bad-url-e0e1e2";
const LOGIN: &str = "canary-login-5d5e5f";

/// Every form in which one could show up. All secrets above share no part with anything else.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for secret in [INPUT, WRONG, GOOD, "canary-sig-9e2b", REFUSED, CLOSED, NAMED, BAD_URL, LOGIN, PASSWORD] {
        let percent = secret.replace('?', "%3F").replace('=', "%3D").replace('&', "%26").replace(' ', "%20");
        let json = secret.replace('&', "\\u0026");
        for form in [secret.to_owned(), percent, json, base64(whole_groups(secret.as_bytes())), hex(secret.as_bytes())]
        {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

fn nowhere(ctx: &Ctx) -> Result<()> {
    let variables = ctx.dir.join("variables");
    secret_file(&variables, &format!("CLUB={NAMED}\n"))?;
    let options = Options {
        config: Some(format!("[variables]\nfile = \"{}\"\n", variables.display())),
        // As talkative as it gets.
        environment: vec![("BROOKBOX_LOG".into(), "trace".into())],
        ..Options::default()
    };
    let mut daemon = Daemon::start_as(ctx, "box", options)?;
    let tap = Tap::start()?;
    let (refuses, closes) = (Faulty::start(Fault::RefusesKey)?, Faulty::start(Fault::ClosesAtPublish)?);
    daemon.ask("POST", "/inputs/main/rotate-key", Some(&json!({"key": INPUT})))?;
    let destinations = [
        daemon.add_destination("Good", &tap.url(), GOOD)?,
        daemon.add_destination("Refused", &refuses.url(), REFUSED)?,
        daemon.add_destination("Closed", &closes.url(), CLOSED)?,
        daemon.add_destination("Named", &tap.url(), "${CLUB}")?,
        daemon.add_destination_with(
            "Unreachable",
            &fault::refusing_url(),
            REFUSED,
            &json!({"username": "mara", "password": LOGIN}),
        )?,
    ];
    let mut seen = Vec::new();
    // Wrong everything: keys, passwords, addresses with a key in them, bodies that are not JSON.
    for app in ["live", WRONG] {
        let _ = Wire::connect(daemon.rtmp())?.publish(app, WRONG);
    }
    let wrong = json!({"name": "x", "platform": "custom", "url": format!("rtmp:// {BAD_URL}/live/{BAD_URL}"), "key": BAD_URL,
        "enabled": "perhaps"});
    seen.push(("a wrong destination".to_owned(), daemon.call("POST", "/destinations", Some(&wrong))?.text));
    let wrong = json!({"username": "mara", "password": WRONG});
    seen.push(("a wrong sign-in".to_owned(), daemon.call("POST", "/login", Some(&wrong))?.text));
    seen.push(("an odd path".to_owned(), daemon.call("GET", &format!("/{WRONG}?key={WRONG}"), None)?.text));
    let mut publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_state(&destinations[0], "live", secs(10))?;
    daemon.wait_state(&destinations[1], "failed", secs(10))?;
    daemon.wait_state(&destinations[2], "failed", secs(10))?;
    // The secrets do arrive where they belong.
    for key in [GOOD, NAMED] {
        ensure!(!tap.visits_of(key).is_empty(), "the destination did not get its key {key}");
    }
    ensure!(refuses.keys() == [REFUSED], "the refusing server got {:?}", refuses.keys());
    let lists = [
        "/status",
        "/inputs",
        "/destinations",
        "/events?limit=500",
        "/sessions",
        "/refusals",
        "/metrics",
        "/readyz",
        "/me",
        "/signins",
        "/tokens",
        "/users",
        "/platforms",
        "/outputs",
        "/system",
        "/system/logs?limit=500",
        "/jobs",
        "/openapi.json",
        "/setup",
    ];
    for path in lists {
        let reply = daemon.call("GET", path, None)?;
        ensure!(reply.status == 200, "{path}: {} {}", reply.status, reply.text);
        seen.push((format!("GET {path}"), reply.text));
    }
    for id in &destinations {
        let path = format!("/destinations/{id}");
        seen.push((format!("GET {path}"), daemon.call("GET", &path, None)?.text));
        seen.push((format!("PATCH {path}"), daemon.call("PATCH", &path, Some(&json!({"name": "New name"})))?.text));
        seen.push((format!("POST {path}/retry"), daemon.call("POST", &format!("{path}/retry"), None)?.text));
    }
    for process in fs::read_dir("/proc")?.flatten() {
        let pid = process.file_name().to_string_lossy().into_owned();
        // FFmpeg, the publisher, is told the key on its command line; the box's own processes are not.
        if pid == daemon.pid().to_string() {
            for part in ["cmdline", "environ", "comm", "status"] {
                let text = fs::read(process.path().join(part)).unwrap_or_default();
                seen.push((format!("/proc/{pid}/{part}"), String::from_utf8_lossy(&text).into_owned()));
            }
        }
    }
    files(&support_file(ctx, &daemon)?, &mut seen)?;
    publisher.stop()?;
    daemon.terminate()?;
    seen.push(("the log".to_owned(), daemon.process().said()));
    ensure!(
        seen.last().is_some_and(|(_, log)| log.lines().count() > 10),
        "nothing was logged: the search means nothing"
    );
    files(&daemon.data(), &mut seen)?;
    ctx.note(format!("{} answers and files searched", seen.len()));
    search(&seen)
}

/// Has a support file made and fetched, and unpacks it into a folder by somebody else's program.
fn support_file(ctx: &Ctx, daemon: &Daemon) -> Result<PathBuf> {
    let began = Instant::now();
    let job = daemon.ask("POST", "/system/support-file", None)?;
    let job = format!("/jobs/{}", job["id"].as_str().context("a job has an id")?);
    let job = wait::until(secs(15), "the support file", || {
        let job = daemon.ask("GET", &job, None)?;
        Ok((job["state"] != "running").then_some(job))
    })?;
    ensure!(job["state"] == "done", "{job}");
    ctx.note(format!("support file of {} bytes in {} ms", job["file"]["bytes"], began.elapsed().as_millis()));
    let (zip, folder) = (ctx.dir.join("support.zip"), ctx.folder("support")?);
    let path = job["file"]["path"].as_str().context("its path")?;
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-f", "--max-time", "10", "-H", &format!("cookie: {}", daemon.cookie()), "-o"]).arg(&zip);
    process::output(curl.arg(format!("http://{}{path}", daemon.http())))?;
    process::output(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&zip).arg(&folder))?;
    for part in ["README.txt", "box.json", "configuration.json", "events.json", "figures.json", "log.txt"] {
        let length = fs::metadata(folder.join(part)).with_context(|| part.to_owned())?.len();
        ensure!(length > 0, "{part} is empty");
    }
    Ok(folder)
}

/// Adds every file below a folder, whatever is in it.
fn files(dir: &Path, seen: &mut Vec<(String, String)>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, seen)?;
        } else if path.is_file() {
            seen.push((path.display().to_string(), String::from_utf8_lossy(&fs::read(&path)?).into_owned()));
        }
    }
    Ok(())
}

fn search(seen: &[(String, String)]) -> Result<()> {
    let forms = forms();
    for (place, text) in seen {
        if let Some(form) = forms.iter().find(|form| text.contains(form.as_str())) {
            let line = text.lines().find(|line| line.contains(form.as_str())).unwrap_or_default();
            bail!("{form} is in {place}: {}", line.chars().take(300).collect::<String>());
        }
    }
    Ok(())
}

/// The search itself is put to the test: each form, hidden in a text, is found.
fn found(_: &Ctx) -> Result<()> {
    for form in forms() {
        let place = [("a place".to_owned(), format!("before\nabc{form}def\nafter"))];
        ensure!(search(&place).is_err(), "{form} is not found");
    }
    search(&[("a place".to_owned(), "canary birds sing".to_owned())])
}

/// What base64 makes of these bytes whatever comes after them.
fn whole_groups(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() / 3 * 3]
}
