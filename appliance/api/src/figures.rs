//! Figures of the last five minutes by the second, and of the last day by ten seconds, for graphs. They are kept in memory:
//! a restart of the box is a gap. What was not measured is a gap too, and never 0.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brookbox_relay::Snapshot;
use brookbox_store::Time;

/// How many values a series keeps by the second.
pub(crate) const SECONDS: usize = 300;
/// … and by ten seconds.
pub(crate) const TENS: usize = 8_640;
/// Seconds in one coarse value.
const STEP: usize = 10;
/// Most series; more objects than this are not measured.
const MOST_SERIES: usize = 128;
/// Most samples that are handed out at once, of all series together.
const MOST_AT_ONCE: usize = 50_000;

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

    /// Mean number of programs that wanted to run; °C.
    pub(crate) fn of_board(load: Option<f64>, temperature: Option<f64>) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
        let hundredths = load.map(|load| (load * 100.0).round() as u64);
        Self::new(hundredths, None, temperature.filter(|degrees| *degrees >= 0.0), None)
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

    pub(crate) fn load(self) -> Option<f64> {
        self.get(0).map(|hundredths| f64::from(u32::try_from(hundredths).unwrap_or(GAP)) / 100.0)
    }

    pub(crate) fn temperature_c(self) -> Option<f64> {
        self.rtt_ms()
    }

    pub(crate) fn frames_dropped(self) -> Option<u64> {
        self.get(3)
    }

    fn with_frames(mut self, dropped: Option<u64>) -> Self {
        self.0[3] = pack(dropped);
        self
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
    /// The machine itself.
    Board,
    Input(String),
    Destination(String),
}

#[derive(Debug, Default)]
struct Series {
    seconds: VecDeque<Sample>,
    tens: VecDeque<Sample>,
    /// The counter of frames at the last sample.
    dropped: Option<u64>,
}

impl Series {
    /// The sample of a second. All series have their coarse values of the same seconds, whenever they began.
    fn push(&mut self, second: u64, sample: Sample) {
        push(&mut self.seconds, sample, SECONDS);
        if is_whole(second) {
            let newest: Vec<_> = self.seconds.iter().rev().take(STEP).copied().collect();
            push(&mut self.tens, Sample::fold(&newest), TENS);
        }
    }

    /// Takes back the sample of the newest second.
    fn pop(&mut self, second: u64) -> Option<Sample> {
        if is_whole(second) {
            self.tens.pop_back();
        }
        self.seconds.pop_back()
    }
}

/// Whether a coarse value ends with this second.
fn is_whole(second: u64) -> bool {
    second.is_multiple_of(STEP as u64)
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
    /// The newest second for which there are samples, and what time it was.
    newest: Option<(u64, Time)>,
}

/// The newest values of some series, the oldest first.
#[derive(Debug)]
pub(crate) struct Newest {
    /// Of when the last values are: for coarse ones the end of their ten seconds.
    pub(crate) until: Time,
    pub(crate) series: Vec<(Of, Vec<Sample>)>,
}

