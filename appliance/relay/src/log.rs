//! The log: one ring of messages in wire form, read by everybody at their own place.
//!
//! A message is cut into RTMP chunks once, when it is appended. Appending costs the same for one reader or a thousand,
//! and a reader that has nothing to skip writes whole runs of messages as one or two slices of shared bytes.
//!
//! The log belongs to the engine's one thread; slices are borrowed only for the length of one system call.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;
use std::task::Waker;

use brookbox_rtmp::chunk;

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
    readers: Readers,
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
            readers: Readers::default(),
        }
    }

    /// Appends a message in wire form. Readers are woken by [`wake`](Self::wake), once for a batch.
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

    /// Where a reader that joins now begins: the current group, or without video the next message.
    pub(crate) fn join(&self) -> u64 {
        match self.newest_key() {
            Some(key) => key,
            None if self.has_video => self.end(),
            None => self.end().saturating_sub(1).max(self.first_seq),
        }
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

    /// Wakes the readers that wait for more.
    pub(crate) fn wake(&mut self) {
        for slot in &mut self.readers.slots {
            if let Some(waker) = slot.as_mut().and_then(|s| s.waker.take()) {
                waker.wake();
            }
        }
    }

    /// Adds a reader; it must be removed again.
    pub(crate) fn add_reader(&mut self, seq: u64) -> ReaderId {
        self.readers.add(seq)
    }

    pub(crate) fn remove_reader(&mut self, id: ReaderId) {
        self.readers.remove(id);
    }

    /// Notes a reader's place, and its waker if it waits for more.
    pub(crate) fn note_reader(&mut self, id: ReaderId, seq: u64, waker: Option<&Waker>) {
        if let Some(slot) = self.readers.slots.get_mut(id.0).and_then(Option::as_mut) {
            slot.seq = seq;
            match (waker, &mut slot.waker) {
                (Some(new), Some(old)) => old.clone_from(new),
                (Some(new), old @ None) => *old = Some(new.clone()),
                (None, old) => *old = None,
            }
        }
    }

    /// Bytes that the slowest reader has before it.
    pub(crate) fn longest_backlog(&self) -> usize {
        let slowest = self.readers.slots.iter().flatten().map(|s| s.seq).min();
        let Some(entry) = slowest.and_then(|seq| self.get(seq.max(self.first_seq))) else { return 0 };
        let whole: usize = (entry.segment..).zip(self.segments.iter().skip(self.index(entry.segment))).map(|(_, s)| s.len()).sum();
        whole - entry.start.min(whole)
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

/// A reader's number in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReaderId(usize);

#[derive(Debug, Default)]
struct Readers {
    slots: Vec<Option<Reader>>,
}

#[derive(Debug)]
struct Reader {
    seq: u64,
    waker: Option<Waker>,
}

impl Readers {
    fn add(&mut self, seq: u64) -> ReaderId {
        let reader = Some(Reader { seq, waker: None });
        if let Some(free) = self.slots.iter().position(Option::is_none)
            && let Some(slot) = self.slots.get_mut(free)
        {
            *slot = reader;
            return ReaderId(free);
        }
        self.slots.push(reader);
        ReaderId(self.slots.len() - 1)
    }

    fn remove(&mut self, id: ReaderId) {
        if let Some(slot) = self.slots.get_mut(id.0) {
            *slot = None;
        }
    }
}

/// Messages that a reader needs before it can begin in the middle: metadata and configuration, oldest first.
pub(crate) type Preamble = Rc<[(u8, Rc<[u8]>)]>;
