//! `brookbox-rtmp` fed with anything: nothing panics, nothing is held beyond the limits, and pieces make no difference.

use brookbox_rtmp::{
    ClientConfig, ClientSession, Message, Refusal, ServerConfig, ServerEvent, ServerSession,
    amf::{self, Object, Value},
    chunk::{self, Reader, Writer},
    handshake::{self, Form, Scheme},
    kind,
    url::RtmpUrl,
};

/// Both halves of the handshake; the first byte chooses the client's form and the size of the pieces.
pub fn handshake(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let form = [Form::Simple, Form::Digest(Scheme::First), Form::Digest(Scheme::Second)][usize::from(choice % 3)];
    let piece = usize::from(choice / 3) + 1;

    let run = |piece: usize| {
        let mut server = handshake::Server::new([1; 32]);
        let mut out = Vec::new();
        let ended = data.chunks(piece).find_map(|mut part| match server.handle(&mut part, &mut out) {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        assert!(server.buffered() <= 2 * handshake::PACKET_LEN);
        assert!(out.len() <= 1 + 2 * handshake::PACKET_LEN);
        (ended, out, server.form())
    };
    assert_eq!(run(piece), run(usize::MAX));

    let run = |piece: usize| {
        let mut out = Vec::new();
        let mut client = handshake::Client::new(form, [2; 32], &mut out);
        let ended = data.chunks(piece).find_map(|mut part| match client.handle(&mut part, &mut out) {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        assert!(out.len() <= 1 + 2 * handshake::PACKET_LEN);
        (ended, out, client.verified())
    };
    assert_eq!(run(piece), run(usize::MAX));
}

/// The chunk reader; what it gives is written and read again.
pub fn chunks(data: &[u8]) {
    const LIMITS: chunk::Limits = chunk::Limits { message: 1 << 16, unfinished: 1 << 17, chunk_streams: 12 };
    let Some((&piece, data)) = data.split_first() else { return };
    let run = |piece: usize| {
        let mut reader = Reader::new(LIMITS);
        let (mut messages, mut sent) = (Vec::new(), 0);
        for mut part in data.chunks(piece) {
            sent += part.len();
            loop {
                match reader.read(&mut part) {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error)),
                }
            }
            assert!(part.is_empty());
            assert!(reader.buffered() <= LIMITS.unfinished + 4096);
            assert!(reader.buffered() <= 2 * sent + 4096, "{} after {sent} bytes", reader.buffered());
        }
        (messages, None)
    };
    let (messages, error) = run(usize::from(piece) + 1);
    let (again, error_again) = run(usize::MAX);
    assert_eq!(messages, again);
    // How much room is made ahead depends on the pieces, so only that limit may be met by one and not by the other.
    let limit = |error: &Option<_>| matches!(error, Some(brookbox_rtmp::ErrorKind::TooMuchUnfinished(_)));
    assert!(error == error_again || limit(&error) || limit(&error_again));

    let (mut writer, mut bytes, mut size) = (Writer::new(), Vec::new(), 128);
    for message in &messages {
        // Obeyed by the reader, so it has to be true.
        if message.kind == kind::ABORT {
            continue;
        }
        let csid = 2 + u32::from(message.kind) * 300;
        writer.write(&mut bytes, csid, message, size);
        if let (kind::SET_CHUNK_SIZE, Some(new)) = (message.kind, message.body.first_chunk()) {
            size = u32::from_be_bytes(*new) as usize;
        }
    }
    let mut reader = Reader::new(chunk::Limits { message: 1 << 16, unfinished: 1 << 17, chunk_streams: 256 });
    let mut rest = &bytes[..];
    for message in messages.iter().filter(|message| message.kind != kind::ABORT) {
        assert_eq!(reader.read(&mut rest), Ok(Some(message.clone())));
    }
    assert!(rest.is_empty());
}

/// AMF values: what can be read is written and read again to the same.
pub fn amf(data: &[u8]) {
    let limits = amf::Limits { depth: 16, values: 512, bytes: 1 << 16 };
    let _ = brookbox_rtmp::data_head(data);
    let Ok(values) = amf::decode(data, limits) else { return };
    let generous = amf::Limits { depth: 64, values: 1 << 20, bytes: 1 << 24 };
    let mut bytes = Vec::new();
    values.iter().for_each(|value| amf::encode(&mut bytes, value));
    // By bytes, since NaN is not equal to itself. A name that is empty and holds no object may end an object early, and text
    // that is not UTF-8 grows: what was read once may not fit a second time, but it must not be something else.
    if let Ok(again) = amf::decode(&bytes, generous)
        && again.len() == values.len()
    {
        let mut second = Vec::new();
        again.iter().for_each(|value| amf::encode(&mut second, value));
        assert_eq!(bytes, second);
    }
}

/// A server and any client. The first byte says how far the client gets by itself before its bytes come, the second how large
/// the pieces are and whether it reads answers.
pub fn server_session(data: &[u8]) {
    let Some(([polite, habits], data)) = data.split_first_chunk() else { return };
    let mut server = ServerSession::new(ServerConfig::default(), [1; 32]);
    let mut accepted = false;
    for message in polite_client(*polite) {
        let mut bytes = Vec::new();
        match message {
            None => bytes.extend_from_slice(&simple_handshake()),
            Some(Message { kind, stream_id, body, .. }) => {
                chunk::write_message(&mut bytes, 3, kind, stream_id, 0, &body, 128);
            }
        }
        server.handle_input(&bytes).expect("a polite client is understood");
        server.consume_output(usize::MAX);
    }
    for part in data.chunks(usize::from(habits >> 2) * 64 + 1) {
        let failed = server.handle_input(part).is_err();
        // A caller gives up here; the session has to bear it if not.
        let _ = server.output();
        if !accepted {
            assert!(server.buffered() < 256 << 10, "{}", server.buffered());
        }
        while let Some(event) = server.poll_event() {
            let shown = format!("{event:?}");
            match event {
                ServerEvent::Publish { app, query, program, .. } => {
                    // A client may call itself by its key: what is shown must not change with the key.
                    let other = ServerEvent::Publish { app, key: CANARY.into(), query, program };
                    assert_eq!(shown, format!("{other:?}"));
                    if habits & 1 == 0 {
                        server.accept_publish();
                        accepted = true;
                    } else {
                        server.refuse(Refusal::BadName);
                    }
                }
                ServerEvent::Play { .. } => server.refuse(Refusal::StreamNotFound),
                ServerEvent::Media(message) => {
                    assert!(!message.body.is_empty() || message.kind == kind::AUDIO);
                    assert!(matches!(message.kind, kind::AUDIO | kind::VIDEO | kind::DATA));
                    assert!(accepted);
                }
                _ => {}
            }
        }
        if habits & 2 == 0 {
            server.consume_output(usize::MAX);
        }
        if failed {
            break;
        }
    }
    server.close_publish("over");
}

/// A client and any server, in the same way.
pub fn client_session(data: &[u8]) {
    let Some(([polite, habits], data)) = data.split_first_chunk() else { return };
    let config = ClientConfig {
        login: (habits & 1 == 0).then(|| ("user".to_owned(), "password".into())),
        ..ClientConfig::new("app", "rtmp://host/app", "a-stream-name-0123456789?x=y")
    };
    let mut client = ClientSession::new(config, [1; 32]);
    for message in polite_server(*polite) {
        let mut bytes = Vec::new();
        match message {
            None => bytes.extend_from_slice(&simple_handshake()),
            Some(Message { kind, stream_id, body, .. }) => {
                chunk::write_message(&mut bytes, 3, kind, stream_id, 0, &body, 128);
            }
        }
        client.handle_input(&bytes).expect("a polite server is understood");
        client.consume_output(usize::MAX);
    }
    for part in data.chunks(usize::from(habits >> 2) * 64 + 1) {
        let failed = client.handle_input(part).is_err();
        assert!(client.buffered() < 1 << 20, "{}", client.buffered());
        while let Some(event) = client.poll_event() {
            assert!(!format!("{event:?}").contains("a-stream-name-0123456789"));
        }
        if habits & 2 == 0 {
            client.consume_output(usize::MAX);
        }
        if failed {
            break;
        }
    }
    client.finish();
}

/// Addresses: what is taken is written and taken again, and shows no secret.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(url) = text.parse::<RtmpUrl>() else { return };
    assert!(url.port != 0 && !url.host.is_empty());
    let again: RtmpUrl = url.tc_url().parse().expect("what we write is an address");
    assert_eq!(again, RtmpUrl { login: None, ..url.clone() });
    let shown = format!("{url} {url:?}");
    if let Some((_, query)) = url.app.split_once('?').filter(|(_, query)| !query.is_empty()) {
        assert!(!shown.contains(&format!("?{query}")) || query.starts_with('…'), "{shown}");
    }
    if let Some((before, name)) = url.split_stream() {
        assert_eq!(format!("{}/{}", before.app, name.expose()), url.app);
    }
}

/// No client's key.
const CANARY: &str = "canary-7Q2x-0d3f51-9e2b";

fn simple_handshake() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend_from_slice(&[0; 2 * handshake::PACKET_LEN]);
    bytes
}

