//! What goes wrong at a destination is said with the right code, in a plain sentence, within 5 s.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::bed::Ctx;
use crate::daemon::{Daemon, Options};
use crate::fault::{self, Fault, Faulty};
use crate::media::Clip;
use crate::peers::ffmpeg::Publisher;
use crate::peers::nginx::NginxRtmp;
use crate::peers::tls::{Authority, Certificate, Stunnel};
use crate::process;
use crate::runner::Case;
use crate::wait::{self, secs};

/// A key that must not show up in any sentence.
const KEY: &str = "sk_canary_7f3a9c";

pub(super) const CASES: &[Case] = &[
    Case::new("reasons/a bad address", bad_address),
    Case::new("reasons/an unknown host", |ctx| expect(ctx, "rtmp://no-such-host.invalid/live", "dns", "retrying")),
    Case::new("reasons/nobody listens", |ctx| expect(ctx, &fault::refusing_url(), "refused", "retrying")),
    Case::new("reasons/no route", no_route),
    Case::new("reasons/a silent host", |ctx| faulty(ctx, Fault::Silent, "timeout", "retrying")),
    Case::new("reasons/silent after the handshake", |ctx| {
        faulty(ctx, Fault::SilentAfterHandshake, "timeout", "retrying")
    }),
    Case::new("reasons/accepts and closes", |ctx| faulty(ctx, Fault::ClosesAtOnce, "remote_closed", "retrying")),
    Case::new("reasons/closes after the handshake", |ctx| {
        faulty(ctx, Fault::ClosesAfterHandshake, "remote_closed", "retrying")
    }),
    Case::new("reasons/closes after some media", |ctx| {
        faulty(ctx, Fault::ClosesAfterMedia(20), "remote_closed", "retrying")
    }),
    Case::new("reasons/refuses connect", |ctx| faulty(ctx, Fault::RefusesConnect, "refused", "retrying")),
    Case::new("reasons/refuses the key by status", |ctx| faulty(ctx, Fault::RefusesKey, "bad_key", "failed")),
    Case::new("reasons/refuses the key by closing", |ctx| faulty(ctx, Fault::ClosesAtPublish, "bad_key", "failed")),
    Case::new("reasons/refuses the key: nginx-rtmp", nginx_refuses),
    Case::new("reasons/refuses the key: another box", box_refuses),
    Case::new("reasons/does not speak rtmp", |ctx| {
        faulty(ctx, Fault::Babbles, "remote_closed|refused|timeout", "retrying")
    }),
    Case::new("reasons/an expired certificate", |ctx| certificate(ctx, Certificate::Expired, "tls_expired")),
    Case::new("reasons/a certificate for another name", |ctx| certificate(ctx, Certificate::OtherName, "tls_name")),
    Case::new("reasons/a certificate nobody trusts", |ctx| certificate(ctx, Certificate::Untrusted, "tls_untrusted")),
    Case::new("reasons/no tls where there should be", no_tls),
    Case::new("reasons/an address inside without leave", |ctx| not_allowed(ctx, false)),
    Case::new("reasons/the box's own ingest", |ctx| not_allowed(ctx, true)),
    Case::new("reasons/a black hole is slow, then too slow", black_hole),
];

/// Adds a destination while a stream runs and waits for its reason.
fn reason(daemon: &Daemon, ctx: &Ctx, url: &str, codes: &str, state: &str) -> Result<()> {
    let start = Instant::now();
    let id = daemon.add_destination("Club", url, KEY)?;
    let status = wait::until(secs(10), &format!("reason {codes}"), || {
        let status = daemon.destination(&id)?;
        let code = status["reason"]["code"].as_str().unwrap_or_default();
        // On the way to bad_key stands what a single try looks like.
        Ok(codes.split('|').any(|wanted| wanted == code).then_some(status))
    });
    let status = status.map_err(|error| error.context(format!("{:?}", daemon.destination(&id))))?;
    let took = start.elapsed();
    ctx.note(format!(
        "{} after {:.1} s: {}",
        status["reason"]["code"],
        took.as_secs_f32(),
        status["reason"]["sentence"]
    ));
    ensure!(took < Duration::from_millis(5100), "it took {took:.1?}");
    ensure!(status["state"] == state, "the state is {}: {status}", status["state"]);
    let sentence = status["reason"]["sentence"].as_str().unwrap_or_default();
    ensure!(sentence.len() > 10 && sentence.ends_with('.'), "not a sentence: {sentence:?}");
    ensure!(!status.to_string().contains(KEY), "the key is in the status: {status}");
    ensure!((state == "retrying") != status["nextTryAt"].is_null(), "the next try: {status}");
    let event = daemon.wait_event(&format!("destination_{state}"), secs(2))?;
    ensure!(codes.split('|').any(|code| event["params"]["reason"] == code), "the event: {event}");
    ensure!(!event.to_string().contains(KEY), "the key is in the event: {event}");
    Ok(())
}

fn streaming(ctx: &Ctx, options: Options) -> Result<(Daemon, Publisher)> {
    let daemon = Daemon::start_as(ctx, "box", options)?;
    let publisher = Publisher::start(ctx, "publisher", Clip::H264Long, &daemon.publish_url()?)?;
    daemon.wait_input("receiving", secs(10))?;
    Ok((daemon, publisher))
}

fn expect(ctx: &Ctx, url: &str, codes: &str, state: &str) -> Result<()> {
    let (daemon, _publisher) = streaming(ctx, Options::default())?;
    reason(&daemon, ctx, url, codes, state)
}

fn faulty(ctx: &Ctx, fault: Fault, codes: &str, state: &str) -> Result<()> {
    let server = Faulty::start(fault)?;
    expect(ctx, &server.url(), codes, state)
}

