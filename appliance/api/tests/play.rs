//! Watching: what comes in, as FLV over HTTP and WebSocket, for those who may.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::process::Stdio;
use std::time::Duration;

use brookbox_store::{Role, Scope};
use common::publisher::{self, HEADER, SOUND_HEADER, video};
use common::{Client, PATIENCE, TestBox, eventually};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const STREAM_KEY: &str = "canary-key-for-watching";

/// A claimed box at which this comes in.
async fn receiving(messages: impl Fn(u32) -> Vec<publisher::Message> + Send + 'static) -> (TestBox, Client) {
    let (test_box, owner) = TestBox::claimed().await;
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": STREAM_KEY})).await;
    let rtmp = test_box.engine.rtmp();
    tokio::spawn(async move { publisher::publish(rtmp, STREAM_KEY, 40, messages).await });
    until_receiving(&owner).await;
    (test_box, owner)
}

async fn until_receiving(owner: &Client) {
    eventually("a picture", async || owner.get("/api/v1/status").await.body["inputs"]["main"]["state"] == "receiving")
        .await;
}

/// A viewer over HTTP, with what it has read.
struct Viewer {
    stream: TcpStream,
    raw: Vec<u8>,
}

impl Viewer {
    async fn open(client: &Client, path: &str) -> Result<Self, (u16, String)> {
        let mut stream = TcpStream::connect(client.address).await.unwrap();
        stream.write_all(client.request("GET", path, None).as_bytes()).await.unwrap();
        let mut viewer = Self { stream, raw: Vec::new() };
        while !viewer.raw.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(viewer.read().await, "an answer");
        }
        if viewer.raw.starts_with(b"HTTP/1.1 200 ") {
            return Ok(viewer);
        }
        while viewer.read().await {}
        let answer = common::parse(&viewer.raw);
        Err((answer.status, answer.code().to_owned()))
    }

    /// Reads a little more; false at the end.
    async fn read(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        let count = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("in time").unwrap_or(0);
        self.raw.extend_from_slice(&buffer[..count]);
        count > 0
    }

    fn flv(&self) -> Vec<u8> {
        let start = self.raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        unchunk(&self.raw[start..])
    }

    async fn until(&mut self, bytes: usize) {
        while self.flv().len() < bytes {
            assert!(self.read().await, "it goes on");
        }
    }

    /// Reads until the box ends it.
    async fn ends_within(&mut self, time: Duration) {
        timeout(time, async { while self.read().await {} }).await.expect("the box ends it");
    }
}

/// As far as the chunks are whole.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        body = &body[end + 2..];
        if size == 0 || body.len() < size {
            break;
        }
        whole.extend_from_slice(&body[..size]);
        body = body.get(size + 2..).unwrap_or_default();
    }
    whole
}

/// Type, time and body of each whole tag.
fn tags(flv: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    assert!(flv.starts_with(b"FLV\x01"), "{:?}", &flv[..flv.len().min(16)]);
    let mut rest = &flv[13..];
    let mut tags = Vec::new();
    while rest.len() >= 11 {
        let len = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        if rest.len() < len + 15 {
            break;
        }
        let size = u32::from_be_bytes(rest[11 + len..15 + len].try_into().unwrap());
        assert_eq!(size as usize, len + 11, "the size behind a tag");
        tags.push((rest[0], u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]), rest[11..11 + len].to_vec()));
        rest = &rest[15 + len..];
    }
    tags
}

fn is_key(tag: &(u8, u32, Vec<u8>)) -> bool {
    tag.0 == 9 && tag.2[0] == 0x17 && tag.2[1] == 1
}

