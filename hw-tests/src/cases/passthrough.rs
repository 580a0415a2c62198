//! Every frame arrives, bit-exact and in order.

use anyhow::{Result, ensure};

use super::compare_file;
use crate::bed::{Bed, Ctx};
use crate::daemon::Daemon;
use crate::frames::Part;
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::{Listener, Publisher};
use crate::peers::nginx::NginxRtmp;
use crate::peers::node::NodeMediaServer;
use crate::runner::Case;
use crate::tap::Tap;
use crate::wait::{self, secs};
use crate::wire::{Amf, Message, Wire, encode, kind};

pub(super) const CASES: &[Case] = &[
    Case::new("passthrough/h264 to nginx-rtmp", |ctx| to_nginx(ctx, Clip::H264)).on(Bed::ALL),
    Case::new("passthrough/b-frames to nginx-rtmp", |ctx| to_nginx(ctx, Clip::BFrames)).on(Bed::ALL),
    Case::new("passthrough/h264 to node-media-server", |ctx| to_node(ctx, Clip::H264)).on(Bed::ALL),
    Case::new("passthrough/b-frames to node-media-server", |ctx| to_node(ctx, Clip::BFrames)).on(Bed::ALL),
    Case::new("passthrough/hevc to node-media-server", |ctx| to_node(ctx, Clip::Hevc)).on(Bed::ALL),
    Case::new("passthrough/av1 and opus to node-media-server", |ctx| to_node(ctx, Clip::Av1Opus)).on(Bed::ALL),
    Case::new("passthrough/h264 to ffmpeg", |ctx| to_ffmpeg(ctx, Clip::H264)).on(Bed::ALL),
    Case::new("passthrough/b-frames to ffmpeg", |ctx| to_ffmpeg(ctx, Clip::BFrames)).on(Bed::ALL),
    Case::new("passthrough/hevc to ffmpeg", |ctx| to_ffmpeg(ctx, Clip::Hevc)).on(Bed::ALL),
    Case::new("passthrough/av1 and opus to ffmpeg", |ctx| to_ffmpeg(ctx, Clip::Av1Opus)).on(Bed::ALL),
    Case::new("passthrough/two boxes in a row", |ctx| {
        two_in_a_row(ctx, Clip::BFrames, &[], &mut NginxRtmp::start(ctx, "nginx")?)
    }),
    Case::new("passthrough/hevc through two boxes in a row", |ctx| {
        two_in_a_row(ctx, Clip::Hevc, &["hvc1"], &mut NodeMediaServer::start(ctx, "node-media-server")?)
    }),
    Case::new("passthrough/av1 and opus through two boxes in a row", |ctx| {
        two_in_a_row(ctx, Clip::Av1Opus, &["Opus", "av01"], &mut NodeMediaServer::start(ctx, "node-media-server")?)
    }),
    Case::new("passthrough/what the box does not understand", not_understood),
];

fn to_nginx(ctx: &Ctx, clip: Clip) -> Result<()> {
    through_a_box(ctx, clip, &mut NginxRtmp::start(ctx, "nginx")?)
}

fn to_node(ctx: &Ctx, clip: Clip) -> Result<()> {
    through_a_box(ctx, clip, &mut NodeMediaServer::start(ctx, "node-media-server")?)
}

fn to_ffmpeg(ctx: &Ctx, clip: Clip) -> Result<()> {
    through_a_box(ctx, clip, &mut Listener::start(ctx, "listener", &clip.ffmpeg(&ctx.tools), "there")?)
}

/// Publishes a clip through one box to one server; the destination is on from the start, so nothing may be missing.
fn through_a_box(ctx: &Ctx, clip: Clip, server: &mut dyn Recorder) -> Result<()> {
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Club", &server.url(), "there")?;
    Publisher::start(ctx, "publisher", clip, &daemon.publish_url()?)?.done(secs(40))?;
    arrived_whole(ctx, clip, server, "there")
}

