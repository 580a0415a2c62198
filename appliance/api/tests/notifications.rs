//! Whom the box tells what happens, with a real server that is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brookbox_store::{NewEvent, Role, Severity, Time};
use common::{Answer, Client, TestBox, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A server that was not written here, in a process of its own.
struct Receiver {
    port: u16,
    told: Arc<Mutex<Vec<Value>>>,
    _process: Child,
}

impl Receiver {
    async fn start(arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receiver.py");
        let mut process = Command::new("python3")
            .arg(script)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("python3 is installed");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        let told = Arc::<Mutex<Vec<Value>>>::default();
        let kept = told.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { port, told, _process: process }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What was told at a path: the JSON of each message.
    fn at(&self, path: &str) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        let here = told.iter().filter(|one| one["path"] == path);
        here.map(|one| serde_json::from_str(one["body"].as_str().unwrap()).unwrap()).collect()
    }
}

async fn add(owner: &Client, url: &str, more: Value) -> String {
    let mut body = json!({"service": "webhook", "url": url, "allowLocal": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = owner.post("/api/v1/notifications", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

async fn test(owner: &Client, id: &str) -> Answer {
    owner.post(&format!("/api/v1/notifications/{id}/test"), json!({})).await
}

fn event(code: &str, params: Value) -> NewEvent {
    NewEvent {
        time: Time::now(),
        code: code.into(),
        severity: Severity::Error,
        input: None,
        destination: None,
        params: params.as_object().unwrap().clone(),
        sentence: "In the words of the log.".into(),
    }
}

#[tokio::test]
async fn settings_are_kept_and_secrets_never_read_back() {
    let (test_box, owner) = TestBox::claimed().await;
    let new = json!({"service": "webhook", "url": "https://hooks.example.com/canary-path", "token": "canary-token"});
    let answer = owner.post("/api/v1/notifications", new).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(
        (&answer.body["name"], &answer.body["address"], &answer.body["hasToken"]),
        (&json!("hooks.example.com"), &json!("https://hooks.example.com/…"), &json!(true))
    );
    assert_eq!(
        answer.body["kinds"],
        json!(["destination_failed", "stream_lost", "picture_and_sound", "box", "box_trouble"])
    );
    let path = format!("/api/v1/notifications/{}", answer.body["id"].as_str().unwrap());
    let mut seen = answer.text;

    // What is sent back as it was read changes nothing.
    let now = owner.get(&path).await;
    let same = owner.patch(&path, now.body.clone()).await;
    assert_eq!((same.status, &same.body), (200, &now.body), "{same:?}");
    let changed = owner.patch(&path, json!({"name": "Club", "kinds": [], "language": "ja", "enabled": false})).await;
    assert_eq!((&changed.body["name"], &changed.body["kinds"]), (&json!("Club"), &json!([])));
    // Another path of the same server keeps the token, another server does not get it.
    let moved = owner.patch(&path, json!({"url": "https://hooks.example.com/canary-other"})).await;
    assert_eq!(moved.body["hasToken"], true);
    let moved = owner.patch(&path, json!({"url": "https://other.example.com/canary-other"})).await;
    assert_eq!(moved.body["hasToken"], false);
    assert_eq!(owner.patch(&path, json!({"token": "canary-token"})).await.body["hasToken"], true);
    assert_eq!(owner.patch(&path, json!({"token": null})).await.body["hasToken"], false);
    seen += &(now.text + &changed.text + &moved.text + &owner.get("/api/v1/events").await.text);
    assert_eq!(owner.delete(&path).await.status, 204);
    assert_eq!(owner.get(&path).await.status, 404);
    assert!(!seen.contains("canary"), "{seen}");
    let database = std::fs::read(test_box.store.path()).unwrap();
    assert!(!database.windows(6).any(|window| window == b"canary"));
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let (test_box, owner) = TestBox::claimed().await;
    let post = async |body: Value| owner.post("/api/v1/notifications", body).await;
    let answer = post(json!({"service": "mail", "kinds": ["all"], "language": "xx", "token": "a b", "odd": 1})).await;
    assert_eq!(
        answer.errors(),
        [
            "service:unknown_value",
            "url:required",
            "token:characters",
            "kinds:unknown_value",
            "language:unknown_value",
            "odd:unknown_field"
        ]
    );
    for (url, code) in [
        ("http://192.168.1.2/hook", "address_not_allowed"),
        ("http://169.254.169.254/", "address_not_allowed"),
        ("ftp://example.com/", "invalid"),
    ] {
        assert_eq!(post(json!({"service": "webhook", "url": url})).await.code(), code, "{url}");
    }
    let own = format!("http://{}/api/v1/setup", test_box.http);
    let answer = post(json!({"service": "webhook", "url": own, "allowLocal": true})).await;
    assert_eq!(answer.code(), "address_not_allowed", "{answer:?}");
    assert_eq!(post(json!({"service": "ntfy", "url": "https://ntfy.sh/"})).await.errors(), ["url:topic"]);
    for _ in 0..16 {
        add(&owner, "https://hooks.example.com/", json!({})).await;
    }
    let answer = post(json!({"service": "webhook", "url": "https://hooks.example.com/"})).await;
    assert_eq!(answer.code(), "limit_reached");
}

#[tokio::test]
async fn a_test_says_what_the_server_said() {
    let (test_box, owner) = TestBox::claimed().await;
    let receiver = Receiver::start(&[]).await;
    let id = add(&owner, &receiver.url("/ok"), json!({"token": "canary-token", "language": "de"})).await;
    let answer = test(&owner, &id).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["sentence"], "127.0.0.1 took the message (200 OK).");
    let told = receiver.told.lock().unwrap()[0].clone();
    assert_eq!(told["headers"]["authorization"], "Bearer canary-token");
    assert_eq!(told["headers"]["content-type"], "application/json");
    assert_eq!(receiver.at("/ok")[0]["text"], "river-street: Das ist ein Test. Was die Box meldet, kommt hier an.");
    assert_eq!(owner.get(&format!("/api/v1/notifications/{id}")).await.body["last"]["taken"], true);

    let mut seen = String::new();
    for (path, code, status, sentence) in [
        ("/gone/gone-canary-path", "answered_no", json!(404), "127.0.0.1 answered 404 Not Found: no such webhook …"),
        ("/plain", "answered_no", json!(403), "127.0.0.1 answered 403 Forbidden: forbidden for Bearer …[31m"),
        ("/page", "answered_no", json!(502), "127.0.0.1 answered 502 Bad Gateway."),
        (
            "/moved",
            "moved",
            json!(307),
            "127.0.0.1 sends on to http://169.254.169.254/… (307 Temporary Redirect). Give that address.",
        ),
        ("/endless", "answered_no", json!(500), "127.0.0.1 answered 500 Internal Server Error."),
        ("/head", "not_http", json!(null), "What answers at 127.0.0.1 does not speak HTTP, or hung up."),
        ("/garbage", "not_http", json!(null), "What answers at 127.0.0.1 does not speak HTTP, or hung up."),
        ("/hangup", "not_http", json!(null), "What answers at 127.0.0.1 does not speak HTTP, or hung up."),
    ] {
        let url = receiver.url(path);
        let path = format!("/api/v1/notifications/{id}");
        owner.patch(&path, json!({"url": url})).await;
        let answer = owner.post(&format!("{path}/test"), json!({})).await;
        assert_eq!((answer.body["code"].as_str(), &answer.body["status"]), (Some(code), &status), "{answer:?}");
        assert_eq!(answer.body["sentence"], sentence);
        assert_eq!(answer.body["taken"], false);
        seen += &(answer.text + &owner.get(&path).await.text);
    }
    assert!(!seen.contains("canary"), "{seen}");
    drop(test_box);
}

#[tokio::test]
async fn whatever_a_server_does_has_an_end() {
    let (_test_box, owner) = TestBox::claimed().await;
    let receiver = Receiver::start(&[]).await;
    let most = Duration::from_secs(14);
    for (path, code) in [("/hang", "no_answer"), ("/drip", "no_answer"), ("/dripping_body", "answered_no")] {
        let id = add(&owner, &receiver.url(path), json!({})).await;
        let began = Instant::now();
        let answer = test(&owner, &id).await;
        assert_eq!(answer.body["code"], code, "{path}: {answer:?}");
        assert!(began.elapsed() < most, "{path}: {:?}", began.elapsed());
    }
    // Nobody listens there any more.
    let gone = receiver.url("/");
    drop(receiver);
    let id = add(&owner, &gone, json!({})).await;
    eventually("the port is closed", async || test(&owner, &id).await.body["code"] == "refused").await;
}

#[tokio::test]
async fn no_way_leads_where_it_must_not() {
    let (test_box, owner) = TestBox::claimed().await;
    let receiver = Receiver::start(&[]).await;
    // The box's own ingest, which is no HTTP anyway: not even dialled.
    let id = add(&owner, &format!("http://127.0.0.1:{}/", test_box.engine.rtmp().port()), json!({})).await;
    assert_eq!(test(&owner, &id).await.body["code"], "address_not_allowed");
    // A name that leads home: what it leads to is known when it is looked up, at each try.
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut names = hosts.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "127.0.0.1").then_some(words.next()?)
    });
    if let Some(name) = names.find(|name| !name.starts_with("localhost")) {
        let url = format!("http://{name}:{}/ok", receiver.port);
        let id = add(&owner, &url, json!({"allowLocal": false})).await;
        assert_eq!(test(&owner, &id).await.body["code"], "address_not_allowed");
        assert_eq!(receiver.at("/ok").len(), 0);
        owner.patch(&format!("/api/v1/notifications/{id}"), json!({"allowLocal": true})).await;
        assert_eq!(test(&owner, &id).await.body["code"], "taken");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_knows_is_not_trusted() {
    let (test_box, owner) = TestBox::claimed().await;
    let pem = test_box.dir.path().join("server.pem");
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(&pem)
        .arg("-out")
        .arg(test_box.dir.path().join("cert.pem"))
        .output()
        .expect("openssl is installed");
    assert!(made.status.success());
    let both = [&pem, &test_box.dir.path().join("cert.pem")].map(|file| std::fs::read(file).unwrap()).concat();
    std::fs::write(&pem, both).unwrap();
    let receiver = Receiver::start(&[pem.to_str().unwrap()]).await;
    let id = add(&owner, &receiver.url("/ok").replace("http:", "https:"), json!({})).await;
    let answer = test(&owner, &id).await;
    assert_eq!(answer.body["code"], "tls_untrusted", "{answer:?}");
    assert_eq!(receiver.at("/ok").len(), 0);
}

#[tokio::test]
async fn what_happens_is_told_to_those_who_want_to_know() {
    let (test_box, owner) = TestBox::claimed().await;
    let receiver = Receiver::start(&[]).await;
    add(&owner, &receiver.url("/failed"), json!({"kinds": ["destination_failed"], "language": "fr"})).await;
    add(&owner, &receiver.url("/accounts"), json!({"kinds": ["accounts"]})).await;
    add(&owner, &receiver.url("/off"), json!({"kinds": ["destination_failed", "accounts"], "enabled": false})).await;
    add(&owner, &receiver.url("/my-topic"), json!({"service": "ntfy", "kinds": ["destination_failed"]})).await;
    let params = json!({"name": "Club", "reason": "bad_key", "peer": "203.0.113.7:1", "program": "canary"});
    test_box.store.append_events(&[event("destination_failed", params.clone())]).unwrap();
    test_box.store.append_events(&[event("destination_failed", params)]).unwrap();
    owner.post("/api/v1/users", json!({"username": "jonas", "password": "another password", "role": "viewer"})).await;

    eventually("all are told", async || ["/failed", "/accounts", "/"].iter().all(|path| !receiver.at(path).is_empty()))
        .await;
    let sentence = "Club a refusé la clé de flux. Quelqu’un doit s’en occuper.";
    let failed = receiver.at("/failed");
    assert_eq!(failed.len(), 1, "told together: {failed:?}");
    assert_eq!(failed[0]["text"], format!("river-street: {sentence}\n{sentence}"));
    assert_eq!(failed[0]["events"][0]["params"], json!({"name": "Club", "reason": "bad_key"}));
    let ntfy = &receiver.at("/")[0];
    assert_eq!((&ntfy["topic"], &ntfy["title"]), (&json!("my-topic"), &json!("river-street")));
    assert_eq!(ntfy["priority"], 4);
    let accounts = &receiver.at("/accounts")[0];
    assert_eq!(accounts["text"], "river-street: mara let jonas in. Role: Viewer.");
    assert!(receiver.at("/off").is_empty());
    let all = format!("{:?}", receiver.told.lock().unwrap());
    assert!(!all.contains("canary") && !all.contains("203.0.113.7"), "{all}");
}

#[tokio::test]
async fn one_that_fails_is_tried_again_and_disturbs_nobody() {
    let (test_box, owner) = TestBox::claimed().await;
    let receiver = Receiver::start(&[]).await;
    let kinds = json!({"kinds": ["destination_failed"], "name": "Club's phone"});
    let hanging = add(&owner, &receiver.url("/hang"), kinds.clone()).await;
    let flaky = add(&owner, &receiver.url("/flaky"), kinds.clone()).await;
    add(&owner, &receiver.url("/busy"), kinds.clone()).await;
    add(&owner, &receiver.url("/gone"), kinds.clone()).await;
    add(&owner, &receiver.url("/ok"), kinds).await;
    let began = Instant::now();
    test_box.store.append_events(&[event("destination_failed", json!({"name": "Club", "reason": "dns"}))]).unwrap();
    eventually("the one that works is told", async || receiver.at("/ok").len() == 1).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    eventually("the others are told again", async || {
        receiver.at("/flaky").len() == 2 && receiver.at("/busy").len() == 2
    })
    .await;
    assert!(began.elapsed() > Duration::from_secs(5), "not at once");
    assert_eq!(receiver.at("/flaky")[0], receiver.at("/flaky")[1], "the same message");
    eventually("the hanging one is given up for now", async || {
        owner.get(&format!("/api/v1/notifications/{hanging}")).await.body["last"]["code"] == "no_answer"
    })
    .await;
    assert_eq!(owner.get(&format!("/api/v1/notifications/{hanging}")).await.body["waiting"], 1);
    let after = owner.get(&format!("/api/v1/notifications/{flaky}")).await;
    assert_eq!((&after.body["waiting"], &after.body["last"]["taken"]), (&json!(0), &json!(true)));
    assert_eq!(receiver.at("/gone").len(), 1, "a no is a no");
    let noted = async || owner.get("/api/v1/events?code=notification_failed").await.body.as_array().unwrap().len();
    eventually("all four are noted", async || noted().await == 4).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(noted().await, 4, "once for each");
    assert_eq!(receiver.at("/ok").len(), 1, "that somebody cannot be told is told to nobody");
}

#[tokio::test]
async fn only_owners_say_who_is_told() {
    let (test_box, owner) = TestBox::claimed().await;
    let id = add(&owner, "https://hooks.example.com/", json!({})).await;
    let operator = test_box.somebody(Role::Operator);
    assert_eq!(operator.get("/api/v1/notifications").await.code(), "not_allowed");
    assert_eq!(test(&operator, &id).await.code(), "not_allowed");
}

#[tokio::test]
async fn the_box_tells_that_it_has_started() {
    let test_box = TestBox::start().await;
    let newest = |test_box: &TestBox| test_box.store.events(None, 1).unwrap()[0].clone();
    eventually("it is noted", async || !test_box.store.events(None, 1).unwrap().is_empty()).await;
    assert_eq!((newest(&test_box).code.as_str(), newest(&test_box).severity), ("box_started", Severity::Info));
    let dir = test_box.stop().await;
    let again = TestBox::start_in(dir, |_| {}).await;
    eventually("it is noted", async || again.store.events(None, 9).unwrap().len() == 2).await;
    assert_eq!(newest(&again).sentence, "The box has started.");
    // As if it had lost its power.
    let dir = again.stop().await;
    brookbox_store::Store::open(&dir.path().join("data")).unwrap().put_setting("running", &true).unwrap();
    let unclean = TestBox::start_in(dir, |_| {}).await;
    eventually("it is noted", async || unclean.store.events(None, 9).unwrap().len() == 3).await;
    assert_eq!(newest(&unclean).sentence, "The box has started again. It was not shut down before.");
    assert_eq!(newest(&unclean).severity, Severity::Warning);
}
