//! The live state, as `GET /status` shows it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Id;

/// The whole live state at one moment. Serialises to the engine's part of `GET /status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Since when the broadcast has been on air, RFC 3339: from the first destination that went live to *Stop sending* or
    /// the end of the programme. Neither a reconnect nor a destination's switch begins it anew.
    pub on_air_since: Option<String>,
    /// By input id.
    pub inputs: BTreeMap<Id, InputStatus>,
    /// By destination id.
    pub destinations: BTreeMap<Id, DestinationStatus>,
    /// By output id.
    pub outputs: BTreeMap<Id, OutputStatus>,
    /// What *Start sending* and *Stop sending* left behind.
    pub broadcast: crate::BroadcastState,
    /// Everybody connected; not part of `/status`.
    #[serde(skip)]
    pub sessions: Vec<SessionStatus>,
    /// Who was refused lately, folded; not part of `/status`.
    #[serde(skip)]
    pub refusals: Vec<Refusal>,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InputStatus {
    /// `none · connecting · receiving · lost`.
    pub state: InputState,
    /// Since when, RFC 3339.
    pub since: String,
    /// The publisher.
    pub session: Option<SessionStatus>,
    /// How many watch it.
    pub viewers: u32,
    /// What it sends.
    pub tracks: Vec<TrackStatus>,
}

/// State of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum InputState {
    /// Nobody is there.
    #[default]
    None,
    /// A publisher was let in and has sent no picture yet.
    Connecting,
    /// Frames arrive.
    Receiving,
    /// The publisher went away without a proper end and may return.
    Lost,
}

/// One publisher's or viewer's connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// For `DELETE /sessions/{id}`.
    pub id: Id,
    /// The input.
    pub input: Id,
    /// Address and port.
    pub peer: String,
    /// What the peer's program calls itself.
    pub program: Option<String>,
    /// `rtmp`; of viewers `http-flv` or `ws-flv`.
    pub protocol: &'static str,
    /// `publish` or `play`.
    pub role: &'static str,
    /// Since when, RFC 3339.
    pub since: String,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes of media sent.
    pub bytes_sent: u64,
    /// Timestamp gaps in a publisher's video, as frames.
    pub frames_lost: u64,
    /// Frames left out for a viewer that does not keep up.
    pub frames_dropped: u64,
}

/// One elementary stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackStatus {
    /// `video`, `audio` or `data`.
    pub kind: &'static str,
    /// Track number in a multitrack stream; 0 otherwise.
    pub track: u8,
    /// FourCC, for example `avc1`; empty until known.
    pub codec: String,
    /// Profile and level in words, for example `High 4.2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Luma samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Luma samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames a second, measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Audio channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// Audio samples a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// 5 s mean, bit/s.
    pub bitrate_bps: u64,
    /// Time between the last two keyframes, or since the last one if that is longer, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyframe_interval_ms: Option<u32>,
    /// Whether composition offsets were seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b_frames: Option<bool>,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputStatus {
    /// The input it belongs to.
    pub input: Id,
    /// `passthrough`.
    pub kind: &'static str,
    /// Bytes of programme kept for slow and late readers.
    pub log_bytes: u64,
    /// Media time kept, ms.
    pub log_ms: u64,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationStatus {
    /// What people call it.
    pub name: String,
    /// Platform id or `custom`.
    pub platform: Id,
    /// The output it takes.
    pub output: Id,
    /// The person's switch.
    pub enabled: bool,
    /// `off · waiting · connecting · live · slow · retrying · failed`.
    pub state: DestinationState,
    /// The platform itself said that it is on air.
    pub confirmed: bool,
    /// Since when the state holds, RFC 3339.
    pub since: String,
    /// Why it is `slow`, `retrying` or `failed`.
    pub reason: Option<Reason>,
    /// When it is tried again, RFC 3339.
    pub next_try_at: Option<String>,
    /// Tries since the last healthy minute.
    pub tries: u32,
    /// Bytes acknowledged as bits a second, 5 s mean; `null`: not measured.
    pub bitrate_bps: Option<u64>,
    /// Smoothed round trip, ms.
    pub rtt_ms: Option<f64>,
    /// Age of the oldest video frame not acknowledged, ms.
    pub queue_ms: Option<u64>,
    /// Frames sent since it went on.
    pub frames_sent: u64,
    /// Frames thrown away here since it went on.
    pub frames_dropped: u64,
    /// Bytes sent since it went on.
    pub bytes_sent: u64,
}

/// State of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DestinationState {
    /// Switched off.
    #[default]
    Off,
    /// On, and nothing to send yet.
    Waiting,
    /// Being connected.
    Connecting,
    /// The server acknowledges media.
    Live,
    /// The server acknowledges media more than 2 s late.
    Slow,
    /// Lost; tried again by itself.
    Retrying,
    /// A person has to act.
    Failed,
}

/// Why a destination is not live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// One plain sentence in English, without secrets.
    pub sentence: String,
    /// What the server or the system said, with secrets removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// The stable codes of [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the contract's and say what they mean")]
pub enum ReasonCode {
    BadKey,
    NotStarted,
    Refused,
    RemoteClosed,
    TooSlow,
    Dns,
    NoRoute,
    Timeout,
    Tls,
    TlsExpired,
    TlsName,
    TlsUntrusted,
    ClockWrong,
    Codec,
    EncoderBusy,
    EncoderDied,
    AddressNotAllowed,
}

impl ReasonCode {
    /// The stable code in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadKey => "bad_key",
            Self::NotStarted => "not_started",
            Self::Refused => "refused",
            Self::RemoteClosed => "remote_closed",
            Self::TooSlow => "too_slow",
            Self::Dns => "dns",
            Self::NoRoute => "no_route",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::TlsExpired => "tls_expired",
            Self::TlsName => "tls_name",
            Self::TlsUntrusted => "tls_untrusted",
            Self::ClockWrong => "clock_wrong",
            Self::Codec => "codec",
            Self::EncoderBusy => "encoder_busy",
            Self::EncoderDied => "encoder_died",
            Self::AddressNotAllowed => "address_not_allowed",
        }
    }
}

/// Somebody who was refused, folded by address and reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Without the port.
    pub address: String,
    /// `bad_key`, `disabled`, `publisher_active`, `limit`, `public_address`, `blocked` or `protocol`.
    pub reason: &'static str,
    /// How often.
    pub count: u64,
    /// First time, RFC 3339.
    pub first: String,
    /// Last time, RFC 3339.
    pub last: String,
    /// Until when its address is blocked, RFC 3339; `None`: it is not.
    pub blocked_until: Option<String>,
}
