//! Other people's software: publishers and servers.

pub mod ffmpeg;
pub mod gstreamer;
pub mod nginx;
pub mod node;
pub mod obs;
pub mod tls;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

/// A server that writes what it receives to files.
pub trait Recorder {
    /// Where a destination sends to, without the key.
    fn url(&self) -> String;

    /// The files recorded for a key, oldest first: one for each connection.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn recordings(&self, key: &str) -> Result<Vec<PathBuf>>;

    /// Waits until the stream with this key has ended there and its file is whole; gives the newest file.
    ///
    /// # Errors
    /// It has not ended in time.
    fn finished(&mut self, key: &str, limit: Duration) -> Result<PathBuf>;
}

/// Files in `dir` whose name passes, oldest first.
fn files_by_age(dir: &std::path::Path, passes: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !dir.exists() {
        return Ok(Vec::new());
    }
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if passes(&entry.file_name().to_string_lossy()) {
            found.push((entry.metadata()?.created()?, entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
