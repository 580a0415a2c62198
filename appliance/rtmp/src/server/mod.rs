//! The server's side of a connection.

mod event;
mod name;

use std::{collections::VecDeque, fmt};

use crate::{
    Error, ErrorKind, Message, SecretKey,
    amf::{Object, Value},
    chunk,
    command::{self, Command, Wrapping},
    link::{Incoming, Link},
    message::{kind, split_aggregate, user_control},
    url,
};
use event::{text_len, weight};
use name::{checked_text, shown_text, split_name};

pub use event::{Refusal, ServerEvent};

/// What a peer may make a [`ServerSession`] hold. All sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Longest message.
    pub message: usize,
    /// Memory for the unfinished messages of all chunk streams together.
    pub unfinished: usize,
    /// Chunk streams in use. The state of one takes about 100 bytes.
    pub chunk_streams: usize,
    /// Events that wait for [`ServerSession::poll_event`]: how many.
    pub events: usize,
    /// Events that wait: bytes of their bodies. Also bytes behind a request that waits for its answer.
    pub event_bytes: usize,
    /// Answers that the peer has not read yet.
    pub output: usize,
}

impl ServerLimits {
    fn chunk(self) -> chunk::Limits {
        chunk::Limits { message: self.message, unfinished: self.unfinished, chunk_streams: self.chunk_streams }
    }
}

/// How a [`ServerSession`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    /// For a peer whose stream name has not been accepted: a stranger.
    pub before: ServerLimits,
    /// For an accepted publisher.
    pub after: ServerLimits,
    /// Chunk size we announce. FFmpeg copies it for what it sends: a large one saves both sides work.
    pub chunk_size: u32,
    /// Acknowledgement window and peer bandwidth we announce, bytes.
    pub window: u32,
}

impl Default for ServerConfig {
    /// A stranger makes it hold less than 256 KB. An accepted publisher may send any message that RTMP can express, but not
    /// many large ones at the same time.
    fn default() -> Self {
        Self {
            before: ServerLimits {
                message: 48 << 10,
                unfinished: 96 << 10,
                chunk_streams: 16,
                events: 64,
                event_bytes: 32 << 10,
                output: 16 << 10,
            },
            after: ServerLimits {
                message: 0x00ff_ffff,
                unfinished: 32 << 20,
                chunk_streams: 64,
                // More than the smallest messages that 64 KB of input can hold.
                events: 40 << 10,
                event_bytes: 24 << 20,
                output: 64 << 10,
            },
            chunk_size: 65_536,
            window: 2_500_000,
        }
    }
}

/// One client's connection: bytes in, events and bytes out.
///
/// The caller reads from its socket into [`handle_input`](Self::handle_input), fetches all events, writes
/// [`output`](Self::output) and closes when `handle_input` fails. See the crate's documentation for an example.
pub struct ServerSession {
    config: ServerConfig,
    link: Link,
    /// Application and program, once `connect` has come.
    connected: Option<(String, Option<String>)>,
    /// Stream ids given out by `createStream`, a bit each.
    streams: u16,
    state: State,
    events: VecDeque<ServerEvent>,
    /// Bytes of the bodies in `events`.
    event_bytes: usize,
    /// What came behind a request that waits: read under the limits that its answer brings.
    behind: Vec<u8>,
    /// The fault that ended the connection.
    failed: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// `publish` or `play` waits for the caller.
    Asked {
        stream_id: u32,
        wrapping: Wrapping,
        play: bool,
    },
    Publishing {
        stream_id: u32,
        wrapping: Wrapping,
    },
    /// Refused or ended by us: nothing more is taken.
    Over,
}

impl fmt::Debug for ServerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSession").field("state", &self.state).finish_non_exhaustive()
    }
}

impl ServerSession {
    /// A session for a connection just accepted. `random` feeds the handshake and should differ for each connection.
    #[must_use]
    pub fn new(config: ServerConfig, random: [u8; 32]) -> Self {
        Self {
            config,
            link: Link::server(random, config.before.chunk(), config.before.output),
            connected: None,
            streams: 0,
            state: State::Idle,
            events: VecDeque::new(),
            event_bytes: 0,
            behind: Vec::new(),
            failed: None,
        }
    }

