//! What the API shows of publishers, with a real one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::net::SocketAddr;

use brookbox_rtmp::chunk::{CSID_VIDEO, write_message};
use brookbox_rtmp::{ClientConfig, ClientEvent, ClientSession};
use common::{PATIENCE, TestBox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// `ffmpeg -f lavfi -i testsrc=size=64x48:rate=10 -c:v libx264 -profile:v baseline`: the sequence header it sends.
const HEADER: &[u8] =
    b"\x17\x00\x00\x00\x00\x01\x42\xc0\x0a\xff\xe1\x00\x17\x67\x42\xc0\x0a\xd9\x04\x7b\x01\x10\x00\x00\
    \x03\x00\x10\x00\x00\x03\x01\x40\xf1\x22\x64\x80\x01\x00\x05\x68\xcb\x83\xcb\x20";
/// A keyframe and an inter frame; what their slices hold does not matter here.
const KEY: &[u8] = b"\x17\x01\x00\x00\x00\x00\x00\x00\x04\x65\x88\x84\x00";
const INTER: &[u8] = b"\x27\x01\x00\x00\x00\x00\x00\x00\x04\x41\x9a\x38\x00";

/// Publishes until the connection ends; says whether it was let in.
async fn publish(address: SocketAddr, key: String) -> bool {
    let mut session = ClientSession::new(ClientConfig::new("live", format!("rtmp://{address}/live"), key), [7; 32]);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut started = false;
    let mut buffer = vec![0; 4096];
    let mut now = 0;
    loop {
        while let Some(event) = session.poll_event() {
            if let ClientEvent::PublishStarted { .. } = event {
                started = true;
            }
        }
        let mut out = session.output().to_vec();
        session.consume_output(out.len());
        if started {
            let body = match now {
                0 => HEADER,
                _ if now % 1000 == 100 => KEY,
                _ => INTER,
            };
            write_message(&mut out, CSID_VIDEO, 9, session.stream_id(), now, body, 65_536);
            now += 100;
        }
        if stream.write_all(&out).await.is_err() {
            return started;
        }
        let pause = std::time::Duration::from_millis(if started { 100 } else { 2000 });
        match timeout(pause, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return started,
            Ok(Ok(count)) => {
                if session.handle_input(&buffer[..count]).is_err() {
                    return started;
                }
            }
            Err(_) => {}
        }
    }
}

fn validator(name: &str) -> jsonschema::Validator {
    let document: Value = serde_json::from_str(&brookbox_api::openapi()).unwrap();
    let schema = json!({"$ref": format!("#/components/schemas/{name}"), "components": document["components"]});
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

fn check(name: &str, value: &Value) {
    let errors: Vec<_> = validator(name).iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{value:#}");
}

#[tokio::test]
async fn a_publisher_is_seen_listed_and_disconnected() {
    let (test_box, owner) = TestBox::claimed().await;
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": "canary-key-for-publishing"})).await;
    let publisher = tokio::spawn(publish(test_box.engine.rtmp(), "canary-key-for-publishing".to_owned()));
    common::eventually("frames arrive", async || {
        owner.get("/api/v1/status").await.body["inputs"]["main"]["state"] == "receiving"
    })
    .await;
    let status = owner.get("/api/v1/status").await;
    check("Status", &status.body);
    let input = &status.body["inputs"]["main"];
    let track = &input["tracks"][0];
    assert_eq!((&track["kind"], &track["codec"]), (&json!("video"), &json!("avc1")), "{input:#}");
    assert_eq!((&track["width"], &track["height"]), (&json!(64), &json!(48)));

    let sessions = owner.get("/api/v1/sessions").await.body;
    let session = &sessions[0];
    check("Session", session);
    assert_eq!((&session["input"], &session["protocol"]), (&json!("main"), &json!("rtmp")));
    assert_eq!(session["id"], input["session"]["id"]);
    assert!(session["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    let metrics = owner.get("/metrics").await.text;
    assert!(metrics.contains("brookbox_input_state{id=\"main\",state=\"receiving\"} 1"), "{metrics}");
    assert!(!status.text.contains("canary") && !metrics.contains("canary"));

    let path = format!("/api/v1/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(owner.get(&path).await.body["id"], session["id"]);
    assert_eq!(owner.delete(&path).await.status, 204);
    assert!(timeout(PATIENCE, publisher).await.expect("the box ends it").unwrap(), "it had been let in");
    common::eventually("nobody is connected", async || owner.get("/api/v1/sessions").await.body == json!([])).await;
    let events = owner.get("/api/v1/events").await;
    let started = events.body.as_array().unwrap().iter().find(|event| event["code"] == "publisher_started").unwrap();
    assert_eq!((&started["input"], &started["severity"]), (&json!("main"), &json!("info")));
    assert!(!events.text.contains("canary"));
}

#[tokio::test]
async fn a_wrong_key_is_seen_and_its_address_blocked() {
    let (test_box, owner) = TestBox::claimed().await;
    assert!(!publish(test_box.engine.rtmp(), "canary-of-a-wrong-key".to_owned()).await);
    common::eventually("the refusal", async || owner.get("/api/v1/refusals").await.body != json!([])).await;
    let refusals = owner.get("/api/v1/refusals").await;
    check("Refusal", &refusals.body[0]);
    assert_eq!(
        (&refusals.body[0]["address"], &refusals.body[0]["reason"], &refusals.body[0]["count"]),
        (&json!("127.0.0.1"), &json!("bad_key"), &json!(1))
    );
    common::eventually("the event", async || {
        let events = owner.get("/api/v1/events").await;
        assert!(!events.text.contains("canary") && !refusals.text.contains("canary"));
        events.body[0]["code"] == "publisher_refused"
    })
    .await;
    assert_eq!(
        owner.get("/api/v1/events").await.body[0]["sentence"],
        "Something from 127.0.0.1 was refused: the stream key is wrong."
    );
    assert_eq!(refusals.body[0]["blockedUntil"], json!(null));
    assert_eq!(owner.post("/api/v1/refusals/127.0.0.1/block", json!({"forS": 60})).await.status, 200);
    assert!(!publish(test_box.engine.rtmp(), "another-wrong-key-of-theirs".to_owned()).await);
    common::eventually("a refusal of its own", async || {
        owner.get("/api/v1/refusals").await.body[0]["reason"] == "blocked"
    })
    .await;
    let refusals = owner.get("/api/v1/refusals").await;
    for refusal in refusals.body.as_array().unwrap() {
        check("Refusal", refusal);
        assert!(refusal["blockedUntil"].as_str() > refusal["last"].as_str(), "{refusals:?}");
    }
    // The right key is taken whatever its address did before.
    let key = secrecy::ExposeSecret::expose_secret(&test_box.store.input("main").unwrap().key).to_owned();
    let publisher = tokio::spawn(publish(test_box.engine.rtmp(), key));
    common::eventually("the publisher is in", async || !test_box.engine.snapshot().sessions.is_empty()).await;
    assert_eq!(owner.delete("/api/v1/refusals/127.0.0.1/block").await.status, 204);
    let refusals = owner.get("/api/v1/refusals").await;
    assert!(refusals.body.as_array().unwrap().iter().all(|refusal| refusal["blockedUntil"].is_null()), "{refusals:?}");
    assert!(!publish(test_box.engine.rtmp(), "one-more-wrong-key".to_owned()).await);
    common::eventually("a wrong key like any other", async || {
        owner.get("/api/v1/refusals").await.body[0]["reason"] == "bad_key"
    })
    .await;
    test_box.engine.stop().await.unwrap();
    let _ = timeout(PATIENCE, publisher).await;
}

#[tokio::test]
async fn before_the_claim_an_input_waits_with_its_key() {
    let test_box = TestBox::start().await;
    let key = secrecy::ExposeSecret::expose_secret(&test_box.store.input("main").unwrap().key).to_owned();
    let publisher = tokio::spawn(publish(test_box.engine.rtmp(), key));
    common::eventually("the publisher is in", async || !test_box.engine.snapshot().sessions.is_empty()).await;
    let owner = test_box.claim().await;
    common::eventually("it is still there after the claim", async || {
        owner.get("/api/v1/status").await.body["inputs"]["main"]["state"] == "receiving"
    })
    .await;
    test_box.engine.stop().await.unwrap();
    let _ = timeout(PATIENCE, publisher).await;
}

/// From this machine itself OBS is not set up, whatever port is named: the page would reach the box's own services.
#[tokio::test]
async fn obs_is_dialled_only_where_the_person_sits() {
    let (test_box, owner) = TestBox::claimed().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for path in ["/api/v1/inputs/main/obs", "/api/v1/inputs/main/obs/restore"] {
        let address = format!("obsws://192.168.1.24:{port}/secret");
        let answer = owner.post(path, json!({"password": address, "port": port})).await;
        assert_eq!((answer.status, answer.code()), (409, "obs_not_here"), "{answer:?}");
        let odd = owner.post(path, json!({"port": 0, "address": "192.168.1.24"})).await;
        assert_eq!(odd.errors(), ["port:out_of_range", "address:unknown_field"]);
        assert_eq!(owner.post(path.replace("main", "nope").as_str(), json!({})).await.status, 404);
    }
    assert!(timeout(std::time::Duration::from_millis(200), listener.accept()).await.is_err(), "nobody is dialled");
    let kept = owner.get("/api/v1/inputs/main/obs").await;
    assert_eq!((kept.status, &kept.body), (200, &json!({"canRestore": false})));
    let operator = test_box.somebody(brookbox_store::Role::Operator);
    assert_eq!(operator.get("/api/v1/inputs/main/obs").await.code(), "not_allowed");
    drop(test_box);
}
