//! Figures of the last five minutes by the second, and of the last day by ten seconds, for graphs. They are kept in memory:
//! a restart of the box is a gap. What was not measured is a gap too, and never 0.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use brookbox_relay::Snapshot;

/// How many values a series keeps by the second.
pub(crate) const SECONDS: usize = 300;
/// … and by ten seconds.
pub(crate) const TENS: usize = 8_640;
/// Seconds in one coarse value.
const STEP: usize = 10;
/// Most series; more objects than this are not measured.
const MOST_SERIES: usize = 128;

/// What was measured in one second or ten. Halves the memory that options would take; `MAX` is a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample([u32; 4]);

const GAP: u32 = u32::MAX;

impl Sample {
    pub(crate) const NONE: Self = Self([GAP; 4]);

    /// Bit/s; ms; tenths of a ms; frames.
    pub(crate) fn new(bitrate: Option<u64>, queue: Option<u64>, rtt: Option<f64>, dropped: Option<u64>) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
        let rtt = rtt.map(|rtt| (rtt * 10.0).round() as u64);
        Self([pack(bitrate), pack(queue), pack(rtt), pack(dropped)])
    }

    fn get(self, place: usize) -> Option<u64> {
        self.0.get(place).copied().filter(|value| *value != GAP).map(u64::from)
    }

    pub(crate) fn bitrate_bps(self) -> Option<u64> {
        self.get(0)
    }

    pub(crate) fn queue_ms(self) -> Option<u64> {
        self.get(1)
    }

    pub(crate) fn rtt_ms(self) -> Option<f64> {
        // At most 2^32 tenths.
        self.get(2).map(|tenths| f64::from(u32::try_from(tenths).unwrap_or(GAP)) / 10.0)
    }

    pub(crate) fn frames_dropped(self) -> Option<u64> {
        self.get(3)
    }

    /// Several in one: the mean of bitrates and round trips, the longest queue, the sum of frames; of what was measured.
    fn fold(samples: &[Self]) -> Self {
        let of = |place: usize| samples.iter().filter_map(move |sample| sample.get(place));
        let mean = |place: usize| match u64::try_from(of(place).count()) {
            Ok(count) if count > 0 => Some(of(place).sum::<u64>() / count),
            _ => None,
        };
        let sum = of(3).next().is_some().then(|| of(3).sum());
        Self([pack(mean(0)), pack(of(1).max()), pack(mean(2)), pack(sum)])
    }
}

/// A value as it is kept; what does not fit is as much as fits.
fn pack(value: Option<u64>) -> u32 {
    value.map_or(GAP, |value| u32::try_from(value).unwrap_or(GAP - 1).min(GAP - 1))
}

/// What a series is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    Input(String),
    Destination(String),
}

#[derive(Debug, Default)]
struct Series {
    seconds: VecDeque<Sample>,
    tens: VecDeque<Sample>,
    /// Seconds of the coarse value that is not whole yet.
    begun: Vec<Sample>,
    /// The counter of frames at the last sample.
    dropped: Option<u64>,
}

impl Series {
    fn push(&mut self, sample: Sample) {
        push(&mut self.seconds, sample, SECONDS);
        self.begun.push(sample);
        if self.begun.len() >= STEP {
            push(&mut self.tens, Sample::fold(&self.begun), TENS);
            self.begun.clear();
        }
    }
}

fn push(ring: &mut VecDeque<Sample>, sample: Sample, most: usize) {
    if ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(sample);
}

/// All series.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    series: BTreeMap<Of, Series>,
    /// Seconds since the program was started for which there is a sample.
    seconds: u64,
}

