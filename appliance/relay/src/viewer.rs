//! Viewers: readers of a programme who sit on another thread and get it as FLV.
//!
//! A viewer is a cursor in the log like any other reader. What a batch brought is put into FLV once, for all viewers that
//! wait for just that, and crosses to them as shared bytes through a bounded channel. A viewer that does not keep up
//! stays behind in the log and then loses whole groups, as a destination does; it costs no memory and slows down nobody.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::SystemTime;

use brookbox_media::{Media, TAG_HEADER, TAG_TRAILER, flv_header, flv_tag_header, flv_tag_trailer};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_local;

use crate::destination::Policy;
use crate::engine::{Context, Engine};
use crate::log::{self, Entry, Log, News};
use crate::programme::{AUDIO, DATA, Life, Programme, Reader, Shared, VIDEO};
use crate::{Id, SessionStatus, clock};

/// Bytes that may be on their way to a viewer; one piece more at most.
const MAX_WAITING: usize = 1 << 20;
/// … in at most so many pieces.
const MAX_PIECES: usize = 256;
/// One piece for a viewer that is not at the end; a larger message is a piece of its own.
const PIECE: usize = 256 << 10;

/// Somebody who wants to watch.
#[derive(Clone, Debug)]
pub struct NewViewer {
    /// Which input.
    pub input: Id,
    /// From where.
    pub peer: SocketAddr,
    /// What the viewer's program calls itself.
    pub program: Option<String>,
    /// How: `http-flv` or `ws-flv`.
    pub protocol: &'static str,
}

/// Why somebody may not watch now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// There is no such input.
    #[error("there is no such input")]
    NoInput,
    /// Nothing comes in.
    #[error("nothing is coming in")]
    NoPicture,
    /// The input or the box has as many viewers as it may have.
    #[error("there are as many viewers as there may be")]
    Limit,
    /// The engine has ended.
    #[error(transparent)]
    Ended(#[from] crate::Ended),
}

/// What a viewer reads: an FLV file without end, in pieces that hold whole tags. It begins with the configuration and the
/// newest keyframe. Dropping it ends the session.
#[derive(Debug)]
pub struct Viewing {
    id: Id,
    pieces: mpsc::Receiver<Bytes>,
    pipe: Arc<Pipe>,
}

impl Viewing {
    /// The session, for [`Handle::disconnect`](crate::Handle::disconnect).
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The next piece; `None` once the programme has ended or the session was closed.
    pub async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same, to be polled.
    pub fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Bytes>> {
        let piece = std::task::ready!(self.pieces.poll_recv(cx));
        if let Some(piece) = &piece {
            self.pipe.waiting.fetch_sub(piece.len(), Ordering::SeqCst);
            if self.pipe.is_full.swap(false, Ordering::SeqCst) {
                self.pipe.room.notify_one();
            }
        }
        Poll::Ready(piece)
    }
}

/// What both ends of the channel see.
#[derive(Debug, Default)]
struct Pipe {
    /// Bytes on their way.
    waiting: AtomicUsize,
    /// The engine waits for room.
    is_full: AtomicBool,
    room: Notify,
}

/// One viewer, on the engine's thread.
#[derive(Debug)]
pub(crate) struct Viewer {
    id: Id,
    new: NewViewer,
    since: SystemTime,
    pieces: mpsc::Sender<Bytes>,
    pipe: Arc<Pipe>,
    place: RefCell<Place>,
    sent: Cell<u64>,
    dropped: Cell<u64>,
    more: Notify,
    close: Notify,
}

#[derive(Debug)]
struct Place {
    /// The next message.
    seq: u64,
    policy: Policy,
    /// Tags that go before it.
    before: Vec<u8>,
}

/// How far the writing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Everything,
    Full,
    /// The programme has ended, and so has this.
    Ended,
}

