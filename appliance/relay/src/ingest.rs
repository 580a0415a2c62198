//! Publishers: from the listener to the programme.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use brookbox_rtmp::{Refusal as RtmpRefusal, SecretKey, ServerConfig, ServerEvent, ServerSession, amf, data_head};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::address::{Reach, reach};
use crate::connections::{Places, Stage};
use crate::engine::Engine;
use crate::programme::{DATA, Programme, Shared};
use crate::{Event, EventCode, Id, SessionStatus, clock, sys};

/// A stranger has this long to show a right key …
const STRANGER_DEADLINE: Duration = Duration::from_secs(10);
/// … and this many bytes: handshake and commands take less than 5 KB.
const STRANGER_BYTES: usize = 64 << 10;
/// Time after which a publisher that waits for slow readers looks again.
const WAIT: Duration = Duration::from_millis(2);
/// Bytes read in one turn, so that a publisher faster than real time leaves the readers their turn.
const MAX_TURN: usize = 1 << 20;
/// Messages after which a turn ends, however many bytes they are.
const MAX_EVENTS: usize = 2048;
/// Publishers send a message's header (at most 12 bytes, for hours) and its body in pieces: a header alone wakes nobody. Any
/// whole message is longer, a ping in its short form (14 bytes) included.
const MORE_THAN_A_HEADER: i32 = 13;
/// A publisher that sent nothing for this long gives way to another one, ms; from the same address sooner.
const SILENT_MS: u64 = 2_000;
const SILENT_SAME_ADDRESS_MS: u64 = 500;
/// This far ahead of real time a publisher is a file being copied, and waits for slow readers, ms.
const AHEAD_MS: u64 = 3_000;
/// … measured over this time, ms.
const PACE_MS: u64 = 10_000;
/// A refusal is read by the publisher before the connection goes.
const REFUSAL_TIME: Duration = Duration::from_millis(500);

/// A publisher that was let in.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: Id,
    pub(crate) input: Id,
    pub(crate) peer: SocketAddr,
    since: SystemTime,
    program: RefCell<Option<String>>,
    bytes: Cell<u64>,
    /// Engine time of the last byte, ms.
    pub(crate) heard: Cell<u64>,
    closing: Cell<Option<Closing>>,
    close: Rc<Notify>,
}

/// Why the box closes a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Another one took over.
    Replaced,
    /// A person pressed *Disconnect*, disabled the input or changed its key: the programme ends.
    Unwanted,
    /// It sends more than the input allows.
    Limit,
    /// It sent nothing for too long.
    Silent,
    /// The box goes down.
    Stopping,
}

impl Session {
    /// Closes the connection; the first reason counts.
    pub(crate) fn close(&self, why: Closing) {
        if self.closing.get().is_none() {
            self.closing.set(Some(why));
        }
        self.close.notify_one();
    }

    pub(crate) fn status(&self, frames_lost: u64) -> SessionStatus {
        SessionStatus {
            id: self.id.clone(),
            input: self.input.clone(),
            peer: self.peer.to_string(),
            program: self.program.borrow().clone(),
            protocol: "rtmp",
            role: "publish",
            since: clock::rfc3339(self.since),
            bytes_received: self.bytes.get(),
            bytes_sent: 0,
            frames_lost,
            frames_dropped: 0,
        }
    }
}

/// Accepts connections until the engine ends.
pub(crate) async fn listen(engine: Rc<Engine>, listener: TcpListener) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors: those who are here matter more than who comes.
                tracing::warn!(%error, "a connection was not accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let limits = engine.settings.limits;
        let places = Places {
            all: limits.rtmp_connections,
            strangers: limits.rtmp_unauthenticated,
            strangers_per_address: limits.rtmp_connections_per_address,
        };
        let admitted = engine.connections.borrow_mut().admit(peer.ip(), places);
        let Some((number, close)) = admitted else {
            engine.refused(peer, "limit", None);
            continue;
        };
        let engine = engine.clone();
        tokio::task::spawn_local(async move {
            Connection { engine: &engine, stream, peer, number, close }.serve().await;
            engine.connections.borrow_mut().remove(number);
        });
    }
}

/// One connection to the listener.
struct Connection<'e> {
    engine: &'e Rc<Engine>,
    stream: TcpStream,
    peer: SocketAddr,
    number: u64,
    close: Rc<Notify>,
}

/// What a peer asks for.
enum Wish {
    Publish(Request),
    Play,
}

/// What a publisher wants to publish.
struct Request {
    key: SecretKey,
    program: Option<String>,
}

