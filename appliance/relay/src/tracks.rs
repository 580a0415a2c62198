//! What a publisher sends, measured.

use std::collections::VecDeque;

use brookbox_media::{self as media, Config, FourCc, Kind, Media, Role};

use crate::TrackStatus;

/// Tracks that are measured; a multitrack stream with more is relayed all the same.
const MAX_TRACKS: usize = 16;
/// Frames over which the frame rate is taken.
const RATE_FRAMES: usize = 121;
/// Keyframes or sound frames that are looked at for what a configuration record leaves out.
const LOOKS: u8 = 8;
/// A first group that goes on for longer, ms, is told: nobody asks for keyframes as seldom.
const LONG_GROUP_MS: u64 = 4_000;
/// Seconds over which bitrates are taken.
const MEAN_S: u64 = 5;

/// All tracks of one publisher.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    list: Vec<Track>,
    all: Rate,
    lost: u64,
}

#[derive(Debug)]
struct Track {
    media: Media,
    number: u8,
    codec: Option<FourCc>,
    enhanced: bool,
    config: Option<Config>,
    /// By a packet of its own, for codecs whose configuration does not say.
    channels: Option<u8>,
    /// Frames that may still be looked at for what the configuration does not say.
    looks: u8,
    rate: Rate,
    times: VecDeque<u64>,
    newest_key: Option<u64>,
    keyframe_interval: Option<u64>,
    b_frames: bool,
}

impl Tracks {
    /// Another session begins: what was measured holds until it sends something else.
    pub(crate) fn restart(&mut self) {
        for track in &mut self.list {
            track.times.clear();
            track.newest_key = None;
        }
    }

    /// Notes a message at programme time `time` that arrived at engine time `now`, both ms.
    pub(crate) fn note(&mut self, kind: Media, body: &[u8], time: u64, now: u64) {
        self.all.add(body.len(), now);
        if kind == Media::Data {
            return;
        }
        let packets = media::packets(kind, body);
        let enhanced = packets.features().enhanced;
        for (packet, payload) in packets {
            let Some(track) = self.track(kind, packet.track) else { continue };
            if let Some(codec) = packet.codec {
                track.codec = Some(codec);
            }
            track.enhanced = enhanced;
            track.rate.add(payload.len(), now);
            if packet.kind == Kind::Frames && packet.role != Role::Inter {
                track.look(payload);
            }
            match packet.role {
                Role::Key | Role::Inter => {
                    let lost = track.frame(time, packet.role == Role::Key, packet.composition_ms != 0);
                    self.lost += lost;
                }
                Role::Config if packet.kind == Kind::SequenceStart => {
                    track.config = track.codec.and_then(|codec| media::config(codec, payload).ok());
                    track.looks = LOOKS;
                    track.name_channels();
                }
                Role::Config if packet.kind == Kind::MultichannelConfig => {
                    let read = track.codec.and_then(|codec| media::MultichannelConfig::read(codec, payload).ok());
                    track.channels = read.map(|config| config.channels);
                    track.name_channels();
                }
                Role::Config | Role::Audio | Role::End | Role::Command | Role::Unknown => {}
            }
        }
    }

    fn track(&mut self, media: Media, number: u8) -> Option<&mut Track> {
        let place = self.list.iter().position(|t| t.media == media && t.number == number);
        let place = match place {
            Some(place) => place,
            None if self.list.len() < MAX_TRACKS => {
                let before = self.list.partition_point(|t| (order(t.media), t.number) < (order(media), number));
                self.list.insert(before, Track::new(media, number));
                before
            }
            None => return None,
        };
        self.list.get_mut(place)
    }

    pub(crate) fn has_video(&self) -> bool {
        self.list.iter().any(|t| t.media == Media::Video)
    }

    pub(crate) fn has_audio(&self) -> bool {
        self.list.iter().any(|t| t.media == Media::Audio)
    }

    pub(crate) fn frames_lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn bitrate_bps(&self, now: u64) -> u64 {
        self.all.bits_per_second(now)
    }

