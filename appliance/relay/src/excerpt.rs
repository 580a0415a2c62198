//! The newest second of a programme, for whoever looks at it now and then. It is read out of the log when asked for: a
//! stream that is looked at costs nothing between two looks.

use brookbox_media::{Media, packets};

use crate::Id;
use crate::engine::Engine;
use crate::log::{Log, Role};
use crate::programme::Programme;
use crate::viewer::{put_entry, put_preamble};

const SECOND_MS: u64 = 1_000;
/// Frames of sound in an excerpt: a quarter of a second.
const SOUND_FRAMES: usize = 12;

/// What came in within the last second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Video frames that need others before them.
    pub inter_frames: u64,
    /// Their bytes.
    pub inter_bytes: u64,
    /// The smallest of its frames' delays: arrival less programme time, ms from any beginning. None: no frame came.
    pub delay_ms: Option<i64>,
    /// The most frames of the first video track in a row that are shown before one which came before them.
    pub b_frames: u32,
    /// FLV tags: the configuration in force, then the newest frames of sound; nothing if they were not wanted.
    pub tags: Vec<u8>,
}

impl Excerpt {
    fn of(programme: &Programme, now: u64, with_sound: bool) -> Self {
        let log = &programme.log;
        let from = log.since(now.saturating_sub(SECOND_MS));
        let mut excerpt = Self { b_frames: b_frames(log, from), ..Self::default() };
        for (_, entry) in log.from(from).filter(|(_, entry)| entry.is_frame()) {
            if entry.role == Role::Inter {
                excerpt.inter_frames += 1;
                excerpt.inter_bytes += entry.wire_len() as u64;
            }
            let delay = entry.arrived.cast_signed().saturating_sub(entry.time.cast_signed());
            excerpt.delay_ms = Some(excerpt.delay_ms.map_or(delay, |least| least.min(delay)));
        }
        if !with_sound {
            return excerpt;
        }
        put_preamble(programme, log.end(), &mut excerpt.tags);
        let sound = || log.from(from).filter(|(_, entry)| entry.role == Role::Audio);
        for (_, entry) in sound().skip(sound().count().saturating_sub(SOUND_FRAMES)) {
            put_entry(log, entry, &mut excerpt.tags);
        }
        excerpt
    }
}

/// Counts from the order in which frames come and the times at which they are shown.
fn b_frames(log: &Log, from: u64) -> u32 {
    /// Of a frame it is the beginning that tells its time.
    const START: usize = 64;
    let (mut most, mut run, mut newest) = (0, 0, i64::MIN);
    for (_, entry) in log.from(from).filter(|(_, entry)| entry.is_video_frame()) {
        let Some((packet, _)) = packets(Media::Video, log.body_start(entry, START)).next() else { continue };
        if packet.track != 0 {
            continue;
        }
        let shown = entry.time.cast_signed().saturating_add(packet.composition_ms.into());
        run = if shown > newest { 0 } else { run + 1 };
        newest = newest.max(shown);
        most = most.max(run);
    }
    most
}

impl Engine {
    /// None: nothing comes in.
    pub(crate) fn excerpt(&self, input: &Id, sound: bool) -> Option<Excerpt> {
        let inputs = self.inputs.borrow();
        let programme = inputs.get(input)?.programme.as_ref()?.borrow();
        programme.begun().then(|| Excerpt::of(&programme, self.context.clock.now(), sound))
    }
}

#[cfg(test)]
mod tests {
    use brookbox_media::flv_tags;
    use brookbox_rtmp::Message;

    use super::*;
    use crate::log::Retention;
    use crate::programme::{AUDIO, VIDEO};

    #[test]
    fn it_holds_the_last_second_and_the_newest_sound() {
        let shared = Programme::new(Retention { ms: 10_000, bytes: 1 << 20 }, 0);
        let mut programme = shared.borrow_mut();
        let mut push = |kind, time: u32, body: &[u8]| {
            programme.push(&Message { kind, stream_id: 1, timestamp: time, body: body.to_vec() }, time.into());
        };
        push(AUDIO, 0, &[0xaf, 0, 0x11, 0x90]);
        push(VIDEO, 0, &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]);
        for time in (0..3_000).step_by(20) {
            push(AUDIO, time, &[0xaf, 1, time.to_le_bytes()[0]]);
            push(VIDEO, time, &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]);
        }
        let excerpt = Excerpt::of(&programme, 3_000, true);
        assert_eq!((excerpt.inter_frames, excerpt.inter_bytes), (50, 50 * 22));
        let bodies: Vec<_> = flv_tags(&excerpt.tags).map(|tag| tag.body.to_vec()).collect();
        let newest =
            (0..3_000u32).step_by(20).skip(150 - SOUND_FRAMES).map(|time| vec![0xaf, 1, time.to_le_bytes()[0]]);
        let expected: Vec<_> = std::iter::once(vec![0xaf, 0, 0x11, 0x90]).chain(newest).collect();
        assert_eq!(bodies, expected);
        assert_eq!(excerpt.delay_ms, Some(0));
        assert_eq!(Excerpt::of(&programme, 3_000, false), Excerpt { tags: Vec::new(), ..excerpt });
        assert_eq!(Excerpt::of(&programme, 10_000, true).inter_frames, 0, "nothing came for long");
        assert_eq!(Excerpt::of(&programme, 10_000, true).delay_ms, None);
    }

    #[test]
    fn frames_that_are_shown_before_earlier_ones_are_counted() {
        let of = |shown: &[u8]| {
            let shared = Programme::new(Retention { ms: 10_000, bytes: 1 << 20 }, 0);
            let mut programme = shared.borrow_mut();
            // In the order in which they are decoded, 40 ms apart.
            for (number, &shown) in (0_u8..).zip(shown) {
                let time = u32::from(number) * 40;
                let composition = (u32::from(shown) + 2) * 40 - time;
                let [_, high, middle, low] = composition.to_be_bytes();
                let body = [if number == 0 { 0x17 } else { 0x27 }, 1, high, middle, low, 0, 0, 0, 1, 0x41];
                let message = Message { kind: VIDEO, stream_id: 1, timestamp: time, body: body.to_vec() };
                programme.push(&message, time.into());
            }
            Excerpt::of(&programme, 500, false).b_frames
        };
        assert_eq!(of(&[0, 1, 2, 3, 4]), 0);
        assert_eq!(of(&[0, 2, 1, 4, 3]), 1);
        assert_eq!(of(&[0, 4, 2, 1, 3, 8, 6, 5, 7]), 3, "in the middle one that others need");
    }
}
