//! Setting up OBS Studio by its own remote control, obs-websocket 5 (RPC version 1): one connection, a few questions,
//! and an end after three seconds whatever the other side does.
//!
//! Specification: obs-websocket `docs/generated/protocol.md`: opcodes Hello 0, Identify 1, Identified 2, Request 6,
//! RequestResponse 7; close code 4009 and status 500.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use crate::net;
use crate::problem::{Code, Problem};
use crate::security::Connection;

/// Where OBS listens if nobody says otherwise.
pub(crate) const PORT: u16 = 4455;
/// For everything together.
const TIME: Duration = Duration::from_secs(3);
/// Most that is read, for everything together.
const BYTES: usize = 64 << 10;
/// Most messages that are read.
const MESSAGES: usize = 64;
/// OBS closes with this when the password is wrong.
const WRONG_PASSWORD: u16 = 4009;
/// OBS answers with this while it streams.
const OUTPUT_RUNNING: i64 = 500;

/// Where the person who asks sits: the only place that is ever dialled. It has to be in the home network, and not the box
/// itself, whose own services it would open to the page.
pub(crate) fn target(connection: Connection, port: u16) -> Result<SocketAddr, Problem> {
    target_among(connection.peer, net::is_own(connection.address()), port)
}

fn target_among(from: SocketAddr, own: bool, port: u16) -> Result<SocketAddr, Problem> {
    let peer = net::canonical(from.ip());
    if own || peer.is_loopback() {
        return Err(Problem::new(Code::ObsNotHere).detail("This page runs on the box itself."));
    }
    if !net::is_home(peer) {
        return Err(Problem::new(Code::ObsNotHere).detail("This page was not reached from the box's own network."));
    }
    // A link-local address says nothing without the link that the peer came by.
    let mut target = if peer == from.ip() { from } else { SocketAddr::new(peer, port) };
    target.set_port(port);
    Ok(target)
}

/// A stream service as OBS keeps it; it may hold somebody's stream key.
#[derive(Clone)]
pub(crate) struct Service(pub(crate) SecretString);

impl Service {
    /// An RTMP server of one's own.
    pub(crate) fn custom(server: &str, key: &SecretString) -> Self {
        let settings = json!({"server": server, "key": key.expose_secret(), "use_auth": false});
        Self(json!({"streamServiceType": "rtmp_custom", "streamServiceSettings": settings}).to_string().into())
    }

    fn value(&self) -> Value {
        serde_json::from_str(self.0.expose_secret()).unwrap_or_default()
    }

    /// Whether both send to the same server.
    pub(crate) fn same_server(&self, other: &Self) -> bool {
        let server =
            |service: &Self| Some(service.value().pointer("/streamServiceSettings/server")?.as_str()?.to_owned());
        server(self).is_some_and(|own| server(other) == Some(own))
    }
}

impl Service {
    /// Whether it sends to an input of this box, by whatever name it calls the box: with one of these stream keys.
    pub(crate) fn sends_with<'a>(&self, mut keys: impl Iterator<Item = &'a SecretString>) -> bool {
        let value = self.value();
        let custom = value.get("streamServiceType").and_then(Value::as_str) == Some("rtmp_custom");
        let key = value.pointer("/streamServiceSettings/key").and_then(Value::as_str).filter(|_| custom);
        // What stands behind a question mark is not part of the key.
        let key = key.and_then(|key| key.split('?').next()).map(SecretString::from);
        key.is_some_and(|key| keys.any(|known| brookbox_vault::same(known, &key)))
    }
}

/// What OBS was before.
pub(crate) struct Before {
    /// Its version, if it says so.
    pub(crate) version: Option<String>,
    pub(crate) service: Service,
}

/// An OBS that has said what it streams to, and waits to be told something else.
pub(crate) struct Found {
    obs: Obs,
    until: Instant,
    pub(crate) before: Before,
}

