//! What the server answers to each command, and what it tells its user.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use brookbox_rtmp::{ErrorKind, Refusal, ServerEvent, amf::Object, amf::Value, kind};
use common::{KEY, RawPeer, command, drain, message, names, read_command, shown};

fn connect(peer: &mut RawPeer, object: Object) {
    peer.command(0, "connect", 1.0, &[object.into()]).unwrap();
}

#[test]
fn connect_is_answered_with_window_bandwidth_chunk_size_and_result() {
    let mut peer = RawPeer::new();
    connect(&mut peer, Object::new().with("app", "live").with("flashVer", "FMLE/3.0").with("tcUrl", "rtmp://box/live"));
    let answers = peer.answers();
    let control: Vec<_> = answers[..3].iter().map(|m| (m.kind, m.stream_id, &m.body[..])).collect();
    let window = 2_500_000u32.to_be_bytes();
    assert_eq!(
        control,
        [
            (kind::WINDOW_ACK_SIZE, 0, &window[..]),
            (kind::PEER_BANDWIDTH, 0, &[&window[..], &[2]].concat()),
            (kind::SET_CHUNK_SIZE, 0, &65_536u32.to_be_bytes()),
        ]
    );
    let (name, transaction, values) = read_command(&answers[3]);
    assert_eq!((name.as_str(), transaction, answers.len()), ("_result", 1.0, 4));
    let info = values[1].as_object().unwrap();
    assert_eq!(info.get_str("level"), Some("status"));
    assert_eq!(info.get_str("code"), Some("NetConnection.Connect.Success"));
    assert_eq!(info.get_number("objectEncoding"), Some(0.0));
    let properties = values[0].as_object().unwrap();
    assert!(properties.get("capsEx").is_none(), "old clients get no new fields");
    assert_eq!(
        peer.events(),
        [ServerEvent::Connected {
            app: "live".into(),
            tc_url: "rtmp://box/live".into(),
            program: Some("FMLE/3.0".into()),
            enhanced: false,
        }]
    );
}

#[test]
fn enhanced_fields_are_answered_where_they_were_sent() {
    for (field, value) in [
        ("fourCcList", Value::StrictArray(vec!["hvc1".into()])),
        ("videoFourCcInfoMap", Object::new().with("*", 4.0).into()),
        ("audioFourCcInfoMap", Object::new().with("*", 4.0).into()),
        ("capsEx", 1.0.into()),
    ] {
        let mut peer = RawPeer::new();
        connect(&mut peer, Object::new().with("app", "live").with(field, value));
        assert!(matches!(peer.events()[..], [ServerEvent::Connected { enhanced: true, .. }]));
        let (_, _, values) = read_command(peer.answers().last().unwrap());
        let properties = values[0].as_object().unwrap();
        assert_eq!(properties.get_number("capsEx"), Some(14.0));
        for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
            assert_eq!(properties.get(map).unwrap().as_object().unwrap().get_number("*"), Some(4.0));
        }
        assert_eq!(properties.get("fourCcList").is_some(), field == "fourCcList");
    }
}

#[test]
fn commands_need_a_connection() {
    let mut peer = RawPeer::new();
    let error = peer.command(0, "createStream", 2.0, &[Value::Null]).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Unexpected(_)), "{error}");
    let mut peer = RawPeer::connected();
    assert!(peer.command(0, "connect", 1.0, &[Object::new().into()]).is_err());
}

#[test]
fn streams_are_numbered_and_bounded() {
    let mut peer = RawPeer::new();
    connect(&mut peer, Object::new());
    peer.answers();
    let mut ids = Vec::new();
    for transaction in 2..30 {
        peer.command(0, "createStream", transaction.into(), &[Value::Null]).unwrap();
        let (name, answered, values) = read_command(&peer.answers()[0]);
        assert_eq!(answered, f64::from(transaction));
        if name == "_result" {
            ids.push(values[1].as_number().unwrap());
        } else {
            assert_eq!(name, "_error");
        }
    }
    assert_eq!(ids, (1..16).map(f64::from).collect::<Vec<_>>());
    peer.command(0, "deleteStream", 0.0, &[Value::Null, 7.0.into()]).unwrap();
    peer.command(0, "createStream", 99.0, &[Value::Null]).unwrap();
    assert_eq!(read_command(&peer.answers()[0]).2[1], 7.0.into(), "a deleted number is free again");
}

