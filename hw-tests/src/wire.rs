//! Just enough RTMP to be a sink with a stopwatch, a server that misbehaves, or a hostile client.
//!
//! Written apart from the box's own RTMP, so that a misunderstanding there is not shared here. It trusts its peer: a
//! broken peer is an error, which is a failed case.

mod amf;
mod server;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

pub use amf::{Amf, decode, encode};
pub use server::{Heard, Server};

/// Message types used here.
pub mod kind {
    /// Set Chunk Size.
    pub const CHUNK_SIZE: u8 = 1;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User control, such as pings.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW: u8 = 5;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// AMF0 data.
    pub const DATA: u8 = 18;
    /// AMF0 command.
    pub const COMMAND: u8 = 20;
}

/// Bytes of each of the handshake's large messages.
pub const HANDSHAKE: usize = 1536;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Type.
    pub kind: u8,
    /// Message stream.
    pub stream_id: u32,
    /// Milliseconds.
    pub timestamp: u32,
    /// Everything after the headers.
    pub body: Vec<u8>,
}

impl Message {
    /// Whether it is a coded picture, not a configuration record or an end.
    #[must_use]
    pub fn is_picture(&self) -> bool {
        let [first, second, ..] = self.body[..] else { return false };
        if self.kind != kind::VIDEO {
            return false;
        }
        // Enhanced: packet types 1 and 3 carry frames. Legacy AVC: the second byte says 1.
        if first & 0x80 == 0 { second == 1 } else { matches!(first & 0x0f, 1 | 3) }
    }

    /// A short value that tells it from other messages: length and both ends of its body.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let ends = self.body.iter().take(48).chain(self.body.iter().rev().take(48));
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(self.kind) ^ ((self.body.len() as u64) << 8);
        for byte in ends {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash
    }
}

/// Puts messages together from chunks.
#[derive(Debug)]
pub struct Reader {
    chunk_size: usize,
    buffer: Vec<u8>,
    start: usize,
    streams: HashMap<u32, Assembly>,
    taken: u64,
}

#[derive(Debug, Default)]
struct Assembly {
    timestamp: u32,
    delta: u32,
    length: usize,
    kind: u8,
    stream_id: u32,
    extended: bool,
    body: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { chunk_size: 128, buffer: Vec::new(), start: 0, streams: HashMap::new(), taken: 0 }
    }
}

