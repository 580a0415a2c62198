//! A lost password: a hand on the box opens a short way in, and everything that was before ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use brookbox_store::{Role, Scope, Time};
use common::{PASSWORD, TestBox};
use serde_json::json;

const NEW: &str = "another horse, another battery";

/// A claimed box that was started again with the file.
async fn asked() -> (TestBox, common::Client) {
    let (first, owner) = TestBox::claimed().await;
    let dir = first.stop().await;
    let again = TestBox::start_in(dir, |config| config.password_reset = true).await;
    let owner = common::Client { address: again.http, host: again.http.to_string(), ..owner };
    (again, owner)
}

#[tokio::test]
async fn a_new_password_ends_everything_and_is_told() {
    let (test_box, owner) = asked().await;
    let token = test_box.token(&[Scope::Admin]);
    let mut stranger = test_box.client();
    let setup = stranger.get("/api/v1/setup").await.body;
    assert!((890..=900).contains(&setup["passwordResetLeftS"].as_u64().unwrap()), "{setup}");
    assert_eq!(owner.get("/api/v1/system").await.status, 200);

    let link = owner.post("/api/v1/watch-links", json!({"name": "Family", "input": "main"})).await;
    assert_eq!(link.status, 201, "{link:?}");

    let answer = stranger.post("/api/v1/setup/password", json!({"password": NEW})).await;
    assert_eq!((answer.status, answer.body["username"].as_str()), (200, Some("mara")));
    assert_eq!(owner.get("/api/v1/system").await.status, 401);
    assert_eq!(token.get("/api/v1/system").await.status, 401);
    assert!(test_box.store.watch_links(Time::now()).unwrap().is_empty());
    let sign_in = |password: &str| json!({"username": "mara", "password": password});
    assert_eq!(stranger.post("/api/v1/login", sign_in(PASSWORD)).await.status, 401);
    let answer = stranger.post("/api/v1/login", sign_in(NEW)).await;
    assert_eq!(answer.status, 200);
    stranger.take_cookies(&answer);

    let system = stranger.get("/api/v1/system").await.body;
    assert_eq!(system["passwordReset"]["username"], "mara");
    let events = stranger.get("/api/v1/events").await.body;
    assert!(events.as_array().unwrap().iter().any(|event| event["code"] == "password_lost"), "{events}");
    // It opens once.
    assert!(stranger.get("/api/v1/setup").await.body["passwordResetLeftS"].is_null());
    assert_eq!(stranger.post("/api/v1/setup/password", json!({"password": NEW})).await.status, 403);
}

#[tokio::test]
async fn the_notice_goes_after_seven_days() {
    let (test_box, owner) = TestBox::claimed().await;
    let days = |days: i64| Time::now().as_ms() - days * 86_400_000;
    for (at_ms, shown) in [(days(6), true), (days(8), false), (days(-9), true)] {
        let notice = json!({"at": "2026-01-01T00:00:00Z", "address": "192.168.1.9", "username": "mara"});
        test_box.store.put_setting("passwordReset", &json!({"at_ms": at_ms, "notice": notice})).unwrap();
        assert_eq!(owner.get("/api/v1/system").await.body["passwordReset"].is_object(), shown, "{at_ms}");
    }
}

#[tokio::test]
async fn without_the_file_there_is_no_way() {
    let (test_box, _) = TestBox::claimed().await;
    let stranger = test_box.client();
    assert!(stranger.get("/api/v1/setup").await.body["passwordResetLeftS"].is_null());
    let answer = stranger.post("/api/v1/setup/password", json!({"password": NEW})).await;
    assert_eq!((answer.status, answer.body["code"].as_str()), (403, Some("password_reset_closed")));
}

#[tokio::test]
async fn it_is_for_owners_and_for_good_passwords() {
    let (test_box, _) = asked().await;
    test_box.somebody(Role::Viewer);
    let stranger = test_box.client();
    let viewer = test_box.store.users().unwrap().into_iter().find(|user| user.role == Role::Viewer).unwrap();
    let ask = |body| stranger.post("/api/v1/setup/password", body);
    assert_eq!(ask(json!({"username": viewer.username, "password": NEW})).await.status, 404);
    assert_eq!(ask(json!({"password": "short"})).await.status, 422);
    test_box.somebody(Role::Owner);
    assert_eq!(ask(json!({"password": NEW})).await.status, 404, "which of the two?");
    assert_eq!(ask(json!({"username": "Mara", "password": NEW})).await.status, 200);
}

#[tokio::test]
async fn it_is_not_for_who_comes_through_a_proxy() {
    let (test_box, _) = asked().await;
    let stranger = test_box.client();
    let request = stranger.request("GET", "/api/v1/setup", None);
    let forwarded = request.replacen("\r\n", "\r\nx-forwarded-for: 203.0.113.9\r\n", 1);
    let setup = common::raw(test_box.http, forwarded.as_bytes()).await.body;
    assert!(setup["passwordResetLeftS"].is_null(), "{setup}");
}
