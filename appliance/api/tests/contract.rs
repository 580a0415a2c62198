//! The contract's examples, as a script would run them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use common::{PASSWORD, TestBox, eventually};
use serde_json::json;

#[tokio::test]
async fn a_box_is_claimed_once() {
    let test_box = TestBox::start().await;
    let mut client = test_box.client();
    let before = client.get("/api/v1/setup").await;
    let nothing_yet = json!({"claimed": false, "boxName": null, "language": null, "codeNeeded": false, "https": null,
        "notices": [], "passwordResetLeftS": null});
    assert_eq!(before.body, nothing_yet);
    assert_eq!(client.get("/api/v1/status").await.code(), "not_claimed");

    let new = json!({"username": "mara", "password": PASSWORD, "boxName": "river-street", "language": "en"});
    let answer = client.post("/api/v1/setup", new.clone()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["username"], "mara");
    assert_eq!(answer.body["role"], "owner");
    client.take_cookies(&answer);
    assert_eq!(client.get("/api/v1/me").await.body["username"], "mara");

    let again = client.post("/api/v1/setup", new).await;
    assert_eq!((again.status, again.code()), (409, "already_claimed"));
    let after = test_box.client().get("/api/v1/setup").await;
    assert_eq!(
        after.body,
        json!({"claimed": true, "boxName": "river-street", "language": "en", "codeNeeded": false, "https": null,
            "notices": [], "passwordResetLeftS": null})
    );
}

#[tokio::test]
async fn a_claim_brings_the_time_zone_along() {
    let claim = |zone: &str| json!({"username": "mara", "password": PASSWORD, "timeZone": zone});
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join("system");
    let test_box = TestBox::start_with(|config| config.system_dir = Some(system.clone())).await;
    let client = test_box.client();
    for odd in ["", "../../etc/passwd", "/etc/passwd", "Europe//Berlin", "Europe/Ber lin", "-x", &"a".repeat(65)] {
        assert_eq!(client.post("/api/v1/setup", claim(odd)).await.code(), "invalid", "{odd}");
    }
    assert_eq!(client.post("/api/v1/setup", claim("America/Port-au-Prince")).await.status, 201);
    let stored: Option<String> = test_box.store.setting("timeZone").unwrap();
    assert_eq!(stored.as_deref(), Some("America/Port-au-Prince"));
    assert_eq!(std::fs::read_to_string(system.join("timezone")).unwrap(), "America/Port-au-Prince\n");

    // The one of brookbox.toml was chosen by hand.
    let test_box = TestBox::start_with(|config| config.system_dir = Some(folder.path().join("other"))).await;
    test_box.store.put_setting("timeZone", &"UTC").unwrap();
    let client = test_box.client();
    assert_eq!(client.post("/api/v1/setup", claim("Europe/Berlin")).await.status, 201);
    assert_eq!(test_box.store.setting::<String>("timeZone").unwrap().as_deref(), Some("UTC"));
    assert!(!folder.path().join("other").exists());
}

