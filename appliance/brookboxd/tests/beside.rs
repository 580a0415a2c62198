//! What runs beside the daemon: `healthy`, `screen`, the other commands; and what does not: a second daemon.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Daemon, command};
use nix::sys::signal::Signal;

#[test]
fn a_running_daemon_is_healthy_on_every_listener() {
    let daemon = Daemon::start(|command, _| {
        command.args(["--https", "127.0.0.1:0"]);
    });
    assert!(!daemon.listener("https").is_empty());
    let said = daemon.command(&["healthy"]);
    assert!(said.status.success(), "{said:?}");
    let socket = fs::metadata(daemon.dir.path().join("data/status")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
}

#[test]
fn one_that_hangs_or_is_gone_is_not() {
    let mut daemon = Daemon::start(|_, _| {});
    daemon.signal(Signal::SIGSTOP);
    let begun = Instant::now();
    let said = daemon.command(&["healthy"]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(begun.elapsed() < Duration::from_secs(8));
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let said = daemon.command(&["healthy", "--wait", "2"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("brookboxd does not run"), "{said:?}");
}

#[test]
fn one_whose_data_cannot_be_written_is_not() {
    let daemon = Daemon::start(|_, _| {});
    assert!(daemon.command(&["healthy"]).status.success());
    // Whoever holds the write lock of SQLite (byte 120 of the index in shared memory) stops all writes.
    let held = hold_writes(&daemon.dir.path().join("data/brookbox.db-shm"));
    let said = daemon.command(&["healthy"]);
    drop(held);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
}

fn hold_writes(index: &std::path::Path) -> fs::File {
    use nix::fcntl::{FcntlArg, fcntl};
    let file = fs::OpenOptions::new().read(true).write(true).open(index).unwrap();
    let lock = nix::libc::flock { l_type: 1, l_whence: 0, l_start: 120, l_len: 1, l_pid: 0 };
    fcntl(&file, FcntlArg::F_SETLK(&lock)).unwrap();
    file
}

#[test]
fn a_second_daemon_on_the_same_data_ends_at_once_and_disturbs_nothing() {
    let daemon = Daemon::start(|_, _| {});
    let mut second = command(daemon.dir.path());
    second.args(["--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut second = second.spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = second.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(5) {
            second.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("another brookboxd (process {}) runs on the data in ", daemon.pid())), "{said}");
    assert!(said.contains("hint: stop that one"), "{said}");
    let healthy = daemon.command(&["healthy"]);
    assert!(healthy.status.success(), "{healthy:?}");
}

/// Killed, it leaves its lock file behind, and that is in nobody's way.
#[test]
fn the_next_daemon_starts_on_what_a_killed_one_left() {
    let mut daemon = Daemon::start(|_, _| {});
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    assert!(daemon.dir.path().join("data/brookboxd.lock").exists());
    let mut next = command(daemon.dir.path());
    next.args(["--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut next = next.spawn().unwrap();
    let mut first = [0; 6];
    let read = next.stdout.take().unwrap().read_exact(&mut first);
    next.kill().unwrap();
    next.wait().unwrap();
    read.unwrap();
    assert_eq!(&first, b"ready ");
}

#[test]
fn commands_work_beside_a_running_daemon() {
    let daemon = Daemon::start(|command, dir| {
        let hash = owner_hash(dir);
        let (card, config) = (dir.join("brookbox.toml"), dir.join("brookboxd.toml"));
        fs::write(&card, format!("[owner]\nusername = \"mara\"\npassword_hash = \"{hash}\"\n")).unwrap();
        fs::write(&config, format!("[first_boot]\nfile = {card:?}\n")).unwrap();
        command.arg("--config").arg(config);
    });
    for (arguments, answer) in [
        (&["show-key"][..], ""),
        (&["check"], "well"),
        (&["reset-password"], "The new password of mara is: "),
        (&["healthy"], ""),
    ] {
        let said = daemon.command(arguments);
        assert!(said.status.success(), "{arguments:?}: {said:?}");
        assert!(String::from_utf8_lossy(&said.stdout).contains(answer), "{arguments:?}: {said:?}");
    }
}

fn owner_hash(dir: &std::path::Path) -> String {
    let mut hash = command(dir);
    let mut hash = hash.arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    hash.stdin.take().unwrap().write_all(b"a long way down the river\n").unwrap();
    String::from_utf8(hash.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn the_screen_shows_what_goes_on_and_what_changes() {
    let daemon = Daemon::start(|command, dir| {
        let card = dir.join("brookbox.toml");
        fs::write(&card, "nmae = \"river\"\n").unwrap();
        let config = dir.join("brookboxd.toml");
        fs::write(&config, format!("[first_boot]\nfile = {card:?}\n")).unwrap();
        command.arg("--config").arg(config);
    });
    let mut screen = command(daemon.dir.path()).arg("screen").stdout(Stdio::piped()).spawn().unwrap();
    let mut out = screen.stdout.take().unwrap();
    let mut seen = String::new();
    let mut until = |what: &str| {
        let begun = Instant::now();
        while !seen.contains(what) {
            assert!(begun.elapsed() < Duration::from_secs(10), "{what}: {seen}");
            let mut some = [0; 4096];
            let length = out.read(&mut some).unwrap();
            seen.push_str(&String::from_utf8_lossy(&some[..length]));
        }
    };
    until("Nobody owns this box yet");
    until("! brookbox.toml: Line 1: there is no setting");
    daemon.signal(Signal::SIGTERM);
    until("Brookbox is restarting");
    screen.kill().unwrap();
    screen.wait().unwrap();
}