impl Viewer {
    fn new(id: Id, new: NewViewer, programme: &Programme) -> (Self, Viewing) {
        let (sender, receiver) = mpsc::channel(MAX_PIECES);
        let pipe = Arc::new(Pipe::default());
        let seq = programme.log.join();
        let mut policy = Policy::default();
        if seq > 0 && programme.log.lacks_key(seq) {
            policy.skip_to_key();
        }
        let (audio, video) = programme.has_audio_video();
        let mut before = flv_header(audio, video).to_vec();
        put_preamble(programme, seq, &mut before);
        let viewing = Viewing { id: id.clone(), pieces: receiver, pipe: pipe.clone() };
        let viewer = Self {
            id,
            new,
            since: SystemTime::now(),
            pieces: sender,
            pipe,
            place: RefCell::new(Place { seq, policy, before }),
            sent: Cell::new(0),
            dropped: Cell::new(0),
            more: Notify::new(),
            close: Notify::new(),
        };
        (viewer, viewing)
    }

    pub(crate) fn input(&self) -> &Id {
        &self.new.input
    }

    pub(crate) fn close(&self) {
        self.close.notify_one();
    }

    pub(crate) fn status(&self) -> SessionStatus {
        SessionStatus {
            id: self.id.clone(),
            input: self.new.input.clone(),
            peer: self.new.peer.to_string(),
            program: self.new.program.clone(),
            protocol: self.new.protocol,
            role: "play",
            since: clock::rfc3339(self.since),
            bytes_received: 0,
            bytes_sent: self.sent.get(),
            frames_lost: 0,
            frames_dropped: self.dropped.get(),
        }
    }

    /// Until the programme ends, the viewer goes, or somebody closes the session.
    async fn run(&self, programme: Shared, context: &Context) {
        loop {
            if self.fill(&programme.borrow(), context.clock.now()) == Progress::Ended {
                return;
            }
            tokio::select! {
                biased;
                () = self.close.notified() => return,
                () = self.pieces.closed() => return,
                () = self.pipe.room.notified() => {}
                () = self.more.notified() => {}
            }
        }
    }

    /// Hands over what there is, as far as there is room.
    fn fill(&self, programme: &Programme, now: u64) -> Progress {
        let Place { seq, policy, before } = &mut *self.place.borrow_mut();
        let log = &programme.log;
        while self.has_room() {
            if *seq < log.start() {
                // The log has freed what comes next: on with the next keyframe.
                self.dropped.set(self.dropped.get() + (log.start() - *seq));
                *seq = log.start();
                policy.skip_to_key();
                put_preamble(programme, *seq, before);
            }
            let left_out = |entry: &Entry| self.dropped.set(self.dropped.get() + u64::from(entry.is_frame()));
            let until = policy.plan(log, seq, now, left_out);
            if *seq >= until && before.is_empty() {
                policy.at_end();
                return if programme.life == Life::Ended { Progress::Ended } else { Progress::Everything };
            }
            let mut piece = std::mem::take(before);
            while *seq < until && piece.len() < PIECE {
                if let Some(entry) = log.get(*seq) {
                    put_entry(log, entry, &mut piece);
                }
                *seq += 1;
            }
            // Messages that FLV has no place for leave nothing.
            if !piece.is_empty() && !self.send(piece.into()) {
                return Progress::Ended;
            }
        }
        Progress::Full
    }

    /// Whether the viewer's thread takes more. If not, it tells when it does.
    fn has_room(&self) -> bool {
        let is_room = || self.pipe.waiting.load(Ordering::SeqCst) < MAX_WAITING && self.pieces.capacity() > 0;
        if is_room() {
            return true;
        }
        self.pipe.is_full.store(true, Ordering::SeqCst);
        // It may have made room just before it was asked to tell: each side tells the other first and looks then, which only one
        // order for all (`SeqCst`) makes safe.
        is_room()
    }

