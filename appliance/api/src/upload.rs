//! What the line has carried: the most that all destinations together acknowledged in ten seconds, for each of the last
//! seven days that there was a broadcast on. It is what is known of the upload without a test that would disturb it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brookbox_relay::Snapshot;
use brookbox_store::{Store, Time};
use tokio::time::Instant;

/// Seconds that a value is the mean of.
const STEP: usize = 10;
/// Days that it is known for.
const DAYS: i64 = 7;
const DAY_MS: i64 = 86_400_000;
/// Before this day, counted from 1970, no clock is set.
const EARLIEST: i64 = 20_454;
/// How often it is written down at most: what a restart may cost.
const SAVE: Duration = Duration::from_secs(600);
/// Where it is kept.
const SETTING: &str = "uploadBest";

/// By day since 1970, in bit/s.
type Days = BTreeMap<i64, u64>;

#[derive(Debug, Default)]
pub(crate) struct Upload {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    days: Days,
    /// The newest seconds, while at least one destination takes something.
    newest: VecDeque<u64>,
    /// What was last written down, and when.
    saved: (Days, Option<Instant>),
}

impl Upload {
    /// As it was written down.
    ///
    /// # Errors
    /// Those of reading the store.
    pub(crate) fn new(store: &Store) -> Result<Self, brookbox_store::Error> {
        let days: Days = store.setting(SETTING)?.unwrap_or_default();
        let inner = Inner { saved: (days.clone(), None), days, ..Inner::default() };
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Notes what is measured in this second.
    pub(crate) fn note(&self, time: Time, snapshot: &Snapshot) {
        let mut inner = self.lock();
        let sum: u64 = snapshot.destinations.values().filter_map(|destination| destination.bitrate_bps).sum();
        let today = time.as_ms().div_euclid(DAY_MS);
        if sum == 0 || today < EARLIEST {
            inner.newest.clear();
            return;
        }
        inner.newest.push_back(sum);
        if inner.newest.len() < STEP {
            return;
        }
        let mean = inner.newest.drain(..).sum::<u64>() / STEP as u64;
        inner.days.retain(|day, _| (today - DAYS < *day) && *day <= today);
        let best = inner.days.entry(today).or_default();
        *best = mean.max(*best);
    }

    /// The most of all these days, bit/s.
    pub(crate) fn best(&self) -> Option<u64> {
        self.lock().days.values().max().copied()
    }

    /// Writes down what is new, now and then.
    pub(crate) fn save_if_due(
        &self,
        now: Instant,
    ) -> Option<impl FnOnce(&Store) -> Result<(), brookbox_store::Error> + use<>> {
        let mut inner = self.lock();
        let (saved, at) = &inner.saved;
        if *saved == inner.days || at.is_some_and(|at| now - at < SAVE) {
            return None;
        }
        let days = inner.days.clone();
        inner.saved = (days.clone(), Some(now));
        Some(move |store: &Store| store.put_setting(SETTING, &days))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use brookbox_relay::{DestinationState, DestinationStatus};

    use super::*;

    fn sending(bps: u64) -> Snapshot {
        let status = DestinationStatus {
            name: "Club".into(),
            platform: "custom".into(),
            output: "main/passthrough".into(),
            enabled: true,
            state: DestinationState::Live,
            confirmed: false,
            since: String::new(),
            reason: None,
            next_try_at: None,
            tries: 0,
            bitrate_bps: Some(bps),
            rtt_ms: None,
            queue_ms: None,
            frames_sent: 0,
            frames_dropped: 0,
            bytes_sent: 0,
        };
        Snapshot { destinations: [("d1".into(), status.clone()), ("d2".into(), status)].into(), ..Snapshot::default() }
    }

    fn on_day(upload: &Upload, day: i64, bps: u64, seconds: i64) {
        for second in 0..seconds {
            upload.note(Time::from_ms((EARLIEST + day) * DAY_MS + second * 1000), &sending(bps));
        }
    }

    #[test]
    fn it_is_the_best_ten_seconds_of_seven_days() {
        let upload = Upload::default();
        on_day(&upload, 0, 9_000_000, 9);
        assert_eq!(upload.best(), None, "shorter than ten seconds");
        on_day(&upload, 0, 0, 1);
        on_day(&upload, 0, 3_000_000, 10);
        on_day(&upload, 3, 2_000_000, 30);
        assert_eq!(upload.best(), Some(6_000_000));
        on_day(&upload, 7, 1_000_000, 10);
        assert_eq!(upload.best(), Some(4_000_000), "the first day is too long ago");
        on_day(&upload, -EARLIEST, 50_000_000, 10);
        assert_eq!(upload.best(), Some(4_000_000), "that clock was not set");
    }

    #[tokio::test]
    async fn it_is_written_down_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let upload = Upload::new(&store).unwrap();
        let now = Instant::now();
        assert!(upload.save_if_due(now).is_none());
        on_day(&upload, 0, 3_000_000, 10);
        upload.save_if_due(now).unwrap()(&store).unwrap();
        on_day(&upload, 0, 4_000_000, 10);
        assert!(upload.save_if_due(now).is_none());
        assert_eq!(Upload::new(&store).unwrap().best(), Some(6_000_000));
        upload.save_if_due(now + SAVE).unwrap()(&store).unwrap();
        assert_eq!(Upload::new(&store).unwrap().best(), Some(8_000_000));
    }
}
