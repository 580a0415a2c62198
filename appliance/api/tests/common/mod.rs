//! A whole box for one test: real store in a directory of its own, real engine, real listener; and a client that sends
//! exactly what it is told to.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

pub(crate) mod publisher;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use brookbox_api::{Api, ApiConfig};
use brookbox_relay::{BoxLimits, Handle, Settings};
use brookbox_store::{Role, SignIn, Store, Time};
use brookbox_vault::TokenHash;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

pub(crate) const PASSWORD: &str = "correct horse battery";
/// Longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestBox {
    pub(crate) http: SocketAddr,
    pub(crate) store: Store,
    pub(crate) engine: Handle,
    pub(crate) dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

impl TestBox {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::start_in(TempDir::new().unwrap(), change).await
    }

    pub(crate) async fn start_in(dir: TempDir, change: impl FnOnce(&mut ApiConfig)) -> Self {
        let store = Store::open(&dir.path().join("data")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        let (engine, reports) = brookbox_relay::start(Settings {
            rtmp: "127.0.0.1:0".parse().unwrap(),
            extra_roots: Vec::new(),
            variables: vec![("STREAM_KEY".into(), "variable-canary-value".into())],
            limits: BoxLimits::default(),
            broadcast: store.broadcast().unwrap().unwrap_or_default(),
            own_listeners: vec![http],
        })
        .unwrap();
        let mut config = ApiConfig {
            version: "0.0.0-test".into(),
            variable_names: ["STREAM_KEY".to_owned()].into(),
            ..ApiConfig::default()
        };
        change(&mut config);
        let api = Api::new(config, store.clone(), engine.clone()).unwrap();
        brookbox_api::sync(&store, &engine).await.unwrap();
        engine.listen().await.unwrap();
        tokio::spawn(brookbox_api::run_reports(store.clone(), reports));
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async {
            let served = brookbox_api::serve(listener, api, async {
                let _ = stopped.await;
            });
            served.await.unwrap();
        });
        Self { http, store, engine, dir, stop: Some(stop), served }
    }

    /// A box that belongs to `mara`, and she.
    pub(crate) async fn claimed() -> (Self, Client) {
        let test_box = Self::start().await;
        let owner = test_box.claim().await;
        (test_box, owner)
    }

    pub(crate) async fn claim(&self) -> Client {
        let mut client = self.client();
        let answer = client
            .post("/api/v1/setup", json!({"username": "mara", "password": PASSWORD, "boxName": "river-street"}))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        client.take_cookies(&answer);
        client
    }

    pub(crate) fn client(&self) -> Client {
        Client { address: self.http, host: self.http.to_string(), origin: true, cookies: Vec::new(), token: None }
    }

    /// Somebody of this role, signed in without the detour of a password.
    pub(crate) fn somebody(&self, role: Role) -> Client {
        self.somebody_since(role, Time::now())
    }

    /// The same, with the password entered at this time.
    pub(crate) fn somebody_since(&self, role: Role, password_entered_at: Time) -> Client {
        let username = format!("{role}-{}", brookbox_vault::id().unwrap());
        let user = brookbox_store::User {
            id: brookbox_vault::id().unwrap(),
            username,
            role,
            password_hash: brookbox_vault::PasswordHash::parse(
                "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$5GqlyXTHQqYrU+/RgCAJ1A6ajnpmX9Hs1yUq3fbKXGo",
            )
            .unwrap(),
            created_at: Time::now(),
            last_seen: None,
        };
        self.store.add_user(&user).unwrap();
        self.signed_in(&user.id, |sign_in| sign_in.password_entered_at = password_entered_at)
    }

    /// A sign-in of a user's, with what is changed about it.
    pub(crate) fn signed_in(&self, user_id: &str, change: impl FnOnce(&mut SignIn)) -> Client {
        let secret = brookbox_vault::session_id().unwrap();
        let now = Time::now();
        let mut sign_in = SignIn {
            id: brookbox_vault::id().unwrap(),
            id_hash: TokenHash::of(&secret),
            user_id: user_id.to_owned(),
            created_at: now,
            last_used: now,
            password_entered_at: now,
            address: "127.0.0.1".into(),
            user_agent: None,
        };
        change(&mut sign_in);
        self.store.add_sign_in(&sign_in).unwrap();
        let mut client = self.client();
        client.cookies.push(("brookbox".into(), secret.expose_secret().to_owned()));
        client
    }

    /// A token of the box's first owner.
    pub(crate) fn token(&self, scopes: &[brookbox_store::Scope]) -> Client {
        let owner = self.store.users().unwrap().into_iter().find(|user| user.role == Role::Owner).unwrap();
        let secret = brookbox_vault::api_token().unwrap();
        let now = Time::now();
        let token = brookbox_store::Token {
            id: brookbox_vault::id().unwrap(),
            name: "test".into(),
            hash: TokenHash::of(&secret),
            scopes: scopes.to_vec(),
            user_id: owner.id,
            created_at: now,
            expires_at: now.after(Duration::from_secs(3600)),
            last_used: None,
        };
        self.store.add_token(&token).unwrap();
        let mut client = self.client();
        client.origin = false;
        client.token = Some(secret);
        client
    }

    /// Stops serving and returns the directory, for another box on the same data.
    pub(crate) async fn stop(mut self) -> TempDir {
        let _ = self.stop.take().unwrap().send(());
        timeout(PATIENCE, &mut self.served).await.expect("serving ends").unwrap();
        let _ = self.engine.stop().await;
        self.dir
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    /// Whether the box's own Origin is sent.
    pub(crate) origin: bool,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) token: Option<SecretString>,
}