impl Reader {
    /// Adds bytes as they came from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.taken += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message. Set Chunk Size is obeyed and also given.
    ///
    /// # Errors
    /// The peer breaks the protocol.
    pub fn message(&mut self) -> Result<Option<Message>> {
        while let Some((taken, whole)) = self.chunk()? {
            self.start += taken;
            if let Some(message) = whole {
                if message.kind == kind::CHUNK_SIZE {
                    let size = u32::from_be_bytes(message.body[..4].try_into()?);
                    ensure!(size > 0 && size < 1 << 31, "chunk size {size}");
                    self.chunk_size = size as usize;
                }
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Reads one chunk if all of it is there: how many bytes it has, and the message if it ends one.
    fn chunk(&mut self) -> Result<Option<(usize, Option<Message>)>> {
        let bytes = &self.buffer[self.start..];
        let mut cursor = Cursor { bytes, at: 0 };
        let Some(first) = cursor.number(1) else { return Ok(None) };
        let csid = match first & 0x3f {
            0 => cursor.number(1).map(|n| 64 + n),
            1 => cursor.number_le(2).map(|n| 64 + n),
            n => Some(n),
        };
        let Some(csid) = csid else { return Ok(None) };
        let format = first >> 6;
        let stream = self.streams.entry(csid).or_default();
        let (mut time, mut length, mut kind, mut stream_id) = (None, stream.length, stream.kind, stream.stream_id);
        if format < 3 {
            let Some(n) = cursor.number(3) else { return Ok(None) };
            time = Some(n);
        }
        if format < 2 {
            let (Some(l), Some(k)) = (cursor.number(3), cursor.number(1)) else { return Ok(None) };
            (length, kind) = (l as usize, u8::try_from(k)?);
        }
        if format < 1 {
            let Some(id) = cursor.number_le(4) else { return Ok(None) };
            stream_id = id;
        }
        let extended = time.map_or(stream.extended, |time| time == 0xff_ffff);
        if extended {
            let Some(n) = cursor.number(4) else { return Ok(None) };
            time = time.map(|_| n);
        }
        let missing = length - stream.body.len().min(length);
        let size = missing.min(self.chunk_size);
        let Some(part) = cursor.take(size) else { return Ok(None) };
        if stream.body.is_empty() {
            match (format, time) {
                (0, Some(time)) => (stream.timestamp, stream.delta) = (time, 0),
                (_, Some(delta)) => {
                    stream.delta = delta;
                    stream.timestamp = stream.timestamp.wrapping_add(delta);
                }
                (_, None) => stream.timestamp = stream.timestamp.wrapping_add(stream.delta),
            }
        } else {
            ensure!(format == 3, "a chunk of format {format} inside a message on chunk stream {csid}");
        }
        (stream.length, stream.kind, stream.stream_id, stream.extended) = (length, kind, stream_id, extended);
        stream.body.extend_from_slice(part);
        let whole = (stream.body.len() == length).then(|| Message {
            kind,
            stream_id,
            timestamp: stream.timestamp,
            body: std::mem::take(&mut stream.body),
        });
        Ok(Some((cursor.at, whole)))
    }
}

/// A message as chunks of `chunk_size` on one chunk stream, with a full header.
#[must_use]
pub fn chunks(csid: u8, message: &Message, chunk_size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.body.len() + 32);
    let extended = message.timestamp >= 0xff_ffff;
    let length = u32::try_from(message.body.len()).expect("messages are small");
    out.push(csid & 0x3f);
    out.extend_from_slice(&message.timestamp.min(0xff_ffff).to_be_bytes()[1..]);
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.push(message.kind);
    out.extend_from_slice(&message.stream_id.to_le_bytes());
    for (n, part) in message.body.chunks(chunk_size).enumerate() {
        if n > 0 {
            out.push(0xc0 | csid);
        }
        if extended {
            out.extend_from_slice(&message.timestamp.to_be_bytes());
        }
        out.extend_from_slice(part);
    }
    out
}

/// One connection: blocking, messages in and out.
#[derive(Debug)]
pub struct Wire {
    /// The socket.
    pub socket: TcpStream,
    reader: Reader,
    scratch: Vec<u8>,
    chunk_size_out: usize,
    acknowledged: u64,
}

impl Wire {
    /// Takes the server's part of the handshake.
    ///
    /// # Errors
    /// The peer goes away.
    pub fn accept(mut socket: TcpStream) -> Result<Self> {
        let mut hello = [0; 1 + HANDSHAKE];
        socket.read_exact(&mut hello).context("C0 and C1")?;
        ensure!(hello[0] == 3, "C0 says version {}", hello[0]);
        let mut answer = vec![3];
        answer.extend_from_slice(&[0; HANDSHAKE]);
        answer.extend_from_slice(&hello[1..]);
        socket.write_all(&answer)?;
        socket.read_exact(&mut hello[1..]).context("C2")?;
        Ok(Self::over(socket))
    }

    /// Takes the client's part of the (simple) handshake.
    ///
    /// # Errors
    /// The peer goes away.
    pub fn connect(address: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut hello = vec![3];
        hello.extend_from_slice(&[0; HANDSHAKE]);
        socket.write_all(&hello)?;
        let mut answer = vec![0; 1 + 2 * HANDSHAKE];
        socket.read_exact(&mut answer).context("S0, S1 and S2")?;
        socket.write_all(&answer[1..=HANDSHAKE])?;
        Ok(Self::over(socket))
    }

    /// A connection whose handshake is done, or that has none.
    #[must_use]
    pub fn over(socket: TcpStream) -> Self {
        Self { socket, reader: Reader::default(), scratch: vec![0; 64 << 10], chunk_size_out: 128, acknowledged: 0 }
    }

    /// The socket, what was read of it and not used, and the chunk size that the peer uses.
    fn into_parts(self) -> (TcpStream, Vec<u8>, usize) {
        (self.socket, self.reader.buffer[self.reader.start..].to_vec(), self.reader.chunk_size)
    }

    /// The next message, or `None` at the end of the connection.
    ///
    /// # Errors
    /// A broken protocol, or a read that timed out.
    pub fn message(&mut self) -> Result<Option<Message>> {
        loop {
            if let Some(message) = self.reader.message()? {
                return Ok(Some(message));
            }
            match self.socket.read(&mut self.scratch) {
                Ok(0) => return Ok(None),
                Ok(count) => self.reader.push(&self.scratch[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn send(&mut self, csid: u8, message: &Message) -> Result<()> {
        let bytes = chunks(csid, message, self.chunk_size_out);
        if message.kind == kind::CHUNK_SIZE {
            self.chunk_size_out = u32::from_be_bytes(message.body[..4].try_into()?) as usize;
        }
        Ok(self.socket.write_all(&bytes)?)
    }

    /// Sends a command on a message stream.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn command(&mut self, stream_id: u32, values: &[Amf]) -> Result<()> {
        self.send(3, &Message { kind: kind::COMMAND, stream_id, timestamp: 0, body: encode(values) })
    }

    /// Sends Set Chunk Size.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<()> {
        self.send(2, &Message { kind: kind::CHUNK_SIZE, stream_id: 0, timestamp: 0, body: size.to_be_bytes().to_vec() })
    }

    /// Sends an Acknowledgement when half a megabyte has come since the last one.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn acknowledge(&mut self) -> Result<()> {
        let taken = self.reader.taken;
        if taken - self.acknowledged < 500_000 {
            return Ok(());
        }
        self.acknowledged = taken;
        // The sequence number is 32 bits wide and wraps.
        let body = (taken & 0xffff_ffff).to_be_bytes()[4..].to_vec();
        self.send(2, &Message { kind: kind::ACKNOWLEDGEMENT, stream_id: 0, timestamp: 0, body })
    }

    /// Goes through connect, createStream and publish; gives the server's last status code.
    ///
    /// # Errors
    /// The server goes away or does not answer.
    pub fn publish(&mut self, app: &str, key: &str) -> Result<String> {
        self.say_connect(app)?;
        self.command(0, &[Amf::text("createStream"), Amf::Number(2.0), Amf::Null])?;
        let mut asked = false;
        loop {
            let message = self.message()?.context("the server closed before it answered publish")?;
            if message.kind != kind::COMMAND {
                continue;
            }
            let values = decode(&message.body)?;
            let code = values.get(3).and_then(|info| info.field("code")).and_then(Amf::as_text).unwrap_or_default();
            match values.first().and_then(Amf::as_text) {
                Some("_result") if values.get(1) == Some(&Amf::Number(2.0)) && !asked => {
                    asked = true;
                    self.command(
                        1,
                        &[Amf::text("publish"), Amf::Number(3.0), Amf::Null, Amf::text(key), Amf::text("live")],
                    )?;
                }
                Some("onStatus" | "_error") => return Ok(code.to_owned()),
                _ => {}
            }
        }
    }

    /// Sends `connect`.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn say_connect(&mut self, app: &str) -> Result<()> {
        let url = format!("rtmp://{}/{app}", self.socket.peer_addr()?);
        self.command(
            0,
            &[
                Amf::text("connect"),
                Amf::Number(1.0),
                Amf::object(&[
                    ("app", Amf::text(app)),
                    ("type", Amf::text("nonprivate")),
                    ("flashVer", Amf::text("FMLE/3.0 (compatible; hw-tests)")),
                    ("tcUrl", Amf::text(&url)),
                ]),
            ],
        )
    }

    /// Ends a publication as a planned stop.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn unpublish(&mut self, key: &str) -> Result<()> {
        self.command(0, &[Amf::text("FCUnpublish"), Amf::Number(6.0), Amf::Null, Amf::text(key)])?;
        self.command(0, &[Amf::text("deleteStream"), Amf::Number(7.0), Amf::Null, Amf::Number(1.0)])
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let part = self.bytes.get(self.at..self.at + count)?;
        self.at += count;
        Some(part)
    }

    fn number(&mut self, bytes: usize) -> Option<u32> {
        Some(self.take(bytes)?.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
    }

    fn number_le(&mut self, bytes: usize) -> Option<u32> {
        Some(self.take(bytes)?.iter().rev().fold(0, |n, byte| n << 8 | u32::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, timestamp: u32, length: usize) -> Message {
        let body = (0..length).map(|n| u8::try_from(n % 251).expect("small")).collect();
        Message { kind, stream_id: 1, timestamp, body }
    }

    #[test]
    fn chunks_come_back_as_messages_however_they_are_cut() {
        let sent = [message(9, 0, 5000), message(8, 23, 100), message(9, 0xff_ffff, 300), message(9, 0x100_0000, 129)];
        let bytes: Vec<u8> = sent.iter().zip([6, 4, 6, 6]).flat_map(|(m, csid)| chunks(csid, m, 128)).collect();
        for cut in [1, 7, 128, 10_000] {
            let mut reader = Reader::default();
            let mut got = Vec::new();
            for part in bytes.chunks(cut) {
                reader.push(part);
                while let Some(message) = reader.message().expect("well formed") {
                    got.push(message);
                }
            }
            assert_eq!(got, sent);
        }
    }

    #[test]
    fn interleaved_chunks_and_deltas_are_put_together() {
        let mut bytes = chunks(6, &message(9, 40, 200), 128);
        // Audio between the two chunks of a picture: the picture has 12 + 128 bytes before its second chunk.
        bytes.splice(140..140, chunks(4, &message(8, 41, 10), 128));
        // Format 2 with a delta of 20, then format 3, which starts a message with the same delta.
        bytes.extend([0x80 | 4, 0, 0, 20]);
        bytes.extend([7; 10]);
        bytes.push(0xc0 | 4);
        bytes.extend([8; 10]);
        let mut reader = Reader::default();
        reader.push(&bytes);
        let mut got = Vec::new();
        while let Some(message) = reader.message().expect("well formed") {
            got.push((message.kind, message.timestamp, message.body.len()));
        }
        assert_eq!(got, [(8, 41, 10), (9, 40, 200), (8, 61, 10), (8, 81, 10)]);
    }

    #[test]
    fn a_client_and_a_server_of_ours_understand_each_other() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound").to_string();
        let server = std::thread::spawn(move || {
            let mut server = Server::accept(listener.accept().expect("a peer").0).expect("handshake");
            let mut heard = Vec::new();
            while let Some(one) = server.hear().expect("well formed") {
                heard.push(match one {
                    Heard::Connect(object) => object.field("app").and_then(Amf::as_text).unwrap_or("?").to_owned(),
                    Heard::CreateStream => "create".into(),
                    Heard::Publish(key) => key,
                    Heard::Unpublish => "end".into(),
                    Heard::Media(message, _) => format!("{} bytes", message.body.len()),
                });
            }
            heard
        });
        let mut client = Wire::connect(&address).expect("connects");
        assert_eq!(client.publish("live", "key").expect("answered"), "NetStream.Publish.Start");
        client.send(6, &message(9, 0, 700)).expect("sent");
        client.unpublish("key").expect("sent");
        drop(client);
        assert_eq!(server.join().expect("ends"), ["live", "create", "key", "700 bytes", "end", "end"]);
    }
}