fn bad_address(ctx: &Ctx) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    for url in [
        "",
        "live",
        "http://example.com/live",
        "rtmp://",
        "rtmp:///live",
        "rtmp://host:0/live",
        "rtmp://host:99999/live",
        "rtmp://user@/live",
        "rtmp://ho st/live",
        "rtmp://host/li\nve",
        "file:///etc/passwd",
        "rtmp://[::1/live",
    ] {
        let body = json!({"name": "Club", "platform": "custom", "url": url, "key": KEY, "output": "main/passthrough",
            "enabled": true, "startMode": "withStream", "allowLocal": true});
        let reply = daemon.call("POST", "/destinations", Some(&body))?;
        ensure!(reply.status == 422, "{url:?} was answered {} {}", reply.status, reply.text);
        let problem = reply.json()?;
        ensure!(problem["code"] == "invalid", "{url:?}: {problem}");
        ensure!(problem["errors"][0]["field"] == "url", "{url:?}: {problem}");
        ensure!(problem["errors"][0]["message"].as_str().is_some_and(|text| text.len() > 10), "{url:?}: {problem}");
        ensure!(!reply.text.contains(KEY), "{url:?}: the key is in the answer");
    }
    ensure!(daemon.ask("GET", "/destinations", None)? == json!([]), "one of them was taken");
    Ok(())
}

fn no_route(ctx: &Ctx) -> Result<()> {
    /// Set for the suite's second self.
    const ALONE: &str = "BROOKBOX_HW_TESTS_ALONE";
    if std::env::var_os(ALONE).is_some() {
        // An address that is set aside for documentation; nothing leads there from here.
        return expect(ctx, "rtmp://198.51.100.7/live", "no_route", "retrying");
    }
    // The same case once more, in a network of its own that has nothing but loopback.
    let mut suite = Command::new("unshare");
    suite.arg(if nix::unistd::geteuid().is_root() { "-n" } else { "-rn" });
    suite.args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(std::env::current_exe()?);
    suite.args(["reasons/no route", "--folder"]).arg(ctx.folder("alone")?).env(ALONE, "1");
    let said = String::from_utf8(process::output(&mut suite)?)?;
    let lines: Vec<_> = said.lines().filter(|line| line.contains("no_route")).collect();
    ensure!(said.ends_with("1 passed, 0 failed\n"), "{said}");
    ctx.note(lines.join(" ").trim().to_owned());
    Ok(())
}

fn nginx_refuses(ctx: &Ctx) -> Result<()> {
    let nginx = NginxRtmp::start_refusing(ctx, "nginx")?;
    expect(ctx, &nginx.rtmp_url(), "bad_key", "failed")
}

fn box_refuses(ctx: &Ctx) -> Result<()> {
    let other = Daemon::start_as(ctx, "other-box", Options::default())?;
    expect(ctx, &format!("rtmp://{}/live", other.rtmp()), "bad_key", "failed")
}

fn certificate(ctx: &Ctx, certificate: Certificate, code: &str) -> Result<()> {
    let authority = Authority::new(ctx)?;
    let nginx = NginxRtmp::start(ctx, "nginx")?;
    let stunnel = Stunnel::start(ctx, "stunnel", &authority, certificate, nginx.port)?;
    let options = Options { config: Some(authority.daemon_config()), ..Options::default() };
    let (daemon, _publisher) = streaming(ctx, options)?;
    reason(&daemon, ctx, &stunnel.url(), code, "retrying")?;
    ensure!(!nginx.publishing(KEY)?, "the key went over a connection that was not to be trusted");
    Ok(())
}

fn no_tls(ctx: &Ctx) -> Result<()> {
    let nginx = NginxRtmp::start(ctx, "nginx")?;
    // nginx-rtmp waits for the rest of what it takes for a handshake: silence, or a closed connection.
    expect(ctx, &format!("rtmps://localhost:{}/live", nginx.port), "tls|timeout", "retrying")
}

fn not_allowed(ctx: &Ctx, own: bool) -> Result<()> {
    let nginx = NginxRtmp::start(ctx, "nginx")?;
    let (daemon, _publisher) = streaming(ctx, Options::default())?;
    let url = if own { format!("rtmp://{}/live", daemon.rtmp()) } else { nginx.rtmp_url() };
    let body = json!({"name": "Club", "platform": "custom", "url": url, "key": KEY, "output": "main/passthrough",
        "enabled": true, "startMode": "withStream", "allowLocal": own});
    let reply = daemon.call("POST", "/destinations", Some(&body))?;
    // Said at once where it can be known, else when it is tried.
    if reply.status == 422 {
        ensure!(reply.text.contains("address_not_allowed"), "{}", reply.text);
        return Ok(());
    }
    let made = reply.json()?;
    let id = made["id"].as_str().unwrap_or_default();
    let status = daemon.wait_state(id, "failed", secs(5))?;
    ensure!(status["reason"]["code"] == "address_not_allowed", "{status}");
    ctx.note(format!("{}", status["reason"]["sentence"]));
    Ok(())
}

fn black_hole(ctx: &Ctx) -> Result<()> {
    let server = Faulty::start(Fault::BlackHole)?;
    let (daemon, _publisher) = streaming(ctx, Options::default())?;
    let id = daemon.add_destination("Club", &server.url(), KEY)?;
    daemon.wait_state(&id, "slow", secs(10))?;
    let status = daemon.wait_state(&id, "retrying", secs(25))?;
    ensure!(status["reason"]["code"] == "too_slow", "{status}");
    ctx.note(format!("{}", status["reason"]["sentence"]));
    Ok(())
}
