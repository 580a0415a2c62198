//! What several behaviours' tests need: peers without sockets, and bytes as a raw peer would write them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]

use brookbox_rtmp::{
    ClientConfig, ClientEvent, ClientSession, Message, ServerConfig, ServerEvent, ServerSession,
    amf::{self, Object, Value},
    chunk::{self, Reader, Writer},
    handshake, kind,
};

pub const KEY: &str = "CAPTUREKEY0123456789";

/// A server that a test talks to with bytes of its own making.
pub struct RawPeer {
    pub server: ServerSession,
    pub writer: Writer,
    pub chunk_size: usize,
}

impl RawPeer {
    /// Past the handshake.
    pub fn new() -> Self {
        Self::with(ServerConfig::default())
    }

    pub fn with(config: ServerConfig) -> Self {
        let mut server = ServerSession::new(config, [7; 32]);
        server.handle_input(&handshake_bytes()).unwrap();
        drain(&mut server);
        Self { server, writer: Writer::new(), chunk_size: 128 }
    }

    /// Past `connect`.
    pub fn connected() -> Self {
        let mut peer = Self::new();
        peer.command(0, "connect", 1.0, &[Object::new().with("app", "live").into()]).unwrap();
        let events = peer.events();
        assert!(matches!(events[..], [ServerEvent::Connected { .. }]), "{events:?}");
        drain(&mut peer.server);
        peer
    }

    /// Past `createStream` and `publish`, with the request waiting.
    pub fn asking() -> Self {
        let mut peer = Self::connected();
        peer.command(0, "createStream", 2.0, &[Value::Null]).unwrap();
        peer.command(1, "publish", 3.0, &[Value::Null, KEY.into(), "live".into()]).unwrap();
        let events = peer.events();
        assert!(matches!(events[..], [ServerEvent::Publish { .. }]), "{events:?}");
        drain(&mut peer.server);
        peer
    }

    /// An accepted publisher.
    pub fn publishing() -> Self {
        let mut peer = Self::asking();
        peer.server.accept_publish();
        drain(&mut peer.server);
        peer
    }

    pub fn send(&mut self, csid: u32, message: &Message) -> Result<(), brookbox_rtmp::Error> {
        let mut bytes = Vec::new();
        self.writer.write(&mut bytes, csid, message, self.chunk_size);
        self.server.handle_input(&bytes)
    }

    pub fn command(
        &mut self,
        stream_id: u32,
        name: &str,
        transaction: f64,
        values: &[Value],
    ) -> Result<(), brookbox_rtmp::Error> {
        self.send(3, &command(stream_id, name, transaction, values))
    }

    pub fn control(&mut self, kind: u8, body: &[u8]) -> Result<(), brookbox_rtmp::Error> {
        self.send(2, &message(kind, 0, 0, body))
    }

    pub fn events(&mut self) -> Vec<ServerEvent> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }

    /// All that the server answered, as messages; it begins to be read anew at each call, which holds as long as the server
    /// writes type 0 headers only.
    pub fn answers(&mut self) -> Vec<Message> {
        let bytes = drain(&mut self.server);
        messages(&bytes, 65_536)
    }
}

/// C0, C1 and C2 of the simple handshake.
pub fn handshake_bytes() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend_from_slice(&[0; 2 * handshake::PACKET_LEN]);
    bytes
}

pub fn drain(server: &mut ServerSession) -> Vec<u8> {
    let bytes = server.output().to_vec();
    server.consume_output(bytes.len());
    bytes
}

pub fn message(kind: u8, stream_id: u32, timestamp: u32, body: &[u8]) -> Message {
    Message { kind, stream_id, timestamp, body: body.to_vec() }
}

pub fn command(stream_id: u32, name: &str, transaction: f64, values: &[Value]) -> Message {
    let mut body = Vec::new();
    amf::encode(&mut body, &name.into());
    amf::encode(&mut body, &transaction.into());
    values.iter().for_each(|value| amf::encode(&mut body, value));
    message(kind::COMMAND, stream_id, 0, &body)
}

/// Name, transaction id and the rest of a command message.
pub fn read_command(message: &Message) -> (String, f64, Vec<Value>) {
    let body = match message.kind {
        kind::COMMAND => &message.body[..],
        kind::COMMAND_AMF3 => &message.body[1..],
        kind => panic!("kind {kind} is no command"),
    };
    let mut values = amf::decode(body, amf::Limits::default()).unwrap();
    let rest = values.split_off(2);
    (values[0].as_str().unwrap().to_owned(), values[1].as_number().unwrap(), rest)
}

/// Names of commands and codes of statuses among messages, in order.
pub fn names(messages: &[Message]) -> Vec<String> {
    let commands = messages.iter().filter(|m| matches!(m.kind, kind::COMMAND | kind::COMMAND_AMF3)).map(read_command);
    commands
        .map(|(name, _, values)| {
            let code = values.iter().filter_map(Value::as_object).find_map(|object| object.get_str("code"));
            code.map_or(name.clone(), |code| format!("{name} {code}"))
        })
        .collect()
}

pub const GENEROUS: chunk::Limits = chunk::Limits { message: 0xff_ffff, unfinished: 1 << 30, chunk_streams: 1000 };

