//! Writes the log to one server, at its own place and with its own patience.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::task::{Poll, ready};

use brookbox_rtmp::chunk;

use super::policy::{Policy, SLOW_MS, SLOW_OVER_MS};
use crate::log::{self, Cursor, Entry, Log, News, Slices};
use crate::programme::{Programme, VIDEO};
use crate::sys;

/// Bytes for one system call.
const MAX_WRITE: usize = 512 << 10;
/// Bytes for one turn, so that a fast reader leaves the others their turn.
const MAX_TURN: usize = 2 << 20;
/// A message half written for this long, ms, is kept apart: the log may free it. A stream of 60 Mbit/s fills the log in two
/// seconds.
const RESCUE_MS: u64 = 500;
/// Nothing acknowledged for this long while something is to be, ms: closed.
const NO_PROGRESS_MS: u64 = 10_000;
/// Time over which the bitrate is taken, ms.
const MEAN_MS: u64 = 5_000;
/// Bytes of a message's header that hold its message stream id, and the bytes up to there.
const HEADER: usize = 12;
const STREAM_ID_AT: usize = 8;
/// Messages for one system call where each needs a header of its own.
const OWN_HEADERS: usize = 31;

/// Where a destination begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the programme's first message, or as near to it as the log still goes.
    First,
    /// With the current group.
    Join,
}

/// How far the writing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing is left.
    Everything,
    /// The server takes no more now.
    Blocked,
    /// Others have their turn.
    Turn,
}

/// Why the writing stopped.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The connection is no longer usable.
    Io(io::Error),
    /// It fell so far behind that nothing it could go on with is left.
    LeftBehind,
}

/// One server's place in the log, and what is on its way to it.
#[derive(Debug)]
pub(crate) struct Sender {
    cursor: Cursor,
    policy: Policy,
    stream_id: u32,
    /// Written before the next message: control messages, preamble, a rescued rest of a message.
    before: Vec<u8>,
    written: u64,
    /// Where the first frame ends in what was written.
    first_frame: Option<u64>,
    /// Where video frames end in what was written, and when they had arrived; not acknowledged yet.
    in_flight: VecDeque<(u64, u64)>,
    acknowledged: u64,
    progress_at: u64,
    /// A message has been written to its end since the last measurement, and when one was last, or nothing waited: who
    /// takes longer than [`NO_PROGRESS_MS`] for one has nothing left that is younger.
    message_done: bool,
    message_at: u64,
    blocked_since: Option<u64>,
    means: VecDeque<(u64, u64)>,
    slow: bool,
    pub(crate) frames_sent: u64,
    pub(crate) frames_dropped: u64,
}

/// What was measured of one server's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) bitrate_bps: Option<u64>,
    pub(crate) rtt_ms: Option<f64>,
    pub(crate) queue_ms: u64,
    /// The server acknowledged a whole frame.
    pub(crate) live: bool,
    pub(crate) slow: bool,
    /// Nothing was acknowledged for too long.
    pub(crate) stalled: bool,
}

impl Sender {
    pub(crate) fn new(programme: &Programme, start: Start, stream_id: u32, now: u64) -> Self {
        let first = programme.log.start();
        let seq = match start {
            Start::First if first == 0 => 0,
            Start::First => programme.log.oldest_key().unwrap_or(first),
            Start::Join => programme.log.join(),
        };
        let mut policy = Policy::default();
        if seq > 0 && programme.log.lacks_key(seq) {
            policy.skip_to_key();
        }
        let mut sender = Self {
            cursor: Cursor::at(seq),
            policy,
            stream_id,
            before: Vec::new(),
            written: 0,
            first_frame: None,
            in_flight: VecDeque::new(),
            acknowledged: 0,
            progress_at: now,
            message_done: false,
            message_at: now,
            blocked_since: None,
            means: VecDeque::from([(now, 0)]),
            slow: false,
            frames_sent: 0,
            frames_dropped: 0,
        };
        sender.put_preamble(programme);
        sender
    }

