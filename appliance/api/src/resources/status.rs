//! The live state as the API shows it: the engine's snapshot with its number and time.

use std::collections::BTreeMap;
use std::sync::Arc;

use brookbox_relay as relay;
use brookbox_store::Time;
use serde::Serialize;
use utoipa::ToSchema;

use crate::advice::{self, Advice};
use crate::jobs::Jobs;
use crate::lookout::{Lookout, Noticed};
use crate::resources::jobs::JobView;
use crate::vitals::{Board, Vitals};
use crate::writes::Writes;

/// The whole live state. Lists are objects by id. A field that is `null` may also be missing.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// Grows by one with every change that was told.
    #[schema(example = 812)]
    seq: u64,
    /// When the figures were taken.
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// Since when at least one destination has been live.
    #[schema(format = DateTime)]
    on_air_since: Option<String>,
    /// By input id.
    inputs: BTreeMap<String, InputStatus>,
    /// By destination id.
    destinations: BTreeMap<String, DestinationStatus>,
    /// By output id.
    outputs: BTreeMap<String, OutputStatus>,
    /// What *Start sending* and *Stop sending* left behind.
    broadcast: Broadcast,
    /// Long work under way and what has ended within the last hour, by job id.
    jobs: BTreeMap<String, JobView>,
    /// What is measured of the machine, every ten seconds.
    board: Board,
    /// Another number when inputs, destinations, profiles, muted alarms or the box's name were changed: lists that were
    /// read before are to be read again.
    #[schema(example = 812)]
    settings_revision: u64,
}

/// What a status is made of besides the engine's snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) lookout: Arc<Lookout>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) writes: Arc<Writes>,
}

/// What *Start sending* and *Stop sending* left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Broadcast {
    /// *Start sending* was pressed: destinations with `startMode` `manual` are part of it.
    started: bool,
    /// *Stop sending* was pressed: nothing is sent until the publisher starts anew or *Start sending* is pressed.
    stopped: bool,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InputStatus {
    state: InputState,
    #[schema(format = DateTime)]
    since: String,
    /// The publisher.
    session: Option<Session>,
    /// How many watch it.
    viewers: u32,
    /// What it sends.
    tracks: Vec<Track>,
    /// The loudest when it was last listened to (every 5 s, every second while it is quiet), dBFS; `null`: not measured.
    peak_dbfs: Option<f64>,
    /// How much faster the publisher's clock runs than the box's, parts per million; `null`: not known, it takes two minutes.
    clock_drift_ppm: Option<f64>,
    /// What a person would notice, without what is muted.
    alarms: Vec<Alarm>,
    /// Where the stream is not what it should be.
    advice: Vec<Advice>,
}

/// Something that a person would notice.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct Alarm {
    /// `frozen`: the picture stands still. `silent`: there is no sound.
    #[schema(schema_with = crate::openapi::alarm)]
    code: &'static str,
    #[schema(value_type = String, format = DateTime)]
    since: Time,
}

/// State of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum InputState {
    /// Nobody is there.
    None,
    /// A publisher was let in and has sent no picture yet.
    Connecting,
    /// Frames arrive.
    Receiving,
    /// The publisher went away without a proper end and may return.
    Lost,
}

/// One connection to an input.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// For `DELETE /sessions/{id}`.
    pub(crate) id: String,
    /// The input.
    #[schema(example = "main")]
    input: String,
    /// Address and port.
    #[schema(example = "192.0.2.9:51234")]
    peer: String,
    /// What the peer's program calls itself.
    program: Option<String>,
    /// `rtmp`; of viewers `http-flv` or `ws-flv`.
    #[schema(example = "rtmp")]
    protocol: String,
    /// `publish` or `play`.
    #[schema(example = "publish")]
    role: String,
    #[schema(format = DateTime)]
    since: String,
    /// Bytes received.
    bytes_received: u64,
    /// Bytes of media sent.
    bytes_sent: u64,
    /// Timestamp gaps in a publisher's video, as frames.
    frames_lost: u64,
    /// Frames left out for a viewer that does not keep up.
    frames_dropped: u64,
}

