//! What real programs sent, replayed in pieces of all sizes. `captures/NOTE.md` says what made each.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use brookbox_rtmp::{ClientConfig, ClientEvent, ClientSession, ServerConfig, ServerEvent, ServerSession, data_head};
use common::{KEY, shown};
use sha2::{Digest, Sha256};

struct Replayed {
    events: Vec<String>,
    /// How many of audio, video and data.
    counts: [usize; 3],
    digest: String,
    data: Vec<String>,
}

fn replay(bytes: &[u8], piece: usize) -> Replayed {
    let mut server = ServerSession::new(ServerConfig::default(), [3; 32]);
    let mut replayed = Replayed { events: Vec::new(), counts: [0; 3], digest: String::new(), data: Vec::new() };
    let mut digest = Sha256::new();
    let (mut rest, mut accepted) = (bytes, false);
    while !rest.is_empty() {
        // A publisher waits for its acceptance before it sends media; a piece that holds both was never one read.
        let (now, later) = rest.split_at(rest.len().min(if accepted { piece } else { piece.min(64) }));
        rest = later;
        server.handle_input(now).unwrap();
        while let Some(event) = server.poll_event() {
            let ServerEvent::Media(message) = &event else {
                replayed.events.push(shown(&event));
                if matches!(event, ServerEvent::Publish { .. }) {
                    server.accept_publish();
                    accepted = true;
                }
                continue;
            };
            replayed.counts[[8, 9, 18].iter().position(|kind| *kind == message.kind).unwrap()] += 1;
            digest.update([message.kind]);
            digest.update(message.timestamp.to_be_bytes());
            digest.update(u32::try_from(message.body.len()).unwrap().to_be_bytes());
            digest.update(&message.body);
            if message.kind == 18 {
                let head = data_head(&message.body).unwrap();
                replayed.data.push(format!("{} {}", head.name, head.wrapped));
            }
        }
        server.consume_output(server.output().len());
    }
    replayed.digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    replayed
}

fn check(bytes: &[u8], events: &[&str], counts: [usize; 3], digest: &str, wrapped: bool) {
    for piece in [1, 2, 13, 127, 1448, 4096, usize::MAX] {
        let replayed = replay(bytes, piece);
        assert_eq!(replayed.events[1..], *events, "{piece}");
        assert!(replayed.events[0].starts_with("Connected "));
        assert_eq!((replayed.counts, replayed.digest.as_str()), (counts, digest), "{piece}");
        assert!(replayed.data.iter().all(|data| *data == format!("onMetaData {wrapped}")));
    }
}

#[test]
fn ffmpeg() {
    check(
        include_bytes!("captures/publisher-ffmpeg-5.1.bin"),
        &[&format!("Publish live/sub {KEY} a=b&c=d"), "Unpublish"],
        [89, 32, 1],
        "d7b290b8a9da1e5ddc00a9f7516af464ed11f791dc4724148942964ef6f22333",
        true,
    );
}

#[test]
fn ffmpeg_with_enhanced_rtmp() {
    let bytes = include_bytes!("captures/publisher-ffmpeg-9-enhanced.bin");
    check(
        bytes,
        &[&format!("Publish live {KEY} "), "Unpublish"],
        [103, 32, 1],
        "56900b7c76dd143d08ab8c65bd6b416eb37381362d29a0c9b5e7b509baaf2d67",
        true,
    );
    let mut server = ServerSession::new(ServerConfig::default(), [3; 32]);
    server.handle_input(&bytes[..4000]).unwrap();
    assert!(matches!(server.poll_event(), Some(ServerEvent::Connected { enhanced: true, .. })));
}

#[test]
fn gstreamer() {
    check(
        include_bytes!("captures/publisher-gstreamer-1.22.bin"),
        &[&format!("Publish live {KEY} a=b&c=d"), "Unpublish"],
        [87, 32, 12],
        "fe28c30df287e83c07706f56225a5cdc7845742517443c5fc27f33441a800fbe",
        true,
    );
}

#[test]
fn librtmp() {
    check(
        include_bytes!("captures/publisher-librtmp-2.4.bin"),
        &[&format!("Publish live {KEY} a=b&c=d"), "Unpublish"],
        [87, 32, 14],
        "4805a3caca86b491c737118a03810d258a7082ecb6fb09c2846175cf55811398",
        true,
    );
}

#[test]
fn obs() {
    let bytes = include_bytes!("captures/publisher-obs-29.0.bin");
    check(
        bytes,
        &[&format!("Publish live {KEY} a=b&c=d"), "Unpublish"],
        [131, 43, 1],
        "ea38b2e92f8573026aff0098e37a70f3945fa1b300dd819b39ac50c2934e6f50",
        true,
    );
    assert_eq!(
        bytes[1 + 2 * 1536..][..16],
        *b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x10\0",
        "Set Chunk Size 4096 comes first"
    );
}

/// Without a proper end: its own publisher had gone.
#[test]
fn nginx_rtmp() {
    check(
        include_bytes!("captures/publisher-nginx-rtmp-1.2.2.bin"),
        &[&format!("Publish in {KEY} ")],
        [132, 32, 1],
        "b62529fa8a288edf2e47b389c9a29e1a62057a1f8081e067b83765f137f9644e",
        false,
    );
}

/// The server's answers are to what a client sends; they come at their own time here, which must not matter.
#[test]
fn servers() {
    for bytes in
        [&include_bytes!("captures/server-nginx-rtmp-1.2.2.bin")[..], include_bytes!("captures/server-ffmpeg-5.1.bin")]
    {
        for piece in [1, 100, usize::MAX] {
            let mut client = ClientSession::new(ClientConfig::new("live", "rtmp://127.0.0.1/live", KEY), [1; 32]);
            let mut events = Vec::new();
            for piece in bytes.chunks(piece) {
                client.handle_input(piece).unwrap();
                client.consume_output(client.output().len());
                events.extend(std::iter::from_fn(|| client.poll_event()));
            }
            let [
                ClientEvent::Connected,
                ClientEvent::PublishSent,
                ClientEvent::PublishStarted { stream_id: 1 },
                rest @ ..,
            ] = &events[..]
            else {
                panic!("{events:?}")
            };
            // nginx-rtmp confirms the end that was asked for after the stream; FFmpeg says nothing.
            assert!(rest.iter().all(|event| match event {
                ClientEvent::Closed { code, .. } => code == "NetStream.Unpublish.Success",
                event => matches!(event, ClientEvent::Acknowledged(_)),
            }));
        }
    }
}
