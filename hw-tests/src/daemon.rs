//! The daemon under test, and its HTTP API as a script would use it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bed::Ctx;
use crate::process::{self, Process};
use crate::wait::{self, secs};

/// The owner's password in every test.
pub const PASSWORD: &str = "a long way down the river";

/// A running `brookboxd` with a data folder of its own.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    name: String,
    dir: PathBuf,
    program: PathBuf,
    options: Options,
    /// From the start of the process to its `ready` line.
    pub ready_after: Duration,
    http: String,
    rtmp: String,
    agent: ureq::Agent,
    cookie: Option<String>,
}

/// How it is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--http`.
    pub http: String,
    /// `--rtmp`.
    pub rtmp: String,
    /// The configuration file's text.
    pub config: Option<String>,
    /// More arguments.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http: "127.0.0.1:0".into(),
            rtmp: "127.0.0.1:0".into(),
            config: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }
}

impl Daemon {
    /// Starts one, waits until it is ready and claims it.
    ///
    /// # Errors
    /// It does not come up, or cannot be claimed.
    pub fn start(ctx: &Ctx) -> Result<Self> {
        Self::start_as(ctx, "box", Options::default())
    }

    /// The same under a name of its own and with options.
    ///
    /// # Errors
    /// It does not come up, or cannot be claimed.
    pub fn start_as(ctx: &Ctx, name: &str, options: Options) -> Result<Self> {
        let mut daemon = Self::start_unclaimed(ctx, name, options)?;
        daemon.claim()?;
        Ok(daemon)
    }

    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_unclaimed(ctx: &Ctx, name: &str, options: Options) -> Result<Self> {
        let dir = ctx.folder(name)?;
        let program = ctx.tools.brookboxd.clone();
        if let Some(config) = &options.config {
            std::fs::write(dir.join("brookbox.toml"), config)?;
        }
        let (process, http, rtmp, ready_after) = launch(name, &dir, &program, &options)?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(secs(20)))
            .build()
            .new_agent();
        Ok(Self { process, name: name.to_owned(), dir, program, options, ready_after, http, rtmp, agent, cookie: None })
    }

    /// Starts it again on the same data and the same ports.
    ///
    /// # Errors
    /// It does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.options.http.clone_from(&self.http);
        self.options.rtmp.clone_from(&self.rtmp);
        let (process, http, rtmp, ready_after) = launch(&self.name, &self.dir, &self.program, &self.options)?;
        (self.process, self.http, self.rtmp, self.ready_after) = (process, http, rtmp, ready_after);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM; gives the time until its end.
    ///
    /// # Errors
    /// It still runs after 5 s, or ends with another code than 0.
    pub fn terminate(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.process.signal(Signal::SIGTERM)?;
        self.process.succeeded(secs(5)).context("after SIGTERM")?;
        Ok(start.elapsed())
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its folder: configuration, data, logs.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where RTMP is taken, `address:port`.
    #[must_use]
    pub fn rtmp(&self) -> &str {
        &self.rtmp
    }

    /// Where HTTP is answered, `address:port`.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.http
    }

    /// The owner's sign-in, as `Cookie` has it.
    #[must_use]
    pub fn cookie(&self) -> &str {
        self.cookie.as_deref().unwrap_or_default()
    }

    /// The main input's key, read as a person would on the command line.
    ///
    /// # Errors
    /// The command fails.
    pub fn key(&self) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("show-key").arg("--data-dir").arg(self.data());
        Ok(String::from_utf8(process::output(&mut command)?)?.trim().to_owned())
    }

    /// Where to publish to the main input, with the key.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn publish_url(&self) -> Result<String> {
        Ok(format!("rtmp://{}/live/{}", self.rtmp, self.key()?))
    }

    fn claim(&mut self) -> Result<()> {
        let body = json!({"username": "mara", "password": PASSWORD, "boxName": self.name, "language": "en"});
        let reply = self.call("POST", "/setup", Some(&body))?;
        ensure!(reply.status == 201, "set-up: {reply:?}");
        let cookie = reply.cookie.context("set-up gave no cookie")?;
        self.cookie = cookie.split(';').next().map(str::to_owned);
        Ok(())
    }

    /// Signs in anew, for example after a restart with other sign-ins.
    ///
    /// # Errors
    /// It is refused.
    pub fn sign_in(&mut self) -> Result<()> {
        let reply = self.call("POST", "/login", Some(&json!({"username": "mara", "password": PASSWORD})))?;
        ensure!(reply.status < 300, "sign-in: {reply:?}");
        let cookie = reply.cookie.context("sign-in gave no cookie")?;
        self.cookie = cookie.split(';').next().map(str::to_owned);
        Ok(())
    }

    /// One call of the API; `path` is below `/api/v1` unless it says `/healthz`, `/readyz` or `/metrics`.
    ///
    /// # Errors
    /// No answer came.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Reply> {
        let prefix = if ["/healthz", "/readyz", "/metrics"].contains(&path) { "" } else { "/api/v1" };
        let url = format!("http://{}{prefix}{path}", self.http);
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(&url)
            .header("origin", format!("http://{}", self.http))
            .header("content-type", "application/json");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let response = self.agent.run(request.body(body)?).with_context(|| format!("{method} {url}"))?;
        let status = response.status().as_u16();
        let cookie = response.headers().get("set-cookie").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let text = response.into_body().read_to_string().with_context(|| format!("{method} {url}"))?;
        Ok(Reply { status, cookie, text })
    }

    /// A call that has to succeed; gives its JSON (`null` for an empty answer).
    ///
    /// # Errors
    /// No answer, or another status than 2xx.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let reply = self.call(method, path, body)?;
        ensure!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.text);
        if reply.text.is_empty() { Ok(Value::Null) } else { reply.json() }
    }

    /// Adds a destination on this machine that takes the main input as it is; gives its id.
    ///
    /// # Errors
    /// It is refused.
    pub fn add_destination(&self, name: &str, url: &str, key: &str) -> Result<String> {
        self.add_destination_with(name, url, key, &json!({}))
    }

    /// The same with other fields changed.
    ///
    /// # Errors
    /// It is refused.
    pub fn add_destination_with(&self, name: &str, url: &str, key: &str, change: &Value) -> Result<String> {
        let mut body = json!({
            "name": name, "platform": "custom", "url": url, "key": key, "output": "main/passthrough",
            "enabled": true, "startMode": "withStream", "allowLocal": true,
        });
        for (field, value) in change.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        let made = self.ask("POST", "/destinations", Some(&body))?;
        Ok(made["id"].as_str().context("a new destination has an id")?.to_owned())
    }

    /// Switches a destination.
    ///
    /// # Errors
    /// It is refused.
    pub fn switch(&self, destination: &str, on: bool) -> Result<()> {
        let verb = if on { "on" } else { "off" };
        self.ask("POST", &format!("/destinations/{destination}/{verb}"), None)?;
        Ok(())
    }

    /// `GET /status`.
    ///
    /// # Errors
    /// No answer.
    pub fn status(&self) -> Result<Value> {
        self.ask("GET", "/status", None)
    }

    /// One destination's part of the status.
    ///
    /// # Errors
    /// No answer.
    pub fn destination(&self, id: &str) -> Result<Value> {
        Ok(self.status()?["destinations"][id].clone())
    }

    /// Waits until a destination is in one of the states (separated by `|`); gives its status.
    ///
    /// # Errors
    /// It is not in time; the error shows the last status.
    pub fn wait_state(&self, id: &str, states: &str, limit: Duration) -> Result<Value> {
        let mut last = Value::Null;
        wait::until(limit, &format!("destination to be {states}"), || {
            last = self.destination(id)?;
            let state = last["state"].as_str().unwrap_or_default();
            Ok(states.split('|').any(|wanted| wanted == state).then(|| last.clone()))
        })
        .with_context(|| format!("its status is {last}"))
    }

    /// Waits until the main input is in a state; gives its status.
    ///
    /// # Errors
    /// It is not in time; the error shows the last status.
    pub fn wait_input(&self, state: &str, limit: Duration) -> Result<Value> {
        let mut last = Value::Null;
        wait::until(limit, &format!("input to be {state}"), || {
            last = self.status()?["inputs"]["main"].clone();
            Ok((last["state"] == state).then(|| last.clone()))
        })
        .with_context(|| format!("its status is {last}"))
    }

    /// The newest events, newest first.
    ///
    /// # Errors
    /// No answer.
    pub fn events(&self) -> Result<Vec<Value>> {
        let events = self.ask("GET", "/events?limit=100", None)?;
        events.as_array().cloned().context("events are a list")
    }

    /// Waits for an event with this code.
    ///
    /// # Errors
    /// There is none in time.
    pub fn wait_event(&self, code: &str, limit: Duration) -> Result<Value> {
        wait::until(limit, &format!("event {code}"), || {
            Ok(self.events()?.into_iter().find(|event| event["code"] == code))
        })
    }
}

