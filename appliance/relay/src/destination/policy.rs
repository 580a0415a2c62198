//! What a destination that falls behind leaves out.
//!
//! First it is only late. Then it loses whole groups, from an inter frame to the next keyframe; configuration never,
//! sound only when it is old. The measure is the age of the next video frame to be written.

use crate::log::{Entry, Log, Role};

/// A destination this late is `slow`, ms.
pub(crate) const SLOW_MS: u64 = 2_000;
/// … until it is this near again, ms.
pub(crate) const SLOW_OVER_MS: u64 = 1_000;
/// This late it leaves out groups, ms.
const SKIP_MS: u64 = 3_000;
/// So late while it still catches up from its start, ms: the beginning is worth waiting for.
const SKIP_AT_START_MS: u64 = 10_000;
/// Sound younger than this is never left out, ms.
const AUDIO_MS: u64 = 5_000;

/// Decides message by message; asked only between whole messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    skip: Skip,
    /// It has been at the end of the log once since it began, or will be by leaving something out.
    caught_up: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Skip {
    #[default]
    Nothing,
    /// Video before this message.
    VideoBefore(u64),
    /// Video up to the next keyframe, which has not come yet.
    VideoToNextKey,
}

impl Policy {
    /// Video is left out until the next keyframe, also without lateness: a group has lost its beginning.
    pub(crate) fn skip_to_key(&mut self) {
        self.skip = Skip::VideoToNextKey;
    }

    /// The reader has nothing more to write.
    pub(crate) fn at_end(&mut self) {
        self.caught_up = true;
    }

    pub(crate) fn caught_up(&self) -> bool {
        self.caught_up
    }

    /// Whether a reader that is at the end takes whatever comes next.
    pub(crate) fn takes_all(&self) -> bool {
        self.caught_up && self.skip == Skip::Nothing
    }

    /// Where the run of messages ends that can be written from `seq` on without asking again, after leaving out what
    /// has to be left out. Moves `seq`; tells each message that is left out.
    pub(crate) fn plan(&mut self, log: &Log, seq: &mut u64, now: u64, mut left_out: impl FnMut(&Entry)) -> u64 {
        self.look_ahead(log, *seq, now);
        if self.skip == Skip::Nothing {
            return log.end();
        }
        let mut run = None;
        for (at, entry) in log.from(*seq) {
            if self.leaves_out(at, entry, now) {
                match run {
                    None => left_out(entry),
                    Some(start) => {
                        *seq = start;
                        return at;
                    }
                }
            } else {
                run.get_or_insert(at);
                if self.skip == Skip::Nothing {
                    break;
                }
            }
        }
        *seq = run.unwrap_or(log.end());
        log.end()
    }

    /// Starts to skip when the next video frame is too old.
    fn look_ahead(&mut self, log: &Log, seq: u64, now: u64) {
        if self.skip != Skip::Nothing {
            return;
        }
        let Some((at, next)) = log.from(seq).find(|(_, e)| e.is_video_frame()) else { return };
        let limit = if self.caught_up { SKIP_MS } else { SKIP_AT_START_MS };
        if now.saturating_sub(next.arrived) <= limit {
            return;
        }
        self.caught_up = true;
        match log.newest_key() {
            Some(key) if key > at => self.skip = Skip::VideoBefore(key),
            // The newest group has begun to go out, or its keyframe is next: that one still goes.
            _ if next.role == Role::Inter => self.skip = Skip::VideoToNextKey,
            _ => {}
        }
    }

    fn leaves_out(&mut self, at: u64, entry: &Entry, now: u64) -> bool {
        match (entry.role, self.skip) {
            (Role::Always, _) | (_, Skip::Nothing) => false,
            (Role::Audio, _) => now.saturating_sub(entry.arrived) > AUDIO_MS,
            (Role::Key, Skip::VideoToNextKey) => {
                self.skip = Skip::Nothing;
                false
            }
            (Role::Inter, Skip::VideoToNextKey) => true,
            (Role::Key | Role::Inter, Skip::VideoBefore(key)) => {
                if at >= key {
                    self.skip = Skip::Nothing;
                }
                at < key
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{NewEntry, Retention};

    /// K: keyframe, i: inter frame, a: audio, c: configuration; one every 100 ms.
    fn log(pattern: &str) -> Log {
        let mut log = Log::new(Retention { ms: 60_000, bytes: 1 << 20 });
        for (i, c) in (0u64..).zip(pattern.chars()) {
            let (kind, role) = match c {
                'K' => (9, Role::Key),
                'i' => (9, Role::Inter),
                'a' => (8, Role::Audio),
                _ => (9, Role::Always),
            };
            log.append(NewEntry { kind, role, time: i * 100, arrived: i * 100, body: &[0; 10] });
        }
        log
    }

    /// What is written when everything in the log is written at `now`.
    fn written(policy: &mut Policy, log: &Log, pattern: &str, from: u64, now: u64) -> String {
        let (mut seq, mut out) = (from, String::new());
        loop {
            let until = policy.plan(log, &mut seq, now, |_| ());
            if seq >= until {
                return out;
            }
            out.extend(pattern.chars().zip(0..).filter(|(_, at)| (seq..until).contains(at)).map(|(c, _)| c));
            seq = until;
        }
    }

    fn late(pattern: &str, from: u64, now: u64) -> String {
        let mut policy = Policy::default();
        policy.at_end();
        written(&mut policy, &log(pattern), pattern, from, now)
    }

    #[test]
    fn in_time_everything_goes() {
        let pattern = "cKiaiaKiai";
        assert_eq!(late(pattern, 0, 1000), pattern);
    }

    #[test]
    fn late_by_two_seconds_everything_still_goes() {
        assert_eq!(late("KiiaKii", 1, 2900), "iiaKii");
    }

    #[test]
    fn too_late_whole_groups_go_but_configuration_and_sound_stay() {
        assert_eq!(late("KiiacKiiaKiai", 1, 4200), "acaKiai");
    }

    #[test]
    fn old_sound_goes_with_the_picture() {
        assert_eq!(late("KiiacKiiaKiai", 1, 6000), "cKiai");
    }

    #[test]
    fn without_a_newer_keyframe_it_waits_for_one() {
        let pattern = "Kiiai";
        let mut policy = Policy::default();
        policy.at_end();
        assert_eq!(written(&mut policy, &log(pattern), pattern, 1, 4000), "a");
        let longer = "KiiaiiKi";
        assert_eq!(written(&mut policy, &log(longer), longer, 5, 4000), "Ki");
    }

    #[test]
    fn the_newest_group_still_begins_however_late() {
        assert_eq!(late("Kiii", 0, 9000), "Kiii");
    }

    #[test]
    fn at_its_start_a_destination_may_catch_up() {
        let pattern = "cKiaiaKiai";
        assert_eq!(written(&mut Policy::default(), &log(pattern), pattern, 0, 9000), pattern);
    }
}
