//! systemd's watchdog: fed while the engine's own thread turns, and only then.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use common::Daemon;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// What systemd would have as `WatchdogSec`.
const LIMIT: Duration = Duration::from_millis(800);

/// systemd's end of `NOTIFY_SOCKET`.
struct Systemd {
    socket: UnixDatagram,
    daemon: Daemon,
}

impl Systemd {
    fn start() -> Self {
        let mut bound = None;
        let daemon = Daemon::start(|command, dir| {
            let path = dir.join("notify");
            bound = Some(UnixDatagram::bind(&path).unwrap());
            command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", LIMIT.as_micros().to_string());
        });
        Self { socket: bound.unwrap(), daemon }
    }

    /// What is said within this time, and when, since now.
    fn hears(&self, time: Duration) -> Vec<(Duration, String)> {
        let begun = Instant::now();
        let mut heard = Vec::new();
        while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut message = [0; 512];
            if let Ok(length) = self.socket.recv(&mut message) {
                heard.push((begun.elapsed(), String::from_utf8_lossy(&message[..length]).trim().to_owned()));
            }
        }
        heard
    }

    fn pings(&self, time: Duration) -> usize {
        self.hears(time).iter().filter(|(_, said)| said == "WATCHDOG=1").count()
    }
}

#[test]
fn it_is_fed_well_within_its_limit() {
    let systemd = Systemd::start();
    let heard = systemd.hears(LIMIT * 5);
    assert_eq!(heard[0].1, "READY=1");
    let pings: Vec<_> = heard.iter().filter(|(_, said)| said == "WATCHDOG=1").map(|(at, _)| *at).collect();
    assert!(pings.len() >= 8, "{heard:?}");
    assert!(pings.windows(2).all(|two| two[1] - two[0] < LIMIT), "{pings:?}");
}

#[test]
fn a_stopped_daemon_feeds_nothing() {
    let systemd = Systemd::start();
    assert!(systemd.pings(LIMIT * 2) > 0);
    systemd.daemon.signal(Signal::SIGSTOP);
    systemd.hears(LIMIT / 4);
    assert_eq!(systemd.pings(LIMIT * 3), 0);
    systemd.daemon.signal(Signal::SIGCONT);
    assert!(systemd.pings(LIMIT * 2) > 0);
}

/// Only the engine's thread hangs: HTTP answers on, and would feed a watchdog that is fed by a timer.
#[test]
fn a_hung_engine_is_not_covered_up_by_the_rest() {
    let systemd = Systemd::start();
    assert!(systemd.pings(LIMIT * 2) > 0);
    let engine = thread_named(systemd.daemon.pid(), "engine");
    if let Err(error) = ptrace::seize(engine, Options::empty()) {
        println!("skipped: no thread can be stopped here: {error}");
        return;
    }
    ptrace::interrupt(engine).unwrap();
    waitpid(engine, Some(WaitPidFlag::__WALL)).unwrap();
    systemd.hears(LIMIT / 2);
    let fed = systemd.pings(LIMIT * 3);
    let answered = answers(&systemd.daemon.listener("http"));
    ptrace::detach(engine, None).unwrap();
    assert_eq!((fed, answered), (0, true));
    assert!(systemd.pings(LIMIT * 3) > 0, "it turns again");
}

fn thread_named(process: Pid, name: &str) -> Pid {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|entry| entry.unwrap().path());
    let found = threads.into_iter().find(|thread| fs::read_to_string(thread.join("comm")).unwrap().trim() == name);
    Pid::from_raw(found.unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap())
}

fn answers(http: &str) -> bool {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.ends_with("{\"status\":\"ok\"}")
}