#[tokio::test]
async fn of_many_claims_at_once_one_is_taken() {
    let test_box = TestBox::start().await;
    let client = test_box.client();
    let claims = (0..6).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let new = json!({"username": format!("mara{number}"), "password": PASSWORD});
            client.post("/api/v1/setup", new).await
        })
    });
    let mut taken = 0;
    for claim in claims.collect::<Vec<_>>() {
        let answer = claim.await.unwrap();
        match answer.status {
            201 => taken += 1,
            _ => assert_eq!((answer.status, answer.code()), (409, "already_claimed")),
        }
    }
    assert_eq!(taken, 1);
    assert_eq!(test_box.store.users().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_does_what_its_scope_says() {
    let (test_box, owner) = TestBox::claimed().await;
    let made = owner.post("/api/v1/tokens", json!({"name": "script", "scopes": ["admin"], "expiresInDays": 90})).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let token = made.body["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("bbx_") && token.len() == 47);
    let mut script = test_box.client();
    (script.origin, script.token) = (false, Some(token.into()));
    assert_eq!(script.get("/api/v1/inputs").await.status, 200);
    let me = script.get("/api/v1/me").await.body;
    assert_eq!((me["role"].as_str(), &me["scopes"]), (Some("owner"), &json!(["admin"])));

    let list = owner.get("/api/v1/tokens").await;
    assert_eq!(list.body[0]["name"], "script");
    assert!(list.body[0]["lastUsed"].is_string());
    assert!(!list.text.contains("bbx_"), "the secret is shown once");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(owner.get(&format!("/api/v1/tokens/{id}")).await.body["name"], "script");
    assert_eq!(owner.delete(&format!("/api/v1/tokens/{id}")).await.status, 204);
    assert_eq!(script.get("/api/v1/inputs").await.status, 401);
}

#[tokio::test]
async fn inputs_and_their_keys() {
    let (test_box, owner) = TestBox::claimed().await;
    let inputs = owner.get("/api/v1/inputs").await.body;
    let main = &inputs.as_array().unwrap()[0];
    assert_eq!((main["id"].as_str(), main["name"].as_str()), (Some("main"), Some("Main")));
    assert_eq!((&main["protocols"], &main["enabled"]), (&json!(["rtmp"]), &json!(true)));
    assert_eq!(main["limits"], json!({"bitrateBps": 100_000_000, "sessions": 16}));
    assert!(main.get("key").is_none());

    let key = owner.post("/api/v1/inputs/main/key", json!({})).await;
    assert_eq!(key.status, 200);
    assert_eq!(key.header("cache-control"), Some("no-store"));
    let key = key.body["key"].as_str().unwrap().to_owned();
    assert_eq!(main["keyHint"], format!("…{}", &key[key.len() - 4..]));
    let events = owner.get("/api/v1/events").await.body;
    assert_eq!((events[0]["code"].as_str(), events[0]["input"].as_str()), (Some("key_read"), Some("main")));
    assert_eq!(events[0]["sentence"], "mara looked at the stream key of Main.");

    let rotated = owner.post("/api/v1/inputs/main/rotate-key", json!({})).await;
    assert_eq!(rotated.status, 200);
    assert_ne!(rotated.body["keyHint"], main["keyHint"]);
    let own = owner.post("/api/v1/inputs/main/rotate-key", json!({"key": "my-own.key_of~2026"})).await;
    assert_eq!(own.body["keyHint"], "…2026");
    for (bad, code) in [("short", "key:too_short"), ("a key with blanks in it", "key:characters")] {
        let answer = owner.post("/api/v1/inputs/main/rotate-key", json!({"key": bad})).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![code.to_owned()]));
    }

    let made = owner.post("/api/v1/inputs", json!({"name": "Guest", "limits": {"sessions": 2}})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body["limits"], json!({"bitrateBps": 100_000_000, "sessions": 2}));
    let path = format!("/api/v1/inputs/{}", made.body["id"].as_str().unwrap());
    let same = owner.post("/api/v1/inputs", json!({"name": "Thief", "key": "my-own.key_of~2026"})).await;
    assert_eq!((same.status, same.errors()), (422, vec!["key:conflict".to_owned()]));
    let changed = owner.patch(&path, json!({"enabled": false, "limits": {"bitrateBps": 5_000_000}})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.body["limits"], json!({"bitrateBps": 5_000_000, "sessions": 2}));
    assert_eq!((&changed.body["enabled"], &changed.body["name"]), (&json!(false), &json!("Guest")));
    assert_eq!(changed.body["createdAt"], made.body["createdAt"]);

    // An input that feeds a destination stays, and so does the last one.
    let destination =
        json!({"url": "rtmp://192.0.2.7/app", "key": "k", "output": "main/passthrough", "enabled": false});
    assert_eq!(owner.post("/api/v1/destinations", destination).await.status, 201);
    assert_eq!(owner.delete("/api/v1/inputs/main").await.code(), "conflict");
    assert_eq!(owner.delete(&path).await.status, 204);
    assert_eq!(owner.get(&path).await.status, 404);
    assert_eq!(owner.delete("/api/v1/inputs/main").await.code(), "conflict");
    assert_eq!(test_box.store.inputs().unwrap().len(), 1);
}

