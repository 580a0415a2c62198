//! Bytes to messages.

use super::{DEFAULT_CHUNK_SIZE, EXTENDED};
use crate::{ErrorKind, Message, message::kind};

/// How much one peer may make a [`Reader`] hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, bytes.
    pub message: usize,
    /// Memory for the unfinished messages of all chunk streams together, bytes.
    pub unfinished: usize,
    /// Chunk streams in use.
    pub chunk_streams: usize,
}

/// Puts messages together.
///
/// Memory grows with the bytes that arrive, never with those a header announces.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    chunk_size: usize,
    /// Bytes of a header that is not complete yet.
    held: Held,
    streams: Vec<Stream>,
    /// The chunk being read: index into `streams`, bytes it still has.
    current: Option<(usize, usize)>,
    /// Memory that unfinished messages take, bytes.
    unfinished: usize,
    /// What of it is filled.
    filled: usize,
}

impl Reader {
    /// A reader at the beginning of the chunk stream, after the handshake.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE as usize,
            held: Held::default(),
            streams: Vec::new(),
            current: None,
            unfinished: 0,
            filled: 0,
        }
    }

    /// Takes bytes from `input` until a message is complete or none are left.
    ///
    /// Protocol control messages are given out like all others; Set Chunk Size and Abort have been obeyed by then.
    ///
    /// # Errors
    /// The peer breaks the chunk format or passes a limit. The reader is of no more use then.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ErrorKind> {
        loop {
            if let Some((index, left)) = self.current {
                let Some(message) = self.body(index, left, input)? else {
                    if self.current.is_some() {
                        return Ok(None);
                    }
                    continue;
                };
                self.obey(&message)?;
                return Ok(Some(message));
            }
            match self.header(input)? {
                Some(header) => self.begin(header)?,
                None => return Ok(None),
            }
        }
    }

    /// Changes what the peer may do from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Bytes of payload that have to come at least before a message can be complete: 0 where none has begun.
    #[must_use]
    pub fn missing(&self) -> usize {
        if !self.held.bytes().is_empty() {
            return 1;
        }
        let open = self.streams.iter().filter(|stream| stream.open);
        open.map(|stream| stream.len - stream.body.len()).min().unwrap_or(0)
    }

    /// Bytes held for unfinished messages and for the chunk streams' state.
    #[must_use]
    pub fn buffered(&self) -> usize {
        let bodies: usize = self.streams.iter().map(|stream| stream.body.capacity()).sum();
        bodies + self.streams.capacity() * size_of::<Stream>()
    }

    /// Reads a chunk header, from `input` alone if it is all there.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, ErrorKind> {
        if self.held.bytes().is_empty()
            && let Some((header, used)) = parse(input, &self.streams)?
        {
            *input = input.get(used..).unwrap_or_default();
            return Ok(Some(header));
        }
        loop {
            // Held bytes can be left over from a comparison (see `extended`), so parse before taking more.
            if let Some((header, used)) = parse(self.held.bytes(), &self.streams)? {
                self.held.drop_front(used);
                return Ok(Some(header));
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            self.held.push(byte);
            *input = rest;
        }
    }

    /// Starts the chunk behind a header.
    fn begin(&mut self, header: Header) -> Result<(), ErrorKind> {
        let index = match header.index {
            Some(index) => index,
            None => {
                if self.streams.len() >= self.limits.chunk_streams {
                    return Err(ErrorKind::TooManyChunkStreams(self.limits.chunk_streams));
                }
                self.streams.push(Stream::new(header.csid));
                self.streams.len() - 1
            }
        };
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        if !stream.open {
            stream.start(&header);
            if stream.len > self.limits.message {
                let (kind, announced) = (stream.kind, stream.len);
                return Err(ErrorKind::MessageTooLong { kind, announced, limit: self.limits.message });
            }
        }
        self.current = Some((index, self.chunk_size.min(stream.len - stream.body.len())));
        Ok(())
    }

    /// Takes bytes of the current chunk; gives the message if it ends with them.
    fn body(&mut self, index: usize, left: usize, input: &mut &[u8]) -> Result<Option<Message>, ErrorKind> {
        let held = left.min(self.held.bytes().len());
        let (now, rest) = input.split_at_checked(left - held).unwrap_or((*input, &[]));
        *input = rest;
        let Some(stream) = self.streams.get_mut(index) else { return Ok(None) };
        // What follows in `input` can belong to one message only, so all room made ahead of it is no more than that.
        let empty = self.unfinished - self.filled;
        let before = stream.body.capacity();
        stream.reserve(held + now.len(), rest.len().saturating_sub(empty));
        self.unfinished += stream.body.capacity() - before;
        if self.unfinished > self.limits.unfinished {
            return Err(ErrorKind::TooMuchUnfinished(self.limits.unfinished));
        }
        stream.body.extend_from_slice(self.held.bytes().get(..held).unwrap_or_default());
        stream.body.extend_from_slice(now);
        self.filled += held + now.len();
        self.held.drop_front(held);
        let left = left - held - now.len();
        self.current = (left > 0).then_some((index, left));
        if stream.body.len() < stream.len {
            return Ok(None);
        }
        self.unfinished -= stream.body.capacity();
        self.filled -= stream.body.len();
        Ok(Some(stream.finish()))
    }

    /// Set Chunk Size (§5.4.1) and Abort (§5.4.2) change how the next bytes are read.
    fn obey(&mut self, message: &Message) -> Result<(), ErrorKind> {
        match message.kind {
            kind::SET_CHUNK_SIZE => {
                let size = control_u32(message)?;
                if size == 0 || size > 0x7fff_ffff {
                    return Err(ErrorKind::ChunkSize(size));
                }
                // No message is longer than 0xffffff bytes, so neither is a chunk.
                self.chunk_size = size.min(0x00ff_ffff) as usize;
            }
            kind::ABORT => {
                let csid = control_u32(message)?;
                if let Some(stream) = self.streams.iter_mut().find(|stream| stream.csid == csid) {
                    self.unfinished -= stream.body.capacity();
                    self.filled -= stream.body.len();
                    stream.abort();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn control_u32(message: &Message) -> Result<u32, ErrorKind> {
    let bytes = message.body.first_chunk::<4>().ok_or(ErrorKind::ControlLength {
        kind: message.kind,
        len: message.body.len(),
        expected: 4,
    })?;
    Ok(u32::from_be_bytes(*bytes))
}

/// What one chunk stream remembers.
#[derive(Debug)]
struct Stream {
    csid: u32,
    /// Whether a message has begun and not ended.
    open: bool,
    kind: u8,
    stream_id: u32,
    len: usize,
    timestamp: u32,
    /// What a type 3 header that begins a message adds to the timestamp.
    delta: u32,
    /// The extended timestamp field of the last header that had one, if that was the last header with a timestamp.
    extended: Option<u32>,
    body: Vec<u8>,
}

impl Stream {
    fn new(csid: u32) -> Self {
        Self {
            csid,
            open: false,
            kind: 0,
            stream_id: 0,
            len: 0,
            timestamp: 0,
            delta: 0,
            extended: None,
            body: Vec::new(),
        }
    }

    fn start(&mut self, header: &Header) {
        self.open = true;
        if let Some(stream_id) = header.stream_id {
            self.stream_id = stream_id;
        }
        if let Some((len, kind)) = header.len_kind {
            self.len = len;
            self.kind = kind;
        }
        match header.time {
            // §5.3.1.2.4: a type 3 header after a type 0 adds that one's timestamp. FFmpeg, librtmp and SRS read it like this.
            Time::Absolute(timestamp) => (self.timestamp, self.delta) = (timestamp, timestamp),
            Time::Delta(delta) => {
                self.timestamp = self.timestamp.wrapping_add(delta);
                self.delta = delta;
            }
            Time::Same => self.timestamp = self.timestamp.wrapping_add(self.delta),
            Time::Unmoved => {}
        }
        if !matches!(header.time, Time::Same | Time::Unmoved) {
            self.extended = header.extended;
        }
    }

    /// Makes room for `now` bytes. Where more is needed later, ahead of it for `following` bytes, which are there already, or
    /// else to the double of what has come. A message within one read so takes a single allocation, and a length that is only
    /// announced takes none.
    fn reserve(&mut self, now: usize, following: usize) {
        let needed = self.body.len() + now;
        if needed > self.body.capacity() {
            let whole = self.len <= needed + following;
            let ahead = if whole { self.len } else { (self.body.len() * 2).min(self.len) };
            self.body.reserve_exact(ahead.max(needed) - self.body.len());
        }
    }

    fn finish(&mut self) -> Message {
        self.open = false;
        let body = std::mem::take(&mut self.body);
        Message { kind: self.kind, stream_id: self.stream_id, timestamp: self.timestamp, body }
    }

    fn abort(&mut self) {
        self.open = false;
        self.body = Vec::new();
    }
}

/// A chunk header as read.
struct Header {
    csid: u32,
    /// Its place among the streams, if the chunk stream is known.
    index: Option<usize>,
    time: Time,
    extended: Option<u32>,
    len_kind: Option<(usize, u8)>,
    stream_id: Option<u32>,
}

enum Time {
    /// Type 0.
    Absolute(u32),
    /// Types 1 and 2.
    Delta(u32),
    /// Type 3: the delta there was before.
    Same,
    /// Type 3 of a sender that leaves the repeated extended timestamp out. librtmp does so for a new message, which it begins
    /// with type 3 only if its time is that of the last one.
    Unmoved,
}

/// Reads one header; `None` if bytes are missing. The second value is its length.
fn parse(bytes: &[u8], streams: &[Stream]) -> Result<Option<(Header, usize)>, ErrorKind> {
    let mut rest = bytes;
    Ok(parse_from(&mut rest, streams)?.map(|header| (header, bytes.len() - rest.len())))
}

fn parse_from(rest: &mut &[u8], streams: &[Stream]) -> Result<Option<Header>, ErrorKind> {
    let Some([first]) = take(rest) else { return Ok(None) };
    let format = first >> 6;
    // §5.3.1.1: 0 and 1 say that the id follows in one or two bytes.
    let csid = match first & 0x3f {
        0 => take(rest).map(|[low]| 64 + u32::from(low)),
        1 => take(rest).map(|[low, high]| 64 + u32::from(low) + 256 * u32::from(high)),
        csid => Some(u32::from(csid)),
    };
    let Some(csid) = csid else { return Ok(None) };
    let index = streams.iter().position(|stream| stream.csid == csid);
    let stream = index.and_then(|index| streams.get(index));
    match (format, stream) {
        // librtmp begins chunk stream 2 with type 1; what it leaves out, the message stream id, is 0 there.
        (2 | 3, None) => return Err(ErrorKind::NoEarlierHeader { format, csid }),
        (0..=2, Some(stream)) if stream.open => return Err(ErrorKind::InsideMessage { format, csid }),
        _ => {}
    }
    if format == 3 {
        let Some((time, extended)) = extended(rest, stream) else { return Ok(None) };
        return Ok(Some(Header { csid, index, time, extended, len_kind: None, stream_id: None }));
    }

    let Some([t0, t1, t2]) = take(rest) else { return Ok(None) };
    let mut len_kind = None;
    if format <= 1 {
        let Some([l0, l1, l2, kind]) = take(rest) else { return Ok(None) };
        len_kind = Some((u32::from_be_bytes([0, l0, l1, l2]) as usize, kind));
    }
    let mut stream_id = None;
    if format == 0 {
        // The one little-endian number of the format.
        let Some(id) = take(rest) else { return Ok(None) };
        stream_id = Some(u32::from_le_bytes(id));
    }
    let mut time = u32::from_be_bytes([0, t0, t1, t2]);
    let mut extended = None;
    if time == EXTENDED {
        let Some(field) = take(rest) else { return Ok(None) };
        time = u32::from_be_bytes(field);
        extended = Some(time);
    }
    let time = if format == 0 { Time::Absolute(time) } else { Time::Delta(time) };
    Ok(Some(Header { csid, index, time, extended, len_kind, stream_id }))
}

/// The timestamp of a type 3 header. The extended field is repeated (§5.3.1.3), but some leave it out: it is there if the bytes
/// are the ones that would be repeated. `None` if that cannot be told yet.
fn extended(rest: &mut &[u8], stream: Option<&Stream>) -> Option<(Time, Option<u32>)> {
    let Some(field) = stream.and_then(|stream| stream.extended) else { return Some((Time::Same, None)) };
    let repeated = field.to_be_bytes();
    let same = rest.iter().zip(repeated).take_while(|(byte, other)| **byte == *other).count();
    if same == repeated.len() {
        take::<4>(rest);
        Some((Time::Same, Some(field)))
    } else if same == rest.len() {
        None
    } else {
        Some((Time::Unmoved, None))
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

/// The longest header: basic header of three bytes, message header of eleven, extended timestamp.
const LONGEST_HEADER: usize = 18;

#[derive(Debug, Default)]
struct Held {
    bytes: [u8; LONGEST_HEADER],
    len: usize,
}

impl Held {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn drop_front(&mut self, n: usize) {
        let n = n.min(self.len);
        self.bytes.copy_within(n..self.len, 0);
        self.len -= n;
    }
}
