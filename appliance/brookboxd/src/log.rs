//! Where the log goes: the journal where systemd runs the daemon, standard error elsewhere.

use std::io::IsTerminal;

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
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    if let Some(journal) = under_systemd.then(tracing_journald::layer).and_then(Result::ok) {
        registry.with(journal).init();
        return;
    }
    let ansi = std::io::stderr().is_terminal();
    registry
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false))
        .init();
}