/// The second box announces those codecs of Enhanced RTMP that the first one sends it, and no others: with any of its
/// fields old servers do not start.
fn two_in_a_row(ctx: &Ctx, clip: Clip, four_ccs: &[&str], server: &mut dyn Recorder) -> Result<()> {
    let tap = Tap::start()?;
    let first = Daemon::start_as(ctx, "first-box", crate::daemon::Options::default())?;
    let second = Daemon::start_as(ctx, "second-box", crate::daemon::Options::default())?;
    first.add_destination("Second box", &format!("rtmp://{}/live", second.rtmp()), &second.key()?)?;
    second.add_destination("Club", &server.url(), "there")?;
    second.add_destination("Listener", &tap.url(), "there")?;
    Publisher::start(ctx, "publisher", clip, &first.publish_url()?)?.done(secs(40))?;
    let mut announced = tap.visits().first().map(|visit| visit.four_ccs.clone()).unwrap_or_default();
    announced.sort();
    ensure!(announced == four_ccs, "announced were {announced:?} instead of {four_ccs:?}");
    arrived_whole(ctx, clip, server, "there")
}

/// Messages that no decoder here knows, among frames that it does: all of them arrive, unchanged and in order.
fn not_understood(ctx: &Ctx) -> Result<()> {
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &tap.url(), "there")?;
    let mut wire = Wire::connect(daemon.rtmp())?;
    let key = daemon.key()?;
    wire.publish("live", &key)?;
    let text =
        |name: &str| encode(&[Amf::text(name), Amf::object(&[("text", Amf::text("a line")), ("n", Amf::Number(7.0))])]);
    // Configuration and picture of the smallest sort, then what is to be passed on as it is.
    let mut sent = vec![
        (
            kind::VIDEO,
            vec![0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x0a, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x0a, 1, 0, 2, 0x68, 0xce],
        ),
        (kind::VIDEO, vec![0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88]),
    ];
    for n in 0..40_u8 {
        sent.extend([
            (kind::DATA, text("onTextData")),
            (kind::DATA, text("onCuePoint")),
            (kind::DATA, text("a name that nobody knows")),
            // SEI with captions, ahead of the picture that it belongs to.
            (kind::VIDEO, vec![0x27, 1, 0, 0, 0, 0, 0, 0, 5, 6, 4, 1, n, 0x80, 0, 0, 0, 2, 0x41, 0x9a]),
            // Enhanced: a codec that does not exist, multitrack with three tracks, ModEx, colour metadata.
            (kind::VIDEO, vec![0xa1, b'z', b'z', b'0', b'1', 0, 0, 0, n, 1, 2, 3]),
            (
                kind::VIDEO,
                [&[0xa6, 0x11, b'a', b'v', b'c', b'1', 1, 0, 0, 4, 0, 0, 0, n][..], &[2, 0, 0, 3, 1, 2, 3]].concat(),
            ),
            (
                kind::AUDIO,
                [&[0x95, 0x11, b'm', b'p', b'4', b'a', 1, 0, 0, 2, n, 9][..], &[2, 0, 0, 3, 1, 2, 3]].concat(),
            ),
            (kind::AUDIO, vec![0x91, b'.', b'n', b'e', b'w', n]),
        ]);
    }
    for (index, (kind, body)) in sent.iter().enumerate() {
        let timestamp = u32::try_from(index)? * 5;
        wire.send(6, &Message { kind: *kind, stream_id: 1, timestamp, body: body.clone() })?;
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    daemon.wait_state(&club, "live", secs(5))?;
    wire.unpublish(&key)?;
    wait::until(secs(5), "the end at the destination", || {
        Ok(tap.visits().first().is_some_and(|visit| visit.closed).then_some(()))
    })?;
    let message =
        |(kind, body): &(u8, Vec<u8>)| Message { kind: *kind, stream_id: 1, timestamp: 0, body: body.clone() };
    let expected: Vec<_> = sent.iter().map(|sent| message(sent).fingerprint()).collect();
    let visits = tap.visits();
    let got: Vec<_> = visits[0].arrivals.iter().map(|arrival| arrival.fingerprint).collect();
    let differs = expected.iter().zip(&got).position(|(a, b)| a != b);
    ensure!(differs.is_none(), "message {differs:?} is another: {:02x?}", differs.map(|index| &sent[index]));
    ensure!(got.len() == expected.len(), "{} of {} messages arrived", got.len(), expected.len());
    ctx.note(format!("{} messages, every one as it was", got.len()));
    Ok(())
}

/// Every packet of the clip is in the server's newest recording.
pub(super) fn arrived_whole(ctx: &Ctx, clip: Clip, server: &mut dyn Recorder, key: &str) -> Result<()> {
    compare_file(ctx, clip, &server.finished(key, secs(15))?, Part::All)
}
