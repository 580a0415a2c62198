//! Where every relay sends to: takes N publishers and notes when each frame arrived.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::scan::{Frame, Scanner};
use crate::wire::{Heard, Server};

/// How the relay talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// RTMP, as a publisher.
    Rtmp,
    /// A bare chunk stream.
    Plain,
}

/// A server for N connections.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) port: u16,
    arrivals: Arc<Mutex<Vec<Vec<Frame>>>>,
    bytes: Arc<AtomicU64>,
    playing: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Sink {
    pub(super) fn open(speech: Speech) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sink = Self {
            port: listener.local_addr()?.port(),
            arrivals: Arc::default(),
            bytes: Arc::default(),
            playing: Arc::default(),
            open: Arc::default(),
        };
        let (arrivals, bytes) = (Arc::clone(&sink.arrivals), Arc::clone(&sink.bytes));
        let (playing, open) = (Arc::clone(&sink.playing), Arc::clone(&sink.open));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (arrivals, bytes) = (Arc::clone(&arrivals), Arc::clone(&bytes));
                let (playing, open) = (Arc::clone(&playing), Arc::clone(&open));
                std::thread::spawn(move || {
                    open.fetch_add(1, Ordering::Relaxed);
                    let mut frames = Vec::with_capacity(8192);
                    // A relay that goes away in the middle shows in the figures.
                    let _ = take(socket, speech, &bytes, |frame| {
                        if frames.is_empty() {
                            playing.fetch_add(1, Ordering::Relaxed);
                        }
                        frames.push(frame);
                    });
                    arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(frames);
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(sink)
    }

    /// Bytes that have arrived in all.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Connections to which a frame has come.
    pub(super) fn playing(&self) -> usize {
        self.playing.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub(super) fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The frames of each connection that has ended and had some.
    pub(super) fn arrivals(&self) -> Vec<Vec<Frame>> {
        let mut all = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.retain(|frames| !frames.is_empty());
        all
    }
}

fn take(socket: TcpStream, speech: Speech, bytes: &AtomicU64, mut tell: impl FnMut(Frame)) -> Result<()> {
    let (mut socket, mut scanner) = match speech {
        Speech::Plain => (socket, Scanner::new(128)),
        Speech::Rtmp => {
            let mut server = Server::accept(socket)?;
            while !matches!(server.hear()?.context("it left before it published")?, Heard::Publish(_)) {}
            let (socket, rest, chunk_size) = server.into_parts()?;
            let mut scanner = Scanner::new(chunk_size);
            scanner.scan(&rest, Instant::now(), &mut tell)?;
            (socket, scanner)
        }
    };
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        scanner.scan(&buffer[..count], Instant::now(), &mut tell)?;
    }
}
