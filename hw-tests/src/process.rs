//! Child processes that end with their owner.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::wait;

/// One child process: its output goes to a log file, and it is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; both its outputs go to `dir/name.log`, after the command line.
    ///
    /// The child also dies with the thread that started it, so that a killed run leaves nothing behind.
    ///
    /// # Errors
    /// The program is not there or cannot be started.
    pub fn start(
        name: &str,
        dir: &Path,
        program: impl AsRef<Path>,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        Self::spawn(name, dir, program.as_ref(), prepare, false)
    }

    /// The same, with the lines of standard output to be read by the caller.
    ///
    /// # Errors
    /// The program is not there or cannot be started.
    pub fn start_reading(
        name: &str,
        dir: &Path,
        program: impl AsRef<Path>,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<(Self, Receiver<String>)> {
        let mut process = Self::spawn(name, dir, program.as_ref(), prepare, true)?;
        let stdout = process.child.stdout.take().context("standard output is piped")?;
        let (lines, received) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Ok((process, received))
    }

    fn spawn(
        name: &str,
        dir: &Path,
        program: &Path,
        prepare: impl FnOnce(&mut Command),
        read_stdout: bool,
    ) -> Result<Self> {
        let log = free_log(dir, name);
        let mut out = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        // setpriv becomes the program itself: the process id is the program's.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command.stdin(Stdio::null()).current_dir(dir);
        prepare(&mut command);
        let arguments: Vec<_> = command.get_args().skip(3).map(|argument| argument.to_string_lossy()).collect();
        writeln!(out, "$ {}", arguments.join(" "))?;
        let errors = out.try_clone()?;
        command.stdout(if read_stdout { Stdio::piped() } else { Stdio::from(out) }).stderr(Stdio::from(errors));
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Everything it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// It has already ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if !self.runs() {
            bail!("{} has ended already", self.name);
        }
        let pid = Pid::from_raw(i32::try_from(self.pid())?);
        signal::kill(pid, signal).with_context(|| format!("sending {signal} to {}", self.name))
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        // A process that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end by itself.
    ///
    /// # Errors
    /// It still runs after `limit`.
    pub fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        wait::until(limit, &format!("the end of {}", self.name), || Ok(self.child.try_wait()?))
    }

    /// Waits for its end with exit code 0.
    ///
    /// # Errors
    /// It still runs after `limit`, or failed.
    pub fn succeeded(&mut self, limit: Duration) -> Result<()> {
        let status = self.ended(limit)?;
        if !status.success() {
            bail!("{} ended with {status}: {}", self.name, last_lines(&self.said(), 5));
        }
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// It still runs after `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.ended(limit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// SIGKILL for a child that is still owned by a [`Process`], from another thread than its owner's.
pub fn kill_child(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // One that has ended already is as good.
        let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Runs a command to its end and gives its standard output.
///
/// # Errors
/// It cannot be started or fails; the error carries what it said.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let result = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    if !result.status.success() {
        bail!("{command:?}: {}\n{}", result.status, last_lines(&String::from_utf8_lossy(&result.stderr), 8));
    }
    Ok(result.stdout)
}

/// The last lines of a text.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A second start under the same name gets a log of its own.
fn free_log(dir: &Path, name: &str) -> PathBuf {
    (1..)
        .map(|n| dir.join(if n == 1 { format!("{name}.log") } else { format!("{name}-{n}.log") }))
        .find(|path| !path.exists())
        .expect("one of all numbers is free")
}