#[tokio::test]
async fn destinations_from_the_first_to_the_last() {
    let (test_box, owner) = TestBox::claimed().await;
    let made = owner
        .post(
            "/api/v1/destinations",
            json!({"name": "Club", "platform": "custom", "url": "rtmp://192.0.2.7/app", "key": "club-key-7Q2x",
                "output": "main/passthrough", "enabled": false, "startMode": "withStream", "retryForS": null,
                "backupUrl": null, "username": null, "password": null, "allowLocal": false, "position": 3}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert_eq!(
        made.body,
        json!({"id": id, "name": "Club", "platform": "custom", "url": "rtmp://192.0.2.7/app", "keyHint": "…7Q2x",
            "output": "main/passthrough", "enabled": false, "startMode": "withStream", "retryForS": null,
            "backupUrl": null, "username": null, "hasPassword": false, "allowLocal": false, "position": 3,
            "warnings": []})
    );
    let path = format!("/api/v1/destinations/{id}");
    let status = owner.get("/api/v1/status").await.body;
    assert_eq!(status["destinations"][&id]["name"], "Club", "what was answered is in force");
    assert_eq!(status["destinations"][&id]["state"], "off");
    assert!(status["seq"].is_u64() && status["time"].is_string());

    // A merge patch changes what it names; the key is kept, and can be replaced.
    let patched = owner.patch(&path, json!({"name": "Club 2", "retryForS": 600, "startMode": "manual"})).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!((&patched.body["name"], &patched.body["retryForS"]), (&json!("Club 2"), &json!(600)));
    assert_eq!((&patched.body["keyHint"], &patched.body["position"]), (&json!("…7Q2x"), &json!(3)));
    let patched = owner.patch(&path, json!({"retryForS": null, "key": "another-key-abcd"})).await;
    assert_eq!((&patched.body["retryForS"], &patched.body["keyHint"]), (&json!(null), &json!("…abcd")));
    // What was read may be sent back as it is.
    let mut whole = patched.body.clone();
    whole["name"] = json!("Club 3");
    let patched = owner.patch(&path, whole).await;
    assert_eq!((patched.status, &patched.body["name"]), (200, &json!("Club 3")), "{patched:?}");
    let refused = owner.patch(&path, json!({"id": "other", "colour": "red", "retryForS": 0, "enabled": "yes"})).await;
    assert_eq!(refused.status, 422);
    let mut errors = refused.errors();
    errors.sort();
    assert_eq!(errors, ["colour:unknown_field", "enabled:wrong_type", "id:read_only", "retryForS:out_of_range"]);
    assert_eq!(owner.get(&path).await.body["name"], "Club 3", "nothing of a refused patch is kept");

    for (action, enabled) in [("on", true), ("off", false), ("retry", false)] {
        let answer = owner.post(&format!("{path}/{action}"), json!({})).await;
        assert_eq!((answer.status, &answer.body["enabled"]), (200, &json!(enabled)), "{action}");
        assert_eq!(answer.body["id"], id);
    }
    assert_eq!(owner.post("/api/v1/destinations/nope/on", json!({})).await.code(), "not_found");

    // A second one with as little as possible; the same key at the same place is worth a word.
    let second =
        owner.post("/api/v1/destinations", json!({"platform": "youtube", "key": "abcd-efgh", "enabled": false})).await;
    assert_eq!(second.status, 201, "{second:?}");
    assert_eq!((&second.body["name"], &second.body["url"]), (&json!("YouTube"), &json!(null)));
    assert_eq!((&second.body["output"], &second.body["position"]), (&json!("main/passthrough"), &json!(4)));
    let third =
        owner.post("/api/v1/destinations", json!({"platform": "youtube", "key": "abcd-efgh", "enabled": false})).await;
    assert_eq!(third.body["warnings"][0]["code"], "duplicate_key");

    let list = owner.get("/api/v1/destinations").await.body;
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Club 3", "YouTube", "YouTube"]);
    assert_eq!(owner.delete(&path).await.status, 204);
    assert_eq!(owner.delete(&path).await.status, 404);
    assert!(owner.get("/api/v1/status").await.body["destinations"].get(&id).is_none());
    drop(test_box);
}

#[tokio::test]
async fn a_wrong_destination_is_told_everything_at_once() {
    let (_test_box, owner) = TestBox::claimed().await;
    let answer = owner
        .post(
            "/api/v1/destinations",
            json!({"name": "", "platform": "myspace", "url": "http://example.com", "key": "two words", "retryForS": 1e9,
                "startMode": "never", "position": -1, "allowLocal": 1, "username": "u", "what": 1}),
        )
        .await;
    assert_eq!((answer.status, answer.code()), (422, "invalid"));
    let mut errors = answer.errors();
    errors.sort();
    assert_eq!(
        errors,
        [
            "allowLocal:wrong_type",
            "key:characters",
            "name:too_short",
            "password:required",
            "platform:unknown_value",
            "position:out_of_range",
            "retryForS:out_of_range",
            "startMode:unknown_value",
            "url:scheme",
            "what:unknown_field",
        ]
    );
    for error in answer.body["errors"].as_array().unwrap() {
        assert!(error["message"].as_str().unwrap().ends_with(['.', '?']), "{error}");
    }
    let nothing = owner.post("/api/v1/destinations", json!({})).await;
    assert_eq!(nothing.errors(), ["key:required", "url:required"]);
    let output = owner
        .post("/api/v1/destinations", json!({"url": "rtmp://h.example/a", "key": "k", "output": "x/passthrough"}))
        .await;
    assert_eq!(output.errors(), ["output:conflict"]);

    let local = json!({"url": "rtmp://192.168.1.5/app", "key": "k", "enabled": false});
    let refused = owner.post("/api/v1/destinations", local.clone()).await;
    assert_eq!((refused.status, refused.code()), (422, "address_not_allowed"));
    assert_eq!(refused.errors(), ["url:address_not_allowed"]);
    let mut allowed = local;
    allowed["allowLocal"] = json!(true);
    assert_eq!(owner.post("/api/v1/destinations", allowed).await.status, 201);
    let own = json!({"url": format!("rtmp://127.0.0.1:{}/live", _test_box.engine.rtmp().port()), "key": "k", "allowLocal": true});
    assert_eq!(owner.post("/api/v1/destinations", own).await.code(), "address_not_allowed", "the box's own ingest");
}

#[tokio::test]
async fn a_broadcast_is_started_and_stopped_and_that_survives() {
    let (test_box, owner) = TestBox::claimed().await;
    let started = owner.post("/api/v1/broadcast/start", json!({})).await;
    assert_eq!((started.status, &started.body), (200, &json!({"started": true, "stopped": false})));
    let stopped = owner.post("/api/v1/broadcast/stop", json!({})).await;
    assert_eq!(stopped.body["stopped"], true);
    assert_eq!(owner.get("/api/v1/status").await.body["broadcast"], stopped.body);
    let dir = test_box.stop().await;
    let again = TestBox::start_in(dir, |_| {}).await;
    assert_eq!(serde_json::to_value(again.engine.snapshot().broadcast).unwrap(), stopped.body);
}

#[tokio::test]
async fn what_is_stored_runs_again_after_a_restart() {
    let (test_box, owner) = TestBox::claimed().await;
    let made = owner.post("/api/v1/destinations", json!({"url": "rtmp://192.0.2.7/app", "key": "k"})).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    let dir = test_box.stop().await;
    let again = TestBox::start_in(dir, |_| {}).await;
    let snapshot = again.engine.snapshot();
    assert!(snapshot.destinations.keys().any(|known| **known == *id));
    assert!(snapshot.inputs.keys().any(|known| **known == *"main"));
}

#[tokio::test]
async fn before_the_claim_no_destination_runs() {
    let test_box = TestBox::start().await;
    let (owner, id) = {
        // As a restored or handed-on box may have them: destinations without an owner.
        let (other, owner) = TestBox::claimed().await;
        let made = owner.post("/api/v1/destinations", json!({"url": "rtmp://192.0.2.7/app", "key": "k"})).await;
        let id = made.body["id"].as_str().unwrap().to_owned();
        test_box.store.add_destination(&other.store.destination(&id).unwrap()).unwrap();
        (test_box.client(), id)
    };
    brookbox_api::sync(&test_box.store, &test_box.engine).await.unwrap();
    assert!(test_box.engine.snapshot().destinations.is_empty());
    let new = json!({"username": "mara", "password": PASSWORD});
    assert_eq!(owner.post("/api/v1/setup", new).await.status, 201);
    assert!(test_box.engine.snapshot().destinations.keys().any(|known| **known == *id), "the claim starts them");
}

#[tokio::test]
async fn lists_that_can_only_be_read() {
    let (_test_box, owner) = TestBox::claimed().await;
    assert_eq!(
        owner.get("/api/v1/outputs").await.body,
        json!([{"id": "main/passthrough", "input": "main", "kind": "passthrough"}])
    );
    for path in ["/api/v1/outputs/main/passthrough", "/api/v1/outputs/main%2Fpassthrough"] {
        assert_eq!(owner.get(path).await.body["input"], "main", "{path}");
    }
    assert_eq!(owner.get("/api/v1/outputs/main").await.status, 404);
    assert_eq!(owner.get("/api/v1/outputs/other/passthrough").await.status, 404);
    let platforms = owner.get("/api/v1/platforms").await.body;
    let ids: Vec<_> = platforms.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    for id in ["youtube", "twitch", "kick", "facebook", "custom"] {
        assert!(ids.contains(&id));
    }
    assert_eq!(platforms[0]["url"], "rtmps://a.rtmps.youtube.com:443/live2");
    assert!(platforms[0]["rejectsBadKey"].is_null(), "what is not known is null");
    assert_eq!(owner.get("/api/v1/sessions").await.body, json!([]));
    assert_eq!(owner.delete("/api/v1/sessions/nope").await.status, 404);
    assert_eq!(owner.get("/api/v1/refusals").await.body, json!([]));
    for absent in ["/api/v1/encoders", "/api/v1/recordings", "/api/v1/nothing"] {
        let answer = owner.get(absent).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{absent}");
    }
    let wrong = owner.send("PUT", "/api/v1/inputs", Some(json!({}))).await;
    assert_eq!((wrong.status, wrong.code()), (405, "method_not_allowed"));
}

#[tokio::test]
async fn events_come_in_pages() {
    let (_test_box, owner) = TestBox::claimed().await;
    for _ in 0..5 {
        owner.post("/api/v1/inputs/main/key", json!({})).await;
    }
    let page = owner.get("/api/v1/events?limit=2").await.body;
    let page = page.as_array().unwrap();
    assert_eq!(page.len(), 2);
    let before = page[1]["id"].as_i64().unwrap();
    let next = owner.get(&format!("/api/v1/events?limit=2&before={before}")).await.body;
    assert!(next[0]["id"].as_i64().unwrap() < before);
    let all = owner.get("/api/v1/events").await.body;
    assert!(all.as_array().unwrap().iter().any(|event| event["code"] == "claimed"));
    for wrong in ["limit=0", "limit=501", "limit=x", "before=x", "limit=-1&before=1.5", "before=-1", "limit=2&limit=3"]
    {
        assert_eq!(owner.get(&format!("/api/v1/events?{wrong}")).await.code(), "invalid", "{wrong}");
    }
}

#[tokio::test]
async fn an_address_is_blocked() {
    let (_test_box, owner) = TestBox::claimed().await;
    let answer = owner.post("/api/v1/refusals/192.0.2.9/block", json!({"forS": 60})).await;
    assert_eq!((answer.status, &answer.body["address"]), (200, &json!("192.0.2.9")), "{answer:?}");
    assert_eq!(owner.post("/api/v1/refusals/2001:db8::1/block", json!({})).await.status, 200);
    assert_eq!(owner.post("/api/v1/refusals/example.com/block", json!({})).await.errors(), ["address:address"]);
    assert_eq!(owner.get("/api/v1/events").await.body[0]["code"], "address_blocked");
    assert_eq!(owner.delete("/api/v1/refusals/192.0.2.9/block").await.status, 204);
    assert_eq!(owner.get("/api/v1/events").await.body[0]["code"], "address_unblocked");
    assert_eq!(owner.delete("/api/v1/refusals/192.0.2.9/block").await.status, 204, "again is no harm");
    assert_eq!(owner.delete("/api/v1/refusals/example.com/block").await.errors(), ["address:address"]);
}

#[tokio::test]
async fn the_box_has_a_name_and_a_notice() {
    let (_test_box, owner) = TestBox::claimed().await;
    let system = owner.get("/api/v1/system").await.body;
    assert_eq!((&system["version"], &system["boxName"]), (&json!("0.0.0-test"), &json!("river-street")));
    assert_eq!((&system["claim"]["address"], &system["claim"]["username"]), (&json!("127.0.0.1"), &json!("mara")));
    let revision = async || owner.get("/api/v1/status").await.body["settingsRevision"].as_u64().unwrap();
    let before = revision().await;
    let changed = owner.patch("/api/v1/system", json!({"boxName": "hill-road"})).await;
    eventually("other pages are told that settings changed", async || revision().await > before).await;
    let event = owner.get("/api/v1/events?limit=1").await.body[0].clone();
    assert_eq!((&event["code"], &event["params"]["from"]), (&json!("box_renamed"), &json!("river-street")));
    assert_eq!((&changed.body["boxName"], &changed.body["language"]), (&json!("hill-road"), &json!("en")));
    let wrong = owner.patch("/api/v1/system", json!({"boxName": "-no-", "language": "tlh", "version": "2"})).await;
    assert_eq!(wrong.errors(), ["boxName:characters", "language:unknown_value", "version:unknown_field"]);
    assert_eq!(owner.delete("/api/v1/system/claim").await.status, 204);
    assert_eq!(owner.get("/api/v1/system").await.body["claim"], json!(null));
}

#[tokio::test]
async fn a_write_is_done_to_its_end_whoever_waits_for_it() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut ids = Vec::new();
    for number in 0..30 {
        let new = json!({"name": number.to_string(), "url": "rtmp://192.0.2.7/app", "key": "k", "enabled": false});
        ids.push(owner.post("/api/v1/destinations", new).await.body["id"].as_str().unwrap().to_owned());
    }
    for (number, id) in ids.iter().enumerate() {
        let request = format!(
            "DELETE /api/v1/destinations/{id} HTTP/1.1\r\nHost: {}\r\n{}\r\n",
            test_box.http,
            owner.credentials()
        );
        let mut stream = tokio::net::TcpStream::connect(test_box.http).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        // Gone at another moment each time: before it is read, while it is stored, while the engine is told.
        tokio::time::sleep(std::time::Duration::from_micros(200 * number as u64)).await;
        drop(stream);
    }
    // What arrived has been begun by now.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    eventually("store and engine agree", async || {
        let stored: Vec<_> = test_box.store.destinations().unwrap().into_iter().map(|one| one.id).collect();
        let mut running: Vec<_> = test_box.engine.snapshot().destinations.keys().map(ToString::to_string).collect();
        running.sort_by_key(|id| ids.iter().position(|known| known == id));
        stored == running
    })
    .await;
    assert!(test_box.store.destinations().unwrap().len() < ids.len(), "some of the requests did arrive");
}

