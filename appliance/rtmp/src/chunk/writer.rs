//! Messages to bytes.

use super::EXTENDED;
use crate::Message;

/// Type 0 header for a message: the bytes and how many of them count (12, or 16 with an extended timestamp).
///
/// `csid` is 2 to 63 (others are brought into that range), `timestamp` in milliseconds, `body_len` below 2^24.
#[must_use]
pub fn header(csid: u8, kind: u8, stream_id: u32, timestamp: u32, body_len: usize) -> ([u8; 16], usize) {
    let [_, t0, t1, t2] = timestamp.min(EXTENDED).to_be_bytes();
    let [_, l0, l1, l2] = len_u32(body_len).to_be_bytes();
    let [s0, s1, s2, s3] = stream_id.to_le_bytes();
    let [e0, e1, e2, e3] = timestamp.to_be_bytes();
    let csid = csid.clamp(2, 63);
    let bytes = [csid, t0, t1, t2, l0, l1, l2, kind, s0, s1, s2, s3, e0, e1, e2, e3];
    (bytes, if timestamp >= EXTENDED { 16 } else { 12 })
}

/// Appends a message in chunks: one type 0 header, then type 3 headers that repeat an extended timestamp (RTMP 1.0 §5.3.1.3).
/// Depends on nothing sent before on the chunk stream.
///
/// The arguments are those of [`header`]; a `chunk_size` of 0 is taken as 1. The body is cut at 2^24 − 1 bytes.
pub fn write_message(
    out: &mut Vec<u8>,
    csid: u8,
    kind: u8,
    stream_id: u32,
    timestamp: u32,
    body: &[u8],
    chunk_size: usize,
) {
    let body = body.get(..EXTENDED as usize).unwrap_or(body);
    out.reserve(encoded_len(body.len(), timestamp, chunk_size));
    let (first, len) = header(csid, kind, stream_id, timestamp, body.len());
    out.extend_from_slice(first.get(..len).unwrap_or_default());
    let chunk_size = chunk_size.max(1);
    let (now, rest) = body.split_at(chunk_size.min(body.len()));
    out.extend_from_slice(now);
    for chunk in rest.chunks(chunk_size) {
        out.push(0xc0 | csid.clamp(2, 63));
        if timestamp >= EXTENDED {
            out.extend_from_slice(&timestamp.to_be_bytes());
        }
        out.extend_from_slice(chunk);
    }
}

/// Bytes that [`write_message`] appends.
#[must_use]
pub fn encoded_len(body_len: usize, timestamp: u32, chunk_size: usize) -> usize {
    let (first, following) = if timestamp >= EXTENDED { (16, 5) } else { (12, 1) };
    let body_len = body_len.min(EXTENDED as usize);
    first + body_len + body_len.div_ceil(chunk_size.max(1)).saturating_sub(1) * following
}

/// Writes messages with the shortest headers that the specification allows, which depend on the messages before.
#[derive(Debug, Default)]
pub struct Writer {
    streams: Vec<Sent>,
}

/// The last message of a chunk stream.
#[derive(Debug, Clone, Copy)]
struct Sent {
    csid: u32,
    kind: u8,
    stream_id: u32,
    len: u32,
    timestamp: u32,
    /// What was in the timestamp field: the time after type 0, the difference after the others.
    field: u32,
}

impl Writer {
    /// A writer at the beginning of the chunk stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The chunks of a message, to be written one by one. Those of messages on other chunk streams may come in between, those
    /// of another message on the same one may not.
    ///
    /// `csid` is 2 to 65,599 (others are brought into that range).
    pub fn chunks<'m>(&mut self, csid: u32, message: &'m Message) -> Chunks<'m> {
        let csid = csid.clamp(2, 65_599);
        let body = message.body.get(..EXTENDED as usize).unwrap_or(&message.body);
        let mut sent = Sent {
            csid,
            kind: message.kind,
            stream_id: message.stream_id,
            len: len_u32(body.len()),
            timestamp: message.timestamp,
            field: message.timestamp,
        };
        let last = self.streams.iter_mut().find(|last| last.csid == csid);
        let mut format = 0;
        if let Some(last) = &last
            && last.stream_id == sent.stream_id
            && last.timestamp <= sent.timestamp
        {
            sent.field = sent.timestamp - last.timestamp;
            format = match (last.kind == sent.kind && last.len == sent.len, last.field == sent.field) {
                (false, _) => 1,
                (true, false) => 2,
                (true, true) => 3,
            };
        }
        match last {
            Some(last) => *last = sent,
            None => self.streams.push(sent),
        }
        Chunks { sent, format, first: true, rest: body }
    }

    /// Appends a whole message.
    pub fn write(&mut self, out: &mut Vec<u8>, csid: u32, message: &Message, chunk_size: usize) {
        let mut chunks = self.chunks(csid, message);
        while chunks.write_next(out, chunk_size) {}
    }
}

/// The chunks of one message; see [`Writer::chunks`].
#[derive(Debug)]
pub struct Chunks<'m> {
    sent: Sent,
    format: u8,
    first: bool,
    rest: &'m [u8],
}

impl Chunks<'_> {
    /// Whether all has been written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.first && self.rest.is_empty()
    }

    /// Appends the next chunk; `false` if there was none left. A `chunk_size` of 0 is taken as 1.
    pub fn write_next(&mut self, out: &mut Vec<u8>, chunk_size: usize) -> bool {
        if self.is_done() {
            return false;
        }
        self.header(out);
        self.first = false;
        let (now, rest) = self.rest.split_at(chunk_size.max(1).min(self.rest.len()));
        out.extend_from_slice(now);
        self.rest = rest;
        true
    }

    fn header(&self, out: &mut Vec<u8>) {
        let format = if self.first { self.format } else { 3 };
        basic_header(out, format, self.sent.csid);
        let [_, t0, t1, t2] = self.sent.field.min(EXTENDED).to_be_bytes();
        if format <= 2 {
            out.extend_from_slice(&[t0, t1, t2]);
        }
        if format <= 1 {
            let [_, l0, l1, l2] = self.sent.len.to_be_bytes();
            out.extend_from_slice(&[l0, l1, l2, self.sent.kind]);
        }
        if format == 0 {
            out.extend_from_slice(&self.sent.stream_id.to_le_bytes());
        }
        if self.sent.field >= EXTENDED {
            out.extend_from_slice(&self.sent.field.to_be_bytes());
        }
    }
}

/// §5.3.1.1.
fn basic_header(out: &mut Vec<u8>, format: u8, csid: u32) {
    let [_, _, high, low] = csid.saturating_sub(64).to_be_bytes();
    match csid {
        2..=63 => {
            let [.., csid] = csid.to_be_bytes();
            out.push(format << 6 | csid);
        }
        64..=319 => out.extend_from_slice(&[format << 6, low]),
        _ => out.extend_from_slice(&[format << 6 | 1, low, high]),
    }
}

fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(EXTENDED).min(EXTENDED)
}
