//! Waiting for something with a limit.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks every 20 ms until there is an answer, and says what was waited for when there is none in time.
///
/// # Errors
/// The limit passed, or `ask` itself failed.
pub fn until<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > limit {
            bail!("waited {:.1} s in vain: {what}", limit.as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Seconds, to keep cases readable.
#[must_use]
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
