//! How fast the publisher's clock runs: stream time against the time of arrival, over minutes.
//!
//! Once a second comes the smallest delay that a frame of that second had. Networks only ever add to it, so that the smallest
//! of ten seconds is what the way costs at its best, and how that changes over minutes is the two clocks' difference.

use std::collections::VecDeque;

/// Seconds in one point.
const POINT_S: u32 = 10;
/// Points that are kept: ten minutes.
const MOST_POINTS: usize = 60;
/// Fewer say nothing: two minutes.
const LEAST_POINTS: usize = 12;
/// A delay that jumps by more than this is a pause or another timeline, not a clock, ms.
const JUMP_MS: i64 = 500;

/// The delays so far. The middle of all slopes between two points (Theil and Sen) holds also where a part of them is off.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    /// When, s, and the smallest delay then, ms; the oldest first.
    points: VecDeque<(u32, i64)>,
    begun: Option<(u32, i64)>,
    second: u32,
}

impl Drift {
    /// A second has passed; with the smallest delay of its frames, ms from any beginning. `None`: no frame came.
    pub(crate) fn second(&mut self, delay_ms: Option<i64>) {
        self.second = self.second.saturating_add(1);
        let Some(delay) = delay_ms else { return };
        if self.points.back().is_some_and(|&(_, last)| (delay - last).abs() > JUMP_MS) {
            // Late frames are as well: only what stays is a new beginning, and a new beginning costs two minutes.
            if delay > self.points.back().map_or(delay, |&(_, last)| last) && self.is_late() {
                return;
            }
            self.points.clear();
            self.begun = None;
        }
        let (from, least) = self.begun.get_or_insert((self.second, delay));
        *least = delay.min(*least);
        if self.second - *from + 1 >= POINT_S {
            let point = (self.second, *least);
            self.begun = None;
            if self.points.len() >= MOST_POINTS {
                self.points.pop_front();
            }
            self.points.push_back(point);
        }
    }

    /// Whether the last point is so young that what came since may be late alone.
    fn is_late(&self) -> bool {
        self.points.back().is_some_and(|&(at, _)| self.second - at < 3 * POINT_S)
    }

    /// How much faster than the box's the publisher's clock runs, in parts per million; `None`: not known yet.
    pub(crate) fn ppm(&self) -> Option<f64> {
        if self.points.len() < LEAST_POINTS {
            return None;
        }
        let mut slopes: Vec<f64> = Vec::with_capacity(self.points.len() * self.points.len() / 2);
        for (number, &(at, delay)) in self.points.iter().enumerate() {
            for &(later, delayed) in self.points.iter().skip(number + 1) {
                // A few hundred ms over a few hundred s.
                slopes.push((delayed - delay) as f64 / f64::from(later - at));
            }
        }
        slopes.sort_by(f64::total_cmp);
        let middle = slopes.get(slopes.len() / 2)?;
        // Ms a second are thousandths. A clock that runs fast makes frames come earlier and earlier.
        Some((-middle * 1000.0).round() + 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `seconds` of a clock that is off by `ppm`, with what the network adds in each second.
    fn fed(drift: &mut Drift, seconds: std::ops::Range<u32>, ppm: f64, added: impl Fn(u32) -> i64) -> Option<f64> {
        for second in seconds {
            #[allow(clippy::cast_possible_truncation, reason = "a few thousand")]
            let own = (-ppm * f64::from(second) / 1000.0).round() as i64;
            drift.second(Some(own + added(second)));
        }
        drift.ppm()
    }

    #[test]
    fn the_difference_of_two_clocks_is_found_under_jitter() {
        for ppm in [0.0, 40.0, -40.0, 500.0, -2_000.0] {
            let mut drift = Drift::default();
            assert_eq!(fed(&mut drift, 0..100, ppm, |_| 0), None, "two minutes are the least");
            let found = fed(&mut drift, 100..400, ppm, |second| i64::from(second * 7919 % 31)).unwrap();
            // Jitter hides a little of what a clock does within ten seconds.
            assert!((found - ppm).abs() <= 15.0 + ppm.abs() * 0.03, "{ppm}: {found}");
        }
    }

    #[test]
    fn a_bad_minute_of_the_network_is_not_the_clock() {
        let mut drift = Drift::default();
        let found = fed(&mut drift, 0..600, 20.0, |second| if (200..260).contains(&second) { 400 } else { 0 });
        assert!((found.unwrap() - 20.0).abs() <= 10.0, "{found:?}");
        let mut drift = Drift::default();
        let found = fed(&mut drift, 0..600, 20.0, |second| if (200..215).contains(&second) { 4_000 } else { 0 });
        assert!((found.unwrap() - 20.0).abs() <= 10.0, "{found:?}");
    }

    #[test]
    fn another_timeline_begins_anew() {
        let mut drift = Drift::default();
        assert!(fed(&mut drift, 0..200, 0.0, |_| 0).is_some());
        assert_eq!(fed(&mut drift, 200..240, 0.0, |_| -60_000), None);
        assert_eq!(fed(&mut drift, 240..400, 0.0, |_| -60_000), Some(0.0));
        for _ in 0..100 {
            drift.second(None);
        }
        assert_eq!(drift.ppm(), Some(0.0), "nothing came, and nothing is forgotten");
        let bounded = fed(&mut drift, 400..5_000, 0.0, |_| -60_000);
        assert_eq!((bounded, drift.points.len()), (Some(0.0), MOST_POINTS));
    }
}
