//! HTTPS beside HTTP, as curl and openssl see it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::bed::Ctx;
use crate::daemon::{Daemon, Options, PASSWORD};
use crate::ports;
use crate::process;
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    Case::new("https/a certificate of the box's own", own_certificate),
    Case::new("https/cookies of its own, and no word to http", cookies),
    Case::new("https/a certificate that was put in", put_in),
];

fn start(ctx: &Ctx, name: &str, config: Option<String>) -> Result<(Daemon, u16)> {
    let port = ports::free();
    let arguments = vec!["--https".to_owned(), format!("127.0.0.1:{port}")];
    let daemon = Daemon::start_unclaimed(ctx, name, Options { arguments, config, ..Options::default() })?;
    Ok((daemon, port))
}

fn text(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8(process::output(command)?)?)
}

fn curl(certificate: &Path) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "10", "-D", "-", "--cacert"]).arg(certificate);
    curl
}

fn openssl(certificate: &Path, question: &[&str]) -> Result<String> {
    text(Command::new("openssl").args(["x509", "-noout", "-in"]).arg(certificate).args(question))
}

fn own_certificate(ctx: &Ctx) -> Result<()> {
    let (mut daemon, port) = start(ctx, "box", None)?;
    let certificate = daemon.data().join("tls-certificate.pem");
    for name in ["localhost", "127.0.0.1", "brookbox.local"] {
        let resolve = format!("{name}:{port}:127.0.0.1");
        let said =
            text(curl(&certificate).args(["--resolve", &resolve]).arg(format!("https://{name}:{port}/healthz")))?;
        ensure!(said.starts_with("HTTP/1.1 200"), "{name}: {said}");
        ensure!(!said.to_lowercase().contains("strict-transport-security"), "{said}");
    }
    ensure!(
        text(Command::new("curl").args(["-sS", "--max-time", "10", &format!("https://localhost:{port}/")])).is_err()
    );

    let about = openssl(&certificate, &["-text"])?;
    for said in ["CA:FALSE", "TLS Web Server Authentication", "Digital Signature", "DNS:brookbox.local"] {
        ensure!(about.contains(said), "{said}: {about}");
    }
    let days = |days: u64| (days * 86_400).to_string();
    openssl(&certificate, &["-checkend", &days(300)])?;
    ensure!(openssl(&certificate, &["-checkend", &days(397)]).is_err(), "good for more than 397 days");
    let key = daemon.data().join("tls-key.pem");
    ensure!(key.metadata()?.permissions().mode() & 0o777 == 0o600, "others can read the key");

    let fingerprint = openssl(&certificate, &["-fingerprint", "-sha256"])?;
    let fingerprint = fingerprint.trim().split('=').next_back().unwrap_or_default().to_owned();
    let setup = daemon.ask("GET", "/setup", None)?;
    ensure!(setup["https"]["fingerprint"] == *fingerprint && setup["https"]["port"] == port, "{setup}");
    // A restart changes neither key nor certificate.
    daemon.restart()?;
    ensure!(daemon.ask("GET", "/setup", None)?["https"]["fingerprint"] == *fingerprint, "another certificate");
    Ok(())
}

fn cookies(ctx: &Ctx) -> Result<()> {
    let (daemon, port) = start(ctx, "box", None)?;
    let certificate = daemon.data().join("tls-certificate.pem");
    let owner = format!(r#"{{"username":"mara","password":"{PASSWORD}"}}"#);
    let origin = format!("https://localhost:{port}");
    let write = |origin: &str, path: &str| {
        let mut curl = curl(&certificate);
        curl.args(["-H", "content-type: application/json", "-H", &format!("origin: {origin}"), "-d", &owner]);
        text(curl.arg(format!("https://localhost:{port}/api/v1/{path}")))
    };
    let foreign = write(&format!("http://localhost:{port}"), "setup")?;
    ensure!(foreign.starts_with("HTTP/1.1 403"), "a page that came by http: {foreign}");
    let said = write(&origin, "setup")?;
    ensure!(said.starts_with("HTTP/1.1 201"), "{said}");
    let cookie = said.lines().find(|line| line.to_lowercase().starts_with("set-cookie: __host-brookbox="));
    let cookie = cookie.unwrap_or_default();
    for flag in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        ensure!(cookie.contains(flag), "{flag}: {said}");
    }
    ensure!(!cookie.contains("Domain"), "{cookie}");
    let value = cookie.split_once(": ").map_or("", |(_, value)| value).split(';').next().unwrap_or_default();
    let ask = |url: String, cookie: &str| text(curl(&certificate).args(["-H", &format!("cookie: {cookie}"), &url]));
    ensure!(ask(format!("{origin}/api/v1/me"), value)?.starts_with("HTTP/1.1 200"));
    let by_http = ask(format!("http://{}/api/v1/me", daemon.http()), value)?;
    ensure!(by_http.starts_with("HTTP/1.1 401"), "the cookie is good for http too: {by_http}");
    Ok(())
}

fn put_in(ctx: &Ctx) -> Result<()> {
    let (certificate, key) = (ctx.dir.join("own.pem"), ctx.dir.join("own-key.pem"));
    text(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
            .args(["-subj", "/CN=box.example.org", "-addext", "subjectAltName=DNS:localhost", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate),
    )?;
    let config = |key: &Path| format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    let (daemon, port) = start(ctx, "box", Some(config(&key)))?;
    let said = text(curl(&certificate).arg(format!("https://localhost:{port}/healthz")))?;
    ensure!(said.starts_with("HTTP/1.1 200"), "{said}");
    ensure!(daemon.ask("GET", "/setup", None)?["https"]["selfSigned"] == false);
    ensure!(!daemon.data().join("tls-key.pem").exists(), "a key that nobody needs");
    let wrong = start(ctx, "wrong", Some(config(&certificate))).err().map(|error| format!("{error:#}"));
    ensure!(wrong.as_ref().is_some_and(|wrong| wrong.contains("[tls]")), "{wrong:?}");
    Ok(())
}