    /// Hands over one piece; there is room. Says whether anybody is there.
    fn send(&self, piece: Bytes) -> bool {
        let len = piece.len();
        self.pipe.waiting.fetch_add(len, Ordering::AcqRel);
        self.sent.set(self.sent.get() + len as u64);
        self.pieces.try_send(piece).is_ok()
    }
}

impl Reader for Viewer {
    fn more(&self, programme: &Programme, news: &News<'_>, _now: u64) {
        let Ok(mut place) = self.place.try_borrow_mut() else { return };
        let next = place.seq == news.from && place.before.is_empty() && place.policy.takes_all();
        if next && programme.life != Life::Ended && self.has_room() {
            let piece = news.flv.get_or_init(|| flv(&programme.log, news.from, news.until));
            place.seq = news.until;
            if piece.is_empty() || self.send(piece.clone()) {
                return;
            }
        }
        self.more.notify_one();
    }

    /// Nobody waits for a viewer, also not a publisher that is faster than real time.
    fn place(&self) -> u64 {
        u64::MAX
    }
}

impl Engine {
    /// Lets somebody watch.
    pub(crate) fn view(&self, new: NewViewer, answer: oneshot::Sender<Result<Viewing, ViewError>>) {
        let viewing = self.admit_viewer(new);
        // Whoever asked may be gone: then the viewing is dropped here, and the session ends.
        let _ = answer.send(viewing);
        self.context.touch();
    }

    fn admit_viewer(&self, new: NewViewer) -> Result<Viewing, ViewError> {
        let inputs = self.inputs.borrow();
        let slot = inputs.get(&new.input).ok_or(ViewError::NoInput)?;
        let programme = slot.programme.as_ref().filter(|p| p.borrow().begun()).ok_or(ViewError::NoPicture)?;
        let here = {
            let viewers = self.viewers.borrow();
            if viewers.len() >= self.settings.limits.viewers as usize {
                return Err(ViewError::Limit);
            }
            viewers.values().filter(|viewer| *viewer.input() == new.input).count()
        };
        // The publisher has a place of its own among them.
        if here + 1 >= slot.config.limits.sessions as usize {
            return Err(ViewError::Limit);
        }
        let (viewer, viewing) = Viewer::new(self.new_session_id(), new, &programme.borrow());
        let viewer = Rc::new(viewer);
        let reader: Rc<dyn Reader> = viewer.clone();
        programme.borrow_mut().add_reader(Rc::downgrade(&reader));
        self.viewers.borrow_mut().insert(viewer.id.clone(), viewer.clone());
        let (viewers, context, programme) = (self.viewers.clone(), self.context.clone(), programme.clone());
        spawn_local(async move {
            viewer.run(programme, &context).await;
            viewers.borrow_mut().remove(&viewer.id);
            context.touch();
        });
        Ok(viewing)
    }
}

/// Configuration and metadata that were in force at a message.
pub(crate) fn put_preamble(programme: &Programme, seq: u64, out: &mut Vec<u8>) {
    let time = programme.log.get(seq).map_or(programme.time(), |entry| entry.time);
    for (kind, body) in programme.preamble(seq).iter() {
        put_tag(*kind, log::wire_time(time), body.len(), [&**body].into_iter(), out);
    }
}

/// Messages as FLV.
fn flv(log: &Log, from: u64, until: u64) -> Bytes {
    let entries = || log.from(from).take_while(|(seq, _)| *seq < until).map(|(_, entry)| entry);
    let mut out = Vec::with_capacity(entries().map(|entry| entry.wire_len() + 8).sum());
    for entry in entries() {
        put_entry(log, entry, &mut out);
    }
    out.into()
}

