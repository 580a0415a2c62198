//! What is put in comes back, in the same process and after a restart; what cannot be right is refused by name.

mod common;

use brookbox_store::{Error, Input, InputLimits, MOST_DESTINATIONS, MOST_INPUTS, StartMode, Store, Time};
use common::{destination, store};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

fn input(id: &str, key: &str) -> Input {
    Input {
        id: id.into(),
        name: "Studio".into(),
        key: key.into(),
        enabled: true,
        protocols: vec!["rtmp".into(), "srt".into()],
        limits: InputLimits { bitrate_bps: u64::MAX, sessions: 3 },
        allow_public: true,
        created_at: Time::from_ms(5),
    }
}

#[test]
fn a_new_box_has_one_input_with_a_random_key() {
    let ((_one, one), (_two, two)) = (store(), store());
    let [main] = <[Input; 1]>::try_from(one.inputs().unwrap()).unwrap();
    assert_eq!((main.id.as_str(), main.name.as_str(), main.enabled), ("main", "Main", true));
    assert_eq!((main.protocols, main.limits, main.allow_public), (vec!["rtmp".into()], InputLimits::default(), false));
    let key = main.key.expose_secret();
    assert!(key.len() >= 22 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_ne!(key, two.input("main").unwrap().key.expose_secret());
    assert!(one.destinations().unwrap().is_empty() && one.users().unwrap().is_empty() && !one.claimed().unwrap());
}

#[test]
fn the_first_input_has_the_limits_that_are_asked_for_and_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let limits = |sessions| InputLimits { bitrate_bps: 8_000_000, sessions };
    let open = |sessions| Store::open_limited(dir.path(), limits(sessions)).unwrap().input("main").unwrap().limits;
    assert_eq!((open(3), open(5)), (limits(3), limits(3)));
}

#[test]
fn everything_is_there_after_a_restart() {
    let (dir, store) = store();
    let main = store.input("main").unwrap();
    store.add_input(&input("studio", "studio-key-0123456789")).unwrap();
    let mut sent = destination("d1");
    sent.start_mode = StartMode::Manual;
    (sent.retry_for_s, sent.backup_url) = (Some(600), Some("rtmps://192.0.2.8/app".into()));
    (sent.username, sent.password) = (Some("mara".into()), Some("canary-password".into()));
    (sent.allow_local, sent.position, sent.output) = (true, 7, "studio/passthrough".into());
    store.add_destination(&sent).unwrap();
    store.add_destination(&destination("d2")).unwrap();
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.input("main").unwrap().key.expose_secret(), main.key.expose_secret());
    let studio = store.input("studio").unwrap();
    assert_eq!(studio.key.expose_secret(), "studio-key-0123456789");
    assert_eq!((studio.protocols.len(), studio.limits.sessions, studio.allow_public), (2, 3, true));
    assert_eq!((studio.limits.bitrate_bps, studio.created_at), (i64::MAX as u64, Time::from_ms(5)));
    let found = store.destinations().unwrap();
    assert_eq!(found.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), ["d2", "d1"], "by position");
    assert_eq!(format!("{:?}", found[1]), format!("{sent:?}"));
    assert_eq!(found[1].key.expose_secret(), sent.key.expose_secret());
    assert_eq!(found[1].password.as_ref().unwrap().expose_secret(), "canary-password");
    assert!(found[0].password.is_none() && found[0].enabled);
}

#[test]
fn a_change_is_whole_or_not_at_all() {
    let (_dir, store) = store();
    store.add_destination(&destination("d1")).unwrap();
    let changed: Result<_, Error> = store.update_destination("d1", |it| {
        it.enabled = false;
        it.id = "other".into();
        Ok(())
    });
    assert!(!changed.unwrap().enabled && !store.destination("d1").unwrap().enabled);

    #[derive(Debug)]
    enum Own {
        No,
        Store(Error),
    }
    impl From<Error> for Own {
        fn from(error: Error) -> Self {
            Self::Store(error)
        }
    }
    let refused = store.update_destination("d1", |it| {
        it.name = "never".into();
        Err(Own::No)
    });
    assert!(matches!(refused, Err(Own::No)));
    let refused = store.update_destination::<Own>("d1", |it| {
        (it.name, it.output) = ("never".into(), "nowhere/passthrough".into());
        Ok(())
    });
    assert!(matches!(refused, Err(Own::Store(Error::Conflict { field: "output", .. }))));
    assert_eq!(store.destination("d1").unwrap().name, "Club d1");
    let gone = store.update_destination::<Error>("d9", |_| Ok(()));
    assert!(matches!(gone, Err(Error::NotFound("destination"))));
}