#[test]
fn calls_that_need_no_doing_are_answered() {
    let mut peer = RawPeer::connected();
    for (transaction, name) in [(5.0, "releaseStream"), (6.0, "FCPublish"), (7.0, "_checkbw"), (8.0, "FCUnpublish")] {
        let mut peer = if name == "FCUnpublish" { RawPeer::publishing() } else { RawPeer::connected() };
        peer.command(0, name, transaction, &[Value::Null, KEY.into()]).unwrap();
        let (answer, answered, _) = read_command(&peer.answers()[0]);
        assert_eq!((answer.as_str(), answered), ("_result", transaction), "{name}");
    }
    peer.command(0, "getStreamLength", 9.0, &[Value::Null, "x".into()]).unwrap();
    assert_eq!(names(&peer.answers()), ["_error NetConnection.Call.Failed"]);
    // Neither a call without a transaction nor an answer asks for one.
    peer.command(0, "releaseStream", 0.0, &[Value::Null, KEY.into()]).unwrap();
    peer.command(0, "somethingElse", 0.0, &[Value::Null]).unwrap();
    peer.command(0, "_result", 9.0, &[Value::Null]).unwrap();
    peer.command(0, "_error", 9.0, &[Value::Null]).unwrap();
    assert_eq!(peer.answers(), []);
}

/// OBS loops if `NetStream.Publish.Start` comes before its key has been looked at.
#[test]
fn no_publish_start_before_acceptance() {
    let mut peer = RawPeer::new();
    connect(&mut peer, Object::new().with("app", "live"));
    let mut all = Vec::new();
    for (transaction, name) in [(2.0, "releaseStream"), (3.0, "FCPublish"), (4.0, "createStream")] {
        peer.command(0, name, transaction, &[Value::Null, KEY.into()]).unwrap();
    }
    peer.command(1, "publish", 5.0, &[Value::Null, KEY.into(), "live".into()]).unwrap();
    all.extend(peer.answers());
    assert!(!names(&all).iter().any(|name| name.contains("Publish.Start")), "{:?}", names(&all));

    peer.server.accept_publish();
    let accepted = peer.answers();
    assert_eq!(
        (accepted[0].kind, &accepted[0].body[..]),
        (kind::USER_CONTROL, &[0, 0, 0, 0, 0, 1][..]),
        "stream begin"
    );
    assert_eq!(names(&accepted), ["onFCPublish NetStream.Publish.Start", "onStatus NetStream.Publish.Start"]);
    assert_eq!(accepted.last().unwrap().stream_id, 1, "status on the stream it is about");
    peer.server.accept_publish();
    assert_eq!(peer.answers(), [], "once");
}

#[test]
fn refusals() {
    for (refusal, code) in [
        (Refusal::BadName, "NetStream.Publish.BadName"),
        (Refusal::Denied, "NetStream.Publish.Denied"),
        (Refusal::Rejected, "NetStream.Publish.Rejected"),
        (Refusal::Failed, "NetStream.Failed"),
        (Refusal::InvalidApp, "NetConnection.Connect.InvalidApp"),
        (Refusal::StreamNotFound, "NetStream.Play.StreamNotFound"),
    ] {
        let mut peer = RawPeer::asking();
        peer.server.refuse(refusal);
        let answers = peer.answers();
        assert_eq!(names(&answers), [format!("onStatus {code}")]);
        let (_, _, values) = read_command(&answers[0]);
        assert_eq!(values[1].as_object().unwrap().get_str("level"), Some("error"));
        // No second guess on the same connection.
        peer.command(1, "publish", 9.0, &[Value::Null, "another".into(), "live".into()]).unwrap();
        peer.server.accept_publish();
        assert_eq!((peer.answers(), peer.events()), (vec![], vec![]));
    }
}

