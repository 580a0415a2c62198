//! The programme: the continuous timeline that an input gives to everything downstream.
//!
//! It lives from the publisher's start to its proper end, over every reconnect in between. Frames come in with the
//! publisher's timestamps, are repaired and rebased ([`Timeline`]), and are appended to the [`Log`] in wire form.

use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};

use brookbox_media::{self as media, FourCc, Media};
use brookbox_rtmp::Message;

use crate::TrackStatus;
use crate::log::{Log, NewEntry, News, Preamble, Retention, Role};
use crate::timeline::{Stamp, Timeline};
use crate::tracks::Tracks;

/// Message type ids of RTMP.
pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
pub(crate) const DATA: u8 = 18;

/// Shared by the publisher, the destinations and the engine, all on one thread.
pub(crate) type Shared = Rc<RefCell<Programme>>;

/// Where the programme is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// A publisher is there.
    Running,
    /// The publisher went away without a proper end, at this engine time (ms), and may return.
    Held { since: u64 },
    /// Nothing comes any more.
    Ended,
}

/// Somebody who reads the log at a place of their own.
pub(crate) trait Reader {
    /// There is more. A reader that has nothing to wait for writes it at once: no task is scheduled for it.
    fn more(&self, programme: &Programme, news: &News<'_>, now: u64);

    /// The next message it will read.
    fn place(&self) -> u64;
}

/// One input's programme.
pub(crate) struct Programme {
    pub(crate) log: Log,
    readers: Vec<Weak<dyn Reader>>,
    pub(crate) life: Life,
    timeline: Timeline,
    tracks: Tracks,
    configs: Configs,
    lead: Lead,
    /// A returning publisher takes over at its first keyframe.
    until_key: Option<UntilKey>,
    /// Whether a picture has been seen, or sound for a while without one: only then is it known what destinations have
    /// to be told.
    begun: bool,
    first_sound: Option<u64>,
    last_frame: u64,
    /// Media that has come in, without the jumps of the publisher's clock, ms.
    played: u64,
}

/// A publisher that returns goes on with its first keyframe.
#[derive(Debug, Default)]
struct UntilKey {
    sound_since: Option<u64>,
    has_picture: bool,
}

impl UntilKey {
    /// Whether the publisher has come back without a picture.
    fn is_in_vain(&mut self, now: u64) -> bool {
        let since = *self.sound_since.get_or_insert(now);
        !self.has_picture && now.saturating_sub(since) >= SOUND_ONLY_MS
    }
}

/// A stream whose picture has not come after this much sound has none, ms.
const SOUND_ONLY_MS: u64 = 1_000;
/// A step between two frames that is a jump of the clock or a pause, not media, ms.
const JUMP_MS: u64 = 1_000;

impl Programme {
    pub(crate) fn new(retention: Retention, now: u64) -> Shared {
        Rc::new(RefCell::new(Self {
            log: Log::new(retention),
            readers: Vec::new(),
            life: Life::Running,
            timeline: Timeline::default(),
            tracks: Tracks::default(),
            configs: Configs::default(),
            lead: Lead::default(),
            until_key: None,
            begun: false,
            first_sound: None,
            last_frame: now,
            played: 0,
        }))
    }

    /// A publisher takes over where another one, or an earlier connection of the same one, left off.
    pub(crate) fn resume(&mut self) {
        self.life = Life::Running;
        self.timeline.restart();
        self.tracks.restart();
        self.configs.session_begins();
        self.lead = Lead::default();
        self.until_key = self.tracks.has_video().then(UntilKey::default);
    }

    /// The publisher's connection is lost.
    pub(crate) fn hold(&mut self, now: u64) {
        if self.life == Life::Running {
            self.life = Life::Held { since: now };
        }
    }

    /// Nothing comes any more: readers send what is left and end properly.
    pub(crate) fn end(shared: &Shared, now: u64) {
        shared.borrow_mut().life = Life::Ended;
        let from = shared.borrow().log.end();
        Self::tell_readers(shared, from, now);
    }

    /// Adds a reader; one that is dropped is forgotten.
    pub(crate) fn add_reader(&mut self, reader: Weak<dyn Reader>) {
        self.readers.retain(|r| r.strong_count() > 0);
        self.readers.push(reader);
    }

    /// Tells every reader that there is more, from message `from` on: once for a batch.
    pub(crate) fn tell_readers(shared: &Shared, from: u64, now: u64) {
        let programme = shared.borrow();
        let news = programme.log.news(from);
        for reader in programme.readers.iter().filter_map(Weak::upgrade) {
            reader.more(&programme, &news, now);
        }
    }

