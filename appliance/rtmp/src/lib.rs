//! RTMP and Enhanced RTMP, both roles, sans-IO: bytes in, events and bytes out.
//!
//! [`ServerSession`] takes a publisher, [`ClientSession`] publishes to a server. Neither knows sockets, clocks or a runtime: the
//! caller reads and writes, keeps the deadlines and decides who may publish. What audio and video hold is carried as bytes and
//! never looked at, so that it goes out as it came in.
//!
//! # Example
//!
//! Both roles joined back to back, as the tests do it. A real caller puts a socket in between.
//!
//! ```
//! use brookbox_rtmp::{ClientConfig, ClientEvent, ClientSession, ServerConfig, ServerEvent, ServerSession, chunk, kind};
//!
//! # fn main() -> Result<(), brookbox_rtmp::Error> {
//! // The seeds feed the handshake: random ones in earnest.
//! let mut server = ServerSession::new(ServerConfig::default(), [1; 32]);
//! let config = ClientConfig::new("live", "rtmp://box/live", "a-stream-key-0123456789");
//! let chunk_size = config.chunk_size as usize;
//! let mut client = ClientSession::new(config, [2; 32]);
//! let mut received = Vec::new();
//!
//! loop {
//!     let to_server = client.output().to_vec();
//!     client.consume_output(to_server.len());
//!     server.handle_input(&to_server)?;
//!     while let Some(event) = server.poll_event() {
//!         match event {
//!             // Look the key up here.
//!             ServerEvent::Publish { key, .. } if key.expose().len() >= 16 => server.accept_publish(),
//!             ServerEvent::Publish { .. } => server.refuse(brookbox_rtmp::Refusal::BadName),
//!             ServerEvent::Media(message) => received.push(message),
//!             _ => {}
//!         }
//!     }
//!
//!     let to_client = server.output().to_vec();
//!     server.consume_output(to_client.len());
//!     client.handle_input(&to_client)?;
//!     while let Some(event) = client.poll_event() {
//!         if let ClientEvent::PublishStarted { stream_id } = event {
//!             // Media are written by the caller, behind the output that is there.
//!             let mut bytes = Vec::new();
//!             chunk::write_message(&mut bytes, chunk::CSID_AUDIO, kind::AUDIO, stream_id, 40, b"\xaf\x01...", chunk_size);
//!             server.handle_input(&bytes)?;
//!             client.finish();
//!         }
//!     }
//!     if to_server.is_empty() && to_client.is_empty() {
//!         break;
//!     }
//! }
//! assert_eq!((received.len(), received[0].timestamp), (1, 40));
//! # Ok(())
//! # }
//! ```
//!
//! # Safe to expose
//!
//! A peer is a stranger until its stream name has been accepted, and may be hostile for ever. No bytes make a session panic or
//! loop. Memory grows with the bytes that come, never with a length or count that they announce; every queue has a limit, at
//! which the connection ends with an [`Error`] that names the byte. With [`ServerConfig::default`] a stranger makes a session
//! hold less than 256 KB. Stream names and passwords are [`SecretKey`]s: no `Debug`, `Display` or error of this crate shows
//! one, and texts of a server that repeat one have it taken out.
//!
//! # What is implemented of the specifications
//!
//! *RTMP 1.0* (Adobe, December 2012):
//!
//! | section | where |
//! | --- | --- |
//! | §5.2 handshake, and the digest form that is in no specification | [`handshake`] |
//! | §5.3 chunks: all header types, ids of one to three bytes, extended timestamps, interleaving | [`chunk`] |
//! | §5.4 Set Chunk Size, Abort, Acknowledgement, Window Acknowledgement Size, Set Peer Bandwidth | inside the sessions |
//! | §7.1 commands in AMF0 and AMF3 form, data, audio, video, aggregates, ping | inside the sessions |
//! | §7.2 connect, createStream, publish, deleteStream, closeStream, onStatus; play is refused | [`ServerSession`], [`ClientSession`] |
//!
//! Not implemented: shared objects (§7.1.3), which are skipped; playing; RTMPE and RTMPT. RTMPS is TLS around the same bytes.
//!
//! *Action Message Format* AMF0 whole and, behind its switch marker, AMF3 but for objects of a private format: [`amf`].
//!
//! *Enhanced RTMP* v2: the fields of `connect` (`fourCcList`, `videoFourCcInfoMap`, `audioFourCcInfoMap`, `capsEx`) and the
//! reconnect request. Its tag bodies pass as bytes.
//!
//! In no specification: `releaseStream`, `FCPublish`, `FCUnpublish`, `_checkbw`, `onFCPublish`, `@setDataFrame`, redirects by
//! `ex.redirect`, the challenges `authmod=adobe` and `authmod=llnw`.
//!
//! # Where real peers differ from them
//!
//! - **Extended timestamps on type 3 headers** are repeated (§5.3.1.3) by FFmpeg, OBS, nginx-rtmp and us, left out by others:
//!   the reader takes four bytes for a timestamp only if they are the ones to be repeated.
//! - **Type 3 that begins a message** behind type 0 adds that one's timestamp (§5.3.1.2.4), as FFmpeg, librtmp and SRS read it.
//! - **Type 1 as the first header** of a chunk stream: librtmp begins chunk stream 2 so. Types 2 and 3 there are errors.
//! - **C2 and S2** are not compared with anything: FFmpeg repeats S1 where a signature belongs, GStreamer changes the times in
//!   it.
//! - **Acknowledgements** are sent at half the window, for peers that count the handshake and peers that do not, and also to a
//!   publisher that never named a window.
//! - **FFmpeg copies our chunk size** for what it sends: a large one saves both sides work.
//! - **OBS** sends Set Chunk Size first of all, and takes `NetStream.Publish.Start` for leave to send wherever it stands, so
//!   nothing with that code goes out before [`ServerSession::accept_publish`]. `FCUnpublish` and `deleteStream` mean a planned
//!   stop; a connection that ends without them is lost.
//! - **Stream names** may hold directories and queries, be empty with the key in the application, or begin with a slash.
//! - **Extra fields in `connect`** upset old servers, so a client sends those of Enhanced RTMP only when asked to, and a server
//!   answers them only to a client that sent some. (nginx-rtmp 1.2.2, FFmpeg 5.1 and node-media-server 4.4 take them well.)
//! - **Set Chunk Size** of a client goes out behind `connect`'s answer; OBS sends it before, FFmpeg not at all.

pub mod amf;
mod auth;
pub mod chunk;
mod client;
mod command;
mod error;
pub mod handshake;
mod link;
mod message;
mod secret;
mod server;
pub mod url;

pub use client::{ClientConfig, ClientEvent, ClientSession, LoginProgress, Stage};
pub use error::{Error, ErrorKind};
pub use message::{DataHead, Message, data_head, kind};
pub use secret::SecretKey;
pub use server::{Refusal, ServerConfig, ServerEvent, ServerLimits, ServerSession};
