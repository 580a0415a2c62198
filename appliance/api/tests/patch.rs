//! Merge patches: what is not named stays as it is and is not looked at again; `null` removes what can be missing, and is
//! wrong anywhere else.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use brookbox_store::{Role, Scope};
use common::{Client, TestBox};
use serde_json::{Value, json};

async fn destination(owner: &Client, change: Value) -> (String, Value) {
    let mut new = json!({"name": "Club", "url": "rtmp://192.0.2.7/app", "key": "club-key-7Q2x", "enabled": false,
        "startMode": "manual", "allowLocal": true, "position": 7, "retryForS": 60, "backupUrl": "rtmp://192.0.2.8/app",
        "username": "mara", "password": "a-password"});
    new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let made = owner.post("/api/v1/destinations", new).await;
    assert_eq!(made.status, 201, "{made:?}");
    (format!("/api/v1/destinations/{}", made.body["id"].as_str().unwrap()), made.body)
}

#[tokio::test]
async fn null_is_refused_where_a_destination_cannot_be_without() {
    let (_test_box, owner) = TestBox::claimed().await;
    let (path, made) = destination(&owner, json!({})).await;
    for field in ["name", "platform", "key", "output", "enabled", "startMode", "allowLocal", "position"] {
        let answer = owner.patch(&path, json!({field: null})).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![format!("{field}:wrong_type")]), "{field}");
    }
    for (field, code) in [("id", "read_only"), ("keyHint", "read_only"), ("url", "required"), ("odd", "unknown_field")]
    {
        let answer = owner.patch(&path, json!({field: null})).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![format!("{field}:{code}")]), "{field}");
    }
    assert_eq!(owner.get(&path).await.body, made, "nothing has changed");
}

#[tokio::test]
async fn null_removes_what_a_destination_can_be_without() {
    let (_test_box, owner) = TestBox::claimed().await;
    let (path, _) = destination(&owner, json!({})).await;
    let answer = owner.patch(&path, json!({"retryForS": null, "backupUrl": null})).await;
    assert_eq!((&answer.body["retryForS"], &answer.body["backupUrl"]), (&Value::Null, &Value::Null), "{answer:?}");
    assert_eq!((&answer.body["username"], &answer.body["hasPassword"]), (&json!("mara"), &json!(true)));
    // A password goes with its user name, whichever of them is named.
    for patch in [json!({"password": null}), json!({"username": null}), json!({"username": null, "password": null})] {
        let (path, _) = destination(&owner, json!({})).await;
        let answer = owner.patch(&path, patch.clone()).await;
        assert_eq!(answer.status, 200, "{patch}: {answer:?}");
        assert_eq!((&answer.body["username"], &answer.body["hasPassword"]), (&Value::Null, &json!(false)), "{patch}");
    }
    for (patch, error) in [
        (json!({"username": "jonas", "password": null}), "password:required"),
        (json!({"username": null, "password": "another"}), "username:required"),
    ] {
        let answer = owner.patch(&path, patch.clone()).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![error.to_owned()]), "{patch}");
    }
    let answer = owner.get(&path).await;
    assert_eq!((&answer.body["username"], &answer.body["hasPassword"]), (&json!("mara"), &json!(true)));
}

#[tokio::test]
async fn no_token_has_a_key_sent_to_another_server() {
    let (test_box, owner) = TestBox::claimed().await;
    let script = test_box.token(&[Scope::Admin]);
    let (path, made) = destination(&owner, json!({"url": "rtmps://live.example.com/app", "backupUrl": null})).await;
    for (patch, errors) in [
        (json!({"url": "rtmps://evil.example.net/app"}), vec!["key:required", "password:required"]),
        (json!({"backupUrl": "rtmps://evil.example.net/app"}), vec!["key:required", "password:required"]),
        (json!({"platform": "youtube", "url": null}), vec!["key:required", "password:required"]),
        // The same server, but in the clear, or at another door.
        (json!({"url": "rtmp://live.example.com:443/app"}), vec!["key:required", "password:required"]),
        (json!({"url": "rtmps://live.example.com:444/app"}), vec!["key:required", "password:required"]),
        (json!({"url": "rtmps://evil.example.net/app", "key": "another-key-abcd"}), vec!["password:required"]),
        (json!({"url": "rtmps://evil.example.net/app", "password": "p", "username": "u"}), vec!["key:required"]),
        (json!({"url": "rtmps://evil.example.net/app", "username": null}), vec!["key:required"]),
    ] {
        let answer = script.patch(&path, patch.clone()).await;
        assert_eq!((answer.status, answer.errors()), (422, errors.into_iter().map(str::to_owned).collect()), "{patch}");
    }
    assert_eq!(owner.get(&path).await.body, made, "nothing has changed");
    for patch in [
        json!({"url": "rtmps://LIVE.example.com:443/other"}),
        json!({"backupUrl": "rtmps://live.example.com/app"}),
        json!({"url": "rtmp://other.example.com/app", "backupUrl": null, "username": null, "key": "another-key-abcd"}),
        json!({"url": "rtmps://other.example.com:1935/app"}),
    ] {
        let answer = script.patch(&path, patch.clone()).await;
        assert_eq!(answer.status, 200, "{patch}: {answer:?}");
    }
    let (path, _) = destination(
        &owner,
        json!({"platform": "twitch", "url": "rtmps://live-fra.twitch.tv/app",
        "backupUrl": null, "username": null, "password": null}),
    )
    .await;
    let within = script.patch(&path, json!({"url": "rtmps://live-ams.twitch.tv/app"})).await;
    assert_eq!(within.status, 200, "another server of the same platform: {within:?}");
    let posing = script.patch(&path, json!({"platform": "custom", "url": "rtmps://evil.twitch.tv/app"})).await;
    assert_eq!(posing.errors(), ["key:required"], "only while it is that platform");
    let typo = owner.patch(&path, json!({"platform": "custom", "url": "rtmp://live.example.org/app"})).await;
    assert_eq!(typo.status, 200, "a person mends an address without having the key at hand: {typo:?}");
}

