//! The live socket: what it tells, to whom, and when it ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::time::{Duration, Instant};

use brookbox_store::{Role, Scope};
use common::{Client, PASSWORD, PATIENCE, TestBox};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

type Socket = WebSocketStream<TcpStream>;

/// Opens the live socket as a client, or returns the status of the refusal.
async fn open(client: &Client, query: &str) -> Result<Socket, u16> {
    let mut request = format!("ws://{}/api/v1/live{query}", client.host).into_client_request().unwrap();
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

/// The next thing told.
async fn next(socket: &mut Socket) -> Value {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("a message in time") {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(text.as_str()).unwrap(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Waits until the socket is closed and returns the code, if one was given.
async fn closed(socket: &mut Socket) -> Option<u16> {
    let end = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    timeout(PATIENCE, end).await.expect("an end in time")
}

/// RFC 7396, written once more.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// Without what is `null`, which a merge patch cannot tell from what is missing.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), bare(value))).collect()
        }
        Value::Array(list) => list.iter().map(bare).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn a_snapshot_then_deltas_that_lead_to_the_status() {
    let (_test_box, owner) = TestBox::claimed().await;
    let mut socket = open(&owner, "").await.unwrap();
    let snapshot = next(&mut socket).await;
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["status"]["seq"], snapshot["seq"]);
    let mut status = snapshot["status"].clone();
    let mut seq = snapshot["seq"].as_u64().unwrap();

    let made = owner.post("/api/v1/destinations", json!({"url": "rtmp://192.0.2.7/app", "key": "k"})).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    let (mut deltas, mut seen_after) = (0, None);
    while begun.elapsed() < Duration::from_millis(3500) {
        let delta = next(&mut socket).await;
        seq += 1;
        assert_eq!((&delta["type"], &delta["seq"]), (&json!("delta"), &json!(seq)));
        merge(&mut status, &delta["patch"]);
        if seen_after.is_none() && status["destinations"][&id]["state"] == "waiting" {
            seen_after = Some(begun.elapsed());
        }
        deltas += 1;
    }
    assert!((3..=6).contains(&deltas), "{deltas} in 3.5 s: one a second, and one at once");
    assert!(seen_after.is_some_and(|after| after < Duration::from_millis(800)), "at once: {seen_after:?}");
    // The same number is the same state.
    common::eventually("the status of the number that was told last", async || {
        let now = owner.get("/api/v1/status").await.body;
        while status["seq"].as_u64() < now["seq"].as_u64() {
            let delta = next(&mut socket).await;
            merge(&mut status, &delta["patch"]);
        }
        bare(&now) == bare(&status)
    })
    .await;
}

#[tokio::test]
async fn all_sockets_are_told_the_same() {
    let (_test_box, owner) = TestBox::claimed().await;
    let mut one = open(&owner, "").await.unwrap();
    let mut other = open(&owner, "").await.unwrap();
    let (first, second) = (next(&mut one).await, next(&mut other).await);
    let last = first["seq"].as_u64().max(second["seq"].as_u64()).unwrap();
    let mut told = Vec::new();
    for socket in [&mut one, &mut other] {
        told.push(loop {
            let delta = next(socket).await;
            if delta["seq"].as_u64().unwrap() > last {
                break delta;
            }
        });
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn a_socket_that_comes_back_gets_what_it_missed() {
    let (_test_box, owner) = TestBox::claimed().await;
    let mut socket = open(&owner, "").await.unwrap();
    let snapshot = next(&mut socket).await;
    let seq = snapshot["seq"].as_u64().unwrap();
    drop(socket);
    owner.post("/api/v1/destinations", json!({"url": "rtmp://192.0.2.7/app", "key": "k", "enabled": false})).await;
    let mut again = open(&owner, &format!("?since={seq}")).await.unwrap();
    let first = next(&mut again).await;
    assert_eq!((&first["type"], &first["seq"]), (&json!("delta"), &json!(seq + 1)));
    for unknown in ["?since=0", "?since=18446744073709551615", "?since=-1", "?since=abc", "?since="] {
        let mut again = open(&owner, unknown).await.unwrap();
        assert_eq!(next(&mut again).await["type"], "snapshot", "{unknown}");
    }
}

#[tokio::test]
async fn the_socket_opens_for_the_boxs_own_page_and_for_tokens() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut foreign = owner.clone();
    foreign.origin = false;
    assert_eq!(open(&foreign, "").await.unwrap_err(), 403, "a browser without an origin is none");
    assert_eq!(open(&test_box.client(), "").await.unwrap_err(), 401);
    let token = test_box.token(&[Scope::Read]);
    assert_eq!(next(&mut open(&token, "").await.unwrap()).await["type"], "snapshot");
    assert_eq!(open(&test_box.token(&[Scope::Metrics]), "").await.unwrap_err(), 403);
    // A page of another origin, with the cookie that a browser would not even send, or with a token.
    for (header, value) in
        [("Cookie", &format!("brookbox={}", owner.cookies[0].1)), ("Authorization", &"Bearer x".to_owned())]
    {
        let text = format!(
            "GET /api/v1/live HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://evil.example\r\n{header}: {value}\r\n\r\n",
            test_box.http
        );
        let mut stream = TcpStream::connect(test_box.http).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head).await.unwrap();
        assert!(matches!(&head, b"HTTP/1.1 403" | b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&head));
    }
    let plain = owner.get("/api/v1/live").await;
    assert_eq!((plain.status, plain.code()), (426, "upgrade_required"));
    let before = TestBox::start().await;
    assert_eq!(open(&before.client(), "").await.unwrap_err(), 409);
}

/// Ends a sign-in in one of the ways there are, and sees its socket closed within a second.
async fn closes_when(what: &str, role: Role, end: impl AsyncFnOnce(&TestBox, &Client, &Client)) {
    let (test_box, owner) = TestBox::claimed().await;
    let client = test_box.somebody(role);
    let mut socket = open(&client, "").await.unwrap();
    let mut bystander = open(&owner, "").await.unwrap();
    next(&mut socket).await;
    end(&test_box, &owner, &client).await;
    let begun = Instant::now();
    assert_eq!(closed(&mut socket).await, Some(1001), "{what}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{what}: {:?}", begun.elapsed());
    next(&mut bystander).await;
}

#[tokio::test]
async fn the_end_of_a_sign_in_closes_its_sockets_within_a_second() {
    closes_when("signing out", Role::Viewer, async |_, _, client| {
        assert_eq!(client.post("/api/v1/logout", json!({})).await.status, 204);
    })
    .await;
    closes_when("another role", Role::Operator, async |_, owner, client| {
        let id = client.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
        let answer = owner.patch(&format!("/api/v1/users/{id}"), json!({"role": "viewer"})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    })
    .await;
    closes_when("being deleted", Role::Viewer, async |_, owner, client| {
        let id = client.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
        assert_eq!(owner.delete(&format!("/api/v1/users/{id}")).await.status, 204);
    })
    .await;
    closes_when("a new password", Role::Viewer, async |_, owner, client| {
        let id = client.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
        let answer = owner.post(&format!("/api/v1/users/{id}/reset"), json!({"password": "something else"})).await;
        assert_eq!(answer.status, 200);
    })
    .await;
    closes_when("revocation", Role::Viewer, async |_, owner, client| {
        let id = client.get("/api/v1/me").await.body["signIn"].as_str().unwrap().to_owned();
        assert_eq!(owner.delete(&format!("/api/v1/signins/{id}")).await.status, 204);
    })
    .await;
}

#[tokio::test]
async fn what_another_process_ends_is_closed_too() {
    let (test_box, owner) = TestBox::claimed().await;
    let token = test_box.token(&[Scope::Read]);
    let (mut by_cookie, mut by_token) = (open(&owner, "").await.unwrap(), open(&token, "").await.unwrap());
    let mara = test_box.store.user_by_name("mara").unwrap().unwrap();
    // As `brookboxd reset-password` does beside the daemon.
    let beside = brookbox_store::Store::open_existing(&test_box.dir.path().join("data")).unwrap();
    beside.reset_password(&mara.id, &mara.password_hash).unwrap();
    let begun = Instant::now();
    assert_eq!(closed(&mut by_cookie).await, Some(1001));
    assert_eq!(closed(&mut by_token).await, Some(1001));
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn changing_ones_own_password_keeps_this_socket_and_closes_the_others() {
    let (test_box, mut owner) = TestBox::claimed().await;
    let mut other = test_box.client();
    assert_eq!(other.log_in("mara", PASSWORD).await.status, 200);
    let (mut mine, mut theirs) = (open(&owner, "").await.unwrap(), open(&other, "").await.unwrap());
    let change = json!({"currentPassword": PASSWORD, "newPassword": "an entirely new one"});
    assert_eq!(owner.post("/api/v1/me/password", change).await.status, 204);
    assert_eq!(closed(&mut theirs).await, Some(1001));
    for _ in 0..3 {
        next(&mut mine).await;
    }
    assert_eq!(other.get("/api/v1/me").await.status, 401);
    assert_eq!(owner.log_in("mara", "an entirely new one").await.status, 200);
}

#[tokio::test]
async fn sockets_are_counted() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut open_ones = Vec::new();
    for number in 0..16 {
        open_ones.push(open(&owner, "").await.unwrap_or_else(|status| panic!("socket {number}: {status}")));
    }
    assert_eq!(open(&owner, "").await.unwrap_err(), 429);
    open_ones.pop();
    common::eventually("a place again", async || open(&owner, "").await.is_ok()).await;
    drop(open_ones);
    // And those of the whole box.
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(test_box.somebody(Role::Viewer));
    }
    common::eventually("all places", async || owner.get("/metrics").await.text.contains("\nbrookbox_live_sockets 0\n"))
        .await;
    let mut all = Vec::new();
    for client in &clients {
        for _ in 0..16 {
            all.push(open(client, "").await.unwrap());
        }
    }
    assert_eq!(open(&owner, "").await.unwrap_err(), 429, "256 are open");
}

#[tokio::test]
async fn what_a_page_sends_is_small_and_rare() {
    let (_test_box, owner) = TestBox::claimed().await;
    let mut socket = open(&owner, "").await.unwrap();
    socket.send(Message::Text("x".repeat(4096).into())).await.unwrap();
    next(&mut socket).await;
    next(&mut socket).await;
    socket.send(Message::Text("x".repeat(4097).into())).await.unwrap();
    closed(&mut socket).await;

    let mut flood = open(&owner, "").await.unwrap();
    for _ in 0..400 {
        if flood.send(Message::Text("x".into())).await.is_err() {
            break;
        }
    }
    closed(&mut flood).await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_dropped() {
    let (_test_box, owner) = TestBox::claimed().await;
    // Long names make for long deltas.
    let mut ids = Vec::new();
    for number in 0..40 {
        let name = format!("{number} {}", "n".repeat(70));
        let made = json!({"name": name, "url": "rtmp://192.0.2.7/app", "key": "k", "enabled": false});
        ids.push(owner.post("/api/v1/destinations", made).await.body["id"].as_str().unwrap().to_owned());
    }
    let small = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    small.set_recv_buffer_size(1024).unwrap();
    small.connect(&owner.address.into()).unwrap();
    small.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from_std(small.into()).unwrap();
    let text = format!(
        "GET /api/v1/live HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
        owner.host,
        owner.credentials()
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
    common::eventually("the socket", async || owner.get("/metrics").await.text.contains("\nbrookbox_live_sockets 1\n"))
        .await;
    // The system's own buffers take megabytes before the box notices: change everything, again and again.
    let begun = Instant::now();
    let mut gone = false;
    let mut turn = 0;
    while !gone && begun.elapsed() < Duration::from_secs(120) {
        for id in &ids {
            let name = format!("{turn} {}", "m".repeat(70));
            owner.patch(&format!("/api/v1/destinations/{id}"), json!({"name": name})).await;
            turn += 1;
        }
        gone = owner.get("/metrics").await.text.contains("\nbrookbox_live_sockets 0\n");
    }
    assert!(gone, "it is still held after {turn} changes");
}

#[tokio::test]
async fn the_end_of_the_box_closes_sockets() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut socket = open(&owner, "").await.unwrap();
    next(&mut socket).await;
    let begun = Instant::now();
    let stopped = tokio::spawn(test_box.stop());
    assert_eq!(closed(&mut socket).await, Some(1001));
    stopped.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3));
}
