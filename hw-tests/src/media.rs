//! The streams that cases publish: made once by FFmpeg, every packet different from every other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, Result};

use crate::bed::Tools;
use crate::frames::{self, Frames};
use crate::process;

/// A stream to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clip {
    /// H.264 without B-frames and AAC, 8 s.
    H264,
    /// The same for 150 s, for cases that go on for long.
    H264Long,
    /// H.264 with B-frames that refer to each other, and AAC, 8 s.
    BFrames,
    /// HEVC and AAC, 8 s: needs Enhanced RTMP.
    Hevc,
    /// AV1 and Opus, 8 s: needs Enhanced RTMP.
    Av1Opus,
    /// 1080p60 at 6 Mbit/s constant and AAC at 160 kbit/s, 20 s: what the bench sends.
    Bench,
}

impl Clip {
    /// The clip's file; made first if it is not there.
    ///
    /// # Errors
    /// FFmpeg fails.
    pub fn file(self, tools: &Tools) -> Result<PathBuf> {
        static MAKING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let folder = tools.build.join("clips");
        let (name, seconds, picture, coder) = self.recipe();
        let file = folder.join(name);
        if file.exists() {
            return Ok(file);
        }
        std::fs::create_dir_all(&folder)?;
        let unfinished = folder.join(format!("{}-{name}", std::process::id()));
        process::output(
            Command::new(tools.ffmpeg())
                .args(["-nostdin", "-v", "error", "-y"])
                .args(["-f", "lavfi", "-i", &format!("{picture}:d={seconds}")])
                // Noise, since AAC packets of a tone repeat.
                .args([
                    "-f",
                    "lavfi",
                    "-i",
                    &format!("anoisesrc=r=48000:a=0.1:d={seconds},aformat=channel_layouts=stereo"),
                ])
                .args(["-pix_fmt", "yuv420p"])
                .args(coder)
                .arg(&unfinished),
        )
        .with_context(|| format!("making {name}"))?;
        std::fs::rename(&unfinished, &file)?;
        Ok(file)
    }

    /// The packets that a publisher sends from this clip: those of FFmpeg's own FLV of it.
    ///
    /// # Errors
    /// FFmpeg fails.
    pub fn frames(self, tools: &Tools, dir: &Path) -> Result<Frames> {
        let flv = dir.join(format!("published-{self:?}.flv"));
        process::output(
            Command::new(self.ffmpeg(tools))
                .args(["-nostdin", "-v", "error", "-y", "-i"])
                .arg(self.file(tools)?)
                .args(["-c", "copy", "-f", "flv"])
                .arg(&flv),
        )?;
        frames::read(&self.ffmpeg(tools), &flv)
    }

    /// Whether it takes Enhanced RTMP.
    #[must_use]
    pub fn enhanced(self) -> bool {
        matches!(self, Self::Hevc | Self::Av1Opus)
    }

    /// The FFmpeg that can publish and read it.
    #[must_use]
    pub fn ffmpeg(self, tools: &Tools) -> PathBuf {
        if self.enhanced() { tools.ffmpeg9() } else { tools.ffmpeg() }
    }

    fn recipe(self) -> (&'static str, u32, &'static str, &'static [&'static str]) {
        const SMALL: &str = "testsrc2=s=640x360:r=30";
        const H264: &[&str] = &[
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "0",
            "-g",
            "30",
            "-b:v",
            "800k",
            "-threads",
            "2",
            "-c:a",
            "aac",
            "-b:a",
            "96k",
        ];
        const BFRAMES: &[&str] = &[
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-bf",
            "3",
            "-b_strategy",
            "0",
            "-x264-params",
            "b-pyramid=normal:scenecut=0",
            "-g",
            "60",
            "-b:v",
            "800k",
            "-c:a",
            "aac",
            "-b:a",
            "96k",
        ];
        const HEVC: &[&str] = &[
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            "keyint=30:log-level=error",
            "-b:v",
            "600k",
            "-c:a",
            "aac",
            "-b:a",
            "96k",
        ];
        const AV1: &[&str] =
            &["-c:v", "libsvtav1", "-preset", "12", "-g", "30", "-b:v", "600k", "-c:a", "libopus", "-b:a", "96k"];
        const BENCH: &[&str] = &[
            "-vf",
            "noise=alls=12:allf=t",
            "-c:v",
            "libx264",
            "-preset",
            "superfast",
            "-bf",
            "0",
            "-g",
            "120",
            "-b:v",
            "5840k",
            "-minrate",
            "5840k",
            "-maxrate",
            "5840k",
            "-bufsize",
            "2920k",
            "-x264-params",
            "nal-hrd=cbr:scenecut=0",
            "-c:a",
            "aac",
            "-b:a",
            "160k",
        ];
        match self {
            Self::H264 => ("h264.mp4", 8, SMALL, H264),
            Self::H264Long => ("h264-long.mp4", 150, SMALL, H264),
            Self::BFrames => ("bframes.mp4", 8, SMALL, BFRAMES),
            Self::Hevc => ("hevc.mp4", 8, SMALL, HEVC),
            Self::Av1Opus => ("av1-opus.mp4", 8, SMALL, AV1),
            Self::Bench => ("bench.mp4", 20, "testsrc2=s=1920x1080:r=60", BENCH),
        }
    }
}
