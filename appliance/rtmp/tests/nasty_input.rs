//! What a hostile or broken peer sends: each is an error or is bounded, none panics, hangs, or takes the publisher's place.
//!
//! Chunks and AMF by themselves are in `chunk_reading.rs` and `amf.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use std::time::{Duration, Instant};

use brookbox_rtmp::{
    ClientConfig, ClientSession, ErrorKind, ServerConfig, ServerSession,
    amf::{self, Object, Value},
    handshake, kind,
};
use common::{KEY, RawPeer, RawServer, command, handshake_bytes, message};

#[test]
fn sixteen_megabytes_announced_and_never_sent() {
    // A stranger may not announce it; a publisher may, and it costs nothing until it comes.
    let header = |csid: u8| [&[csid, 0, 0, 0, 0xff, 0xff, 0xff, kind::VIDEO, 1, 0, 0, 0][..], &[0; 100]].concat();
    let mut stranger = RawPeer::new();
    let error = stranger.server.handle_input(&header(6)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MessageTooLong { kind: kind::VIDEO, announced: 0xff_ffff, limit: 48 << 10 });
    assert_eq!(error.at, 1 + 2 * 1536 + 12, "where the header ends");

    let mut publisher = RawPeer::publishing();
    let before = publisher.server.buffered();
    publisher.server.handle_input(&header(6)).unwrap();
    assert!(publisher.server.buffered() - before < 2000, "{}", publisher.server.buffered());
}

#[test]
fn many_messages_announced_at_once() {
    let mut publisher = RawPeer::publishing();
    let limit = ServerConfig::default().after;
    let announce = |len: [u8; 3]| -> Vec<u8> {
        let header = |csid| [&[csid, 0, 0, 0][..], &len, &[kind::VIDEO, 1, 0, 0, 0]].concat();
        (3..63).flat_map(|csid| [&header(csid)[..], &[0; 128]].concat()).collect()
    };
    // Each might be the one that the rest of the read belongs to.
    let bytes = announce([0, 0x1f, 0]);
    let mut other = RawPeer::publishing();
    let before = other.server.buffered();
    other.server.handle_input(&bytes).unwrap();
    assert!(other.server.buffered() - before < bytes.len() * 3, "{}", other.server.buffered());

    publisher.server.handle_input(&announce([0xff; 3])).unwrap();
    assert!(publisher.server.buffered() < bytes.len() * 3, "{}", publisher.server.buffered());
    // And if they do come, there is an end to it.
    let chunk = |csid: u8| [&[0xc0 | csid][..], &[0; 128]].concat();
    let round: Vec<u8> = (3..63).flat_map(chunk).collect();
    let mut most = 0;
    let error = loop {
        if let Err(error) = publisher.server.handle_input(&round) {
            break error;
        }
        most = most.max(publisher.server.buffered());
    };
    assert_eq!(error.kind, ErrorKind::TooMuchUnfinished(limit.unfinished));
    assert!(most <= limit.unfinished + (256 << 10), "{most}");
}

#[test]
fn nested_objects_in_commands() {
    for nested in
        [b"\x03\x00\x01a".repeat(5000), b"\x0a\x00\x00\x00\x01".repeat(5000), b"\x11\x09\x03\x01".repeat(5000)]
    {
        let mut connect = command(0, "connect", 1.0, &[]);
        connect.body.extend_from_slice(&nested);
        let error = RawPeer::new().send(3, &connect).unwrap_err();
        let ErrorKind::Amf(amf::Error { kind, .. }) = error.kind else { panic!("{error}") };
        assert!(matches!(kind, amf::ErrorKind::Depth(32)), "{error}");
    }
    // 200,000 do not even fit into a stranger's message.
    let mut connect = command(0, "connect", 1.0, &[]);
    connect.body.extend_from_slice(&b"\x03\x00\x01a".repeat(200_000));
    assert!(matches!(RawPeer::new().send(3, &connect).unwrap_err().kind, ErrorKind::MessageTooLong { .. }));
    // From a publisher they come through, to be looked at with limits.
    let mut publisher = RawPeer::publishing();
    connect.kind = kind::DATA;
    publisher.send(4, &connect).unwrap();
    assert_eq!(publisher.events().len(), 1);
    connect.kind = kind::COMMAND;
    assert!(matches!(publisher.send(3, &connect).unwrap_err().kind, ErrorKind::Amf(_)));
}

#[test]
fn counts_of_four_billion_in_commands() {
    for tail in
        [&b"\x0a\xff\xff\xff\xff"[..], b"\x0c\xff\xff\xff\xff", b"\x08\xff\xff\xff\xff", b"\x11\x0c\xff\xff\xff\xff"]
    {
        let mut connect = command(0, "connect", 1.0, &[]);
        connect.body.extend_from_slice(tail);
        let error = RawPeer::new().send(3, &connect).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Amf(amf::Error { kind: amf::ErrorKind::End, .. })), "{error}");
    }
}