    /// Whether there is sound, and whether there is a picture.
    pub(crate) fn has_audio_video(&self) -> (bool, bool) {
        (self.tracks.has_audio(), self.tracks.has_video())
    }

    /// Bytes that the slowest reader has before it.
    pub(crate) fn longest_backlog(&self) -> usize {
        let slowest = self.readers.iter().filter_map(Weak::upgrade).map(|r| r.place()).min();
        slowest.map_or(0, |place| self.log.bytes_from(place))
    }

    /// Takes one message from the publisher. [`tell_readers`](Self::tell_readers) follows, once for a batch.
    pub(crate) fn push(&mut self, message: &Message, now: u64) {
        let kind = match message.kind {
            AUDIO => Media::Audio,
            VIDEO => Media::Video,
            _ => Media::Data,
        };
        let summary = media::summary(kind, &message.body);
        let (mut role, stamp) = place(kind, summary.role);
        // Groups are those of one video track: a reader that begins at another's keyframe would lack this one's.
        if matches!(role, Role::Key | Role::Inter) && !self.lead.is_led_by(summary.track, now) {
            role = Role::Inter;
        }
        if let Some(until_key) = &mut self.until_key {
            match role {
                Role::Key => self.until_key = None,
                Role::Audio if until_key.is_in_vain(now) => {
                    self.until_key = None;
                    self.log.forget_video();
                }
                Role::Inter => {
                    until_key.has_picture = true;
                    return;
                }
                Role::Audio => return,
                Role::Always => {}
            }
        }
        let before = self.timeline.newest();
        let time = self.timeline.stamp(stamp, summary.track, message.timestamp, now);
        self.played += Some(self.timeline.newest().saturating_sub(before)).filter(|step| *step <= JUMP_MS).unwrap_or(0);
        self.tracks.note(kind, &message.body, time, now);
        let known = match role {
            Role::Always => match Slot::of(message, &summary) {
                Some(slot) => self.configs.note(self.log.end(), slot, &message.body),
                None => false,
            },
            Role::Key | Role::Inter | Role::Audio => {
                let sound_since = *self.first_sound.get_or_insert(now);
                self.begun |= role != Role::Audio || now.saturating_sub(sound_since) >= SOUND_ONLY_MS;
                self.last_frame = now;
                false
            }
        };
        if !known {
            self.log.append(NewEntry { kind: message.kind, role, time, arrived: now, body: &message.body });
        }
    }

    /// Whether destinations can begin: what the stream is made of is known.
    pub(crate) fn begun(&self) -> bool {
        self.begun
    }

    /// Engine time of the newest frame, ms.
    pub(crate) fn last_frame(&self) -> u64 {
        self.last_frame
    }

    /// Newest programme time, ms.
    pub(crate) fn time(&self) -> u64 {
        self.timeline.newest()
    }

    /// Media that has come in, without the jumps of the publisher's clock, ms.
    pub(crate) fn played(&self) -> u64 {
        self.played
    }

    /// The configuration a reader needs that begins at message `seq`; empty at the very beginning.
    pub(crate) fn preamble(&self, seq: u64) -> Preamble {
        self.configs.before(seq)
    }

    /// What is sent, measured at `now`.
    pub(crate) fn tracks(&self, now: u64) -> Vec<TrackStatus> {
        self.tracks.status(now)
    }

    /// 5 s mean of everything, bit/s.
    pub(crate) fn bitrate_bps(&self, now: u64) -> u64 {
        self.tracks.bitrate_bps(now)
    }

    /// Timestamp gaps in video, as frames.
    pub(crate) fn frames_lost(&self) -> u64 {
        self.tracks.frames_lost()
    }

    /// Codecs that only Enhanced RTMP carries; empty for an ordinary stream.
    pub(crate) fn enhanced_codecs(&self) -> Vec<FourCc> {
        self.tracks.enhanced_codecs()
    }

    /// The codec of the lowest video track.
    pub(crate) fn video_codec(&self) -> Option<FourCc> {
        self.tracks.video_codec()
    }
}

impl fmt::Debug for Programme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programme").field("life", &self.life).field("log", &self.log).finish_non_exhaustive()
    }
}

