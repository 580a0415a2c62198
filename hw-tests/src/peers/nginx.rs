//! nginx with the RTMP module as Debian has it: a strict server of the old school, that drops enhanced video.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::Recorder;
use crate::bed::{Ctx, Tools};
use crate::ports;
use crate::process::Process;
use crate::wait::{self, secs};

/// A running nginx-rtmp that records everything.
#[derive(Debug)]
pub struct NginxRtmp {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub port: u16,
    http: u16,
    records: PathBuf,
}

impl NginxRtmp {
    /// Starts one.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(ctx: &Ctx, name: &str) -> Result<Self> {
        Self::start_on(ctx, name, ports::free(), "")
    }

    fn start_on(ctx: &Ctx, name: &str, http: u16, directives: &str) -> Result<Self> {
        let dir = ctx.folder(name)?;
        let records = dir.join("records");
        std::fs::create_dir_all(&records)?;
        let port = ports::free();
        let application =
            format!("live on; record all; record_path \"{}\"; record_unique on; {directives}", records.display());
        let process = launch(&ctx.tools, name, &dir, port, http, &application)?;
        Ok(Self { process, port, http, records })
    }

    /// Starts one that asks before it lets anybody publish, and is always told no.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_refusing(ctx: &Ctx, name: &str) -> Result<Self> {
        let http = ports::free();
        Self::start_on(ctx, name, http, &format!("on_publish http://127.0.0.1:{http}/refuse;"))
    }

    /// Where a destination sends to, without the key.
    #[must_use]
    pub fn rtmp_url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    /// Ends the connection of a publisher, as platforms do at their own whim.
    ///
    /// # Errors
    /// nginx has no such publisher.
    pub fn drop_publisher(&self, key: &str) -> Result<()> {
        let answer = self.get(&format!("/control/drop/publisher?app=live&name={key}"))?;
        ensure!(answer.trim() == "1", "nginx dropped {answer:?} publishers of {key}");
        Ok(())
    }

    /// Whether somebody publishes with this key.
    ///
    /// # Errors
    /// nginx does not answer.
    pub fn publishing(&self, key: &str) -> Result<bool> {
        let stat = self.get("/stat")?;
        let mut streams = stat.split("<stream>").skip(1);
        Ok(streams.any(|stream| stream.contains(&format!("<name>{key}</name>")) && stream.contains("<publishing/>")))
    }

    /// Waits until somebody publishes with this key.
    ///
    /// # Errors
    /// Nobody does in time.
    pub fn wait_publishing(&self, key: &str, limit: Duration) -> Result<()> {
        wait::until(limit, &format!("a publisher of {key} at nginx"), || Ok(self.publishing(key)?.then_some(())))
    }

    fn get(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.http);
        Ok(ureq::get(&url).call().with_context(|| url.clone())?.into_body().read_to_string()?)
    }
}

impl Recorder for NginxRtmp {
    fn url(&self) -> String {
        self.rtmp_url()
    }

    fn recordings(&self, key: &str) -> Result<Vec<PathBuf>> {
        super::files_by_age(&self.records, |name| name.strip_prefix(key).is_some_and(|rest| rest.starts_with('-')))
    }

    fn finished(&mut self, key: &str, limit: Duration) -> Result<PathBuf> {
        wait::until(limit, &format!("nginx to close the recording of {key}"), || {
            Ok(if self.publishing(key)? { None } else { self.recordings(key)?.pop() })
        })
    }
}

/// Starts nginx as one process that lives in `dir`; `application` is the body of the RTMP application `live`.
///
/// # Errors
/// It does not come up.
pub fn launch(tools: &Tools, name: &str, dir: &Path, port: u16, http: u16, application: &str) -> Result<Process> {
    let module = tools.unpacked("usr/lib/nginx/modules/ngx_rtmp_module.so");
    let dir_text = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|t| format!("{t}_temp_path \"{dir_text}/tmp_{t}\"; "))
        .concat();
    let conf = format!(
        "load_module \"{module}\";
daemon off; master_process off;
pid \"{dir_text}/nginx.pid\";
error_log \"{dir_text}/error.log\" info;
events {{ worker_connections 1024; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:{port};
    chunk_size 4096;
    application live {{ {application} }}
  }}
}}
http {{
  access_log off; {temporary}
  server {{
    listen 127.0.0.1:{http};
    location /stat {{ rtmp_stat all; }}
    location /control {{ rtmp_control all; }}
    location /refuse {{ return 403; }}
  }}
}}
",
        module = module.display(),
    );
    let file = dir.join("nginx.conf");
    std::fs::write(&file, conf)?;
    let mut process = Process::start(name, dir, tools.unpacked("usr/sbin/nginx"), |command| {
        command.arg("-p").arg(dir).arg("-e").arg(dir.join("error.log")).arg("-c").arg(&file);
    })?;
    listening(&mut process, port, secs(5))?;
    Ok(process)
}

/// Waits until a server takes connections.
///
/// # Errors
/// It ends, or does not listen in time.
pub fn listening(process: &mut Process, port: u16, limit: Duration) -> Result<()> {
    wait::until(limit, &format!("a listener on port {port}"), || {
        ensure!(process.runs(), "it ended: {}", process.said());
        Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()))
    })
}
