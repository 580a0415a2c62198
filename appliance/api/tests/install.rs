//! *Install on this computer*: who may, what is asked of the system's service, how far it is, and how it ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use brookbox_store::{Job, JobState, Role, Time};
use common::publisher::{publish, video};
use common::{Client, TestBox, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATH: &str = "/api/v1/system/install";
const DISK: &str =
    r#"{"disk":"nvme0n1","model":"Fast 980","serial":"S1","bytes":256060514304,"used":true,"holds":["ntfs Windows"]}"#;

/// The system's service as its protocol is: gives the list, and of an installation the lines that the test says.
struct Service {
    dir: TempDir,
    say: Sender<&'static str>,
    asked: Receiver<String>,
}

impl Service {
    fn start(list: &'static str) -> Self {
        let dir = TempDir::new().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let ((say, said), (ask, asked)) = (channel::<&str>(), channel());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream: UnixStream = stream.unwrap();
                let mut request = String::new();
                BufReader::new(stream.try_clone().unwrap()).read_line(&mut request).unwrap();
                if request == "list\n" {
                    stream.write_all(list.as_bytes()).unwrap();
                    continue;
                }
                ask.send(request).unwrap();
                while let Ok(line) = said.recv()
                    && !line.is_empty()
                {
                    stream.write_all(line.as_bytes()).unwrap();
                }
            }
        });
        Self { dir, say, asked }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    async fn of_a_box(&self) -> (TestBox, Client) {
        let socket = self.socket();
        let test_box = TestBox::start_with(|config| config.installer = Some(socket)).await;
        let owner = test_box.claim().await;
        (test_box, owner)
    }
}

fn stick() -> &'static str {
    format!("{DISK}\n{{\"end\":true,\"stick\":true}}\n").leak()
}

fn chosen() -> Value {
    json!({"disk": "nvme0n1", "serial": "S1"})
}