/// How a message is logged and which clock it follows.
fn place(kind: Media, role: media::Role) -> (Role, Stamp) {
    match (kind, role) {
        (Media::Video, media::Role::Key) => (Role::Key, Stamp::VideoFrame),
        (Media::Video, media::Role::Inter) => (Role::Inter, Stamp::VideoFrame),
        (Media::Video, _) => (Role::Always, Stamp::VideoConfig),
        (Media::Audio, media::Role::Audio) => (Role::Audio, Stamp::AudioFrame),
        (Media::Audio, _) => (Role::Always, Stamp::AudioConfig),
        (Media::Data, _) => (Role::Always, Stamp::Data),
    }
}

/// The video track whose keyframes begin groups: the lowest one that is being sent.
#[derive(Debug, Default)]
struct Lead {
    track: u8,
    /// Engine time of its newest frame, ms; none before the first.
    seen: Option<u64>,
}

/// A track that sends nothing for this long leads no more, ms.
const LEAD_MS: u64 = 10_000;

impl Lead {
    /// Notes a frame of `track`; says whether it is the one that leads.
    fn is_led_by(&mut self, track: u8, now: u64) -> bool {
        let leads = track <= self.track || self.seen.is_none_or(|seen| now.saturating_sub(seen) > LEAD_MS);
        if leads {
            *self = Self { track, seen: Some(now) };
        }
        leads
    }
}

/// What makes two configuration messages the same slot: a newer one replaces the older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    message: u8,
    tracks: TrackSet,
    kind: Option<media::Kind>,
}

/// The tracks that a message is about, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TrackSet([u64; 4]);

impl TrackSet {
    fn of(media: Media, body: &[u8]) -> Self {
        let mut set = Self::default();
        for (packet, _) in media::packets(media, body) {
            if let Some(bits) = set.0.get_mut(usize::from(packet.track / 64)) {
                *bits |= 1 << (packet.track % 64);
            }
        }
        set
    }

    fn covers(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(ours, theirs)| theirs & !ours == 0)
    }
}

impl Slot {
    /// None for what concerns only its moment.
    fn of(message: &Message, summary: &media::Summary) -> Option<Self> {
        let slot = |tracks, kind| Some(Self { message: message.kind, tracks, kind });
        match (message.kind, summary.role) {
            (AUDIO, media::Role::Config) => slot(TrackSet::of(Media::Audio, &message.body), Some(summary.kind)),
            (VIDEO, media::Role::Config) => slot(TrackSet::of(Media::Video, &message.body), Some(summary.kind)),
            (DATA, _) if is_metadata(&message.body) => slot(TrackSet::default(), None),
            _ => None,
        }
    }

    /// Whether nothing of `older` is in force any more once this one is.
    fn replaces(&self, older: &Self) -> bool {
        (self.message, self.kind) == (older.message, older.kind) && self.tracks.covers(older.tracks)
    }
}

#[derive(Clone, Debug)]
struct Config {
    slot: Slot,
    /// Not yet confirmed by the session that is publishing now.
    stale: bool,
    body: Rc<[u8]>,
}

/// The configuration in force at each place of the log.
#[derive(Debug, Default)]
struct Configs {
    current: Vec<Config>,
    /// From which message on which preamble holds, oldest first.
    versions: Vec<(u64, Preamble)>,
}

/// A preamble is bounded whatever a publisher invents.
const MAX_CONFIGS: usize = 64;
const MAX_CONFIG_BYTES: usize = 1 << 20;
const MAX_VERSIONS: usize = 256;

impl Configs {
    fn session_begins(&mut self) {
        for config in &mut self.current {
            config.stale = true;
        }
    }

    /// Notes a message that is about to be appended as `seq`. Says whether a returning publisher only repeats what
    /// everybody knows already: a repeated header is a discontinuity to some servers.
    fn note(&mut self, seq: u64, slot: Slot, body: &[u8]) -> bool {
        let place = self.current.iter().position(|c| c.slot == slot);
        let fits = body.len() <= MAX_CONFIG_BYTES / MAX_CONFIGS;
        if let Some(place) = place.filter(|_| !fits) {
            // Too large to be kept for those who come later, and what it replaces no longer holds.
            self.current.remove(place);
        } else if let Some(config) = place.and_then(|i| self.current.get_mut(i)) {
            let repeated = std::mem::take(&mut config.stale) && *config.body == *body;
            if repeated {
                return true;
            }
            if *config.body == *body {
                return false;
            }
            config.body = body.into();
            self.current.retain(|older| older.slot == slot || !slot.replaces(&older.slot));
        } else if fits {
            self.current.retain(|older| !slot.replaces(&older.slot));
            if self.current.len() < MAX_CONFIGS {
                self.current.push(Config { slot, stale: false, body: body.into() });
            }
        }
        let preamble = self.current.iter().map(|c| (c.slot.message, c.body.clone())).collect();
        if self.versions.len() >= MAX_VERSIONS {
            self.versions.remove(0);
        }
        // In force for readers that begin after this very message.
        self.versions.push((seq + 1, preamble));
        false
    }

