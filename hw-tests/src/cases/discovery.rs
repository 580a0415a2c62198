//! The box is found on the network, by real mDNS clients.

use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::bed::Ctx;
use crate::daemon::PASSWORD;
use crate::netns::Network;
use crate::process::{self, Process};
use crate::runner::Case;
use crate::wait::secs;

pub(super) const CASES: &[Case] = &[
    Case::new("discovery/a name within a second of ready", name_and_services).timing(),
    Case::new("discovery/two boxes on one network", two_boxes),
    Case::new("discovery/another address, and a pulled cable", another_address).timing(),
    Case::new("discovery/each link hears of its own addresses", own_addresses),
    Case::new("discovery/set-up, a new name and goodbye are told", news),
    Case::new("discovery/two networks that are joined", joined).timing().limit(240),
    Case::new("discovery/avahi finds the box", avahi).optional(),
];

/// A box on a machine of a small network.
struct Found {
    process: Process,
    machine: &'static str,
    /// From the start of the process to its `ready` line.
    ready_after: Duration,
}

impl Found {
    fn start(ctx: &Ctx, network: &Network, machine: &'static str) -> Result<Self> {
        let data = ctx.folder(machine)?;
        let begun = Instant::now();
        let (process, lines) = network.start(machine, &ctx.dir, &ctx.tools.brookboxd, |command| {
            command.args(["--http", "[::]:80", "--rtmp", "[::]:1935", "--data-dir"]).arg(&data);
            command.env("HOME", &data).env("BROOKBOX_MDNS", "on");
        })?;
        let line = lines.recv_timeout(secs(15)).with_context(|| format!("ready: {}", process.said()))?;
        let ready_after = begun.elapsed();
        ensure!(line.starts_with("ready "), "{line}");
        Ok(Self { process, machine, ready_after })
    }

    /// Waits until it has probed for its name and announced it.
    fn announced(&self) -> Result<()> {
        let said = || Ok(self.process.said().contains("mDNS: announced").then_some(()));
        crate::wait::until(secs(5), "the name to be announced", said)
    }

    /// One call of the API by its host name, as a browser on another machine would.
    fn call(&self, network: &Network, from: &str, name: &str, address: &str, path: &str, body: &str) -> Result<String> {
        let mut curl = network.inside(from, "curl");
        curl.args(["-s", "--max-time", "10", "--resolve", &format!("{name}:80:{address}"), "-w", "\n%{http_code}"]);
        if !body.is_empty() {
            curl.args(["-H", "content-type: application/json", "-H", &format!("origin: http://{name}"), "-d", body]);
        }
        curl.arg(format!("http://{name}{path}"));
        let said = process::output(&mut curl).with_context(|| self.machine.to_owned())?;
        Ok(String::from_utf8(said)?)
    }
}

/// One network with a client and so many boxes, as `box1` at 10.77.0.11 …; `None` where there can be none.
fn network(ctx: &Ctx, boxes: &[&str]) -> Result<Option<Network>> {
    let Some(mut network) = Network::new() else {
        ctx.note("skipped: network namespaces need root");
        return Ok(None);
    };
    network.switch("lan")?;
    network.machine("client")?;
    network.cable("client", "lan", &["10.77.0.1/24"])?;
    for (at, name) in boxes.iter().enumerate() {
        network.machine(name)?;
        network.cable(name, "lan", &[&format!("10.77.0.{}/24", 11 + at)])?;
    }
    Ok(Some(network))
}

fn client(ctx: &Ctx, network: &Network, machine: &str) -> Command {
    let mut python = network.inside(machine, "/usr/bin/python3");
    python.arg(ctx.tools.root.join("hw-tests/peers/mdns.py"));
    python
}

/// Asks for a name until it has an address; gives the seconds and all addresses.
fn resolve(ctx: &Ctx, network: &Network, from: &str, name: &str, address: &str) -> Result<(f64, Vec<String>)> {
    let said = process::output(client(ctx, network, from).args(["resolve", name, "8", address]))?;
    let said: Value = serde_json::from_slice(&said)?;
    let addresses = said["addresses"].as_array().context("addresses")?.iter();
    let addresses = addresses.filter_map(|address| address.as_str().map(str::to_owned)).collect();
    Ok((said["seconds"].as_f64().context("seconds")?, addresses))
}

/// What a browser of services sees, until this holds.
fn sees(lines: &Receiver<String>, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    let begun = Instant::now();
    let mut seen = Vec::new();
    while let Some(left) = secs(10).checked_sub(begun.elapsed()) {
        let Ok(line) = lines.recv_timeout(left) else { break };
        let event: Value = serde_json::from_str(&line)?;
        if holds(&event) {
            return Ok(event);
        }
        seen.push(line);
    }
    bail!("{what} was not seen, but {seen:#?}")
}