/// Asks the OBS at an address what it streams to.
pub(crate) async fn find(target: SocketAddr, password: Option<&SecretString>) -> Result<Found, Problem> {
    let until = Instant::now() + TIME;
    let (obs, before) = in_time(until, async {
        let mut obs = Obs::connect(target).await?;
        let version = obs.identify(password).await?;
        let before = obs.request("GetStreamServiceSettings", json!({})).await?;
        let kind = before.get("streamServiceType").filter(|kind| kind.is_string());
        let settings = before.get("streamServiceSettings").filter(|settings| settings.is_object());
        let (Some(kind), Some(settings)) = (kind, settings) else {
            return Err(unexpected("it does not say where it streams to"));
        };
        let settings = json!({"streamServiceType": kind, "streamServiceSettings": settings});
        Ok((obs, Before { version, service: Service(settings.to_string().into()) }))
    })
    .await?;
    Ok(Found { obs, until, before })
}

impl Found {
    /// Gives it another service, and perhaps starts its stream.
    pub(crate) async fn set(self, service: &Service, start: bool) -> Result<(), Problem> {
        let Self { mut obs, until, .. } = self;
        in_time(until, async {
            obs.request("SetStreamServiceSettings", service.value()).await?;
            if start {
                obs.request("StartStream", json!({})).await?;
            }
            obs.close().await;
            Ok(())
        })
        .await
    }
}

async fn in_time<T>(until: Instant, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    match timeout_at(until, work).await {
        Ok(result) => result,
        Err(_) => Err(Problem::new(Code::ObsUnreachable).detail("Nothing answered within three seconds.")),
    }
}

/// One conversation.
struct Obs {
    socket: WebSocketStream<TcpStream>,
    /// How much more may be read.
    bytes_left: usize,
    messages_left: usize,
    requests: u32,
}

impl Obs {
    async fn connect(target: SocketAddr) -> Result<Self, Problem> {
        let unreachable = |detail: &str| Problem::new(Code::ObsUnreachable).detail(detail);
        let stream =
            TcpStream::connect(target).await.map_err(|_| unreachable("The connection was refused or blocked."))?;
        // OBS does not look at its own name, and some addresses have no form in it.
        let request = "ws://obs/".into_client_request().map_err(|_| Code::Internal)?;
        let config =
            WebSocketConfig::default().max_message_size(Some(BYTES)).max_frame_size(Some(BYTES)).read_buffer_size(4096);
        let connected = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
        let (socket, _) = connected.map_err(|_| unexpected("it does not speak WebSocket"))?;
        Ok(Self { socket, bytes_left: BYTES, messages_left: MESSAGES, requests: 0 })
    }

    /// Says who asks. The password itself does not cross the wire.
    async fn identify(&mut self, password: Option<&SecretString>) -> Result<Option<String>, Problem> {
        let hello = self.next(0).await?;
        let mut answer = None;
        if let Some(wanted) = hello.get("authentication") {
            let word = |name: &str| wanted.get(name).and_then(Value::as_str);
            let (Some(challenge), Some(salt)) = (word("challenge"), word("salt")) else {
                return Err(unexpected("its greeting is not in order"));
            };
            let password = password.ok_or(Code::ObsWrongPassword)?;
            answer = Some(proof(password, salt, challenge));
        }
        // Where none is asked for, OBS does not look at it.
        let answer = answer.unwrap_or_default();
        self.send(1, json!({"rpcVersion": 1, "eventSubscriptions": 0, "authentication": answer})).await?;
        self.next(2).await?;
        let version = hello.get("obsStudioVersion").and_then(Value::as_str);
        Ok(version.map(|version| version.chars().filter(char::is_ascii_graphic).take(32).collect()))
    }

    async fn request(&mut self, kind: &str, data: Value) -> Result<Value, Problem> {
        self.requests += 1;
        let id = self.requests.to_string();
        self.send(6, json!({"requestType": kind, "requestId": id, "requestData": data})).await?;
        let answer = self.next(7).await?;
        if answer.get("requestId").and_then(Value::as_str) != Some(&id) {
            return Err(unexpected("it answers what was not asked"));
        }
        let status = |name: &str| answer.get("requestStatus").and_then(|status| status.get(name));
        match (status("result").and_then(Value::as_bool), status("code").and_then(Value::as_i64)) {
            (Some(true), _) => Ok(answer.get("responseData").cloned().unwrap_or_default()),
            (_, Some(OUTPUT_RUNNING)) => Err(Code::ObsLive.into()),
            (_, code) => Err(unexpected(&format!("it refused {kind} with status {}", code.unwrap_or_default()))),
        }
    }