impl Figures {
    /// Notes what is measured in this second. Seconds that were missed are gaps.
    pub(crate) fn note(&self, second: u64, snapshot: &Snapshot) {
        let mut inner = self.lock();
        let missed = second.saturating_sub(inner.seconds.saturating_add(1)).min(TENS as u64 * STEP as u64);
        for _ in 0..missed {
            inner.series.values_mut().for_each(|series| series.push(Sample::NONE));
        }
        inner.seconds = second;
        let inputs = snapshot.inputs.iter().map(|(id, input)| {
            let receiving = input.state == brookbox_relay::InputState::Receiving;
            let bitrate = receiving.then(|| input.tracks.iter().map(|track| track.bitrate_bps).sum());
            let lost = input.session.as_ref().map(|session| session.frames_lost);
            (Of::Input(id.to_string()), bitrate, None, None, lost)
        });
        let destinations = snapshot.destinations.iter().map(|(id, d)| {
            let dropped = d.bitrate_bps.is_some().then_some(d.frames_dropped);
            (Of::Destination(id.to_string()), d.bitrate_bps, d.queue_ms, d.rtt_ms, dropped)
        });
        let all: Vec<_> = inputs.chain(destinations).take(MOST_SERIES).collect();
        inner.series.retain(|of, _| all.iter().any(|(there, ..)| there == of));
        for (of, bitrate, queue, rtt, frames) in all {
            let series = inner.series.entry(of).or_default();
            let before = std::mem::replace(&mut series.dropped, frames);
            // A counter that begins anew counts from 0.
            let frames = frames.map(|now| before.and_then(|before| now.checked_sub(before)).unwrap_or(0));
            series.push(Sample::new(bitrate, queue, rtt, frames));
        }
    }

    /// The newest values of each series, the oldest first: by the second, or by ten.
    pub(crate) fn newest(&self, coarse: bool, limit: usize) -> Vec<(Of, Vec<Sample>)> {
        let inner = self.lock();
        let newest = |series: &Series| -> Vec<Sample> {
            let ring = if coarse { &series.tens } else { &series.seconds };
            ring.iter().skip(ring.len().saturating_sub(limit)).copied().collect()
        };
        inner.series.iter().map(|(of, series)| (of.clone(), newest(series))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use brookbox_relay::{DestinationState, DestinationStatus};

    use super::*;

    fn destination(bitrate: Option<u64>, dropped: u64) -> Snapshot {
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
            bitrate_bps: bitrate,
            rtt_ms: bitrate.map(|_| 18.25),
            queue_ms: bitrate.map(|bitrate| bitrate / 1000),
            frames_sent: 0,
            frames_dropped: dropped,
            bytes_sent: 0,
        };
        Snapshot { destinations: [("d1".into(), status)].into(), ..Snapshot::default() }
    }

    fn of(figures: &Figures, coarse: bool) -> Vec<Sample> {
        figures.newest(coarse, usize::MAX).pop().map(|(_, samples)| samples).unwrap_or_default()
    }

    #[test]
    fn a_gap_is_a_gap_and_a_zero_a_zero() {
        let figures = Figures::default();
        figures.note(1, &destination(Some(6_000_000), 5));
        figures.note(2, &destination(Some(0), 7));
        figures.note(3, &destination(None, 7));
        // The box was busy with something else for two seconds.
        figures.note(6, &destination(Some(1_000), 7));
        let seen: Vec<_> = of(&figures, false).iter().map(|sample| sample.bitrate_bps()).collect();
        assert_eq!(seen, [Some(6_000_000), Some(0), None, None, None, Some(1_000)]);
        let dropped: Vec<_> = of(&figures, false).iter().map(|sample| sample.frames_dropped()).collect();
        assert_eq!(dropped, [Some(0), Some(2), None, None, None, Some(0)]);
        assert_eq!(of(&figures, false)[0].rtt_ms(), Some(18.3));
    }

    #[test]
    fn ten_seconds_are_one_value_of_what_was_measured() {
        let figures = Figures::default();
        for second in 1..=20 {
            let bitrate = (second <= 5).then_some(second * 1000);
            figures.note(second, &destination(bitrate, second));
        }
        let tens = of(&figures, true);
        assert_eq!(tens.len(), 2);
        assert_eq!(
            (tens[0].bitrate_bps(), tens[0].queue_ms(), tens[0].frames_dropped()),
            (Some(3000), Some(5), Some(4))
        );
        assert_eq!(tens[1], Sample::NONE);
    }

    #[test]
    fn what_is_kept_is_bounded_and_ends_with_what_it_is_of() {
        let figures = Figures::default();
        for second in 1..=400 {
            figures.note(second, &destination(Some(second), 0));
        }
        let seconds = of(&figures, false);
        assert_eq!((seconds.len(), seconds[0].bitrate_bps()), (SECONDS, Some(101)));
        assert_eq!(figures.newest(false, 2)[0].1.len(), 2);
        // A very long sleep is no endless loop.
        figures.note(u64::MAX, &destination(None, 0));
        assert_eq!(of(&figures, true).len(), TENS);
        figures.note(u64::MAX, &Snapshot::default());
        assert!(figures.newest(false, 1).is_empty());
    }
}
