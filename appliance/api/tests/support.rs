//! The support file: made as a job, told on every device, and with no secret in it, in whatever form.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::io::{Cursor, Read};
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use brookbox_api::{LogLevel, Logbook};
use brookbox_store::{NewEvent, Role, Severity, Time};
use common::publisher::{publish, video};
use common::{Client, PATIENCE, TestBox, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const PATH: &str = "/api/v1/system/support-file";
/// All that is secret on the box; each in the forms in which secrets are written.
const SECRETS: [&str; 9] = [
    "Inp4t-canary-key-2026",
    "canary-dest-key?x=1&sig=s+1",
    "canary-destination-passw0rd",
    "canary-backup-user-pass",
    "canary-obs-stream-key",
    common::PASSWORD,
    "variable-canary-value",
    "canary-in-the-log",
    "canary-in-an-event",
];
/// What says who and where somebody is.
const NAMES: [&str; 11] = [
    "mara",
    "jonas",
    "river-street",
    "Canary Club",
    "canary.example.org",
    "203.0.113.77",
    "Second Canary",
    "10.9.8.7:",
    "2001:db8",
    "Family Canary",
    "MyTitle",
];

fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    let usual: String =
        secret.chars().map(|c| if "+/ ?=&".contains(c) { format!("%{:02X}", c as u32) } else { c.into() }).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned(), percent.to_lowercase(), percent, usual, hex.to_uppercase(), hex];
    for before in 0..3 {
        let text: Vec<u8> = std::iter::repeat_n(b'x', before).chain(bytes.iter().copied()).collect();
        for encoded in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            // Without what hangs on the neighbours.
            forms.push(encoded[before + 1..text.len() / 3 * 4].to_owned());
        }
    }
    forms
}

/// Fetches a file, byte for byte.
async fn fetch(client: &Client, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    stream.write_all(client.request("GET", path, None).as_bytes()).await.unwrap();
    let mut all = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut all)).await.unwrap().unwrap();
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&all[..end]).to_lowercase(), all[end + 4..].to_vec())
}

async fn made(client: &Client) -> Value {
    let answer = client.post(PATH, json!({})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let path = format!("/api/v1/jobs/{}", answer.body["id"].as_str().unwrap());
    let mut job = Value::Null;
    eventually("the job's end", async || {
        job = client.get(&path).await.body;
        job["state"] != "running"
    })
    .await;
    job
}

fn unpack(bytes: Vec<u8>) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut parts = Vec::new();
    for place in 0..zip.len() {
        let mut file = zip.by_index(place).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        parts.push((file.name().unwrap().into_owned(), text));
    }
    parts
}

