//! What the engine is told: inputs, destinations, limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Identifies an input, a destination, an output or a session. Cheap to clone.
pub type Id = Arc<str>;

/// A place to publish to.
#[derive(Clone, Debug)]
pub struct Input {
    /// Stable id, for example `main`.
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// A disabled input refuses every publisher.
    pub enabled: bool,
    /// The secret a publisher sends as its stream name.
    pub key: SecretString,
    /// Limits for its publishers.
    pub limits: InputLimits,
    /// Whether publishers from public addresses are let in.
    pub allow_public: bool,
}

/// What one input allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct InputLimits {
    /// Most that a publisher may send, bit/s as a 5 s mean; above it the session is closed.
    pub bitrate_bps: u64,
    /// Most sessions (publishers and viewers) at once.
    pub sessions: u32,
}

impl Default for InputLimits {
    fn default() -> Self {
        Self { bitrate_bps: 100_000_000, sessions: 16 }
    }
}

/// Where one output is sent.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Stable id.
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// Platform id as in the platform list, or `custom`.
    pub platform: Id,
    /// `rtmp://` or `rtmps://` address up to the application, without the key. May contain `${NAME}`.
    pub url: String,
    /// Address to take turns with after three failures in a row.
    pub backup_url: Option<String>,
    /// The stream key. May contain `?`, `&`, `=` and `${NAME}`.
    pub key: SecretString,
    /// User name and password for servers that ask for them.
    pub login: Option<Login>,
    /// The output it takes, for example `main/passthrough`.
    pub output: Id,
    /// The person's switch.
    pub enabled: bool,
    /// When it starts.
    pub start_mode: StartMode,
    /// How long it is retried before it is `failed`; `None`: without end.
    pub retry_for: Option<Duration>,
    /// Whether it may be inside the own network.
    pub allow_local: bool,
    /// What is known of the platform.
    pub platform_facts: PlatformFacts,
}

/// User name and password for a destination.
#[derive(Clone, Debug)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
}

/// When a destination starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StartMode {
    /// With the publisher.
    #[default]
    WithStream,
    /// Only on *Start sending*.
    Manual,
}

/// What the engine has to know of a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformFacts {
    /// Host suffixes that a redirect may lead to, each with its leading dot; empty: only the same host.
    pub redirect_suffixes: Vec<String>,
    /// FourCCs of the video codecs it takes; empty: not known, nothing is refused here.
    pub video_codecs: Vec<String>,
}

/// Everything the engine needs to start.
#[derive(Debug)]
pub struct Settings {
    /// Where publishers connect.
    pub rtmp: SocketAddr,
    /// PEM files whose certificates are trusted beside the platform's store.
    pub extra_roots: Vec<PathBuf>,
    /// `NAME` → value for `${NAME}` in a destination's address or key.
    pub variables: Vec<(String, SecretString)>,
    /// Limits of the whole box.
    pub limits: BoxLimits,
    /// The broadcast that was going on when the box last stopped.
    pub broadcast: BroadcastState,
    /// The box's own listeners, never dialled by a destination.
    pub own_listeners: Vec<SocketAddr>,
}

/// Limits of the whole box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoxLimits {
    /// RTMP connections at once.
    pub rtmp_connections: u32,
    /// RTMP connections at once from one address (/64 for IPv6) that has not shown a right key.
    pub rtmp_connections_per_address: u32,
    /// RTMP connections at once that have not shown a right key.
    pub rtmp_unauthenticated: u32,
    /// Viewers at once, over all inputs.
    pub viewers: u32,
    /// Seconds of programme kept for slow and late destinations.
    pub log_seconds: u32,
    /// Bytes of programme kept for slow and late destinations; the smaller of the two bounds it.
    pub log_bytes: usize,
    /// Largest single message from an authenticated publisher, in bytes.
    pub message_bytes: usize,
}

impl Default for BoxLimits {
    fn default() -> Self {
        Self {
            rtmp_connections: 256,
            rtmp_connections_per_address: 64,
            rtmp_unauthenticated: 192,
            viewers: 64,
            log_seconds: 10,
            log_bytes: 16 << 20,
            message_bytes: 0xff_ffff,
        }
    }
}

/// What *Start sending* and *Stop sending* left behind. Persisted by whoever holds the [`Handle`](crate::Handle), so
/// that a restart of the box neither ends nor starts a broadcast by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BroadcastState {
    /// *Start sending* was pressed: destinations with [`StartMode::Manual`] are part of the broadcast.
    pub started: bool,
    /// *Stop sending* was pressed: nothing is sent until the publisher starts anew or *Start sending* is pressed.
    pub stopped: bool,
}
