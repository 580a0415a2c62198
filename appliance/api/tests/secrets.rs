//! Secrets stay where they belong: no answer, log, event or figure shows one, whatever goes wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::sync::{Arc, Mutex};

use brookbox_store::Scope;
use common::{PASSWORD, TestBox};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // All of the box's own, at every level.
        metadata.target().starts_with("brookbox")
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_secret_shows_anywhere() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let (test_box, owner) = TestBox::claimed().await;
    let mut seen = String::new();
    let mut note = |answer: &common::Answer| {
        seen.push_str(&format!("{:?}\n{}\n", answer.headers, answer.text));
    };

    // Right and wrong, each with a canary where a secret belongs or where people put one by mistake.
    let key = "canary-destination-key";
    let made = owner
        .post(
            "/api/v1/destinations",
            json!({"url": "rtmp://192.0.2.7/app", "key": key, "username": "u", "password": "canary-destination-password"}),
        )
        .await;
    assert_eq!(made.status, 201);
    note(&made);
    let path = format!("/api/v1/destinations/{}", made.body["id"].as_str().unwrap());
    for body in [
        json!({"url": "rtmp://192.0.2.7/app/canary-destination-key"}),
        json!({"key": "${STREAM_KEY}"}),
        json!({"key": "canary with blanks"}),
        json!({"key": "rtmp://host/app/canary-url-key"}),
        json!({"key": ["canary-in-a-list"]}),
        json!({"key": "${canary-as-a-variable}"}),
        json!({"url": "rtmp://user:canary-url-password@192.0.2.7/app"}),
        json!({"url": "rtmp://${canary-as-a-variable}/app"}),
        json!({"url": "rtmp://canary host/app"}),
        json!({"password": {"canary": 1}}),
        json!({"password": 1}),
        json!("canary-as-the-body"),
    ] {
        let answer = owner.patch(&path, body).await;
        note(&answer);
    }
    let broken = format!(
        "PATCH {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}Content-Type: application/json\r\nContent-Length: 30\r\n\r\n{{\"key\": \"canary-in-broken-json",
        test_box.http,
        owner.credentials()
    );
    note(&common::raw(test_box.http, broken.as_bytes()).await);
    for action in ["on", "retry", "off"] {
        note(&owner.post(&format!("{path}/{action}"), json!({})).await);
    }

    note(&owner.post("/api/v1/broadcast/start", json!({})).await);

    note(&owner.post("/api/v1/inputs/main/rotate-key", json!({"key": "canary-input-key-2026"})).await);
    note(&owner.post("/api/v1/inputs/main/rotate-key", json!({"key": "canary input key"})).await);
    note(&owner.post("/api/v1/inputs", json!({"name": "Thief", "key": "canary-input-key-2026"})).await);
    let shown = owner.post("/api/v1/inputs/main/key", json!({})).await;
    assert_eq!(shown.body["key"], "canary-input-key-2026", "the one answer that holds it");

    let stranger = test_box.client();
    for body in [
        json!({"username": "mara", "password": "canary-wrong-password"}),
        json!({"username": "canary-password-as-name", "password": "x"}),
        json!({"username": "mara", "password": ["canary-password-list"]}),
    ] {
        note(&stranger.post("/api/v1/login", body).await);
    }
    for _ in 0..6 {
        note(&stranger.post("/api/v1/login", json!({"username": "canary-password-as-name", "password": "x"})).await);
    }
    note(&owner.post("/api/v1/me/confirm", json!({"password": "canary-wrong-password"})).await);
    note(&owner.post("/api/v1/me/password", json!({"currentPassword": "canary-wrong", "newPassword": "canary"})).await);
    note(&owner.post("/api/v1/users", json!({"username": "j", "password": "canary-new-user", "role": "viewer"})).await);
    note(&stranger.get("/api/v1/inputs?token=bbx_canary").await);
    let mut by_token = test_box.token(&[Scope::Admin]);
    by_token.token = Some("bbx_canary-token".into());
    note(&by_token.get("/api/v1/inputs").await);

    for list in [
        "/api/v1/inputs",
        "/api/v1/destinations",
        "/api/v1/users",
        "/api/v1/tokens",
        "/api/v1/signins",
        "/api/v1/events",
        "/api/v1/status",
        "/api/v1/sessions",
        "/api/v1/refusals",
        "/api/v1/system",
        "/api/v1/system/logs",
        "/api/v1/system/support-file",
        "/api/v1/jobs",
        "/metrics",
    ] {
        let answer = owner.get(list).await;
        assert_eq!(answer.status, 200);
        note(&answer);
    }

    let session = &owner.cookies.iter().find(|(name, _)| name == "brookbox").unwrap().1;
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("broadcast_started"), "the log is listened to: {logged}");
    for (place, text) in [("an answer", &seen), ("the log", &logged)] {
        for secret in ["canary", "variable-canary-value", PASSWORD, "$argon2id", session] {
            let at = text.find(secret).map(|at| &text[at.saturating_sub(120)..(at + 60).min(text.len())]);
            assert_eq!(at, None, "{secret} shows in {place}");
        }
    }
    let hint: Value = serde_json::from_str(&owner.get(&path).await.text).unwrap();
    assert_eq!(hint["keyHint"].as_str().unwrap().chars().count(), 5);
}
