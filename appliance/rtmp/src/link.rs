//! What both ends of a connection do alike: handshake, chunks, acknowledgements, pings, and the bytes to be written.

use crate::{
    Error, ErrorKind, Message,
    amf::{Object, Value},
    chunk::{self, CSID_COMMAND, CSID_CONTROL, DEFAULT_CHUNK_SIZE, Reader},
    command::{self, Wrapping},
    handshake,
    message::{kind, user_control},
};
use zeroize::Zeroize;

/// Acknowledgement window until the peer names one. Some publishers never do, and still stop without acknowledgements.
const DEFAULT_WINDOW: u32 = 2_500_000;

/// "Dynamic" in Set Peer Bandwidth (RTMP 1.0 §5.4.5): what all servers send.
const BANDWIDTH_DYNAMIC: u8 = 2;

#[derive(Debug)]
pub(crate) struct Link {
    opening: Opening,
    reader: Reader,
    pub(crate) out: Output,
    out_chunk_size: u32,
    /// Bytes taken from the peer, all in all: where an error is.
    taken: u64,
    /// Bytes of chunks taken: what acknowledgements count.
    received: u64,
    acknowledged: u64,
    window: u32,
    /// Window Acknowledgement Size we last sent.
    own_window: u32,
}

#[derive(Debug)]
enum Opening {
    Server(handshake::Server),
    Client(handshake::Client),
    Done,
}

/// What a peer sent that is not settled here.
pub(crate) enum Incoming {
    Message(Message),
    /// Acknowledgement with its sequence number.
    Acknowledged(u32),
}

impl Link {
    pub(crate) fn server(random: [u8; 32], limits: chunk::Limits, output: usize) -> Self {
        Self::new(Opening::Server(handshake::Server::new(random)), limits, Output::new(output))
    }

    pub(crate) fn client(form: handshake::Form, random: [u8; 32], limits: chunk::Limits, output: usize) -> Self {
        let mut out = Output::new(output);
        let client = handshake::Client::new(form, random, &mut out.bytes);
        Self::new(Opening::Client(client), limits, out)
    }

    fn new(opening: Opening, limits: chunk::Limits, out: Output) -> Self {
        Self {
            opening,
            reader: Reader::new(limits),
            out,
            out_chunk_size: DEFAULT_CHUNK_SIZE,
            taken: 0,
            received: 0,
            acknowledged: 0,
            window: DEFAULT_WINDOW,
            own_window: 0,
        }
    }

    /// Whether chunks may be exchanged.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.opening, Opening::Done)
    }

    /// Takes bytes for the handshake, as long as it lasts. `true` when it is over.
    pub(crate) fn open(&mut self, input: &mut &[u8]) -> Result<bool, ErrorKind> {
        let before = input.len();
        let done = match &mut self.opening {
            Opening::Server(server) => server.handle(input, &mut self.out.bytes),
            Opening::Client(client) => client.handle(input, &mut self.out.bytes),
            Opening::Done => Ok(true),
        };
        self.taken += (before - input.len()) as u64;
        if done? {
            self.opening = Opening::Done;
        }
        self.out.check()?;
        Ok(self.is_open())
    }

    /// Takes bytes until there is something to be dealt with.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, ErrorKind> {
        loop {
            let before = input.len();
            let message = self.reader.read(input);
            self.taken += (before - input.len()) as u64;
            self.received += (before - input.len()) as u64;
            let Some(message) = message? else { break };
            match message.kind {
                kind::SET_CHUNK_SIZE | kind::ABORT => {}
                kind::ACKNOWLEDGEMENT => return Ok(Some(Incoming::Acknowledged(u32::from_be_bytes(head(&message)?)))),
                kind::USER_CONTROL => self.user_control(&message)?,
                kind::WINDOW_ACK_SIZE => {
                    // A window of 0 would ask for an acknowledgement of nothing.
                    match u32::from_be_bytes(head(&message)?) {
                        0 => {}
                        window => self.window = window,
                    }
                }
                kind::PEER_BANDWIDTH => {
                    // §5.4.5: answered by our own window where that differs from the last one sent.
                    let window = u32::from_be_bytes(head(&message)?);
                    if window != self.own_window && window != 0 {
                        self.send_window(window)?;
                    }
                }
                _ => return Ok(Some(Incoming::Message(message))),
            }
        }
        self.acknowledge()?;
        Ok(None)
    }

    pub(crate) fn set_limits(&mut self, limits: chunk::Limits, output: usize) {
        self.reader.set_limits(limits);
        self.out.limit = output;
    }

    pub(crate) fn fail(&self, kind: ErrorKind) -> Error {
        Error { at: self.taken, kind }
    }

    pub(crate) fn missing(&self) -> usize {
        self.reader.missing()
    }

    pub(crate) fn buffered(&self) -> usize {
        let opening = match &self.opening {
            Opening::Server(server) => server.buffered(),
            Opening::Client(client) => client.buffered(),
            Opening::Done => 0,
        };
        opening + self.reader.buffered() + self.out.bytes.capacity()
    }

    pub(crate) fn send_command(
        &mut self,
        wrapping: Wrapping,
        stream_id: u32,
        name: &str,
        transaction: f64,
        values: &[Value],
    ) -> Result<(), ErrorKind> {
        let (kind, mut body) = command::encode(wrapping, name, transaction, values);
        let sent = self.send(CSID_COMMAND, kind, stream_id, &body);
        body.zeroize();
        sent
    }

    /// `onStatus` on a message stream.
    pub(crate) fn send_status(&mut self, wrapping: Wrapping, stream_id: u32, info: Object) -> Result<(), ErrorKind> {
        self.send_command(wrapping, stream_id, "onStatus", 0.0, &[Value::Null, info.into()])
    }

    /// Applies to everything that is sent after it.
    pub(crate) fn send_chunk_size(&mut self, size: u32) -> Result<(), ErrorKind> {
        let size = size.clamp(1, 0x00ff_ffff);
        self.send_control(kind::SET_CHUNK_SIZE, &size.to_be_bytes())?;
        self.out_chunk_size = size;
        Ok(())
    }

    pub(crate) fn send_window(&mut self, window: u32) -> Result<(), ErrorKind> {
        self.own_window = window;
        self.send_control(kind::WINDOW_ACK_SIZE, &window.to_be_bytes())
    }

    pub(crate) fn send_peer_bandwidth(&mut self, window: u32) -> Result<(), ErrorKind> {
        let [w0, w1, w2, w3] = window.to_be_bytes();
        self.send_control(kind::PEER_BANDWIDTH, &[w0, w1, w2, w3, BANDWIDTH_DYNAMIC])
    }

    pub(crate) fn send_user_control(&mut self, event: u16, value: u32) -> Result<(), ErrorKind> {
        let ([e0, e1], [v0, v1, v2, v3]) = (event.to_be_bytes(), value.to_be_bytes());
        self.send_control(kind::USER_CONTROL, &[e0, e1, v0, v1, v2, v3])
    }

    fn send_control(&mut self, kind: u8, body: &[u8]) -> Result<(), ErrorKind> {
        self.send(CSID_CONTROL, kind, 0, body)
    }

    fn send(&mut self, csid: u8, kind: u8, stream_id: u32, body: &[u8]) -> Result<(), ErrorKind> {
        chunk::write_message(&mut self.out.bytes, csid, kind, stream_id, 0, body, self.out_chunk_size as usize);
        self.out.check()
    }

    fn user_control(&mut self, message: &Message) -> Result<(), ErrorKind> {
        if u16::from_be_bytes(head(message)?) == user_control::PING_REQUEST {
            let [_, _, t0, t1, t2, t3] = head(message)?;
            self.send_user_control(user_control::PING_RESPONSE, u32::from_be_bytes([t0, t1, t2, t3]))?;
        }
        Ok(())
    }

    /// §5.4.3: the specification asks for one a window; at half of it a peer that stops at the whole never has to. The sequence
    /// number is the count modulo 2^32. While an earlier one is not written it waits, since the next says all that it would:
    /// some publishers never read, and are not to be ended by what piles up for them.
    fn acknowledge(&mut self) -> Result<(), ErrorKind> {
        if self.received - self.acknowledged < u64::from(self.window).div_ceil(2) || !self.out.bytes().is_empty() {
            return Ok(());
        }
        self.acknowledged = self.received;
        #[expect(clippy::cast_possible_truncation, reason = "the sequence number wraps")]
        let sequence = self.received as u32;
        self.send_control(kind::ACKNOWLEDGEMENT, &sequence.to_be_bytes())
    }
}