    async fn send(&mut self, op: u8, data: Value) -> Result<(), Problem> {
        let text = json!({"op": op, "d": data}).to_string();
        self.socket.send(Message::text(text)).await.map_err(|error| broken(&error))
    }

    /// The next message, which has to be of this kind; events in between are passed over.
    async fn next(&mut self, op: u8) -> Result<Value, Problem> {
        const EVENT: u64 = 5;
        loop {
            self.messages_left =
                self.messages_left.checked_sub(1).ok_or_else(|| unexpected("it says more than it was asked"))?;
            let message = match self.socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == WRONG_PASSWORD => {
                    return Err(Code::ObsWrongPassword.into());
                }
                Some(Ok(Message::Close(_))) | None => return Err(unexpected("it hung up")),
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(broken(&error)),
            };
            self.bytes_left = self
                .bytes_left
                .checked_sub(message.len())
                .ok_or_else(|| unexpected("it says more than it was asked"))?;
            let Message::Text(text) = message else { continue };
            let mut value: Value =
                serde_json::from_str(text.as_str()).map_err(|_| unexpected("what it says is not JSON"))?;
            match value.get("op").and_then(Value::as_u64) {
                Some(found) if found == u64::from(op) => {
                    return Ok(value.get_mut("d").map(Value::take).unwrap_or_default());
                }
                Some(EVENT) => {}
                _ => return Err(unexpected("it says something else than OBS would")),
            }
        }
    }

    async fn close(mut self) {
        // Everything is done; that it hears the goodbye is courtesy.
        let _ = timeout(Duration::from_millis(200), self.socket.close(None)).await;
    }
}

fn broken(error: &SocketError) -> Problem {
    match error {
        SocketError::Capacity(_) => unexpected("it says more than it was asked"),
        SocketError::Io(_) | SocketError::ConnectionClosed => unexpected("it hung up"),
        _ => unexpected("it does not speak WebSocket properly"),
    }
}

/// What is there is not OBS, or one that cannot be used. Nothing that it said is repeated.
fn unexpected(why: &str) -> Problem {
    Problem::new(Code::ObsUnexpected).detail(format!("What answered is no OBS that could be set up: {why}."))
}

