//! The log: one ring of messages in wire form, read by everybody at their own place.
//!
//! A message is cut into RTMP chunks once, when it is appended. Appending costs the same for one reader or a thousand,
//! and a reader that has nothing to skip writes whole runs of messages as one or two slices of shared bytes.
//!
//! The log belongs to the engine's one thread; slices are borrowed only for the length of one system call.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;

use brookbox_rtmp::chunk;
use bytes::Bytes;

/// Chunk size of the wire form in the log. Servers of the field take it (SRS warns above it).
pub(crate) const CHUNK_SIZE: usize = 65_536;
/// Message stream id of the wire form in the log: what nearly every server answers to `createStream`.
pub(crate) const STREAM_ID: u32 = 1;

const SEGMENT_BYTES: usize = 256 << 10;

/// How a message matters to a reader that has to skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Codec configuration, metadata, script data and whatever is not understood: never skipped.
    Always,
    /// A video frame at which decoding can start.
    Key,
    /// Any other video frame.
    Inter,
    /// An audio frame.
    Audio,
}

/// Where in the log a message lies, and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    segment: u64,
    start: usize,
    len: usize,
    pub(crate) role: Role,
    /// Programme time, ms.
    pub(crate) time: u64,
    /// Engine time of its arrival, ms.
    pub(crate) arrived: u64,
}

impl Entry {
    /// Bytes in wire form.
    pub(crate) fn wire_len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_frame(&self) -> bool {
        self.role != Role::Always
    }

    pub(crate) fn is_video_frame(&self) -> bool {
        matches!(self.role, Role::Key | Role::Inter)
    }
}

/// What is appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) kind: u8,
    pub(crate) role: Role,
    pub(crate) time: u64,
    pub(crate) arrived: u64,
    pub(crate) body: &'a [u8],
}

/// How much the log keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// At least this many ms, or since the newest keyframe if that is longer …
    pub(crate) ms: u64,
    /// … but never more than about this many bytes (one segment more at most).
    pub(crate) bytes: usize,
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Log {
    retention: Retention,
    segments: VecDeque<Vec<u8>>,
    first_segment: u64,
    spare: Option<Vec<u8>>,
    entries: VecDeque<Entry>,
    first_seq: u64,
    bytes: usize,
    newest_key: Option<u64>,
    has_video: bool,
}

/// A reader's place: the next message, and how much of it is already written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) seq: u64,
    pub(crate) written: usize,
}

impl Cursor {
    pub(crate) fn at(seq: u64) -> Self {
        Self { seq, written: 0 }
    }

    pub(crate) fn at_boundary(&self) -> bool {
        self.written == 0
    }
}

impl Log {
    pub(crate) fn new(retention: Retention) -> Self {
        Self {
            retention,
            segments: VecDeque::new(),
            first_segment: 0,
            spare: None,
            entries: VecDeque::new(),
            first_seq: 0,
            bytes: 0,
            newest_key: None,
            has_video: false,
        }
    }

    /// Appends a message in wire form.
    pub(crate) fn append(&mut self, new: NewEntry<'_>) -> u64 {
        let timestamp = wire_time(new.time);
        let len = chunk::encoded_len(new.body.len(), timestamp, CHUNK_SIZE);
        let full = self.segments.back().is_none_or(|s| s.capacity() - s.len() < len);
        if full {
            self.make_room(new.arrived, len);
            let segment = match self.spare.take() {
                Some(s) if s.capacity() >= len => s,
                _ => Vec::with_capacity(len.max(SEGMENT_BYTES)),
            };
            self.segments.push_back(segment);
        }
        let segment = self.first_segment + self.segments.len() as u64 - 1;
        let Some(bytes) = self.segments.back_mut() else { unreachable!("a segment was made above") };
        let start = bytes.len();
        let csid = if new.kind == 9 { chunk::CSID_VIDEO } else { chunk::CSID_AUDIO };
        chunk::write_message(bytes, csid, new.kind, STREAM_ID, timestamp, new.body, CHUNK_SIZE);
        let len = bytes.len() - start;
        let NewEntry { role, time, arrived, .. } = new;
        let seq = self.end();
        self.entries.push_back(Entry { segment, start, len, role, time, arrived });
        self.bytes += len;
        match role {
            Role::Key => (self.newest_key, self.has_video) = (Some(seq), true),
            Role::Inter => self.has_video = true,
            Role::Always | Role::Audio => {}
        }
        seq
    }