async fn full_of_secrets(owner: &Client, test_box: &TestBox, book: &Logbook) {
    owner.post("/api/v1/inputs/main/rotate-key", json!({"key": SECRETS[0]})).await;
    owner.post("/api/v1/inputs", json!({"name": "Second Canary"})).await;
    for body in [
        json!({"name": "Canary Club", "url": "rtmp://canary.example.org/app", "key": SECRETS[1], "username": "u",
               "password": SECRETS[2], "backupUrl": "rtmps://203.0.113.77:1936/app"}),
        json!({"platform": "twitch", "name": "MyTitle", "key": "${STREAM_KEY}"}),
        json!({"name": "At home", "url": "rtmp://10.9.8.7:1940/app", "key": SECRETS[3], "allowLocal": true}),
    ] {
        let answer = owner.post("/api/v1/destinations", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    owner
        .post("/api/v1/users", json!({"username": "jonas", "password": "another passw0rd canary", "role": "viewer"}))
        .await;
    owner.post("/api/v1/tokens", json!({"name": "MyTitle", "scopes": ["read"]})).await;
    owner.post("/api/v1/watch-links", json!({"name": "Family Canary", "input": "main"})).await;
    let obs =
        json!({"address": "192.168.1.9", "service": json!({"streamServiceSettings": {"key": SECRETS[4]}}).to_string()});
    test_box.store.put_secret("obs/main", &obs.to_string().into()).unwrap();
    let params = json!({"name": "Canary Club", "peer": "203.0.113.77:51000", "program": "obs-output canary-in-an-event",
                        "reason": SECRETS[8], "count": 3, "username": "jonas"});
    let event = NewEvent {
        time: Time::now(),
        code: "publisher_refused".into(),
        severity: Severity::Warning,
        input: Some("main".into()),
        destination: None,
        params: params.as_object().unwrap().clone(),
        sentence: format!("Something with {} and {}.", SECRETS[8], SECRETS[0]),
    };
    test_box.store.append_events(&[event]).unwrap();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for (target, message, fields) in [
        (
            "brookbox_relay::engine",
            "event",
            vec![field("code", "destination_live"), field("params", "Canary Club mara")],
        ),
        ("brookbox_api::app", SECRETS[0], vec![]),
        ("brookbox_api::app", "the store failed", vec![field("error", "/home/mara/canary-in-the-log")]),
        ("brookbox_relay::ingest", "broke", vec![field("peer", "203.0.113.77:1"), field("error", SECRETS[0])]),
        ("rustls::x", "canary.example.org canary-in-the-log", vec![]),
    ] {
        book.note(LogLevel::Warn, target, message, fields);
    }
}

#[tokio::test]
async fn a_box_full_of_secrets_gives_a_file_without_one() {
    let book = Logbook::default();
    let shared = book.clone();
    let test_box = TestBox::start_with(|config| config.logbook = shared).await;
    let owner = test_box.claim().await;
    full_of_secrets(&owner, &test_box, &book).await;
    let rtmp = test_box.engine.rtmp();
    tokio::spawn(async move { publish(rtmp, SECRETS[0], 40, video(500)).await });
    eventually("the stream", async || owner.get("/api/v1/status").await.body["inputs"]["main"]["state"] == "receiving")
        .await;

    let begun = Instant::now();
    let job = made(&owner).await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    println!("made in {:?}", begun.elapsed());
    assert_eq!(
        (&job["state"], &job["fault"], &job["startedBy"]),
        (&"done".into(), &Value::Null, &"mara".into()),
        "{job}"
    );
    assert_eq!((&job["step"], job["steps"].as_array().unwrap().len()), (&4.into(), 4));
    let path = job["file"]["path"].as_str().unwrap();
    let (head, bytes) = fetch(&owner, path).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/zip"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    assert!(head.contains("content-disposition: attachment; filename=\"brookbox-support-"), "{head}");
    assert_eq!(bytes.len() as u64, job["file"]["bytes"].as_u64().unwrap());

    // Neither packed nor unpacked.
    let mut parts = unpack(bytes.clone());
    parts.push(("the file itself".into(), String::from_utf8_lossy(&bytes).into_owned()));
    for (name, text) in &parts {
        for form in SECRETS.iter().flat_map(|secret| forms(secret)) {
            assert!(!text.contains(&form), "{form} in {name}");
        }
        for who in NAMES.iter().chain(&["$argon2", "bbx_", "canary"]) {
            let at = text.find(who).map(|at| &text[at.saturating_sub(80)..(at + 40).min(text.len())]);
            assert_eq!(at, None, "{who} in {name}");
        }
    }

    // And yet it says what somebody needs.
    let part = |wanted: &str| parts.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str()).unwrap();
    let json = |name: &str| -> Value { serde_json::from_str(part(name)).unwrap() };
    assert!(part("README.txt").contains("figures.json"));
    assert_eq!(json("box.json")["version"], "0.0.0-test");
    assert_eq!(json("box.json")["people"], json!({"owner": 1, "operator": 0, "viewer": 1}));
    let destinations = json("configuration.json")["destinations"].as_array().unwrap().clone();
    assert_eq!(destinations.len(), 3);
    assert_eq!(destinations[0]["ownAddress"]["scheme"], "rtmp");
    assert_eq!(destinations[0]["hasLogin"], true);
    assert_eq!(destinations[1]["platform"], "twitch");
    assert_eq!(destinations[2]["ownAddress"], json!({"scheme": "rtmp", "host": "10.9.8.7", "port": 1940}));
    let state = json("state.json");
    let input =
        state["inputs"].as_object().unwrap().values().find(|input| input["state"] == "receiving").unwrap().clone();
    assert_eq!(input["tracks"][0]["codec"], "avc1");
    let events = json("events.json");
    let refused = events.as_array().unwrap().iter().find(|event| event["code"] == "publisher_refused").unwrap();
    assert_eq!((&refused["params"]["count"], &refused["params"]["program"]), (&3.into(), &"OBS Studio".into()));
    assert!(refused["params"]["username"].as_str().unwrap().starts_with("person-"), "{refused}");
    assert!(json("figures.json")["bySecond"].is_object() && json("broadcasts.json").is_array());
    assert!(part("log.txt").contains("code=destination_live"), "{}", part("log.txt"));

    // The same names in a second one.
    let again = made(&owner).await;
    let (_, bytes) = fetch(&owner, again["file"]["path"].as_str().unwrap()).await;
    let second = unpack(bytes);
    let configuration = second.iter().find(|(name, _)| name == "configuration.json").unwrap();
    assert_eq!(configuration.1, part("configuration.json"));
}

