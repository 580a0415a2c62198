//! OBS Studio itself, on a display of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::bed::Ctx;
use crate::media::Clip;
use crate::process::Process;
use crate::wait::secs;

/// OBS that streams a clip without end and records the same packets.
#[derive(Debug)]
pub struct Obs {
    /// The process.
    pub process: Process,
    dir: PathBuf,
    _display: Process,
}

/// Which OBS, and how it codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Studio {
    /// OBS as Debian 12 has it: H.264 and AAC.
    Debian,
    /// A newer one in a chroot: AV1 and AAC by Enhanced RTMP.
    NewerAv1(PathBuf),
}

impl Obs {
    /// Starts OBS; it starts to stream by itself.
    ///
    /// # Errors
    /// OBS or the display cannot be started.
    pub fn start(ctx: &Ctx, name: &str, studio: &Studio, server: &str, key: &str) -> Result<Self> {
        let dir = ctx.folder(name)?;
        let home = dir.join("home");
        let runtime = ctx.folder(&format!("{name}/run"))?;
        configure(&home.join(".config/obs-studio"), &dir, studio, &Clip::H264.file(&ctx.tools)?, server, key)?;
        let (display, lines) = Process::start_reading("xvfb", &dir, "Xvfb", |command| {
            command.args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]);
        })?;
        let number = lines.recv_timeout(secs(10)).context("Xvfb did not name its display")?;
        let program = match studio {
            Studio::Debian => PathBuf::from("obs"),
            Studio::NewerAv1(_) => ctx.tools.root.join("scripts/in-chroot.sh"),
        };
        let process = Process::start("obs", &dir, program, |command| {
            if let Studio::NewerAv1(root) = studio {
                command.arg(root).arg(&ctx.tools.build).arg("obs");
            }
            command.args(["--multi", "--disable-updater", "--disable-missing-files-check", "--verbose"]);
            command.args(["--profile", "Brook", "--collection", "Brook", "--scene", "Scene"]);
            command.args(["--startstreaming", "--startrecording"]);
            command.env("DISPLAY", format!(":{number}")).env("HOME", &home).env("XDG_RUNTIME_DIR", &runtime);
            command.env_remove("XDG_CONFIG_HOME");
            // Software rendering with as few threads as will do, and no sound server.
            command.env("QT_QPA_PLATFORM", "xcb").env("LIBGL_ALWAYS_SOFTWARE", "1").env("LP_NUM_THREADS", "1");
            command.env("PULSE_SERVER", "unix:/nonexistent");
        })?;
        Ok(Self { process, dir, _display: display })
    }

    /// A planned stop, as a person closes it.
    ///
    /// # Errors
    /// It does not end within 20 s.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGINT)?;
        self.process.ended(secs(20))?;
        Ok(())
    }

    /// What it recorded: the packets it sent, from about the start.
    ///
    /// # Errors
    /// There is no file.
    pub fn recording(&self) -> Result<PathBuf> {
        super::files_by_age(&self.dir, |name| name.ends_with(".flv") || name.ends_with(".mkv"))?
            .pop()
            .context("OBS recorded nothing")
    }

    /// How long it takes at most from its start to the first frame on a busy machine.
    pub const START: Duration = Duration::from_secs(30);
}

