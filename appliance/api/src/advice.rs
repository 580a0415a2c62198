//! Plain advice where a stream is not what those who take it ask for. Facts of platforms are in `platforms.json`.

use brookbox_relay::{InputState, InputStatus, Snapshot, TrackStatus};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::platforms::platform;

/// A keyframe interval that is too long for anybody who joins, ms; and one that makes segments break.
const KEYFRAME_LONG_MS: u32 = 4_000;
const KEYFRAME_BAD_MS: u32 = 8_000;
/// Frame rates that there are. One this far off all of them does not hold still.
const FRAME_RATES: [f64; 10] = [10.0, 12.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0];
const FPS_OFF: f64 = 0.02;
/// A platform's limit is passed when the mean is this much above it: encoders swing.
const OVER: f64 = 1.10;
/// What a platform asks for may be missed by this much, ms.
const KEYFRAME_SLACK_MS: u32 = 250;

/// Something about a stream that could be better.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Advice {
    /// Stable: `keyframe_interval`, `keyframe_interval_platform`, `fps_unsteady`, `video_bitrate_platform`,
    /// `audio_bitrate_platform` or `no_audio_platform`.
    #[schema(example = "keyframe_interval")]
    code: &'static str,
    /// `warning`, or `error` where it will not work well.
    #[schema(example = "warning")]
    severity: &'static str,
    /// Values for a sentence: `ms`, `fps`, `bps`, `most`, `platform`.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
}

fn advice(code: &'static str, is_bad: bool, params: Value) -> Advice {
    let params = params.as_object().cloned().unwrap_or_default();
    Advice { code, severity: if is_bad { "error" } else { "warning" }, params }
}

/// What could be better at an input, for those that are to take it.
pub(crate) fn of(id: &str, input: &InputStatus, snapshot: &Snapshot) -> Vec<Advice> {
    let mut found = Vec::new();
    if input.state != InputState::Receiving {
        return found;
    }
    let first = |kind: &str| input.tracks.iter().find(|track| track.kind == kind);
    let (video, audio) = (first("video"), first("audio"));
    if let Some(video) = video {
        of_picture(video, &mut found);
    }
    let mut platforms: Vec<_> = snapshot
        .destinations
        .values()
        .filter(|destination| destination.enabled && destination.output.split('/').next() == Some(id))
        .filter_map(|destination| platform(&destination.platform))
        .collect();
    platforms.sort_by(|one, other| one.id.cmp(&other.id));
    platforms.dedup_by(|one, other| one.id == other.id);
    for platform in platforms {
        let name = &platform.id;
        let interval = video.and_then(|video| video.keyframe_interval_ms);
        if let (Some(ms), Some(asked)) = (interval, platform.keyframe_s)
            && ms > asked * 1000 + KEYFRAME_SLACK_MS
            && ms <= KEYFRAME_LONG_MS
        {
            let params = json!({"ms": ms, "most": asked * 1000, "platform": name});
            found.push(advice("keyframe_interval_platform", false, params));
        }
        let mut bitrate = |track: Option<&TrackStatus>, most: Option<u32>, code| {
            if let (Some(track), Some(most)) = (track, most)
                && track.bitrate_bps as f64 > f64::from(most) * 1000.0 * OVER
            {
                let params = json!({"bps": track.bitrate_bps, "most": u64::from(most) * 1000, "platform": name});
                found.push(advice(code, false, params));
            }
        };
        bitrate(video, platform.max_video_kbps, "video_bitrate_platform");
        bitrate(audio, platform.max_audio_kbps, "audio_bitrate_platform");
        if platform.needs_audio == Some(true) && audio.is_none() {
            found.push(advice("no_audio_platform", true, json!({"platform": name})));
        }
    }
    found
}