#[test]
fn names_with_queries_and_in_odd_places() {
    for (app, name, expected) in [
        ("live", "KEY?a=b&c=d?e", "Publish live KEY a=b&c=d?e"),
        ("", "KEY", "Publish  KEY "),
        ("/live/", "/KEY", "Publish live KEY "),
        ("a/b?t=1", "KEY", "Publish a/b?t=1 KEY "),
        ("live/KEY", "", "Publish live KEY "),
        ("live", "deep/er/KEY?x", "Publish live/deep/er KEY x"),
    ] {
        let mut peer = RawPeer::new();
        connect(&mut peer, Object::new().with("app", app));
        peer.command(1, "publish", 5.0, &[Value::Null, name.into(), "live".into()]).unwrap();
        assert_eq!(shown(&peer.events()[1]), expected);
    }
    let mut peer = RawPeer::new();
    connect(&mut peer, Object::new());
    assert!(matches!(
        peer.command(1, "publish", 5.0, &[Value::Null]).unwrap_err().kind,
        ErrorKind::Command("publish or play without a name")
    ));
}

#[test]
fn each_way_to_say_the_stream_is_over() {
    for (stream_id, name, values) in [
        (0, "FCUnpublish", &[Value::Null, KEY.into()][..]),
        (0, "deleteStream", &[Value::Null, 1.0.into()]),
        (1, "deleteStream", &[Value::Null, 1.0.into()]),
        (1, "closeStream", &[Value::Null]),
    ] {
        let mut peer = RawPeer::publishing();
        peer.send(4, &message(kind::AUDIO, 1, 7, b"a")).unwrap();
        peer.command(stream_id, name, 0.0, values).unwrap();
        peer.send(4, &message(kind::AUDIO, 1, 8, b"b")).unwrap();
        peer.command(0, "deleteStream", 0.0, &[Value::Null, 1.0.into()]).unwrap();
        let events = peer.events();
        assert!(matches!(events[..], [ServerEvent::Media(_), ServerEvent::Unpublish]), "{name}: {events:?}");
    }
    for (stream_id, name, values) in [
        (0, "deleteStream", &[Value::Null, 2.0.into()][..]),
        (0, "deleteStream", &[Value::Null, f64::NAN.into()]),
        (0, "deleteStream", &[Value::Null]),
        (2, "closeStream", &[Value::Null]),
    ] {
        let mut peer = RawPeer::publishing();
        peer.command(stream_id, name, 0.0, values).unwrap();
        assert_eq!(peer.events(), [], "{name} of another stream");
    }
}

#[test]
fn one_stream_a_connection() {
    let mut peer = RawPeer::publishing();
    peer.command(2, "publish", 8.0, &[Value::Null, "another".into(), "live".into()]).unwrap();
    peer.command(2, "play", 9.0, &[Value::Null, "another".into()]).unwrap();
    let answers = peer.answers();
    assert_eq!(names(&answers), ["onStatus NetStream.Publish.BadName", "onStatus NetStream.Play.StreamNotFound"]);
    assert_eq!(answers[0].stream_id, 2);
    peer.send(4, &message(kind::AUDIO, 1, 0, b"a")).unwrap();
    assert!(matches!(peer.events()[..], [ServerEvent::Media(_)]), "the first goes on");
}

#[test]
fn a_viewer_is_refused() {
    let mut peer = RawPeer::new();
    connect(&mut peer, Object::new().with("app", "live"));
    peer.answers();
    peer.command(1, "play", 4.0, &[Value::Null, format!("{KEY}?x").into()]).unwrap();
    assert_eq!(shown(&peer.events()[1]), format!("Play live {KEY} x"));
    peer.server.accept_publish();
    assert_eq!(peer.answers(), [], "there is nothing to accept");
    peer.server.refuse(Refusal::StreamNotFound);
    assert_eq!(names(&peer.answers()), ["onStatus NetStream.Play.StreamNotFound"]);
}

#[test]
fn commands_in_amf3_form_are_answered_in_it() {
    let mut peer = RawPeer::new();
    let mut amf3 = |stream_id, name: &str, transaction, values: &[Value]| {
        let mut wrapped = command(stream_id, name, transaction, values);
        wrapped.kind = kind::COMMAND_AMF3;
        wrapped.body.insert(0, 0);
        peer.send(3, &wrapped).unwrap();
        peer.answers()
    };
    let answers = amf3(0, "connect", 1.0, &[Object::new().with("app", "live").with("objectEncoding", 3.0).into()]);
    let result = answers.last().unwrap();
    assert_eq!((result.kind, result.body[0]), (kind::COMMAND_AMF3, 0));
    let (_, _, values) = read_command(result);
    assert_eq!(values[1].as_object().unwrap().get_number("objectEncoding"), Some(3.0));
    amf3(0, "createStream", 2.0, &[Value::Null]);
    amf3(1, "publish", 3.0, &[Value::Null, KEY.into()]);
    assert_eq!(shown(&peer.events()[1]), format!("Publish live {KEY} "));
    peer.server.accept_publish();
    assert!(peer.answers()[1..].iter().all(|m| m.kind == kind::COMMAND_AMF3));
}

