//! Small secrets: sealed, found by name, bounded.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::fs;

use brookbox_store::{Error, MOST_SECRETS};
use secrecy::ExposeSecret;

#[test]
fn a_secret_is_sealed_and_found_by_its_name() {
    let (dir, store) = common::store();
    assert!(store.secret("obs").unwrap().is_none());
    store.put_secret("obs", &"canary-of-a-secret".into()).unwrap();
    store.put_secret("obs", &"canary-of-another".into()).unwrap();
    assert_eq!(store.secret("obs").unwrap().unwrap().expose_secret(), "canary-of-another");
    assert!(store.secret("else").unwrap().is_none());
    for file in fs::read_dir(dir.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
    store.delete_secret("obs").unwrap();
    store.delete_secret("obs").unwrap();
    assert!(store.secret("obs").unwrap().is_none());
    for number in 0..MOST_SECRETS {
        store.put_secret(&number.to_string(), &"x".into()).unwrap();
    }
    assert!(matches!(store.put_secret("more", &"x".into()), Err(Error::Limit { .. })));
    store.put_secret("0", &"y".into()).unwrap();
}

#[test]
fn what_stands_under_a_name_goes_together() {
    let (_dir, store) = common::store();
    for name in ["obs/main", "obs/main/192.168.1.24", "obs/main/fd12::9", "obs/mainly/192.168.1.24", "obs/m_in/x"] {
        store.put_secret(name, &"canary".into()).unwrap();
    }
    store.delete_secrets("obs/main").unwrap();
    let there = |name| store.secret(name).unwrap().is_some();
    assert!(!there("obs/main") && !there("obs/main/192.168.1.24") && !there("obs/main/fd12::9"));
    assert!(there("obs/mainly/192.168.1.24") && there("obs/m_in/x"));
}
