//! node-media-server: another implementation of RTMP, that takes Enhanced RTMP.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{Recorder, nginx};
use crate::bed::Ctx;
use crate::ports;
use crate::process::Process;
use crate::wait::{self, secs};

/// A running node-media-server that records everything.
#[derive(Debug)]
pub struct NodeMediaServer {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub port: u16,
    dir: PathBuf,
}

impl NodeMediaServer {
    /// Starts one.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(ctx: &Ctx, name: &str) -> Result<Self> {
        let dir = ctx.folder(name)?;
        let (port, http) = (ports::free(), ports::free());
        let config = json!({
            "bind": "127.0.0.1",
            "notify": {"url": ""},
            "store": {"path": dir.join("data"), "maxHistory": 10},
            "auth": {"play": false, "publish": false, "secret": "",
                "jwt": {"secret": "x".repeat(40), "expiresIn": "24h", "refreshExpiresIn": "7d", "algorithm": "HS256", "users": []}},
            "rtmp": {"port": port},
            "http": {"port": http},
            "record": {"auto": true, "path": dir.join("records")},
        });
        std::fs::write(dir.join("server.js"), format!("new (require('node-media-server'))({config}).run();\n"))?;
        let modules = ctx.tools.root.join("hw-tests/peers/node_modules");
        let mut process = Process::start(name, &dir, "node", |command| {
            command.arg(dir.join("server.js")).env("NODE_PATH", modules);
        })?;
        nginx::listening(&mut process, port, secs(15))?;
        Ok(Self { process, port, dir })
    }
}

impl Recorder for NodeMediaServer {
    fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    fn recordings(&self, key: &str) -> Result<Vec<PathBuf>> {
        super::files_by_age(&self.dir.join("records/live").join(key), |name| name.ends_with(".flv"))
    }

    fn finished(&mut self, key: &str, limit: Duration) -> Result<PathBuf> {
        // It has nothing to ask; what it logs is meant for people: the file is whole when it has stopped to grow.
        let mut last = (0, std::time::Instant::now());
        wait::until(limit, &format!("node-media-server to close the recording of {key}"), || {
            let Some(file) = self.recordings(key)?.pop() else { return Ok(None) };
            let size = std::fs::metadata(&file)?.len();
            if size != last.0 {
                last = (size, std::time::Instant::now());
            }
            Ok((size > 0 && last.1.elapsed() > Duration::from_millis(1500)).then_some(file))
        })
    }
}
