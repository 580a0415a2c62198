//! The publisher's side of a connection.

use std::{collections::VecDeque, fmt};

use crate::{
    Error, ErrorKind, Message, SecretKey,
    amf::{Object, Value},
    auth, chunk,
    command::{self, Command, Wrapping},
    handshake::Form,
    link::{Incoming, Link},
    message::kind,
    url,
};

/// What a server may make us hold. It answers, it sends no media; but the bandwidth checks of Flash Media Server send just over
/// 256 KB at once.
const READING: chunk::Limits = chunk::Limits { message: 512 << 10, unfinished: 512 << 10, chunk_streams: 32 };
const EVENTS: usize = 1024;
const OUTPUT: usize = 128 << 10;

/// Rounds of challenge and answer; see the `auth` module.
const LOGIN_ROUNDS: u8 = 2;

/// Transaction ids (RTMP 1.0 §7.2.1.1 fixes the first).
const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;
const FC_UNPUBLISH: f64 = 6.0;
const DELETE_STREAM: f64 = 7.0;
const CHECK_BANDWIDTH: f64 = 8.0;

/// Where and how to publish.
#[derive(Clone)]
pub struct ClientConfig {
    /// Application: what is between host and stream name.
    pub app: String,
    /// The address without the stream name, as `rtmp://host/app`.
    pub tc_url: String,
    /// Stream name as the server wants it, `?`, `&` and `=` included.
    pub stream_name: SecretKey,
    /// User name and password for servers that ask for them.
    pub login: Option<(String, SecretKey)>,
    /// Enhanced RTMP: FourCCs that will be sent. `None` sends none of its fields, since they break old servers.
    pub four_cc: Option<Vec<String>>,
    /// Chunk size we announce once `connect` has succeeded, and that the caller's media have to be cut by.
    pub chunk_size: u32,
    /// What we call ourselves. Some servers know only the default, which is what OBS and librtmp say.
    pub flash_ver: String,
    /// Form of the handshake.
    pub handshake: Form,
    /// How far a login has come: filled in by [`ClientEvent::Reconnect`].
    pub login_progress: LoginProgress,
}

/// How far a login has come, from one connection to the next.
#[derive(Debug, Clone, Default)]
pub struct LoginProgress {
    /// What the server asked for, to be sent behind `app` and `tcUrl`.
    query: SecretKey,
    rounds: u8,
}

impl ClientConfig {
    /// A configuration with the defaults: chunk size 65,536, no login, no Enhanced RTMP fields, the simple handshake.
    pub fn new(app: impl Into<String>, tc_url: impl Into<String>, stream_name: impl Into<SecretKey>) -> Self {
        Self {
            app: app.into(),
            tc_url: tc_url.into(),
            stream_name: stream_name.into(),
            login: None,
            four_cc: None,
            chunk_size: 65_536,
            flash_ver: "FMLE/3.0 (compatible; FMSc/1.0)".to_owned(),
            handshake: Form::default(),
            login_progress: LoginProgress::default(),
        }
    }
}

/// Leaves out what may hold a secret.
impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { four_cc, chunk_size, flash_ver, handshake, .. } = self;
        let mut shown = f.debug_struct("ClientConfig");
        shown.field("login", &self.login.is_some()).field("four_cc", four_cc).field("chunk_size", chunk_size);
        shown.field("flash_ver", flash_ver).field("handshake", handshake).finish_non_exhaustive()
    }
}

/// What happened on a connection.
///
/// Texts of the server (`code`, `description`) have our stream name and password taken out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientEvent {
    /// `connect` succeeded.
    Connected,
    /// Our `publish` has been queued: from now on a closed connection may mean a wrong key.
    PublishSent,
    /// The server takes media, on this message stream.
    PublishStarted {
        /// Message stream id for media.
        stream_id: u32,
    },
    /// The server refused. Terminal.
    Refused {
        /// What it refused.
        stage: Stage,
        /// The server's code, as `NetStream.Publish.BadName`; may be empty.
        code: String,
        /// The server's words.
        description: String,
    },
    /// The server asks for a login: connect anew with this configuration. Terminal for this connection.
    Reconnect(Box<ClientConfig>),
    /// The server sends us elsewhere. Terminal.
    Redirect {
        /// Where to; may hold a stream name.
        url: SecretKey,
    },
    /// Enhanced RTMP: the server asks to connect anew at the next keyframe; this connection goes on until then.
    ReconnectRequest {
        /// Where to, if elsewhere; a relative one has been resolved.
        tc_url: Option<String>,
        /// The server's words.
        description: String,
    },
    /// The server ended the stream, or the connection once it was asked to publish. Terminal.
    Closed {
        /// The server's code.
        code: String,
        /// The server's words.
        description: String,
    },
    /// The server has received this many bytes, modulo 2^32.
    Acknowledged(u32),
}