/// How a connection ended.
enum Gone {
    /// The publisher ended its stream as the protocol has it.
    Properly,
    /// The connection is lost, or broke the protocol.
    Lost,
    /// The box closed it.
    Closed(Closing),
}

impl Connection<'_> {
    async fn serve(mut self) {
        // Small messages are answers to a publisher that waits for them.
        let _ = self.stream.set_nodelay(true);
        let limits = self.engine.settings.limits;
        let mut seed = [0; 32];
        if getrandom::fill(&mut seed).is_err() {
            return;
        }
        let mut config = ServerConfig::default();
        config.after.message = limits.message_bytes;
        let mut rtmp = ServerSession::new(config, seed);
        // A stream that ended properly may be followed by another. Who has nothing more to say closes: closing first would be
        // an error to some.
        while let Some(request) = self.next_request(&mut rtmp).await {
            let admitted = tokio::select! {
                biased;
                () = self.close.notified() => return,
                admitted = self.admit(&request) => admitted,
            };
            let session = match admitted {
                Ok(session) => session,
                Err(refusal) => {
                    rtmp.refuse(refusal);
                    return self.say_goodbye(&mut rtmp).await;
                }
            };
            rtmp.accept_publish();
            let programme = self.engine.publisher_started(&session);
            let gone = self.publish(&mut rtmp, &session, &programme).await;
            self.engine.publisher_gone(
                &session,
                &programme,
                match gone {
                    Gone::Properly => crate::publishers::Ending::Proper,
                    Gone::Lost => crate::publishers::Ending::Lost,
                    Gone::Closed(why) => crate::publishers::Ending::Closed(why),
                },
            );
            match gone {
                Gone::Properly => sys::wake_at(&self.stream, 1),
                Gone::Closed(_) => {
                    rtmp.close_publish("closed by the box");
                    return self.say_goodbye(&mut rtmp).await;
                }
                Gone::Lost => return,
            }
        }
    }

    /// What the peer wants to publish, if it says so in time. A viewer is turned away.
    async fn next_request(&mut self, rtmp: &mut ServerSession) -> Option<Request> {
        let deadline = Instant::now() + STRANGER_DEADLINE;
        let wish = tokio::select! {
            biased;
            () = self.close.notified() => return None,
            () = sleep_until(deadline) => return None,
            wish = Self::until_wish(&mut self.stream, rtmp, self.engine, self.number, self.peer) => wish,
        };
        match wish? {
            Wish::Publish(request) => Some(request),
            Wish::Play => {
                rtmp.refuse(RtmpRefusal::StreamNotFound);
                self.say_goodbye(rtmp).await;
                None
            }
        }
    }

    /// Reads until the peer wants something. None: it went away or broke the protocol.
    async fn until_wish(
        stream: &mut TcpStream,
        rtmp: &mut ServerSession,
        engine: &Rc<Engine>,
        number: u64,
        peer: SocketAddr,
    ) -> Option<Wish> {
        let mut buffer = [0; 4096];
        let mut allowance = STRANGER_BYTES;
        loop {
            while let Some(event) = rtmp.poll_event() {
                match event {
                    ServerEvent::Connected { .. } => {
                        engine.connections.borrow_mut().set_stage(number, Stage::Connected);
                    }
                    ServerEvent::Publish { key, program, .. } => return Some(Wish::Publish(Request { key, program })),
                    ServerEvent::Play { .. } => return Some(Wish::Play),
                    _ => {}
                }
            }
            flush(stream, rtmp).await.ok()?;
            let n = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
            let Some(left) = allowance.checked_sub(n) else {
                engine.refused(peer, "protocol", None);
                return None;
            };
            allowance = left;
            if let Err(error) = rtmp.handle_input(buffer.get(..n)?) {
                tracing::debug!(%peer, %error, "a peer broke the protocol");
                engine.refused(peer, "protocol", None);
                return None;
            }
        }
    }

    /// Decides whether a publisher is let in.
    async fn admit(&self, request: &Request) -> Result<Rc<Session>, RtmpRefusal> {
        let engine = self.engine;
        let found = engine
            .inputs
            .borrow()
            .values()
            .map(|slot| &slot.config)
            .find(|input| {
                let key = input.key.expose_secret().as_bytes();
                bool::from(key.ct_eq(request.key.expose().as_bytes()))
            })
            .cloned();
        let Some(input) = found else {
            // A block tells wrong keys apart; a right one is taken whatever its address did before.
            let reason = if engine.is_blocked(self.peer.ip()) { "blocked" } else { "bad_key" };
            engine.refused(self.peer, reason, None);
            return Err(RtmpRefusal::BadName);
        };
        // From here on nobody is thrown out to make room for a stranger.
        engine.connections.borrow_mut().set_stage(self.number, Stage::Trusted);
        if !input.enabled {
            engine.refused(self.peer, "disabled", Some(&input.id));
            return Err(RtmpRefusal::Denied);
        }
        if !input.allow_public && reach(self.peer.ip()) != Reach::Local {
            engine.refused(self.peer, "public_address", Some(&input.id));
            return Err(RtmpRefusal::Denied);
        }
        if input.limits.sessions == 0 {
            engine.refused(self.peer, "limit", Some(&input.id));
            return Err(RtmpRefusal::Denied);
        }
        if !self.may_take_over(&input.id).await {
            engine.publisher_active(self.peer, &input);
            return Err(RtmpRefusal::BadName);
        }
        Ok(Rc::new(Session {
            id: engine.new_session_id(),
            input: input.id.clone(),
            peer: self.peer,
            since: SystemTime::now(),
            program: RefCell::new(request.program.as_deref().map(printable)),
            bytes: Cell::new(0),
            heard: Cell::new(engine.context.clock.now()),
            closing: Cell::new(None),
            close: self.close.clone(),
        }))
    }

    /// Whether the input is free, or its publisher silent long enough. One that still sends is seen within a frame;
    /// one that is gone without a word is waited for, so that a returning publisher gets in at its first try.
    async fn may_take_over(&self, input: &Id) -> bool {
        let start = self.engine.context.clock.now();
        loop {
            let Some(active) = self.engine.active_session(input) else { return true };
            let now = self.engine.context.clock.now();
            if active.heard.get() > start {
                return false;
            }
            let same = active.peer.ip() == self.peer.ip();
            let limit = if same { SILENT_SAME_ADDRESS_MS } else { SILENT_MS };
            if now.saturating_sub(active.heard.get()) > limit {
                active.close(Closing::Replaced);
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads frames into the programme until the connection ends.
    async fn publish(&mut self, rtmp: &mut ServerSession, session: &Session, programme: &Shared) -> Gone {
        let mut pace = Pace::default();
        let Ok(()) = flush(&mut self.stream, rtmp).await else { return Gone::Lost };
        let mut wake_at = 1;
        let close = self.close.clone();
        let mut turn = Some(());
        loop {
            // Before the first read too: a publisher need not wait for an answer.
            if self.take_events(rtmp, session, programme) {
                return Gone::Properly;
            }
            if turn.is_none() {
                return Gone::Lost;
            }
            if !rtmp.output().is_empty() && self.write_some(rtmp).is_err() {
                return Gone::Lost;
            }
            // The rest of a message may be shorter than a header.
            let next = i32::try_from(rtmp.missing()).ok().filter(|rest| (1..MORE_THAN_A_HEADER).contains(rest));
            let next = next.unwrap_or(MORE_THAN_A_HEADER);
            if std::mem::replace(&mut wake_at, next) != next {
                sys::wake_at(&self.stream, next);
            }
            while self.ahead_of_readers(programme, &mut pace) {
                sleep(WAIT).await;
                session.heard.set(self.engine.context.clock.now());
                if session.closing.get().is_some() {
                    break;
                }
            }
            turn = tokio::select! {
                biased;
                () = close.notified() => return session.closing.get().map_or(Gone::Lost, Gone::Closed),
                turn = poll_fn(|cx| self.poll_turn(cx, rtmp, session)) => turn,
            };
        }
    }

    /// Reads what is there, up to a bound. None: the connection is lost or broke the protocol.
    fn poll_turn(&mut self, cx: &mut Context<'_>, rtmp: &mut ServerSession, session: &Session) -> Poll<Option<()>> {
        let mut buffer = self.engine.read_buffer.borrow_mut();
        let mut turn = 0;
        while turn < MAX_TURN {
            let mut read = ReadBuf::new(&mut buffer);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    let (bytes, all) = (read.filled(), read.remaining() > 0);
                    turn += bytes.len();
                    session.heard.set(self.engine.context.clock.now());
                    session.bytes.set(session.bytes.get() + bytes.len() as u64);
                    if let Err(error) = rtmp.handle_input(bytes) {
                        tracing::warn!(peer = %self.peer, %error, "the publisher broke the protocol");
                        return Poll::Ready(None);
                    }
                    if all || rtmp.events_waiting() > MAX_EVENTS {
                        return Poll::Ready(Some(()));
                    }
                }
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending if turn == 0 => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Some(())),
            }
        }
        Poll::Ready(Some(()))
    }

    /// Hands frames on. Says whether the publisher ended its stream.
    fn take_events(&mut self, rtmp: &mut ServerSession, session: &Session, programme: &Shared) -> bool {
        let now = self.engine.context.clock.now();
        let mut inner = programme.borrow_mut();
        let (before, begun) = (inner.log.end(), inner.begun());
        let mut ended = false;
        while let Some(event) = rtmp.poll_event() {
            match event {
                ServerEvent::Media(message) => {
                    if message.kind == DATA
                        && let Some(name) = encoder(&message.body)
                    {
                        *session.program.borrow_mut() = Some(printable(&name));
                    }
                    inner.push(&message, now);
                }
                ServerEvent::Unpublish => {
                    ended = true;
                    break;
                }
                _ => {}
            }
        }
        let (more, begins) = (inner.log.end() > before, inner.begun() && !begun);
        drop(inner);
        if more {
            Programme::tell_readers(programme, before, now);
        }
        if begins {
            self.engine.programme_begun(&session.input);
        }
        ended
    }

    fn write_some(&self, rtmp: &mut ServerSession) -> std::io::Result<()> {
        match self.stream.try_write(rtmp.output()) {
            Ok(n) => rtmp.consume_output(n),
            // It is written with the next turn; the session bounds what can wait.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A publisher faster than real time waits for readers that would lose their place; a live one never does.
    fn ahead_of_readers(&self, programme: &Shared, pace: &mut Pace) -> bool {
        let programme = programme.borrow();
        let ahead = pace.ahead(programme.played(), self.engine.context.clock.now());
        ahead > AHEAD_MS && programme.longest_backlog() > self.engine.settings.limits.log_bytes / 2
    }

    async fn say_goodbye(&mut self, rtmp: &mut ServerSession) {
        let _ = timeout(REFUSAL_TIME, async {
            flush(&mut self.stream, rtmp).await?;
            self.stream.shutdown().await?;
            // Read what still comes, so that the kernel sends no reset that would overtake the refusal.
            let mut rest = [0; 4096];
            loop {
                if self.stream.read(&mut rest).await? == 0 {
                    return std::io::Result::Ok(());
                }
            }
        })
        .await;
    }
}

/// How much faster than real time a publisher sends.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// Where the measurement began: engine time and what had been played, ms.
    start: Option<(u64, u64)>,
}

