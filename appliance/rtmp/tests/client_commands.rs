//! What the client sends to a server, and what it makes of the answers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use brookbox_rtmp::{
    ClientConfig, ClientEvent, Stage,
    amf::{Object, Value},
    kind,
};
use common::{KEY, RawServer, command, message, names, read_command, status};

fn config() -> ClientConfig {
    ClientConfig::new("app/inst?t=1", "rtmp://host/app/inst?t=1", format!("{KEY}?a=b&c=d"))
}

#[test]
fn what_is_sent_in_order() {
    let mut server = RawServer::new(config());
    let sent = server.sent();
    let (name, transaction, values) = read_command(&sent[0]);
    assert_eq!((name.as_str(), transaction, sent.len()), ("connect", 1.0, 1));
    let fields: Vec<_> =
        values[0].as_object().unwrap().0.iter().map(|(name, value)| (&name[..], value.clone())).collect();
    assert_eq!(
        fields,
        [
            ("app", "app/inst?t=1".into()),
            ("type", "nonprivate".into()),
            ("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)".into()),
            ("tcUrl", "rtmp://host/app/inst?t=1".into()),
        ],
        "and no field that old servers would not know"
    );

    server.answer("_result", 1.0, &[Object::new().into(), status("status", "NetConnection.Connect.Success")]);
    let sent = server.sent();
    assert_eq!((sent[0].kind, &sent[0].body[..]), (kind::SET_CHUNK_SIZE, &65_536u32.to_be_bytes()[..]));
    let name_sent: Value = format!("{KEY}?a=b&c=d").into();
    let commands: Vec<_> = sent[1..].iter().map(read_command).collect();
    assert_eq!(
        commands,
        [
            ("releaseStream".into(), 2.0, vec![Value::Null, name_sent.clone()]),
            ("FCPublish".into(), 3.0, vec![Value::Null, name_sent.clone()]),
            ("createStream".into(), 4.0, vec![Value::Null]),
        ]
    );

    server.answer("_result", 4.0, &[Value::Null, 7.0.into()]);
    let sent = server.sent();
    assert_eq!((sent.len(), sent[0].stream_id), (1, 7));
    assert_eq!(read_command(&sent[0]), ("publish".into(), 5.0, vec![Value::Null, name_sent.clone(), "live".into()]));
    server.answer("onStatus", 0.0, &[Value::Null, status("status", "NetStream.Publish.Start")]);
    assert!(matches!(
        server.events()[..],
        [ClientEvent::Connected, ClientEvent::PublishSent, ClientEvent::PublishStarted { stream_id: 7 }]
    ));
    assert_eq!(server.client.stream_id(), 7);

    server.client.finish();
    let commands: Vec<_> = server.sent().iter().map(read_command).collect();
    assert_eq!(
        commands,
        [
            ("FCUnpublish".into(), 6.0, vec![Value::Null, name_sent]),
            ("deleteStream".into(), 7.0, vec![Value::Null, 7.0.into()]),
        ]
    );
    server.client.finish();
    assert_eq!(server.sent(), []);
}

#[test]
fn enhanced_fields_only_where_asked_for() {
    let four_cc = Some(vec!["hvc1".to_owned(), "Opus".to_owned()]);
    let mut server = RawServer::new(ClientConfig { four_cc, ..config() });
    let (_, _, values) = read_command(&server.sent()[0]);
    let object = values[0].as_object().unwrap();
    assert_eq!(object.get("fourCcList"), Some(&Value::StrictArray(vec!["hvc1".into(), "Opus".into()])));
    assert_eq!(object.get_number("capsEx"), Some(15.0));
    for (field, code) in [("videoFourCcInfoMap", "hvc1"), ("audioFourCcInfoMap", "Opus")] {
        assert_eq!(object.get(field), Some(&Object::new().with(code, 4.0).into()), "{field}");
    }
}

