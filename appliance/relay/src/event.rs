//! What the engine tells of what happened.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{BroadcastState, Id};

/// One thing that happened. `code` and `params` are stable; the sentence is made by who shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What.
    pub code: EventCode,
    /// The input concerned.
    pub input: Option<Id>,
    /// The destination concerned.
    pub destination: Option<Id>,
    /// Values for the sentence: `name`, `reason`, `peer`, `program`, `count`. Never a secret.
    pub params: BTreeMap<&'static str, String>,
}

/// How much an event matters to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something went wrong and mends itself.
    Warning,
    /// A person has to act.
    Error,
}

macro_rules! event_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident;)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventCode { $($(#[$doc])* $name,)* }
        impl EventCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable code in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
            /// How much it matters.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

event_codes! {
    /// A publisher was let in.
    PublisherStarted = "publisher_started", Info;
    /// The publisher went away without a proper end, or sends nothing any more (`reason` `silent`).
    PublisherLost = "publisher_lost", Warning;
    /// The publisher came back within the hold time, or sends again.
    PublisherReturned = "publisher_returned", Info;
    /// The publisher ended properly, or did not come back.
    PublisherEnded = "publisher_ended", Info;
    /// Somebody was refused; folded to one a minute and address. `reason`, `count`.
    PublisherRefused = "publisher_refused", Warning;
    /// A second publisher with the right key was refused since the first one is well.
    PublisherActive = "publisher_active", Warning;
    /// A publisher passed a limit and was closed. `reason`.
    PublisherLimit = "publisher_limit", Error;
    /// The destination acknowledged media.
    DestinationLive = "destination_live", Info;
    /// The destination falls behind.
    DestinationSlow = "destination_slow", Warning;
    /// The destination keeps up again.
    DestinationRecovered = "destination_recovered", Info;
    /// The connection is tried again. `reason`.
    DestinationRetrying = "destination_retrying", Warning;
    /// A person has to act. `reason`.
    DestinationFailed = "destination_failed", Error;
    /// The destination was ended properly.
    DestinationEnded = "destination_ended", Info;
    /// *Start sending* was pressed.
    BroadcastStarted = "broadcast_started", Info;
    /// *Stop sending* was pressed.
    BroadcastStopped = "broadcast_stopped", Info;
}

/// What the engine reports: things for people, and state to keep over a restart.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Something happened.
    Event(Event),
    /// Keep this and hand it back in [`Settings`](crate::Settings) at the next start.
    Broadcast(BroadcastState),
}

impl Event {
    /// An event of this moment.
    pub(crate) fn now(code: EventCode) -> Self {
        Self { at: SystemTime::now(), code, input: None, destination: None, params: BTreeMap::new() }
    }
}