/// One elementary stream.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Track {
    /// `video`, `audio` or `data`.
    #[schema(example = "video")]
    kind: String,
    /// Track number in a multitrack stream; 0 otherwise.
    track: u8,
    /// FourCC; empty until known.
    #[schema(example = "avc1")]
    codec: String,
    /// Profile and level in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "High 4.2")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    height: Option<u32>,
    /// Frames a second, measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fps: Option<f64>,
    /// Audio channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    channels: Option<u32>,
    /// Audio samples a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sample_rate: Option<u32>,
    /// 5 s mean, bit/s.
    bitrate_bps: u64,
    /// Time between the last two keyframes, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    keyframe_interval_ms: Option<u32>,
    /// Whether composition offsets were seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    b_frames: Option<bool>,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OutputStatus {
    /// The input it belongs to.
    #[schema(example = "main")]
    input: String,
    #[schema(example = "passthrough")]
    kind: String,
    /// Bytes of programme kept for slow and late readers.
    log_bytes: u64,
    /// Media time kept, ms.
    log_ms: u64,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DestinationStatus {
    name: String,
    /// Platform id or `custom`.
    platform: String,
    /// The output it takes.
    #[schema(example = "main/passthrough")]
    output: String,
    /// The person's switch.
    enabled: bool,
    state: DestinationState,
    /// The platform itself said that it is on air.
    confirmed: bool,
    #[schema(format = DateTime)]
    since: String,
    /// Why it is `slow`, `retrying` or `failed`.
    reason: Option<Reason>,
    #[schema(format = DateTime)]
    next_try_at: Option<String>,
    /// Tries since the last healthy minute.
    tries: u32,
    /// Bytes acknowledged as bit/s, 5 s mean; `null`: not measured.
    bitrate_bps: Option<u64>,
    /// Smoothed round trip, ms.
    rtt_ms: Option<f64>,
    /// Age of the oldest video frame that is not acknowledged, ms.
    queue_ms: Option<u64>,
    /// Frames sent since it went on.
    frames_sent: u64,
    /// Frames thrown away here since it went on.
    frames_dropped: u64,
    /// Bytes sent since it went on.
    bytes_sent: u64,
}

/// State of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum DestinationState {
    /// Switched off.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Reason {
    code: ReasonCode,
    /// One plain sentence, without secrets.
    sentence: String,
    /// What the server or the system said, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    details: Option<String>,
}

macro_rules! reason_codes {
    ($($name:ident,)*) => {
        /// Why a destination is not live: stable codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        enum ReasonCode { $($name,)* }

        impl From<relay::ReasonCode> for ReasonCode {
            fn from(code: relay::ReasonCode) -> Self {
                match code { $(relay::ReasonCode::$name => Self::$name,)* }
            }
        }
    };
}

reason_codes! {
    BadKey, NotStarted, Refused, RemoteClosed, TooSlow, Dns, NoRoute, Timeout, Tls, TlsExpired, TlsName, TlsUntrusted,
    ClockWrong, Codec, EncoderBusy, EncoderDied, AddressNotAllowed,
}

impl Status {
    /// The engine's snapshot under a number and a time.
    pub(crate) fn new(seq: u64, time: Time, snapshot: &relay::Snapshot, sources: &Sources) -> Self {
        let Sources { lookout, jobs, vitals, writes } = sources;
        // Named one by one, so that a field added to the engine is not forgotten here. The lists that are not part of
        // the live state have addresses of their own.
        let relay::Snapshot { on_air_since, inputs, destinations, outputs, broadcast, sessions: _, refusals: _ } =
            snapshot;
        Self {
            seq,
            time,
            on_air_since: on_air_since.clone(),
            inputs: inputs
                .iter()
                .map(|(id, input)| (id.to_string(), InputStatus::new(id, input, snapshot, lookout)))
                .collect(),
            destinations: by_id(destinations),
            outputs: by_id(outputs),
            broadcast: (*broadcast).into(),
            jobs: jobs.shown().into_iter().map(|(id, job)| (id, job.into())).collect(),
            board: vitals.now(),
            settings_revision: writes.count(),
        }
    }

    /// What is measured of the machine.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// What was noticed of an input: alarms, advice, level and clock.
    pub(crate) fn noticed(&self, input: &str) -> Option<serde_json::Value> {
        let InputStatus { peak_dbfs, alarms, advice, clock_drift_ppm, .. } = self.inputs.get(input)?;
        Some(serde_json::json!({
            "peakDbfs": peak_dbfs, "alarms": alarms, "advice": advice, "clockDriftPpm": clock_drift_ppm,
        }))
    }
}

fn by_id<'a, T, U: From<&'a T>>(map: &'a BTreeMap<relay::Id, T>) -> BTreeMap<String, U> {
    map.iter().map(|(id, value)| (id.to_string(), value.into())).collect()
}

impl From<relay::BroadcastState> for Broadcast {
    fn from(relay::BroadcastState { started, stopped }: relay::BroadcastState) -> Self {
        Self { started, stopped }
    }
}

impl InputStatus {
    fn new(id: &str, status: &relay::InputStatus, snapshot: &relay::Snapshot, lookout: &Lookout) -> Self {
        let relay::InputStatus { state, since, session, viewers, tracks } = status;
        let noticed = lookout.of(id);
        let advice = advice::of(id, status, snapshot, &noticed);
        let Noticed { alarms, peak_dbfs, clock_drift_ppm, b_frames: _ } = noticed;
        Self {
            state: match state {
                relay::InputState::None => InputState::None,
                relay::InputState::Connecting => InputState::Connecting,
                relay::InputState::Receiving => InputState::Receiving,
                relay::InputState::Lost => InputState::Lost,
            },
            since: since.clone(),
            session: session.as_ref().map(Into::into),
            viewers: *viewers,
            tracks: tracks.iter().map(Into::into).collect(),
            peak_dbfs,
            clock_drift_ppm,
            alarms: alarms.into_iter().map(|(code, since)| Alarm { code, since }).collect(),
            advice,
        }
    }
}