/// The object of `connect` as an AMF3 value behind the switch marker, as Flash clients with `objectEncoding` 3 may write it.
#[test]
fn connect_with_an_amf3_object() {
    let mut connect = command(0, "connect", 1.0, &[]);
    connect.kind = kind::COMMAND_AMF3;
    connect.body.insert(0, 0);
    connect.body.extend_from_slice(b"\x11\x0a\x0b\x01\x07app\x06\x09live\x01");
    let mut peer = RawPeer::new();
    peer.send(3, &connect).unwrap();
    assert_eq!(shown(&peer.events()[0]), "Connected live ");
}

#[test]
fn media_kinds() {
    let mut peer = RawPeer::publishing();
    peer.send(4, &message(kind::DATA, 1, 1, b"\x02\x00\x01x")).unwrap();
    peer.send(4, &message(kind::DATA_AMF3, 1, 2, b"\x00\x02\x00\x01y")).unwrap();
    peer.send(4, &message(kind::AUDIO, 1, 3, b"")).unwrap();
    peer.send(4, &message(kind::VIDEO, 1, 3, b"")).unwrap();
    peer.send(4, &message(kind::DATA, 1, 3, b"")).unwrap();
    peer.send(4, &message(16, 1, 3, b"shared object")).unwrap();
    peer.send(4, &message(200, 1, 3, b"nobody knows")).unwrap();
    // Streams that exist and are not this one; streams that never did.
    peer.command(0, "createStream", 9.0, &[Value::Null]).unwrap();
    peer.send(4, &message(kind::AUDIO, 2, 4, b"not ours")).unwrap();
    peer.send(4, &message(kind::AUDIO, 0, 5, b"odd client")).unwrap();
    peer.send(4, &message(kind::AUDIO, u32::MAX, 6, b"odd client")).unwrap();
    let media: Vec<_> = peer
        .events()
        .into_iter()
        .map(|event| match event {
            ServerEvent::Media(message) => (message.kind, message.timestamp, message.body),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(
        media,
        [
            (kind::DATA, 1, b"\x02\x00\x01x".to_vec()),
            (kind::DATA, 2, b"\x02\x00\x01y".to_vec()),
            (kind::AUDIO, 3, b"".to_vec()),
            (kind::AUDIO, 5, b"odd client".to_vec()),
            (kind::AUDIO, 6, b"odd client".to_vec()),
        ]
    );
}

/// One connection, one stream after the other; what belongs to none is nobody's.
#[test]
fn another_stream_on_the_same_connection() {
    let mut peer = RawPeer::publishing();
    peer.command(0, "deleteStream", 0.0, &[Value::Null, 1.0.into()]).unwrap();
    peer.send(4, &message(kind::AUDIO, 1, 3, b"late")).unwrap();
    assert!(matches!(peer.events()[..], [ServerEvent::Unpublish]));
    peer.command(0, "createStream", 4.0, &[Value::Null]).unwrap();
    peer.command(1, "publish", 5.0, &[Value::Null, "another".into(), "live".into()]).unwrap();
    assert!(matches!(&peer.events()[..], [ServerEvent::Publish { key, .. }] if key.expose() == "another"));
    peer.server.accept_publish();
    peer.send(4, &message(kind::AUDIO, 1, 7, b"again")).unwrap();
    assert!(matches!(&peer.events()[..], [ServerEvent::Media(message)] if message.timestamp == 7));
}

/// Some publishers never read. Acknowledgements that nobody takes neither pile up nor end the stream.
#[test]
fn a_publisher_that_never_reads() {
    let mut peer = RawPeer::publishing();
    peer.control(kind::WINDOW_ACK_SIZE, &1u32.to_be_bytes()).unwrap();
    for time in 0..20_000 {
        peer.send(4, &message(kind::AUDIO, 1, time, b"sound")).unwrap();
        peer.events();
    }
    assert!(peer.server.output().len() < 100, "{}", peer.server.output().len());
    drain(&mut peer.server);
    peer.send(4, &message(kind::AUDIO, 1, 20_000, b"sound")).unwrap();
    assert_eq!(peer.answers().last().map(|answer| answer.kind), Some(kind::ACKNOWLEDGEMENT));
}

/// A client that publishes on stream 0 and goes on with the number it was given.
#[test]
fn publish_on_a_number_that_was_not_given_out() {
    for (stream_id, name, values) in [
        (0, "deleteStream", &[Value::Null, 1.0.into()][..]),
        (1, "closeStream", &[Value::Null]),
        (0, "closeStream", &[]),
    ] {
        let mut peer = RawPeer::connected();
        peer.command(0, "createStream", 2.0, &[Value::Null]).unwrap();
        peer.command(0, "publish", 3.0, &[Value::Null, KEY.into(), "live".into()]).unwrap();
        peer.server.accept_publish();
        peer.send(4, &message(kind::AUDIO, 1, 4, b"a")).unwrap();
        peer.send(4, &message(kind::AUDIO, 0, 5, b"b")).unwrap();
        peer.command(stream_id, name, 0.0, values).unwrap();
        let events = peer.events();
        assert!(
            matches!(
                events[..],
                [ServerEvent::Publish { .. }, ServerEvent::Media(_), ServerEvent::Media(_), ServerEvent::Unpublish]
            ),
            "{name}: {events:?}"
        );
    }
}

#[test]
fn aggregates_are_split() {
    let part = |kind: u8, time: u8, body: &[u8]| {
        let len = u8::try_from(body.len()).unwrap();
        [&[kind, 0, 0, len, 0, 0, time, 0, 0, 0, 0][..], body, &[0, 0, 0, 11 + len]].concat()
    };
    let body = [part(8, 10, b"a"), part(9, 20, b"vv"), part(22, 20, b"inner"), part(20, 20, b"c"), part(18, 30, b"d")];
    let mut peer = RawPeer::publishing();
    peer.send(6, &message(kind::AGGREGATE, 1, 5000, &body.concat())).unwrap();
    let expected = [(8, 5000, &b"a"[..]), (9, 5010, b"vv"), (18, 5020, b"d")];
    let expected = expected.map(|(kind, time, body)| ServerEvent::Media(message(kind, 1, time, body)));
    assert_eq!(peer.events(), expected);
    let error = peer.send(6, &message(kind::AGGREGATE, 1, 5000, b"\x08\x00\x00\x09")).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Aggregate(_)));
}

