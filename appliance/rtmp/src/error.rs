//! What can be wrong with a peer, and where in its byte stream.

use crate::amf;

/// A peer broke the protocol or passed a limit. The connection is to be closed; what `output` holds may still be written.
///
/// Never contains anything the peer sent as text, so that no stream name can end up in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the peer's stream: {kind}")]
pub struct Error {
    /// Bytes taken from the peer before the fault was seen.
    pub at: u64,
    /// What was wrong.
    pub kind: ErrorKind,
}

/// What was wrong with the peer's bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The first byte is not the version of plain RTMP (RTMP 1.0 §5.2.2). 6 would be RTMPE; 71 is the G of an HTTP request.
    #[error("handshake: version {0}, expected 3")]
    Version(u8),
    /// A chunk header of type 1 to 3 needs an earlier one on the same chunk stream to refer to (RTMP 1.0 §5.3.1.2).
    #[error("chunk header of type {format} on chunk stream {csid}, which has had no full header yet")]
    NoEarlierHeader {
        /// Header type, 1 to 3.
        format: u8,
        /// Chunk stream id.
        csid: u32,
    },
    /// Within a message only type 3 may follow (RTMP 1.0 §5.3.1.2.4).
    #[error("chunk header of type {format} on chunk stream {csid} inside a message, expected type 3")]
    InsideMessage {
        /// Header type, 0 to 2.
        format: u8,
        /// Chunk stream id.
        csid: u32,
    },
    /// A message announces more bytes than this peer may send in one.
    #[error("message of kind {kind} announces {announced} bytes, at most {limit} are taken")]
    MessageTooLong {
        /// Message type id.
        kind: u8,
        /// Length in the header, bytes.
        announced: usize,
        /// The limit in force, bytes.
        limit: usize,
    },
    /// More chunk streams in use than allowed.
    #[error("more than {0} chunk streams")]
    TooManyChunkStreams(usize),
    /// The unfinished messages of all chunk streams together are too long.
    #[error("unfinished messages hold more than {0} bytes")]
    TooMuchUnfinished(usize),
    /// Set Chunk Size with a value that is not allowed (RTMP 1.0 §5.4.1).
    #[error("chunk size {0:#x}, expected 1 to 0x7fffffff")]
    ChunkSize(u32),
    /// A protocol control message is too short for its type (RTMP 1.0 §5.4).
    #[error("control message of kind {kind} with {len} bytes, expected {expected}")]
    ControlLength {
        /// Message type id.
        kind: u8,
        /// Its length, bytes.
        len: usize,
        /// The length it needs, bytes.
        expected: usize,
    },
    /// A command's body cannot be read as AMF.
    #[error("command: {0}")]
    Amf(#[from] amf::Error),
    /// A command's values are not what its form asks for.
    #[error("command: {0}")]
    Command(&'static str),
    /// An aggregate message's parts do not fit into it (RTMP 1.0 §7.1.6).
    #[error("aggregate message: {0}")]
    Aggregate(&'static str),
    /// More events wait than allowed: the caller did not fetch them, or the peer sends nothing but tiny messages.
    #[error("more than {0} events wait")]
    TooManyEvents(usize),
    /// The events that wait hold too many bytes.
    #[error("waiting events hold more than {0} bytes")]
    TooMuchWaiting(usize),
    /// The peer makes us answer but does not read the answers.
    #[error("more than {0} bytes wait to be read by the peer")]
    TooMuchOutput(usize),
    /// A message came from a peer that may not send it now.
    #[error("{0}")]
    Unexpected(&'static str),
}
