//! The measure itself: without a box between, nothing is lost; and what is lost on purpose is found.

use anyhow::{Result, ensure};

use super::passthrough::arrived_whole;
use crate::bed::{Bed, Ctx};
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::{Listener, Publisher};
use crate::peers::nginx::NginxRtmp;
use crate::peers::node::NodeMediaServer;
use crate::runner::Case;
use crate::wait::secs;

const HERE: &[Bed] = &[Bed::Local];

pub(super) const CASES: &[Case] = &[
    on_this_machine("control/nginx-rtmp without a box", |ctx| {
        without_a_box(ctx, Clip::BFrames, &mut NginxRtmp::start(ctx, "nginx")?)
    }),
    on_this_machine("control/node-media-server without a box", |ctx| {
        without_a_box(ctx, Clip::Av1Opus, &mut NodeMediaServer::start(ctx, "node-media-server")?)
    }),
    on_this_machine("control/ffmpeg without a box", |ctx| {
        without_a_box(ctx, Clip::Hevc, &mut Listener::start(ctx, "listener", &ctx.tools.ffmpeg9(), "there")?)
    }),
    on_this_machine("control/one frame lost on purpose is found", one_frame_lost),
];

const fn on_this_machine(name: &'static str, run: fn(&Ctx) -> Result<()>) -> Case {
    let mut case = Case::new(name, run);
    case.beds = HERE;
    case
}

fn without_a_box(ctx: &Ctx, clip: Clip, server: &mut dyn Recorder) -> Result<()> {
    Publisher::start(ctx, "publisher", clip, &format!("{}/there", server.url()))?.done(secs(40))?;
    arrived_whole(ctx, clip, server, "there")
}

fn one_frame_lost(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let url = format!("{}/there", nginx.url());
    let loses = ["-bsf:v", "noise=amount=0:drop=eq(n\\,100)"];
    Publisher::start_with(ctx, "publisher", Clip::H264, &url, &["-re"], &loses)?.done(secs(40))?;
    let found = arrived_whole(ctx, Clip::H264, &mut nginx, "there").expect_err("a frame is missing");
    let found = format!("{found:#}");
    ensure!(found.contains("1 video packets are missing there"), "found something else: {found}");
    Ok(())
}
