//! What is known of the platforms. `platforms.json` says for each fact where it comes from; a fact that is not known is
//! left out there and `null` in the API, never guessed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use brookbox_relay::PlatformFacts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The platform of an address of one's own.
pub(crate) const CUSTOM: &str = "custom";

/// A platform. A `null` is unknown, not *no*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Platform {
    /// Stable id.
    #[schema(example = "youtube")]
    pub(crate) id: String,
    pub(crate) name: String,
    /// The address for everybody; with one, a destination needs no `url`.
    #[schema(example = "rtmps://a.rtmps.youtube.com:443/live2")]
    pub(crate) url: Option<String>,
    /// The address for a second connection or for when the first fails.
    pub(crate) backup_url: Option<String>,
    /// What an address looks like where each account or region has its own.
    pub(crate) url_form: Option<String>,
    /// Whether each account has an address of its own.
    per_account: Option<bool>,
    /// Addresses to choose from.
    #[serde(default)]
    servers: Vec<Server>,
    key_lifetime: Option<KeyLifetime>,
    goes_live_on_ingest: Option<GoesLive>,
    /// The platform's page where the stream is put on air.
    press_url: Option<String>,
    /// Whether a wrong key is refused (and not accepted and thrown away).
    rejects_bad_key: Option<bool>,
    /// Whether a stream without an audio track is refused.
    pub(crate) needs_audio: Option<bool>,
    /// Longest stream, h.
    max_hours: Option<u32>,
    /// Where the key is shown.
    key_help_url: Option<String>,
    /// Codecs taken.
    video_codecs: Option<Vec<VideoCodec>>,
    /// Keyframe interval asked for, s.
    pub(crate) keyframe_s: Option<u32>,
    /// Most video, kbit/s.
    pub(crate) max_video_kbps: Option<u32>,
    /// Most audio, kbit/s.
    pub(crate) max_audio_kbps: Option<u32>,
    /// Most B-frames in a row that it recommends.
    pub(crate) max_b_frames: Option<u32>,
    /// Most frames a second.
    pub(crate) max_fps: Option<u32>,
    /// Most video for a height of the picture and its frame rate, the smallest first.
    #[serde(default)]
    pub(crate) sizes: Vec<Size>,
    /// Host suffixes that a redirect may lead to.
    #[serde(default)]
    pub(crate) host_suffixes: Vec<String>,
    /// Application that is added to an address without one.
    #[serde(skip_serializing)]
    pub(crate) append_app: Option<String>,
    /// Good to know, a sentence each.
    #[serde(default)]
    hints: Vec<String>,
    /// Field → where the fact comes from.
    sources: BTreeMap<String, String>,
}

/// One of several addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct Server {
    #[schema(example = "de")]
    id: String,
    url: String,
}

/// How much video a platform takes of one size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Size {
    /// Lines of the picture; of an upright one its width.
    #[schema(example = 1080)]
    pub(crate) height: u32,
    /// Up to so many frames a second.
    #[schema(example = 60)]
    pub(crate) fps: u32,
    /// Most video, kbit/s.
    #[schema(example = 9000)]
    pub(crate) max_video_kbps: u32,
}

/// How long a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum KeyLifetime {
    /// Until it is changed.
    Permanent,
    /// For one stream.
    PerEvent,
    /// There are keys of both kinds.
    PermanentOrPerEvent,
}

/// Whether viewers see the stream once it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum GoesLive {
    /// At once.
    Yes,
    /// Only if auto-start is on at the platform, else after a press there.
    WithAutoStart,
    /// After a press at the platform.
    AfterPress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum VideoCodec {
    H264,
    Hevc,
    Av1,
}

impl VideoCodec {
    const fn four_cc(self) -> &'static str {
        match self {
            Self::H264 => "avc1",
            Self::Hevc => "hvc1",
            Self::Av1 => "av01",
        }
    }
}

/// All platforms, `custom` last.
#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
pub(crate) static PLATFORMS: LazyLock<Vec<Platform>> =
    LazyLock::new(|| serde_json::from_str(include_str!("platforms.json")).expect("platforms.json is in order"));

/// The platform with this id.
pub(crate) fn platform(id: &str) -> Option<&'static Platform> {
    PLATFORMS.iter().find(|platform| platform.id == id)
}

