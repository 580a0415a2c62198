//! A server that asks for a user name and a password, as Flash Media Server, Wowza, Akamai and Limelight do.
//!
//! No such server can be had as free software. This one is written from what clients of the field do; a control case
//! shows that FFmpeg is let in with the right password and not with a wrong one.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use md5::{Digest as _, Md5};

use crate::text::{base64, hex};
use crate::wire::{Amf, Heard, Server};

/// The kind of challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// `authmod=adobe`.
    Adobe,
    /// `authmod=llnw`.
    Limelight,
}

const SALT: &str = "rWhLsg";
const CHALLENGE: &str = "qGTIlA==";
const OPAQUE: &str = "vUkFhs";
const NONCE: &str = "0b1c2d3e4f";

/// The running server.
#[derive(Debug)]
pub struct AskingServer {
    port: u16,
    pictures: Arc<AtomicUsize>,
    steps: Arc<Mutex<Vec<&'static str>>>,
}

impl AskingServer {
    /// Starts one that lets in one user.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start(challenge: Challenge, user: &'static str, password: &'static str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (pictures, steps) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (seen, said) = (Arc::clone(&pictures), Arc::clone(&steps));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (seen, said) = (Arc::clone(&seen), Arc::clone(&said));
                // A client that goes away in the middle shows in what did not happen.
                std::thread::spawn(move || converse(socket, challenge, user, password, &seen, &said));
            }
        });
        Ok(Self { port, pictures, steps })
    }

    /// Its `host:port/app`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}/live", self.port)
    }

    /// How many pictures it was sent.
    #[must_use]
    pub fn pictures(&self) -> usize {
        self.pictures.load(Ordering::Relaxed)
    }

    /// What it answered to each connection: `who`, `challenge`, `wrong` or `welcome`.
    #[must_use]
    pub fn steps(&self) -> Vec<&'static str> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn converse(
    socket: TcpStream,
    challenge: Challenge,
    user: &str,
    password: &str,
    pictures: &AtomicUsize,
    steps: &Mutex<Vec<&'static str>>,
) -> Result<()> {
    let mut server = Server::accept(socket)?;
    while let Some(heard) = server.hear()? {
        match heard {
            Heard::Connect(object) => {
                let app = object.field("app").and_then(Amf::as_text).unwrap_or_default();
                let (step, refusal) = judge(challenge, user, password, app);
                steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
                if let Some(description) = refusal {
                    let info = Amf::object(&[
                        ("level", Amf::text("error")),
                        ("code", Amf::text("NetConnection.Connect.Rejected")),
                        ("description", Amf::text(&description)),
                    ]);
                    server.wire().command(0, &[Amf::text("_error"), Amf::Number(1.0), Amf::Null, info])?;
                    return Ok(());
                }
            }
            Heard::Media(message, _) if message.is_picture() => {
                pictures.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
    Ok(())
}

/// What to make of an `app`: a word for it, and the refusal unless the client is welcome.
fn judge(challenge: Challenge, user: &str, password: &str, app: &str) -> (&'static str, Option<String>) {
    let module = if challenge == Challenge::Adobe { "adobe" } else { "llnw" };
    let (app, query) = app.split_once('?').unwrap_or((app, ""));
    // Values end in `=` and hold `+`: they are not percent-coded by any client of the field.
    let query: HashMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let given = |name: &str| query.get(name).copied().unwrap_or_default();
    if given("authmod").is_empty() {
        let need = format!("[ AccessManager.Reject ] : [ code=403 need auth; authmod={module} ] : ");
        return ("who", Some(need));
    }
    if given("response").is_empty() {
        let asked = match challenge {
            Challenge::Adobe => {
                format!("?reason=needauth&user={user}&salt={SALT}&challenge={CHALLENGE}&opaque={OPAQUE}")
            }
            Challenge::Limelight => format!("?reason=needauth&user={user}&nonce={NONCE}"),
        };
        return ("challenge", Some(format!("[ AccessManager.Reject ] : [ authmod={module} ] : {asked}")));
    }
    let expected = match challenge {
        Challenge::Adobe => {
            let salted = base64(&md5(&[user, SALT, password]));
            base64(&md5(&[&salted, OPAQUE, given("challenge")]))
        }
        Challenge::Limelight => {
            let who = hex(&md5(&[user, ":live:", password]));
            let what = hex(&md5(&["publish:/", app, "/_definst_"]));
            hex(&md5(&[&who, ":", NONCE, ":", given("nc"), ":", given("cnonce"), ":auth:", &what]))
        }
    };
    if given("user") == user && given("response") == expected {
        return ("welcome", None);
    }
    let failed = format!("[ AccessManager.Reject ] : [ authmod={module} ] : ?reason=authfailed&opaque={OPAQUE}");
    ("wrong", Some(failed))
}

fn md5(parts: &[&str]) -> Vec<u8> {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().to_vec()
}