fn of_picture(video: &TrackStatus, found: &mut Vec<Advice>) {
    if let Some(ms) = video.keyframe_interval_ms.filter(|ms| *ms > KEYFRAME_LONG_MS) {
        let params = json!({"ms": ms, "most": KEYFRAME_LONG_MS});
        found.push(advice("keyframe_interval", ms > KEYFRAME_BAD_MS, params));
    }
    if let Some(fps) = video.fps {
        let is_near = |rate: &f64| (fps - rate).abs() <= rate * FPS_OFF;
        let doubled = FRAME_RATES.iter().map(|rate| rate * 2.0);
        if !FRAME_RATES.into_iter().chain(doubled).any(|rate| is_near(&rate)) {
            found.push(advice("fps_unsteady", false, json!({"fps": fps})));
        }
    }
}

#[cfg(test)]
mod tests {
    use brookbox_relay::{DestinationState, DestinationStatus};

    use super::*;

    fn input(change: impl FnOnce(&mut TrackStatus), audio: Option<u64>) -> InputStatus {
        let mut video = TrackStatus {
            kind: "video",
            fps: Some(30.0),
            bitrate_bps: 5_900_000,
            keyframe_interval_ms: Some(2_000),
            ..TrackStatus::default()
        };
        change(&mut video);
        let audio = audio.map(|bitrate_bps| TrackStatus { kind: "audio", bitrate_bps, ..TrackStatus::default() });
        InputStatus {
            state: InputState::Receiving,
            since: String::new(),
            session: None,
            viewers: 0,
            tracks: [Some(video), audio].into_iter().flatten().collect(),
        }
    }

    fn to(platform: &str, enabled: bool) -> Snapshot {
        let status = DestinationStatus {
            name: "Club".into(),
            platform: platform.into(),
            output: "main/passthrough".into(),
            enabled,
            state: DestinationState::Live,
            confirmed: false,
            since: String::new(),
            reason: None,
            next_try_at: None,
            tries: 0,
            bitrate_bps: None,
            rtt_ms: None,
            queue_ms: None,
            frames_sent: 0,
            frames_dropped: 0,
            bytes_sent: 0,
        };
        Snapshot { destinations: [("d1".into(), status)].into(), ..Snapshot::default() }
    }

    fn codes(input: &InputStatus, snapshot: &Snapshot) -> Vec<(&'static str, &'static str)> {
        of("main", input, snapshot).iter().map(|advice| (advice.code, advice.severity)).collect()
    }

    #[test]
    fn a_stream_in_order_gets_no_advice() {
        for platform in ["twitch", "youtube", "custom"] {
            assert_eq!(codes(&input(|_| {}, Some(160_000)), &to(platform, true)), [], "{platform}");
        }
    }

    #[test]
    fn each_fault_has_its_advice() {
        let audio = Some(160_000);
        let slow = |ms| input(|video| video.keyframe_interval_ms = Some(ms), audio);
        assert_eq!(codes(&slow(3_000), &to("twitch", true)), [("keyframe_interval_platform", "warning")]);
        assert_eq!(codes(&slow(5_000), &to("twitch", true)), [("keyframe_interval", "warning")]);
        assert_eq!(codes(&slow(10_000), &to("custom", true)), [("keyframe_interval", "error")]);
        let odd = |fps| codes(&input(|video| video.fps = Some(fps), audio), &to("custom", true));
        assert_eq!(odd(41.3), [("fps_unsteady", "warning")]);
        assert_eq!((odd(59.94), odd(119.88), odd(24.98)), (vec![], vec![], vec![]));
        let fast = input(|video| video.bitrate_bps = 8_000_000, audio);
        assert_eq!(codes(&fast, &to("twitch", true)), [("video_bitrate_platform", "warning")]);
        assert_eq!(codes(&fast, &to("twitch", false)), [], "it is switched off");
        assert_eq!(codes(&input(|_| {}, Some(400_000)), &to("twitch", true)), [("audio_bitrate_platform", "warning")]);
        assert_eq!(codes(&input(|_| {}, None), &to("youtube", true)), [("no_audio_platform", "error")]);
        let gone = InputStatus { state: InputState::Lost, ..input(|_| {}, None) };
        assert_eq!(codes(&gone, &to("youtube", true)), []);
    }
}
