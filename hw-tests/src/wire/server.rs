//! The server's side of a publication.

use std::net::TcpStream;
use std::time::Instant;

use anyhow::Result;

use super::{Amf, Message, Wire, decode, kind};

/// What a server of ours hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// `connect`, with its object.
    Connect(Amf),
    /// `createStream`.
    CreateStream,
    /// `publish`, with the key.
    Publish(String),
    /// FCUnpublish, deleteStream or closeStream.
    Unpublish,
    /// Audio, video or data; arrived whole at that moment.
    Media(Message, Instant),
}

/// A polite server: answers what a publisher says, and tells what it heard. What comes before the answer can be cut
/// short by dropping it.
#[derive(Debug)]
pub struct Server {
    wire: Wire,
    pending: Option<(Heard, f64)>,
}

impl Server {
    /// Takes the handshake.
    ///
    /// # Errors
    /// The peer goes away.
    pub fn accept(socket: TcpStream) -> Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { wire: Wire::accept(socket)?, pending: None })
    }

    /// The connection.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Answers what was heard last and hands over the connection: the socket, bytes of it that were read already, and
    /// the chunk size that the peer uses. Only to be called between two messages of the peer.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn into_parts(mut self) -> Result<(TcpStream, Vec<u8>, usize)> {
        if let Some((heard, transaction)) = self.pending.take() {
            self.answer(&heard, transaction)?;
        }
        Ok(self.wire.into_parts())
    }

    /// Answers what was heard last, then waits for the next; `None` at the end of the connection.
    ///
    /// # Errors
    /// A broken protocol.
    pub fn hear(&mut self) -> Result<Option<Heard>> {
        if let Some((heard, transaction)) = self.pending.take() {
            self.answer(&heard, transaction)?;
        }
        loop {
            let Some(message) = self.wire.message()? else { return Ok(None) };
            self.wire.acknowledge()?;
            let heard = match message.kind {
                kind::AUDIO | kind::VIDEO | kind::DATA => return Ok(Some(Heard::Media(message, Instant::now()))),
                kind::COMMAND => decode(&message.body)?,
                _ => continue,
            };
            let transaction = if let Some(Amf::Number(n)) = heard.get(1) { *n } else { 0.0 };
            let text = |index: usize| heard.get(index).and_then(Amf::as_text).unwrap_or_default().to_owned();
            let heard = match text(0).as_str() {
                "connect" => Heard::Connect(heard.get(2).cloned().unwrap_or(Amf::Null)),
                "createStream" => Heard::CreateStream,
                "publish" => Heard::Publish(text(3)),
                "FCUnpublish" | "deleteStream" | "closeStream" => Heard::Unpublish,
                _ => continue,
            };
            self.pending = Some((heard.clone(), transaction));
            return Ok(Some(heard));
        }
    }

    fn answer(&mut self, heard: &Heard, transaction: f64) -> Result<()> {
        let status = |code: &str| {
            Amf::object(&[
                ("level", Amf::text("status")),
                ("code", Amf::text(code)),
                ("description", Amf::text("fine")),
            ])
        };
        match heard {
            Heard::Connect(_) => {
                let body = 2_500_000_u32.to_be_bytes().to_vec();
                self.wire.send(2, &Message { kind: kind::WINDOW, stream_id: 0, timestamp: 0, body })?;
                self.wire.set_chunk_size(4096)?;
                let server =
                    Amf::object(&[("fmsVer", Amf::text("FMS/3,0,1,123")), ("capabilities", Amf::Number(31.0))]);
                let answer = status("NetConnection.Connect.Success");
                self.wire.command(0, &[Amf::text("_result"), Amf::Number(transaction), server, answer])
            }
            Heard::CreateStream => {
                self.wire.command(0, &[Amf::text("_result"), Amf::Number(transaction), Amf::Null, Amf::Number(1.0)])
            }
            Heard::Publish(_) => self
                .wire
                .command(1, &[Amf::text("onStatus"), Amf::Number(0.0), Amf::Null, status("NetStream.Publish.Start")]),
            Heard::Unpublish | Heard::Media(..) => Ok(()),
        }
    }
}
