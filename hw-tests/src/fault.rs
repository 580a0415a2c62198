//! Servers that misbehave in ways that no real one does on request.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use crate::ports;
use crate::wire::{Amf, Heard, Message, Server, chunks, kind};

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
    /// Answers `connect` by sending the client elsewhere, as Flash Media Server does.
    Redirects {
        /// Where to.
        host: &'static str,
        /// Its port; none: back here.
        port: Option<u16>,
        /// The application, or application and stream, as other servers send it.
        path: &'static str,
    },
    /// Answers `publish` with `NetStream.Publish.BadName`.
    RefusesKey,
    /// Lets the stream start, then asks for answers to pings without end, and reads a trickle of them.
    Floods,
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
        if matches!(fault, Fault::BlackHole | Fault::Floods) {
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

/// A way to a server on loopback on which each connection takes this long to come about; gives its port.
///
/// # Errors
/// No port can be had.
pub fn slow_way(to: u16, delay: Duration) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            // Whoever goes away first ends both halves.
            std::thread::spawn(move || -> Result<()> {
                std::thread::sleep(delay);
                let far = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
                let back = (far.try_clone()?, near.try_clone()?);
                std::thread::spawn(move || forward(&back.0, &back.1));
                forward(&near, &far)
            });
        }
    });
    Ok(port)
}

fn forward(mut from: &TcpStream, mut to: &TcpStream) -> Result<()> {
    std::io::copy(&mut from, &mut to)?;
    Ok(to.shutdown(Shutdown::Write)?)
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
            (Heard::Connect(_), Fault::Redirects { host, port, path }) => {
                let port = port.map_or_else(|| server.wire().socket.local_addr().map(|own| own.port()), Ok)?;
                let to = Amf::text(&format!("rtmp://{host}:{port}/{path}"));
                let info = Amf::object(&[
                    ("level", Amf::text("error")),
                    ("code", Amf::text("NetConnection.Connect.Rejected")),
                    ("description", Amf::text("[ AccessManager.Reject ] : Connection redirected")),
                    ("ex", Amf::object(&[("code", Amf::Number(302.0)), ("redirect", to)])),
                ]);
                server.wire().command(0, &[Amf::text("_error"), Amf::Number(1.0), Amf::Null, info])?;
                return Ok(());
            }
            (Heard::Publish(key), fault) => {
                keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
                match fault {
                    Fault::ClosesAtPublish => return Ok(()),
                    Fault::Floods => return flood(server.into_parts()?.0),
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

/// Sends Ping Requests as fast as they are taken, until the peer has had enough.
fn flood(mut socket: TcpStream) -> Result<()> {
    let mut trickle = socket.try_clone()?;
    std::thread::spawn(move || {
        let mut drop = [0; 64];
        while trickle.read(&mut drop).is_ok_and(|count| count > 0) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let ping = Message { kind: kind::USER_CONTROL, stream_id: 0, timestamp: 0, body: vec![0, 6, 0, 0, 0, 1] };
    let pings = chunks(2, &ping, 128).repeat(4000);
    loop {
        socket.write_all(&pings)?;
    }
}

/// Keeps a connection open and reads nothing.
fn hold(_socket: &TcpStream) -> Result<()> {
    // Longer than any case; the thread ends with the program.
    std::thread::sleep(Duration::from_secs(3600));
    Ok(())
}
