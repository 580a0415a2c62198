//! What the publisher goes through: notes when each frame came by, and passes it on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::scan::{Frame, Scanner};
use crate::wire::{HANDSHAKE, Heard, Message, Server, chunks, kind};

/// How the gate passes on what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onward {
    /// Byte for byte, both ways, to a relay that speaks RTMP.
    Rtmp(u16),
    /// The chunk stream alone, as it comes, to a relay that knows no RTMP.
    Plain(u16),
}

/// The most that passes, bytes a second: just below the most that an input of Brookbox can be made to allow (1 Gbit/s).
/// Ten destinations then take a gigabyte a second, which keeps any relay busy.
const MOST: u32 = 100_000_000;

/// A gate for one publisher.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) port: u16,
    seen: Arc<Mutex<Seen>>,
}

/// What came by.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// When the publisher connected.
    pub(super) connected: Option<Instant>,
    /// Every coded frame.
    pub(super) frames: Vec<Frame>,
}

impl Gate {
    pub(super) fn open(onward: Onward) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let own = Arc::clone(&seen);
        std::thread::spawn(move || {
            let Ok((publisher, _)) = listener.accept() else { return };
            lock(&own).connected = Some(Instant::now());
            // Either side going away ends the run; what is missing shows in the figures.
            let _ = match onward {
                Onward::Rtmp(to) => pass(publisher, to, &own),
                Onward::Plain(to) => strip(publisher, to, &own),
            };
        });
        Ok(Self { port, seen })
    }

    pub(super) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass(publisher: TcpStream, to: u16, seen: &Mutex<Seen>) -> Result<()> {
    let relay = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    relay.set_nodelay(true)?;
    publisher.set_nodelay(true)?;
    let (mut back_from, mut back_to) = (relay.try_clone()?, publisher.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut back_from, &mut back_to);
        let _ = back_to.shutdown(Shutdown::Both);
    });
    forward(publisher, relay, Scanner::new(128), 1 + 2 * HANDSHAKE, seen)
}

/// Plays the server until the publisher publishes; from there on what comes is passed on as it comes.
fn strip(publisher: TcpStream, to: u16, seen: &Mutex<Seen>) -> Result<()> {
    /// What Brookbox asks for, so that the publisher cuts its stream alike for both.
    const CHUNK: u32 = 65_536;
    let mut relay = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    relay.set_nodelay(true)?;
    let mut server = Server::accept(publisher)?;
    loop {
        match server.hear()?.context("the publisher left before it published")? {
            Heard::CreateStream => server.wire().set_chunk_size(CHUNK)?,
            Heard::Publish(_) => break,
            _ => {}
        }
    }
    let (publisher, rest, chunk_size) = server.into_parts()?;
    let body = u32::try_from(chunk_size)?.to_be_bytes().to_vec();
    let mut first = chunks(2, &Message { kind: kind::CHUNK_SIZE, stream_id: 0, timestamp: 0, body }, 128);
    first.extend(rest);
    relay.write_all(&first)?;
    let mut scanner = Scanner::new(128);
    scanner.scan(&first, Instant::now(), |frame| lock(seen).frames.push(frame))?;
    forward(publisher, relay, scanner, 0, seen)
}

/// Passes on every byte as it comes, and notes the frames behind the first `handshake` bytes.
fn forward(
    mut publisher: TcpStream,
    mut relay: TcpStream,
    mut scanner: Scanner,
    mut handshake: usize,
    seen: &Mutex<Seen>,
) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut brake = Brake::new();
    loop {
        let count = publisher.read(&mut buffer)?;
        if count == 0 {
            relay.shutdown(Shutdown::Write)?;
            return Ok(());
        }
        brake.passed(count);
        let at = Instant::now();
        let bytes = &buffer[..count];
        relay.write_all(bytes)?;
        let skipped = handshake.min(bytes.len());
        handshake -= skipped;
        let mut seen = lock(seen);
        scanner.scan(&bytes[skipped..], at, |frame| seen.frames.push(frame))?;
    }
}

/// Holds up what comes faster than [`MOST`].
struct Brake {
    start: Instant,
    bytes: u64,
}

impl Brake {
    fn new() -> Self {
        Self { start: Instant::now(), bytes: 0 }
    }

    fn passed(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        let due = Duration::from_micros(self.bytes * 1_000_000 / u64::from(MOST));
        let ahead = due.saturating_sub(self.start.elapsed());
        // Shorter sleeps last longer than they should.
        if ahead > Duration::from_millis(1) {
            std::thread::sleep(ahead);
        } else if ahead.is_zero() {
            // What was not used is not saved up for a burst.
            (self.start, self.bytes) = (Instant::now(), 0);
        }
    }
}