    /// What follows has no picture: a reader that joins need not begin at the last one there was.
    pub(crate) fn forget_video(&mut self) {
        (self.newest_key, self.has_video) = (None, false);
    }

    /// Frees the oldest segments that nobody needs any more, before a segment is added.
    fn make_room(&mut self, now: u64, coming: usize) {
        while self.segments.len() > 1 {
            let first = self.first_segment;
            let count = self.entries.partition_point(|e| e.segment == first);
            let newest = count.checked_sub(1).and_then(|i| self.entries.get(i));
            let old = newest.is_none_or(|e| now.saturating_sub(e.arrived) > self.retention.ms);
            let before_group = self.newest_key.is_none_or(|key| self.first_seq + count as u64 <= key);
            let too_big = self.bytes + coming > self.retention.bytes;
            if !(too_big || (old && before_group)) {
                break;
            }
            self.bytes -= self.entries.drain(..count).map(|e| e.len).sum::<usize>();
            self.first_seq += count as u64;
            self.first_segment += 1;
            if let Some(mut segment) = self.segments.pop_front()
                && segment.capacity() == SEGMENT_BYTES
            {
                segment.clear();
                self.spare = Some(segment);
            }
        }
    }

    /// The oldest message that is still there.
    pub(crate) fn start(&self) -> u64 {
        self.first_seq
    }

    /// One past the newest message.
    pub(crate) fn end(&self) -> u64 {
        self.first_seq + self.entries.len() as u64
    }

    /// Bytes kept, in wire form.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Programme time kept, ms.
    pub(crate) fn span_ms(&self) -> u64 {
        match (self.entries.front(), self.entries.back()) {
            (Some(first), Some(last)) => last.time.saturating_sub(first.time),
            _ => 0,
        }
    }

