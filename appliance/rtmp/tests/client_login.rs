//! Logging in where a server challenges: Adobe's way and Limelight's, against a server that checks the answers on its own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use base64::{Engine, prelude::BASE64_STANDARD};
use brookbox_rtmp::{
    ClientConfig, ClientEvent, Stage,
    amf::{Object, Value},
};
use common::{KEY, RawServer, read_command};
use md5::{Digest, Md5};

const REJECT: &str = "[ AccessManager.Reject ] : [ authmod=";

fn config(password: &str) -> ClientConfig {
    let login = Some(("mara".to_owned(), password.into()));
    ClientConfig { login, ..ClientConfig::new("live", "rtmp://host/live", KEY) }
}

fn error(description: &str) -> Value {
    let info = Object::new().with("level", "error").with("code", "NetConnection.Connect.Rejected");
    info.with("description", description).into()
}

/// Sends `connect`, refuses it with the description; gives what came behind `app` and what the client does about it.
fn round(config: ClientConfig, description: &str) -> (String, ClientEvent) {
    let mut server = RawServer::new(config);
    let (_, _, values) = read_command(&server.sent()[0]);
    let object = values[0].as_object().unwrap();
    let app = object.get_str("app").unwrap();
    let query = app.strip_prefix("live").unwrap();
    assert_eq!(object.get_str("tcUrl"), Some(&*format!("rtmp://host/live{query}")));
    server.answer("_error", 1.0, &[Value::Null, error(description)]);
    let mut events = server.events();
    assert_eq!(events.len(), 1, "{events:?}");
    (query.to_owned(), events.remove(0))
}

fn next(event: ClientEvent) -> ClientConfig {
    match event {
        ClientEvent::Reconnect(config) => *config,
        event => panic!("{event:?}"),
    }
}

fn field<'a>(query: &'a str, name: &str) -> &'a str {
    query.split(['?', '&']).find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
}

fn md5(text: &str) -> [u8; 16] {
    Md5::digest(text.as_bytes()).into()
}

fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(md5(text))
}

fn hex(text: &str) -> String {
    md5(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn adobe() {
    let (query, event) = round(config("pass"), &format!("{REJECT}adobe ] : [ code=403 need auth; ]"));
    assert_eq!(query, "");
    let challenge = format!("{REJECT}adobe ] : ?reason=needauth&user=mara&salt=c2FsdA==&challenge=Y2g=&opaque=b3A=");
    let (query, event) = round(next(event), &challenge);
    assert_eq!(query, "?authmod=adobe&user=mara");
    let (query, event) = round(next(event), &format!("{REJECT}adobe ] : ?reason=authfailed&opaque=b3A="));
    let nonce = field(&query, "challenge");
    assert_eq!(nonce.len(), 8);
    let expected = base64(&format!("{}{}{nonce}", base64("marac2FsdA==pass"), "b3A="));
    assert_eq!(query, format!("?authmod=adobe&user=mara&challenge={nonce}&response={expected}&opaque=b3A="));
    // And that was the last try.
    assert!(matches!(event, ClientEvent::Refused { stage: Stage::Connect, .. }));
}

/// Without `opaque` the challenge takes its place, and none is sent back.
#[test]
fn adobe_without_opaque() {
    for opaque in ["", "&opaque="] {
        let (_, event) = round(config("pass"), &format!("{REJECT}adobe ] : [ code=403 need auth; ]"));
        let challenge = format!("{REJECT}adobe ] : ?reason=needauth&user=mara&salt=S&challenge=C{opaque}");
        let (_, event) = round(next(event), &challenge);
        let (query, _) = round(next(event), "");
        let nonce = field(&query, "challenge");
        assert_eq!(field(&query, "response"), base64(&format!("{}C{nonce}", base64("maraSpass"))));
        assert!(!query.contains("opaque"), "{query}");
    }
}

#[test]
fn limelight() {
    let (_, event) = round(config("pass"), &format!("{REJECT}llnw ] : [ code=403 need auth; ]"));
    let (query, event) = round(next(event), &format!("{REJECT}llnw ] : ?reason=needauth&user=mara&nonce=n0nce"));
    assert_eq!(query, "?authmod=llnw&user=mara");
    let (query, _) = round(next(event), "");
    let cnonce = field(&query, "cnonce");
    let (who, what) = (hex("mara:live:pass"), hex("publish:/live/_definst_"));
    let expected = hex(&format!("{who}:n0nce:00000001:{cnonce}:auth:{what}"));
    assert_eq!(query, format!("?authmod=llnw&user=mara&nonce=n0nce&cnonce={cnonce}&nc=00000001&response={expected}"));
}

/// An application with an instance of its own is hashed as it is.
#[test]
fn limelight_with_instance() {
    let mut first = config("pass");
    first.app = "live/inst".into();
    first.tc_url = "rtmp://host/live/inst".into();
    let mut server = RawServer::new(first);
    server.sent();
    server.answer("_error", 1.0, &[Value::Null, error(&format!("{REJECT}llnw ] : ?reason=needauth&nonce=n"))]);
    let mut server = RawServer::new(next(server.events().remove(0)));
    let (_, _, values) = read_command(&server.sent()[0]);
    let app = values[0].as_object().unwrap().get_str("app").unwrap().to_owned();
    let query = app.strip_prefix("live/inst").unwrap();
    let what = hex("publish:/live/inst");
    let expected = hex(&format!("{}:n:00000001:{}:auth:{what}", hex("mara:live:pass"), field(query, "cnonce")));
    assert_eq!(field(query, "response"), expected);
}

#[test]
fn refusals_that_are_final() {
    let need = format!("{REJECT}adobe ] : [ code=403 need auth; ]");
    for (config, description) in [
        // No login to give.
        (ClientConfig { login: None, ..config("") }, need.as_str()),
        // Not about a login, or about one that we do not know.
        (config("pass"), "[ AccessManager.Reject ] : [ code=404 ]"),
        (config("pass"), "[ AccessManager.Reject ] : [ authmod=other ] : [ code=403 need auth; ]"),
        // The server knows this one and will not have it.
        (config("pass"), "[ authmod=adobe ] : ?reason=authfailed"),
        (config("pass"), "[ authmod=llnw ] : ?reason=nosuchuser"),
    ] {
        let (_, event) = round(config, description);
        assert!(matches!(event, ClientEvent::Refused { stage: Stage::Connect, .. }), "{description}: {event:?}");
    }
    // A server that asks without end is asked three times.
    let mut config = config("pass");
    for _ in 0..2 {
        config = next(round(config, &need).1);
    }
    assert!(matches!(round(config, &need).1, ClientEvent::Refused { .. }));
}

#[test]
fn the_login_is_not_shown() {
    let (_, event) = round(config("hunter2"), &format!("{REJECT}adobe ] : ?reason=needauth&salt=S&challenge=C"));
    let shown = format!("{event:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("response"), "{shown}");
}
