//! Answers to the challenges by which servers ask for a user name and a password.
//!
//! There is no specification. Adobe's (`authmod=adobe`, Flash Media Server, Wowza, Akamai) and Limelight's (`authmod=llnw`)
//! both go like this: `connect` is refused with `code=403 need auth` in the description; the client connects anew with
//! `?authmod=…&user=…` behind `app` and `tcUrl`, is refused with a challenge, and connects a third time with the answer.

use crate::SecretKey;
use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};

/// What to do about a refused `connect`.
#[derive(Debug)]
pub(crate) enum Next {
    /// Connect anew with this behind `app` and `tcUrl`.
    Query(SecretKey),
    /// The server does not ask for a login, or says that this one is wrong.
    GiveUp,
}

/// Reads the description of a refused `connect`. `nonce` is our part of the answer: eight digits that should not repeat.
pub(crate) fn next(description: &str, app: &str, user: &str, password: &SecretKey, nonce: &str) -> Next {
    let module = if description.contains("authmod=adobe") {
        "adobe"
    } else if description.contains("authmod=llnw") {
        "llnw"
    } else {
        return Next::GiveUp;
    };
    let challenge = description.split_once("?reason=needauth").map(|(_, fields)| fields);
    match (module, challenge) {
        (_, None) if description.contains("code=403 need auth") => {
            Next::Query(format!("?authmod={module}&user={user}").into())
        }
        (_, None) => Next::GiveUp,
        ("adobe", Some(fields)) => Next::Query(adobe(fields, user, password, nonce)),
        (_, Some(fields)) => Next::Query(limelight(fields, app, user, password, nonce)),
    }
}

fn adobe(fields: &str, user: &str, password: &SecretKey, nonce: &str) -> SecretKey {
    let salt = field(fields, "salt").unwrap_or_default();
    let opaque = field(fields, "opaque").filter(|opaque| !opaque.is_empty());
    let answered = opaque.or_else(|| field(fields, "challenge")).unwrap_or_default();
    let user_in_challenge = field(fields, "user").unwrap_or(user);
    let salted = base64_md5(&[user_in_challenge, salt, password.expose()]);
    let response = base64_md5(&[&salted, answered, nonce]);
    let mut query = format!("?authmod=adobe&user={user}&challenge={nonce}&response={response}");
    if let Some(opaque) = opaque {
        query.push_str("&opaque=");
        query.push_str(opaque);
    }
    query.into()
}

/// HTTP Digest (RFC 2617 §3.2.2) with realm `live`, method `publish`, quality `auth`.
fn limelight(fields: &str, app: &str, user: &str, password: &SecretKey, client_nonce: &str) -> SecretKey {
    let nonce = field(fields, "nonce").unwrap_or_default();
    let count = "00000001";
    // The path alone is signed, and without an instance the application's is meant.
    let app = app.split('?').next().unwrap_or_default();
    let instance = if app.contains('/') { "" } else { "/_definst_" };
    let who = hex_md5(&[user, ":live:", password.expose()]);
    let what = hex_md5(&["publish:/", app, instance]);
    let response = hex_md5(&[&who, ":", nonce, ":", count, ":", client_nonce, ":auth:", &what]);
    format!("?authmod=llnw&user={user}&nonce={nonce}&cnonce={client_nonce}&nc={count}&response={response}").into()
}

/// A field of `&name=value&…`. Values are base64 and may end in `=`.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.split('&').filter_map(|field| field.split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value.trim())
}

fn md5(parts: &[&str]) -> [u8; 16] {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part.as_bytes()));
    md5.finalize().into()
}

fn base64_md5(parts: &[&str]) -> String {
    BASE64_STANDARD.encode(md5(parts))
}

fn hex_md5(parts: &[&str]) -> String {
    format!("{:032x}", u128::from_be_bytes(md5(parts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What FFmpeg 5.1 sent to a server with these challenges, as user `mara` with the password `pass`; the nonce was its own.
    #[test]
    fn as_ffmpeg_answers() {
        for (challenge, nonce, answer) in [
            (
                "[ authmod=adobe ] : ?reason=needauth&user=mara&salt=c2FsdA==&challenge=Y2hhbA==&opaque=b3BhcXVl",
                "3d8796eb",
                "?authmod=adobe&user=mara&challenge=3d8796eb&response=7IjP+jTW6i5fD/FmC2IAmQ==&opaque=b3BhcXVl",
            ),
            (
                "[ authmod=adobe ] : ?reason=needauth&user=mara&salt=c2FsdA==&challenge=Y2hhbA==",
                "7c4ddfe2",
                "?authmod=adobe&user=mara&challenge=7c4ddfe2&response=IWvHqNQ/8cS6iieA2+/cDA==",
            ),
            (
                "[ authmod=llnw ] : ?reason=needauth&user=mara&nonce=n0nceABC",
                "99f2ca4c",
                "?authmod=llnw&user=mara&nonce=n0nceABC&cnonce=99f2ca4c&nc=00000001&response=b181493aa1b71bfcb6d071980ecbe68e",
            ),
        ] {
            let Next::Query(query) = next(challenge, "live", "mara", &"pass".into(), nonce) else {
                panic!("{challenge}")
            };
            assert_eq!(query.expose(), answer);
        }
    }
}
