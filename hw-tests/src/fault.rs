//! Servers that misbehave in ways that no real one does on request.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use crate::ports;
use crate::wire::{Amf, Heard, Server};

/// What a faulty server does with each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Takes the connection and never says a byte.
    Silent,
    /// Does the handshake and never answers `connect`.
    SilentAfterHandshake,
    /// Answers everything and never reads again after `publish`, with a small receive buffer.
    BlackHole,
    /// Closes as soon as the connection is there.
    ClosesAtOnce,
    /// Closes after the handshake.
    ClosesAfterHandshake,
    /// Closes instead of answering `publish`, as many platforms do for a wrong key.
    ClosesAtPublish,
    /// Lets the stream start and closes after that many media messages.
    ClosesAfterMedia(usize),
    /// Answers `connect` with an error.
    RefusesConnect,
    /// Answers `publish` with `NetStream.Publish.BadName`.
    RefusesKey,
    /// Answers something that is not RTMP.
    Babbles,
}

/// A faulty server on loopback.
#[derive(Debug)]
pub struct Faulty {
    /// Where it listens.
    pub port: u16,
    visits: Arc<AtomicUsize>,
    keys: Arc<Mutex<Vec<String>>>,
}

impl Faulty {
    /// Starts one.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start(fault: Fault) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        if fault == Fault::BlackHole {
            // Accepted sockets inherit it; otherwise the kernel itself takes megabytes.
            nix::sys::socket::setsockopt(&listener, nix::sys::socket::sockopt::RcvBuf, &16_384)?;
        }
        let port = listener.local_addr()?.port();
        let (visits, keys) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counter, heard) = (Arc::clone(&visits), Arc::clone(&keys));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                counter.fetch_add(1, Ordering::Relaxed);
                let heard = Arc::clone(&heard);
                // A peer that goes away in the middle is no fault of the server.
                std::thread::spawn(move || misbehave(fault, socket, &heard));
            }
        });
        Ok(Self { port, visits, keys })
    }

    /// Where a destination sends to, without the key.
    #[must_use]
    pub fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    /// How many connections came.
    #[must_use]
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }

    /// The keys that were sent to it.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An address on loopback where nobody listens.
#[must_use]
pub fn refusing_url() -> String {
    format!("rtmp://127.0.0.1:{}/live", ports::free())
}

fn misbehave(fault: Fault, mut socket: TcpStream, keys: &Mutex<Vec<String>>) -> Result<()> {
    match fault {
        Fault::ClosesAtOnce => return Ok(()),
        Fault::Silent => return hold(&socket),
        Fault::Babbles => {
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".repeat(100).as_slice())?;
            return hold(&socket);
        }
        _ => {}
    }
    let mut server = Server::accept(socket)?;
    match fault {
        Fault::ClosesAfterHandshake => return Ok(()),
        Fault::SilentAfterHandshake => return hold(&server.wire().socket),
        _ => {}
    }
    let mut media = 0;
    while let Some(heard) = server.hear()? {
        match (heard, fault) {
            (Heard::Connect(_), Fault::RefusesConnect) => {
                let info = Amf::object(&[
                    ("level", Amf::text("error")),
                    ("code", Amf::text("NetConnection.Connect.Rejected")),
                    ("description", Amf::text("the house is full")),
                ]);
                server.wire().command(0, &[Amf::text("_error"), Amf::Number(1.0), Amf::Null, info])?;
                return Ok(());
            }
            (Heard::Publish(key), fault) => {
                keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
                match fault {
                    Fault::ClosesAtPublish => return Ok(()),
                    Fault::RefusesKey => {
                        let info = Amf::object(&[
                            ("level", Amf::text("error")),
                            ("code", Amf::text("NetStream.Publish.BadName")),
                            ("description", Amf::text("no such stream")),
                        ]);
                        server.wire().command(1, &[Amf::text("onStatus"), Amf::Number(0.0), Amf::Null, info])?;
                        return Ok(());
                    }
                    _ => {}
                }
            }
            (Heard::Media(..), Fault::BlackHole) => return hold(&server.wire().socket),
            (Heard::Media(..), Fault::ClosesAfterMedia(count)) => {
                media += 1;
                if media >= count {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Keeps a connection open and reads nothing.
fn hold(_socket: &TcpStream) -> Result<()> {
    // Longer than any case; the thread ends with the program.
    std::thread::sleep(Duration::from_secs(3600));
    Ok(())
}