/// `base64(sha256(base64(sha256(password + salt)) + challenge))`
fn proof(password: &SecretString, salt: &str, challenge: &str) -> String {
    let hash = |one: &str, other: &str| {
        BASE64_STANDARD.encode(Sha256::new().chain_update(one.as_bytes()).chain_update(other.as_bytes()).finalize())
    };
    hash(&hash(password.expose_secret(), salt), challenge)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn the_proof_is_as_the_protocol_has_it() {
        // Computed by `printf` and `openssl dgst -sha256 -binary | base64`.
        let password = SecretString::from("supersecretpassword");
        let salt = "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=";
        let challenge = "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=";
        assert_eq!(proof(&password, salt, challenge), "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=");
    }

    #[test]
    fn only_a_neighbour_is_dialled() {
        let from = |peer: &str| SocketAddr::new(peer.parse().unwrap(), 50_000);
        let of = |peer: &str, own| target_among(from(peer), own, PORT).map_err(|problem| problem.code());
        assert_eq!(of("::ffff:192.168.1.24", false), Ok("192.168.1.24:4455".parse().unwrap()));
        let on_a_link = "[fe80::9%3]:50000".parse().unwrap();
        assert_eq!(target_among(on_a_link, false, PORT).ok(), "[fe80::9%3]:4455".parse().ok());
        assert_eq!(of("192.168.1.24", false), Ok("192.168.1.24:4455".parse().unwrap()));
        assert_eq!(of("fd12::9", false), Ok("[fd12::9]:4455".parse().unwrap()));
        for (peer, own) in [
            ("192.168.1.40", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("203.0.113.9", false),
            ("100.64.1.1", false),
            ("2001:db8::9", false),
            ("169.254.169.254", true),
            ("0.0.0.0", false),
        ] {
            assert_eq!(of(peer, own).unwrap_err(), Code::ObsNotHere, "{peer}");
        }
    }

    /// Somebody at the address: says each text as soon as the one before was answered, and returns what it heard.
    async fn server(says: Vec<String>) -> (SocketAddr, tokio::task::JoinHandle<Vec<Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            let mut heard = Vec::new();
            for text in says {
                let message = match text.strip_prefix("close ") {
                    Some(code) => {
                        let code = code.parse::<u16>().unwrap().into();
                        let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame { code, reason: "".into() };
                        Message::Close(Some(frame))
                    }
                    None => Message::text(text),
                };
                if socket.send(message).await.is_err() {
                    break;
                }
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => heard.push(serde_json::from_str(text.as_str()).unwrap()),
                    _ => break,
                }
            }
            heard
        });
        (address, heard)
    }

    fn hello() -> String {
        let authentication = json!({"challenge": "c", "salt": "s"});
        json!({"op": 0, "d": {"rpcVersion": 1, "obsStudioVersion": "32.0.1", "authentication": authentication}})
            .to_string()
    }

    fn answer(id: &str, status: Value, data: Value) -> String {
        json!({"op": 7, "d": {"requestId": id, "requestStatus": status, "responseData": data}}).to_string()
    }

    fn good(id: &str, data: Value) -> String {
        answer(id, json!({"result": true, "code": 100}), data)
    }

    fn identified() -> String {
        json!({"op": 2, "d": {"negotiatedRpcVersion": 1}}).to_string()
    }

    fn service() -> Service {
        Service::custom("rtmp://river-street.local/live", &"canary-stream-key".into())
    }

    /// What a press does, without keeping anything.
    #[test]
    fn it_is_the_box_by_whatever_name() {
        let keys = [SecretString::from("another-stream-key"), SecretString::from("canary-stream-key")];
        let sends = |service: &Service| service.sends_with(keys.iter());
        assert!(sends(&service()));
        assert!(sends(&Service::custom("rtmp://192.168.1.40/live", &keys[0])));
        assert!(sends(&Service::custom("rtmp://192.168.1.40/live", &"canary-stream-key?a=b".into())));
        assert!(!sends(&Service::custom("rtmp://river-street.local/live", &"key-of-another-box".into())));
        let common = json!({"streamServiceType": "rtmp_common", "streamServiceSettings": {"key": "canary-stream-key"}});
        assert!(!sends(&Service(common.to_string().into())));
        assert!(!sends(&Service("{}".into())));
    }

    async fn set_service(
        target: SocketAddr,
        password: Option<&SecretString>,
        service: &Service,
        start: bool,
    ) -> Result<Before, Problem> {
        let found = find(target, password).await?;
        let before = Before { version: found.before.version.clone(), service: found.before.service.clone() };
        found.set(service, start).await.map(|()| before)
    }

    async fn run(says: Vec<String>) -> (Result<Before, Code>, Vec<Value>) {
        let (address, heard) = server(says).await;
        let password = SecretString::from("canary-password");
        let result = set_service(address, Some(&password), &service(), false).await;
        (result.map_err(|problem| problem.code()), timeout(TIME * 2, heard).await.unwrap().unwrap())
    }

    #[tokio::test]
    async fn what_was_there_is_kept_and_the_box_put_in_its_place() {
        let before = json!({
            "streamServiceType": "rtmp_common", "streamServiceSettings": {"service": "Twitch", "key": "live_1"}
        });
        let says = vec![hello(), identified(), good("1", before.clone()), good("2", json!(null))];
        let (result, heard) = run(says).await;
        let result = result.ok().unwrap();
        assert_eq!(result.version.as_deref(), Some("32.0.1"));
        assert_eq!(result.service.value(), before);
        assert!(!result.service.same_server(&service()) && service().same_server(&service()));
        assert_eq!(heard[0]["op"], 1);
        assert_eq!(heard[0]["d"]["authentication"], proof(&"canary-password".into(), "s", "c"));
        assert_eq!(heard[1]["d"]["requestType"], "GetStreamServiceSettings");
        assert_eq!(heard[2]["d"]["requestType"], "SetStreamServiceSettings");
        assert_eq!(heard[2]["d"]["requestData"], service().value());
        assert!(!heard.iter().any(|heard| heard.to_string().contains("canary-password")));
    }

    #[tokio::test]
    async fn obs_stays_as_it_is_until_what_it_was_is_kept() {
        let before = json!({"streamServiceType": "rtmp_common", "streamServiceSettings": {"key": "live_1"}});
        let (address, heard) =
            server(vec![hello(), identified(), good("1", before.clone()), good("2", json!(null))]).await;
        let found = find(address, Some(&"p".into())).await.ok().unwrap();
        assert_eq!(found.before.service.value(), before);
        // Here it is stored; that fails, and nothing more is said.
        drop(found);
        let heard = timeout(TIME * 2, heard).await.unwrap().unwrap();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(!json!(heard).to_string().contains("SetStreamServiceSettings"), "{heard:?}");
    }

    #[tokio::test]
    async fn each_failure_has_its_code() {
        let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let problem = set_service(refused, None, &service(), false).await.err().unwrap();
        assert_eq!(problem.code(), Code::ObsUnreachable);
        assert_eq!(run(vec![hello(), "close 4009".into()]).await.0.err(), Some(Code::ObsWrongPassword));
        let before = json!({"streamServiceType": "rtmp_common", "streamServiceSettings": {}});
        let live = answer("2", json!({"result": false, "code": 500, "comment": "x"}), json!(null));
        let says = vec![hello(), identified(), good("1", before), live];
        assert_eq!(run(says).await.0.err(), Some(Code::ObsLive));
    }

    #[tokio::test]
    async fn a_stranger_gets_neither_key_nor_memory_nor_time() {
        let flood = format!("{{\"op\":0,\"d\":\"{}\"}}", "x".repeat(BYTES));
        for says in [
            vec![flood],
            vec!["not json".to_owned()],
            vec![json!({"op": 7, "d": {}}).to_string()],
            vec![json!({"op": 0, "d": {"authentication": {"challenge": 1}}}).to_string()],
            vec![hello(), json!({"op": 2, "d": null}).to_string(), good("9", json!({}))],
            vec![hello(), identified(), good("1", json!({"streamServiceType": 4}))],
            vec![hello(), "close 1000".into()],
            vec!["[".repeat(10_000)],
        ] {
            let (result, heard) = run(says.clone()).await;
            assert_eq!(result.err(), Some(Code::ObsUnexpected), "{says:?}");
            let heard = json!(heard).to_string();
            assert!(!heard.contains("canary"), "{heard}");
        }
        // One that takes the connection and says nothing.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let begun = std::time::Instant::now();
        let silent = set_service(listener.local_addr().unwrap(), None, &service(), false).await;
        assert_eq!(silent.err().map(|problem| problem.code()), Some(Code::ObsUnreachable));
        assert!(begun.elapsed() < TIME + Duration::from_secs(1));
        // And one that talks without end in small words.
        let says = (0..200).map(|_| json!({"op": 5, "d": {}}).to_string()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let says: Vec<String> = says;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            for text in says {
                let _ = socket.send(Message::text(text)).await;
            }
        });
        let endless = set_service(address, None, &service(), false).await;
        assert_eq!(endless.err().map(|problem| problem.code()), Some(Code::ObsUnexpected));
    }

    /// `BROOKBOX_OBS=127.0.0.1:4455 BROOKBOX_OBS_PASSWORD=… cargo test -p brookbox-api real_obs -- --ignored`
    #[tokio::test]
    #[ignore = "needs an OBS Studio that runs, with its WebSocket server switched on"]
    async fn real_obs_is_set_up_and_put_back() {
        let target: SocketAddr = std::env::var("BROOKBOX_OBS").unwrap().parse().unwrap();
        let password = std::env::var("BROOKBOX_OBS_PASSWORD").unwrap().into();
        let wrong = set_service(target, Some(&"wrong".into()), &service(), false).await;
        assert_eq!(wrong.err().map(|problem| problem.code()), Some(Code::ObsWrongPassword));
        let missing = set_service(target, None, &service(), false).await;
        assert_eq!(missing.err().map(|problem| problem.code()), Some(Code::ObsWrongPassword));
        let Ok(before) = set_service(target, Some(&password), &service(), false).await else { panic!("set up") };
        let Ok(set) = set_service(target, Some(&password), &before.service, false).await else { panic!("put back") };
        assert!(set.service.same_server(&service()));
        let key = set.service.value().pointer("/streamServiceSettings/key").cloned();
        assert_eq!(key, Some("canary-stream-key".into()));
        let Ok(back) = set_service(target, Some(&password), &before.service, false).await else { panic!("again") };
        assert_eq!(back.service.value(), before.service.value());
    }
}