/// An answer of the API.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Set-Cookie`.
    pub cookie: Option<String>,
    /// The body.
    pub text: String,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("not JSON: {}", self.text))
    }
}

fn launch(name: &str, dir: &Path, program: &Path, options: &Options) -> Result<(Process, String, String, Duration)> {
    let start = Instant::now();
    let (mut process, lines) = Process::start_reading(name, dir, program, |command| {
        command.arg("--data-dir").arg(dir.join("data"));
        command.args(["--http", &options.http, "--rtmp", &options.rtmp]).args(&options.arguments);
        if options.config.is_some() {
            command.arg("--config").arg(dir.join("brookbox.toml"));
        }
        // Nothing of the machine's own settings.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("BROOKBOX_") {
                command.env_remove(variable);
            }
        }
        // Nor of the person's.
        command.env("HOME", dir).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        // And nothing for the machine's network, but where a case asks for it.
        command.env("BROOKBOX_MDNS", "off");
        command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    })?;
    let Ok(line) = lines.recv_timeout(secs(20)) else {
        process.kill();
        bail!("{name} did not become ready: {}", process::last_lines(&process.said(), 5));
    };
    let ready_after = start.elapsed();
    let Some(listeners) = line.strip_prefix("ready ") else { bail!("odd first line of {name}: {line}") };
    let listener = |kind: &str| -> Result<String> {
        let found = listeners.split(' ').find_map(|word| word.strip_prefix(kind)?.strip_prefix('='));
        found.map(str::to_owned).with_context(|| format!("no {kind}= in {line:?}"))
    };
    Ok((process, listener("http")?, listener("rtmp")?, ready_after))
}
