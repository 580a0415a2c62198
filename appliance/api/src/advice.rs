//! Plain advice where a stream is not what those who take it ask for. Facts of platforms are in `platforms.json`.

use brookbox_relay::{InputState, InputStatus, Snapshot, TrackStatus};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::codes;
use crate::lookout::Noticed;
use crate::platforms::platform;

/// A keyframe interval that is too long for anybody who joins, ms; and one that makes segments break.
const KEYFRAME_LONG_MS: u32 = 4_000;
const KEYFRAME_BAD_MS: u32 = 8_000;
/// Frame rates that there are. One this far off all of them does not hold still.
const FRAME_RATES: [f64; 10] = [10.0, 12.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0];
const FPS_OFF: f64 = 0.02;
/// A platform's limit is passed when the mean is this much above it: encoders swing.
const OVER: f64 = 1.10;
/// A publisher's clock that is off by more than this is a second off in an hour: its sound was made by another clock than its
/// picture, or its computer is overloaded. Crystals are off by a tenth of it.
const DRIFT_PPM: f64 = 280.0;
/// What a platform asks for may be missed by this much, ms.
const KEYFRAME_SLACK_MS: u32 = 250;

/// Something about a stream that could be better.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Advice {
    /// Stable.
    #[schema(schema_with = crate::openapi::advice_code)]
    code: &'static str,
    /// `info` where it may be better otherwise, `warning`, or `error` where it will not work well.
    #[schema(example = "warning")]
    severity: &'static str,
    /// Values for a sentence: `ms`, `fps`, `bps`, `most`, `platform`, `height`, `frames`, `ppm`,
    /// `msPerHour`.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
}

const INFO: &str = "info";
const WARNING: &str = "warning";
const ERROR: &str = "error";

fn advice(code: &'static str, severity: &'static str, params: Value) -> Advice {
    debug_assert!(codes::ADVICE.contains(&code), "{code} is not in the list");
    Advice { code, severity, params: params.as_object().cloned().unwrap_or_default() }
}

/// What could be better at an input, for those that are to take it.
pub(crate) fn of(id: &str, input: &InputStatus, snapshot: &Snapshot, noticed: &Noticed) -> Vec<Advice> {
    let mut found = Vec::new();
    if input.state != InputState::Receiving {
        return found;
    }
    let first = |kind: &str| input.tracks.iter().find(|track| track.kind == kind);
    let (video, audio) = (first("video"), first("audio"));
    if let Some(ppm) = noticed.clock_drift_ppm.filter(|ppm| ppm.abs() > DRIFT_PPM) {
        // How much that is in an hour says more.
        let ms = (ppm * 3.6).round();
        found.push(advice("clock_drift", WARNING, json!({"ppm": ppm, "msPerHour": ms})));
    }
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
            found.push(advice("keyframe_interval_platform", WARNING, params));
        }
        if let (Some(fps), Some(most)) = (video.and_then(|video| video.fps), platform.max_fps)
            && fps > f64::from(most) * (1.0 + FPS_OFF)
        {
            found.push(advice("fps_platform", WARNING, json!({"fps": fps, "most": most, "platform": name})));
        }
        if let Some(most) = platform.max_b_frames.filter(|most| noticed.b_frames > *most) {
            let params = json!({"frames": noticed.b_frames, "most": most, "platform": name});
            found.push(advice("b_frames_platform", INFO, params));
        }
        let mut bitrate = |track: Option<&TrackStatus>, most: Option<u32>, code, height: Option<u32>| {
            if let (Some(track), Some(most)) = (track, most)
                && track.bitrate_bps as f64 > f64::from(most) * 1000.0 * OVER
            {
                let mut params = json!({"bps": track.bitrate_bps, "most": u64::from(most) * 1000, "platform": name});
                if let (Some(height), Some(params)) = (height, params.as_object_mut()) {
                    params.insert("height".to_owned(), height.into());
                }
                found.push(advice(code, WARNING, params));
            }
        };
        let takes = video.and_then(|video| platform.most_video(video.width, video.height, video.fps));
        let (most, height) = takes.map_or((None, None), |(most, height)| (Some(most), height));
        let code = if height.is_some() { "video_bitrate_size_platform" } else { "video_bitrate_platform" };
        bitrate(video, most, code, height);
        bitrate(audio, platform.max_audio_kbps, "audio_bitrate_platform", None);
        if platform.needs_audio == Some(true) && audio.is_none() {
            found.push(advice("no_audio_platform", ERROR, json!({"platform": name})));
        }
    }
    found
}

fn of_picture(video: &TrackStatus, found: &mut Vec<Advice>) {
    if let Some(ms) = video.keyframe_interval_ms.filter(|ms| *ms > KEYFRAME_LONG_MS) {
        let severity = if ms > KEYFRAME_BAD_MS { ERROR } else { WARNING };
        let params = json!({"ms": ms, "most": KEYFRAME_LONG_MS});
        found.push(advice("keyframe_interval", severity, params));
    }
    if let Some(fps) = video.fps {
        let is_near = |rate: &f64| (fps - rate).abs() <= rate * FPS_OFF;
        let doubled = FRAME_RATES.iter().map(|rate| rate * 2.0);
        if !FRAME_RATES.into_iter().chain(doubled).any(|rate| is_near(&rate)) {
            found.push(advice("fps_unsteady", WARNING, json!({"fps": fps})));
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
        of("main", input, snapshot, &Noticed::default()).iter().map(|advice| (advice.code, advice.severity)).collect()
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
        let quiet = Some(128_000);
        let small = |bitrate_bps| {
            input(|video| (video.width, video.height, video.bitrate_bps) = (Some(1280), Some(720), bitrate_bps), quiet)
        };
        assert_eq!(codes(&small(5_000_000), &to("facebook", true)), [("video_bitrate_size_platform", "warning")]);
        assert_eq!(codes(&small(4_100_000), &to("facebook", true)), [], "encoders swing");
        let quick = input(|video| video.fps = Some(120.0), quiet);
        assert_eq!(codes(&quick, &to("x", true)), [("fps_platform", "warning")]);
        let noticed = |noticed: Noticed, platform| of("main", &input(|_| {}, audio), &to(platform, true), &noticed);
        let drifts = |ppm| noticed(Noticed { clock_drift_ppm: Some(ppm), ..Noticed::default() }, "custom");
        assert_eq!(drifts(-400.0)[0].params["msPerHour"], -1440.0);
        assert!(drifts(100.0).is_empty() && drifts(-280.0).is_empty());
        let with = |b_frames, platform| noticed(Noticed { b_frames, ..Noticed::default() }, platform);
        let many = with(3, "youtube");
        assert_eq!((many[0].code, many[0].severity, &many[0].params["most"]), ("b_frames_platform", "info", &2.into()));
        assert!(with(2, "youtube").is_empty() && with(9, "twitch").is_empty());
        let gone = InputStatus { state: InputState::Lost, ..input(|_| {}, None) };
        assert_eq!(codes(&gone, &to("youtube", true)), []);
    }
}
