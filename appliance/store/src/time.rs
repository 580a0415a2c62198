//! Points in time as they are stored and shown.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// A point in time: ms since 1970-01-01T00:00:00Z. Shown in JSON as RFC 3339, UTC, with ms: `2026-11-21T13:01:39.000Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

const DAY_MS: i64 = 86_400_000;

impl Time {
    /// The system's clock now. It may jump: boards without a battery start in the past.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// From ms since 1970.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Ms since 1970.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// So much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(ms(duration)))
    }

    /// So much earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(ms(duration)))
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(ms(since)),
            Err(error) => Self(-ms(error.duration())),
        }
    }
}

impl fmt::Display for Time {
    /// RFC 3339, section 5.6. Years beyond 9999 and before 0 are shown as they are; the format has no form for them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar. Counts in years that begin in March,
/// so that the leap day is the last of its year, and in eras of 400 years, which all have 146,097 days.
fn civil(day: i64) -> (i64, i64, i64) {
    let from_march_0000 = day + 719_468;
    let era = from_march_0000.div_euclid(146_097);
    let of_era = from_march_0000.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written_as_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_123, "2024-02-29T00:00:00.123Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time::from_ms(ms).to_string(), text);
        }
        assert_eq!(serde_json::to_string(&Time::from_ms(0)).unwrap(), "\"1970-01-01T00:00:00.000Z\"");
    }

    /// Against a calendar that just counts.
    #[test]
    fn every_day_of_800_years_is_right() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..292_194 {
            assert_eq!(civil(number), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if day > days[usize::try_from(month).unwrap() - 1] {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn any_number_is_a_time() {
        for ms in [i64::MIN, i64::MIN + 1, i64::MAX] {
            assert!(Time::from_ms(ms).to_string().ends_with('Z'));
        }
        assert_eq!(Time::from_ms(i64::MAX).after(Duration::MAX), Time::from_ms(i64::MAX));
        assert_eq!(Time::from(UNIX_EPOCH - Duration::from_millis(5)).as_ms(), -5);
    }
}
