//! What is written down as time passes: events by filter, broadcasts of the past, figures.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::time::Duration;

use common::publisher::{publish, video};
use common::{Client, TestBox, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

const STREAM_KEY: &str = "canary-key-for-history";

/// A server that takes whatever is published to it. Dropped with its task.
async fn rtmp_server() -> std::net::SocketAddr {
    use brookbox_rtmp::{ServerConfig, ServerEvent, ServerSession};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut session = ServerSession::new(ServerConfig::default(), [9; 32]);
                let mut buffer = vec![0; 64 << 10];
                loop {
                    while let Some(event) = session.poll_event() {
                        if let ServerEvent::Publish { .. } = event {
                            session.accept_publish();
                        }
                    }
                    let out = session.output().to_vec();
                    session.consume_output(out.len());
                    if stream.write_all(&out).await.is_err() {
                        return;
                    }
                    match stream.read(&mut buffer).await {
                        Ok(count) if count > 0 && session.handle_input(&buffer[..count]).is_ok() => {}
                        _ => return,
                    }
                }
            });
        }
    });
    address
}

async fn codes(client: &Client, query: &str) -> Vec<String> {
    let events = client.get(&format!("/api/v1/events{query}")).await;
    assert_eq!(events.status, 200, "{events:?}");
    let events = events.body.as_array().unwrap().clone();
    events.iter().map(|event| event["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_broadcast_is_remembered_with_its_destinations_and_figures() {
    let (test_box, owner) = TestBox::claimed().await;
    assert_eq!(owner.get("/api/v1/broadcasts").await.body, json!([]));
    let server = rtmp_server().await;
    let made = owner
        .post(
            "/api/v1/destinations",
            json!({"name": "Club", "url": format!("rtmp://{server}/app"), "key": "k", "allowLocal": true}),
        )
        .await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": STREAM_KEY})).await;
    let rtmp = test_box.engine.rtmp();
    let publishing = tokio::spawn(async move { publish(rtmp, STREAM_KEY, 40, video(3000)).await });
    eventually("live", async || owner.get("/api/v1/status").await.body["destinations"][&id]["state"] == "live").await;
    sleep(Duration::from_millis(3500)).await;
    let going_on = owner.get("/api/v1/broadcasts").await.body;
    assert_eq!(going_on[0]["endedAt"], Value::Null, "{going_on:#}");

    let figures = owner.get("/api/v1/figures").await.body;
    assert_eq!(figures["stepS"], 1);
    let bitrates = figures["destinations"][&id]["bitrateBps"].as_array().unwrap();
    let measured: Vec<_> = bitrates.iter().filter_map(Value::as_u64).collect();
    assert!(measured.len() >= 2 && measured.iter().any(|bitrate| *bitrate > 100_000), "{bitrates:?}");
    let input = figures["inputs"]["main"]["bitrateBps"].as_array().unwrap();
    assert!(input.iter().any(|bitrate| bitrate.as_u64() > Some(100_000)), "{input:?}");
    let one = owner.get(&format!("/api/v1/figures?destination={id}&limit=2")).await.body;
    assert_eq!(one["inputs"], json!({}));
    assert_eq!(one["destinations"][&id]["queueMs"].as_array().unwrap().len(), 2);
    assert_eq!(owner.get("/api/v1/figures?stepS=10").await.status, 200);
    assert_eq!(
        owner.get("/api/v1/figures?stepS=2&limit=0").await.errors(),
        ["stepS:unknown_value", "limit:out_of_range"]
    );

    owner.post("/api/v1/broadcast/stop", json!({})).await;
    eventually("the end", async || owner.get("/api/v1/broadcasts").await.body[0]["endedAt"].is_string()).await;
    let past = owner.get("/api/v1/broadcasts").await.body[0].clone();
    let leg = &past["destinations"][0];
    assert_eq!((&leg["name"], &leg["destination"], &leg["problemCount"]), (&json!("Club"), &json!(id), &json!(0)));
    let (length, live) = (past["lengthS"].as_u64().unwrap(), leg["liveS"].as_u64().unwrap());
    assert!((3..=8).contains(&length) && (2..=length).contains(&live), "{past:#}");
    let path = format!("/api/v1/broadcasts/{}", past["id"]);
    assert_eq!(owner.get(&path).await.body, past);
    assert_eq!(owner.get("/api/v1/broadcasts/99").await.code(), "not_found");
    assert_eq!(owner.get("/api/v1/broadcasts/x").await.code(), "not_found");
    publishing.abort();
    eventually("a gap", async || {
        let figures = owner.get("/api/v1/figures?limit=1").await.body;
        figures["destinations"][&id]["bitrateBps"][0] == Value::Null
    })
    .await;

    // Who did what, and what the engine did, by filter.
    assert_eq!(codes(&owner, "?code=destination_live").await, ["destination_live"]);
    let of_it = codes(&owner, &format!("?destination={id}")).await;
    assert_eq!(of_it.last().unwrap(), "destination_added");
    assert!(of_it.iter().all(|code| code.starts_with("destination_")), "{of_it:?}");
    assert!(codes(&owner, "?input=main").await.contains(&"publisher_started".to_owned()));
    assert!(codes(&owner, "?severity=error").await.is_empty());
    assert!(codes(&owner, "?until=1000").await.is_empty());
    let wrong = owner.get("/api/v1/events?severity=bad&from=x&limit=0").await;
    assert_eq!(wrong.errors(), ["limit:out_of_range", "severity:unknown_value", "from:out_of_range"]);
}

#[tokio::test]
async fn a_box_that_went_down_in_the_middle_says_until_when_it_knows() {
    let (test_box, _owner) = TestBox::claimed().await;
    let long_ago = brookbox_store::Time::now().before(Duration::from_secs(3600));
    let id = test_box.store.begin_broadcast(long_ago).unwrap();
    let dir = test_box.stop().await;
    let test_box = TestBox::start_in(dir, |_| {}).await;
    eventually("the end that is known", async || test_box.store.one_broadcast(id).unwrap().ended_at == Some(long_ago))
        .await;
}

#[tokio::test]
async fn who_switches_is_written_down() {
    let (_test_box, owner) = TestBox::claimed().await;
    let made =
        owner.post("/api/v1/destinations", json!({"name": "Club", "url": "rtmp://192.0.2.7/app", "key": "k"})).await;
    let path = format!("/api/v1/destinations/{}", made.body["id"].as_str().unwrap());
    owner.post(&format!("{path}/off"), json!({})).await;
    owner.post(&format!("{path}/on"), json!({})).await;
    owner.patch(&path, json!({"name": "Verein"})).await;
    owner.delete(&path).await;
    let events = owner.get("/api/v1/events?limit=5").await.body;
    let seen: Vec<_> = events.as_array().unwrap().iter().map(|event| event["code"].as_str().unwrap()).collect();
    assert_eq!(
        seen,
        [
            "destination_deleted",
            "destination_changed",
            "destination_switched_on",
            "destination_switched_off",
            "destination_added"
        ]
    );
    assert_eq!(events[2]["sentence"], "mara switched Club on.");
    assert_eq!(events[2]["params"], json!({"name": "Club", "by": "mara"}));
}