fn browse(ctx: &Ctx, network: &Network, kind: &str) -> Result<(Process, Receiver<String>)> {
    network.start("client", &ctx.dir, "/usr/bin/python3", |command| {
        command.arg(ctx.tools.root.join("hw-tests/peers/mdns.py")).args(["browse", kind, "60"]);
    })
}

fn name_and_services(ctx: &Ctx) -> Result<()> {
    let Some(network) = network(ctx, &["box1"])? else { return Ok(()) };
    let one = Found::start(ctx, &network, "box1")?;
    // Nothing of the daemon's start waits for the probes.
    ctx.note(format!("ready after {:.0?}", one.ready_after));
    ensure!(one.ready_after < Duration::from_millis(300), "the start took {:?}", one.ready_after);
    // Asked as soon as it is ready, the start of the client's interpreter apart.
    let (seconds, addresses) = resolve(ctx, &network, "client", "brookbox.local", "10.77.0.11")?;
    ctx.note(format!("{seconds:.2} s from the question to the address"));
    ensure!(seconds < 1.0, "{seconds} s");
    ensure!(addresses.iter().any(|address| address.starts_with("fe80:")), "{addresses:?}");
    for (kind, port) in [("_brookbox._tcp", 80), ("_http._tcp", 80), ("_rtmp._tcp", 1935)] {
        let (_browser, lines) = browse(ctx, &network, kind)?;
        let event = sees(&lines, kind, |event| event["what"] == "came" && event["txt"].is_object())?;
        ensure!(event["host"] == "brookbox.local." && event["port"] == port, "{event}");
        let txt = &event["txt"];
        ensure!(txt["setup"] == "open" && txt["v"].is_string() && txt["board"].is_string(), "{event}");
        ensure!(txt["id"].as_str().is_some_and(|id| id.len() >= 8), "{event}");
    }
    let said = one.call(&network, "client", "brookbox.local", "10.77.0.11", "/healthz", "")?;
    ensure!(said.ends_with("\n200"), "{said}");
    Ok(())
}

fn two_boxes(ctx: &Ctx) -> Result<()> {
    let Some(network) = network(ctx, &["box1", "box2"])? else { return Ok(()) };
    let first = Found::start(ctx, &network, "box1")?;
    first.announced()?;
    let mut second = Found::start(ctx, &network, "box2")?;
    resolve(ctx, &network, "client", "brookbox.local", "10.77.0.11")?;
    let (_, addresses) = resolve(ctx, &network, "client", "brookbox-2.local", "10.77.0.12")?;
    ensure!(!addresses.contains(&"10.77.0.11".to_owned()), "{addresses:?}");
    let said = second.call(&network, "client", "brookbox-2.local", "10.77.0.12", "/healthz", "")?;
    ensure!(said.ends_with("\n200"), "the announced name is not answered: {said}");
    let said = second.call(&network, "client", "brookbox-3.local", "10.77.0.12", "/healthz", "")?;
    ensure!(said.ends_with("\n421"), "{said}");
    // The name that was chosen comes back when it is free.
    drop(first);
    second.process.terminate(secs(5))?;
    drop(second);
    let _alone = Found::start(ctx, &network, "box2")?;
    resolve(ctx, &network, "client", "brookbox.local", "10.77.0.12")?;
    Ok(())
}

fn another_address(ctx: &Ctx) -> Result<()> {
    let Some(network) = network(ctx, &["box1"])? else { return Ok(()) };
    let _one = Found::start(ctx, &network, "box1")?;
    resolve(ctx, &network, "client", "brookbox.local", "10.77.0.11")?;
    network.ip("box1", "addr del 10.77.0.11/24 dev eth2")?;
    network.ip("box1", "addr add 10.77.0.99/24 dev eth2")?;
    let (after, _) = resolve(ctx, &network, "client", "brookbox.local", "10.77.0.99")?;
    ctx.note(format!("{after:.2} s for another address"));
    ensure!(after < 2.0, "{after} s");
    network.ip("box1", "link set eth2 down")?;
    std::thread::sleep(secs(1));
    network.ip("box1", "link set eth2 up")?;
    let (after, _) = resolve(ctx, &network, "client", "brookbox.local", "10.77.0.99")?;
    ctx.note(format!("{after:.2} s after the cable is back"));
    ensure!(after < 2.0, "{after} s");
    Ok(())
}