    /// Bytes of media written since the connection began.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.written
    }

    /// The next message.
    pub(crate) fn place(&self) -> u64 {
        self.cursor.seq
    }

    /// Whether the server takes no more at the moment.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// Bytes that wait to be written before the next message.
    pub(crate) fn control_waiting(&self) -> usize {
        self.before.len()
    }

    /// Puts control bytes in, to be written between two messages.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.before.extend_from_slice(bytes);
    }

    /// Configuration and metadata that were in force at the cursor.
    fn put_preamble(&mut self, programme: &Programme) {
        let time = programme.log.get(self.cursor.seq).map_or(programme.time(), |e| e.time);
        for (kind, body) in programme.preamble(self.cursor.seq).iter() {
            let csid = if *kind == VIDEO { chunk::CSID_VIDEO } else { chunk::CSID_AUDIO };
            let time = log::wire_time(time);
            chunk::write_message(&mut self.before, csid, *kind, self.stream_id, time, body, log::CHUNK_SIZE);
        }
    }

    /// Writes what a batch has brought, if that is just what comes next here. Says whether it took all of it.
    pub(crate) fn write_news(
        &mut self,
        log: &Log,
        news: &News<'_>,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Result<bool, Stopped> {
        let next = self.cursor == Cursor::at(news.from) && self.before.is_empty() && self.policy.takes_all();
        let bytes = news.slices.bytes();
        if !next || self.stream_id != log::STREAM_ID || bytes == 0 || bytes > MAX_WRITE {
            return Ok(false);
        }
        match write(news.slices.as_slice()) {
            Poll::Ready(Ok(n)) if n == bytes => {
                self.written += bytes as u64;
                self.message_done = true;
                self.cursor = Cursor::at(news.until);
                self.frames_sent += news.frames;
                if news.frames > 0 {
                    self.first_frame.get_or_insert(self.written);
                }
                self.in_flight.extend(news.video.map(|arrived| (self.written, arrived)));
                Ok(true)
            }
            Poll::Ready(Ok(0)) => Err(Stopped::Io(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(n)) => {
                self.wrote(log, n);
                Ok(false)
            }
            Poll::Ready(Err(error)) => Err(Stopped::Io(error)),
            Poll::Pending => Ok(false),
        }
    }

    /// Writes what there is, as far as `write` takes it.
    pub(crate) fn write_all(
        &mut self,
        programme: &Programme,
        now: u64,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Result<Progress, Stopped> {
        let turn_ends = self.written + MAX_TURN as u64;
        while self.written < turn_ends {
            self.keep_place(programme)?;
            let until = self.plan(&programme.log, now);
            if self.before.is_empty() && until <= self.cursor.seq {
                self.policy.at_end();
                self.blocked_since = None;
                return Ok(Progress::Everything);
            }
            match self.write_run(&programme.log, until, &mut write) {
                Poll::Ready(Ok(0)) => return Err(Stopped::Io(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.wrote(&programme.log, n),
                Poll::Ready(Err(error)) => return Err(Stopped::Io(error)),
                Poll::Pending => {
                    self.blocked_since.get_or_insert(now);
                    return Ok(Progress::Blocked);
                }
            }
        }
        Ok(Progress::Turn)
    }

    /// Writes only the rest of the message that is half written, and what was put in.
    pub(crate) fn poll_finish(
        &mut self,
        log: &Log,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<Result<(), Stopped>> {
        loop {
            let whole = self.cursor.at_boundary();
            if whole && self.before.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let until = if whole { self.cursor.seq } else { self.cursor.seq + 1 };
            match ready!(self.write_run(log, until, &mut write)) {
                Ok(0) => return Poll::Ready(Err(Stopped::LeftBehind)),
                Ok(n) => self.wrote(log, n),
                Err(error) => return Poll::Ready(Err(Stopped::Io(error))),
            }
        }
    }

    /// The log may have freed the messages at the cursor: goes on with the next keyframe that is left.
    fn keep_place(&mut self, programme: &Programme) -> Result<(), Stopped> {
        let start = programme.log.start();
        if self.cursor.seq >= start {
            return Ok(());
        }
        if !self.cursor.at_boundary() {
            return Err(Stopped::LeftBehind);
        }
        self.frames_dropped += start - self.cursor.seq;
        self.cursor = Cursor::at(start);
        self.policy.skip_to_key();
        self.put_preamble(programme);
        Ok(())
    }

    /// One past the last message of the run to be written next.
    fn plan(&mut self, log: &Log, now: u64) -> u64 {
        let dropped = &mut self.frames_dropped;
        let left_out = |entry: &Entry| *dropped += u64::from(entry.is_frame());
        if self.cursor.at_boundary() {
            return self.policy.plan(log, &mut self.cursor.seq, now, left_out);
        }
        let after = self.cursor.seq + 1;
        if !self.before.is_empty() {
            return after;
        }
        let (mut next, mut ahead) = (after, self.policy);
        let until = ahead.plan(log, &mut next, now, |_| ());
        if next == after && ahead == self.policy { until } else { after }
    }

    fn write_run(
        &self,
        log: &Log,
        until: u64,
        write: &mut impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = Slices::new();
        if self.cursor.at_boundary() {
            slices.push(&self.before);
        }
        if self.stream_id == log::STREAM_ID {
            log.gather(self.cursor, until, MAX_WRITE, &mut slices);
            return write(slices.as_slice());
        }
        let headers = own_headers(log, self.cursor.seq, until, self.stream_id);
        gather_own(log, self.cursor, until, &headers, &mut slices);
        write(slices.as_slice())
    }

    fn wrote(&mut self, log: &Log, bytes: usize) {
        self.blocked_since = None;
        let mut media = bytes;
        if self.cursor.at_boundary() {
            let before = self.before.len().min(bytes);
            self.before.drain(..before);
            self.message_done |= before > 0 && self.before.is_empty();
            media -= before;
        }
        let mut end = self.written + (bytes - media) as u64;
        let (sent, in_flight, first_frame) = (&mut self.frames_sent, &mut self.in_flight, &mut self.first_frame);
        let (mut partial, done) = (self.cursor.written, &mut self.message_done);
        self.written += bytes as u64;
        log.advance(&mut self.cursor, media, |entry| {
            *done = true;
            end += (entry.wire_len() - std::mem::take(&mut partial)) as u64;
            if entry.is_frame() {
                *sent += 1;
                first_frame.get_or_insert(end);
            }
            if entry.is_video_frame() {
                in_flight.push_back((end, entry.arrived));
            }
        });
    }

    /// Keeps a half written message apart before the log may free it.
    fn rescue(&mut self, log: &Log, now: u64) {
        let long = self.blocked_since.is_some_and(|since| now.saturating_sub(since) >= RESCUE_MS);
        if !long || self.cursor.at_boundary() {
            return;
        }
        let Some(entry) = log.get(self.cursor.seq) else { return };
        let mut whole = log.wire(entry).to_vec();
        if let Some(place) = whole.get_mut(STREAM_ID_AT..HEADER) {
            place.copy_from_slice(&self.stream_id.to_le_bytes());
        }
        let mut rest = whole.split_off(self.cursor.written.min(whole.len()));
        rest.append(&mut self.before);
        self.before = rest;
        self.frames_sent += u64::from(entry.is_frame());
        self.cursor = Cursor::at(self.cursor.seq + 1);
    }

    /// Measures the connection; to be called about twice a second.
    pub(crate) fn sample(&mut self, log: &Log, socket: impl AsFd, now: u64) -> Figures {
        self.rescue(log, now);
        let socket = socket.as_fd();
        let waiting = sys::unacknowledged(socket).unwrap_or(0);
        let acknowledged = self.written.saturating_sub(waiting).max(self.acknowledged);
        if acknowledged > self.acknowledged || waiting == 0 && self.blocked_since.is_none() {
            self.progress_at = now;
        }
        if std::mem::take(&mut self.message_done) || self.blocked_since.is_none() {
            self.message_at = now;
        }
        self.acknowledged = acknowledged;
        while self.in_flight.front().is_some_and(|(end, _)| *end <= acknowledged) {
            self.in_flight.pop_front();
        }
        self.means.push_back((now, acknowledged));
        while self.means.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= MEAN_MS) {
            self.means.pop_front();
        }
        let bitrate_bps = self.means.front().and_then(|(at, before)| {
            let ms = now.saturating_sub(*at);
            (ms > 0).then(|| (acknowledged - before) * 8000 / ms)
        });
        let queue_ms = self.queue_ms(log, now);
        self.slow = self.policy.caught_up() && queue_ms > if self.slow { SLOW_OVER_MS } else { SLOW_MS };
        Figures {
            bitrate_bps,
            rtt_ms: sys::round_trip_ms(socket),
            queue_ms,
            live: self.first_frame.is_some_and(|end| end <= acknowledged),
            slow: self.slow,
            stalled: now.saturating_sub(self.progress_at) >= NO_PROGRESS_MS
                || now.saturating_sub(self.message_at) >= NO_PROGRESS_MS,
        }
    }

    /// Age of the oldest video frame that is not acknowledged.
    fn queue_ms(&self, log: &Log, now: u64) -> u64 {
        let unsent = || log.from(self.cursor.seq).find(|(_, e)| e.is_video_frame()).map(|(_, e)| e.arrived);
        let oldest = self.in_flight.front().map(|(_, arrived)| *arrived).or_else(unsent);
        oldest.map_or(0, |arrived| now.saturating_sub(arrived))
    }
}

/// The first bytes of the messages from `seq` on, with another message stream id.
fn own_headers(log: &Log, seq: u64, until: u64, stream_id: u32) -> Vec<[u8; HEADER]> {
    let entries = log.from(seq).take_while(|(at, _)| *at < until).take(OWN_HEADERS);
    let headers = entries.filter_map(|(_, entry)| {
        let mut header: [u8; HEADER] = *log.wire(entry).first_chunk()?;
        if let Some(place) = header.get_mut(STREAM_ID_AT..) {
            place.copy_from_slice(&stream_id.to_le_bytes());
        }
        Some(header)
    });
    headers.collect()
}

fn gather_own<'a>(log: &'a Log, cursor: Cursor, until: u64, headers: &'a [[u8; HEADER]], slices: &mut Slices<'a>) {
    let mut skip = cursor.written;
    for ((_, entry), header) in log.from(cursor.seq).take_while(|(at, _)| *at < until).zip(headers) {
        let body = log.wire(entry).get(HEADER..).unwrap_or_default();
        for part in [header.as_slice(), body] {
            let rest = part.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            if !slices.push(rest) {
                return;
            }
        }
        skip = 0;
        if slices.bytes() >= MAX_WRITE {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use brookbox_rtmp::Message;

    use super::*;
    use crate::log::Retention;
    use crate::programme::Shared;

    const KEY: u8 = 0x17;
    const INTER: u8 = 0x27;

    fn push(programme: &Shared, first: u8, now: u64) {
        let mut body = vec![first, 1, 0, 0, 0];
        body.resize(100_000, 0x65);
        let message = Message { kind: VIDEO, stream_id: 1, timestamp: u32::try_from(now).unwrap(), body };
        programme.borrow_mut().push(&message, now);
    }

    /// First body bytes of the frames that are written now.
    fn written(sender: &mut Sender, programme: &Shared, now: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let take = |slices: &[IoSlice<'_>]| {
            let before = out.len();
            out.extend(slices.iter().flat_map(|slice| slice.iter().copied()));
            Poll::Ready(Ok(out.len() - before))
        };
        assert_eq!(sender.write_all(&programme.borrow(), now, take).unwrap(), Progress::Everything);
        out.chunks(100_000 + 12 + 1).map(|frame| frame[12]).collect()
    }

    #[test]
    fn who_comes_when_the_keyframe_is_gone_waits_for_the_next() {
        let programme = Programme::new(Retention { ms: 10_000, bytes: 1 << 20 }, 0);
        push(&programme, KEY, 0);
        for n in 1..100 {
            push(&programme, INTER, n * 10);
        }
        assert_eq!(programme.borrow().log.newest_key(), None, "20 frames fit");
        for start in [Start::Join, Start::First] {
            let mut sender = Sender::new(&programme.borrow(), start, log::STREAM_ID, 1000);
            assert_eq!(written(&mut sender, &programme, 1000), []);
        }
        let mut sender = Sender::new(&programme.borrow(), Start::Join, log::STREAM_ID, 1000);
        push(&programme, INTER, 1010);
        push(&programme, KEY, 1020);
        push(&programme, INTER, 1030);
        assert_eq!(written(&mut sender, &programme, 1030), [KEY, INTER]);
        assert!(sender.frames_dropped > 0);
    }

    #[test]
    fn who_takes_ten_seconds_for_one_message_has_stalled_though_bytes_trickle() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stalls_at = |bytes: usize| {
            let programme = Programme::new(Retention { ms: 60_000, bytes: 16 << 20 }, 0);
            push(&programme, KEY, 0);
            let mut sender = Sender::new(&programme.borrow(), Start::First, log::STREAM_ID, 0);
            (500..20_000).step_by(500).find(|now| {
                push(&programme, KEY, *now);
                let mut taken = false;
                let trickle = |_: &[IoSlice<'_>]| {
                    if std::mem::replace(&mut taken, true) { Poll::Pending } else { Poll::Ready(Ok(bytes)) }
                };
                sender.write_all(&programme.borrow(), *now, trickle).unwrap();
                sender.sample(&programme.borrow().log, &socket, *now).stalled
            })
        };
        assert_eq!(stalls_at(1_000), Some(10_000));
        assert_eq!(stalls_at(30_000), None, "late, and leaves out, but every message gets there");
    }

    #[test]
    fn a_stall_that_outlives_the_log_costs_groups_and_not_the_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let programme = Programme::new(Retention { ms: 60_000, bytes: 1 << 20 }, 0);
        push(&programme, KEY, 0);
        let mut sender = Sender::new(&programme.borrow(), Start::First, log::STREAM_ID, 0);
        let mut taken = false;
        for now in (0..6_000).step_by(500) {
            let half_a_message = |_: &[IoSlice<'_>]| {
                if std::mem::replace(&mut taken, true) { Poll::Pending } else { Poll::Ready(Ok(30_000)) }
            };
            sender.write_all(&programme.borrow(), now, half_a_message).unwrap();
            sender.sample(&programme.borrow().log, &socket, now);
            for (after, first) in [(100, INTER), (200, INTER), (300, KEY)] {
                push(&programme, first, now + after);
            }
        }
        let mut got = Vec::new();
        let everything = |slices: &[IoSlice<'_>]| {
            let before = got.len();
            got.extend(slices.iter().flat_map(|slice| slice.iter().copied()));
            Poll::Ready(Ok(got.len() - before))
        };
        assert_eq!(sender.write_all(&programme.borrow(), 6_000, everything).unwrap(), Progress::Everything);
        let rest = 100_013 - 30_000;
        let next = got.get(rest + 12).copied();
        assert_eq!(next, Some(KEY), "the message is finished, and a keyframe follows");
        assert!(sender.frames_dropped > 0);
    }

    #[test]
    fn a_batch_is_written_alike_both_ways() {
        let programme = Programme::new(Retention { ms: 10_000, bytes: 16 << 20 }, 0);
        push(&programme, KEY, 0);
        let both = || Sender::new(&programme.borrow(), Start::First, log::STREAM_ID, 0);
        let (mut one, mut other) = (both(), both());
        assert_eq!(written(&mut one, &programme, 0), written(&mut other, &programme, 0));
        for n in 1..20 {
            let from = programme.borrow().log.end();
            push(&programme, INTER, n * 40);
            push(&programme, INTER, n * 40 + 20);
            let expected = written(&mut one, &programme, n * 40);
            let mut got = Vec::new();
            let inner = programme.borrow();
            // Every third time the socket takes only a part.
            let part = if n % 3 == 0 { 70_000 } else { usize::MAX };
            let all = other.write_news(&inner.log, &inner.log.news(from), |slices| {
                got.extend(slices.iter().flat_map(|slice| slice.iter().copied()).take(part));
                Poll::Ready(Ok(got.len()))
            });
            assert_eq!(all.unwrap(), part == usize::MAX);
            drop(inner);
            if part < usize::MAX {
                assert_eq!(got.len(), part);
                let rest = |slices: &[IoSlice<'_>]| {
                    let before = got.len();
                    got.extend(slices.iter().flat_map(|slice| slice.iter().copied()));
                    Poll::Ready(Ok(got.len() - before))
                };
                other.write_all(&programme.borrow(), n * 40, rest).unwrap();
            }
            assert_eq!(got.chunks(100_013).map(|frame| frame[12]).collect::<Vec<_>>(), expected);
            assert_eq!(
                (other.frames_sent, other.bytes_sent(), other.place()),
                (one.frames_sent, one.bytes_sent(), one.place())
            );
        }
    }
}
