//! FFmpeg as publisher, and as a server of one connection.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::Recorder;
use crate::bed::Ctx;
use crate::media::Clip;
use crate::ports;
use crate::process::Process;
use crate::wait::{self, secs};

/// A publisher that sends a clip in real time, once, and ends properly.
#[derive(Debug)]
pub struct Publisher {
    /// The process.
    pub process: Process,
}

impl Publisher {
    /// Starts to publish.
    ///
    /// # Errors
    /// FFmpeg cannot be started.
    pub fn start(ctx: &Ctx, name: &str, clip: Clip, url: &str) -> Result<Self> {
        Self::start_with(ctx, name, clip, url, &["-re"], &[])
    }

    /// Starts to publish with other options for the input, such as `-stream_loop -1` or no `-re`, and for the output.
    ///
    /// # Errors
    /// FFmpeg cannot be started.
    pub fn start_with(ctx: &Ctx, name: &str, clip: Clip, url: &str, input: &[&str], output: &[&str]) -> Result<Self> {
        let file = clip.file(&ctx.tools)?;
        let process = Process::start(name, &ctx.dir, clip.ffmpeg(&ctx.tools), |command| {
            command.args(["-nostdin", "-hide_banner", "-loglevel", "info", "-nostats"]).args(input).arg("-i").arg(file);
            command.args(["-c", "copy", "-flvflags", "no_duration_filesize"]).args(output);
            if clip.enhanced() {
                command.args(["-rtmp_enhanced_codecs", "hvc1,av01,vp09,Opus"]);
            }
            command.args(["-f", "flv", url]);
        })?;
        Ok(Self { process })
    }

    /// Waits until the clip is at its end and was ended properly.
    ///
    /// # Errors
    /// It was refused, cut off or takes longer.
    pub fn done(&mut self, limit: Duration) -> Result<()> {
        self.process.succeeded(limit).context("the publisher")
    }

    /// A planned stop: FFmpeg sends FCUnpublish and deleteStream on SIGINT.
    ///
    /// # Errors
    /// It has ended already, or does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(nix::sys::signal::Signal::SIGINT)?;
        self.process.ended(secs(10))?;
        Ok(())
    }
}

/// `ffmpeg -listen 1`: takes one publisher and writes what it sends to a file.
#[derive(Debug)]
pub struct Listener {
    /// The process.
    pub process: Process,
    port: u16,
    file: PathBuf,
}

impl Listener {
    /// Starts one that takes this key.
    ///
    /// # Errors
    /// FFmpeg cannot be started.
    pub fn start(ctx: &Ctx, name: &str, ffmpeg: &Path, key: &str) -> Result<Self> {
        let dir = ctx.folder(name)?;
        let (port, file) = (ports::free(), dir.join("received.flv"));
        let mut process = Process::start(name, &dir, ffmpeg, |command| {
            command
                .args(["-nostdin", "-hide_banner", "-loglevel", "info", "-nostats", "-listen", "1", "-i"])
                .arg(format!("rtmp://127.0.0.1:{port}/live/{key}"))
                .args(["-map", "0", "-c", "copy", "-copyts", "-f", "flv"])
                .arg(&file);
        })?;
        // It takes one connection only, so nobody may knock to see whether it listens.
        wait::until(secs(5), "FFmpeg to listen", || {
            ensure!(process.runs(), "it ended: {}", process.said());
            Ok(crate::procfs::listens(port)?.then_some(()))
        })?;
        Ok(Self { process, port, file })
    }
}

impl Recorder for Listener {
    fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    fn recordings(&self, _key: &str) -> Result<Vec<PathBuf>> {
        Ok(self.file.exists().then(|| self.file.clone()).into_iter().collect())
    }

    fn finished(&mut self, _key: &str, limit: Duration) -> Result<PathBuf> {
        self.process.succeeded(limit)?;
        ensure!(self.file.exists(), "FFmpeg wrote nothing");
        Ok(self.file.clone())
    }
}
