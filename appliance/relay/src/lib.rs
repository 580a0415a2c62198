//! The engine: inputs, programme, log, destinations.
//!
//! The engine runs on a thread and a current-thread runtime of its own, so that nothing which happens in HTTP, storage
//! or password hashing can delay a frame. Everything else talks to it through [`Handle`]: commands in, [`Snapshot`]s
//! and [`Event`]s out. It keeps nothing on disk: whoever starts it tells it what there is.

mod config;
mod event;
mod handle;
mod status;

pub use config::*;
pub use event::*;
pub use handle::*;
pub use status::*;