#[test]
fn refusals_name_their_stage() {
    let refused = |server: &mut RawServer, stage: Stage, code: &str| {
        let events = server.events();
        let Some(ClientEvent::Refused { stage: got, code: got_code, description }) = events.last() else {
            panic!("{events:?}")
        };
        assert_eq!((*got, got_code.as_str(), description.as_str()), (stage, code, "In words."));
        // Terminal: nothing that follows counts.
        server.answer("onStatus", 0.0, &[Value::Null, status("status", "NetStream.Publish.Start")]);
        assert!(server.events().is_empty());
    };

    let code = "NetConnection.Connect.Rejected";
    let mut server = RawServer::new(config());
    server.answer("_error", 1.0, &[Value::Null, status("error", code)]);
    refused(&mut server, Stage::Connect, code);

    // The object with a code is the one that counts, wherever it stands.
    let other: Value = Object::new().with("fmsVer", "FMS/3,5,7,7009").into();
    for values in [
        [Value::Null, other.clone(), status("error", code)],
        [other.clone(), status("error", code), Value::Null],
        [status("error", code), other.clone(), Value::Null],
    ] {
        let mut server = RawServer::new(config());
        server.answer("_error", 1.0, &values);
        refused(&mut server, Stage::Connect, code);
    }

    let mut server = RawServer::new(config());
    server.answer("_result", 1.0, &[Object::new().into()]);
    server.answer("_error", 4.0, &[Value::Null, status("error", "NetStream.Failed")]);
    refused(&mut server, Stage::CreateStream, "NetStream.Failed");

    for code in
        ["NetStream.Publish.BadName", "NetStream.Publish.Denied", "NetStream.Publish.Rejected", "NetStream.Failed"]
    {
        // Some say so with level `status`, some answer the transaction.
        for level in ["error", "status"] {
            let mut server = RawServer::publishing(config());
            server.answer("onStatus", 0.0, &[Value::Null, status(level, code)]);
            refused(&mut server, Stage::Publish, code);
        }
        let mut server = RawServer::publishing(config());
        server.answer("_error", 5.0, &[Value::Null, status("error", code)]);
        refused(&mut server, Stage::Publish, code);
    }

    let mut server = RawServer::publishing(config());
    server.answer("onStatus", 0.0, &[Value::Null, status("error", "Something.Of.Their.Own")]);
    refused(&mut server, Stage::Publish, "Something.Of.Their.Own");
}

#[test]
fn answers_that_mean_nothing() {
    let mut server = RawServer::new(config());
    server.answer("onStatus", 0.0, &[]);
    server.answer("onStatus", 0.0, &[Value::Null, "text".into()]);
    server.answer("_result", 4.0, &[Value::Null, 1.0.into()]);
    server.answer("_result", 77.0, &[]);
    server.answer("unknown", 0.0, &[Value::Null]);
    assert!(server.events().is_empty());
    server.answer("_result", 1.0, &[]);
    // Servers that do not know these.
    server.answer("_error", 2.0, &[Value::Null, status("error", "NetConnection.Call.Failed")]);
    server.answer("_error", 3.0, &[Value::Null, status("error", "NetConnection.Call.Failed")]);
    server.answer("onFCPublish", 0.0, &[Value::Null, status("status", "NetStream.Publish.Start")]);
    assert!(matches!(server.events()[..], [ClientEvent::Connected]));
    for number in [f64::NAN, -1.0, 1e300] {
        let mut server = RawServer::new(config());
        server.answer("_result", 1.0, &[]);
        let error = server.send(&command(0, "_result", 4.0, &[Value::Null, number.into()])).unwrap_err();
        assert_eq!(
            error.to_string().split(": ").nth(2),
            Some("createStream was answered without a stream id"),
            "{error}"
        );
    }
}

#[test]
fn a_live_stream_that_the_server_ends() {
    for (level, code) in [
        ("status", "NetStream.Unpublish.Success"),
        ("error", "NetStream.Publish.BadName"),
        ("error", "Something.Of.Their.Own"),
        ("status", "NetConnection.Connect.Closed"),
        ("status", "NetConnection.Connect.AppShutdown"),
    ] {
        let mut server = RawServer::live(config());
        server.answer("onStatus", 0.0, &[Value::Null, status(level, code)]);
        assert!(matches!(&server.events()[..], [ClientEvent::Closed { code: got, .. }] if got == code), "{code}");
        server.client.finish();
        assert_eq!(server.sent(), []);
    }
    for (level, code) in [
        ("status", "NetStream.Publish.Idle"),
        ("status", "NetStream.Publish.Start"),
        ("error", "NetStream.Record.NoAccess"),
        ("error", "NetStream.Play.StreamNotFound"),
        ("warning", "NetStream.Anything"),
    ] {
        let mut server = RawServer::live(config());
        server.answer("onStatus", 0.0, &[Value::Null, status(level, code)]);
        assert!(server.events().is_empty(), "{code}");
    }
    let mut server = RawServer::live(config());
    server.answer("close", 0.0, &[Value::Null]);
    assert!(
        matches!(&server.events()[..], [ClientEvent::Closed { code, .. }] if code == "NetConnection.Connect.Closed")
    );
    let mut server = RawServer::publishing(config());
    server.answer("close", 0.0, &[Value::Null]);
    // Asked to publish, it may still go for reasons of its own: that is no word about the key.
    assert!(matches!(server.events()[..], [ClientEvent::Closed { .. }]));
    for code in ["NetConnection.Connect.AppShutdown", "NetConnection.Connect.Closed", "NetConnection.Connect.Failed"] {
        let mut server = RawServer::publishing(config());
        server.answer("onStatus", 0.0, &[Value::Null, status("error", code)]);
        assert!(matches!(server.events()[..], [ClientEvent::Closed { .. }]), "{code}");
    }
}

