//! One change of the settings at a time, and a number that says that there was one.

use std::sync::atomic::{AtomicU64, Ordering};

use brookbox_store::Time;
use tokio::sync::{Mutex, MutexGuard};

/// The order of writes.
#[derive(Debug)]
pub(crate) struct Writes {
    order: Mutex<()>,
    count: AtomicU64,
}

impl Default for Writes {
    /// The number begins with the time, so that one from before a restart is not taken for one from after it.
    fn default() -> Self {
        let begin = u64::try_from(Time::now().as_ms()).unwrap_or_default();
        Self { order: Mutex::default(), count: AtomicU64::new(begin) }
    }
}

impl Writes {
    /// Held from a write to the store until the engine has it: two changes reach both in the same order.
    pub(crate) async fn lock(&self) -> Writing<'_> {
        Writing { _order: self.order.lock().await, count: &self.count }
    }

    /// Another number after each write.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

/// A write under way; it is counted when it is over, whether it changed anything or not.
pub(crate) struct Writing<'a> {
    _order: MutexGuard<'a, ()>,
    count: &'a AtomicU64,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.count.fetch_add(1, Ordering::Release);
    }
}