impl From<&relay::SessionStatus> for Session {
    fn from(session: &relay::SessionStatus) -> Self {
        let relay::SessionStatus {
            id,
            input,
            peer,
            program,
            protocol,
            role,
            since,
            bytes_received,
            bytes_sent,
            frames_lost,
            frames_dropped,
        } = session;
        Self {
            id: id.to_string(),
            input: input.to_string(),
            peer: peer.clone(),
            program: program.clone(),
            protocol: (*protocol).to_owned(),
            role: (*role).to_owned(),
            since: since.clone(),
            bytes_received: *bytes_received,
            bytes_sent: *bytes_sent,
            frames_lost: *frames_lost,
            frames_dropped: *frames_dropped,
        }
    }
}

impl From<&relay::TrackStatus> for Track {
    fn from(status: &relay::TrackStatus) -> Self {
        let relay::TrackStatus {
            kind,
            track,
            codec,
            profile,
            width,
            height,
            fps,
            channels,
            sample_rate,
            bitrate_bps,
            keyframe_interval_ms,
            b_frames,
        } = status;
        Self {
            kind: (*kind).to_owned(),
            track: *track,
            codec: codec.clone(),
            profile: profile.clone(),
            width: *width,
            height: *height,
            fps: *fps,
            channels: *channels,
            sample_rate: *sample_rate,
            bitrate_bps: *bitrate_bps,
            keyframe_interval_ms: *keyframe_interval_ms,
            b_frames: *b_frames,
        }
    }
}

impl From<&relay::OutputStatus> for OutputStatus {
    fn from(relay::OutputStatus { input, kind, log_bytes, log_ms }: &relay::OutputStatus) -> Self {
        Self { input: input.to_string(), kind: (*kind).to_owned(), log_bytes: *log_bytes, log_ms: *log_ms }
    }
}

impl From<&relay::DestinationStatus> for DestinationStatus {
    fn from(status: &relay::DestinationStatus) -> Self {
        let relay::DestinationStatus {
            name,
            platform,
            output,
            enabled,
            state,
            confirmed,
            since,
            reason,
            next_try_at,
            tries,
            bitrate_bps,
            rtt_ms,
            queue_ms,
            frames_sent,
            frames_dropped,
            bytes_sent,
        } = status;
        Self {
            name: name.clone(),
            platform: platform.to_string(),
            output: output.to_string(),
            enabled: *enabled,
            state: match state {
                relay::DestinationState::Off => DestinationState::Off,
                relay::DestinationState::Waiting => DestinationState::Waiting,
                relay::DestinationState::Connecting => DestinationState::Connecting,
                relay::DestinationState::Live => DestinationState::Live,
                relay::DestinationState::Slow => DestinationState::Slow,
                relay::DestinationState::Retrying => DestinationState::Retrying,
                relay::DestinationState::Failed => DestinationState::Failed,
            },
            confirmed: *confirmed,
            since: since.clone(),
            reason: reason.as_ref().map(|reason| Reason {
                code: reason.code.into(),
                sentence: reason.sentence.clone(),
                details: reason.details.clone(),
            }),
            next_try_at: next_try_at.clone(),
            tries: *tries,
            bitrate_bps: *bitrate_bps,
            rtt_ms: *rtt_ms,
            queue_ms: *queue_ms,
            frames_sent: *frames_sent,
            frames_dropped: *frames_dropped,
            bytes_sent: *bytes_sent,
        }
    }
}

/// Whether something changed that should not wait for the next second: anything but figures.
pub(crate) fn changed_at_once(old: &Arc<relay::Snapshot>, new: &Arc<relay::Snapshot>) -> bool {
    let inputs = |snapshot: &relay::Snapshot| -> Vec<_> {
        let input = |(id, input): (&relay::Id, &relay::InputStatus)| {
            let session = input.session.as_ref().map(|session| session.id.clone());
            (id.clone(), input.state, input.since.clone(), session, input.viewers, input.tracks.len())
        };
        snapshot.inputs.iter().map(input).collect()
    };
    let destinations = |snapshot: &relay::Snapshot| -> Vec<_> {
        let steady = |(id, destination): (&relay::Id, &relay::DestinationStatus)| {
            // What is left when the figures are taken out.
            let steady = relay::DestinationStatus {
                bitrate_bps: None,
                rtt_ms: None,
                queue_ms: None,
                frames_sent: 0,
                frames_dropped: 0,
                bytes_sent: 0,
                ..destination.clone()
            };
            (id.clone(), steady)
        };
        snapshot.destinations.iter().map(steady).collect()
    };
    !Arc::ptr_eq(old, new)
        && (old.on_air_since != new.on_air_since
            || old.broadcast != new.broadcast
            || !old.outputs.keys().eq(new.outputs.keys())
            || inputs(old) != inputs(new)
            || destinations(old) != destinations(new))
}
