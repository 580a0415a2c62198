//! The measure itself: without a box between, nothing is lost; and what is lost on purpose is found.

use anyhow::{Result, ensure};

use super::passthrough::arrived_whole;
use crate::auth::{AskingServer, Challenge};
use crate::bed::Ctx;
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::{Listener, Publisher};
use crate::peers::nginx::NginxRtmp;
use crate::peers::node::NodeMediaServer;
use crate::runner::Case;
use crate::wait::secs;

pub(super) const CASES: &[Case] = &[
    Case::new("control/nginx-rtmp without a box", |ctx| {
        without_a_box(ctx, Clip::BFrames, &mut NginxRtmp::start(ctx, "nginx")?)
    }),
    Case::new("control/node-media-server without a box", |ctx| {
        without_a_box(ctx, Clip::Av1Opus, &mut NodeMediaServer::start(ctx, "node-media-server")?)
    }),
    Case::new("control/ffmpeg without a box", |ctx| {
        without_a_box(ctx, Clip::Hevc, &mut Listener::start(ctx, "listener", &ctx.tools.ffmpeg9(), "there")?)
    }),
    Case::new("control/ffmpeg and the server that asks for a password", asked_ffmpeg),
    Case::new("control/one frame lost on purpose is found", one_frame_lost),
];

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

fn asked_ffmpeg(ctx: &Ctx) -> Result<()> {
    for challenge in [Challenge::Adobe, Challenge::Limelight] {
        let server = AskingServer::start(challenge, "mara", "a-password")?;
        let publish = |password: &str| {
            let url = format!("rtmp://mara:{password}@{}/there", server.place());
            Publisher::start_with(ctx, "publisher", Clip::H264, &url, &["-t", "1"], &[])
        };
        publish("a-password")?.done(secs(20))?;
        ensure!(server.steps() == ["who", "challenge", "welcome"], "{challenge:?}: {:?}", server.steps());
        ensure!(server.pictures() == 30, "{challenge:?}: {} pictures", server.pictures());
        ensure!(publish("wrong")?.done(secs(20)).is_err(), "{challenge:?}: a wrong password was welcome");
    }
    Ok(())
}