async fn codes(owner: &Client) -> Vec<String> {
    let events = owner.get("/api/v1/events").await.body;
    events.as_array().unwrap().iter().map(|event| event["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn where_nothing_can_be_installed_it_says_why() {
    let (_test_box, owner) = TestBox::claimed().await;
    let answer = owner.get(PATH).await.body;
    assert_eq!((&answer["reason"], &answer["disks"]), (&"notImage".into(), &json!([])), "{answer}");
    assert!(answer["sentence"].as_str().unwrap().contains("ordinary computer"));
    let answer = owner.post(PATH, chosen()).await;
    assert_eq!((answer.status, answer.code()), (409, "conflict"));

    for (list, reason) in
        [("{\"end\":true,\"stick\":false}\n", "notFromStick"), ("{\"end\":true,\"stick\":true}\n", "noDisk")]
    {
        let service = Service::start(list);
        let (_test_box, owner) = service.of_a_box().await;
        assert_eq!(owner.get(PATH).await.body["reason"], reason);
        assert!(owner.post(PATH, chosen()).await.status >= 400);
        assert!(service.asked.try_recv().is_err(), "{reason}");
    }
}

#[tokio::test]
async fn only_an_owner_whose_password_is_fresh_installs_and_only_on_a_disk_of_the_list() {
    let service = Service::start(stick());
    let (test_box, owner) = service.of_a_box().await;
    let answer = owner.get(PATH).await.body;
    let disk = json!({"disk": "nvme0n1", "model": "Fast 980", "serial": "S1", "bytes": 256_060_514_304_u64, "used": true,
                      "holds": ["ntfs Windows"]});
    assert_eq!(answer, json!({"reason": null, "sentence": null, "disks": [disk]}));
    for role in [Role::Viewer, Role::Operator] {
        assert_eq!(test_box.somebody(role).post(PATH, chosen()).await.code(), "not_allowed");
    }
    let stale = test_box.somebody_since(Role::Owner, Time::from_ms(Time::now().as_ms() - 3_600_000));
    assert_eq!(stale.post(PATH, chosen()).await.code(), "password_needed");
    assert_eq!(test_box.token(&[brookbox_store::Scope::Admin]).post(PATH, chosen()).await.code(), "not_allowed");
    for (body, errors) in [
        (json!({"disk": "nvme0n1", "serial": "another"}), ["disk:unknown_value"].as_slice()),
        (json!({"disk": "../sda", "serial": "S1"}), &["disk:unknown_value"]),
        (json!({"disk": "nvme0n1\nlist", "serial": 1}), &["disk:characters", "serial:wrong_type"]),
        (json!({}), &["disk:required", "serial:required"]),
    ] {
        assert_eq!(owner.post(PATH, body).await.errors(), errors);
    }
    assert!(service.asked.try_recv().is_err());
}

#[tokio::test]
async fn it_is_a_job_that_everybody_sees_and_that_ends_after_the_next_start() {
    let service = Service::start(stick());
    let (test_box, owner) = service.of_a_box().await;
    let begun = owner.post(PATH, chosen()).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let id = begun.body["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&begun.body["kind"], &begun.body["canCancel"], &begun.body["startedBy"]),
        (&"install".into(), &false.into(), &"mara".into())
    );
    assert_eq!(owner.post(PATH, chosen()).await.body["id"], id.as_str(), "one at a time");
    assert_eq!(owner.delete(&format!("/api/v1/jobs/{id}")).await.status, 409);
    service.say.send("{\"step\":\"prepare\",\"done\":0,\"total\":1}\n").unwrap();
    service.say.send("{\"step\":\"copy\",\"done\":3,\"total\":4}\n").unwrap();
    let viewer = test_box.somebody(Role::Viewer);
    eventually("three quarters of the copy", async || {
        let job = &viewer.get("/api/v1/status").await.body["jobs"][&id];
        (&job["step"], &job["percent"]) == (&2.into(), &75.into())
    })
    .await;
    assert_eq!(service.asked.recv().unwrap(), "install nvme0n1 S1\n");
    assert_eq!(codes(&owner).await[0], "install_begun");

    // The service stops the daemon for the last step, and leaves word of its end.
    service.say.send("{\"step\":\"settings\",\"done\":0,\"total\":1}\n").unwrap();
    eventually("the last step", async || viewer.get("/api/v1/jobs").await.body[0]["step"] == 4).await;
    let dir = test_box.stop().await;
    let mark = dir.path().join("data/system/installed");
    std::fs::create_dir_all(mark.parent().unwrap()).unwrap();
    std::fs::write(&mark, "").unwrap();
    let test_box = TestBox::start_in(dir, |_| {}).await;
    let owner = test_box.somebody(Role::Owner);
    let job = owner.get(&format!("/api/v1/jobs/{id}")).await.body;
    assert_eq!((&job["state"], &job["fault"], &job["file"]), (&"done".into(), &Value::Null, &Value::Null), "{job}");
    assert!(codes(&owner).await.contains(&"installed".to_owned()));
    assert!(!mark.exists());
    drop(service);
}

#[tokio::test]
async fn what_goes_wrong_is_told() {
    let service = Service::start(stick());
    let (test_box, owner) = service.of_a_box().await;
    assert_eq!(owner.post(PATH, chosen()).await.status, 201);
    service.say.send("{\"error\":\"the disk cannot be written\"}\n").unwrap();
    eventually("the end", async || {
        let job = &owner.get("/api/v1/jobs").await.body[0];
        (&job["state"], &job["fault"]["code"]) == (&"failed".into(), &"install".into())
    })
    .await;
    eventually("the event", async || codes(&owner).await[0] == "install_failed").await;

    // Cut short, without a word of its end.
    let cut = Job {
        id: "cut".into(),
        kind: "install".into(),
        state: JobState::Running,
        step: 3,
        started_by: "mara".into(),
        started_at: Time::now(),
        ended_at: None,
        fault: None,
        file: None,
    };
    test_box.store.put_job(&cut).unwrap();
    let test_box = TestBox::start_in(test_box.stop().await, |_| {}).await;
    let owner = test_box.somebody(Role::Owner);
    assert_eq!(owner.get("/api/v1/jobs/cut").await.body["fault"]["code"], "interrupted");
}

#[tokio::test]
async fn a_box_that_takes_a_stream_is_not_switched_off() {
    let service = Service::start(stick());
    let (test_box, owner) = service.of_a_box().await;
    let key = owner.post("/api/v1/inputs/main/key", json!({})).await.body["key"].as_str().unwrap().to_owned();
    let rtmp = test_box.engine.rtmp();
    tokio::spawn(async move { publish(rtmp, &key, 40, video(500)).await });
    eventually("the stream", async || owner.get("/api/v1/status").await.body["inputs"]["main"]["state"] == "receiving")
        .await;
    let answer = owner.post(PATH, chosen()).await;
    assert_eq!((answer.status, answer.code()), (409, "conflict"));
    assert!(service.asked.try_recv().is_err());
}
