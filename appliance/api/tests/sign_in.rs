//! Signing in, staying signed in, and guessing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::time::{Duration, Instant};

use brookbox_store::{Role, Scope, Time};
use common::{PASSWORD, TestBox};
use serde_json::json;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn the_cookie_is_as_the_rules_say() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut client = test_box.client();
    let answer = client.log_in("MARA", PASSWORD).await;
    assert_eq!((answer.status, &answer.body["username"]), (200, &json!("mara")), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let cookies = answer.all("set-cookie");
    let session = cookies.iter().find(|cookie| cookie.starts_with("brookbox=")).unwrap();
    for attribute in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(session.contains(attribute), "{session}");
    }
    assert!(!session.contains("Domain") && !session.contains("Secure"), "{session}");
    let secret = session.split(['=', ';']).nth(1).unwrap();
    assert_eq!(secret.len(), 43, "256 bits");
    assert_ne!(client.cookies, owner.cookies, "each sign-in is new");
    let database = std::fs::read(test_box.dir.path().join("data/brookbox.db-wal")).unwrap();
    assert!(!database.windows(43).any(|window| window == secret.as_bytes()), "only its hash is stored");

    let out = client.post("/api/v1/logout", json!({})).await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").unwrap().starts_with("brookbox=; "));
    assert_eq!(client.get("/api/v1/me").await.status, 401);
    assert_eq!(owner.get("/api/v1/me").await.status, 200);
}

#[tokio::test]
async fn sign_ins_end_when_unused_and_when_old() {
    let (test_box, _owner) = TestBox::claimed().await;
    let id = test_box.store.users().unwrap()[0].id.clone();
    let now = Time::now();
    for (used, made, status) in [(0, 0, 200), (29, 29, 200), (30, 30, 401), (0, 89, 200), (0, 90, 401)] {
        let client = test_box.signed_in(&id, |sign_in| {
            sign_in.last_used = now.before(DAY * used);
            sign_in.created_at = now.before(DAY * made);
        });
        assert_eq!(client.get("/api/v1/me").await.status, status, "used {used}, made {made} days ago");
    }
}

#[tokio::test]
async fn sign_ins_are_listed_and_ended() {
    let (test_box, owner) = TestBox::claimed().await;
    let viewer = test_box.somebody(Role::Viewer);
    let own = viewer.get("/api/v1/signins").await.body;
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert_eq!((&own[0]["current"], &own[0]["address"]), (&json!(true), &json!("127.0.0.1")));
    let all = owner.get("/api/v1/signins").await.body;
    assert_eq!(all.as_array().unwrap().len(), 2, "an owner sees everybody's");
    let owners = all.as_array().unwrap().iter().find(|one| one["username"] == "mara").unwrap();
    let path = format!("/api/v1/signins/{}", owners["id"].as_str().unwrap());
    assert_eq!(viewer.get(&path).await.status, 404);
    assert_eq!(viewer.delete(&path).await.status, 404, "a viewer ends nobody else's");
    assert_eq!(owner.get(&path).await.body["current"], true);
    let path = format!("/api/v1/signins/{}", own[0]["id"].as_str().unwrap());
    assert_eq!(owner.delete(&path).await.status, 204);
    assert_eq!(viewer.get("/api/v1/me").await.status, 401);
}

#[tokio::test]
async fn all_sign_ins_end_at_once() {
    let (test_box, owner) = TestBox::claimed().await;
    let mara = test_box.store.users().unwrap()[0].id.clone();
    let elsewhere = test_box.signed_in(&mara, |_| {});
    let answer = owner.delete("/api/v1/signins?keep=current").await;
    assert_eq!((answer.status, answer.header("set-cookie")), (204, None));
    assert_eq!((owner.get("/api/v1/me").await.status, elsewhere.get("/api/v1/me").await.status), (200, 401));
    assert_eq!(owner.delete("/api/v1/signins?keep=mine").await.errors(), ["keep:unknown_value"]);

    let viewer = test_box.somebody(Role::Viewer);
    let jonas = viewer.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
    let also = test_box.signed_in(&jonas, |_| {});
    assert_eq!(viewer.delete(&format!("/api/v1/users/{mara}/signins")).await.code(), "not_allowed");
    assert_eq!(owner.delete(&format!("/api/v1/users/{jonas}/signins")).await.status, 204);
    assert_eq!((viewer.get("/api/v1/me").await.status, also.get("/api/v1/me").await.status), (401, 401));
    assert_eq!(owner.delete("/api/v1/users/nobody/signins").await.status, 404);

    let answer = owner.delete("/api/v1/signins").await;
    assert!(answer.header("set-cookie").unwrap().starts_with("brookbox=; "), "{answer:?}");
    assert_eq!(owner.get("/api/v1/me").await.status, 401);
    let told = test_box.store.events(None, 50).unwrap();
    assert_eq!(told.iter().filter(|event| event.code == "signed_out_everywhere").count(), 3);
}