impl Client {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        raw(self.address, self.request(method, path, body).as_bytes()).await
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: Option<Value>) -> String {
        let body = body.map(|body| body.to_string());
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        head.push_str(&self.credentials());
        if let Some(body) = &body {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        format!("{head}\r\n{}", body.unwrap_or_default())
    }

    /// The headers that say who asks.
    pub(crate) fn credentials(&self) -> String {
        let mut head = String::new();
        if self.origin {
            head.push_str(&format!("Origin: http://{}\r\n", self.host));
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            head.push_str(&format!("Cookie: {}\r\n", pairs.join("; ")));
        }
        if let Some(token) = &self.token {
            head.push_str(&format!("Authorization: Bearer {}\r\n", token.expose_secret()));
        }
        head
    }

    /// Keeps the cookies of an answer, as a browser would.
    pub(crate) fn take_cookies(&mut self, answer: &Answer) {
        for cookie in answer.all("set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    pub(crate) async fn log_in(&mut self, username: &str, password: &str) -> Answer {
        let answer = self.post("/api/v1/login", json!({"username": username, "password": password})).await;
        self.take_cookies(&answer);
        answer
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// `field:code` of each error.
    pub(crate) fn errors(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| format!("{}:{}", text(&error["field"]), text(&error["code"]))).collect()
    }
}

/// Sends bytes and reads the answer to its end.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The box may answer and close before it has everything.
    let _ = stream.write_all(bytes).await;
    read_answer(&mut stream).await
}

/// The same from another address of this machine: all of 127.0.0.0/8 is its own.
pub(crate) async fn raw_from(from: IpAddr, address: SocketAddr, bytes: Vec<u8>) -> Answer {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let _ = stream.write_all(&bytes).await;
    read_answer(&mut stream).await
}

/// Reads until the peer closes.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut all = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("an answer in time");
    parse(&all)
}

pub(crate) fn parse(all: &[u8]) -> Answer {
    let end = all.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = end.map_or((all, &[][..]), |end| (&all[..end], &all[end + 4..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunk(body) } else { body.to_vec() };
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status: status.unwrap_or(0), headers, text, body }
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        body = &body[end + 2..];
        if size == 0 || body.len() < size + 2 {
            break;
        }
        whole.extend_from_slice(&body[..size]);
        body = &body[size + 2..];
    }
    whole
}

/// Tries until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