impl Figures {
    /// Notes what is measured in this second, counted from any beginning. Seconds that were missed are gaps; the same
    /// second again takes the place of what was noted of it. `board` has the machine's load and °C.
    pub(crate) fn note(&self, second: u64, time: Time, snapshot: &Snapshot, board: (Option<f64>, Option<f64>)) {
        let mut inner = self.lock();
        let (before, _) = inner.newest.unwrap_or((second.saturating_sub(1), time));
        let second = second.max(before);
        inner.newest = Some((second, time));
        let missed = before.saturating_add(1).max(second.saturating_sub((TENS * STEP) as u64))..second;
        for second in missed {
            inner.series.values_mut().for_each(|series| series.push(second, Sample::NONE));
        }
        let inputs = snapshot.inputs.iter().map(|(id, input)| {
            let receiving = input.state == brookbox_relay::InputState::Receiving;
            let bitrate = receiving.then(|| input.tracks.iter().map(|track| track.bitrate_bps).sum());
            let lost = input.session.as_ref().map(|session| session.frames_lost);
            (Of::Input(id.to_string()), Sample::new(bitrate, None, None, None), lost)
        });
        let destinations = snapshot.destinations.iter().map(|(id, d)| {
            let dropped = d.bitrate_bps.is_some().then_some(d.frames_dropped);
            (Of::Destination(id.to_string()), Sample::new(d.bitrate_bps, d.queue_ms, d.rtt_ms, None), dropped)
        });
        let board = Some(Sample::of_board(board.0, board.1)).filter(|sample| *sample != Sample::NONE);
        let board = board.map(|sample| (Of::Board, sample, None));
        let all: Vec<_> = board.into_iter().chain(inputs).chain(destinations).take(MOST_SERIES).collect();
        inner.series.retain(|of, _| all.iter().any(|(there, ..)| there == of));
        for (of, sample, frames) in all {
            let series = inner.series.entry(of).or_default();
            let noted = if second == before { series.pop(second) } else { None };
            let counted = std::mem::replace(&mut series.dropped, frames);
            // A counter that begins anew counts from 0.
            let frames = frames.map(|now| counted.and_then(|counted| now.checked_sub(counted)).unwrap_or(0));
            let frames = frames.map(|frames| frames + noted.and_then(Sample::frames_dropped).unwrap_or(0));
            series.push(second, sample.with_frames(frames));
        }
    }

    /// The newest values of each wanted series: by the second, or by ten. So many at most, and as many as there may be of
    /// all series together.
    pub(crate) fn newest(&self, coarse: bool, limit: usize, wanted: impl Fn(&Of) -> bool) -> Newest {
        let inner = self.lock();
        let (second, time) = inner.newest.unwrap_or_else(|| (0, Time::now()));
        let since_whole = if coarse { second % STEP as u64 } else { 0 };
        let wanted: Vec<_> = inner.series.iter().filter(|(of, _)| wanted(of)).collect();
        let limit = limit.min(MOST_AT_ONCE / wanted.len().max(1));
        let newest = |series: &Series| -> Vec<Sample> {
            let ring = if coarse { &series.tens } else { &series.seconds };
            ring.iter().skip(ring.len().saturating_sub(limit)).copied().collect()
        };
        Newest {
            until: time.before(Duration::from_secs(since_whole)),
            series: wanted.into_iter().map(|(of, series)| (of.clone(), newest(series))).collect(),
        }
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
        let mut newest = figures.newest(coarse, usize::MAX, |_| true);
        newest.series.pop().map(|(_, samples)| samples).unwrap_or_default()
    }

    fn note(figures: &Figures, second: u64, snapshot: &Snapshot) {
        let time = i64::try_from(second).unwrap_or(i64::MAX / 1000) * 1000;
        figures.note(second, Time::from_ms(time), snapshot, (None, None));
    }

    #[test]
    fn a_gap_is_a_gap_and_a_zero_a_zero() {
        let figures = Figures::default();
        note(&figures, 1, &destination(Some(6_000_000), 5));
        note(&figures, 2, &destination(Some(0), 7));
        note(&figures, 3, &destination(None, 7));
        // The box was busy with something else for two seconds.
        note(&figures, 6, &destination(Some(1_000), 7));
        let seen: Vec<_> = of(&figures, false).iter().map(|sample| sample.bitrate_bps()).collect();
        assert_eq!(seen, [Some(6_000_000), Some(0), None, None, None, Some(1_000)]);
        let dropped: Vec<_> = of(&figures, false).iter().map(|sample| sample.frames_dropped()).collect();
        assert_eq!(dropped, [Some(0), Some(2), None, None, None, Some(0)]);
        assert_eq!(of(&figures, false)[0].rtt_ms(), Some(18.3));
    }

