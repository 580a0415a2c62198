//! Names, passwords and sign-ins.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use brookbox_store::{SignIn, Time, User};
use brookbox_vault::{PasswordHash, TokenHash, password, session_id};
use secrecy::{ExposeSecret, SecretString};

use crate::app::{App, blocking};
use crate::fields::Fields;
use crate::guess::Try;
use crate::problem::{Code, Problem};
use crate::security::Connection;
use crate::sentences::Deed;
use crate::{auth, devices};

/// Length of a new password, in characters.
pub(crate) const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 10..=128;
/// Length of a user name, in characters.
pub(crate) const USERNAME_LENGTH: std::ops::RangeInclusive<usize> = 1..=64;
/// Longest part of a browser's name that is kept, in characters.
const USER_AGENT: usize = 200;
/// After so many failures in a row, and each time as many again, there is an event.
const FAILURES_TOLD: u32 = 5;

/// A user name out of a request.
pub(crate) fn username(fields: &mut Fields, name: &str) -> Option<String> {
    let there = fields.has(name);
    let username = fields.line(name, USERNAME_LENGTH);
    fields.need(name, there, username)
}

/// A new password out of a request.
pub(crate) fn new_password(fields: &mut Fields, name: &str, username: Option<&str>) -> Option<SecretString> {
    let there = fields.has(name);
    let password = fields.secret(name);
    let password = fields.need(name, there, password)?;
    let length = password.expose_secret().chars().count();
    if length < *PASSWORD_LENGTH.start() {
        fields.error(name, "too_short", format!("Use at least {} characters.", PASSWORD_LENGTH.start()));
    } else if length > *PASSWORD_LENGTH.end() {
        fields.error(name, "too_long", format!("Use at most {} characters.", PASSWORD_LENGTH.end()));
    } else if username.is_some_and(|username| username.to_lowercase() == password.expose_secret().to_lowercase()) {
        fields.error(name, "too_simple", "Use something else than the user name.");
    } else {
        return Some(password);
    }
    None
}

/// Hashes a new password, for somebody who may set one.
pub(crate) async fn hash(app: &App, secret: SecretString) -> Result<PasswordHash, Problem> {
    app.hashing.run(true, move || password::hash(&secret)).await
}

/// Checks a password, counting a failure. An unknown user costs as much time as a wrong password.
pub(crate) async fn verify(
    app: &App,
    attempt: Try<'_>,
    user: Option<&User>,
    secret: SecretString,
    connection: Connection,
) -> Result<(), Problem> {
    let hash = user.map(|user| user.password_hash.clone());
    // Too many at once counts as no try.
    if app.hashing.run(attempt.is_known(), move || password::verify(hash.as_ref(), &secret)).await? {
        attempt.right();
        return Ok(());
    }
    wrong(app, attempt, user, connection).await;
    Err(Code::WrongPassword.into())
}

/// Counts a failure, and tells of every few in a row.
pub(crate) async fn wrong(app: &App, attempt: Try<'_>, user: Option<&User>, connection: Connection) {
    app.counters.refused_sign_ins.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let failures = attempt.wrong();
    if failures > 0 && failures.is_multiple_of(FAILURES_TOLD) && app.guesses.is_news(connection.address()) {
        // A name that nobody has is not repeated: it may be a password in the wrong field.
        let username = user.map(|user| user.username.as_str());
        let deed = Deed::GuessingPassword { username, address: connection.address(), failures };
        app.note(deed.event(None)).await;
    }
}

/// A new sign-in for a user, and its secret.
pub(crate) fn new_sign_in(
    user_id: &str,
    connection: Connection,
    headers: &HeaderMap,
) -> Result<(SignIn, SecretString), Problem> {
    let secret = session_id()?;
    let now = Time::now();
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let sign_in = SignIn {
        id: brookbox_vault::id()?,
        id_hash: TokenHash::of(&secret),
        user_id: user_id.to_owned(),
        created_at: now,
        last_used: now,
        password_entered_at: now,
        address: connection.address().to_string(),
        user_agent: user_agent.map(|name| name.chars().take(USER_AGENT).collect()),
    };
    Ok((sign_in, secret))
}

/// Remembers the browser that a user has just signed in from. Returns the secret for a new device cookie if the browser
/// showed none. A failure costs nothing but the convenience.
pub(crate) async fn remember_device(
    app: &App,
    user_id: &str,
    connection: Connection,
    headers: &HeaderMap,
) -> Option<SecretString> {
    let known = auth::device_hash(headers, connection.secure);
    let fresh = match known {
        Some(_) => None,
        None => Some(session_id().ok()?),
    };
    let hash = known.or_else(|| fresh.as_ref().map(TokenHash::of))?;
    let (shared, user_id) = (Arc::clone(app), user_id.to_owned());
    let remembered = blocking(move || devices::remember(&shared, &hash, &user_id, Time::now())).await;
    remembered.ok().and(fresh)
}
