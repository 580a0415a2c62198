//! Who may do what: every route of the document, tried by everybody.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::time::Duration;

use brookbox_store::{Role, Scope, Time};
use common::{Client, TestBox};
use serde_json::{Value, json};

/// What the document says of one operation.
#[derive(Debug)]
struct Operation {
    method: String,
    path: String,
    access: Value,
    takes_body: bool,
}

impl Operation {
    /// The path with ids that nothing has: what is asked is whether one may, not whether it works.
    fn real_path(&self) -> String {
        self.path.replace("{input}", "main").replace("{id}", "nobody-has-this").replace("{address}", "192.0.2.9")
    }

    async fn ask(&self, client: &Client) -> common::Answer {
        // An empty object: nothing is changed by those who may, where fields are needed.
        let body = self.takes_body.then(|| json!({"nothing": "of this kind"}));
        client.send(&self.method, &self.real_path(), body).await
    }
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&brookbox_api::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                access: operation["x-brookbox-access"].clone(),
                takes_body: operation["requestBody"].is_object(),
            });
        }
    }
    assert!(all.len() > 50);
    all
}

/// Whether the answer is a refusal for want of rights, and which.
fn refusal(answer: &common::Answer) -> Option<&str> {
    match (answer.status, answer.code()) {
        (401, "not_signed_in") | (403, "not_allowed" | "password_needed" | "bad_origin") | (409, "not_claimed") => {
            Some(answer.code())
        }
        _ => None,
    }
}

fn rank(role: &str) -> usize {
    ["viewer", "operator", "owner"].iter().position(|known| *known == role).unwrap()
}

