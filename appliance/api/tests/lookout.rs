//! What the box notices of picture and sound.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::time::Duration;

use brookbox_store::Role;
use common::publisher::{SOUND_HEADER, publish, video};
use common::{Client, TestBox, eventually};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const STREAM_KEY: &str = "canary-key-for-the-lookout";
/// A frame of AAC in which there is nothing, as FFmpeg writes it.
const SILENCE: &[u8] = b"\xaf\x01\x21\x10\x04\x60\x8c\x1c";
/// The picture moves for so many frames of 40 ms.
const MOVES: u32 = 450;

async fn alarms(client: &Client) -> Vec<String> {
    let status = client.get("/api/v1/status").await.body;
    let alarms = status["inputs"]["main"]["alarms"].as_array().cloned().unwrap_or_default();
    alarms.iter().map(|alarm| alarm["code"].as_str().unwrap().to_owned()).collect()
}

async fn codes(client: &Client) -> Vec<String> {
    let events = client.get("/api/v1/events?input=main&limit=500").await.body;
    let mut codes: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["code"].as_str().unwrap().to_owned()).collect();
    codes.retain(|code| code.starts_with("input_") && code != "input_changed");
    codes
}

#[tokio::test]
async fn a_picture_that_stands_still_and_silence_are_told() {
    let (test_box, owner) = TestBox::claimed().await;
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": STREAM_KEY})).await;
    let rtmp = test_box.engine.rtmp();
    let publishing = tokio::spawn(async move {
        publish(rtmp, STREAM_KEY, 40, |number| {
            let mut messages = video(if number < MOVES || number % 10 == 0 { 5_000 } else { 20 })(number);
            if number == 0 {
                messages.insert(0, (8, SOUND_HEADER.to_vec()));
            }
            messages.extend([(8, SILENCE.to_vec()), (8, SILENCE.to_vec())]);
            messages
        })
        .await
    });
    let begun = Instant::now();
    eventually("the peak", async || owner.get("/api/v1/status").await.body["inputs"]["main"]["peakDbfs"] == -144.0)
        .await;
    assert_eq!(owner.get("/api/v1/sessions").await.body.as_array().unwrap().len(), 1, "the box itself is not listed");
    assert_eq!(owner.get("/api/v1/status").await.body["inputs"]["main"]["viewers"], 0);
    sleep(Duration::from_secs(16) - begun.elapsed()).await;
    assert!(alarms(&owner).await.is_empty());
    eventually("silence", async || alarms(&owner).await == ["silent"]).await;
    let silent = begun.elapsed();
    assert!((19..=24).contains(&silent.as_secs()), "{silent:?}");
    eventually("both", async || alarms(&owner).await == ["frozen", "silent"]).await;
    let frozen = begun.elapsed();
    assert!((27..=32).contains(&frozen.as_secs()), "{frozen:?}");
    assert_eq!(codes(&owner).await, ["input_frozen", "input_silent"]);

    let path = "/api/v1/inputs/main/alarms";
    let operator = test_box.somebody(Role::Operator);
    assert_eq!(operator.patch(path, json!({"muted": ["frozen"]})).await.body, json!({"muted": ["frozen"]}));
    eventually("one is muted", async || alarms(&owner).await == ["silent"]).await;
    assert_eq!(operator.patch(path, json!({"muted": ["loud"]})).await.errors(), ["muted:unknown_value"]);
    publishing.abort();
    let _ = publishing.await;
    let engine = &test_box.engine;
    let stop = engine.snapshot().inputs["main"].session.clone();
    drop(stop);
    assert_eq!(owner.patch("/api/v1/inputs/main", json!({"enabled": false})).await.status, 200);
    let dir = test_box.stop().await;
    let test_box = TestBox::start_in(dir, |_| {}).await;
    let again = test_box.somebody(Role::Viewer).get(path).await;
    assert_eq!(again.body, json!({"muted": ["frozen"]}), "it is kept");
}

#[tokio::test]
async fn advice_is_a_part_of_the_status() {
    let (test_box, owner) = TestBox::claimed().await;
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": STREAM_KEY})).await;
    let rtmp = test_box.engine.rtmp();
    // A keyframe every five seconds.
    tokio::spawn(async move {
        publish(rtmp, STREAM_KEY, 40, |number| video(100)(if number == 0 { 0 } else { 1 + number % 125 / 124 * 9 }))
            .await
    });
    eventually("the advice", async || {
        let advice = &owner.get("/api/v1/status").await.body["inputs"]["main"]["advice"];
        advice.as_array().is_some_and(|list| {
            list.iter().any(|one| one["code"] == "keyframe_interval" && one["params"]["ms"] != Value::Null)
        })
    })
    .await;
}

#[tokio::test]
async fn who_asks_what_is_muted_does_not_wait_for_the_disk() {
    let (test_box, owner) = TestBox::claimed().await;
    let path = "/api/v1/inputs/main/alarms";
    let (store, id) = (test_box.store.clone(), test_box.store.users().unwrap()[0].id.clone());
    let (held, holds) = tokio::sync::oneshot::channel();
    // As long as this is at it, nothing else is written.
    let writing = tokio::task::spawn_blocking(move || {
        let slow = |_: &mut brookbox_store::User| {
            held.send(()).unwrap();
            std::thread::sleep(Duration::from_secs(4));
            Ok::<_, brookbox_store::Error>(())
        };
        store.update_user(&id, slow).unwrap();
    });
    holds.await.unwrap();
    let (begun, muting) = (Instant::now(), owner.clone());
    let muted = tokio::spawn(async move { muting.patch(path, json!({"muted": ["silent"]})).await });
    sleep(Duration::from_millis(300)).await;
    assert_eq!(owner.get(path).await.body, json!({"muted": []}));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(muted.await.unwrap().body, json!({"muted": ["silent"]}));
    writing.await.unwrap();
    assert_eq!(owner.get(path).await.body, json!({"muted": ["silent"]}));
}
