//! Where the log goes: the journal where systemd runs the daemon, standard error elsewhere; and the newest of it stays in
//! memory for whoever looks at the box's page.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use brookbox_api::{LogLevel, Logbook};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Where the log is to be read again.
pub(crate) struct Logs {
    /// The newest of this run.
    pub(crate) book: Logbook,
    /// Whether all of it is in the journal.
    pub(crate) journal: bool,
}

/// Starts logging. `BROOKBOX_LOG` chooses what is told, as `debug` or `info,brookbox_relay=debug`.
pub(crate) fn start() -> Logs {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var("BROOKBOX_LOG")
        .from_env_lossy();
    let book = Logbook::default();
    let registry = tracing_subscriber::registry().with(filter).with(Keep(book.clone()));
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let under_systemd = is_stream(&stream, io::stderr()).unwrap_or(false);
    if let Some(journal) = under_systemd.then(tracing_journald::layer).and_then(Result::ok) {
        registry.with(journal).init();
        return Logs { book, journal: true };
    }
    let ansi = io::stderr().is_terminal();
    registry.with(tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(ansi).with_target(false)).init();
    Logs { book, journal: false }
}

/// Keeps what is told.
struct Keep(Logbook);

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::TRACE => LogLevel::Trace,
            Level::DEBUG => LogLevel::Debug,
            Level::INFO => LogLevel::Info,
            Level::WARN => LogLevel::Warn,
            Level::ERROR => LogLevel::Error,
        };
        let mut parts = Parts::default();
        event.record(&mut parts);
        self.0.note(level, metadata.target(), &parts.message, parts.fields);
    }
}

/// An event's message and values as texts.
#[derive(Default)]
struct Parts {
    message: String,
    fields: Vec<(String, String)>,
}

impl Parts {
    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
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
    fn what_is_told_is_kept_with_its_values() {
        let book = Logbook::default();
        let subscriber = tracing_subscriber::registry().with(Keep(book.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "brookbox_relay::ingest", peer = %"192.0.2.9:1", lost = 3, "the publisher is {}", "gone");
            tracing::info!(target: "hyper", "not ours");
        });
        let shown = format!("{book:?}");
        assert!(shown.contains("entries: 1"), "{shown}");
    }

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