#[tokio::test]
async fn before_the_claim_only_what_is_open_answers() {
    let test_box = TestBox::start().await;
    let client = test_box.client();
    for operation in operations() {
        let answer = operation.ask(&client).await;
        if operation.access["beforeClaim"] == true {
            assert_eq!(refusal(&answer), None, "{operation:?}: {answer:?}");
        } else {
            assert_eq!(refusal(&answer), Some("not_claimed"), "{operation:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn nobody_in_particular_gets_nothing() {
    let (test_box, _) = TestBox::claimed().await;
    let mut remote = test_box.client();
    for operation in operations() {
        let answer = operation.ask(&test_box.client()).await;
        let open = operation.access["role"].is_null();
        match operation.path.as_str() {
            "/metrics" => assert_eq!(answer.status, 200, "from the box itself"),
            _ if open => assert_eq!(refusal(&answer), None, "{operation:?}: {answer:?}"),
            _ => assert_eq!(refusal(&answer), Some("not_signed_in"), "{operation:?}: {answer:?}"),
        }
        // A cookie or token that nobody was given is none.
        if !open {
            remote.cookies = vec![("brookbox".into(), "x".repeat(43))];
            assert_eq!(refusal(&operation.ask(&remote).await), Some("not_signed_in"), "{operation:?}");
            remote.cookies.clear();
            remote.token = Some("bbx_0000000000000000000000000000000000000000000".into());
            assert_eq!(refusal(&operation.ask(&remote).await), Some("not_signed_in"), "{operation:?}");
            remote.token = None;
        }
    }
}

#[tokio::test]
async fn each_role_may_what_the_document_says() {
    let (test_box, _owner) = TestBox::claimed().await;
    let stale = Time::now().before(Duration::from_secs(601));
    for role in Role::ALL {
        for (is_fresh, since) in [(true, Time::now()), (false, stale)] {
            for operation in operations() {
                // Anew each time: signing out is one of the operations.
                let client = test_box.somebody_since(*role, since);
                let answer = operation.ask(&client).await;
                let expected = match (&operation.access, operation.path.as_str()) {
                    (_, "/metrics") => None,
                    (access, _) if access["role"].is_null() => None,
                    (access, _) if rank(role.as_str()) < rank(access["role"].as_str().unwrap()) => Some("not_allowed"),
                    (access, _) if access["recentPassword"] == true && !is_fresh => Some("password_needed"),
                    _ => None,
                };
                assert_eq!(refusal(&answer), expected, "{role}, fresh {is_fresh}: {operation:?}: {answer:?}");
                for user in test_box.store.users().unwrap() {
                    if user.username != "mara" {
                        let _ = test_box.store.delete_user(&user.id);
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn each_scope_may_what_the_document_says() {
    let (test_box, _owner) = TestBox::claimed().await;
    for scope in Scope::ALL {
        let client = test_box.token(&[*scope]);
        for operation in operations() {
            let answer = operation.ask(&client).await;
            let order = ["read", "operate", "admin"];
            let place = |scope: &str| order.iter().position(|known| *known == scope);
            let access = &operation.access;
            let expected = match (access["scope"].as_str(), operation.path.as_str()) {
                (_, "/metrics") => None,
                (None, _) if access["role"].is_null() => None,
                (None, _) => Some("not_allowed"),
                (Some(needed), _) if place(scope.as_str()) < place(needed) => Some("not_allowed"),
                _ => None,
            };
            assert_eq!(refusal(&answer), expected, "{scope}: {operation:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_an_owner_does_in_person_no_token_does() {
    let (test_box, _owner) = TestBox::claimed().await;
    let admin = test_box.token(&[Scope::Admin, Scope::Operate, Scope::Read, Scope::Metrics]);
    for (method, path) in [
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/users"),
        ("PATCH", "/api/v1/users/x"),
        ("DELETE", "/api/v1/users/x"),
        ("POST", "/api/v1/users/x/reset"),
        ("POST", "/api/v1/inputs/main/key"),
        ("POST", "/api/v1/inputs/main/obs"),
        ("POST", "/api/v1/inputs/main/obs/restore"),
        ("POST", "/api/v1/watch-links"),
        ("POST", "/api/v1/me/password"),
        ("POST", "/api/v1/me/confirm"),
        ("POST", "/api/v1/logout"),
    ] {
        let answer = admin.send(method, path, Some(json!({}))).await;
        assert_eq!((answer.status, answer.code()), (403, "not_allowed"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_token_never_exceeds_its_maker() {
    let (test_box, _owner) = TestBox::claimed().await;
    let admin = test_box.token(&[Scope::Admin]);
    assert_eq!(admin.get("/api/v1/users").await.status, 200);
    let maker = test_box.store.user_by_name("mara").unwrap().unwrap();
    let other = test_box.somebody(Role::Owner);
    let path = format!("/api/v1/users/{}", maker.id);
    assert_eq!(other.patch(&path, json!({"role": "viewer"})).await.status, 200);
    assert_eq!(admin.get("/api/v1/users").await.code(), "not_allowed");
    assert_eq!(admin.get("/api/v1/inputs").await.status, 200);
    assert_eq!(admin.get("/api/v1/me").await.body["role"], "viewer");
    assert_eq!(other.delete(&path).await.status, 204);
    assert_eq!(admin.get("/api/v1/inputs").await.status, 401, "it ends with its maker");
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_their_scope() {
    let (test_box, owner) = TestBox::claimed().await;
    let nobody = test_box.client();
    let here = nobody.get("/metrics").await;
    assert_eq!(here.status, 200);
    assert!(here.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(here.text.ends_with("# EOF\n") && here.text.contains("brookbox_build_info"));
    // What a proxy forwards is not from this machine, whatever the connection says.
    for header in ["Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4", "Via: 1.1 proxy"] {
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{header}\r\n\r\n", test_box.http);
        assert_eq!(common::raw(test_box.http, request.as_bytes()).await.status, 401, "{header}");
    }
    // Neither is what asks by another name than this machine's own.
    let request = b"GET /metrics HTTP/1.1\r\nHost: river-street.local\r\nConnection: close\r\n\r\n";
    assert_eq!(common::raw(test_box.http, request).await.status, 401);
    for (scope, status) in [(Scope::Metrics, 200), (Scope::Read, 403), (Scope::Admin, 403)] {
        let mut token = test_box.token(&[scope]);
        token.host = "river-street.local".into();
        assert_eq!(token.get("/metrics").await.status, status, "{scope}");
    }
    drop(owner);
}
