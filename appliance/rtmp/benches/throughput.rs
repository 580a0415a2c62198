//! `cargo bench -p brookbox-rtmp`: how fast a publisher's bytes become messages, and messages become chunks.
//!
//! One thread, reads of 64 KB, video of 60 frames/s at 6 Mbit/s with AAC beside it; MB are 10^6 bytes of the stream.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a bench")]

use std::time::Instant;

use brookbox_rtmp::{
    Message, ServerConfig, ServerEvent, ServerSession,
    amf::{self, Object, Value},
    chunk::{self, Writer},
    handshake, kind,
};

const SECONDS: u32 = 60;

fn main() {
    println!("{:>10} {:>14} {:>14} {:>14}", "chunk size", "read MB/s", "write MB/s", "compact MB/s");
    for chunk_size in [1, 128, 4096, 65_536] {
        let messages = programme();
        let mut stream = opening();
        chunk::write_message(
            &mut stream,
            2,
            kind::SET_CHUNK_SIZE,
            0,
            0,
            &u32::try_from(chunk_size).unwrap().to_be_bytes(),
            128,
        );
        let compact = best(|| {
            let (mut writer, mut bytes) = (Writer::new(), Vec::new());
            messages.iter().for_each(|message| writer.write(&mut bytes, csid(message).into(), message, chunk_size));
            bytes.len()
        });
        let write = best(|| {
            let mut bytes = Vec::new();
            for message in &messages {
                let Message { kind, stream_id, timestamp, body } = message;
                chunk::write_message(&mut bytes, csid(message), *kind, *stream_id, *timestamp, body, chunk_size);
            }
            bytes.len()
        });
        let mut writer = Writer::new();
        messages.iter().for_each(|message| writer.write(&mut stream, csid(message).into(), message, chunk_size));
        let read = best(|| {
            assert_eq!(receive(&stream), messages.len());
            stream.len()
        });
        println!("{chunk_size:>10} {read:>14.0} {write:>14.0} {compact:>14.0}");
    }
}

/// MB/s of the best of five runs; the run tells its bytes.
fn best(run: impl Fn() -> usize) -> f64 {
    let once = || {
        let start = Instant::now();
        let bytes = run();
        bytes as f64 / start.elapsed().as_secs_f64() / 1e6
    };
    (0..5).map(|_| once()).fold(0.0, f64::max)
}

fn receive(stream: &[u8]) -> usize {
    let mut server = ServerSession::new(ServerConfig::default(), [1; 32]);
    let mut media = 0;
    for part in stream.chunks(65_536) {
        // The first read holds the request; what waits behind it is little.
        let (first, rest) = part.split_at(if media == 0 { part.len().min(5000) } else { 0 });
        for part in [first, rest] {
            server.handle_input(part).unwrap();
            while let Some(event) = server.poll_event() {
                match event {
                    ServerEvent::Publish { .. } => server.accept_publish(),
                    ServerEvent::Media(_) => media += 1,
                    _ => {}
                }
            }
            server.consume_output(usize::MAX);
        }
    }
    media
}

fn csid(message: &Message) -> u8 {
    if message.kind == kind::VIDEO { chunk::CSID_VIDEO } else { chunk::CSID_AUDIO }
}

fn programme() -> Vec<Message> {
    let video = (0..SECONDS * 60).map(|n| (n * 1000 / 60, kind::VIDEO, if n % 120 == 0 { 150_000 } else { 11_000 }));
    let audio = (0..SECONDS * 47).map(|n| (n * 1000 / 47, kind::AUDIO, 400));
    let mut all: Vec<_> = video.chain(audio).collect();
    all.sort_by_key(|(timestamp, ..)| *timestamp);
    let message = |(timestamp, kind, len)| Message { kind, stream_id: 1, timestamp, body: vec![0x27; len] };
    all.into_iter().map(message).collect()
}

fn opening() -> Vec<u8> {
    let mut stream = vec![3];
    stream.extend_from_slice(&[0; 2 * handshake::PACKET_LEN]);
    let connect = Object::new().with("app", "live").into();
    for (stream_id, name, values) in [
        (0, "connect", vec![connect]),
        (0, "createStream", vec![Value::Null]),
        (1, "publish", vec![Value::Null, "a-stream-name-0123456789".into(), "live".into()]),
    ] {
        let mut body = Vec::new();
        amf::encode(&mut body, &name.into());
        amf::encode(&mut body, &1.0.into());
        values.iter().for_each(|value| amf::encode(&mut body, value));
        chunk::write_message(&mut stream, chunk::CSID_COMMAND, kind::COMMAND, stream_id, 0, &body, 128);
    }
    stream
}