#[test]
fn twins_and_orphans_are_refused_by_field() {
    let (_dir, store) = store();
    let field = |result: Result<(), Error>| match result {
        Err(Error::Conflict { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let main_key = store.input("main").unwrap().key.expose_secret().to_owned();
    assert_eq!(field(store.add_input(&input("main", "another-key-0123456"))), "id");
    assert_eq!(field(store.add_input(&input("second", &main_key))), "key");
    assert_eq!(field(store.put_input(&input("second", &main_key))), "key");
    store.put_input(&input("main", &main_key)).unwrap();
    store.add_destination(&destination("d1")).unwrap();
    assert_eq!(field(store.add_destination(&destination("d1"))), "id");
    let mut orphan = destination("d2");
    orphan.output = "nowhere/passthrough".into();
    assert_eq!(field(store.add_destination(&orphan)), "output");
    assert_eq!(field(store.put_destination(&orphan)), "output");
    assert_eq!(field(store.delete_input("main")), "id");
    store.delete_destination("d1").unwrap();
    store.delete_input("main").unwrap();
    assert!(matches!(store.delete_input("main"), Err(Error::NotFound("input"))));
    assert!(matches!(store.delete_destination("d1"), Err(Error::NotFound("destination"))));
    assert!(matches!(store.input("main"), Err(Error::NotFound("input"))));
}

/// An id is a name, not a pattern.
#[test]
fn an_input_is_used_only_by_its_own_destinations() {
    let (_dir, store) = store();
    for (id, key) in [("a", "key-a-0123456789"), ("a_", "key-b-0123456789"), ("%", "key-c-0123456789")] {
        store.add_input(&input(id, key)).unwrap();
    }
    let mut used = destination("d1");
    used.output = "a_/passthrough".into();
    store.add_destination(&used).unwrap();
    store.delete_input("a").unwrap();
    store.delete_input("%").unwrap();
    assert!(store.delete_input("a_").is_err());
}

#[test]
fn there_is_an_end_to_how_many() {
    let (_dir, store) = store();
    for number in 1..MOST_INPUTS {
        store.add_input(&input(&format!("i{number}"), &format!("key-{number:016}"))).unwrap();
    }
    let more = store.add_input(&input("more", "key-of-the-one-too-many"));
    assert!(matches!(more, Err(Error::Limit { what: "inputs", most: MOST_INPUTS })));
    store.put_input(&input("i1", "key-that-was-changed")).unwrap();
    for number in 0..MOST_DESTINATIONS {
        store.add_destination(&destination(&format!("d{number}"))).unwrap();
    }
    let more = store.add_destination(&destination("more"));
    assert!(matches!(more, Err(Error::Limit { what: "destinations", most: MOST_DESTINATIONS })));
    store.put_destination(&destination("d0")).unwrap();
}

#[test]
fn settings_and_the_broadcast_are_any_json() {
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct State {
        started: bool,
        stopped: bool,
    }
    let (dir, store) = store();
    assert_eq!(store.setting::<String>("boxName").unwrap(), None);
    assert_eq!(store.broadcast::<State>().unwrap(), None);
    store.put_setting("boxName", &"first").unwrap();
    store.put_setting("boxName", &"river-street").unwrap();
    store.put_broadcast(&State::default()).unwrap();
    store.put_broadcast(&State { started: true, stopped: false }).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.setting::<String>("boxName").unwrap().as_deref(), Some("river-street"));
    assert_eq!(store.broadcast::<State>().unwrap(), Some(State { started: true, stopped: false }));
    let wrong = store.setting::<u32>("boxName").unwrap_err();
    assert!(matches!(wrong, Error::Value { ref name, .. } if name == "boxName"));
    store.delete_setting("boxName").unwrap();
    store.delete_setting("boxName").unwrap();
    assert_eq!(store.setting::<String>("boxName").unwrap(), None);
}

#[test]
fn secrets_neither_serialise_nor_show() {
    let (_dir, store) = store();
    let mut it = destination("d1");
    it.password = Some("canary-password".into());
    let user = common::user("mara", brookbox_store::Role::Owner);
    let (sign_in, token) = (common::sign_in(&user, Time::now()), common::token(&user, Time::now()));
    let main = store.input("main").unwrap();
    let key: SecretString = main.key.clone();
    let shown = [
        serde_json::to_string(&it).unwrap(),
        serde_json::to_string(&main).unwrap(),
        serde_json::to_string(&(&user, &sign_in, &token)).unwrap(),
        format!("{it:?} {main:?} {user:?} {sign_in:?} {token:?} {store:?}"),
    ]
    .concat();
    assert!(!shown.contains("canary") && !shown.contains("argon2") && !shown.contains(key.expose_secret()));
    assert!(shown.contains("\"startMode\":\"withStream\"") && shown.contains("\"allowLocal\":false"));
    assert!(shown.contains("\"scopes\":[\"admin\"]") && shown.contains("\"role\":\"owner\""));
    assert!(main.key_hint().starts_with('…') && main.key_hint().chars().count() == 5);
}