#[test]
fn commands_that_are_none() {
    for body in
        [&b""[..], b"\x05", b"\x00\x00", b"\x02\x00\x07connect\x02\x00\x01x", b"\x02\x00\x07connect\x04", b"\xff"]
    {
        for kind in [kind::COMMAND, kind::COMMAND_AMF3] {
            assert!(RawPeer::new().send(3, &message(kind, 0, 0, body)).is_err(), "{body:02x?}");
        }
    }
}

#[test]
fn names_without_end() {
    let long: Value = "x".repeat(9000).into();
    for object in [Object::new().with("app", long.clone()), Object::new().with("tcUrl", long.clone())] {
        let error = RawPeer::new().command(0, "connect", 1.0, &[object.into()]).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Command(_)));
    }
    let mut peer = RawPeer::new();
    peer.command(0, "connect", 1.0, &[Object::new().with("flashVer", long.clone()).into()]).unwrap();
    let shown = format!("{:?}", peer.events());
    assert!(shown.len() < 300, "what people see is cut short: {shown}");
    assert!(peer.command(1, "publish", 2.0, &[Value::Null, long]).is_err());
}

#[test]
fn zero_windows_and_bandwidths_ask_for_nothing() {
    let mut peer = RawPeer::publishing();
    peer.control(kind::WINDOW_ACK_SIZE, &[0; 4]).unwrap();
    peer.control(kind::PEER_BANDWIDTH, &[0; 5]).unwrap();
    for _ in 0..1000 {
        peer.send(4, &message(kind::AUDIO, 1, 0, b"a")).unwrap();
        peer.events();
    }
    assert_eq!(peer.answers(), []);
}

/// A window of one byte: one acknowledgement a read at most.
#[test]
fn a_window_of_one() {
    let mut peer = RawPeer::publishing();
    peer.control(kind::WINDOW_ACK_SIZE, &1u32.to_be_bytes()).unwrap();
    peer.answers();
    let many = message(kind::AUDIO, 1, 0, &[0; 4000]);
    for _ in 0..10 {
        peer.send(4, &many).unwrap();
        assert_eq!(peer.answers().len(), 1);
    }
}

#[test]
fn pings_by_a_peer_that_does_not_read() {
    for mut peer in [RawPeer::new(), RawPeer::connected(), RawPeer::publishing()] {
        let mut most = 0;
        let error = loop {
            if let Err(error) = peer.control(kind::USER_CONTROL, &[0, 6, 0, 0, 0, 0]) {
                break error;
            }
            most = most.max(peer.server.buffered());
        };
        assert!(matches!(error.kind, ErrorKind::TooMuchOutput(_)), "{error}");
        assert!(most < 256 << 10, "{most}");
    }
    let mut server = RawServer::live(ClientConfig::new("app", "rtmp://host/app", KEY));
    let mut sent = 0;
    while server.send(&message(kind::USER_CONTROL, 0, 0, &[0, 6, 0, 0, 0, 0])).is_ok() {
        sent += 1;
    }
    assert!((1000..100_000).contains(&sent), "{sent}");
}

#[test]
fn calls_and_bandwidths_by_a_peer_that_does_not_read() {
    let mut peer = RawPeer::connected();
    let calls = (0..).take_while(|n| peer.command(0, "anything", f64::from(*n) + 1.0, &[]).is_ok()).count();
    assert!(calls < 1000, "{calls}");
    let mut peer = RawPeer::connected();
    let changes =
        (1u32..).take_while(|n| peer.control(kind::PEER_BANDWIDTH, &[&n.to_be_bytes()[..], &[2]].concat()).is_ok());
    assert!(changes.count() < 2000);
}

#[test]
fn events_that_nobody_fetches() {
    let mut peer = RawPeer::publishing();
    let limits = ServerConfig::default().after;
    let small = (0..).take_while(|_| peer.send(4, &message(kind::AUDIO, 1, 0, b"a")).is_ok()).count();
    assert_eq!(small, limits.events);

    let mut peer = RawPeer::publishing();
    let large = message(kind::VIDEO, 1, 0, &vec![0; 1 << 20]);
    let error = (0..100).find_map(|_| peer.send(6, &large).err()).unwrap();
    assert_eq!(error.kind, ErrorKind::TooMuchWaiting(limits.event_bytes));

    // An aggregate cannot multiply.
    let mut peer = RawPeer::publishing();
    let parts = [&[8u8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'a', 0, 0, 0, 12][..]].concat().repeat(100_000);
    let error = peer.send(6, &message(kind::AGGREGATE, 1, 0, &parts)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooManyEvents(limits.events));
}