/// What a server can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `connect`: the application or the login.
    Connect,
    /// `createStream`.
    CreateStream,
    /// `publish`: the stream name mostly.
    Publish,
}

/// One connection to a server that we publish to: bytes in, events and bytes out.
///
/// Media are written by the caller, straight to the socket, between [`output`](Self::output)s that have been written whole: see
/// [`chunk::write_message`].
pub struct ClientSession {
    config: ClientConfig,
    link: Link,
    state: State,
    stream_id: u32,
    bandwidth_checked: bool,
    nonce: String,
    events: VecDeque<ClientEvent>,
    /// The fault that ended the connection.
    failed: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Handshake,
    Connecting,
    CreatingStream,
    Publishing,
    Live,
    /// A terminal event has been given, or [`ClientSession::finish`] called.
    Over,
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession").field("state", &self.state).finish_non_exhaustive()
    }
}

impl ClientSession {
    /// A session for a connection just opened. `random` feeds handshake and login and should differ for each connection.
    #[must_use]
    pub fn new(config: ClientConfig, random: [u8; 32]) -> Self {
        let [r0, r1, r2, r3, ..] = random;
        Self {
            link: Link::client(config.handshake, random, READING, OUTPUT),
            config,
            state: State::Handshake,
            stream_id: 0,
            bandwidth_checked: false,
            nonce: format!("{:08x}", u32::from_be_bytes([r0, r1, r2, r3])),
            events: VecDeque::new(),
            failed: None,
        }
    }

