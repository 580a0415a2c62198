//! What a peer can make a session hold, whatever it sends: never more than the limits, and never more than what came.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use brookbox_rtmp::{
    ServerConfig, ServerSession,
    amf::{Object, Value},
    chunk, kind,
};
use common::{RawPeer, command, handshake_bytes, message};
use proptest::prelude::*;

const STRANGER: usize = 256 << 10;

/// Pieces of what a hostile client could send; put together in any order.
#[derive(Debug, Clone)]
enum Piece {
    Handshake,
    Header {
        format: u8,
        csid: u8,
        time: u32,
        len: u32,
        kind: u8,
        stream_id: u32,
    },
    Bytes(Vec<u8>),
    Zeros(usize),
    Control {
        kind: u8,
        value: u32,
    },
    Ping,
    Command {
        name: &'static str,
        text: usize,
    },
    Flood {
        kind: u8,
        len: usize,
        times: usize,
    },
    /// The caller fetches events, or the peer reads.
    Fetch,
    Read,
}

fn piece() -> impl Strategy<Value = Piece> {
    let kinds = prop_oneof![1u8..23, any::<u8>()];
    let names = prop::sample::select(
        &[
            "connect",
            "createStream",
            "publish",
            "play",
            "releaseStream",
            "FCPublish",
            "FCUnpublish",
            "deleteStream",
            "closeStream",
            "_checkbw",
            "_result",
            "nothing",
        ][..],
    );
    prop_oneof![
        Just(Piece::Handshake),
        (
            0u8..4,
            0u8..64,
            prop_oneof![Just(0u32), Just(0xff_ffff), any::<u32>()],
            0u32..0x0100_0000,
            kinds.clone(),
            0u32..3
        )
            .prop_map(|(format, csid, time, len, kind, stream_id)| Piece::Header {
                format,
                csid,
                time,
                len,
                kind,
                stream_id
            }),
        prop::collection::vec(any::<u8>(), 0..500).prop_map(Piece::Bytes),
        (0usize..100_000).prop_map(Piece::Zeros),
        (1u8..7, prop_oneof![0u32..10, 100u32..10_000, any::<u32>()])
            .prop_map(|(kind, value)| Piece::Control { kind, value }),
        Just(Piece::Ping),
        (names, 0usize..20_000).prop_map(|(name, text)| Piece::Command { name, text }),
        (prop::sample::select(&[8u8, 9, 15, 18, 20, 22, 4, 6][..]), 0usize..20_000, 1usize..200)
            .prop_map(|(kind, len, times)| Piece::Flood { kind, len, times }),
        Just(Piece::Fetch),
        Just(Piece::Read),
    ]
}

/// A session for which the bytes fit most of the time: header and chunk size are as it expects.
struct Stranger {
    server: ServerSession,
    chunk_size: usize,
    most: usize,
    sent: usize,
}

impl Stranger {
    fn send(&mut self, bytes: &[u8]) -> bool {
        // As a caller reads.
        for part in bytes.chunks(65_536) {
            self.sent += part.len();
            if self.server.handle_input(part).is_err() {
                return false;
            }
            self.most = self.most.max(self.server.buffered());
        }
        true
    }

    fn message(&mut self, csid: u8, sent: &brookbox_rtmp::Message) -> bool {
        let mut bytes = Vec::new();
        chunk::write_message(&mut bytes, csid, sent.kind, sent.stream_id, sent.timestamp, &sent.body, self.chunk_size);
        self.send(&bytes)
    }

