//! *Start sending* and *Stop sending*, pressed by two people at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use brookbox_store::Error;
use common::{TestBox, eventually};
use serde_json::json;

/// While a start is being stored, a stop waits: the last press that the engine has is the one that survives a restart.
#[tokio::test]
async fn engine_and_store_get_two_presses_in_one_order() {
    let (test_box, owner) = TestBox::claimed().await;
    // A disk that takes its time: whoever changes an input holds all writes.
    let (store, (held, is_held), (release, released)) = (test_box.store.clone(), mpsc::channel(), mpsc::channel());
    let disk = std::thread::spawn(move || {
        store.update_input("main", |_| {
            held.send(()).unwrap();
            released.recv().unwrap();
            Ok::<_, Error>(())
        })
    });
    is_held.recv().unwrap();
    let press = |what: &'static str| {
        let owner = owner.clone();
        tokio::spawn(async move { owner.post(&format!("/api/v1/broadcast/{what}"), json!({})).await })
    };
    let now = || test_box.engine.snapshot().broadcast;
    let start = press("start");
    eventually("started", async || now().started).await;
    let stop = press("stop");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(now().started, "a stop has overtaken the start that is still being stored");
    release.send(()).unwrap();
    disk.join().unwrap().unwrap();
    assert_eq!((start.await.unwrap().status, stop.await.unwrap().status), (200, 200));
    assert!(now().stopped);
    let stored = async || test_box.store.broadcast().unwrap() == Some(now());
    eventually("the last press is stored", stored).await;
}
