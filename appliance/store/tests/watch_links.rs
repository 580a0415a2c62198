//! Watch links: found by their secret alone, until they end.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::time::Duration;

use brookbox_store::{Error, MOST_WATCH_LINKS, Time, WatchLink};
use brookbox_vault::TokenHash;

fn link(secret: &str, now: Time) -> WatchLink {
    WatchLink {
        id: brookbox_vault::id().unwrap(),
        hash: TokenHash::of(&secret.into()),
        name: "Family".into(),
        input: "main".into(),
        viewers: 4,
        made_by: "mara".into(),
        created_at: now,
        expires_at: now.after(Duration::from_secs(60)),
    }
}

#[test]
fn a_link_is_found_by_its_secret_until_it_ends() {
    let (_dir, store) = common::store();
    let now = Time::now();
    let one = link("one", now);
    store.add_watch_link(&one).unwrap();
    assert_eq!(store.watch_link(&one.hash, now).unwrap(), Some(one.clone()));
    assert_eq!(store.watch_link(&TokenHash::of(&"two".into()), now).unwrap(), None);
    assert_eq!(store.watch_link(&one.hash, one.expires_at).unwrap(), None);
    assert_eq!(store.watch_links(one.expires_at).unwrap(), []);
    assert_eq!(store.watch_links(now).unwrap(), std::slice::from_ref(&one));
    assert_eq!(store.delete_watch_link(&one.id).unwrap(), one);
    assert!(matches!(store.delete_watch_link(&one.id), Err(Error::NotFound(_))));
}

#[test]
fn a_link_needs_its_input_and_ends_with_it() {
    let (_dir, store) = common::store();
    let now = Time::now();
    let lost = WatchLink { input: "nowhere".into(), ..link("a", now) };
    assert!(matches!(store.add_watch_link(&lost), Err(Error::NotFound(_))));
    let mut second = store.input("main").unwrap();
    (second.id, second.key) = ("second".into(), "another-key-of-its-own".into());
    store.add_input(&second).unwrap();
    let other = WatchLink { input: "second".into(), ..link("b", now) };
    store.add_watch_link(&other).unwrap();
    store.delete_input("second").unwrap();
    assert_eq!(store.watch_link(&other.hash, now).unwrap(), None);
}

#[test]
fn there_are_so_many_and_the_ended_make_room() {
    let (_dir, store) = common::store();
    let now = Time::now();
    for number in 0..MOST_WATCH_LINKS {
        store.add_watch_link(&link(&number.to_string(), now)).unwrap();
    }
    assert!(matches!(store.add_watch_link(&link("more", now)), Err(Error::Limit { .. })));
    let later = now.after(Duration::from_secs(61));
    store.add_watch_link(&link("more", later)).unwrap();
    assert_eq!(store.watch_links(now).unwrap().len(), 1);
}
