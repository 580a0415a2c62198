//! Where the log goes: the journal where systemd runs the daemon, standard error elsewhere.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. `BROOKBOX_LOG` chooses what is told, as `debug` or `info,brookbox_relay=debug`.
pub(crate) fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var("BROOKBOX_LOG")
        .from_env_lossy();
    let registry = tracing_subscriber::registry().with(filter);
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let under_systemd = is_stream(&stream, io::stderr()).unwrap_or(false);
    if let Some(journal) = under_systemd.then(tracing_journald::layer).and_then(Result::ok) {
        registry.with(journal).init();
        return;
    }
    let ansi = io::stderr().is_terminal();
    registry.with(tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(ansi).with_target(false)).init();
}

/// Whether `JOURNAL_STREAM` names this very file, by device and inode (systemd.exec(5)). The variable alone says nothing:
/// programs started from a terminal inherit it.
fn is_stream(stream: &str, file: impl AsFd) -> io::Result<bool> {
    let metadata = File::from(file.as_fd().try_clone_to_owned()?).metadata()?;
    Ok(stream == format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_where_standard_error_leads() {
        let (one, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let metadata = one.metadata().unwrap();
        let stream = format!("{}:{}", metadata.dev(), metadata.ino());
        assert!(is_stream(&stream, &one).unwrap());
        assert!(!is_stream(&stream, &other).unwrap(), "inherited from elsewhere");
        assert!(!is_stream("", &one).unwrap());
    }
}
