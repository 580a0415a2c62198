//! Timestamps in, programme time out.
//!
//! What publishers send restarts near zero, steps back, jumps, wraps at 2³² ms. What leaves is monotonic for each
//! track, keeps the distances between frames, and keeps sound and picture together: all tracks share one offset, and
//! when one of them jumps the others are expected to follow.

use std::collections::BTreeMap;

/// A step back within one track that is jitter, not a restart, ms.
const JITTER_MS: i64 = 500;
/// A step forward that is a gap, not a jump, ms (time that really passed is added).
const GAP_MS: i64 = 10_000;
/// How far apart sound and picture may be interleaved, ms.
const SKEW_MS: i64 = 3_000;
/// A frame's length is learnt from steps up to this, ms.
const FRAME_MS: i64 = 250;
/// A first timestamp up to this is taken as it is, so that ordinary streams keep theirs, ms.
const NEAR_ZERO_MS: u32 = 10_000;

/// Repairs the timestamps of one programme.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    current: Option<Epoch>,
    previous: Option<Epoch>,
    /// The tracks that there were; never more than their numbers, 256 of each kind.
    lines: BTreeMap<TrackId, Line>,
    /// Newest time of data.
    data: u64,
    number: u32,
    restart: bool,
}

/// A stretch in which the publisher's clock ran on.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    number: u32,
    /// Added to unwrapped publisher time gives programme time.
    offset: i64,
    /// Newest unwrapped publisher time, whatever the track.
    newest: i64,
}

/// Whether it is a picture, and its number.
type TrackId = (bool, u8);

/// One track.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    epoch: u32,
    raw: i64,
    out: Option<u64>,
    frame: i64,
    at: u64,
}

/// What a timestamp belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    AudioFrame,
    VideoFrame,
    /// Configuration of a kind: its own timestamp is often zero, so it never moves the clock.
    AudioConfig,
    VideoConfig,
    Data,
}

impl Timeline {
    /// A new session begins: its clock has nothing to do with the one before.
    pub(crate) fn restart(&mut self) {
        self.restart = self.current.is_some();
    }

    /// Programme time of a message that carries `raw` and arrived at `now` (engine ms).
    pub(crate) fn stamp(&mut self, stamp: Stamp, track: u8, raw: u32, now: u64) -> u64 {
        match stamp {
            Stamp::AudioFrame => self.frame((false, track), raw, now),
            Stamp::VideoFrame => self.frame((true, track), raw, now),
            Stamp::AudioConfig => self.config((false, track), raw),
            Stamp::VideoConfig => self.config((true, track), raw),
            Stamp::Data => self.data(raw),
        }
    }

    /// Newest programme time of any frame.
    pub(crate) fn newest(&self) -> u64 {
        self.lines.values().filter_map(|line| line.out).max().unwrap_or(0)
    }

    fn frame(&mut self, track: TrackId, raw: u32, now: u64) -> u64 {
        let line = *self.lines.entry(track).or_default();
        let epoch = match self.epoch_of(line, raw, now) {
            Some(epoch) => epoch,
            None => {
                let unwrapped = i64::from(raw);
                let start = match (self.next_out(), raw <= NEAR_ZERO_MS) {
                    (None, true) => unwrapped,
                    (None, false) => 0,
                    (Some(next), _) => next,
                };
                self.number += 1;
                self.restart = false;
                self.previous = self.current.take();
                let epoch = Epoch { number: self.number, offset: start - unwrapped, newest: unwrapped };
                self.current = Some(epoch);
                epoch
            }
        };
        let seen = line.out.is_some() && line.epoch == epoch.number;
        let unwrapped = unwrap(if seen { line.raw } else { epoch.newest }, raw);
        let wanted = u64::try_from(unwrapped + epoch.offset).unwrap_or(0);
        let out = line.out.map_or(wanted, |last| wanted.max(last));
        let step = unwrapped - line.raw;
        let frame = if seen && (1..=FRAME_MS).contains(&step) { step } else { line.frame };
        self.lines.insert(track, Line { epoch: epoch.number, raw: unwrapped, out: Some(out), frame, at: now });
        if let Some(current) = self.current.as_mut().filter(|c| c.number == epoch.number) {
            current.newest = current.newest.max(unwrapped);
        }
        out
    }