    /// Takes all bytes. Events are to be fetched after each call.
    ///
    /// # Errors
    /// The peer breaks the protocol or passes a limit. The connection is to be closed. Every later call fails in the same way.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.failed.is_none() {
            let taken = self.take(bytes);
            self.failed = taken.err().map(|kind| self.link.fail(kind));
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// The next event, in the order in which things came.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Bytes to be written to the server.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.link.out.bytes()
    }

    /// The first `n` bytes of [`output`](Self::output) have been written.
    pub fn consume_output(&mut self, n: usize) {
        self.link.out.consume(n);
    }

    /// Message stream id for media, after [`ClientEvent::PublishStarted`]; 0 before.
    #[must_use]
    pub fn stream_id(&self) -> u32 {
        self.stream_id
    }

    /// Ends the stream properly: queues `FCUnpublish` and `deleteStream`. The caller writes `output` and closes.
    pub fn finish(&mut self) {
        if !matches!(self.state, State::Publishing | State::Live) {
            return;
        }
        self.state = State::Over;
        // A server that has read nothing for so long that this fails will not read the end either.
        let _ = self.call("FCUnpublish", FC_UNPUBLISH, &[Value::Null, self.stream_name()]);
        let _ = self.call("deleteStream", DELETE_STREAM, &[Value::Null, f64::from(self.stream_id).into()]);
    }

    /// Bytes held: unfinished messages, events, output.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.link.buffered() + self.events.capacity() * size_of::<ClientEvent>()
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), ErrorKind> {
        if !self.link.is_open() {
            if !self.link.open(&mut bytes)? {
                return Ok(());
            }
            self.state = State::Connecting;
            self.connect()?;
        }
        while let Some(incoming) = self.link.next(&mut bytes)? {
            match incoming {
                Incoming::Message(message) => self.message(message)?,
                Incoming::Acknowledged(sequence) => self.push(ClientEvent::Acknowledged(sequence))?,
            }
        }
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), ErrorKind> {
        if self.state == State::Over || !matches!(message.kind, kind::COMMAND | kind::COMMAND_AMF3) {
            return Ok(());
        }
        // What only a server's own scripts understand is not worth a broadcast.
        let Ok(command) = Command::read_leniently(message) else { return Ok(()) };
        match command.name.as_str() {
            "_result" => self.result(&command),
            "_error" => self.error(&command),
            "onStatus" => self.status(&command),
            // Flash Media Server asks back by way of a call of its own; librtmp and FFmpeg answer once.
            "onBWDone" if !self.bandwidth_checked => {
                self.bandwidth_checked = true;
                self.call("_checkbw", CHECK_BANDWIDTH, &[Value::Null])
            }
            "_onbwcheck" | "ping" => self.call("_result", command.transaction, &[Value::Null, Value::Null]),
            "close" => {
                let info = command.info().cloned().unwrap_or_default();
                self.ended("NetConnection.Connect.Closed", &info)
            }
            _ => Ok(()),
        }
    }

    fn connect(&mut self) -> Result<(), ErrorKind> {
        let login = self.config.login_progress.query.expose();
        let mut object = Object::new()
            .with("app", format!("{}{login}", self.config.app))
            .with("type", "nonprivate")
            .with("flashVer", self.config.flash_ver.as_str())
            .with("tcUrl", format!("{}{login}", self.config.tc_url));
        if let Some(four_cc) = &self.config.four_cc {
            let list = four_cc.iter().map(|code| Value::from(code.as_str())).collect();
            // Reconnect 1, Multitrack 2, ModEx 4, nanosecond offset 8: whatever the publisher sent is passed on.
            object = object.with("fourCcList", Value::StrictArray(list)).with("capsEx", f64::from(0x0f));
            // The same by codec and use, for servers that look only here: forward 4.
            let (audio, video): (Vec<_>, Vec<_>) = four_cc.iter().partition(|code| is_audio(code));
            for (field, codes) in [("videoFourCcInfoMap", video), ("audioFourCcInfoMap", audio)] {
                if !codes.is_empty() {
                    object = object.with(field, codes.into_iter().fold(Object::new(), |map, code| map.with(code, 4.0)));
                }
            }
        }
        self.call("connect", CONNECT, &[object.into()])
    }

    fn result(&mut self, command: &Command) -> Result<(), ErrorKind> {
        match (self.state, command.transaction) {
            (State::Connecting, CONNECT) => {
                self.push(ClientEvent::Connected)?;
                // Not before `connect` has succeeded: old servers read the command with the size they began with.
                self.link.send_chunk_size(self.config.chunk_size)?;
                self.call("releaseStream", RELEASE_STREAM, &[Value::Null, self.stream_name()])?;
                self.call("FCPublish", FC_PUBLISH, &[Value::Null, self.stream_name()])?;
                self.state = State::CreatingStream;
                self.call("createStream", CREATE_STREAM, &[Value::Null])
            }
            (State::CreatingStream, CREATE_STREAM) => {
                let id = command.number().and_then(command::stream_id);
                self.stream_id = id.ok_or(ErrorKind::Command("createStream was answered without a stream id"))?;
                self.state = State::Publishing;
                let name = self.stream_name();
                let values = [Value::Null, name, Value::from("live")];
                self.link.send_command(Wrapping::Amf0, self.stream_id, "publish", PUBLISH, &values)?;
                self.push(ClientEvent::PublishSent)
            }
            _ => Ok(()),
        }
    }

    fn error(&mut self, command: &Command) -> Result<(), ErrorKind> {
        let info = command.info().cloned().unwrap_or_default();
        match (self.state, command.transaction) {
            (State::Connecting, CONNECT) => self.connect_refused(&info),
            (State::CreatingStream, CREATE_STREAM) => self.refused(Stage::CreateStream, &info),
            (State::Publishing, PUBLISH) => self.refused(Stage::Publish, &info),
            // Many servers do not know releaseStream, FCPublish or _checkbw.
            _ => Ok(()),
        }
    }

    fn status(&mut self, command: &Command) -> Result<(), ErrorKind> {
        let Some(info) = command.info().cloned() else { return Ok(()) };
        let code = info.get_str("code").unwrap_or_default();
        if code == "NetConnection.Connect.ReconnectRequest" {
            let tc_url = info.get_str("tcUrl").filter(|tc_url| !tc_url.is_empty());
            return self.push(ClientEvent::ReconnectRequest {
                tc_url: tc_url.map(|tc_url| url::resolve(&self.config.tc_url, tc_url)),
                description: self.text(&info, "description"),
            });
        }
        if redirect(&info).is_some() {
            return self.redirected(&info);
        }
        match self.state {
            State::Publishing if code == "NetStream.Publish.Start" => {
                self.state = State::Live;
                self.push(ClientEvent::PublishStarted { stream_id: self.stream_id })
            }
            State::Live if ends(&info) => self.ended(code, &info),
            State::Connecting if ends(&info) => self.connect_refused(&info),
            State::CreatingStream if ends(&info) => self.refused(Stage::CreateStream, &info),
            State::Publishing if CONNECTION_ENDS.contains(&code) => self.ended(code, &info),
            State::Publishing if ends(&info) => self.refused(Stage::Publish, &info),
            _ => Ok(()),
        }
    }

    fn connect_refused(&mut self, info: &Object) -> Result<(), ErrorKind> {
        if redirect(info).is_some() {
            return self.redirected(info);
        }
        let config = &self.config;
        if let Some((user, password)) = &config.login
            && config.login_progress.rounds < LOGIN_ROUNDS
        {
            let description = info.get_str("description").unwrap_or_default();
            if let auth::Next::Query(query) = auth::next(description, &config.app, user, password, &self.nonce) {
                let login_progress = LoginProgress { query, rounds: config.login_progress.rounds + 1 };
                let next = ClientConfig { login_progress, ..config.clone() };
                self.state = State::Over;
                return self.push(ClientEvent::Reconnect(Box::new(next)));
            }
        }
        self.refused(Stage::Connect, info)
    }

    fn refused(&mut self, stage: Stage, info: &Object) -> Result<(), ErrorKind> {
        self.state = State::Over;
        let (code, description) = (self.text(info, "code"), self.text(info, "description"));
        self.push(ClientEvent::Refused { stage, code, description })
    }

    fn redirected(&mut self, info: &Object) -> Result<(), ErrorKind> {
        let url = redirect(info).unwrap_or_default().into();
        self.state = State::Over;
        self.push(ClientEvent::Redirect { url })
    }

    /// The server closes: once it is asked to publish that ends the stream, before it is a refusal.
    fn ended(&mut self, code: &str, info: &Object) -> Result<(), ErrorKind> {
        let code = self.without_secrets(code);
        let description = self.text(info, "description");
        let stage = match self.state {
            State::Live | State::Publishing => None,
            State::CreatingStream => Some(Stage::CreateStream),
            State::Handshake | State::Connecting | State::Over => Some(Stage::Connect),
        };
        self.state = State::Over;
        self.push(match stage {
            None => ClientEvent::Closed { code, description },
            Some(stage) => ClientEvent::Refused { stage, code, description },
        })
    }

    fn push(&mut self, event: ClientEvent) -> Result<(), ErrorKind> {
        if self.events.len() >= EVENTS {
            return Err(ErrorKind::TooManyEvents(EVENTS));
        }
        self.events.push_back(event);
        Ok(())
    }

    fn call(&mut self, name: &str, transaction: f64, values: &[Value]) -> Result<(), ErrorKind> {
        self.link.send_command(Wrapping::Amf0, 0, name, transaction, values)
    }

    fn stream_name(&self) -> Value {
        Value::from(self.config.stream_name.expose())
    }

    /// A text of the server, which may repeat what we sent it.
    fn text(&self, info: &Object, name: &str) -> String {
        self.without_secrets(info.get_str(name).unwrap_or_default())
    }

    fn without_secrets(&self, text: &str) -> String {
        let name = self.config.stream_name.expose();
        let key = name.split('?').next().unwrap_or_default();
        let password = self.config.login.as_ref().map_or("", |(_, password)| password.expose());
        // In this order: what is taken out could join a secret's parts, and a cut could leave a part of one.
        let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
        for secret in [name, key, password] {
            if !secret.is_empty() {
                text = text.replace(secret, "…");
            }
        }
        text.chars().take(512).collect()
    }
}

