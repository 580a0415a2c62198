//! The engine: inputs, programme, log, destinations.
//!
//! The engine runs on a thread and a current-thread runtime of its own, so that nothing which happens in HTTP, storage
//! or password hashing can delay a frame. Everything else talks to it through [`Handle`]: commands in, [`Snapshot`]s
//! and [`Report`]s out. It keeps nothing on disk: whoever starts it tells it what there is.
//!
//! The way of a frame: `ingest` reads a publisher's socket and takes RTMP apart; `programme` repairs its timestamp
//! and appends it to the `log` in wire form; each `destination` reads the log at its own place and writes runs of
//! shared bytes to its own socket.

mod address;
mod clock;
mod config;
mod connections;
mod destination;
mod engine;
mod event;
mod excerpt;
mod handle;
mod ingest;
mod log;
mod outward;
mod programme;
mod publishers;
mod reason;
mod refusals;
mod retry;
mod snapshot;
mod status;
mod sys;
mod timeline;
mod tls;
mod tracks;
mod variables;
mod viewer;

pub use address::{Reach, reach};
pub use config::*;
pub use engine::start;
pub use event::*;
pub use excerpt::Excerpt;
pub use handle::*;
pub use outward::Outward;
pub use reason::Cause;
pub use status::*;
pub use tls::check_roots;
pub use viewer::{NewViewer, ViewError, Viewing};