    /// The epoch that a frame's timestamp belongs to; none: a new one begins.
    fn epoch_of(&self, line: Line, raw: u32, now: u64) -> Option<Epoch> {
        let current = self.current.filter(|_| !self.restart)?;
        if line.out.is_some() && line.epoch == current.number {
            let step = unwrap(line.raw, raw) - line.raw;
            let passed = i64::try_from(now.saturating_sub(line.at)).unwrap_or(i64::MAX - GAP_MS);
            return (-JITTER_MS..=GAP_MS + passed).contains(&step).then_some(current);
        }
        if (unwrap(current.newest, raw) - current.newest).abs() <= SKEW_MS {
            return Some(current);
        }
        // Another track has jumped and this one not yet.
        let previous = self.previous.filter(|p| line.out.is_some() && p.number == line.epoch)?;
        let step = unwrap(line.raw, raw) - line.raw;
        (-JITTER_MS..=SKEW_MS).contains(&step).then_some(previous)
    }

    /// Configuration and data take the clock as it is.
    fn aside(&self, raw: u32) -> u64 {
        let newest = self.newest();
        let mapped = self.current.filter(|_| !self.restart).and_then(|c| {
            let unwrapped = unwrap(c.newest, raw);
            ((unwrapped - c.newest).abs() <= SKEW_MS).then(|| u64::try_from(unwrapped + c.offset).unwrap_or(0))
        });
        mapped.unwrap_or(if raw <= NEAR_ZERO_MS && self.current.is_none() { u64::from(raw) } else { newest })
    }

    fn data(&mut self, raw: u32) -> u64 {
        self.data = self.data.max(self.aside(raw));
        self.data
    }

    /// In order with the frames of its track, whatever it says.
    fn config(&mut self, track: TrackId, raw: u32) -> u64 {
        let out = self.aside(raw);
        let out = if self.current.is_some() { out.min(self.newest()) } else { out };
        *self.lines.entry(track).or_default().out.get_or_insert(out)
    }

    /// Where a new epoch goes on: after the last frame of every track.
    fn next_out(&self) -> Option<i64> {
        self.lines
            .values()
            .filter(|line| line.epoch > 0)
            .filter_map(|line| Some(i64::try_from(line.out?).unwrap_or(i64::MAX / 2) + line.frame.max(1)))
            .max()
    }
}