/// A message of the log as an FLV tag: the chunks' headers go, a tag's header comes.
pub(crate) fn put_entry(log: &Log, entry: &Entry, out: &mut Vec<u8>) {
    /// Where a message's type stands in its header.
    const KIND: usize = 7;
    let (wire, time) = (log.wire(entry), log::wire_time(entry.time));
    let (head, following) = if time >= 0xff_ffff { (16, 5) } else { (12, 1) };
    let (Some(&kind), Some(chunked)) = (wire.get(KIND), wire.get(head..)) else { return };
    let step = log::CHUNK_SIZE + following;
    let len = chunked.len() - chunked.len().saturating_sub(1) / step * following;
    let chunks = chunked.chunks(step).map(|chunk| chunk.get(..log::CHUNK_SIZE).unwrap_or(chunk));
    put_tag(kind, time, len, chunks, out);
}

fn put_tag<'a>(kind: u8, time: u32, len: usize, parts: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    /// What publishers put before metadata, and no file has.
    const WRAPPER: &[u8] = b"\x02\0\x0d@setDataFrame";
    let media = match kind {
        AUDIO => Media::Audio,
        VIDEO => Media::Video,
        DATA => Media::Data,
        _ => return,
    };
    let mut parts = parts.peekable();
    let wrapped = media == Media::Data && parts.peek().is_some_and(|first| first.starts_with(WRAPPER));
    let skipped = if wrapped { WRAPPER.len() } else { 0 };
    let Ok(len) = u32::try_from(len - skipped) else { return };
    out.reserve(TAG_HEADER + len as usize + TAG_TRAILER);
    out.extend_from_slice(&flv_tag_header(media, time, len));
    for (part, skipped) in parts.zip([skipped].into_iter().chain(std::iter::repeat(0))) {
        out.extend_from_slice(part.get(skipped..).unwrap_or_default());
    }
    out.extend_from_slice(&flv_tag_trailer(len));
}

#[cfg(test)]
mod tests {
    use brookbox_media::{FlvTag, flv_tags};
    use brookbox_rtmp::Message;

    use super::*;
    use crate::log::{NewEntry, Retention, Role};

