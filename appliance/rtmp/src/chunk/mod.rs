//! Messages cut into chunks (RTMP 1.0 §5.3), both ways.
//!
//! [`Reader`] puts messages together out of bytes; [`Writer`] makes chunks with the shortest header that the specification
//! allows; [`write_message`] makes chunks that depend on nothing before them, so that they can be written once and sent to
//! many.

mod reader;
mod writer;

pub use reader::{Limits, Reader};
pub use writer::{Chunks, Writer, encoded_len, header, write_message};

/// Chunk stream for protocol control messages (RTMP 1.0 §5.4 demands 2).
pub const CSID_CONTROL: u8 = 2;
/// Chunk stream for commands.
pub const CSID_COMMAND: u8 = 3;
/// Chunk stream for audio and data.
pub const CSID_AUDIO: u8 = 4;
/// Chunk stream for video.
pub const CSID_VIDEO: u8 = 6;

/// Chunk size until Set Chunk Size (RTMP 1.0 §5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// Timestamps from here on do not fit into the header and follow it in a field of their own (RTMP 1.0 §5.3.1.3).
const EXTENDED: u32 = 0x00ff_ffff;
