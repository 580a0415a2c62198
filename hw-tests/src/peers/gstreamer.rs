//! GStreamer's `rtmp2sink` as publisher.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::bed::Ctx;
use crate::media::Clip;
use crate::process::Process;

/// A publisher that sends a clip in real time, and keeps a copy of what it sends.
#[derive(Debug)]
pub struct Publisher {
    /// The process.
    pub process: Process,
    /// What was sent, as FLV.
    pub copy: PathBuf,
}

impl Publisher {
    /// Starts to publish.
    ///
    /// # Errors
    /// GStreamer cannot be started.
    pub fn start(ctx: &Ctx, name: &str, clip: Clip, url: &str) -> Result<Self> {
        let copy = ctx.dir.join(format!("{name}.flv"));
        let pipeline = format!(
            "filesrc location={} ! qtdemux name=d  flvmux name=m streamable=true ! tee name=t  \
             t. ! queue ! rtmp2sink location={url}  t. ! queue ! filesink location={}  \
             d.video_0 ! queue ! h264parse ! m.video  d.audio_0 ! queue ! aacparse ! m.audio",
            clip.file(&ctx.tools)?.display(),
            copy.display()
        );
        let process = Process::start(name, &ctx.dir, "gst-launch-1.0", |command| {
            command.arg("-e").args(pipeline.split_whitespace());
        })?;
        Ok(Self { process, copy })
    }

    /// Waits until the clip is at its end and was ended properly.
    ///
    /// # Errors
    /// It was refused, cut off or takes longer.
    pub fn done(&mut self, limit: Duration) -> Result<()> {
        self.process.succeeded(limit)
    }
}