#[tokio::test]
async fn an_ended_engine_is_said_so() {
    let (test_box, owner) = TestBox::claimed().await;
    assert_eq!(owner.get("/readyz").await.body, json!({"status": "ok"}));
    test_box.engine.stop().await.unwrap();
    eventually("not ready", async || owner.get("/readyz").await.code() == "engine_ended").await;
    let new = json!({"url": "rtmp://192.0.2.7/app", "key": "k", "enabled": false});
    for (path, body) in [
        ("/api/v1/destinations", new),
        ("/api/v1/broadcast/start", json!({})),
        ("/api/v1/inputs", json!({"name": "Guest"})),
        ("/api/v1/refusals/192.0.2.9/block", json!({})),
    ] {
        let answer = owner.post(path, body).await;
        assert_eq!((answer.status, answer.code()), (503, "engine_ended"), "{path}");
    }
    assert_eq!(owner.get("/healthz").await.status, 200);
    assert_eq!(owner.get("/api/v1/destinations").await.status, 200);
}

#[tokio::test]
async fn a_new_input_has_the_limits_of_the_configuration() {
    let limits = brookbox_store::InputLimits { bitrate_bps: 8_000_000, sessions: 3 };
    let test_box = TestBox::start_with(|config| config.input_limits = limits).await;
    let owner = test_box.claim().await;
    let made = owner.post("/api/v1/inputs", json!({"name": "Guest"})).await;
    assert_eq!(made.body["limits"], json!({"bitrateBps": 8_000_000, "sessions": 3}), "{made:?}");
    let made = owner.post("/api/v1/inputs", json!({"name": "Studio", "limits": {"sessions": 9}})).await;
    assert_eq!(made.body["limits"], json!({"bitrateBps": 8_000_000, "sessions": 9}), "{made:?}");
    let path = format!("/api/v1/inputs/{}", made.body["id"].as_str().unwrap());
    let changed = owner.patch(&path, json!({"limits": {"bitrateBps": 5_000_000}})).await;
    assert_eq!(changed.body["limits"], json!({"bitrateBps": 5_000_000, "sessions": 9}), "{changed:?}");
}
