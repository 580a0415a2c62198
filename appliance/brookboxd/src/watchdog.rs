//! The watchdog of systemd (sd_watchdog_enabled(3)): fed by the engine's own thread, not by a timer beside it.

use std::future::pending;

use brookbox_relay::Handle;
use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};

/// Tells systemd, if it wants to know, that the box lives: each time that the engine has answered, which it does only
/// while its thread turns. Without an answer nothing is told, and systemd acts. Never returns.
pub(crate) async fn feed(engine: &Handle) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return pending().await };
    // Between two signs of life lie at most a pause and an answer: half of the limit.
    let (every, bound) = (limit / 4, limit / 4);
    loop {
        match timeout(bound, engine.ping()).await {
            Ok(Ok(())) => tell(),
            Ok(Err(_)) => tracing::error!("the engine has ended: the watchdog is not fed"),
            Err(_) => {
                tracing::error!(limit_ms = limit.as_millis(), "the engine does not answer: the watchdog is not fed");
            }
        }
        sleep(every).await;
    }
}

fn tell() {
    if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
        tracing::warn!(%error, "systemd was not told that the box lives");
    }
}
