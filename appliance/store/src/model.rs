//! What is stored, as the rest of the box sees it. Secrets never serialise and never show in `Debug`.

use brookbox_vault::{PasswordHash, TokenHash, key_hint};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Time;

/// A place to publish to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Stable id, for example `main`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What a publisher sends as its stream name. No two inputs have the same.
    #[serde(skip)]
    pub key: SecretString,
    /// A disabled input refuses every publisher.
    pub enabled: bool,
    /// Protocols that may publish: `rtmp`, `srt`, `whip`.
    pub protocols: Vec<String>,
    /// Limits for its publishers.
    pub limits: InputLimits,
    /// Whether publishers from public addresses are let in.
    pub allow_public: bool,
    /// When it was made.
    pub created_at: Time,
}

impl Input {
    /// What may be shown of the key: `…7Q2x`.
    #[must_use]
    pub fn key_hint(&self) -> String {
        key_hint(&self.key)
    }
}

/// What one input allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InputLimits {
    /// Most that a publisher may send, bit/s.
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
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Stable id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Platform id, or `custom`.
    pub platform: String,
    /// Address up to the application; `None` for a platform with a fixed one.
    pub url: Option<String>,
    /// Address to take turns with after failures.
    pub backup_url: Option<String>,
    /// The stream key.
    #[serde(skip)]
    pub key: SecretString,
    /// The output it takes, for example `main/passthrough`: the input before the slash exists.
    pub output: String,
    /// The person's switch.
    pub enabled: bool,
    /// When it starts.
    pub start_mode: StartMode,
    /// How long it is retried, s; `None`: without end.
    pub retry_for_s: Option<u32>,
    /// User name for servers that ask for one.
    pub username: Option<String>,
    /// Password for servers that ask for one.
    #[serde(skip)]
    pub password: Option<SecretString>,
    /// Whether it may be inside the own network.
    pub allow_local: bool,
    /// Place in the list; equal places are in the order of creation.
    pub position: i64,
}

impl Destination {
    /// What may be shown of the key: `…7Q2x`.
    #[must_use]
    pub fn key_hint(&self) -> String {
        key_hint(&self.key)
    }

    /// The input whose output it takes.
    #[must_use]
    pub fn input(&self) -> &str {
        self.output.split('/').next().unwrap_or_default()
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word in JSON and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(rusqlite::types::FromSqlError::Other(concat!("not a ", $what).into())),
                }
            }
        }
    };
}

words! {
    /// When a destination starts.
    StartMode: "start mode" {
        /// With the publisher.
        WithStream = "withStream",
        /// Only on *Start sending*.
        Manual = "manual",
    }
}

words! {
    /// What a user may do. The lesser one is the smaller.
    Role: "role" {
        /// Looks.
        Viewer = "viewer",
        /// Runs the broadcast.
        Operator = "operator",
        /// Everything.
        Owner = "owner",
    }
}

words! {
    /// What a token may do.
    Scope: "scope" {
        /// Look.
        Read = "read",
        /// Run the broadcast.
        Operate = "operate",
        /// Change what there is.
        Admin = "admin",
        /// Read the metrics.
        Metrics = "metrics",
    }
}

words! {
    /// How somebody is told what happens.
    TellBy: "service" {
        /// A `POST` of JSON to an address.
        Webhook = "webhook",
        /// A message to a topic of an ntfy server.
        Ntfy = "ntfy",
    }
}

words! {
    /// How much an event matters to a person.
    Severity: "severity" {
        /// Good to know.
        Info = "info",
        /// Something went wrong and mends itself.
        Warning = "warning",
        /// A person has to act.
        Error = "error",
    }
}

words! {
    /// Where a job is in its life.
    JobState: "job state" {
        /// Under way.
        Running = "running",
        /// Ended well.
        Done = "done",
        /// Ended without its purpose.
        Failed = "failed",
        /// Somebody ended it.
        Cancelled = "cancelled",
    }
}

/// Somebody who may sign in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Stable id.
    pub id: String,
    /// Unique, whatever its letters' case.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// The password's hash.
    #[serde(skip)]
    pub password_hash: PasswordHash,
    /// When the account was made.
    pub created_at: Time,
    /// When a sign-in of theirs was last used, to the minute.
    pub last_seen: Option<Time>,
}

/// A person's sign-in on one device.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// What it is called in lists and `DELETE`; says nothing of the secret.
    pub id: String,
    /// Hash of the cookie's secret.
    #[serde(skip)]
    pub id_hash: TokenHash,
    /// Whose it is.
    pub user_id: String,
    /// Since when.
    pub created_at: Time,
    /// When it was last used, to the minute.
    pub last_used: Time,
    /// When the password was last entered in it.
    pub password_entered_at: Time,
    /// Address it was made from.
    pub address: String,
    /// What the browser called itself.
    pub user_agent: Option<String>,
}

/// An API token.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// What it is called in lists and `DELETE`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Hash of the token.
    #[serde(skip)]
    pub hash: TokenHash,
    /// What it may do; never more than its maker may at that moment, which the API sees to.
    pub scopes: Vec<Scope>,
    /// Who made it. It ends with them.
    pub user_id: String,
    /// Since when.
    pub created_at: Time,
    /// Until when.
    pub expires_at: Time,
    /// When it was last used, to the minute.
    pub last_used: Option<Time>,
}

/// Something that happened, to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// When.
    pub time: Time,
    /// Stable code.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// Input concerned.
    pub input: Option<String>,
    /// Destination concerned.
    pub destination: Option<String>,
    /// Values for the sentence. Never a secret.
    pub params: Map<String, Value>,
    /// One plain sentence.
    pub sentence: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Grows; never used twice.
    pub id: i64,
    /// When.
    pub time: Time,
    /// Stable code.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// Input concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Destination concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Values for the sentence.
    pub params: Map<String, Value>,
    /// One plain sentence.
    pub sentence: String,
}
