//! What the tests share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it, and a test may fail anywhere")]

use std::path::Path;
use std::process::{Command, Stdio};

use brookbox_store::{Destination, NewEvent, Role, Severity, SignIn, StartMode, Store, Time, Token, User};
use brookbox_vault::{PasswordHash, TokenHash};
use secrecy::SecretString;
use tempfile::TempDir;

/// Argon2id of "password", cheap: no test here checks one.
pub(crate) const HASH: &str = "$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ$SAvrZgZJtIIkGRCk5BQ5dNGK5yR9nGaFKEQ3A5QPnYQ";
pub(crate) const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Runs this test program again, as nothing but `test`, with a variable that says in which directory to work.
pub(crate) fn again(test: &str, variable: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(variable, dir).stdin(Stdio::null());
    command
}

pub(crate) fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

pub(crate) fn destination(id: &str) -> Destination {
    Destination {
        id: id.into(),
        name: format!("Club {id}"),
        platform: "custom".into(),
        url: Some("rtmp://192.0.2.7/app".into()),
        backup_url: None,
        key: SecretString::from(format!("canary-destination-key-{id}?a=b&c=d")),
        output: "main/passthrough".into(),
        enabled: true,
        start_mode: StartMode::WithStream,
        retry_for_s: None,
        username: None,
        password: None,
        allow_local: false,
        position: 0,
    }
}

pub(crate) fn user(name: &str, role: Role) -> User {
    User {
        id: brookbox_vault::id().unwrap(),
        username: name.into(),
        role,
        password_hash: PasswordHash::parse(HASH).unwrap(),
        created_at: Time::now(),
        last_seen: None,
    }
}

/// A sign-in made just now, and its secret's hash.
pub(crate) fn sign_in(user: &User, now: Time) -> SignIn {
    SignIn {
        id: brookbox_vault::id().unwrap(),
        id_hash: TokenHash::of(&brookbox_vault::session_id().unwrap()),
        user_id: user.id.clone(),
        created_at: now,
        last_used: now,
        password_entered_at: now,
        address: "192.0.2.9".into(),
        user_agent: Some("Mozilla/5.0".into()),
    }
}

pub(crate) fn token(user: &User, now: Time) -> Token {
    Token {
        id: brookbox_vault::id().unwrap(),
        name: "script".into(),
        hash: TokenHash::of(&brookbox_vault::api_token().unwrap()),
        scopes: vec![brookbox_store::Scope::Admin],
        user_id: user.id.clone(),
        created_at: now,
        expires_at: now.after(90 * DAY),
        last_used: None,
    }
}

pub(crate) fn event(number: i64) -> NewEvent {
    NewEvent {
        time: Time::from_ms(number),
        code: "destination_live".into(),
        severity: Severity::Info,
        input: None,
        destination: Some("d1".into()),
        params: serde_json::Map::from_iter([("number".to_owned(), number.into())]),
        sentence: format!("Event {number}."),
    }
}