    #[test]
    fn the_machine_has_a_series_where_something_is_measured() {
        let figures = Figures::default();
        for second in 1..=10 {
            figures.note(second, Time::from_ms(0), &Snapshot::default(), (Some(0.25), Some(61.04)));
        }
        let Some((Of::Board, tens)) = figures.newest(true, 1, |_| true).series.pop() else { panic!("no series") };
        assert_eq!((tens[0].load(), tens[0].temperature_c()), (Some(0.25), Some(61.0)));
        figures.note(11, Time::from_ms(0), &Snapshot::default(), (None, None));
        assert!(figures.newest(false, 1, |_| true).series.is_empty());
    }

    #[test]
    fn ten_seconds_are_one_value_of_what_was_measured() {
        let figures = Figures::default();
        for second in 1..=20 {
            let bitrate = (second <= 5).then_some(second * 1000);
            note(&figures, second, &destination(bitrate, second));
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
    fn the_same_second_again_takes_the_place_of_the_first() {
        let figures = Figures::default();
        note(&figures, 9, &destination(Some(1_000), 5));
        note(&figures, 10, &destination(Some(2_000), 7));
        note(&figures, 10, &destination(Some(3_000), 8));
        let seconds = of(&figures, false);
        assert_eq!((seconds.len(), seconds[1].bitrate_bps(), seconds[1].frames_dropped()), (2, Some(3_000), Some(3)));
        let tens = of(&figures, true);
        assert_eq!((tens.len(), tens[0].bitrate_bps(), tens[0].frames_dropped()), (1, Some(2_000), Some(3)));
    }

    #[test]
    fn coarse_values_of_all_series_end_at_the_same_second() {
        let figures = Figures::default();
        let early = destination(Some(1_000), 0);
        let mut both = early.clone();
        both.destinations.insert("d2".into(), both.destinations["d1"].clone());
        (1..=13).for_each(|second| note(&figures, second, &early));
        (14..=26).for_each(|second| note(&figures, second, &both));
        let coarse = figures.newest(true, usize::MAX, |_| true);
        let lengths: Vec<_> = coarse.series.iter().map(|(_, samples)| samples.len()).collect();
        assert_eq!((lengths, coarse.until), (vec![2, 1], Time::from_ms(20_000)));
        assert_eq!(figures.newest(false, 1, |_| true).until, Time::from_ms(26_000));
        note(&figures, 30, &both);
        assert_eq!(figures.newest(true, 1, |_| true).until, Time::from_ms(30_000));
    }

    #[test]
    fn of_many_series_fewer_values_are_handed_out_at_once() {
        let figures = Figures::default();
        let mut many = destination(Some(1_000), 0);
        for number in 2..=20 {
            many.destinations.insert(format!("d{number}").into(), many.destinations["d1"].clone());
        }
        note(&figures, 1, &many);
        note(&figures, 100_000, &many);
        let all = figures.newest(true, TENS, |_| true).series;
        assert_eq!((all.len(), all[0].1.len()), (20, MOST_AT_ONCE / 20));
        let one = figures.newest(true, TENS, |of| *of == Of::Destination("d7".into())).series;
        assert_eq!((one.len(), one[0].1.len()), (1, TENS));
    }

    #[test]
    fn what_is_kept_is_bounded_and_ends_with_what_it_is_of() {
        let figures = Figures::default();
        for second in 1..=400 {
            note(&figures, second, &destination(Some(second), 0));
        }
        let seconds = of(&figures, false);
        assert_eq!((seconds.len(), seconds[0].bitrate_bps()), (SECONDS, Some(101)));
        assert_eq!(figures.newest(false, 2, |_| true).series[0].1.len(), 2);
        // A very long sleep is no endless loop.
        note(&figures, u64::MAX, &destination(None, 0));
        assert_eq!(of(&figures, true).len(), TENS);
        note(&figures, u64::MAX, &Snapshot::default());
        assert!(figures.newest(false, 1, |_| true).series.is_empty());
    }
}