#[test]
fn media_of_a_stranger() {
    // Before `publish` they are nothing; behind it they wait, within limits.
    let mut peer = RawPeer::new();
    for _ in 0..10_000 {
        peer.send(4, &message(kind::AUDIO, 1, 0, &[0; 1000])).unwrap();
    }
    assert!(peer.server.buffered() < 256 << 10);
    let mut peer = RawPeer::asking();
    let error = (0..).find_map(|_| peer.send(4, &message(kind::AUDIO, 1, 0, &[0; 1000])).err()).unwrap();
    assert!(matches!(error.kind, ErrorKind::TooMuchWaiting(_)), "{error}");
    assert!(peer.server.buffered() < 256 << 10);
    let before = peer.server.buffered();
    assert_eq!(peer.send(4, &message(kind::AUDIO, 1, 0, &[0; 1000])), Err(error), "and so it stays");
    assert_eq!(peer.server.buffered(), before);
}

/// Handshakes that stop half-way hold what has come of them.
#[test]
fn half_open_handshakes() {
    let bytes = handshake_bytes();
    for sent in [0, 1, 2, 1536, 1537, 1538, 3072] {
        let mut server = ServerSession::new(ServerConfig::default(), [0; 32]);
        server.handle_input(&bytes[..sent]).unwrap();
        assert!(server.buffered() < 10_000, "{sent}: {}", server.buffered());
        assert!(size_of::<ServerSession>() < 1000, "{}", size_of::<ServerSession>());
    }
}

#[test]
fn other_protocols_end_at_the_first_byte() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\x02\x00", b"\x06", b"\x00"] {
        let mut server = ServerSession::new(ServerConfig::default(), [0; 32]);
        let error = server.handle_input(bytes).unwrap_err();
        assert_eq!((error.kind, error.at), (ErrorKind::Version(bytes[0]), 1));
        assert_eq!(server.output(), []);
    }
}

/// A session that failed may be called again: it fails or does nothing, and holds no more.
#[test]
fn calls_after_an_error() {
    let mut peer = RawPeer::publishing();
    assert!(peer.server.handle_input(&[0xff; 10]).is_err());
    for _ in 0..100 {
        let _ = peer.server.handle_input(&[0xff; 1000]);
        peer.server.accept_publish();
        peer.server.refuse(brookbox_rtmp::Refusal::Failed);
    }
    peer.server.close_publish("");
    assert!(peer.server.buffered() < 256 << 10);
}

/// One byte at a time is the same as all at once, and costs no more than bytes should.
#[test]
fn one_byte_at_a_time() {
    let mut peer = RawPeer::publishing();
    let sent = message(kind::VIDEO, 1, 5, &vec![7; 200_000]);
    let mut bytes = Vec::new();
    peer.writer.write(&mut bytes, 6, &sent, 128);
    let before = Instant::now();
    for byte in &bytes {
        peer.server.handle_input(std::slice::from_ref(byte)).unwrap();
    }
    assert!(before.elapsed() < Duration::from_secs(5));
    assert_eq!(peer.events(), [brookbox_rtmp::ServerEvent::Media(sent)]);
}

/// The smallest chunks there are: time grows with the bytes, not with their square.
#[test]
fn chunks_of_one_byte() {
    let time = |len: usize| {
        let mut peer = RawPeer::publishing();
        peer.control(kind::SET_CHUNK_SIZE, &1u32.to_be_bytes()).unwrap();
        peer.chunk_size = 1;
        let mut bytes = Vec::new();
        peer.writer.write(&mut bytes, 6, &message(kind::VIDEO, 1, 5, &vec![7; len]), 1);
        let before = Instant::now();
        for part in bytes.chunks(65_536) {
            peer.server.handle_input(part).unwrap();
        }
        assert_eq!(peer.events().len(), 1);
        before.elapsed()
    };
    let (small, large) = (time(100_000), time(3_200_000));
    assert!(large < small.max(Duration::from_millis(5)) * 32 * 8, "{small:?} {large:?}");
}

#[test]
fn nasty_servers() {
    let config = || ClientConfig::new("app", "rtmp://host/app", KEY);
    let mut client = ClientSession::new(config(), [0; 32]);
    assert_eq!(client.handle_input(b"HTTP/1.1 400").unwrap_err().kind, ErrorKind::Version(b'H'));

    let mut server = RawServer::live(config());
    let header = [&[6, 0, 0, 0, 0xff, 0xff, 0xff, kind::VIDEO, 1, 0, 0, 0][..], &[0; 100]].concat();
    assert!(matches!(server.client.handle_input(&header).unwrap_err().kind, ErrorKind::MessageTooLong { .. }));

    let mut server = RawServer::live(config());
    let acknowledgement = message(kind::ACKNOWLEDGEMENT, 0, 0, &[0; 4]);
    let taken = (0..).take_while(|_| server.send(&acknowledgement).is_ok()).count();
    assert_eq!(taken, 1024, "events that nobody fetches");

    // Random S2, unsigned S1, to a client that signed.
    let mut client = ClientSession::new(
        ClientConfig { handshake: handshake::Form::Digest(handshake::Scheme::First), ..config() },
        [0; 32],
    );
    let mut bytes = vec![3];
    bytes.extend((0..3072u32).map(|n| (n * 7919).to_be_bytes()[3]));
    client.handle_input(&bytes).unwrap();
    assert!(client.output().len() > 1537 + 1536);
}