fn command(stream_id: u32, name: &str, transaction: f64, values: &[Value]) -> Option<Message> {
    let mut body = Vec::new();
    amf::encode(&mut body, &name.into());
    amf::encode(&mut body, &transaction.into());
    values.iter().for_each(|value| amf::encode(&mut body, value));
    Some(Message { kind: kind::COMMAND, stream_id, timestamp: 0, body })
}

/// What a client sends first, as much of it as asked for; `None` is the handshake.
fn polite_client(steps: u8) -> impl Iterator<Item = Option<Message>> {
    let connect = Object::new().with("app", "live").with("tcUrl", "rtmp://box/live").with("capsEx", 1.0);
    let all = [
        None,
        command(0, "connect", 1.0, &[connect.into()]),
        command(0, "createStream", 2.0, &[Value::Null]),
        command(1, "publish", 3.0, &[Value::Null, "a-stream-name-0123456789".into(), "live".into()]),
    ];
    all.into_iter().take(usize::from(steps % 5))
}

/// What a server answers first.
fn polite_server(steps: u8) -> impl Iterator<Item = Option<Message>> {
    let status = |code: &str| Object::new().with("level", "status").with("code", code).into();
    let all = [
        None,
        command(0, "_result", 1.0, &[Value::Null, status("NetConnection.Connect.Success")]),
        command(0, "_result", 4.0, &[Value::Null, 1.0.into()]),
        command(1, "onStatus", 0.0, &[Value::Null, status("NetStream.Publish.Start")]),
    ];
    all.into_iter().take(usize::from(steps % 5))
}