#[tokio::test]
async fn a_viewer_begins_with_the_configuration_and_the_newest_keyframe() {
    let (_test_box, owner) = receiving(|number| {
        let mut messages = video(2000)(number);
        if number == 0 {
            messages.insert(0, (18, b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09".to_vec()));
            messages.insert(1, (8, SOUND_HEADER.to_vec()));
        }
        messages.push((8, b"\xaf\x01\x21".to_vec()));
        messages
    })
    .await;
    sleep(Duration::from_millis(1500)).await;
    let begun = Instant::now();
    let mut viewer = Viewer::open(&owner, "/play/main.flv").await.unwrap();
    viewer.until(2000).await;
    let first = begun.elapsed();
    assert!(first < Duration::from_millis(100), "the first picture after {first:?}");
    let answer = common::parse(&viewer.raw);
    assert_eq!(answer.header("content-type"), Some("video/x-flv"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    viewer.until(60_000).await;
    let flv = viewer.flv();
    assert_eq!(flv[4], 5, "sound and picture are announced");
    let tags = tags(&flv);
    let configuration: Vec<_> = tags[..3].iter().map(|tag| (tag.0, &*tag.2)).collect();
    assert_eq!(
        configuration,
        [(18, &b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09"[..]), (8, SOUND_HEADER), (9, HEADER)],
        "what stands before metadata on the wire does not belong into a file"
    );
    assert!(is_key(&tags[3]), "then a keyframe");
    let pictures: Vec<_> = tags[3..].iter().filter(|tag| tag.0 == 9).collect();
    assert!(pictures.len() > 20);
    for pair in pictures.windows(2) {
        assert_eq!(pair[1].1 - pair[0].1, 40, "no picture is missing");
    }
    assert!(pictures.iter().all(|picture| picture.2.len() == 13 + 2000));
}

#[tokio::test]
async fn large_messages_come_out_whole() {
    // Larger than a chunk of the log.
    let (_test_box, owner) = receiving(|number| {
        let mut body = video(200_000)(number).pop().unwrap().1;
        body.extend(number.to_be_bytes());
        let mut messages = if number == 0 { vec![(9, HEADER.to_vec())] } else { Vec::new() };
        messages.push((9, body));
        messages
    })
    .await;
    let mut viewer = Viewer::open(&owner, "/play/main.flv").await.unwrap();
    viewer.until(3_000_000).await;
    let pictures: Vec<_> = tags(&viewer.flv()).into_iter().skip(1).collect();
    let number = |body: &[u8]| u32::from_be_bytes(body[body.len() - 4..].try_into().unwrap());
    for (picture, next) in pictures.iter().zip(&pictures[1..]) {
        assert_eq!(picture.2.len(), 13 + 200_000 + 4);
        assert!(picture.2[13..13 + 200_000].iter().all(|byte| *byte == 0x55), "no byte of a header is in between");
        assert_eq!(number(&next.2), number(&picture.2) + 1);
    }
}

type Socket = tokio_tungstenite::WebSocketStream<TcpStream>;

async fn open_socket(client: &Client, path: &str) -> Result<Socket, u16> {
    let mut request = format!("ws://{}{path}", client.host).into_client_request().unwrap();
    for line in client.credentials().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(client.address).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The FLV of so many bytes, and how the socket was closed if it was.
async fn read_socket(socket: &mut Socket, bytes: usize) -> (Vec<u8>, Option<u16>) {
    let mut flv = Vec::new();
    while flv.len() < bytes {
        match timeout(PATIENCE, socket.next()).await.expect("in time") {
            Some(Ok(Message::Binary(piece))) => flv.extend_from_slice(&piece),
            Some(Ok(Message::Close(frame))) => return (flv, frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (flv, None),
        }
    }
    (flv, None)
}

#[tokio::test]
async fn several_viewers_over_both_ways_see_the_same_and_are_listed() {
    let (test_box, owner) = receiving(video(3000)).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(open_socket(&owner, "/play/main.flv").await.unwrap());
    }
    let mut over_http = Viewer::open(&owner, "/play/main.flv").await.unwrap();
    eventually("four viewers", async || owner.get("/api/v1/status").await.body["inputs"]["main"]["viewers"] == 4).await;
    let sessions = owner.get("/api/v1/sessions").await.body;
    let of = |protocol: &str| {
        let all = sessions.as_array().unwrap().iter();
        all.filter(|session| session["protocol"] == protocol && session["role"] == "play").count()
    };
    assert_eq!((of("ws-flv"), of("http-flv")), (3, 1), "{sessions:#}");
    over_http.until(100_000).await;
    let reference = tags(&over_http.flv());
    for socket in &mut sockets {
        let (flv, _) = read_socket(socket, 100_000).await;
        let seen = tags(&flv);
        let (from, until) = (seen[1].1.max(reference[1].1), seen.last().unwrap().1.min(reference.last().unwrap().1));
        let between = |tags: &[(u8, u32, Vec<u8>)]| -> Vec<_> {
            tags[1..].iter().filter(|tag| (from..=until).contains(&tag.1)).cloned().collect()
        };
        assert!(between(&seen).len() > 10);
        assert_eq!(between(&seen), between(&reference));
    }
    // One is closed by a person, the others go by themselves.
    let id =
        sessions.as_array().unwrap().iter().find(|session| session["protocol"] == "http-flv").unwrap()["id"].clone();
    assert_eq!(owner.delete(&format!("/api/v1/sessions/{}", id.as_str().unwrap())).await.status, 204);
    over_http.ends_within(Duration::from_secs(1)).await;
    drop(sockets);
    eventually("nobody watches", async || owner.get("/api/v1/status").await.body["inputs"]["main"]["viewers"] == 0)
        .await;
    drop(test_box);
}

#[tokio::test]
async fn the_end_of_the_programme_ends_the_viewers() {
    let (test_box, owner) = receiving(video(3000)).await;
    let mut over_http = Viewer::open(&owner, "/play/main.flv").await.unwrap();
    let mut socket = open_socket(&owner, "/play/main.flv").await.unwrap();
    let session = test_box.engine.snapshot().inputs["main"].session.clone().unwrap();
    test_box.engine.disconnect(session.id).await.unwrap();
    over_http.ends_within(Duration::from_secs(2)).await;
    assert_eq!(read_socket(&mut socket, usize::MAX).await.1, Some(1000));
}

#[tokio::test]
async fn a_slow_viewer_loses_whole_groups_and_nobody_else_does() {
    // 100 kB every 40 ms: 20 Mbit/s.
    let (_test_box, owner) = receiving(video(100_000)).await;
    let mut slow = Viewer::open(&owner, "/play/main.flv").await.unwrap();
    let mut quick = Viewer::open(&owner, "/play/main.flv").await.unwrap();
    let end = Instant::now() + Duration::from_secs(8);
    let reading = tokio::spawn(async move {
        while Instant::now() < end {
            assert!(quick.read().await);
        }
        tags(&quick.flv())
    });
    sleep(Duration::from_secs(6)).await;
    let sessions = owner.get("/api/v1/sessions").await.body;
    let sent: Vec<_> = sessions.as_array().unwrap().iter().filter(|session| session["role"] == "play").collect();
    let least = sent.iter().map(|session| session["bytesSent"].as_u64().unwrap()).min().unwrap();
    assert!(least < 8_000_000, "what waits for a slow viewer is bounded: {least}");
    let again = Instant::now();
    while again.elapsed() < Duration::from_secs(2) {
        assert!(slow.read().await);
    }
    let slow: Vec<_> = tags(&slow.flv()).into_iter().filter(|tag| tag.0 == 9 && tag.2[1] == 1).collect();
    let gaps: Vec<_> = slow.windows(2).filter(|pair| pair[1].1 - pair[0].1 != 40).collect();
    assert!(!gaps.is_empty(), "it lost something");
    for gap in gaps {
        assert!(is_key(&gap[1]), "it goes on with a keyframe");
    }
    let quick: Vec<_> = reading.await.unwrap().into_iter().filter(|tag| tag.0 == 9 && tag.2[1] == 1).collect();
    assert!(quick.windows(2).all(|pair| pair[1].1 - pair[0].1 == 40), "the quick one lost nothing");
    assert!(quick.len() > 150, "{}", quick.len());
    let dropped = owner.get("/api/v1/sessions").await.body;
    let dropped = dropped.as_array().unwrap().iter().map(|session| session["framesDropped"].as_u64().unwrap()).max();
    assert!(dropped > Some(0), "and that is counted");
}

#[tokio::test]
async fn who_may_not_watch_is_told_why() {
    let (test_box, owner) = TestBox::claimed().await;
    let why = async |client: &Client, path: &str| Viewer::open(client, path).await.err().unwrap();
    assert_eq!(why(&owner, "/play/main.flv").await, (409, "no_picture".into()));
    assert_eq!(why(&owner, "/play/other.flv").await, (404, "not_found".into()));
    assert_eq!(why(&owner, "/play/main.mp4").await, (404, "not_found".into()));
    assert_eq!(why(&test_box.client(), "/play/main.flv").await, (401, "not_signed_in".into()));
    assert_eq!(why(&test_box.token(&[Scope::Metrics]), "/play/main.flv").await, (403, "not_allowed".into()));
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": STREAM_KEY})).await;
    owner.patch("/api/v1/inputs/main", json!({"limits": {"sessions": 3}})).await;
    let rtmp = test_box.engine.rtmp();
    tokio::spawn(async move { publisher::publish(rtmp, STREAM_KEY, 40, video(100)).await });
    until_receiving(&owner).await;
    let viewers = [
        Viewer::open(&test_box.somebody(Role::Viewer), "/play/main.flv").await.unwrap(),
        Viewer::open(&test_box.token(&[Scope::Read]), "/play/main.flv").await.unwrap(),
    ];
    assert_eq!(why(&owner, "/play/main.flv").await, (429, "too_many_viewers".into()), "the publisher is one of three");
    drop(viewers);
    eventually("room", async || Viewer::open(&owner, "/play/main.flv").await.is_ok()).await;
    // A page of somebody else's does not get at the stream.
    let mut foreign = owner.clone();
    foreign.origin = false;
    assert_eq!(open_socket(&foreign, "/play/main.flv").await.unwrap_err(), 403);
}

#[tokio::test]
async fn the_end_of_a_sign_in_ends_what_it_watches() {
    let (test_box, _owner) = receiving(video(3000)).await;
    let viewer = test_box.somebody(Role::Viewer);
    let mut over_http = Viewer::open(&viewer, "/play/main.flv").await.unwrap();
    let mut socket = open_socket(&viewer, "/play/main.flv").await.unwrap();
    assert_eq!(viewer.post("/api/v1/logout", json!({})).await.status, 204);
    let begun = Instant::now();
    over_http.ends_within(Duration::from_secs(1)).await;
    assert_eq!(read_socket(&mut socket, usize::MAX).await.1, Some(1001));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

/// Somebody who opens the stream and then reads nothing any more, until nothing fits in between.
async fn stuck(client: &Client) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(client.address).await.unwrap();
    stream.write_all(client.request("GET", "/play/main.flv", None).as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    sleep(Duration::from_secs(1)).await;
    stream
}

#[tokio::test]
async fn who_does_not_read_loses_its_place_as_soon_as_its_right() {
    let (test_box, owner) = receiving(video(100_000)).await;
    let (made, token) = link(&owner, json!({})).await;
    let path = format!("/api/v1/watch-links/{}", made["id"].as_str().unwrap());
    let guest = guest(&test_box, &token).await;
    let _closed = stuck(&guest).await;
    let sessions = owner.get("/api/v1/sessions").await.body;
    let session = sessions.as_array().unwrap().iter().find(|session| session["role"] == "play").unwrap();
    let begun = Instant::now();
    assert_eq!(owner.delete(&format!("/api/v1/sessions/{}", session["id"].as_str().unwrap())).await.status, 204);
    eventually("the place of the session", async || owner.get(&path).await.body["watching"] == 0).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    let _linked = stuck(&guest).await;
    let viewer = test_box.somebody(Role::Viewer);
    let _signed_in = stuck(&viewer).await;
    let viewers = async || owner.get("/api/v1/status").await.body["inputs"]["main"]["viewers"].clone();
    assert_eq!(viewers().await, 2);
    let begun = Instant::now();
    assert_eq!(owner.delete(&path).await.status, 204);
    assert_eq!(viewer.post("/api/v1/logout", json!({})).await.status, 204);
    eventually("nobody watches", async || viewers().await == 0).await;
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
}

async fn link(owner: &Client, more: Value) -> (Value, String) {
    let mut body = json!({"name": "Family", "input": "main"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = owner.post("/api/v1/watch-links", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let token = made.body["path"].as_str().unwrap().strip_prefix("/watch/").unwrap().to_owned();
    (made.body, token)
}

/// Somebody without an account who opened a link.
async fn guest(test_box: &TestBox, token: &str) -> Client {
    let mut guest = test_box.client();
    let answer = guest.post("/play/watch", json!({"token": token})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    guest.take_cookies(&answer);
    guest
}

#[tokio::test]
async fn a_watch_link_shows_one_input_and_nothing_else() {
    let (test_box, owner) = receiving(video(3000)).await;
    let (made, token) = link(&owner, json!({})).await;
    assert_eq!((token.len(), &made["viewers"], &made["madeBy"]), (22, &json!(8), &json!("mara")));
    let answer = test_box.client().post("/play/watch", json!({"token": token})).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("brookbox-watch=") && cookie.contains("; Path=/play; "), "{cookie}");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let age: u64 = cookie.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!((86_000..=86_400).contains(&age), "{age}");
    assert_eq!((&answer.body["input"], &answer.body["title"]), (&json!("main"), &json!("Family")));
    assert_eq!(answer.body["receiving"], true);

    let guest = guest(&test_box, &token).await;
    Viewer::open(&guest, "/play/main.flv").await.unwrap().until(3000).await;
    read_socket(&mut open_socket(&guest, "/play/main.flv").await.unwrap(), 3000).await;
    assert_eq!(guest.get("/play/watch").await.body["title"], "Family");
    assert_eq!(Viewer::open(&guest, "/play/other.flv").await.err(), Some((403, "not_allowed".into())));
    let document: Value = serde_json::from_str(&brookbox_api::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let access = &operation["x-brookbox-access"];
            if access["role"].is_null() || access["watchLink"] == true {
                continue;
            }
            let path = path.replace("{id}", "main").replace("{address}", "192.0.2.1");
            let answer = guest.send(&method.to_uppercase(), &path, Some(json!({}))).await;
            assert_eq!((answer.status, answer.code()), (401, "not_signed_in"), "{method} {path}");
        }
    }
    // The secret is nowhere again.
    for path in ["/api/v1/watch-links", "/api/v1/events", "/api/v1/status", "/api/v1/sessions", "/metrics"] {
        assert!(!owner.get(path).await.text.contains(&token), "{path}");
    }
    let codes = owner.get("/api/v1/events").await.body;
    assert!(codes.as_array().unwrap().iter().any(|event| event["code"] == "watch_link_made"), "{codes:#}");
}

#[tokio::test]
async fn a_watch_link_has_its_limit_and_its_end() {
    let (test_box, owner) = receiving(video(3000)).await;
    let (made, token) = link(&owner, json!({"viewers": 2, "expiresInHours": 1})).await;
    let guests = [guest(&test_box, &token).await, guest(&test_box, &token).await];
    let mut first = Viewer::open(&guests[0], "/play/main.flv").await.unwrap();
    let _second = Viewer::open(&guests[1], "/play/main.flv").await.unwrap();
    assert_eq!(Viewer::open(&guests[1], "/play/main.flv").await.err(), Some((429, "too_many_viewers".into())));
    assert_eq!(owner.get("/api/v1/watch-links").await.body[0]["watching"], 2);
    let path = format!("/api/v1/watch-links/{}", made["id"].as_str().unwrap());
    assert_eq!(owner.get(&path).await.body["viewers"], 2);
    assert_eq!(owner.delete(&path).await.status, 204);
    first.ends_within(Duration::from_secs(1)).await;
    assert_eq!(Viewer::open(&guests[0], "/play/main.flv").await.err(), Some((401, "not_signed_in".into())));
    let again = test_box.client().post("/play/watch", json!({"token": token})).await;
    assert_eq!((again.status, again.code()), (404, "watch_link_ended"));
}

#[tokio::test]
async fn links_are_made_in_person_and_by_those_who_run_the_broadcast() {
    let (test_box, owner) = TestBox::claimed().await;
    let body = json!({"name": "Family", "input": "main"});
    for (client, status) in [
        (&test_box.somebody(Role::Viewer), 403),
        (&test_box.token(&[Scope::Admin]), 403),
        (&test_box.somebody(Role::Operator), 201),
    ] {
        assert_eq!(client.post("/api/v1/watch-links", body.clone()).await.status, status);
    }
    for (wrong, errors) in [
        (json!({}), vec!["name:required", "input:required"]),
        (json!({"name": "x", "input": "main", "viewers": 0}), vec!["viewers:out_of_range"]),
        (json!({"name": "x", "input": "main", "expiresInHours": 721}), vec!["expiresInHours:out_of_range"]),
    ] {
        assert_eq!(owner.post("/api/v1/watch-links", wrong).await.errors(), errors);
    }
    let nowhere = owner.post("/api/v1/watch-links", json!({"name": "x", "input": "nowhere"})).await;
    assert_eq!(nowhere.status, 404);
}

/// Stream index and hash of each packet.
fn packets(framemd5: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(framemd5);
    let lines = text.lines().filter(|line| line.starts_with("0,"));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

async fn framemd5(input: &[&str]) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin"]).args(input);
    command.args(["-map", "0:v", "-c", "copy", "-f", "framemd5", "-"]);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(Duration::from_secs(60), output).await.expect("in time").expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    packets(&output.stdout)
}

/// What FFmpeg sends by RTMP, FFmpeg reads again over HTTP, packet by packet.
#[tokio::test]
async fn ffmpeg_sees_what_ffmpeg_sent() {
    let (test_box, owner) = TestBox::claimed().await;
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": STREAM_KEY})).await;
    let file = test_box.dir.path().join("source.flv");
    let file = file.to_str().unwrap();
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "8", "-c:v", "libx264", "-g", "25"])
        .args(["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", file])
        .status();
    assert!(made.await.expect("ffmpeg is installed").success());
    let sent = framemd5(&["-i", file]).await;
    assert_eq!(sent.len(), 200);
    let to = format!("rtmp://{}/live/{STREAM_KEY}", test_box.engine.rtmp());
    let mut publishing = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-i", file, "-c", "copy", "-f", "flv", &to])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until_receiving(&owner).await;
    sleep(Duration::from_millis(1200)).await;
    let cookie = format!("Cookie: {}={}\r\n", owner.cookies[0].0, owner.cookies[0].1);
    let url = format!("http://{}/play/main.flv", test_box.http);
    let input = ["-headers", &cookie, "-i", &url];
    let (one, other) = tokio::join!(framemd5(&input), framemd5(&input));
    publishing.wait().await.unwrap();
    for seen in [one, other] {
        let from = sent.iter().position(|packet| *packet == seen[0]).expect("it begins with a picture that was sent");
        assert_eq!(from % 25, 0, "with a keyframe");
        assert!(from < 75, "soon: {from}");
        assert_eq!(seen, sent[from..], "to the last one");
    }
}