#[tokio::test]
async fn null_is_refused_by_everything_else_that_takes_patches() {
    let (test_box, owner) = TestBox::claimed().await;
    test_box.somebody(Role::Viewer);
    let users = owner.get("/api/v1/users").await.body;
    let viewer = users.as_array().unwrap().iter().find(|user| user["role"] == "viewer").unwrap();
    let viewer = format!("/api/v1/users/{}", viewer["id"].as_str().unwrap());
    owner.patch("/api/v1/inputs/main", json!({"allowPublic": true, "limits": {"sessions": 3}})).await;
    owner.patch("/api/v1/inputs/main/alarms", json!({"muted": ["silent"]})).await;
    for (path, patch, error) in [
        ("/api/v1/inputs/main", json!({"name": null}), "name:wrong_type"),
        ("/api/v1/inputs/main", json!({"enabled": null}), "enabled:wrong_type"),
        ("/api/v1/inputs/main", json!({"protocols": null}), "protocols:wrong_type"),
        ("/api/v1/inputs/main", json!({"allowPublic": null}), "allowPublic:wrong_type"),
        ("/api/v1/inputs/main", json!({"limits": null}), "limits:wrong_type"),
        ("/api/v1/inputs/main", json!({"limits": {"sessions": null}}), "limits.sessions:wrong_type"),
        ("/api/v1/inputs/main", json!({"key": null}), "key:read_only"),
        ("/api/v1/inputs/main/alarms", json!({"muted": null}), "muted:wrong_type"),
        ("/api/v1/system", json!({"boxName": null}), "boxName:wrong_type"),
        ("/api/v1/system", json!({"language": null}), "language:wrong_type"),
        (&viewer, json!({"username": null}), "username:wrong_type"),
        (&viewer, json!({"role": null}), "role:wrong_type"),
    ] {
        let before = owner.get(path).await.body;
        let answer = owner.patch(path, patch.clone()).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![error.to_owned()]), "{path} {patch}");
        let mut after = owner.get(path).await.body;
        if let Some(uptime) = after.get_mut("uptimeS") {
            *uptime = before["uptimeS"].clone();
        }
        assert_eq!(after, before, "{path} {patch}");
    }
}

/// A variable that is gone from the variables file, a rule that came with a new version: what was stored is looked at again
/// only when it, or what it is judged by, changes.
#[tokio::test]
async fn an_address_that_is_not_touched_is_not_judged_again() {
    let (test_box, owner) = TestBox::claimed().await;
    let (path, made) = destination(&owner, json!({})).await;
    let id = made["id"].as_str().unwrap();
    let gone = |text: &str| Some(format!("rtmp://192.0.2.7/{text}/${{GONE}}"));
    test_box
        .store
        .update_destination::<brookbox_store::Error>(id, |destination| {
            (destination.url, destination.backup_url) = (gone("app"), gone("backup"));
            Ok(())
        })
        .unwrap();
    for patch in [json!({"name": "Club 2"}), json!({"enabled": true}), json!({"url": gone("app"), "retryForS": 5})] {
        let answer = owner.patch(&path, patch.clone()).await;
        assert_eq!(answer.status, 200, "{patch}: {answer:?}");
    }
    for (patch, errors) in [
        (json!({"url": gone("other")}), vec!["url:variable"]),
        (json!({"backupUrl": gone("other")}), vec!["backupUrl:variable"]),
        (json!({"key": "another-key-abcd"}), vec!["url:variable", "backupUrl:variable"]),
        (json!({"allowLocal": false}), vec!["url:variable", "backupUrl:variable"]),
        (json!({"platform": "twitch"}), vec!["url:variable", "backupUrl:variable"]),
    ] {
        let answer = owner.patch(&path, patch.clone()).await;
        assert_eq!(
            (answer.status, answer.errors()),
            (422, errors.iter().map(ToString::to_string).collect()),
            "{patch}"
        );
    }
    let change = json!({"url": "rtmp://192.0.2.9/app", "backupUrl": null, "key": "another-key-abcd", "username": null});
    let answer = owner.patch(&path, change).await;
    assert_eq!((answer.status, &answer.body["name"]), (200, &json!("Club 2")), "{answer:?}");
}