    fn play(&mut self, piece: &Piece) -> bool {
        match piece {
            Piece::Handshake => self.send(&handshake_bytes()),
            Piece::Header { format, csid, time, len, kind, stream_id } => {
                let (bytes, used) = chunk::header(*csid, *kind, *stream_id, *time, *len as usize);
                let mut bytes = bytes[..used].to_vec();
                bytes[0] |= format << 6;
                match format {
                    1 => drop(bytes.drain(8..12)),
                    2 => drop(bytes.drain(4..12)),
                    3 => bytes.truncate(1),
                    _ => {}
                }
                self.send(&bytes)
            }
            Piece::Bytes(bytes) => self.send(bytes),
            Piece::Zeros(len) => self.send(&vec![0; *len]),
            Piece::Control { kind, value } => {
                let sent = self.message(2, &message(*kind, 0, 0, &[&value.to_be_bytes()[..], &[2]].concat()));
                if *kind == kind::SET_CHUNK_SIZE {
                    self.chunk_size = (*value as usize).clamp(1, 1 << 24);
                }
                sent
            }
            Piece::Ping => self.message(2, &message(kind::USER_CONTROL, 0, 0, &[0, 6, 0, 0, 0, 0])),
            Piece::Command { name, text } => {
                let text: Value = "x".repeat(*text).into();
                let object =
                    Object::new().with("app", text.clone()).with("tcUrl", text.clone()).with("flashVer", text.clone());
                let values = if *name == "connect" { vec![object.into()] } else { vec![Value::Null, text] };
                self.message(3, &command(1, name, 1.0, &values))
            }
            Piece::Flood { kind, len, times } => {
                let sent = message(*kind, 1, 0, &vec![0; *len]);
                (0..*times).all(|_| self.message(5, &sent))
            }
            Piece::Fetch => {
                while self.server.poll_event().is_some() {}
                true
            }
            Piece::Read => {
                self.server.consume_output(usize::MAX);
                true
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_stranger(pieces in prop::collection::vec(piece(), 1..40), polite in 0usize..4) {
        let mut stranger =
            Stranger { server: ServerSession::new(ServerConfig::default(), [0; 32]), chunk_size: 128, most: 0, sent: 0 };
        // Most strangers know how to begin.
        let first: &[Piece] = &[
            Piece::Handshake,
            Piece::Command { name: "connect", text: 1000 },
            Piece::Command { name: "publish", text: 100 },
        ];
        for piece in first[..polite].iter().chain(&pieces) {
            if !stranger.play(piece) {
                break;
            }
            prop_assert!(stranger.most < STRANGER, "{} after {} bytes", stranger.most, stranger.sent);
            // What is held has come, or is what was answered.
            prop_assert!(stranger.most < 2 * stranger.sent + 80_000, "{} after {} bytes", stranger.most, stranger.sent);
        }
        prop_assert!(stranger.server.buffered() < STRANGER + 65_536);
    }

    /// A publisher announces what it likes.
    #[test]
    fn announcements_cost_nothing(announced in prop::collection::vec((3u8..64, 0usize..0xff_ffff, 0usize..129), 1..60)) {
        let mut peer = RawPeer::publishing();
        let before = peer.server.buffered();
        let mut sent = 0;
        for (csid, len, part) in announced {
            let (header, used) = chunk::header(csid, kind::VIDEO, 1, 0, len);
            let bytes = [&header[..used], &vec![1; part.min(len).min(128)]].concat();
            sent += bytes.len();
            if peer.server.handle_input(&bytes).is_err() {
                break;
            }
            peer.events();
            prop_assert!(peer.server.buffered() - before < 2 * sent + 10_000);
        }
    }
}

/// Every limit at its edge at once.
#[test]
fn a_stranger_at_all_limits() {
    let limits = ServerConfig::default().before;
    let text: Value = "x".repeat(8192).into();
    // Connected, nothing read and nothing fetched, long messages on all chunk streams but two, a chunk at a time.
    let begin = || {
        let mut peer = RawPeer::new();
        let connect =
            Object::new().with("app", text.clone()).with("tcUrl", text.clone()).with("flashVer", text.clone());
        peer.command(0, "connect", 1.0, &[connect.into()]).unwrap();
        while peer.server.output().len() < limits.output - 100 {
            peer.control(kind::USER_CONTROL, &[0, 6, 0, 0, 0, 0]).unwrap();
        }
        let csids = 5..5 + u8::try_from(limits.chunk_streams).unwrap() - 2;
        for csid in csids.clone() {
            let (header, used) = chunk::header(csid, kind::VIDEO, 1, 0, limits.message);
            peer.server.handle_input(&[&header[..used], &[0; 128]].concat()).unwrap();
        }
        let round: Vec<u8> = csids.flat_map(|csid| [&[0xc0 | csid][..], &[0; 128]].concat()).collect();
        (peer, round)
    };
    let (mut peer, round) = begin();
    let rounds = (0..).take_while(|_| peer.server.handle_input(&round).is_ok()).count();
    assert!(rounds > 20, "{rounds}");

    let (mut peer, round) = begin();
    for _ in 0..rounds {
        peer.server.handle_input(&round).unwrap();
    }
    peer.command(1, "publish", 2.0, &[Value::Null, "x".repeat(4000).into()]).unwrap();
    let mut most = 0;
    while peer.server.handle_input(&[0]).is_ok() {
        most = most.max(peer.server.buffered());
    }
    assert!((140_000..STRANGER).contains(&most), "{most}");
}
