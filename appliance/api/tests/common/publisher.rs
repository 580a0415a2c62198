//! A publisher that sends what a test wants.

use std::net::SocketAddr;
use std::time::Duration;

use brookbox_rtmp::chunk::{CSID_AUDIO, CSID_VIDEO, write_message};
use brookbox_rtmp::{ClientConfig, ClientEvent, ClientSession};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// `ffmpeg -f lavfi -i testsrc=size=64x48:rate=10 -c:v libx264 -profile:v baseline`: the sequence header it sends.
pub(crate) const HEADER: &[u8] =
    b"\x17\x00\x00\x00\x00\x01\x42\xc0\x0a\xff\xe1\x00\x17\x67\x42\xc0\x0a\xd9\x04\x7b\x01\x10\x00\x00\
    \x03\x00\x10\x00\x00\x03\x01\x40\xf1\x22\x64\x80\x01\x00\x05\x68\xcb\x83\xcb\x20";
/// A keyframe and an inter frame; what their slices hold does not matter here.
pub(crate) const KEY: &[u8] = b"\x17\x01\x00\x00\x00\x00\x00\x00\x04\x65\x88\x84\x00";
pub(crate) const INTER: &[u8] = b"\x27\x01\x00\x00\x00\x00\x00\x00\x04\x41\x9a\x38\x00";
/// AAC, 48 kHz, stereo; and a frame of it.
pub(crate) const SOUND_HEADER: &[u8] = b"\xaf\x00\x11\x90";

/// A message of type 8, 9 or 18.
pub(crate) type Message = (u8, Vec<u8>);

/// Every tenth a keyframe, the others `bytes` longer than nothing.
pub(crate) fn video(bytes: usize) -> impl Fn(u32) -> Vec<Message> + Send + 'static {
    move |number| {
        let start = if number % 10 == 0 { KEY } else { INTER };
        let mut frame = start.to_vec();
        // The length of the NAL unit, and what fills it: nothing that would begin a keyframe.
        frame[5..9].copy_from_slice(&u32::try_from(4 + bytes).unwrap().to_be_bytes());
        frame.resize(frame.len() + bytes, 0x55);
        let frame = (9, frame);
        if number == 0 { vec![(9, HEADER.to_vec()), frame] } else { vec![frame] }
    }
}

/// Publishes until the connection ends, `messages(n)` at `n * step_ms`; says whether it was let in. It ends without a
/// goodbye when it is dropped.
pub(crate) async fn publish(
    address: SocketAddr,
    key: &str,
    step_ms: u32,
    messages: impl Fn(u32) -> Vec<Message>,
) -> bool {
    let mut session = ClientSession::new(ClientConfig::new("live", format!("rtmp://{address}/live"), key), [7; 32]);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut started, mut number) = (None, 0);
    let mut buffer = vec![0; 4096];
    loop {
        while let Some(event) = session.poll_event() {
            if let ClientEvent::PublishStarted { .. } = event {
                started = Some(Instant::now());
            }
        }
        let mut out = session.output().to_vec();
        session.consume_output(out.len());
        let mut pause = Duration::from_secs(2);
        if let Some(started) = started {
            let due = |number: u32| started + Duration::from_millis(u64::from(number * step_ms));
            while due(number) <= Instant::now() {
                for (kind, body) in messages(number) {
                    let csid = if kind == 9 { CSID_VIDEO } else { CSID_AUDIO };
                    write_message(&mut out, csid, kind, session.stream_id(), number * step_ms, &body, 65_536);
                }
                number += 1;
            }
            pause = due(number).saturating_duration_since(Instant::now());
        }
        if stream.write_all(&out).await.is_err() {
            return started.is_some();
        }
        match timeout(pause, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return started.is_some(),
            Ok(Ok(count)) => {
                if session.handle_input(&buffer[..count]).is_err() {
                    return started.is_some();
                }
            }
            Err(_) => {}
        }
    }
}