/// Whether a FourCC is one of the audio codecs that Enhanced RTMP names (v2, "Enhanced Audio").
fn is_audio(code: &str) -> bool {
    ["ac-3", "ec-3", "Opus", ".mp3", "fLaC", "mp4a"].contains(&code)
}

/// Where a status object sends us: Flash Media Server's redirect, in `ex`.
fn redirect(info: &Object) -> Option<&str> {
    info.get("ex")?.as_object()?.get_str("redirect").filter(|url| !url.is_empty())
}

/// The server's own end, which says nothing of the stream that was asked for.
const CONNECTION_ENDS: [&str; 3] =
    ["NetConnection.Connect.AppShutdown", "NetConnection.Connect.Closed", "NetConnection.Connect.Failed"];

/// Whether a status says that there is no stream, or none any more. By code, and where that is unknown by level: viewers' and
/// recorders' troubles on the server's side are not ours.
fn ends(info: &Object) -> bool {
    let code = info.get_str("code").unwrap_or_default();
    let ours = !code.starts_with("NetStream.Record.") && !code.starts_with("NetStream.Play.");
    match code {
        "NetStream.Publish.BadName"
        | "NetStream.Publish.Denied"
        | "NetStream.Publish.Rejected"
        | "NetStream.Publish.Failed"
        | "NetStream.Unpublish.Success"
        | "NetStream.Failed"
        | "NetConnection.Connect.InvalidApp"
        | "NetConnection.Connect.Rejected" => true,
        _ if CONNECTION_ENDS.contains(&code) => true,
        _ => ours && info.get_str("level") == Some("error"),
    }
}
