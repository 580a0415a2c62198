//! Every case, declared once.

mod control;
mod destinations;
mod discovery;
mod https;
mod independence;
mod limits;
mod passthrough;
mod play;
mod publishers;
mod reasons;
mod restart;
mod robustness;
mod secrets;
mod timestamps;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::bed::Ctx;
use crate::frames::{self, Part};
use crate::media::Clip;
use crate::runner::Case;

/// Every case there is.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        control::CASES,
        passthrough::CASES,
        play::CASES,
        publishers::CASES,
        timestamps::CASES,
        limits::CASES,
        destinations::CASES,
        reasons::CASES,
        independence::CASES,
        restart::CASES,
        discovery::CASES,
        https::CASES,
        secrets::CASES,
        robustness::CASES,
    ]
    .concat()
}

/// The key of the destination that most cases look at.
const BROADCAST_KEY: &str = "there";

/// Compares a recording with the clip that was published, and notes how much was equal.
fn compare_file(ctx: &Ctx, clip: Clip, file: &Path, part: Part) -> Result<()> {
    let arrived = frames::read(&clip.ffmpeg(&ctx.tools), file)?;
    let published = clip.frames(&ctx.tools, &ctx.dir)?;
    let equal = frames::compare(&published, &arrived, part).with_context(|| file.display().to_string())?;
    ctx.note(equal.to_string());
    Ok(())
}

/// A file that only its owner can read.
fn secret_file(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600).write(true).create_new(true).open(path)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}