    const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41];
    const HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x2a];

    fn programme(ms: u64, bytes: usize) -> Shared {
        Programme::new(Retention { ms, bytes }, 0)
    }

    fn push(programme: &Shared, now: u64, body: &[u8]) {
        let from = programme.borrow().log.end();
        let timestamp = u32::try_from(now).unwrap();
        programme.borrow_mut().push(&Message { kind: VIDEO, stream_id: 1, timestamp, body: body.to_vec() }, now);
        Programme::tell_readers(programme, from, now);
    }

    fn viewer(programme: &Shared) -> (Rc<Viewer>, Viewing) {
        let peer = "192.0.2.9:1234".parse().unwrap();
        let new = NewViewer { input: "main".into(), peer, program: None, protocol: "http-flv" };
        let (viewer, viewing) = Viewer::new("s1".into(), new, &programme.borrow());
        let viewer = Rc::new(viewer);
        let reader: Rc<dyn Reader> = viewer.clone();
        programme.borrow_mut().add_reader(Rc::downgrade(&reader));
        (viewer, viewing)
    }

    /// What has crossed already.
    fn read(viewing: &mut Viewing) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        let mut cx = TaskContext::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(piece)) = viewing.poll_next(&mut cx) {
            pieces.push(piece);
        }
        pieces
    }

    #[test]
    fn a_batch_is_put_into_flv_once_for_all() {
        let programme = programme(10_000, 1 << 20);
        push(&programme, 0, HEADER);
        push(&programme, 0, KEY);
        let (mut one, mut other) = (viewer(&programme), viewer(&programme));
        for (viewer, viewing) in [&mut one, &mut other] {
            assert_eq!(viewer.fill(&programme.borrow(), 0), Progress::Everything);
            let first = read(viewing).concat();
            assert_eq!(first[..13], flv_header(false, true));
            let bodies: Vec<_> = flv_tags(&first[13..]).map(|tag| tag.body).collect();
            assert_eq!(bodies, [HEADER, KEY]);
        }
        push(&programme, 40, INTER);
        let (one, other) = (read(&mut one.1), read(&mut other.1));
        assert_eq!(one[0].as_ptr(), other[0].as_ptr(), "the very same bytes");
        let tag = FlvTag { media: Media::Video, timestamp: 40, body: INTER };
        assert_eq!(flv_tags(&one.concat()).collect::<Vec<_>>(), [tag]);
    }

    #[test]
    fn what_waits_for_a_viewer_is_bounded_and_then_groups_are_lost() {
        let programme = programme(2_000, 4 << 20);
        push(&programme, 0, HEADER);
        push(&programme, 0, KEY);
        let (viewer, mut viewing) = viewer(&programme);
        assert_eq!(viewer.fill(&programme.borrow(), 0), Progress::Everything);
        // A keyframe every second, 10 kB every 40 ms, for 20 s that nobody reads.
        for now in (40..20_000).step_by(40) {
            let start = if now % 1_000 == 0 { KEY } else { INTER };
            push(&programme, now, &[start, &[0; 10_000]].concat());
            viewer.fill(&programme.borrow(), now);
            assert!(viewer.pipe.waiting.load(Ordering::Acquire) < MAX_WAITING + 20_000);
        }
        assert_eq!(viewer.fill(&programme.borrow(), 20_000), Progress::Full);
        let late = read(&mut viewing).concat();
        assert!(late.len() < MAX_WAITING + 20_000);
        assert!(viewer.pipe.room.notified().now_or_never(), "the engine is told that there is room");
        assert_eq!(viewer.fill(&programme.borrow(), 20_000), Progress::Everything);
        let fresh = read(&mut viewing).concat();
        let pictures: Vec<_> = flv_tags(&fresh).filter(|tag| tag.body.get(1) == Some(&1)).collect();
        assert_eq!(pictures[0].body[0], 0x17, "on with a keyframe");
        assert!(pictures[0].timestamp >= 17_000, "a new one: {}", pictures[0].timestamp);
        assert!(viewer.status().frames_dropped > 100);
    }

    trait NowOrNever {
        fn now_or_never(self) -> bool;
    }

    impl<F: Future> NowOrNever for F {
        fn now_or_never(self) -> bool {
            let mut cx = TaskContext::from_waker(std::task::Waker::noop());
            std::pin::pin!(self).poll(&mut cx).is_ready()
        }
    }

    #[test]
    fn large_messages_and_late_times_come_out_whole() {
        for time in [0, 0xff_fffe, 0xff_ffff, 0x0100_0000, 0xffff_ffff, 0x1_0000_0005] {
            for len in [0, 1, log::CHUNK_SIZE - 1, log::CHUNK_SIZE, log::CHUNK_SIZE + 1, 3 * log::CHUNK_SIZE, 200_000] {
                let mut log = Log::new(Retention { ms: 1_000, bytes: 4 << 20 });
                let body: Vec<u8> = (0u8..251).cycle().take(len).collect();
                log.append(NewEntry { kind: VIDEO, role: Role::Key, time, arrived: 0, body: &body });
                let flv = flv(&log, 0, 1);
                let tags: Vec<_> = flv_tags(&flv).collect();
                assert_eq!(tags.len(), 1, "{time} {len}");
                assert_eq!((tags[0].timestamp, tags[0].body), (log::wire_time(time), &*body));
            }
        }
    }

    #[test]
    fn what_a_file_does_not_have_stays_out() {
        let mut out = Vec::new();
        put_tag(15, 0, 3, [&b"abc"[..]].into_iter(), &mut out);
        assert!(out.is_empty(), "AMF 3");
        let wrapped = b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x05";
        put_tag(DATA, 7, wrapped.len(), [&wrapped[..]].into_iter(), &mut out);
        let tag = FlvTag { media: Media::Data, timestamp: 7, body: b"\x02\0\x0aonMetaData\x05" };
        assert_eq!(flv_tags(&out).collect::<Vec<_>>(), [tag]);
    }
}