    /// Takes all bytes. Events are to be fetched after each call, of which 64 KB is a good size: limits count what waits.
    ///
    /// # Errors
    /// The peer breaks the protocol or passes a limit. The connection is to be closed; `output` may still be written. Every
    /// later call fails in the same way.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.failed.is_none() {
            let taken = self.take(bytes);
            self.failed = taken.err().map(|kind| self.link.fail(kind));
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// The next event, in the order in which things came.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        let event = self.events.pop_front()?;
        self.event_bytes = self.event_bytes.saturating_sub(weight(&event));
        Some(event)
    }

    /// How many events wait for [`poll_event`](Self::poll_event).
    #[must_use]
    pub fn events_waiting(&self) -> usize {
        self.events.len()
    }

    /// Bytes to be written to the peer.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.link.out.bytes()
    }

    /// The first `n` bytes of [`output`](Self::output) have been written.
    pub fn consume_output(&mut self, n: usize) {
        self.link.out.consume(n);
    }

    /// Lets the publisher in that asked last: answers `NetStream.Publish.Start` and raises the limits. Without a request to
    /// publish it does nothing.
    pub fn accept_publish(&mut self) {
        let State::Asked { stream_id, wrapping, play: false } = self.state else { return };
        self.state = State::Publishing { stream_id, wrapping };
        self.link.set_limits(self.config.after.chunk(), self.config.after.output);
        let start = command::info("status", "NetStream.Publish.Start", "The stream is being published.");
        // These few bytes come under the raised limit: they cannot fail.
        let _ = self.link.send_user_control(user_control::STREAM_BEGIN, stream_id);
        let _ = self.link.send_command(wrapping, 0, "onFCPublish", 0.0, &[Value::Null, start.clone().into()]);
        let _ = self.link.send_status(wrapping, stream_id, start);

        // A publisher that did not wait. A fault in what it sent is told by the next `handle_input`.
        let behind = std::mem::take(&mut self.behind);
        let _ = self.handle_input(&behind);
    }

    /// Refuses the request to publish or play that waits, with an `onStatus` of level `error`. The caller then writes `output`
    /// and closes; nothing more is taken from the peer. Without a request it does nothing.
    pub fn refuse(&mut self, refusal: Refusal) {
        let State::Asked { stream_id, wrapping, .. } = self.state else { return };
        self.end(wrapping, stream_id, refusal.info());
    }

    /// Tells a live publisher that its stream is ended by this side (`NetStream.Unpublish.Success`, `description` in words).
    /// The caller then writes `output` and closes; nothing more is taken from the peer. Without a publisher it does nothing.
    pub fn close_publish(&mut self, description: &str) {
        let State::Publishing { stream_id, wrapping } = self.state else { return };
        let _ = self.link.send_user_control(user_control::STREAM_EOF, stream_id);
        self.end(wrapping, stream_id, command::info("status", "NetStream.Unpublish.Success", description));
    }

    /// Bytes of payload that have to come at least before a message can be complete: 0 where none has begun.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.link.missing()
    }

    /// Bytes held for this peer: unfinished messages, events, output, state.
    #[must_use]
    pub fn buffered(&self) -> usize {
        let connected = self.connected.as_ref().map_or(0, |(app, program)| app.len() + text_len(program));
        self.link.buffered()
            + connected
            + self.event_bytes
            + self.events.capacity() * size_of::<ServerEvent>()
            + self.behind.capacity()
    }

    fn end(&mut self, wrapping: Wrapping, stream_id: u32, status: Object) {
        // A peer that has not read its earlier answers will not read this one either.
        let _ = self.link.send_status(wrapping, stream_id, status);
        self.state = State::Over;
        self.behind = Vec::new();
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), ErrorKind> {
        if !self.link.is_open() && !self.link.open(&mut bytes)? {
            return Ok(());
        }
        while let State::Idle | State::Publishing { .. } = self.state {
            match self.link.next(&mut bytes)? {
                Some(Incoming::Message(message)) => self.message(message)?,
                // We send no media that a client could acknowledge.
                Some(Incoming::Acknowledged(_)) => {}
                None => return Ok(()),
            }
        }
        if let State::Asked { .. } = self.state {
            if self.behind.len() + bytes.len() > self.config.before.event_bytes {
                return Err(ErrorKind::TooMuchWaiting(self.config.before.event_bytes));
            }
            self.behind.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), ErrorKind> {
        match message.kind {
            kind::COMMAND | kind::COMMAND_AMF3 => self.command(Command::read(message)?),
            kind::AUDIO | kind::VIDEO | kind::DATA | kind::DATA_AMF3 => self.media(message),
            kind::AGGREGATE => split_aggregate(&message).try_for_each(|part| self.part(part?)),
            // Shared objects and kinds nobody has defined.
            _ => Ok(()),
        }
    }

    /// Aggregates hold media; an aggregate inside an aggregate, or a command, has no meaning.
    fn part(&mut self, part: Message) -> Result<(), ErrorKind> {
        match part.kind {
            kind::AUDIO | kind::VIDEO | kind::DATA | kind::DATA_AMF3 => self.media(part),
            _ => Ok(()),
        }
    }

    fn media(&mut self, mut message: Message) -> Result<(), ErrorKind> {
        if message.kind == kind::DATA_AMF3 {
            message.kind = kind::DATA;
            // The format selector; what follows is AMF0 that may switch to AMF3.
            if message.body.first() == Some(&0) {
                message.body.remove(0);
            }
        }
        // Another stream of the same connection is not ours to mix in; an id we never gave out is an odd client's.
        let another = self.is_stream(message.stream_id) && !self.is_published(message.stream_id);
        // Empty audio means silence (E-RTMP v2, "Enhanced Audio"); an empty message of another kind means nothing.
        let empty = message.body.is_empty() && message.kind != kind::AUDIO;
        if empty || another || !matches!(self.state, State::Publishing { .. }) {
            return Ok(());
        }
        self.push(ServerEvent::Media(message))
    }

    fn push(&mut self, event: ServerEvent) -> Result<(), ErrorKind> {
        let limits = match self.state {
            State::Publishing { .. } => self.config.after,
            _ => self.config.before,
        };
        if self.events.len() >= limits.events {
            return Err(ErrorKind::TooManyEvents(limits.events));
        }
        self.event_bytes += weight(&event);
        if self.event_bytes > limits.event_bytes {
            return Err(ErrorKind::TooMuchWaiting(limits.event_bytes));
        }
        self.events.push_back(event);
        Ok(())
    }

    fn command(&mut self, mut command: Command) -> Result<(), ErrorKind> {
        if self.connected.is_none() && command.name != "connect" {
            return Err(ErrorKind::Unexpected("command before connect"));
        }
        match command.name.as_str() {
            "connect" => self.connect(&command),
            "createStream" => self.create_stream(&command),
            "publish" => self.ask(&mut command, false),
            "play" => self.ask(&mut command, true),
            "FCUnpublish" => {
                self.answer(&command, Value::Null)?;
                if matches!(self.state, State::Publishing { .. }) {
                    let done = command::info("status", "NetStream.Unpublish.Success", "The stream is unpublished.");
                    self.link.send_command(command.wrapping, 0, "onFCUnpublish", 0.0, &[Value::Null, done.into()])?;
                }
                self.unpublish()
            }
            "deleteStream" => {
                let Some(stream_id) = command.number().and_then(command::stream_id) else { return Ok(()) };
                self.delete_stream(stream_id)
            }
            "closeStream" if self.is_published(command.stream_id) => self.unpublish(),
            "closeStream" => Ok(()),
            // Nothing to be done, but clients of Flash Media Server's age wait for the answer.
            "releaseStream" | "FCPublish" | "_checkbw" => self.answer(&command, Value::Null),
            // §7.2.1.2: a call that we do not know. Results of calls have no meaning here, since we make none.
            name if command.transaction > 0.0 && !name.starts_with("_") => {
                let info = command::info("error", "NetConnection.Call.Failed", "The method is not known.");
                self.reply(&command, "_error", &[Value::Null, info.into()])
            }
            _ => Ok(()),
        }
    }

    fn connect(&mut self, command: &Command) -> Result<(), ErrorKind> {
        if self.connected.is_some() {
            return Err(ErrorKind::Unexpected("second connect"));
        }
        let none = Object::new();
        let asked = command.object.as_object().unwrap_or(&none);
        let text = |name| checked_text(asked.get_str(name).unwrap_or_default());
        let app = url::trim_slashes(text("app")?).to_owned();
        let tc_url = text("tcUrl")?.to_owned();
        let program = asked.get_str("flashVer").map(shown_text);
        let enhanced = ENHANCED_FIELDS.iter().any(|field| asked.get(field).is_some());

        self.link.send_window(self.config.window)?;
        self.link.send_peer_bandwidth(self.config.window)?;
        self.link.send_chunk_size(self.config.chunk_size)?;
        let mut properties =
            Object::new().with("fmsVer", "FMS/3,5,7,7009").with("capabilities", 31.0).with("mode", 1.0);
        if enhanced {
            properties = enhanced_properties(properties, asked);
        }
        let info = command::info("status", "NetConnection.Connect.Success", "Connection succeeded.")
            .with("objectEncoding", asked.get_number("objectEncoding").unwrap_or(0.0));
        self.reply(command, "_result", &[properties.into(), info.into()])?;
        self.connected = Some((app.clone(), program.clone()));
        self.push(ServerEvent::Connected { app, tc_url, program, enhanced })
    }

    fn create_stream(&mut self, command: &Command) -> Result<(), ErrorKind> {
        // Id 0 is the connection.
        let Some(free) = (1..u16::BITS).find(|&id| !self.is_stream(id)) else {
            let info = command::info("error", "NetConnection.Call.Failed", "There are too many streams.");
            return self.reply(command, "_error", &[Value::Null, info.into()]);
        };
        self.streams |= 1 << free;
        self.reply(command, "_result", &[Value::Null, Value::Number(free.into())])
    }

    fn delete_stream(&mut self, stream_id: u32) -> Result<(), ErrorKind> {
        let published = self.is_published(stream_id);
        if stream_id < u16::BITS {
            self.streams &= !(1 << stream_id);
        }
        if published { self.unpublish() } else { Ok(()) }
    }

    fn ask(&mut self, command: &mut Command, play: bool) -> Result<(), ErrorKind> {
        if self.state != State::Idle {
            // One stream a connection. The one that is there goes on.
            let refusal = if play { Refusal::StreamNotFound } else { Refusal::BadName };
            return self.link.send_status(command.wrapping, command.stream_id, refusal.info());
        }
        let name = SecretKey::new(command.take_text().ok_or(ErrorKind::Command("publish or play without a name"))?);
        let (app, program) = self.connected.clone().unwrap_or_default();
        let (app, key, query) = split_name(&app, checked_text(name.expose())?);
        self.push(match play {
            true => ServerEvent::Play { app, key, query, program },
            false => ServerEvent::Publish { app, key, query, program },
        })?;
        self.state = State::Asked { stream_id: command.stream_id, wrapping: command.wrapping, play };
        Ok(())
    }

    /// A planned end. The connection may carry another stream (RTMP 1.0 §7.2.1.3).
    fn unpublish(&mut self) -> Result<(), ErrorKind> {
        let State::Publishing { .. } = self.state else { return Ok(()) };
        self.push(ServerEvent::Unpublish)?;
        self.state = State::Idle;
        Ok(())
    }

    /// Whether a message stream is the publisher's. A client that publishes on an id that we never gave out means the one
    /// stream that it has.
    fn is_published(&self, stream_id: u32) -> bool {
        matches!(self.state, State::Publishing { stream_id: ours, .. } if ours == stream_id || !self.is_stream(ours))
    }

    fn is_stream(&self, stream_id: u32) -> bool {
        1u16.checked_shl(stream_id).is_some_and(|bit| self.streams & bit != 0)
    }

    fn answer(&mut self, command: &Command, result: Value) -> Result<(), ErrorKind> {
        if command.transaction > 0.0 { self.reply(command, "_result", &[Value::Null, result]) } else { Ok(()) }
    }

    fn reply(&mut self, command: &Command, name: &str, values: &[Value]) -> Result<(), ErrorKind> {
        self.link.send_command(command.wrapping, command.stream_id, name, command.transaction, values)
    }
}

/// The fields of `connect` that Enhanced RTMP adds (v1 "Defining Additional Video Codecs", v2 "Enhancing NetConnection connect
/// Command").
const ENHANCED_FIELDS: [&str; 4] = ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"];

/// Everything is passed on and nothing decoded: forward (4) for any codec. Multitrack 2, ModEx 4, nanosecond offset 8; not
/// Reconnect (1), since this server never sends the request.
fn enhanced_properties(mut properties: Object, asked: &Object) -> Object {
    let any = Object::new().with("*", 4.0);
    if asked.get("fourCcList").is_some() {
        properties = properties.with("fourCcList", Value::StrictArray(vec![Value::from("*")]));
    }
    properties.with("videoFourCcInfoMap", any.clone()).with("audioFourCcInfoMap", any).with("capsEx", f64::from(0x0e))
}