impl Pace {
    /// By how many ms of media the publisher is ahead of the clock. Measured anew every few seconds: clocks drift. What a
    /// pause of the line held back may still come then, and is not ahead.
    fn ahead(&mut self, played: u64, now: u64) -> u64 {
        let (at, before) = *self.start.get_or_insert((now, played));
        let (passed, sent) = (now.saturating_sub(at), played.saturating_sub(before));
        if passed > PACE_MS {
            let late = passed.saturating_sub(sent).min(PACE_MS);
            self.start = Some((now, played + late));
        }
        sent.saturating_sub(passed)
    }
}

async fn flush(stream: &mut TcpStream, rtmp: &mut ServerSession) -> std::io::Result<()> {
    while !rtmp.output().is_empty() {
        let n = stream.write(rtmp.output()).await?;
        rtmp.consume_output(n);
    }
    Ok(())
}

/// The encoder's name in `onMetaData`, which says more than the connection's own.
fn encoder(body: &[u8]) -> Option<String> {
    let head = data_head(body).filter(|head| head.name == "onMetaData")?;
    let (values, _) = amf::decode_one(body.get(head.values_at..)?, amf::Limits::default()).ok()?;
    values.as_object()?.get_str("encoder").map(str::to_owned)
}

/// A publisher's own name, fit to be shown.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// An event about a publisher.
pub(crate) fn event(code: EventCode, input: Option<&Id>, peer: SocketAddr) -> Event {
    let mut event = Event::now(code);
    event.input = input.cloned();
    event.params.insert("peer", peer.ip().to_string());
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_clock_is_never_far_ahead_and_a_copied_file_is() {
        let mut pace = Pace::default();
        // 1 % fast for a day.
        let most = (0..864_000).map(|tenth| pace.ahead(5_000 + tenth * 101, tenth * 100)).max();
        assert!(most.is_some_and(|ms| ms < 200), "{most:?}");
        let mut pace = Pace::default();
        assert_eq!((pace.ahead(0, 0), pace.ahead(9_000, 9_000)), (0, 0));
        assert_eq!(pace.ahead(9_000, 15_000), 0, "a pause of the line");
        assert_eq!(pace.ahead(15_000, 15_100), 0, "and what it held back");
        let mut pace = Pace::default();
        assert_eq!(pace.ahead(0, 0), 0);
        assert_eq!(pace.ahead(60_000, 1_000), 59_000);
    }
}
