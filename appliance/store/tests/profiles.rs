//! Profiles and notifications: kept whole, their secrets encrypted.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use brookbox_store::{Error, MOST_NOTIFICATIONS, MOST_PROFILES, Notification, Profile, TellBy, Time, Undone};
use common::destination;
use secrecy::ExposeSecret;

fn profile(id: &str, name: &str) -> Profile {
    let now = Time::now();
    let mut second = destination("d2");
    second.password = Some("canary-password".into());
    second.username = Some("u".into());
    let destinations = vec![destination("d1"), second];
    Profile { id: id.into(), name: name.into(), created_at: now, saved_at: now, destinations }
}

#[test]
fn a_profile_is_kept_with_its_secrets_and_nobody_reads_them_in_the_file() {
    let (dir, store) = common::store();
    store.add_profile(&profile("p1", "Sunday")).unwrap();
    let kept = store.profile("p1").unwrap();
    assert_eq!((kept.name.as_str(), kept.destinations.len()), ("Sunday", 2));
    assert_eq!(kept.destinations[0].key.expose_secret(), destination("d1").key.expose_secret());
    assert_eq!(kept.destinations[1].password.as_ref().unwrap().expose_secret(), "canary-password");
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
    let refused = store.add_profile(&profile("p2", "Sunday"));
    assert!(matches!(refused, Err(Error::Conflict { field: "name", .. })));
    store.save_profile("p1", &[], Time::now()).unwrap();
    assert!(store.profile("p1").unwrap().destinations.is_empty());
    assert!(matches!(store.save_profile("p9", &[], Time::now()), Err(Error::NotFound(_))));
    for number in 1..MOST_PROFILES {
        store.add_profile(&profile(&format!("p{}", number + 1), &format!("n{number}"))).unwrap();
    }
    assert!(matches!(store.add_profile(&profile("p99", "more")), Err(Error::Limit { .. })));
}

#[test]
fn a_switch_is_done_whole_or_not_at_all_and_can_be_undone() {
    let (_dir, store) = common::store();
    store.add_destination(&destination("d1")).unwrap();
    let mut wanted = destination("d1");
    wanted.enabled = false;
    let mut nowhere = destination("d2");
    nowhere.output = "gone/passthrough".into();
    let rows = [("d1".to_owned(), Some(wanted.clone())), ("d2".to_owned(), Some(nowhere))];
    let refused = store.switch_destinations(("p1", "Sunday"), &rows, Time::now());
    assert!(matches!(refused, Err(Error::Conflict { field: "output", .. })));
    assert!(store.destination("d1").unwrap().enabled && store.undo().unwrap().is_none());

    let rows = [("d1".to_owned(), Some(wanted)), ("d2".to_owned(), Some(destination("d2")))];
    store.switch_destinations(("p1", "Sunday"), &rows, Time::now()).unwrap();
    let undo = store.undo().unwrap().unwrap();
    assert_eq!((undo.what, undo.name.as_str(), undo.rows.len()), (Undone::Switched, "Sunday", 2));
    assert!(undo.rows[0].1.as_ref().unwrap().enabled && undo.rows[1].1.is_none());
    assert!(matches!(store.restore_profile(), Err(Error::NotFound(_))), "no profile was deleted");
    store.switch_destinations(("p1", "Sunday"), &undo.rows, Time::now()).unwrap();
    assert!(store.destination("d1").unwrap().enabled);
    assert!(matches!(store.destination("d2"), Err(Error::NotFound(_))));
}

#[test]
fn a_deleted_profile_comes_back_as_it_was() {
    let (_dir, store) = common::store();
    store.add_profile(&profile("p1", "Sunday")).unwrap();
    store.delete_profile("p1", Time::now()).unwrap();
    assert!(store.profiles().unwrap().is_empty());
    let back = store.restore_profile().unwrap();
    assert_eq!((back.id.as_str(), back.name.as_str(), back.destinations.len()), ("p1", "Sunday", 2));
    assert_eq!(store.profile("p1").unwrap().destinations[1].username.as_deref(), Some("u"));
    assert!(store.undo().unwrap().is_none());
}

#[test]
fn a_notification_is_kept_with_its_secrets() {
    let (_dir, store) = common::store();
    let notification = |id: &str| Notification {
        id: id.into(),
        name: "My phone".into(),
        service: TellBy::Ntfy,
        url: "https://ntfy.sh/canary-topic".into(),
        token: Some("canary-token".into()),
        kinds: vec!["box".into()],
        language: "ja".into(),
        enabled: true,
        allow_local: false,
        created_at: Time::now(),
    };
    store.add_notification(&notification("n0")).unwrap();
    let changed = store.update_notification::<Error>("n0", |one| {
        one.token = None;
        one.kinds.push("stream".into());
        Ok(())
    });
    assert_eq!(changed.unwrap().kinds, ["box", "stream"]);
    let kept = store.notification("n0").unwrap();
    assert_eq!((kept.service, kept.language.as_str(), kept.token.is_none()), (TellBy::Ntfy, "ja", true));
    assert_eq!(kept.url.expose_secret(), "https://ntfy.sh/canary-topic");
    for number in 1..MOST_NOTIFICATIONS {
        store.add_notification(&notification(&format!("n{number}"))).unwrap();
    }
    assert!(matches!(store.add_notification(&notification("more")), Err(Error::Limit { .. })));
    store.delete_notification("n0").unwrap();
    assert!(matches!(store.notification("n0"), Err(Error::NotFound(_))));
}

#[test]
fn events_are_told_once_they_are_stored() {
    let (_dir, store) = common::store();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let listened = heard.clone();
    assert!(store.listen(move |ids, events| listened.lock().unwrap().push((ids.to_vec(), events.len()))));
    assert!(!store.listen(|_, _| {}), "one listener");
    let event = brookbox_store::NewEvent {
        time: Time::now(),
        code: "box_started".into(),
        severity: brookbox_store::Severity::Info,
        input: None,
        destination: None,
        params: serde_json::Map::new(),
        sentence: "The box has started.".into(),
    };
    store.clone().append_events(&[event.clone(), event]).unwrap();
    store.append_events(&[]).unwrap();
    assert_eq!(*heard.lock().unwrap(), [(vec![1, 2], 2)]);
}