    fn before(&self, seq: u64) -> Preamble {
        let place = self.versions.partition_point(|(from, _)| *from <= seq);
        let version = place.checked_sub(1).and_then(|i| self.versions.get(i));
        version.map_or_else(|| Rc::from([]), |(_, preamble)| preamble.clone())
    }
}

/// Whether script data is `onMetaData`, bare or wrapped by `@setDataFrame`.
pub(crate) fn is_metadata(body: &[u8]) -> bool {
    const NAME: &[u8] = b"\x02\0\x0aonMetaData";
    const WRAPPER: &[u8] = b"\x02\0\x0d@setDataFrame";
    body.strip_prefix(WRAPPER).unwrap_or(body).starts_with(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, timestamp: u32, body: &[u8]) -> Message {
        Message { kind, stream_id: 1, timestamp, body: body.to_vec() }
    }

    const AVC_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x2a];
    const AVC_KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
    const AVC_INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41];
    const AAC_HEADER: &[u8] = &[0xaf, 0, 0x11, 0x90];
    const AAC_FRAME: &[u8] = &[0xaf, 1, 0x21];

    fn programme() -> Programme {
        let shared = Programme::new(Retention { ms: 10_000, bytes: 1 << 20 }, 0);
        Rc::try_unwrap(shared).unwrap().into_inner()
    }

    fn roles(p: &Programme) -> Vec<Role> {
        p.log.from(0).map(|(_, e)| e.role).collect()
    }

    #[test]
    fn destinations_begin_once_a_frame_is_there() {
        let mut p = programme();
        p.push(&message(VIDEO, 0, AVC_HEADER), 0);
        assert!(!p.begun());
        p.push(&message(VIDEO, 0, AVC_KEY), 0);
        assert!(p.begun());
        assert_eq!(roles(&p), [Role::Always, Role::Key]);
    }

    #[test]
    fn sound_alone_begins_when_no_picture_comes() {
        let mut p = programme();
        p.push(&message(AUDIO, 0, AAC_HEADER), 0);
        for now in (0..1000).step_by(20) {
            p.push(&message(AUDIO, now, AAC_FRAME), now.into());
        }
        assert!(!p.begun(), "the picture's codec is not known yet");
        p.push(&message(AUDIO, 1000, AAC_FRAME), 1000);
        assert!(p.begun());
    }

    #[test]
    fn a_publisher_that_returns_without_a_picture_goes_on_with_its_sound() {
        let mut p = programme();
        for (kind, body) in [(VIDEO, AVC_HEADER), (AUDIO, AAC_HEADER), (VIDEO, AVC_KEY), (AUDIO, AAC_FRAME)] {
            p.push(&message(kind, 0, body), 0);
        }
        p.hold(100);
        p.resume();
        let before = p.log.end();
        for now in (0..=1000).step_by(20) {
            p.push(&message(AUDIO, now, AAC_FRAME), 5_000 + u64::from(now));
        }
        assert_eq!(p.log.end(), before + 1, "the picture was waited for");
        p.push(&message(AUDIO, 1020, AAC_FRAME), 6_020);
        assert_eq!(p.log.end(), before + 2);
        assert_eq!(p.log.join(), before + 1, "who joins now begins with the sound");
    }

    #[test]
    fn a_returning_publisher_takes_over_at_its_first_keyframe() {
        let mut p = programme();
        for (kind, body) in [(VIDEO, AVC_HEADER), (AUDIO, AAC_HEADER), (VIDEO, AVC_KEY), (AUDIO, AAC_FRAME)] {
            p.push(&message(kind, 0, body), 0);
        }
        p.hold(100);
        p.resume();
        let before = p.log.end();
        p.push(&message(VIDEO, 0, AVC_HEADER), 200);
        p.push(&message(VIDEO, 0, AVC_INTER), 200);
        p.push(&message(AUDIO, 0, AAC_FRAME), 200);
        assert_eq!(p.log.end(), before, "the same header is not repeated, nothing can be decoded yet");
        p.push(&message(VIDEO, 40, AVC_KEY), 240);
        assert_eq!(p.log.get(before).unwrap().role, Role::Key);
        p.push(&message(AUDIO, 0, &[0xaf, 0, 0x12, 0x10]), 240);
        assert_eq!(p.log.end(), before + 2, "another header is passed on");
    }

    #[test]
    fn metadata_without_end_is_not_kept_without_end() {
        let mut p = programme();
        p.push(&message(VIDEO, 0, AVC_HEADER), 0);
        let metadata = |size: usize, fill: u8| [&b"\x02\0\x0aonMetaData"[..], &vec![fill; size]].concat();
        p.push(&message(DATA, 0, &metadata(100, 0)), 0);
        assert_eq!(p.preamble(u64::MAX).len(), 2);
        for fill in 0..100 {
            p.push(&message(DATA, 0, &metadata(1 << 20, fill)), 0);
        }
        assert_eq!(p.preamble(u64::MAX).len(), 1, "too large for those who come later, and the small one is outdated");
        let kept: usize = p.configs.versions.iter().flat_map(|(_, v)| v.iter()).map(|(_, body)| body.len()).sum();
        assert!(kept < 10_000, "{kept} bytes");
    }

    /// One track of a multitrack message, AVC.
    fn track(number: u8, key: bool) -> Vec<u8> {
        let first = if key { 0x96 } else { 0xa6 };
        [&[first, 0x01][..], b"avc1", &[number, 0, 0, 0, 0, 0, 0, 1, 0x65]].concat()
    }

    #[test]
    fn groups_begin_with_the_lowest_track() {
        let mut p = programme();
        let mut push = |time: u32, body: &[u8]| p.push(&message(VIDEO, time, body), time.into());
        for group in [0, 1000] {
            push(group, AVC_KEY);
            push(group, &track(1, true));
            push(group, &track(2, true));
            push(group + 40, AVC_INTER);
            push(group + 40, &track(1, false));
        }
        assert_eq!(p.log.join(), 5, "all tracks' keyframes are behind it");
        let keys: Vec<_> = p.log.from(0).filter(|(_, e)| e.role == Role::Key).map(|(seq, _)| seq).collect();
        assert_eq!(keys, [0, 5]);
        // A lowest track that is no longer sent leads no more.
        p.push(&message(VIDEO, 20_000, &track(2, true)), 20_000);
        assert_eq!(p.log.join(), 10);
    }

    #[test]
    fn each_track_keeps_its_configuration() {
        let start = |tracks: &[u8], layout: u8, fill: u8| {
            let body = tracks.iter().flat_map(|&number| match layout {
                0 => vec![number, fill],
                _ => vec![number, 0, 0, 1, fill],
            });
            let body: Vec<u8> = [0x96, layout << 4].into_iter().chain(*b"avc1").chain(body).collect();
            message(VIDEO, 0, &body)
        };
        let mut p = programme();
        let many = start(&[0, 1, 2], 1, 7);
        let one = start(&[0], 0, 8);
        p.push(&many, 0);
        p.push(&one, 0);
        let bodies = |p: &Programme| p.preamble(u64::MAX).iter().map(|(_, body)| body.to_vec()).collect::<Vec<_>>();
        assert_eq!(bodies(&p), [many.body.clone(), one.body.clone()], "tracks 1 and 2 are only in the first");
        let again = start(&[0, 1, 2], 1, 9);
        p.push(&again, 0);
        assert_eq!(bodies(&p), [again.body], "it replaces both");
    }

    #[test]
    fn what_was_played_knows_no_jumps() {
        let mut p = programme();
        for time in [5_000, 5_040, 9_000, 9_040, 100, 140] {
            p.push(&message(VIDEO, time, AVC_INTER), 0);
        }
        assert_eq!(p.played(), 160, "three steps of 40 ms, and a frame for the restart");
        assert!(p.time() > 9_000);
    }

    #[test]
    fn a_reader_in_the_middle_gets_the_configuration_of_that_place() {
        let mut p = programme();
        p.push(&message(VIDEO, 0, AVC_HEADER), 0);
        p.push(&message(VIDEO, 0, AVC_KEY), 0);
        p.push(&message(VIDEO, 40, &[0x17, 0, 0, 0, 0, 1, 0x4d, 0, 0x2a]), 0);
        p.push(&message(VIDEO, 40, AVC_KEY), 0);
        assert_eq!(p.preamble(0).len(), 0, "the log has it all");
        assert_eq!(*p.preamble(1)[0].1, *AVC_HEADER);
        assert_eq!(p.preamble(3)[0].1[6], 0x4d);
    }
}