impl Platform {
    /// What the engine has to know.
    pub(crate) fn facts(&self) -> PlatformFacts {
        PlatformFacts {
            redirect_suffixes: self.host_suffixes.clone(),
            video_codecs: self.video_codecs.iter().flatten().map(|codec| codec.four_cc().to_owned()).collect(),
        }
    }

    /// The most video that it takes of a picture: for its size and frame rate if that is known, else in all, kbit/s; and the
    /// height that says so.
    pub(crate) fn most_video(
        &self,
        width: Option<u32>,
        height: Option<u32>,
        fps: Option<f64>,
    ) -> Option<(u32, Option<u32>)> {
        let lines = width.zip(height).map(|(width, height)| width.min(height));
        let size = lines.zip(fps).and_then(|(lines, fps)| {
            let fits = |size: &&Size| size.height >= lines && f64::from(size.fps) * 1.02 >= fps;
            self.sizes.iter().find(fits)
        });
        match size {
            Some(size) => Some((size.max_video_kbps, Some(size.height))),
            None => self.max_video_kbps.map(|most| (most, None)),
        }
    }

    /// The address for everybody, up to the application: where a longer path begins, a key begins.
    pub(crate) fn fixed_host_and_app(&self) -> Option<(&str, &str)> {
        let rest = self.url.as_deref()?.split_once("://")?.1;
        let (authority, app) = rest.split_once('/')?;
        let host = authority.split(':').next()?;
        Some((host, app.split('?').next()?.trim_matches('/')))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_fact_names_its_source_and_nothing_else_does() {
        let raw: Vec<BTreeMap<String, Value>> = serde_json::from_str(include_str!("platforms.json")).unwrap();
        for (raw, platform) in raw.iter().zip(PLATFORMS.iter()) {
            for field in raw.keys().filter(|field| !["id", "name", "sources", "hostSuffixes"].contains(&field.as_str()))
            {
                let derived = field == "perAccount" && (platform.url.is_some() || !platform.servers.is_empty());
                assert!(derived || platform.sources.contains_key(field), "{}: no source for {field}", platform.id);
            }
            for field in platform.sources.keys() {
                assert!(raw.contains_key(field), "{}: a source for {field}, which is not there", platform.id);
            }
            assert!(platform.hints.iter().all(|hint| hint.ends_with('.')));
        }
    }

    #[test]
    fn addresses_are_in_order_and_ids_distinct() {
        for platform in PLATFORMS.iter() {
            assert_eq!(PLATFORMS.iter().filter(|other| other.id == platform.id).count(), 1);
            let servers = platform.servers.iter().map(|server| &server.url);
            for url in platform.url.iter().chain(&platform.backup_url).chain(servers) {
                assert!(url.starts_with("rtmp://") || url.starts_with("rtmps://"), "{url}");
            }
            assert!(platform.sizes.windows(2).all(|two| (two[0].height, two[0].fps) < (two[1].height, two[1].fps)));
            assert!(platform.host_suffixes.iter().all(|suffix| suffix.starts_with('.')));
        }
        assert_eq!(platform("youtube").unwrap().fixed_host_and_app(), Some(("a.rtmps.youtube.com", "live2")));
        assert_eq!(platform("kick").unwrap().fixed_host_and_app(), None);
        assert_eq!(PLATFORMS.last().unwrap().id, CUSTOM);
    }

    #[test]
    fn what_a_platform_takes_depends_on_the_size() {
        let of = |id, width, height, fps| platform(id).unwrap().most_video(Some(width), Some(height), Some(fps));
        assert_eq!(of("facebook", 1280, 720, 29.97), Some((4000, Some(720))));
        assert_eq!(of("facebook", 720, 1280, 60.0), Some((6000, Some(720))));
        assert_eq!(of("facebook", 1280, 768, 25.0), Some((6000, Some(1080))));
        assert_eq!(of("facebook", 3840, 2160, 30.0), Some((9000, None)), "larger than all of them");
        assert_eq!(of("twitch", 1280, 720, 30.0), Some((6000, None)));
        assert_eq!(platform("facebook").unwrap().most_video(None, None, None), Some((9000, None)));
        assert_eq!(of("custom", 1280, 720, 30.0), None);
    }
}
