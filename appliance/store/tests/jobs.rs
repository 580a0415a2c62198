//! Jobs: they are there after a restart, and those that it interrupted say so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail anywhere, its helpers too")]

mod common;

use brookbox_store::{Error, INTERRUPTED, Job, JobFile, JobState, MOST_JOBS, Store, Time};
use common::store;

fn job(id: &str, state: JobState) -> Job {
    Job {
        id: id.into(),
        kind: "supportFile".into(),
        state,
        step: 1,
        started_by: "mara".into(),
        started_at: Time::from_ms(1_000),
        ended_at: None,
        fault: None,
        file: None,
    }
}

#[test]
fn a_job_is_kept_as_it_was_last_seen() {
    let (dir, store) = store();
    store.put_job(&job("a", JobState::Running)).unwrap();
    store.put_job(&job("b", JobState::Running)).unwrap();
    let file = JobFile { name: "support.zip".into(), bytes: 12, expires_at_ms: 9_000 };
    let done = Job {
        step: 3,
        ended_at: Some(Time::from_ms(2_000)),
        file: Some(file),
        started_by: "nobody changes this".into(),
        ..job("a", JobState::Done)
    };
    store.put_job(&done).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let kept = Job { started_by: "mara".into(), ..done };
    assert_eq!(store.jobs().unwrap(), [job("b", JobState::Running), kept.clone()]);
    store.end_interrupted_jobs(Time::from_ms(5_000)).unwrap();
    let interrupted =
        Job { ended_at: Some(Time::from_ms(5_000)), fault: Some(INTERRUPTED.into()), ..job("b", JobState::Failed) };
    assert_eq!(store.jobs().unwrap(), [interrupted, kept]);
    store.delete_job("a").unwrap();
    assert!(matches!(store.delete_job("a"), Err(Error::NotFound("job"))));
}

#[test]
fn old_jobs_make_room_and_those_under_way_stay() {
    let (_dir, store) = store();
    store.put_job(&job("under way", JobState::Running)).unwrap();
    let mut dropped = Vec::new();
    for number in 0..MOST_JOBS + 3 {
        dropped.extend(store.put_job(&job(&number.to_string(), JobState::Done)).unwrap());
    }
    assert_eq!(dropped, ["0", "1", "2"]);
    let jobs = store.jobs().unwrap();
    assert_eq!(jobs.len(), MOST_JOBS as usize + 1);
    assert_eq!(jobs.last().unwrap().id, "under way");
}