/// Writes the settings that a person would make in its dialogs.
fn configure(config: &Path, recordings: &Path, studio: &Studio, clip: &Path, server: &str, key: &str) -> Result<()> {
    let profile = config.join("basic/profiles/Brook");
    let scenes = config.join("basic/scenes");
    // OBS 30 looks there for what was in global.ini before.
    let websocket = config.join("plugin_config/obs-websocket");
    for folder in [&profile, &scenes, &websocket] {
        std::fs::create_dir_all(folder)?;
    }
    let off = json!({"first_load": false, "server_enabled": false});
    std::fs::write(websocket.join("config.json"), off.to_string())?;
    let global = ini(&[
        // Not the first start: no wizard, no question; also none when it is closed while it streams.
        (
            "General",
            &[
                ("FirstRun", "true"),
                ("LastVersion", "486539266"),
                ("EnableAutoUpdates", "false"),
                ("ConfirmOnExit", "false"),
            ],
        ),
        ("Video", &[("Renderer", "OpenGL")]),
        (
            "Basic",
            &[
                ("Profile", "Brook"),
                ("ProfileDir", "Brook"),
                ("SceneCollection", "Brook"),
                ("SceneCollectionFile", "Brook"),
            ],
        ),
        ("BasicWindow", &[("PreviewEnabled", "false"), ("SysTrayEnabled", "false")]),
        ("OBSWebSocket", &[("FirstLoad", "false"), ("ServerEnabled", "false")]),
    ]);
    std::fs::write(config.join("global.ini"), global)?;
    let basic = ini(&[
        ("General", &[("Name", "Brook")]),
        (
            "Video",
            &[
                ("BaseCX", "640"),
                ("BaseCY", "360"),
                ("OutputCX", "640"),
                ("OutputCY", "360"),
                ("FPSType", "1"),
                ("FPSInt", "30"),
            ],
        ),
        (
            "Output",
            &[
                ("Mode", if *studio == Studio::Debian { "Simple" } else { "Advanced" }),
                ("Reconnect", "true"),
                ("RetryDelay", "2"),
                ("MaxRetries", "25"),
            ],
        ),
        (
            "SimpleOutput",
            &[
                ("VBitrate", "800"),
                ("ABitrate", "96"),
                ("StreamEncoder", "x264"),
                ("UseAdvanced", "true"),
                ("Preset", "ultrafast"),
                ("x264Settings", "keyint=30 threads=1"),
                // The recording is made of the stream's own packets.
                ("RecQuality", "Stream"),
                ("RecFormat", "flv"),
                ("FilePath", &recordings.display().to_string()),
            ],
        ),
        (
            "AdvOut",
            &[
                ("Encoder", "ffmpeg_svt_av1"),
                ("AudioEncoder", "ffmpeg_aac"),
                ("TrackIndex", "1"),
                ("RecType", "Standard"),
                // The same here.
                ("RecEncoder", "none"),
                ("RecAudioEncoder", "none"),
                ("RecTracks", "1"),
                ("RecFormat2", "mkv"),
                ("RecFilePath", &recordings.display().to_string()),
            ],
        ),
        ("Audio", &[("SampleRate", "48000"), ("ChannelSetup", "Stereo")]),
    ]);
    std::fs::write(profile.join("basic.ini"), basic)?;
    let encoder = json!({"rate_control": "CBR", "bitrate": 800, "keyint_sec": 1, "preset": "12"});
    std::fs::write(profile.join("streamEncoder.json"), encoder.to_string())?;
    let service = json!({"type": "rtmp_custom", "settings": {"server": server, "key": key, "use_auth": false}});
    std::fs::write(profile.join("service.json"), service.to_string())?;
    let origin = json!({"x": 0.0, "y": 0.0});
    let scene = json!({
        "current_program_scene": "Scene", "current_scene": "Scene", "name": "Brook",
        "scene_order": [{"name": "Scene"}],
        "sources": [
            {"id": "ffmpeg_source", "versioned_id": "ffmpeg_source", "name": "Clip", "enabled": true, "mixers": 255,
             "volume": 1.0, "settings": {"is_local_file": true, "local_file": clip, "looping": true, "hw_decode": false}},
            {"id": "scene", "versioned_id": "scene", "name": "Scene", "enabled": true,
             "settings": {"custom_size": false, "id_counter": 1, "items": [
                {"id": 1, "name": "Clip", "visible": true, "pos": origin, "rot": 0.0, "scale": {"x": 1.0, "y": 1.0},
                 "align": 5, "bounds_type": 0, "bounds": origin}]}},
        ],
        "transitions": [], "quick_transitions": [], "groups": [], "modules": {},
    });
    std::fs::write(scenes.join("Brook.json"), scene.to_string())?;
    Ok(())
}

fn ini(sections: &[(&str, &[(&str, &str)])]) -> String {
    let mut text = String::new();
    for (section, values) in sections {
        let _ = writeln!(text, "[{section}]");
        for (name, value) in *values {
            let _ = writeln!(text, "{name}={value}");
        }
    }
    text
}