/// What a publisher sends without waiting is read once it is let in, under a publisher's limits.
#[test]
fn media_sent_before_the_acceptance_are_not_lost() {
    let mut peer = RawPeer::asking();
    peer.control(kind::SET_CHUNK_SIZE, &100_000u32.to_be_bytes()).unwrap();
    peer.chunk_size = 100_000;
    peer.send(6, &message(kind::VIDEO, 1, 0, b"header")).unwrap();
    let frame = message(kind::VIDEO, 1, 0, &vec![7; 100_000]);
    let mut bytes = Vec::new();
    peer.writer.write(&mut bytes, 6, &frame, 100_000);
    let (first, rest) = bytes.split_at(1000);
    peer.server.handle_input(first).unwrap();
    assert_eq!((peer.events(), peer.answers()), (vec![], vec![]));
    peer.server.accept_publish();
    assert_eq!(peer.events(), [ServerEvent::Media(message(kind::VIDEO, 1, 0, b"header"))]);
    peer.server.handle_input(rest).unwrap();
    assert_eq!(peer.events(), [ServerEvent::Media(frame)]);

    // In one piece with the request; an end behind it too.
    let mut peer = RawPeer::connected();
    let mut bytes = Vec::new();
    for (csid, sent) in [
        (3, command(1, "publish", 3.0, &[Value::Null, KEY.into(), "live".into()])),
        (6, message(kind::VIDEO, 1, 0, b"header")),
        (3, command(0, "deleteStream", 4.0, &[Value::Null, 1.0.into()])),
    ] {
        peer.writer.write(&mut bytes, csid, &sent, 128);
    }
    peer.server.handle_input(&bytes).unwrap();
    assert!(matches!(peer.events()[..], [ServerEvent::Publish { .. }]));
    peer.server.accept_publish();
    assert!(matches!(peer.events()[..], [ServerEvent::Media(_), ServerEvent::Unpublish]));

    let mut peer = RawPeer::asking();
    peer.send(6, &message(kind::VIDEO, 1, 0, b"header")).unwrap();
    peer.server.refuse(Refusal::BadName);
    assert_eq!(peer.events(), []);

    // A fault behind the request is told where an error can be.
    let mut peer = RawPeer::asking();
    peer.server.handle_input(&[0xff; 4]).unwrap();
    peer.server.accept_publish();
    assert!(matches!(peer.server.handle_input(&[]).unwrap_err().kind, ErrorKind::NoEarlierHeader { .. }));
}

