//! The daemon as systemd starts it.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A running daemon with data of its own; killed with its test.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) dir: TempDir,
    /// What it said when it was ready.
    pub(crate) ready: String,
}

impl Daemon {
    pub(crate) fn start(prepare: impl FnOnce(&mut Command, &Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = command(dir.path());
        command.args(["--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        prepare(&mut command, dir.path());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        Self { child, dir, ready }
    }

    /// A command beside it, on the same data.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        command(self.dir.path()).args(arguments).output().unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Where a listener is, as the ready line says.
    pub(crate) fn listener(&self, kind: &str) -> String {
        let found = self.ready.split_whitespace().find_map(|word| word.strip_prefix(kind)?.strip_prefix('='));
        found.unwrap().to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `brookboxd` on the data in this folder, with nothing of the machine's or person's settings.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_brookboxd")));
    command.env_clear().env("HOME", dir).env("BROOKBOX_DATA_DIR", dir.join("data")).env("BROOKBOX_MDNS", "off");
    command.stdin(Stdio::null());
    command
}