    pub(crate) fn enhanced_codecs(&self) -> Vec<FourCc> {
        let mut codecs = Vec::new();
        for codec in self.list.iter().filter(|t| t.enhanced).filter_map(|t| t.codec) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        codecs
    }

    pub(crate) fn video_codec(&self) -> Option<FourCc> {
        self.list.iter().find(|t| t.media == Media::Video).and_then(|t| t.codec)
    }

    pub(crate) fn status(&self, now: u64) -> Vec<TrackStatus> {
        self.list.iter().map(|t| t.status(now)).collect()
    }
}

fn order(media: Media) -> u8 {
    match media {
        Media::Video => 0,
        Media::Audio => 1,
        Media::Data => 2,
    }
}

impl Track {
    fn new(media: Media, number: u8) -> Self {
        Self {
            media,
            number,
            codec: None,
            enhanced: false,
            config: None,
            channels: None,
            looks: LOOKS,
            rate: Rate::default(),
            times: VecDeque::new(),
            newest_key: None,
            keyframe_interval: None,
            b_frames: false,
        }
    }

    /// The packet that names the channels comes before or behind the configuration.
    fn name_channels(&mut self) {
        let named = self.channels;
        if let Some(Config::Audio(audio)) = &mut self.config {
            audio.channels = audio.channels.or(named);
        }
    }

    /// Some codecs say their size or sample rate only in their frames.
    fn look(&mut self, frame: &[u8]) {
        let known = match &self.config {
            Some(Config::Video(video)) => video.width.is_some(),
            Some(Config::Audio(audio)) => audio.sample_rate.is_some(),
            _ => false,
        };
        let Some(codec) = self.codec.filter(|_| !known && self.looks > 0) else { return };
        self.looks -= 1;
        if let Ok(Some(more)) = media::frame_config(codec, frame) {
            match &mut self.config {
                Some(config) => config.fill_from(more),
                None => self.config = Some(more),
            }
        }
    }

    /// Notes a video frame; gives how many seem to be missing before it.
    fn frame(&mut self, time: u64, key: bool, composed: bool) -> u64 {
        let lost = match (self.times.back(), self.frame_ms()) {
            (Some(last), Some(frame)) if time.saturating_sub(*last) as f64 > 1.8 * frame => {
                rounded((time - last) as f64 / frame - 1.0)
            }
            _ => 0,
        };
        if self.times.len() == RATE_FRAMES {
            self.times.pop_front();
        }
        self.times.push_back(time);
        self.b_frames |= composed;
        if key {
            if let Some(last) = self.newest_key {
                self.keyframe_interval = Some(time.saturating_sub(last));
            }
            self.newest_key = Some(time);
        }
        lost
    }

    /// Length of a frame, ms.
    fn frame_ms(&self) -> Option<f64> {
        let (first, last) = (self.times.front()?, self.times.back()?);
        let steps = self.times.len() - 1;
        (steps >= 8 && last > first).then(|| (last - first) as f64 / steps as f64)
    }

    /// Time between keyframes, ms: between the last two, or since the last one if that is longer already. Of the first group
    /// nothing is said before it is long.
    fn keyframe_interval(&self) -> Option<u64> {
        let open = self.times.back()?.saturating_sub(self.newest_key?);
        match self.keyframe_interval {
            Some(last) => Some(last.max(open)),
            None => Some(open).filter(|open| *open > LONG_GROUP_MS),
        }
    }

