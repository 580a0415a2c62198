//! The ways to get from one publisher to N destinations.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::json;

use super::gate::Onward;
use super::sink::Speech;
use crate::bed::Ctx;
use crate::daemon::Daemon;
use crate::peers::nginx;
use crate::ports;
use crate::process::Process;
use crate::procfs;
use crate::wait::{self, secs};

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Relay {
    /// A plain TCP program that copies the bytes to N sockets.
    Floor,
    /// Brookbox.
    Brookbox,
    /// nginx with the RTMP module, one `push` for each destination.
    Nginx,
    /// One FFmpeg that takes the stream and has a `tee` muxer with N branches.
    FfmpegTee,
    /// nginx-rtmp takes the stream, and one FFmpeg for each destination pulls from it: what most tools do.
    FfmpegEach,
}

impl Relay {
    /// All of them, the floor first.
    pub const ALL: [Self; 5] = [Self::Floor, Self::Brookbox, Self::Nginx, Self::FfmpegTee, Self::FfmpegEach];

    /// How it is called in the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "plain TCP copy (the floor)",
            Self::Brookbox => "Brookbox",
            Self::Nginx => "nginx-rtmp `push`",
            Self::FfmpegTee => "`ffmpeg -f tee`",
            Self::FfmpegEach => "one FFmpeg each",
        }
    }

    pub(super) fn speech(self) -> Speech {
        if self == Self::Floor { Speech::Plain } else { Speech::Rtmp }
    }
}

/// A relay that is ready for its publisher.
pub(super) struct Running {
    /// Where the gate passes the stream on to.
    pub(super) onward: Onward,
    /// Application and key that the publisher has to use.
    pub(super) path: String,
    daemon: Option<Daemon>,
    processes: Vec<Process>,
    /// Started only once the stream is there.
    pullers: Option<(u16, u16, usize)>,
}

impl Running {
    /// Starts a relay that will send to `count` destinations on `sink`.
    pub(super) fn start(ctx: &Ctx, relay: Relay, count: usize, sink: u16) -> Result<Self> {
        let dir = ctx.folder("relay")?;
        let mut running = Self {
            onward: Onward::Plain(0),
            path: "live/bench".into(),
            daemon: None,
            processes: Vec::new(),
            pullers: None,
        };
        match relay {
            Relay::Brookbox => {
                let daemon = brookbox(ctx, count, sink)?;
                let port = daemon.rtmp().rsplit(':').next().context("a port")?.parse()?;
                running.onward = Onward::Rtmp(port);
                running.path = format!("live/{}", daemon.key()?);
                running.daemon = Some(daemon);
            }
            Relay::Floor => {
                let port = ports::free();
                let program = std::env::current_exe()?.with_file_name("floor");
                let arguments = [format!("127.0.0.1:{port}"), format!("127.0.0.1:{sink}"), count.to_string()];
                running.processes.push(Process::start("floor", &dir, program, |command| {
                    command.args(arguments);
                })?);
                wait::until(secs(5), "the floor to listen", || Ok(procfs::listens(port)?.then_some(())))?;
                running.onward = Onward::Plain(port);
            }
            Relay::Nginx => {
                let mut application = "live on;".to_owned();
                for n in 0..count {
                    write!(application, " push rtmp://127.0.0.1:{sink}/live/k{n};")?;
                }
                running.nginx(ctx, &dir, &application)?;
            }
            Relay::FfmpegTee => {
                let port = ports::free();
                running.onward = Onward::Rtmp(port);
                running.processes.push(tee(ctx, &dir, count, port, sink)?);
                wait::until(secs(5), "FFmpeg to listen", || Ok(procfs::listens(port)?.then_some(())))?;
            }
            Relay::FfmpegEach => {
                let port = running.nginx(ctx, &dir, "live on;")?;
                running.pullers = Some((port, sink, count));
            }
        }
        Ok(running)
    }

    fn nginx(&mut self, ctx: &Ctx, dir: &Path, application: &str) -> Result<u16> {
        let port = ports::free();
        self.processes.push(nginx::launch(&ctx.tools, "nginx", dir, port, ports::free(), application)?);
        self.onward = Onward::Rtmp(port);
        Ok(port)
    }

    /// Starts what can only start once the stream is there.
    pub(super) fn stream_is_there(&mut self, ctx: &Ctx) -> Result<()> {
        let Some((from, sink, count)) = self.pullers.take() else { return Ok(()) };
        for n in 0..count {
            let name = format!("ffmpeg-{n}");
            self.processes.push(Process::start(&name, &ctx.dir, ctx.tools.ffmpeg(), |command| {
                quiet(command).args(["-i", &format!("rtmp://127.0.0.1:{from}/live/bench")]);
                command.args(["-c", "copy", "-flvflags", "no_duration_filesize", "-f", "flv"]);
                command.arg(format!("rtmp://127.0.0.1:{sink}/live/k{n}"));
            })?);
        }
        Ok(())
    }

    /// Process ids of all that is counted.
    fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).chain(self.daemon.as_ref().map(Daemon::pid)).collect()
    }

    /// CPU time used so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.pids().into_iter().map(procfs::cpu).sum()
    }

    /// Private and resident memory, bytes.
    pub(super) fn memory(&self) -> Result<(u64, u64)> {
        let all = self.pids().into_iter().map(procfs::memory).collect::<Result<Vec<_>>>()?;
        Ok((all.iter().map(|memory| memory.anon).sum(), all.iter().map(|memory| memory.rss).sum()))
    }
}

fn brookbox(ctx: &Ctx, count: usize, sink: u16) -> Result<Daemon> {
    let mut daemon = Daemon::start(ctx)?;
    daemon.sign_in()?;
    // Flat out is above what an input allows by default.
    let patch = json!({"limits": {"bitrateBps": 1_000_000_000}});
    let answer = daemon.call("PATCH", "/inputs/main", Some(&patch))?;
    ensure!(answer.status < 300, "raising the input's limit: {} {}", answer.status, answer.text);
    for n in 0..count {
        daemon.add_destination(&format!("Sink {n}"), &format!("rtmp://127.0.0.1:{sink}/live"), &format!("k{n}"))?;
    }
    Ok(daemon)
}

fn tee(ctx: &Ctx, dir: &Path, count: usize, port: u16, sink: u16) -> Result<Process> {
    let branches: Vec<_> =
        (0..count).map(|n| format!("[f=flv:flvflags=no_duration_filesize]rtmp://127.0.0.1:{sink}/live/k{n}")).collect();
    Process::start("ffmpeg", dir, ctx.tools.ffmpeg(), |command| {
        quiet(command).args(["-listen", "1", "-i", &format!("rtmp://127.0.0.1:{port}/live/bench")]);
        command.args(["-map", "0", "-c", "copy", "-f", "tee", &branches.join("|")]);
    })
}

fn quiet(command: &mut Command) -> &mut Command {
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-nostats"])
}