/// All messages in bytes that begin with a header; Set Chunk Size among them counts.
pub fn messages(bytes: &[u8], chunk_size: u32) -> Vec<Message> {
    let mut reader = Reader::new(GENEROUS);
    let mut first = Vec::new();
    chunk::write_message(&mut first, 2, kind::SET_CHUNK_SIZE, 0, 0, &chunk_size.to_be_bytes(), 128);
    reader.read(&mut &first[..]).unwrap();
    let mut rest = bytes;
    let messages = std::iter::from_fn(|| reader.read(&mut rest).unwrap()).collect();
    assert!(rest.is_empty());
    messages
}

/// A client and a server joined back to back. Time does not exist for either; only the order of bytes does.
pub struct Pair {
    pub client: ClientSession,
    pub server: ServerSession,
    pub client_events: Vec<ClientEvent>,
    pub server_events: Vec<ServerEvent>,
}

impl Pair {
    pub fn new(config: ClientConfig) -> Self {
        Self {
            client: ClientSession::new(config, [1; 32]),
            server: ServerSession::new(ServerConfig::default(), [2; 32]),
            client_events: Vec::new(),
            server_events: Vec::new(),
        }
    }

    /// Carries bytes both ways, at most `step()` at a time, until nobody has anything to say.
    pub fn run(&mut self, mut step: impl FnMut() -> usize) {
        loop {
            let up = step().max(1).min(self.client.output().len());
            let bytes = self.client.output()[..up].to_vec();
            self.client.consume_output(up);
            self.server.handle_input(&bytes).unwrap();
            self.server_events.extend(std::iter::from_fn(|| self.server.poll_event()));

            let down = step().max(1).min(self.server.output().len());
            let bytes = self.server.output()[..down].to_vec();
            self.server.consume_output(down);
            self.client.handle_input(&bytes).unwrap();
            self.client_events.extend(std::iter::from_fn(|| self.client.poll_event()));

            if up + down == 0 {
                return;
            }
        }
    }

    /// Writes a message of media as the session's user does.
    pub fn media(&mut self, csid: u8, message: &Message, chunk_size: usize) {
        assert!(self.client.output().is_empty());
        let mut bytes = Vec::new();
        let Message { kind, stream_id, timestamp, body } = message;
        chunk::write_message(&mut bytes, csid, *kind, *stream_id, *timestamp, body, chunk_size);
        self.server.handle_input(&bytes).unwrap();
        self.server_events.extend(std::iter::from_fn(|| self.server.poll_event()));
    }
}

/// What a test compares of an event.
pub fn shown(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Publish { app, key, query, .. } => format!("Publish {app} {} {query}", key.expose()),
        ServerEvent::Play { app, key, query, .. } => format!("Play {app} {} {query}", key.expose()),
        ServerEvent::Connected { app, tc_url, .. } => format!("Connected {app} {tc_url}"),
        event => format!("{event:?}"),
    }
}

/// A client that a test answers by hand.
pub struct RawServer {
    pub client: ClientSession,
}

impl RawServer {
    /// Past the handshake; `connect` is out.
    pub fn new(config: ClientConfig) -> Self {
        let mut client = ClientSession::new(config, [9; 32]);
        assert_eq!(client.output().len(), 1 + handshake::PACKET_LEN);
        client.consume_output(1 + handshake::PACKET_LEN);
        client.handle_input(&handshake_bytes()).unwrap();
        client.consume_output(handshake::PACKET_LEN);
        Self { client }
    }

    /// `publish` is out; the stream id is 5.
    pub fn publishing(config: ClientConfig) -> Self {
        let mut server = Self::new(config);
        server.answer("_result", 1.0, &[Object::new().into(), status("status", "NetConnection.Connect.Success")]);
        server.answer("_result", 4.0, &[Value::Null, 5.0.into()]);
        assert!(matches!(server.events()[..], [ClientEvent::Connected, ClientEvent::PublishSent]));
        server.sent();
        server
    }

    /// The stream runs.
    pub fn live(config: ClientConfig) -> Self {
        let mut server = Self::publishing(config);
        server.answer("onStatus", 0.0, &[Value::Null, status("status", "NetStream.Publish.Start")]);
        assert!(matches!(server.events()[..], [ClientEvent::PublishStarted { stream_id: 5 }]));
        server
    }

    pub fn answer(&mut self, name: &str, transaction: f64, values: &[Value]) {
        self.send(&command(0, name, transaction, values)).unwrap();
    }

    pub fn send(&mut self, message: &Message) -> Result<(), brookbox_rtmp::Error> {
        let mut bytes = Vec::new();
        chunk::write_message(&mut bytes, 3, message.kind, message.stream_id, 0, &message.body, 128);
        self.client.handle_input(&bytes)
    }

    pub fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// What the client sent since the last call. 128 is the chunk size until its own Set Chunk Size.
    pub fn sent(&mut self) -> Vec<Message> {
        let bytes = self.client.output().to_vec();
        self.client.consume_output(bytes.len());
        messages(&bytes, 128)
    }
}

pub fn status(level: &str, code: &str) -> Value {
    Object::new().with("level", level).with("code", code).with("description", "In words.").into()
}