    fn status(&self, now: u64) -> TrackStatus {
        let mut status = TrackStatus {
            kind: match self.media {
                Media::Video => "video",
                Media::Audio => "audio",
                Media::Data => "data",
            },
            track: self.number,
            codec: self.codec.map(|c| c.to_string()).unwrap_or_default(),
            bitrate_bps: self.rate.bits_per_second(now),
            ..TrackStatus::default()
        };
        match &self.config {
            Some(Config::Video(video)) => {
                status.profile = Some(video.profile.clone()).filter(|p| !p.is_empty());
                (status.width, status.height) = (video.width, video.height);
                status.b_frames = video.b_frames;
            }
            Some(Config::Audio(audio)) => {
                status.profile = Some(audio.profile.clone()).filter(|p| !p.is_empty());
                (status.channels, status.sample_rate) = (audio.channels.map(u32::from), audio.sample_rate);
            }
            _ => {}
        }
        if self.media == Media::Video {
            status.fps = self.frame_ms().map(|ms| (100_000.0 / ms).round() / 100.0);
            status.keyframe_interval_ms = self.keyframe_interval().and_then(|ms| u32::try_from(ms).ok());
            // What was seen counts more than what the headers allow.
            status.b_frames = if self.b_frames { Some(true) } else { status.b_frames.or(Some(false)) };
        }
        status
    }
}

/// A mean over the last seconds, kept as one bucket a second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rate {
    buckets: VecDeque<(u64, u64)>,
}

impl Rate {
    pub(crate) fn add(&mut self, bytes: usize, now: u64) {
        let second = now / 1000;
        match self.buckets.back_mut() {
            Some((last, sum)) if *last == second => *sum += bytes as u64,
            _ => {
                while self.buckets.front().is_some_and(|(old, _)| old + MEAN_S < second) {
                    self.buckets.pop_front();
                }
                self.buckets.push_back((second, bytes as u64));
            }
        }
    }

    /// Bits a second over the last whole seconds, or over what there is.
    pub(crate) fn bits_per_second(&self, now: u64) -> u64 {
        let second = now / 1000;
        let whole = self.buckets.iter().filter(|(s, _)| (second.saturating_sub(MEAN_S)..second).contains(s));
        let oldest = self.buckets.front().map_or(second, |(s, _)| *s).max(second.saturating_sub(MEAN_S));
        let bytes: u64 = whole.map(|(_, bytes)| bytes).sum();
        bytes * 8 / (second - oldest).max(1)
    }
}

/// A count from a quotient that is known to be small and not negative.
fn rounded(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small range first")]
    let count = value.round().clamp(0.0, 1e6) as u64;
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41];

    #[test]
    fn frame_rate_keyframes_and_gaps_are_measured() {
        let mut tracks = Tracks::default();
        for i in 0..120u64 {
            // 59.94 frames a second as FLV has them: rounded to the millisecond. Two frames are missing at 100.
            if (100..102).contains(&i) {
                continue;
            }
            let body = if i % 60 == 0 { KEY } else { INTER };
            tracks.note(Media::Video, body, (i * 1001 + 30) / 60, i * 16);
        }
        let status = &tracks.status(2000)[0];
        assert!((status.fps.unwrap() - 58.9).abs() < 0.2, "{:?}", status.fps);
        assert_eq!(status.keyframe_interval_ms, Some(1001));
        assert_eq!(status.b_frames, Some(false));
        assert_eq!(tracks.frames_lost(), 2);
    }

    #[test]
    fn a_group_without_end_is_a_long_interval() {
        let mut tracks = Tracks::default();
        let mut note = |key: bool, second: u64| {
            tracks.note(Media::Video, if key { KEY } else { INTER }, second * 1000, second * 1000);
            tracks.status(second * 1000)[0].keyframe_interval_ms
        };
        assert_eq!(note(true, 0), None);
        assert_eq!(note(false, 4), None, "it may still end");
        assert_eq!(note(false, 5), Some(5_000));
        assert_eq!(note(true, 6), Some(6_000));
        assert_eq!(note(true, 8), Some(2_000));
        assert_eq!(note(false, 9), Some(2_000));
        assert_eq!(note(false, 30), Some(22_000), "keyframes came, and come no more");
    }

    #[test]
    fn the_mean_is_over_five_whole_seconds() {
        let mut rate = Rate::default();
        assert_eq!(rate.bits_per_second(0), 0);
        for ms in (0..10_000).step_by(100) {
            rate.add(if ms < 5000 { 1000 } else { 2000 }, ms);
        }
        assert_eq!(rate.bits_per_second(10_000), 160_000);
        assert_eq!(rate.bits_per_second(30_000), 0, "nothing came for long");
    }
}
