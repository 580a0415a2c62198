//! What the system wants to be known: on the way to the claim, on System, and as an event; and what protects the stored keys.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use brookbox_store::Role;
use common::{TestBox, eventually};
use serde_json::json;
use tempfile::TempDir;

#[tokio::test]
async fn a_notice_stands_for_as_long_as_it_is_so() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("key-lost"), "The TPM did not give back the key.\n").unwrap();
    let path = folder.path().to_owned();
    let test_box = TestBox::start_with(|config| config.notices = Some(path)).await;
    let lost = json!({"code": "key-lost", "sentence": "The TPM did not give back the key.", "details": []});
    assert_eq!(test_box.client().get("/api/v1/setup").await.body["notices"], json!([lost]), "why it is nobody's again");

    let owner = test_box.claim().await;
    std::fs::write(folder.path().join("ssh-on"), "SSH is on.\nSHA256:abc mara@desk\nSHA256:def\n").unwrap();
    assert_eq!(test_box.client().get("/api/v1/setup").await.body["notices"], json!([]), "strangers are told nothing");
    let system = owner.get("/api/v1/system").await.body;
    let ssh = json!({"code": "ssh-on", "sentence": "SSH is on.", "details": ["SHA256:abc mara@desk", "SHA256:def"]});
    assert_eq!((&system["notices"], &system["machineKey"]), (&json!([lost, ssh]), &"file".into()));
    assert_eq!(test_box.somebody(Role::Operator).get("/api/v1/system").await.code(), "not_allowed");

    std::fs::remove_file(folder.path().join("key-lost")).unwrap();
    assert_eq!(owner.get("/api/v1/system").await.body["notices"], json!([ssh]));
}

#[tokio::test]
async fn ssh_leaves_one_event() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ssh-on"), "SSH is on.\nSHA256:abc mara@desk\n").unwrap();
    let path = folder.path().to_owned();
    let test_box = TestBox::start_with(|config| config.notices = Some(path)).await;
    let owner = test_box.claim().await;
    let told = async || owner.get("/api/v1/events?code=ssh_on").await.body.as_array().unwrap().len();
    eventually("the event", async || told().await == 1).await;
    let path = folder.path().to_owned();
    let test_box = TestBox::start_in(test_box.stop().await, |config| config.notices = Some(path)).await;
    let owner = test_box.somebody(Role::Owner);
    eventually("a look at the machine", async || {
        owner.get("/api/v1/status").await.body["board"]["memoryTotal"].is_u64()
    })
    .await;
    assert_eq!(owner.get("/api/v1/events?code=ssh_on").await.body.as_array().unwrap().len(), 1);
}