    /// A message, if it is still there.
    pub(crate) fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(self.first_seq)?).ok()?)
    }

    /// The newest keyframe that is still there.
    pub(crate) fn newest_key(&self) -> Option<u64> {
        self.newest_key.filter(|&k| k >= self.first_seq)
    }

    /// The oldest keyframe that is still there.
    pub(crate) fn oldest_key(&self) -> Option<u64> {
        self.from(self.first_seq).find(|(_, e)| e.role == Role::Key).map(|(seq, _)| seq)
    }

    /// Whether a reader that begins at `seq` would begin within a group whose keyframe it does not get.
    pub(crate) fn lacks_key(&self, seq: u64) -> bool {
        self.has_video && self.from(seq).find(|(_, e)| e.is_video_frame()).is_none_or(|(_, e)| e.role != Role::Key)
    }

    /// Where a reader that joins now begins: the current group, or without video the next message.
    pub(crate) fn join(&self) -> u64 {
        match self.newest_key() {
            Some(key) => key,
            None if self.has_video => self.end(),
            None => self.end().saturating_sub(1).max(self.first_seq),
        }
    }

    /// The first message that arrived at this engine time (ms) or later.
    pub(crate) fn since(&self, arrived: u64) -> u64 {
        self.first_seq + self.entries.partition_point(|entry| entry.arrived < arrived) as u64
    }

    /// The messages from `seq` (or the oldest) on.
    pub(crate) fn from(&self, seq: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let skip = usize::try_from(seq.saturating_sub(self.first_seq)).unwrap_or(usize::MAX).min(self.entries.len());
        let first = self.first_seq + skip as u64;
        (first..).zip(self.entries.range(skip..))
    }

    /// A message in wire form.
    pub(crate) fn wire(&self, entry: &Entry) -> &[u8] {
        self.segment(entry.segment).get(entry.start..entry.start + entry.len).unwrap_or_default()
    }

    /// The first bytes of a message's body, at most so many and one chunk: enough to see what it is.
    pub(crate) fn body_start(&self, entry: &Entry, most: usize) -> &[u8] {
        let head = if wire_time(entry.time) >= 0xff_ffff { 16 } else { 12 };
        let body = self.wire(entry).get(head..).unwrap_or_default();
        body.get(..most).unwrap_or(body)
    }

    fn segment(&self, number: u64) -> &[u8] {
        let index = number.checked_sub(self.first_segment).and_then(|i| usize::try_from(i).ok());
        index.and_then(|i| self.segments.get(i)).map_or(&[], Vec::as_slice)
    }

    /// The bytes from `cursor` up to message `until`, as few slices as possible, at most `max` bytes.
    ///
    /// Stops early when `slices` has no room left.
    pub(crate) fn gather<'a>(&'a self, cursor: Cursor, until: u64, max: usize, slices: &mut Slices<'a>) {
        let Some(first) = self.get(cursor.seq) else { return };
        let Some(last) = until.checked_sub(1).and_then(|seq| self.get(seq)) else { return };
        if until <= cursor.seq {
            return;
        }
        let mut left = max;
        for number in first.segment..=last.segment {
            let bytes = self.segment(number);
            let from = if number == first.segment { first.start + cursor.written } else { 0 };
            let to = if number == last.segment { last.start + last.len } else { bytes.len() };
            let part = bytes.get(from..to).unwrap_or_default();
            let part = part.get(..left).unwrap_or(part);
            left -= part.len();
            if !slices.push(part) || left == 0 {
                return;
            }
        }
    }

    /// Everything from message `from` on, for the readers that are there already.
    pub(crate) fn news(&self, from: u64) -> News<'_> {
        let (until, slices, flv) = (self.end(), Slices::new(), OnceCell::new());
        let mut news = News { from, until, slices, frames: 0, video: None, flv };
        self.gather(Cursor::at(from), news.until, usize::MAX, &mut news.slices);
        for (_, entry) in self.from(from) {
            news.frames += u64::from(entry.is_frame());
            if entry.is_video_frame() {
                news.video.get_or_insert(entry.arrived);
            }
        }
        news
    }

    /// Moves `cursor` over `written` bytes that [`gather`](Self::gather) gave; tells each message that is complete.
    pub(crate) fn advance(&self, cursor: &mut Cursor, mut written: usize, mut complete: impl FnMut(&Entry)) {
        while written > 0 {
            let Some(entry) = self.get(cursor.seq) else { return };
            let rest = entry.len - cursor.written;
            if written < rest {
                cursor.written += written;
                return;
            }
            written -= rest;
            *cursor = Cursor::at(cursor.seq + 1);
            complete(entry);
        }
    }

    /// Bytes from message `seq` (or the oldest) to the end.
    pub(crate) fn bytes_from(&self, seq: u64) -> usize {
        let Some(entry) = self.get(seq.max(self.first_seq)) else { return 0 };
        let segments = self.segments.iter().skip(self.index(entry.segment));
        segments.map(Vec::len).sum::<usize>().saturating_sub(entry.start)
    }

    fn index(&self, segment: u64) -> usize {
        usize::try_from(segment.saturating_sub(self.first_segment)).unwrap_or(usize::MAX)
    }
}

/// Programme time on the wire: ms modulo 2³², as RTMP has it.
pub(crate) fn wire_time(time: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "RTMP timestamps are ms modulo 2^32")]
    let wrapped = time as u32;
    wrapped
}

/// Slices for one system call.
const MAX_SLICES: usize = 64;

/// A bounded list of slices for one vectored write.
#[derive(Debug)]
pub(crate) struct Slices<'a> {
    list: [IoSlice<'a>; MAX_SLICES],
    len: usize,
    bytes: usize,
}

impl<'a> Slices<'a> {
    pub(crate) fn new() -> Self {
        Self { list: [IoSlice::new(&[]); MAX_SLICES], len: 0, bytes: 0 }
    }

    /// Adds a slice; says whether there is room for another one.
    pub(crate) fn push(&mut self, slice: &'a [u8]) -> bool {
        if slice.is_empty() {
            return self.len < MAX_SLICES;
        }
        if let Some(place) = self.list.get_mut(self.len) {
            *place = IoSlice::new(slice);
            self.len += 1;
            self.bytes += slice.len();
        }
        self.len < MAX_SLICES
    }