/// Flash Media Server's bandwidth check, and calls that only its scripts understand.
#[test]
fn calls_that_cannot_be_read_are_answered_or_passed_over() {
    let mut server = RawServer::live(config());
    server.answer("_onbwcheck", 7.0, &[Value::Null, "x".repeat(260_000).into()]);
    let answers: Vec<_> = server.sent().iter().filter(|sent| sent.kind == kind::COMMAND).map(read_command).collect();
    assert_eq!(answers, [("_result".into(), 7.0, vec![Value::Null, Value::Null])]);
    let mut theirs = command(0, "theirs", 0.0, &[]);
    theirs.body.push(0x0e); // a record set, which is reserved
    server.send(&theirs).unwrap();
    assert!(server.events().is_empty());
    server.answer("onStatus", 0.0, &[Value::Null, status("error", "NetStream.Failed")]);
    assert!(matches!(server.events()[..], [ClientEvent::Closed { .. }]), "it still listens");
}

#[test]
fn redirects() {
    let info = Object::new()
        .with("level", "error")
        .with("code", "NetConnection.Connect.Rejected")
        .with("ex", Object::new().with("code", 302.0).with("redirect", "rtmp://other/app/NAME"));
    let redirected = |server: &mut RawServer| {
        let events = server.events();
        let Some(ClientEvent::Redirect { url }) = events.last() else { panic!("{events:?}") };
        assert_eq!(url.expose(), "rtmp://other/app/NAME");
        assert!(!format!("{events:?}").contains("NAME"));
    };
    let mut server = RawServer::new(config());
    server.answer("_error", 1.0, &[Value::Null, info.clone().into()]);
    redirected(&mut server);
    let mut server = RawServer::new(config());
    server.answer("onStatus", 0.0, &[Value::Null, info.clone().into()]);
    redirected(&mut server);
    let mut server = RawServer::publishing(config());
    server.answer("onStatus", 0.0, &[Value::Null, info.into()]);
    redirected(&mut server);
}

#[test]
fn reconnect_requests() {
    let request = |tc_url: Option<&str>| {
        let info = Object::new()
            .with("level", "status")
            .with("code", "NetConnection.Connect.ReconnectRequest")
            .with("description", "The streaming server is undergoing updates.");
        tc_url.map_or(info.clone(), |tc_url| info.with("tcUrl", tc_url))
    };
    for (sent, expected) in [
        (None, None),
        (Some("rtmp://new/app"), Some("rtmp://new/app")),
        (Some("//192.0.2.0/app"), Some("rtmp://192.0.2.0/app")),
        (Some("/realtime"), Some("rtmp://host/realtime")),
    ] {
        let mut server = RawServer::live(config());
        server.answer("onStatus", 0.0, &[Value::Null, request(sent).into()]);
        let events = server.events();
        let [ClientEvent::ReconnectRequest { tc_url, description }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(tc_url.as_deref(), expected);
        assert_eq!(description, "The streaming server is undergoing updates.");
        // The stream goes on until the caller moves.
        server.client.finish();
        assert_eq!(names(&server.sent()), ["FCUnpublish", "deleteStream"]);
    }
}

#[test]
fn bandwidth_checks_are_answered_once() {
    let mut server = RawServer::live(config());
    server.answer("onBWDone", 0.0, &[Value::Null]);
    server.answer("onBWDone", 0.0, &[Value::Null]);
    let sent = server.sent();
    assert_eq!(names(&sent), ["_checkbw"]);
    server.answer("_onbwcheck", 12.0, &[Value::Null]);
    assert_eq!(read_command(&server.sent()[0]).1, 12.0);
}

#[test]
fn acknowledgements_are_told() {
    let mut server = RawServer::live(config());
    server.send(&message(kind::ACKNOWLEDGEMENT, 0, 0, &0xfedc_ba98u32.to_be_bytes())).unwrap();
    assert!(matches!(server.events()[..], [ClientEvent::Acknowledged(0xfedc_ba98)]));
}

/// Servers repeat what they were sent; nothing of it may reach a log.
#[test]
fn descriptions_lose_our_secrets() {
    let login = Some(("user".to_owned(), "hunter2secret".into()));
    let mut server = RawServer::publishing(ClientConfig { login, ..config() });
    let info = Object::new().with("level", "error").with("code", format!("NetStream.Publish.BadName.{KEY}")).with(
        "description",
        format!("{KEY}?a=b&c=d of {KEY} by hunter2secret\n\u{1b}[31m is taken {}", "x".repeat(10_000)),
    );
    server.answer("onStatus", 0.0, &[Value::Null, info.into()]);
    let events = server.events();
    let [ClientEvent::Refused { code, description, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(code, "NetStream.Publish.BadName.…");
    assert!(description.starts_with("… of … by …[31m is taken xxx"), "{description}");
    assert!(description.len() < 600);
    assert!(!format!("{events:?}").contains("CAPTURE"));

    // Not at the end of what is kept, nor in parts.
    for description in [format!("{}{KEY}", "x".repeat(500)), KEY.replace("KEY", "\nKEY\r")] {
        let mut server = RawServer::publishing(config());
        let info =
            Object::new().with("level", "error").with("code", "NetStream.Failed").with("description", description);
        server.answer("onStatus", 0.0, &[Value::Null, info.into()]);
        let shown = format!("{:?}", server.events());
        assert!(!shown.contains("CAPT") && shown.contains('…'), "{shown}");
    }
}