/// The first bytes of a control message.
fn head<const N: usize>(message: &Message) -> Result<[u8; N], ErrorKind> {
    let short = ErrorKind::ControlLength { kind: message.kind, len: message.body.len(), expected: N };
    message.body.first_chunk().copied().ok_or(short)
}

/// Bytes to be written to the peer.
#[derive(Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    written: usize,
    limit: usize,
}

impl Output {
    fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), written: 0, limit }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.written = self.written.saturating_add(n).min(self.bytes.len());
        // Kept short at a cost that the bytes written have paid for.
        if self.written * 2 >= self.bytes.len() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }

    fn check(&self) -> Result<(), ErrorKind> {
        if self.bytes().len() > self.limit { Err(ErrorKind::TooMuchOutput(self.limit)) } else { Ok(()) }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // A stream name may be among them.
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: chunk::Limits = chunk::Limits { message: 1 << 16, unfinished: 1 << 20, chunk_streams: 8 };

    #[test]
    fn acknowledgements_count_modulo_2_to_the_32() {
        let mut link = Link::server([0; 32], LIMITS, 1 << 16);
        link.opening = Opening::Done;
        link.window = 1000;
        link.received = u64::from(u32::MAX) - 100;
        link.acknowledged = link.received;
        let mut bytes = Vec::new();
        chunk::write_message(&mut bytes, 4, 8, 1, 0, &[0; 600], 128);
        assert_eq!(bytes.len(), 616);
        assert!(matches!(link.next(&mut &bytes[..]), Ok(Some(Incoming::Message(_)))));
        assert!(matches!(link.next(&mut &[][..]), Ok(None)));
        let mut answer = Vec::new();
        chunk::write_message(&mut answer, 2, kind::ACKNOWLEDGEMENT, 0, 0, &515u32.to_be_bytes(), 128);
        assert_eq!(link.out.bytes(), answer);
    }

    #[test]
    fn output_is_kept_short() {
        let mut out = Output::new(100);
        for n in 0..10_000u32 {
            out.bytes.extend_from_slice(&n.to_be_bytes());
            if n > 10 {
                assert_eq!(out.bytes().first_chunk(), Some(&(n - 11).to_be_bytes()));
                out.consume(4);
            }
        }
        assert!(out.bytes.capacity() <= 256, "{}", out.bytes.capacity());
        assert_eq!(out.check(), Ok(()));
        out.bytes.extend_from_slice(&[0; 100]);
        assert_eq!(out.check(), Err(ErrorKind::TooMuchOutput(100)));
        out.consume(usize::MAX);
        assert_eq!(out.bytes(), []);
    }
}
