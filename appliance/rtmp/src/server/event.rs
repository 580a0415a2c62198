//! What a server session tells, and the ways to refuse.

use std::fmt;

use crate::{Message, SecretKey, amf::Object, command};

/// What happened on a connection.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// `connect` came and has been answered.
    Connected {
        /// Application: everything between host and stream name, query included. May be empty or nested. Some clients put the
        /// stream key here.
        app: String,
        /// The address the client used.
        tc_url: String,
        /// What the client calls itself (`flashVer`).
        program: Option<String>,
        /// Enhanced RTMP: the client named codecs or abilities.
        enhanced: bool,
    },
    /// A publisher asks to be let in: answer with [`accept_publish`](crate::ServerSession::accept_publish) or
    /// [`refuse`](crate::ServerSession::refuse).
    Publish {
        /// Application, without a stream key that the client put there; query included.
        app: String,
        /// Stream name up to its `?`, without directories before it.
        key: SecretKey,
        /// Stream name behind its `?`, or that of the application if the key came from there.
        query: String,
        /// What the client calls itself (`flashVer`).
        program: Option<String>,
    },
    /// A viewer asks for a stream: [`refuse`](crate::ServerSession::refuse) is the only answer there is.
    Play {
        /// As in `Publish`.
        app: String,
        /// As in `Publish`.
        key: SecretKey,
        /// As in `Publish`.
        query: String,
        /// As in `Publish`.
        program: Option<String>,
    },
    /// Audio, video or data of the accepted publisher: kinds 8, 9 and 18. Data in AMF3 form has become 18, aggregates
    /// have been split; all else, `@setDataFrame` included, is as it came. Only audio can be empty: silence.
    Media(Message),
    /// The publisher ended its stream on purpose (`FCUnpublish`, `deleteStream`, `closeStream`). It may ask for another one.
    Unpublish,
}

/// Leaves out all that may hold a stream key, and the bodies of media.
impl fmt::Debug for ServerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { program, enhanced, .. } => {
                let mut shown = f.debug_struct("Connected");
                shown.field("program", program).field("enhanced", enhanced).finish_non_exhaustive()
            }
            Self::Publish { program, .. } => {
                f.debug_struct("Publish").field("program", program).finish_non_exhaustive()
            }
            Self::Play { program, .. } => f.debug_struct("Play").field("program", program).finish_non_exhaustive(),
            Self::Media(message) => f.debug_tuple("Media").field(message).finish(),
            Self::Unpublish => f.write_str("Unpublish"),
        }
    }
}

/// Why a request is refused, in the codes that clients know. OBS takes each of them as final and does not try again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `NetStream.Publish.BadName`: the name is wrong or somebody else is publishing with it.
    BadName,
    /// `NetStream.Publish.Denied`.
    Denied,
    /// `NetStream.Publish.Rejected`.
    Rejected,
    /// `NetStream.Failed`.
    Failed,
    /// `NetConnection.Connect.InvalidApp`.
    InvalidApp,
    /// `NetStream.Play.StreamNotFound`.
    StreamNotFound,
}

impl Refusal {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BadName => "NetStream.Publish.BadName",
            Self::Denied => "NetStream.Publish.Denied",
            Self::Rejected => "NetStream.Publish.Rejected",
            Self::Failed => "NetStream.Failed",
            Self::InvalidApp => "NetConnection.Connect.InvalidApp",
            Self::StreamNotFound => "NetStream.Play.StreamNotFound",
        }
    }

    pub(super) fn info(self) -> Object {
        let description = match self {
            Self::BadName => "The stream key is not known or is in use.",
            Self::Denied => "Publishing is not allowed.",
            Self::Rejected => "The stream was rejected.",
            Self::Failed => "The server cannot take the stream.",
            Self::InvalidApp => "There is no such application.",
            Self::StreamNotFound => "There is no such stream.",
        };
        command::info("error", self.code(), description)
    }
}

/// Bytes that an event holds besides its own size.
pub(super) fn weight(event: &ServerEvent) -> usize {
    match event {
        ServerEvent::Media(message) => message.body.capacity(),
        ServerEvent::Connected { app, tc_url, program, .. } => app.len() + tc_url.len() + text_len(program),
        ServerEvent::Publish { app, key, query, program } | ServerEvent::Play { app, key, query, program } => {
            app.len() + key.expose().len() + query.len() + text_len(program)
        }
        ServerEvent::Unpublish => 0,
    }
}

pub(super) fn text_len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let event = ServerEvent::Publish {
            app: "canary".into(),
            key: "canary".into(),
            query: "canary".into(),
            program: Some("obs".into()),
        };
        assert_eq!(format!("{event:?}"), r#"Publish { program: Some("obs"), .. }"#);
    }
}
