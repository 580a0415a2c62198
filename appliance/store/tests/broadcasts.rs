//! Broadcasts of the past.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use brookbox_store::{Broadcast, Error, Leg, MOST_BROADCASTS, Time, Trouble};

#[test]
fn a_broadcast_is_kept_with_what_became_of_it() {
    let (_dir, store) = common::store();
    let started = Time::from_ms(1_795_266_099_000);
    let id = store.begin_broadcast(started).unwrap();
    let empty = Broadcast { id, started_at: started, seen_at: started, ended_at: None, legs: Vec::new() };
    assert_eq!(store.one_broadcast(id).unwrap(), empty);
    let trouble = Trouble { at_ms: 1_795_266_100_000, state: "retrying".into(), reason: Some("timeout".into()) };
    let leg = Leg {
        destination: "d1".into(),
        name: "Club".into(),
        platform: "custom".into(),
        from_ms: 1_795_266_099_000,
        until_ms: 1_795_266_199_000,
        live_ms: 98_000,
        frames_dropped: 3,
        troubles: vec![trouble],
        trouble_count: 1,
    };
    let ended = Time::from_ms(1_795_266_200_000);
    let whole = Broadcast { seen_at: ended, ended_at: Some(ended), legs: vec![leg], ..empty };
    store.save_broadcast(&whole).unwrap();
    assert_eq!(store.broadcasts(None, 10).unwrap(), std::slice::from_ref(&whole));
    assert_eq!(store.broadcasts(Some(id), 10).unwrap(), []);
    assert!(matches!(store.save_broadcast(&Broadcast { id: 99, ..whole }), Err(Error::NotFound(_))));
    assert!(matches!(store.one_broadcast(99), Err(Error::NotFound(_))));
}

#[test]
fn the_oldest_go_first() {
    let (_dir, store) = common::store();
    let ids: Vec<_> =
        (0..MOST_BROADCASTS + 3).map(|second| store.begin_broadcast(Time::from_ms(second)).unwrap()).collect();
    assert!(matches!(store.one_broadcast(ids[2]), Err(Error::NotFound(_))));
    assert!(store.one_broadcast(ids[3]).is_ok());
    let page = store.broadcasts(None, 1000).unwrap();
    assert_eq!((page.len(), page[0].id), (100, *ids.last().unwrap()));
}

#[test]
fn of_long_ones_fewer_come_at_once() {
    let (_dir, store) = common::store();
    let trouble = Trouble { at_ms: 1_795_266_100_000, state: "retrying".into(), reason: Some("timeout".into()) };
    let leg = Leg {
        destination: "d1".into(),
        name: "Club".into(),
        platform: "custom".into(),
        from_ms: 0,
        until_ms: 0,
        live_ms: 0,
        frames_dropped: 0,
        troubles: vec![trouble; 50],
        trouble_count: 50,
    };
    let time = Time::from_ms(0);
    for _ in 0..20 {
        let id = store.begin_broadcast(time).unwrap();
        let legs = vec![leg.clone(); 64];
        store.save_broadcast(&Broadcast { id, started_at: time, seen_at: time, ended_at: None, legs }).unwrap();
    }
    let (mut seen, mut before) = (0, None);
    loop {
        let page = store.broadcasts(before, 100).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() < 10, "{}", page.len());
        (seen, before) = (seen + page.len(), Some(last.id));
    }
    assert_eq!(seen, 20);
}
