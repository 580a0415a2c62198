//! The engine's clocks: ms since it started for deadlines and ages, wall clock only for people.

use std::time::{Duration, Instant, SystemTime};

/// Monotonic ms since the engine started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A wall clock time as the API gives it: RFC 3339, UTC, ms.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// Wall clock time in `ahead`.
pub(crate) fn rfc3339_in(ahead: Duration) -> String {
    rfc3339(SystemTime::now() + ahead)
}
