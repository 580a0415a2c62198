//! Every frame arrives, bit-exact and in order.

use anyhow::Result;

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
use crate::wait::secs;

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
    Case::new("passthrough/two boxes in a row", two_in_a_row),
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

fn two_in_a_row(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let first = Daemon::start_as(ctx, "first-box", crate::daemon::Options::default())?;
    let second = Daemon::start_as(ctx, "second-box", crate::daemon::Options::default())?;
    first.add_destination("Second box", &format!("rtmp://{}/live", second.rtmp()), &second.key()?)?;
    second.add_destination("Club", &nginx.url(), "there")?;
    Publisher::start(ctx, "publisher", Clip::BFrames, &first.publish_url()?)?.done(secs(40))?;
    arrived_whole(ctx, Clip::BFrames, &mut nginx, "there")
}

/// Every packet of the clip is in the server's newest recording.
pub(super) fn arrived_whole(ctx: &Ctx, clip: Clip, server: &mut dyn Recorder, key: &str) -> Result<()> {
    compare_file(ctx, clip, &server.finished(key, secs(15))?, Part::All)
}