#[tokio::test]
async fn a_job_is_seen_everywhere_and_outlives_a_restart() {
    let (test_box, owner) = TestBox::claimed().await;
    let job = made(&owner).await;
    let id = job["id"].as_str().unwrap().to_owned();
    let viewer = test_box.somebody(Role::Viewer);
    assert_eq!(viewer.get(&format!("/api/v1/jobs/{id}")).await.body, job);
    assert_eq!(viewer.get("/api/v1/jobs").await.body, json!([job]));
    eventually("the live state", async || viewer.get("/api/v1/status").await.body["jobs"][&id]["state"] == "done")
        .await;
    let path = format!("{PATH}/{id}");
    for role in [Role::Viewer, Role::Operator] {
        let somebody = test_box.somebody(role);
        assert_eq!(somebody.get(&path).await.code(), "not_allowed");
        assert_eq!(somebody.delete(&format!("/api/v1/jobs/{id}")).await.code(), "not_allowed");
    }
    assert_eq!(test_box.client().get(&path).await.code(), "not_signed_in");
    assert_eq!(owner.get(&format!("{PATH}/another")).await.status, 404);

    let dir = test_box.stop().await;
    let test_box = TestBox::start_in(dir, |_| {}).await;
    let mut owner = test_box.client();
    assert_eq!(owner.log_in("mara", common::PASSWORD).await.status, 200);
    assert_eq!(owner.get(&format!("/api/v1/jobs/{id}")).await.body, job);
    let (head, bytes) = fetch(&owner, &path).await;
    assert!(head.starts_with("http/1.1 200") && unpack(bytes).len() == 8, "{head}");
    assert_eq!(owner.delete(&format!("/api/v1/jobs/{id}")).await.status, 204);
    assert_eq!(owner.get(&path).await.status, 404);
    assert_eq!(owner.get("/api/v1/jobs").await.body, json!([]));
    let folder = test_box.dir.path().join("data/jobs");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "the file is gone");
}

#[tokio::test]
async fn what_looks_like_a_key_makes_no_file() {
    let (test_box, owner) = TestBox::claimed().await;
    // A key that happens to be a word of the file.
    let body = json!({"url": "rtmp://192.0.2.7/app", "key": "onAirSince"});
    assert_eq!(owner.post("/api/v1/destinations", body).await.status, 201);
    let job = made(&owner).await;
    assert_eq!(
        (&job["state"], &job["fault"]["code"], &job["file"]),
        (&"failed".into(), &"key_found".into(), &Value::Null)
    );
    let id = job["id"].as_str().unwrap();
    assert_eq!(owner.get(&format!("{PATH}/{id}")).await.status, 404);
    drop(test_box);
}

#[tokio::test]
async fn the_log_is_filtered_and_followed() {
    let book = Logbook::default();
    let shared = book.clone();
    let test_box = TestBox::start_with(|config| config.logbook = shared).await;
    let owner = test_box.claim().await;
    for number in 0..5 {
        let fields = vec![("number".to_owned(), number.to_string())];
        book.note(if number == 3 { LogLevel::Error } else { LogLevel::Info }, "brookbox_relay", "told", fields);
    }
    let ids = async |query: &str| -> Vec<u64> {
        let answer = owner.get(&format!("/api/v1/system/logs{query}")).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{answer:?}");
        answer.body.as_array().unwrap().iter().map(|entry| entry["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("").await, [4, 3, 2, 1, 0]);
    assert_eq!(ids("?level=warn").await, [3]);
    assert_eq!(ids("?text=NUMBER%3D2").await, [2]);
    assert_eq!(ids("?after=2&limit=1").await, [4]);
    assert_eq!(ids("?before=2").await, [1, 0]);
    let answer = owner.get("/api/v1/system/logs?level=loud&limit=0").await;
    assert_eq!(answer.errors(), ["level:unknown_value", "limit:out_of_range"]);
}

#[tokio::test]
async fn the_machine_is_a_part_of_the_live_state() {
    let (_test_box, owner) = TestBox::claimed().await;
    eventually("a look at the machine", async || {
        let board = &owner.get("/api/v1/status").await.body["board"];
        board["memoryTotal"].is_u64() && board["storageFree"].is_u64() && board["alarms"].is_array()
    })
    .await;
}