#[test]
fn pings_are_answered_and_windows_kept() {
    let mut peer = RawPeer::publishing();
    peer.control(kind::USER_CONTROL, &[0, 6, 1, 2, 3, 4]).unwrap();
    let answers = peer.answers();
    assert_eq!((answers[0].kind, &answers[0].body[..]), (kind::USER_CONTROL, &[0, 7, 1, 2, 3, 4][..]));
    // Buffer length, stream begin, a pong, something unknown: nothing to answer.
    for event in [3, 0, 7, 99] {
        peer.control(kind::USER_CONTROL, &[0, event, 0, 0, 0, 1, 0, 0, 0, 9]).unwrap();
    }
    assert_eq!(peer.answers(), []);

    // §5.4.5: a bandwidth other than ours is answered by a window; ours is not.
    peer.control(kind::PEER_BANDWIDTH, &[0, 0, 0x10, 0, 2]).unwrap();
    let answers = peer.answers();
    assert_eq!((answers[0].kind, &answers[0].body[..]), (kind::WINDOW_ACK_SIZE, &[0, 0, 0x10, 0][..]));
    peer.control(kind::PEER_BANDWIDTH, &[0, 0, 0x10, 0, 2]).unwrap();
    assert_eq!(peer.answers(), []);

    for kind in [kind::ACKNOWLEDGEMENT, kind::WINDOW_ACK_SIZE, kind::PEER_BANDWIDTH] {
        let mut peer = RawPeer::publishing();
        let error = peer.control(kind, &[0, 0, 1]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ControlLength { kind, len: 3, expected: 4 });
    }
    assert!(RawPeer::publishing().control(kind::USER_CONTROL, &[0]).is_err());
    assert!(RawPeer::publishing().control(kind::USER_CONTROL, &[0, 6, 0, 0, 0]).is_err());
}

#[test]
fn acknowledgements_come_before_the_window_is_full() {
    let mut peer = RawPeer::publishing();
    peer.chunk_size = 1 << 20;
    peer.control(kind::SET_CHUNK_SIZE, &(1u32 << 20).to_be_bytes()).unwrap();
    peer.control(kind::WINDOW_ACK_SIZE, &10_000u32.to_be_bytes()).unwrap();
    let (mut sent, mut acknowledged) = (0u64, 0u64);
    for _ in 0..100 {
        peer.send(4, &message(kind::AUDIO, 1, 0, &[0; 988])).unwrap();
        peer.events();
        sent += 1000;
        for answer in peer.answers() {
            assert_eq!(answer.kind, kind::ACKNOWLEDGEMENT);
            acknowledged = u32::from_be_bytes(answer.body.try_into().unwrap()).into();
        }
        assert!(sent - acknowledged.min(sent) < 10_000, "{sent} {acknowledged}");
    }
    assert!(acknowledged > 90_000);
}

/// Some publishers never name a window and stop all the same when nothing is acknowledged.
#[test]
fn acknowledgements_without_a_window() {
    let mut peer = RawPeer::publishing();
    peer.chunk_size = 1 << 20;
    peer.control(kind::SET_CHUNK_SIZE, &(1u32 << 20).to_be_bytes()).unwrap();
    for _ in 0..3 {
        peer.send(6, &message(kind::VIDEO, 1, 0, &[0; 1 << 20])).unwrap();
        peer.events();
    }
    let sequences: Vec<_> = peer.answers().iter().map(|m| u32::from_be_bytes(m.body[..].try_into().unwrap())).collect();
    assert_eq!(sequences.len(), 1, "{sequences:?}");
    assert!((1_250_000..=2_500_000).contains(&sequences[0]));
}