    pub(crate) fn as_slice(&self) -> &[IoSlice<'a>] {
        self.list.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a batch added to the log. Most readers wait for just this, so it is gathered once for all of them.
#[derive(Debug)]
pub(crate) struct News<'a> {
    /// The first message.
    pub(crate) from: u64,
    /// One past the last message.
    pub(crate) until: u64,
    pub(crate) slices: Slices<'a>,
    /// How many of the messages are frames.
    pub(crate) frames: u64,
    /// Engine time at which the first video frame arrived, ms, if there is one.
    pub(crate) video: Option<u64>,
    /// The same as FLV, made by the first viewer that takes it.
    pub(crate) flv: OnceCell<Bytes>,
}

/// Messages that a reader needs before it can begin in the middle: metadata and configuration, oldest first.
pub(crate) type Preamble = Rc<[(u8, Rc<[u8]>)]>;

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Retention = Retention { ms: 1_000, bytes: 4 << 20 };

    fn add(log: &mut Log, role: Role, now: u64, len: usize) -> u64 {
        let body = vec![u8::try_from(now % 251).unwrap(); len];
        log.append(NewEntry { kind: 9, role, time: now, arrived: now, body: &body })
    }

    /// Everything from `cursor` on, written in pieces of at most `piece` bytes.
    fn read_all(log: &Log, mut cursor: Cursor, piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let mut slices = Slices::new();
            log.gather(cursor, log.end(), piece, &mut slices);
            let bytes: Vec<u8> = slices.as_slice().iter().flat_map(|s| s.iter().copied()).collect();
            if bytes.is_empty() {
                return out;
            }
            log.advance(&mut cursor, bytes.len(), |_| ());
            out.extend(bytes);
        }
    }

    #[test]
    fn every_reader_gets_the_same_bytes_whatever_it_writes_at_once() {
        let mut log = Log::new(Retention { ms: 60_000, bytes: 64 << 20 });
        let mut expected = Vec::new();
        for i in 0..200 {
            let len = [10, 70_000, 1_000, 300_000, 0][i % 5];
            let seq = add(&mut log, Role::Inter, i as u64, len);
            expected.extend_from_slice(log.wire(log.get(seq).unwrap()));
        }
        for piece in [1 << 20, 65_536, 4_099] {
            assert!(read_all(&log, Cursor::at(0), piece) == expected, "pieces of {piece}");
        }
    }

    #[test]
    fn the_wire_form_is_what_a_chunk_reader_expects() {
        let mut log = Log::new(SMALL);
        let seq = add(&mut log, Role::Key, 0x0100_0000, 70_000);
        let wire = log.wire(log.get(seq).unwrap());
        assert_eq!(wire[..4], [chunk::CSID_VIDEO, 0xff, 0xff, 0xff], "an extended timestamp");
        assert_eq!(wire.len(), 16 + 65_536 + 5 + (70_000 - 65_536), "repeated with the continuation");
    }

    #[test]
    fn old_segments_go_but_never_the_current_group() {
        let mut log = Log::new(SMALL);
        for ms in (0..10_000).step_by(10) {
            let role = if ms % 2_000 == 0 { Role::Key } else { Role::Inter };
            add(&mut log, role, ms, 2_000);
        }
        let key = log.newest_key().unwrap();
        assert_eq!(log.get(key).unwrap().arrived, 8_000);
        let oldest = log.get(log.start()).unwrap().arrived;
        assert!((6_000..=8_000).contains(&oldest), "{oldest}: a segment is 1.3 s here");
        assert_eq!(log.join(), key);
    }

    #[test]
    fn bytes_bound_it_whatever_the_group() {
        let mut log = Log::new(Retention { ms: 10_000, bytes: 1 << 20 });
        add(&mut log, Role::Key, 0, 1_000);
        for ms in 1..5_000 {
            add(&mut log, Role::Inter, ms, 10_000);
        }
        assert!(log.bytes() <= (1 << 20) + SEGMENT_BYTES, "{}", log.bytes());
        assert_eq!(log.newest_key(), None, "its group's beginning is gone");
        assert_eq!(log.join(), log.end(), "a joining reader waits for the next one");
    }

    #[test]
    fn the_backlog_of_a_place_is_what_lies_behind_it() {
        let mut log = Log::new(SMALL);
        for ms in 0..100 {
            add(&mut log, Role::Inter, ms, 10_000);
        }
        assert_eq!(log.bytes_from(0), log.bytes());
        assert_eq!(log.bytes_from(99), log.get(99).unwrap().wire_len());
        assert_eq!(log.bytes_from(100), 0);
    }
}