fn own_addresses(ctx: &Ctx) -> Result<()> {
    let Some(mut network) = network(ctx, &["box1"])? else { return Ok(()) };
    // A second cable to the same network, and one to another.
    network.cable("box1", "lan", &["10.77.0.50/24"])?;
    network.switch("other")?;
    network.machine("stranger")?;
    network.cable("stranger", "other", &["10.88.0.1/24", "fd12::1/64"])?;
    network.cable("box1", "other", &["10.88.0.2/24", "fd12::2/64", "2001:db8::2/64"])?;
    let _one = Found::start(ctx, &network, "box1")?;
    let (_, near) = resolve(ctx, &network, "client", "brookbox.local", "10.77.0.11")?;
    ensure!(near.iter().all(|address| address.starts_with("10.77.0.") || address.starts_with("fe80:")), "{near:?}");
    let (_, far) = resolve(ctx, &network, "stranger", "brookbox.local", "10.88.0.2")?;
    ensure!(far.contains(&"fd12::2".to_owned()), "{far:?}");
    let own = |address: &String| ["10.88.0.2", "fd12::2"].contains(&address.as_str()) || address.starts_with("fe80:");
    ensure!(far.iter().all(own) && far.len() == 3, "{far:?}");
    Ok(())
}

fn news(ctx: &Ctx) -> Result<()> {
    let Some(network) = network(ctx, &["box1"])? else { return Ok(()) };
    let mut one = Found::start(ctx, &network, "box1")?;
    let (_browser, lines) = browse(ctx, &network, "_brookbox._tcp")?;
    sees(&lines, "an open box", |event| event["txt"]["setup"] == "open")?;
    let code = process::output(
        network.inside("box1", &ctx.tools.brookboxd).arg("--data-dir").arg(ctx.folder("box1")?).arg("setup-code"),
    )?;
    let code = String::from_utf8(code)?;
    let owner = format!(r#"{{"username":"mara","password":"{PASSWORD}","code":"{}"}}"#, code.trim());
    let said = one.call(&network, "client", "brookbox.local", "10.77.0.11", "/api/v1/setup", &owner)?;
    ensure!(said.ends_with("\n201"), "{said}");
    let done = sees(&lines, "a box that is set up", |event| event["txt"]["setup"] == "done")?;
    ensure!(done["name"] == "brookbox._brookbox._tcp.local.", "{done}");
    one.process.signal(Signal::SIGTERM)?;
    let stopped = Instant::now();
    sees(&lines, "goodbye", |event| event["what"] == "went")?;
    ensure!(stopped.elapsed() < secs(4), "goodbye came late");
    Ok(())
}

/// Avahi's daemon and tools, with a message bus of their own.
fn avahi(ctx: &Ctx) -> Result<()> {
    let Some(network) = network(ctx, &["box1"])? else { return Ok(()) };
    let _one = Found::start(ctx, &network, "box1")?;
    let script = "mount -t tmpfs tmpfs /run; mkdir -p /run/dbus /run/avahi-daemon; chown avahi:avahi /run/avahi-daemon
        dbus-daemon --system --nofork --nopidfile & bus=$!; sleep 0.5
        avahi-daemon --no-drop-root --no-chroot & avahi=$!; sleep 2
        timeout 5 avahi-browse -rptk _brookbox._tcp
        timeout 5 avahi-resolve -4 -n brookbox.local
        timeout 5 avahi-resolve -6 -n brookbox.local
        kill $avahi $bus; wait";
    let said = process::output(network.inside("client", "unshare").args(["-m", "sh", "-c", script]))?;
    let said = String::from_utf8_lossy(&said);
    ensure!(said.contains("brookbox.local\t10.77.0.11"), "{said}");
    ensure!(said.contains("brookbox.local\tfe80:"), "{said}");
    ensure!(said.lines().any(|line| line.starts_with("=;") && line.contains("setup=open")), "{said}");
    Ok(())
}

/// Two boxes that each had the name, on networks that are joined later.
fn joined(ctx: &Ctx) -> Result<()> {
    let Some(mut network) = network(ctx, &["box1"])? else { return Ok(()) };
    network.switch("other")?;
    network.machine("box2")?;
    network.cable("box2", "other", &["10.77.0.12/24"])?;
    let first = Found::start(ctx, &network, "box1")?;
    let second = Found::start(ctx, &network, "box2")?;
    first.announced()?;
    second.announced()?;
    network.join("lan", "other")?;
    let begun = Instant::now();
    let kept = |found: &Found| Ok::<_, anyhow::Error>(!found.process.said().contains("brookbox-2.local"));
    crate::wait::until(
        secs(150),
        "one of the two to give way",
        || Ok((kept(&first)? != kept(&second)?).then_some(())),
    )?;
    ctx.note(format!("{:.0} s until one gave way", begun.elapsed().as_secs_f64()));
    let (keeps, gives) = if kept(&first)? { ("10.77.0.11", "10.77.0.12") } else { ("10.77.0.12", "10.77.0.11") };
    resolve(ctx, &network, "client", "brookbox-2.local", gives)?;
    resolve(ctx, &network, "client", "brookbox.local", keeps)?;
    Ok(())
}