/// The value nearest to `near` that is `raw` modulo 2³².
fn unwrap(near: i64, raw: u32) -> i64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "arithmetic modulo 2^32 is meant")]
    let difference = raw.wrapping_sub(near as u32).cast_signed();
    near + i64::from(difference)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Stamp::{AudioFrame, Data, VideoConfig, VideoFrame};
    use super::*;

    #[test]
    fn tracks_of_one_kind_keep_their_distance() {
        for behind in [200, 600] {
            let mut t = Timeline::default();
            for i in 0..100 {
                let (lead, late) = (1_000 + i * 20, 1_000 + i * 20 - behind);
                assert_eq!(t.stamp(AudioFrame, 0, lead, 0), u64::from(lead));
                assert_eq!(t.stamp(AudioFrame, 1, late, 0), u64::from(late), "{behind} ms behind");
            }
        }
    }

    #[test]
    fn ordinary_stream_keeps_its_timestamps() {
        let mut t = Timeline::default();
        assert_eq!(t.stamp(Data, 0, 0, 0), 0);
        assert_eq!(t.stamp(VideoConfig, 0, 0, 0), 0);
        for i in 0..100 {
            assert_eq!(t.stamp(VideoFrame, 0, i * 33 + 80, 0), u64::from(i) * 33 + 80);
            assert_eq!(t.stamp(AudioFrame, 0, i * 33 + 5, 0), u64::from(i) * 33 + 5);
        }
    }

    #[test]
    fn returning_publisher_goes_on_where_the_programme_stopped() {
        let mut t = Timeline::default();
        for i in 0..=10 {
            t.stamp(VideoFrame, 0, i * 40, 0);
            t.stamp(AudioFrame, 0, i * 40 + 10, 0);
        }
        t.restart();
        assert_eq!(t.stamp(VideoConfig, 0, 0, 0), 400, "configuration does not move the clock");
        assert_eq!(t.stamp(VideoFrame, 0, 0, 0), 450, "after the last sound and its length");
        assert_eq!(t.stamp(AudioFrame, 0, 15, 0), 465, "sound keeps its distance from the picture");
    }

    #[test]
    fn the_clock_wraps_at_32_bits() {
        let mut t = Timeline::default();
        let start = u32::MAX - 100;
        assert_eq!(t.stamp(VideoFrame, 0, start, 0), 0);
        assert_eq!(t.stamp(VideoFrame, 0, start.wrapping_add(90), 0), 90);
        assert_eq!(t.stamp(VideoFrame, 0, start.wrapping_add(180), 0), 180);
    }

    #[test]
    fn a_jump_moves_both_kinds_together() {
        let mut t = Timeline::default();
        for i in 0..=10 {
            t.stamp(VideoFrame, 0, 500_000 + i * 40, 0);
            t.stamp(AudioFrame, 0, 500_000 + i * 40, 0);
        }
        assert_eq!(t.stamp(VideoFrame, 0, 0, 0), 440, "picture restarts");
        assert_eq!(t.stamp(AudioFrame, 0, 500_440, 0), 440, "sound has not jumped yet");
        assert_eq!(t.stamp(AudioFrame, 0, 40, 0), 480, "now it has");
        assert_eq!(t.stamp(VideoFrame, 0, 40, 0), 480);
    }

    #[test]
    fn a_gap_that_really_passed_is_kept() {
        let mut t = Timeline::default();
        t.stamp(VideoFrame, 0, 0, 0);
        assert_eq!(t.stamp(VideoFrame, 0, 25_000, 25_000), 25_000);
        assert_eq!(t.stamp(VideoFrame, 0, 10_000_000, 25_040), 25_001, "one that did not pass is not");
    }

    #[test]
    fn jitter_is_flattened_and_distances_return() {
        let mut t = Timeline::default();
        let raw = [0, 40, 30, 80, 120];
        let out: Vec<u64> = raw.iter().map(|&r| t.stamp(VideoFrame, 0, r, 0)).collect();
        assert_eq!(out, [0, 40, 40, 80, 120]);
    }

    proptest! {
        /// Whatever a publisher sends, each kind leaves in order.
        #[test]
        fn what_leaves_is_monotonic(steps in proptest::collection::vec((0u8..5, any::<u32>(), any::<bool>(), 0u64..60_000), 1..300)) {
            let mut t = Timeline::default();
            let (mut last, mut now) = ([0u64; 5], 0);
            for (kind, raw, restart, passed) in steps {
                now += passed;
                if restart && raw % 7 == 0 {
                    t.restart();
                }
                let stamp = [VideoFrame, AudioFrame, VideoConfig, Stamp::AudioConfig, Data][usize::from(kind)];
                let out = t.stamp(stamp, 0, raw, now);
                // A configuration shares the order of its frames.
                let slot = [0, 1, 0, 1, 2][usize::from(kind)];
                prop_assert!(out >= last[slot], "{stamp:?} {raw} at {now}: {out} < {}", last[slot]);
                last[slot] = out;
            }
        }

        /// Distances within a stretch are kept to the millisecond, wherever the clock starts.
        #[test]
        fn distances_are_kept(start in any::<u32>(), steps in proptest::collection::vec(1u32..1000, 1..200)) {
            let mut t = Timeline::default();
            let mut raw = start;
            let mut before = t.stamp(VideoFrame, 0, raw, 0);
            for step in steps {
                raw = raw.wrapping_add(step);
                let out = t.stamp(VideoFrame, 0, raw, 0);
                prop_assert_eq!(out - before, u64::from(step));
                before = out;
            }
        }
    }
}