#[tokio::test]
async fn a_password_is_asked_for_again_after_ten_minutes() {
    let (test_box, _owner) = TestBox::claimed().await;
    let id = test_box.store.users().unwrap()[0].id.clone();
    let client = test_box.signed_in(&id, |sign_in| {
        sign_in.password_entered_at = Time::now().before(Duration::from_secs(660));
    });
    assert_eq!(client.get("/api/v1/me").await.body["recentPasswordUntil"], json!(null));
    let refused = client.post("/api/v1/inputs/main/key", json!({})).await;
    assert_eq!((refused.status, refused.code()), (403, "password_needed"));
    let wrong = client.post("/api/v1/me/confirm", json!({"password": "not it at all"})).await;
    assert_eq!((wrong.status, wrong.code()), (401, "wrong_password"));
    let right = client.post("/api/v1/me/confirm", json!({"password": PASSWORD})).await;
    assert_eq!(right.status, 200);
    assert!(right.body["recentPasswordUntil"].is_string());
    assert_eq!(client.post("/api/v1/inputs/main/key", json!({})).await.status, 200);
}

#[tokio::test]
async fn guessing_becomes_slow_and_the_owner_is_not_locked_out() {
    let (test_box, owner) = TestBox::claimed().await;
    let stranger = test_box.client();
    let guess = json!({"username": "mara", "password": "not the right one"});
    let mut waits = Vec::new();
    let begun = Instant::now();
    while waits.len() < 3 && begun.elapsed() < Duration::from_secs(30) {
        let answer = stranger.post("/api/v1/login", guess.clone()).await;
        match answer.status {
            401 => assert_eq!(answer.code(), "wrong_password"),
            429 => {
                assert_eq!(answer.code(), "too_many_attempts");
                let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                waits.push(wait);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(waits, [1, 2, 4], "each failure after the second costs twice the wait");
    assert_eq!(stranger.post("/api/v1/login", guess.clone()).await.status, 401);
    let right = json!({"username": "mara", "password": PASSWORD});
    assert_eq!(stranger.post("/api/v1/login", right.clone()).await.status, 429, "also for the right one");
    // The owner's browser, which has signed in before, at the same address.
    let mut known = owner.clone();
    known.cookies.retain(|(name, _)| name == "brookbox-device");
    assert_eq!(known.cookies.len(), 1);
    assert_eq!(known.post("/api/v1/login", right).await.status, 200);
    // Nor does the device help against its own guesses, or for somebody else's account.
    for _ in 0..3 {
        assert_eq!(known.post("/api/v1/login", guess.clone()).await.status, 401);
    }
    assert_eq!(known.post("/api/v1/login", guess.clone()).await.status, 429);
    let events = owner.get("/api/v1/events").await.body;
    let told = events.as_array().unwrap().iter().find(|event| event["code"] == "sign_in_refused").unwrap();
    assert_eq!((&told["params"]["username"], &told["params"]["count"]), (&json!("mara"), &json!(5)));
}

#[tokio::test]
async fn an_unknown_name_says_no_more_than_a_wrong_password() {
    let (test_box, _owner) = TestBox::claimed().await;
    let client = test_box.client();
    let mut took = [Duration::ZERO; 2];
    let mut answers = Vec::new();
    for round in 0..2 {
        for (at, name) in ["mara", "nobody"].iter().enumerate() {
            let begun = Instant::now();
            let answer = client
                .post("/api/v1/login", json!({"username": name, "password": format!("wrong number {round}")}))
                .await;
            took[at] += begun.elapsed();
            answers.push((answer.status, answer.text));
        }
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    let ratio = took[0].as_secs_f64() / took[1].as_secs_f64();
    assert!((0.2..5.0).contains(&ratio), "{took:?}");
}

#[tokio::test]
async fn a_flood_of_sign_ins_is_bounded_and_leaves_the_rest_alone() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut flood = Vec::new();
    for number in 1..=80u8 {
        let request = owner.request("POST", "/api/v1/login", Some(guess(number)));
        let from = std::net::IpAddr::from([127, 0, 1, number]);
        flood.push(tokio::spawn(common::raw_from(from, test_box.http, request.into_bytes())));
    }
    tokio::time::sleep(Duration::from_millis(30)).await;
    let begun = Instant::now();
    assert_eq!(owner.get("/api/v1/status").await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let mut busy = 0;
    for one in flood {
        let answer = one.await.unwrap();
        match answer.status {
            401 => {}
            503 => {
                assert_eq!((answer.code(), answer.header("retry-after")), ("busy", Some("1")));
                busy += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(busy > 0, "not all of 80 at once are let in");
}

fn guess(number: u8) -> serde_json::Value {
    json!({"username": format!("user{number}"), "password": "whatever it is"})
}

#[tokio::test]
async fn a_known_device_signs_in_during_a_flood() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut known = owner.clone();
    known.cookies.retain(|(name, _)| name == "brookbox-device");
    let id = test_box.store.users().unwrap()[0].id.clone();
    let session = test_box.signed_in(&id, |_| {});
    // From the owner's own address, which names a new account each time; and from many addresses of a network.
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut flood = Vec::new();
    for number in 1..=60u8 {
        let from = std::net::IpAddr::from(if number <= 20 { [127, 0, 0, 1] } else { [127, 0, 1, number] });
        let (client, http, over) = (test_box.client(), test_box.http, over.clone());
        flood.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for round in 0..u32::MAX {
                if over.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let guess = json!({"username": format!("user{number} {round}"), "password": "whatever it is"});
                let request = client.request("POST", "/api/v1/login", Some(guess));
                answers.push(common::raw_from(from, http, request.into_bytes()).await.status);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answers
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..3 {
        let begun = Instant::now();
        let answer = known.post("/api/v1/login", json!({"username": "mara", "password": PASSWORD})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "signing in: {:?}", begun.elapsed());
        let begun = Instant::now();
        assert_eq!(session.post("/api/v1/me/confirm", json!({"password": PASSWORD})).await.status, 200);
        assert!(begun.elapsed() < Duration::from_secs(2), "confirming: {:?}", begun.elapsed());
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut of_the_own_address = Vec::new();
    for (number, one) in flood.into_iter().enumerate() {
        let answers = one.await.unwrap();
        assert!(answers.iter().all(|status| [401, 429, 503].contains(status)), "{answers:?}");
        if number < 20 {
            of_the_own_address.extend(answers);
        }
    }
    let checked = of_the_own_address.iter().filter(|status| **status == 401).count();
    assert!(checked <= 16, "ten are free, few are under way at once, then each waits: {checked}");
}

#[tokio::test]
async fn people_come_and_go_and_an_owner_stays() {
    let (test_box, owner) = TestBox::claimed().await;
    let new = json!({"username": "jonas", "password": "a long password", "role": "operator"});
    let made = owner.post("/api/v1/users", new.clone()).await;
    assert_eq!((made.status, &made.body["role"]), (201, &json!("operator")), "{made:?}");
    assert!(!made.text.contains("password"));
    assert_eq!(owner.post("/api/v1/users", new).await.errors(), ["username:conflict"]);
    let bad =
        owner.post("/api/v1/users", json!({"username": " x", "password": "short", "role": "king", "age": 3})).await;
    assert_eq!(bad.errors(), ["username:spaces", "password:too_short", "role:unknown_value", "age:unknown_field"]);
    let same =
        owner.post("/api/v1/users", json!({"username": "password123", "password": "Password123", "role": "viewer"}));
    assert_eq!(same.await.errors(), ["password:too_simple"]);

    let mut jonas = test_box.client();
    assert_eq!(jonas.log_in("jonas", "a long password").await.body["role"], "operator");
    let path = format!("/api/v1/users/{}", made.body["id"].as_str().unwrap());
    assert_eq!(jonas.get(&path).await.status, 403);
    let changed = owner.patch(&path, json!({"role": "viewer"})).await;
    assert_eq!((changed.status, &changed.body["role"]), (200, &json!("viewer")));
    assert_eq!(jonas.get("/api/v1/me").await.status, 401, "another role is another sign-in");
    assert_eq!(owner.patch(&path, json!({"role": null})).await.errors(), ["role:wrong_type"]);
    assert_eq!(owner.patch(&path, json!({"id": "x"})).await.errors(), ["id:read_only"]);

    assert_eq!(owner.post(&format!("{path}/reset"), json!({"password": "another long one"})).await.status, 200);
    assert_eq!(jonas.log_in("jonas", "a long password").await.status, 401);
    assert_eq!(jonas.log_in("jonas", "another long one").await.status, 200);
    assert_eq!(owner.delete(&path).await.status, 204);
    assert_eq!(jonas.get("/api/v1/me").await.status, 401);

    let mara = owner.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{mara}");
    assert_eq!(owner.patch(&path, json!({"role": "viewer"})).await.code(), "last_owner");
    assert_eq!(owner.delete(&path).await.code(), "last_owner");
    let codes: Vec<_> =
        owner.get("/api/v1/events").await.body.as_array().unwrap().iter().map(|e| e["code"].clone()).collect();
    for code in ["user_added", "user_changed", "password_reset", "user_deleted"] {
        assert!(codes.contains(&json!(code)), "{code}");
    }
}

#[tokio::test]
async fn passwords_have_ten_to_128_characters() {
    let test_box = TestBox::start().await;
    let client = test_box.client();
    for (password, code) in [("x".repeat(9), "password:too_short"), ("ü".repeat(129), "password:too_long")] {
        let answer = client.post("/api/v1/setup", json!({"username": "mara", "password": password})).await;
        assert_eq!(answer.errors(), [code]);
    }
    let bad = client.post("/api/v1/setup", json!({"boxName": "no dots.here", "language": "xx", "extra": true})).await;
    assert_eq!(
        bad.errors(),
        [
            "username:required",
            "password:required",
            "boxName:characters",
            "language:unknown_value",
            "extra:unknown_field"
        ]
    );
    let longest = "ü".repeat(128);
    assert_eq!(client.post("/api/v1/setup", json!({"username": "mara", "password": longest})).await.status, 201);
    let mut again = test_box.client();
    assert_eq!(again.log_in("mara", &"ü".repeat(128)).await.status, 200);
}

#[tokio::test]
async fn the_setup_code_works_once_and_guessing_it_becomes_slow() {
    let test_box = TestBox::start().await;
    let client = test_box.client();
    let claim = |code: &str| json!({"username": "mara", "password": PASSWORD, "code": code});
    assert_eq!(
        client.post("/api/v1/setup", claim("AAAA-AAAA-AAAA")).await.code(),
        "wrong_setup_code",
        "there is none yet"
    );
    let first = brookbox_api::make_setup_code(&test_box.store).unwrap();
    let second = brookbox_api::make_setup_code(&test_box.store).unwrap();
    let (first, second) = (secrecy::ExposeSecret::expose_secret(&first), secrecy::ExposeSecret::expose_secret(&second));
    assert_eq!(client.post("/api/v1/setup", claim(first)).await.code(), "wrong_setup_code", "a new one replaces it");
    assert_eq!(client.post("/api/v1/setup", claim("")).await.code(), "wrong_setup_code");
    let waiting = client.post("/api/v1/setup", claim(second)).await;
    assert_eq!(waiting.code(), "too_many_attempts");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let typed = second.to_lowercase().replace('-', " ");
    assert_eq!(client.post("/api/v1/setup", claim(&typed)).await.status, 201);
    assert_eq!(client.post("/api/v1/setup", claim(second)).await.code(), "already_claimed");
    assert!(brookbox_api::make_setup_code(&test_box.store).is_err(), "no code for a box that is somebody's");
}

#[tokio::test]
async fn an_old_setup_code_is_none() {
    let test_box = TestBox::start().await;
    let code = brookbox_api::make_setup_code(&test_box.store).unwrap();
    let mut stored: serde_json::Value = test_box.store.setting("setupCode").unwrap().unwrap();
    stored["madeMs"] = json!(stored["madeMs"].as_i64().unwrap() - 30 * 60 * 1000 - 1);
    test_box.store.put_setting("setupCode", &stored).unwrap();
    let code = secrecy::ExposeSecret::expose_secret(&code);
    let claim = json!({"username": "mara", "password": PASSWORD, "code": code});
    assert_eq!(test_box.client().post("/api/v1/setup", claim).await.code(), "wrong_setup_code");
}

#[tokio::test]
async fn a_token_ends_and_is_never_a_cookie() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut token = test_box.token(&[Scope::Read]);
    let secret = token.token.take().unwrap();
    token.cookies = vec![("brookbox".into(), secrecy::ExposeSecret::expose_secret(&secret).to_owned())];
    assert_eq!(token.get("/api/v1/inputs").await.status, 401);
    for (body, error) in [
        (json!({"name": "x", "scopes": []}), "scopes:too_short"),
        (json!({"name": "x", "scopes": ["root"]}), "scopes:unknown_value"),
        (json!({"name": "x", "scopes": "read"}), "scopes:wrong_type"),
        (json!({"name": "x", "scopes": ["read"], "expiresInDays": 0}), "expiresInDays:out_of_range"),
        (json!({"scopes": ["read"]}), "name:required"),
    ] {
        assert_eq!(owner.post("/api/v1/tokens", body).await.errors(), [error]);
    }
}
