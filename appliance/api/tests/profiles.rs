//! Profiles: saved, compared, switched to, undone, and carried from one box to another.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use brookbox_store::{Role, Scope};
use common::publisher::{publish, video};
use common::{Answer, Client, TestBox, eventually};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PASSWORD: &str = "what the file is locked by";

async fn destination(owner: &Client, name: &str, more: Value) -> String {
    let mut body = json!({"name": name, "url": "rtmp://192.0.2.7/app", "key": format!("canary-key-{name}")});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = owner.post("/api/v1/destinations", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

async fn profile(owner: &Client, name: &str) -> String {
    let answer = owner.post("/api/v1/profiles", json!({"name": name})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["differences"], 0);
    format!("/api/v1/profiles/{}", answer.body["id"].as_str().unwrap())
}

/// `change` by name of destination, with the fields that differ.
fn changes(comparison: &Answer) -> Vec<String> {
    assert_eq!(comparison.status, 200, "{comparison:?}");
    let rows = comparison.body["rows"].as_array().unwrap().iter();
    let row = |row: &Value| {
        let fields: Vec<_> =
            row["fields"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
        let (name, change) = (row["name"].as_str().unwrap(), row["change"].as_str().unwrap());
        format!("{name} {change} {}", fields.join(",")).trim().to_owned()
    };
    rows.map(row).collect()
}

async fn everything(owner: &Client) -> Value {
    owner.get("/api/v1/destinations").await.body
}

#[tokio::test]
async fn a_switch_changes_what_differs_and_can_be_undone() {
    let (test_box, owner) = TestBox::claimed().await;
    let club = destination(&owner, "Club", json!({})).await;
    let kick = destination(&owner, "Kick", json!({"username": "u", "password": "canary-password"})).await;
    let sunday = profile(&owner, "Sunday").await;
    let as_saved = everything(&owner).await;

    let path = |id: &str| format!("/api/v1/destinations/{id}");
    owner.patch(&path(&club), json!({"enabled": false, "key": "canary-key-other"})).await;
    assert_eq!(owner.delete(&path(&kick)).await.status, 204);
    destination(&owner, "Late", json!({})).await;
    let before = everything(&owner).await;

    let compared = owner.get(&format!("{sunday}/compare")).await;
    assert_eq!(changes(&compared), ["Club change enabled,key", "Kick add", "Late off enabled"]);
    let key = &compared.body["rows"][0]["fields"][1];
    assert_eq!((&key["now"], &key["then"]), (&json!("…ther"), &json!("…Club")));
    assert_eq!(owner.get(&sunday).await.body["differences"], 3);

    let switched = owner.post(&format!("{sunday}/switch"), json!({})).await;
    assert!(switched.body["rows"].as_array().unwrap().iter().all(|row| row["done"] == true), "{switched:?}");
    let now = everything(&owner).await;
    let of_profile: Vec<_> = now.as_array().unwrap().iter().filter(|one| one["name"] != "Late").cloned().collect();
    assert_eq!(Value::from(of_profile), as_saved, "as it was saved, Kick under its own id");
    assert!(now.as_array().unwrap().iter().any(|one| one["name"] == "Late" && one["enabled"] == false));
    let stored = test_box.store.destination(&kick).unwrap();
    assert_eq!(stored.password.unwrap().expose_secret(), "canary-password");
    assert!(test_box.engine.snapshot().destinations.contains_key(kick.as_str()), "the engine knows");
    assert_eq!(owner.get(&sunday).await.body["differences"], 0);

    let undo = owner.get("/api/v1/profiles/undo").await;
    assert_eq!((&undo.body["undo"]["what"], &undo.body["undo"]["destinations"]), (&json!("switched"), &json!(3)));
    assert_eq!(owner.post("/api/v1/profiles/undo", json!({})).await.status, 200);
    assert_eq!(everything(&owner).await, before);
    assert!(!test_box.engine.snapshot().destinations.contains_key(kick.as_str()));
    assert_eq!(test_box.store.destination(&club).unwrap().key.expose_secret(), "canary-key-other");
    // What was undone can be done again.
    assert_eq!(owner.post("/api/v1/profiles/undo", json!({})).await.status, 200);
    assert_eq!(everything(&owner).await, now);

    let events = owner.get("/api/v1/events").await;
    for code in ["profile_saved", "profile_switched", "profile_undone", "destination_switched_off"] {
        assert!(events.text.contains(code), "{code}: {events:?}");
    }
    let seen = format!("{}{}{}{}", compared.text, switched.text, undo.text, events.text);
    assert!(!seen.contains("canary"), "{seen}");
    let database = std::fs::read(test_box.store.path()).unwrap();
    assert!(!database.windows(6).any(|window| window == b"canary"));
}

#[tokio::test]
async fn chosen_rows_are_switched_and_no_others() {
    let (_test_box, owner) = TestBox::claimed().await;
    let club = destination(&owner, "Club", json!({})).await;
    let kick = destination(&owner, "Kick", json!({})).await;
    let evening = profile(&owner, "Evening").await;
    for id in [&club, &kick] {
        owner.post(&format!("/api/v1/destinations/{id}/off"), json!({})).await;
    }
    let wrong = owner.post(&format!("{evening}/switch"), json!({"rows": ["nobody"]})).await;
    assert_eq!(wrong.errors(), ["rows:unknown_value"]);
    let wrong = owner.post(&format!("{evening}/switch"), json!({"rows": "all"})).await;
    assert_eq!(wrong.errors(), ["rows:wrong_type"]);
    let switched = owner.post(&format!("{evening}/switch"), json!({"rows": [kick]})).await;
    let done: Vec<_> = switched.body["rows"].as_array().unwrap().iter().map(|row| row["done"] == true).collect();
    assert_eq!(done, [false, true]);
    assert_eq!(changes(&owner.get(&format!("{evening}/compare")).await), ["Club change enabled", "Kick same"]);
}

/// The box sends to another one: a connection that a switch does not concern goes on, frame by frame.
#[tokio::test]
async fn what_stays_the_same_goes_on_undisturbed() {
    let (test_box, owner) = TestBox::claimed().await;
    let (there, _) = TestBox::claimed().await;
    let key = there.store.input("main").unwrap().key;
    let url = format!("rtmp://127.0.0.1:{}/live", there.engine.rtmp().port());
    let to_there = json!({"url": url, "key": key.expose_secret(), "allowLocal": true, "position": 3});
    let club = destination(&owner, "Club", to_there).await;
    let other = destination(&owner, "Other", json!({})).await;
    let sunday = profile(&owner, "Sunday").await;
    owner.patch(&format!("/api/v1/destinations/{club}"), json!({"name": "Klub", "position": 7})).await;
    owner.patch(&format!("/api/v1/destinations/{other}"), json!({"key": "canary-key-new"})).await;

    let own_key = test_box.store.input("main").unwrap().key;
    let rtmp = test_box.engine.rtmp();
    let publishing = tokio::spawn(async move { publish(rtmp, own_key.expose_secret(), 100, video(2_000)).await });
    let session = || {
        let input = there.engine.snapshot().inputs.get("main").cloned();
        input.and_then(|input| input.session).map(|session| (session.id.to_string(), session.frames_lost))
    };
    let live = async || owner.get("/api/v1/status").await.body["destinations"][&club]["state"] == "live";
    eventually("it is live", live).await;
    let before = session().expect("it arrives there");
    let compared = owner.get(&format!("{sunday}/compare")).await;
    assert_eq!(changes(&compared), ["Club change name,position", "Other change key"]);
    assert_eq!(compared.body["rows"][0]["interrupts"], false, "another name is no other connection");
    assert_eq!(owner.post(&format!("{sunday}/switch"), json!({})).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(session().expect("it still arrives there"), before);
    assert!(live().await);
    let on_air = async || owner.get("/api/v1/status").await.body["onAirSince"].clone();
    let since = on_air().await;
    owner.post(&format!("/api/v1/destinations/{club}/off"), json!({})).await;
    let compared = owner.get(&format!("{sunday}/compare")).await;
    assert_eq!(changes(&compared), ["Club change enabled", "Other same"]);
    assert!(since.is_string());
    assert_eq!(on_air().await, since, "one switch is no end of the broadcast");
    publishing.abort();
}

/// Start mode `manual` ends what *Start sending* did not begin, and the comparison says so.
#[tokio::test]
async fn a_start_mode_that_ends_a_connection_says_so() {
    let (test_box, owner) = TestBox::claimed().await;
    let (there, _) = TestBox::claimed().await;
    let key = there.store.input("main").unwrap().key;
    let url = format!("rtmp://127.0.0.1:{}/live", there.engine.rtmp().port());
    let to_there = json!({"url": url, "key": key.expose_secret(), "allowLocal": true, "startMode": "manual"});
    let club = destination(&owner, "Club", to_there).await;
    let manual = profile(&owner, "Manual").await;
    owner.patch(&format!("/api/v1/destinations/{club}"), json!({"startMode": "withStream"})).await;
    let own_key = test_box.store.input("main").unwrap().key;
    let rtmp = test_box.engine.rtmp();
    let publishing = tokio::spawn(async move { publish(rtmp, own_key.expose_secret(), 100, video(2_000)).await });
    let state = async || owner.get("/api/v1/status").await.body["destinations"][&club]["state"].clone();
    eventually("it is live", async || state().await == "live").await;
    let compared = owner.get(&format!("{manual}/compare")).await;
    assert_eq!(
        (changes(&compared), &compared.body["rows"][0]["interrupts"]),
        (vec!["Club change startMode".into()], &json!(true))
    );
    owner.post("/api/v1/broadcast/start", json!({})).await;
    let compared = owner.get(&format!("{manual}/compare")).await;
    assert_eq!(compared.body["rows"][0]["interrupts"], false, "it has been started");
    publishing.abort();
}

#[tokio::test]
async fn an_operator_allows_nothing_by_a_profile() {
    let (test_box, owner) = TestBox::claimed().await;
    let operator = test_box.somebody(Role::Operator);
    let club = destination(&owner, "Club", json!({"url": "rtmp://127.0.0.1/app", "allowLocal": true})).await;
    let gone = destination(&owner, "Gone", json!({"url": "rtmp://127.0.0.1/app", "allowLocal": true})).await;
    let local = profile(&owner, "Local").await;
    let path = format!("/api/v1/destinations/{club}");
    owner.patch(&path, json!({"url": "rtmp://192.0.2.7/app", "allowLocal": false, "key": "canary-key-Club"})).await;
    owner.delete(&format!("/api/v1/destinations/{gone}")).await;
    let compared = operator.get(&format!("{local}/compare")).await;
    assert_eq!(changes(&compared), ["Club change url", "Gone add"], "as it would be if they pressed");
    assert_eq!(operator.post(&format!("{local}/switch"), json!({})).await.status, 200);
    let allowed = async || {
        let all = everything(&owner).await;
        all.as_array().unwrap().iter().map(|one| one["allowLocal"] == true).collect::<Vec<_>>()
    };
    assert_eq!(allowed().await, [false, false]);
    // Neither do they by undoing what an owner did.
    owner.post(&format!("{local}/switch"), json!({})).await;
    assert_eq!(allowed().await, [true, true]);
    owner.patch(&path, json!({"allowLocal": false, "url": "rtmp://192.0.2.7/app", "key": "canary-key-Club"})).await;
    let strict = profile(&owner, "Strict").await;
    owner.post(&format!("{local}/switch"), json!({})).await;
    owner.post(&format!("{strict}/switch"), json!({})).await;
    assert_eq!(operator.post("/api/v1/profiles/undo", json!({})).await.status, 200);
    assert_eq!(allowed().await, [false, true]);
}

#[tokio::test]
async fn profiles_are_renamed_saved_anew_deleted_and_brought_back() {
    let (test_box, owner) = TestBox::claimed().await;
    let club = destination(&owner, "Club", json!({})).await;
    let sunday = profile(&owner, "Sunday").await;
    profile(&owner, "Evening").await;
    assert_eq!(owner.post("/api/v1/profiles", json!({"name": "Evening"})).await.errors(), ["name:conflict"]);
    assert_eq!(owner.patch(&sunday, json!({"name": "Evening"})).await.errors(), ["name:conflict"]);
    let now = owner.get(&sunday).await.body;
    assert_eq!(owner.patch(&sunday, now).await.status, 200, "sent back as it was read");
    assert_eq!(owner.patch(&sunday, json!({"name": "Holy day"})).await.body["name"], "Holy day");
    assert_eq!(owner.patch(&sunday, json!({"savedAt": "yesterday"})).await.errors(), ["savedAt:read_only"]);
    owner.post(&format!("/api/v1/destinations/{club}/off"), json!({})).await;
    assert_eq!(owner.get(&sunday).await.body["differences"], 1);
    assert_eq!(owner.post(&format!("{sunday}/save"), json!({})).await.body["differences"], 0);

    let operator = test_box.somebody(Role::Operator);
    for (method, path) in [("POST", "/api/v1/profiles"), ("DELETE", sunday.as_str()), ("PATCH", &sunday)] {
        assert_eq!(operator.send(method, path, Some(json!({"name": "x"}))).await.code(), "not_allowed", "{method}");
    }
    assert_eq!(owner.delete(&sunday).await.status, 204);
    assert_eq!(owner.get(&sunday).await.status, 404);
    assert_eq!(operator.post("/api/v1/profiles/undo", json!({})).await.code(), "not_allowed");
    assert_eq!(owner.post("/api/v1/profiles/undo", json!({})).await.body["what"], "deleted");
    let back = owner.get(&sunday).await;
    assert_eq!((&back.body["name"], back.body["destinations"].as_array().unwrap().len()), (&json!("Holy day"), 1));
    assert_eq!(owner.post("/api/v1/profiles/undo", json!({})).await.code(), "nothing_to_undo");
    assert_eq!(operator.post(&format!("{sunday}/switch"), json!({})).await.status, 200, "an operator runs the show");
    assert_eq!(test_box.somebody(Role::Viewer).post(&format!("{sunday}/switch"), json!({})).await.status, 403);
}

/// The answer's bytes as they are.
async fn exported(client: &Client, profile: &str, password: &str) -> (String, Vec<u8>) {
    let request = client.request("POST", &format!("{profile}/export"), Some(json!({"password": password})));
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(all[..end].to_vec()).unwrap().to_lowercase(), all[end + 4..].to_vec())
}

async fn imported(client: &Client, file: &[u8], password: &str) -> Answer {
    let body = json!({"file": BASE64_STANDARD.encode(file), "password": password});
    client.post("/api/v1/profiles/import", body).await
}

#[tokio::test]
async fn a_profile_is_carried_to_another_box() {
    let (test_box, owner) = TestBox::claimed().await;
    let club = destination(&owner, "Club", json!({})).await;
    destination(&owner, "Home", json!({"url": "rtmp://192.168.1.5/app", "allowLocal": true})).await;
    let sunday = profile(&owner, "Sunday").await;
    let (head, file) = exported(&owner, &sunday, PASSWORD).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains("cache-control: no-store") && head.contains("filename=\"brookbox-sunday.profile\""),
        "{head}"
    );
    assert!(!file.windows(6).any(|window| window == b"canary"));
    assert!(owner.get("/api/v1/events").await.text.contains("profile_exported"));

    let (other_box, other) = TestBox::claimed().await;
    let answer = imported(&other, &file, PASSWORD).await;
    assert_eq!((answer.status, &answer.body["name"]), (201, &json!("Sunday")), "{answer:?}");
    assert_eq!(everything(&other).await, json!([]), "nothing changes before the switch");
    let path = format!("/api/v1/profiles/{}", answer.body["id"].as_str().unwrap());
    let compared = other.get(&format!("{path}/compare")).await;
    assert_eq!(changes(&compared), ["Club add", "Home add"]);
    assert_eq!(compared.body["rows"][1]["note"], "Its address is in the own network, which an owner has to allow.");
    assert_eq!(other.post(&format!("{path}/switch"), json!({})).await.status, 200);
    assert_eq!(other_box.store.destination(&club).unwrap().key.expose_secret(), "canary-key-Club");
    assert!(other_box.store.destinations().unwrap().iter().all(|one| !one.allow_local), "an import clears it");
    assert_eq!(imported(&other, &file, PASSWORD).await.errors(), ["name:conflict"]);
    drop(test_box);
}

#[tokio::test]
async fn a_wrong_password_and_a_damaged_file_are_told_apart() {
    let (_test_box, owner) = TestBox::claimed().await;
    destination(&owner, "Club", json!({})).await;
    let sunday = profile(&owner, "Sunday").await;
    let (_, file) = exported(&owner, &sunday, PASSWORD).await;
    assert_eq!(imported(&owner, &file, "some other password").await.code(), "wrong_file_password");
    assert_eq!(imported(&owner, &file[..file.len() - 1], PASSWORD).await.code(), "file_damaged");
    let mut changed = file.clone();
    changed[70] ^= 1;
    assert_eq!(imported(&owner, &changed, PASSWORD).await.code(), "file_damaged");
    assert_eq!(imported(&owner, b"some other file", PASSWORD).await.code(), "file_unknown");
    let mut newer = file.clone();
    newer[8] = 9;
    assert_eq!(imported(&owner, &newer, PASSWORD).await.code(), "file_unknown");
    let odd = owner.post("/api/v1/profiles/import", json!({"file": "not base64!", "password": PASSWORD})).await;
    assert_eq!(odd.errors(), ["file:not_base64"]);
    assert_eq!(imported(&owner, &vec![0; 1_300_000], PASSWORD).await.code(), "too_large");
    let short = owner.post(&format!("{sunday}/export"), json!({"password": "short"})).await;
    assert_eq!(short.errors(), ["password:too_short"]);
}

/// Whoever made the file knew its password: what is inside is still checked like anything that is sent.
#[tokio::test]
async fn what_is_inside_a_file_is_not_trusted() {
    let (_test_box, owner) = TestBox::claimed().await;
    let row = |change: Value| {
        let mut row = json!({
            "id": "abc", "name": "Club", "platform": "custom", "url": "rtmp://192.0.2.7/app", "backupUrl": null,
            "key": "canary-key", "output": "main/passthrough", "enabled": true, "startMode": "withStream",
            "retryForS": null, "username": null, "password": null, "allowLocal": false, "position": 0,
        });
        row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        row
    };
    let sealed = |content: Value| {
        let text = content.to_string().into();
        brookbox_vault::export::seal(brookbox_vault::export::Content::Profile, &text, &PASSWORD.into()).unwrap()
    };
    let import = async |content: Value| imported(&owner, &sealed(content), PASSWORD).await;
    let of = |rows: Vec<Value>| json!({"name": "Sunday", "destinations": rows});
    for (content, wanted) in [
        (json!([]), "file_unknown"),
        (json!({"name": "Sunday"}), "file_unknown"),
        (of(vec![row(json!({"more": 1}))]), "file_unknown"),
        (of(vec![row(json!({})), row(json!({}))]), "file_damaged"),
        (of(vec![row(json!({"id": "../etc"}))]), "file_damaged"),
        (of((0..257).map(|n| row(json!({"id": format!("d{n}")}))).collect()), "file_damaged"),
        (of(vec![row(json!({"url": "rtmp://169.254.169.254/app", "allowLocal": true}))]), "address_not_allowed"),
        (of(vec![row(json!({"url": "file:///etc/passwd"}))]), "invalid"),
        (of(vec![row(json!({"name": "a\nb"}))]), "invalid"),
        (of(vec![row(json!({"key": "${NOBODY}"}))]), "invalid"),
        (json!({"name": "x".repeat(81), "destinations": []}), "invalid"),
    ] {
        let answer = import(content).await;
        assert_eq!(answer.code(), wanted, "{answer:?}");
        assert!(!answer.text.contains("canary"), "{answer:?}");
    }
    let answer = import(of(vec![row(json!({"url": "file:///x"}))])).await;
    assert_eq!(answer.errors(), ["destinations[0].url:scheme"]);
    let unknown_input = import(of(vec![row(json!({"output": "guest/passthrough"}))])).await;
    let path = format!("/api/v1/profiles/{}", unknown_input.body["id"].as_str().unwrap());
    let switched = owner.post(&format!("{path}/switch"), json!({})).await;
    let row = &switched.body["rows"][0];
    assert_eq!((&row["done"], row["problem"].is_string()), (&json!(false), true), "{switched:?}");
}

#[tokio::test]
async fn keys_leave_the_box_in_an_owners_hands_only() {
    let (test_box, owner) = TestBox::claimed().await;
    let sunday = profile(&owner, "Sunday").await;
    let export = format!("{sunday}/export");
    let token = test_box.token(&[Scope::Admin]);
    assert_eq!(token.post(&export, json!({"password": PASSWORD})).await.code(), "not_allowed");
    assert_eq!(token.post("/api/v1/profiles/import", json!({})).await.code(), "not_allowed");
    let stale = brookbox_store::Time::now().before(std::time::Duration::from_secs(601));
    let stale = test_box.somebody_since(Role::Owner, stale);
    assert_eq!(stale.post(&export, json!({"password": PASSWORD})).await.code(), "password_needed");
}
