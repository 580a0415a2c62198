//! Messages, their kinds, and what sits right inside their bodies.

use std::fmt;

use crate::{
    ErrorKind,
    amf::{self, Value},
};

/// One RTMP message as it came in: whole body, chunk headers removed.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Message type id, see [`kind`].
    pub kind: u8,
    /// Message stream id; 0 is the connection itself.
    pub stream_id: u32,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Shows how long the body is: it may be megabytes, or a command with a stream name in it.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, stream_id, timestamp, body } = self;
        let mut shown = f.debug_struct("Message");
        shown.field("kind", kind).field("stream_id", stream_id).field("timestamp", timestamp);
        shown.field("body", &format_args!("{} bytes", body.len())).finish()
    }
}

/// Message type ids (RTMP 1.0 §5.4, §7.1).
pub mod kind {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control Message.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const PEER_BANDWIDTH: u8 = 6;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Data in AMF3 form.
    pub const DATA_AMF3: u8 = 15;
    /// Command in AMF3 form.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data: metadata, cue points, captions.
    pub const DATA: u8 = 18;
    /// Command.
    pub const COMMAND: u8 = 20;
    /// Aggregate: several messages in one.
    pub const AGGREGATE: u8 = 22;
}

/// Types of User Control Messages (RTMP 1.0 §7.1.7).
pub(crate) mod user_control {
    pub(crate) const STREAM_BEGIN: u16 = 0;
    pub(crate) const STREAM_EOF: u16 = 1;
    pub(crate) const PING_REQUEST: u16 = 6;
    pub(crate) const PING_RESPONSE: u16 = 7;
}

/// How a data message (kind 18) begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataHead {
    /// Name of the handler, `onMetaData` mostly.
    pub name: String,
    /// Whether `@setDataFrame` came before it, which asks the server to keep the data for later viewers. Publishers send it
    /// like this, players and files have it without.
    pub wrapped: bool,
    /// Where in the body the name begins: 0, or behind `@setDataFrame`.
    pub name_at: usize,
    /// Where in the body the values behind the name begin.
    pub values_at: usize,
}

/// Reads the beginning of a data message's body; `None` if it does not begin with a name.
#[must_use]
pub fn data_head(body: &[u8]) -> Option<DataHead> {
    let limits = amf::Limits { depth: 1, values: 1, bytes: 1024 };
    let name = |at: usize| match amf::decode_one(body.get(at..)?, limits) {
        Ok((Value::String(name), len)) => Some((name, at + len)),
        _ => None,
    };
    let (first, end) = name(0)?;
    if first != "@setDataFrame" {
        return Some(DataHead { name: first, wrapped: false, name_at: 0, values_at: end });
    }
    let (second, values_at) = name(end)?;
    Some(DataHead { name: second, wrapped: true, name_at: end, values_at })
}

/// The messages inside an aggregate (RTMP 1.0 §7.1.6), each in the form of an FLV tag with its size behind it.
///
/// Times are moved so that the first one gets the aggregate's; the stream id is the aggregate's.
pub(crate) fn split_aggregate(aggregate: &Message) -> impl Iterator<Item = Result<Message, ErrorKind>> + '_ {
    let mut rest = aggregate.body.as_slice();
    let mut offset = None;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(([kind, l0, l1, l2, t0, t1, t2, t3, _, _, _], after)) = rest.split_first_chunk::<11>() else {
            rest = &[];
            return Some(Err(ErrorKind::Aggregate("ends within a header")));
        };
        let len = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        let Some((body, after)) = after.split_at_checked(len) else {
            rest = &[];
            return Some(Err(ErrorKind::Aggregate("ends within a body")));
        };
        // The last back pointer is left out by some.
        rest = after.get(4..).unwrap_or_default();
        let timestamp = u32::from_be_bytes([*t3, *t0, *t1, *t2]);
        let offset = *offset.get_or_insert(aggregate.timestamp.wrapping_sub(timestamp));
        Some(Ok(Message {
            kind: *kind,
            stream_id: aggregate.stream_id,
            timestamp: timestamp.wrapping_add(offset),
            body: body.to_vec(),
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: u8, timestamp: u32, body: &[u8]) -> Vec<u8> {
        let [t3, t0, t1, t2] = timestamp.to_be_bytes();
        let len = u8::try_from(body.len()).unwrap();
        let mut tag = vec![kind, 0, 0, len, t0, t1, t2, t3, 0, 0, 0];
        tag.extend_from_slice(body);
        tag.extend_from_slice(&(11 + u32::from(len)).to_be_bytes());
        tag
    }

    fn aggregate(body: Vec<u8>) -> Message {
        Message { kind: kind::AGGREGATE, stream_id: 1, timestamp: 5000, body }
    }

    #[test]
    fn aggregate_times_are_moved_to_its_own() {
        let body = [tag(8, 0x0100_0000, b"a"), tag(9, 0x0100_0017, b"vv"), tag(8, 0x00ff_fff0, b"")].concat();
        let parts: Vec<_> = split_aggregate(&aggregate(body)).map(Result::unwrap).collect();
        let seen: Vec<_> = parts.iter().map(|m| (m.kind, m.stream_id, m.timestamp, &m.body[..])).collect();
        assert_eq!(seen, [(8, 1, 5000, &b"a"[..]), (9, 1, 5023, b"vv"), (8, 1, 4984, b"")]);
    }

    #[test]
    fn aggregate_may_lack_its_last_back_pointer() {
        let mut body = tag(8, 0, b"a");
        body.truncate(body.len() - 4);
        assert_eq!(split_aggregate(&aggregate(body)).count(), 1);
    }

    #[test]
    fn aggregate_that_is_cut_is_an_error() {
        let body = [tag(8, 0, b"a"), tag(9, 0, b"vvvv")].concat();
        for len in [5, 11, 16 + 10, 16 + 11 + 3] {
            let parts: Vec<_> = split_aggregate(&aggregate(body[..len].to_vec())).collect();
            assert!(matches!(parts.last(), Some(Err(ErrorKind::Aggregate(_)))), "{len}");
        }
    }

    #[test]
    fn data_heads() {
        let body = |names: &[&str]| {
            let mut body = Vec::new();
            names.iter().for_each(|name| amf::encode(&mut body, &Value::from(*name)));
            body
        };
        let head = data_head(&body(&["onMetaData"])).unwrap();
        assert_eq!((head.name.as_str(), head.wrapped, head.name_at, head.values_at), ("onMetaData", false, 0, 13));
        let head = data_head(&body(&["@setDataFrame", "onMetaData"])).unwrap();
        assert_eq!((head.name.as_str(), head.wrapped, head.name_at, head.values_at), ("onMetaData", true, 16, 29));
        assert_eq!(data_head(&body(&["@setDataFrame"])), None);
        assert_eq!(data_head(&[]), None);
        assert_eq!(data_head(&[5]), None);
    }
}
