//! One `POST` to somebody else's server, and what became of it. Nothing is followed, kept or trusted: a redirect is an
//! error, an answer is read for a few hundred bytes, and everything has a deadline.

use std::time::Duration;

use brookbox_relay::{Outward, ReasonCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::notify::address::Address;

/// From the connection to the answer's head.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// For the beginning of its body. The head has said what matters.
const BODY_TIME: Duration = Duration::from_secs(2);
const BODY_BYTES: usize = 4 << 10;
const HEAD_BYTES: usize = 16 << 10;
const HEAD_COUNT: usize = 64;
/// Longest part of a server's words that is repeated, in characters.
const SAID: usize = 160;
/// Longest wait that a server may ask for.
const MOST_WAIT: Duration = Duration::from_secs(600);

/// What is sent.
pub(crate) struct Post<'a> {
    pub(crate) address: &'a Address,
    pub(crate) allow_local: bool,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) token: Option<&'a SecretString>,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) result: Delivery,
    /// The HTTP status, if there was one.
    pub(crate) status: Option<u16>,
    /// What the server said, cleaned.
    pub(crate) said: Option<String>,
    /// How long the server asks to be left alone.
    pub(crate) wait: Option<Duration>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Taken,
    /// An answer that says no.
    Refused,
    /// It leads elsewhere, where nobody goes.
    Moved,
    /// There is no connection, for this reason.
    Unreachable(ReasonCode),
    /// A connection and no answer.
    NoAnswer,
    /// An answer that is no HTTP.
    NotHttp,
}

impl Outcome {
    pub(crate) fn new(result: Delivery) -> Self {
        Self { result, status: None, said: None, wait: None }
    }

    /// Whether it was taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.result == Delivery::Taken
    }

    /// Whether another try may end better: a server that understood and said no means it.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        match self.result {
            Delivery::Taken | Delivery::Moved => false,
            Delivery::Refused => self.status.is_none_or(|status| status >= 500 || matches!(status, 408 | 425 | 429)),
            Delivery::Unreachable(code) => code != ReasonCode::AddressNotAllowed,
            Delivery::NoAnswer | Delivery::NotHttp => true,
        }
    }

    /// A stable word.
    pub(crate) fn code(&self) -> &'static str {
        match self.result {
            Delivery::Taken => "taken",
            // `refused` is what a closed port does.
            Delivery::Refused => "answered_no",
            Delivery::Moved => "moved",
            Delivery::Unreachable(code) => code.as_str(),
            Delivery::NoAnswer => "no_answer",
            Delivery::NotHttp => "not_http",
        }
    }

    /// One plain sentence about the server `host`.
    pub(crate) fn sentence(&self, host: &str) -> String {
        use ReasonCode as R;
        let status = self.status.map(|status| {
            let word = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            word.map_or_else(|| status.to_string(), |word| format!("{status} {word}"))
        });
        let status = status.unwrap_or_default();
        match (self.result, &self.said) {
            (Delivery::Taken, _) => format!("{host} took the message ({status})."),
            (Delivery::Refused, Some(said)) => format!("{host} answered {status}: {said}"),
            (Delivery::Refused, None) => format!("{host} answered {status}."),
            (Delivery::Moved, Some(to)) => format!("{host} sends on to {to} ({status}). Give that address."),
            (Delivery::Moved, None) => format!("{host} sends on to another address ({status}). Give that one."),
            (Delivery::NoAnswer, _) => format!("{host} took the connection and did not answer in time."),
            (Delivery::NotHttp, _) => format!("What answers at {host} does not speak HTTP, or hung up."),
            (Delivery::Unreachable(code), _) => match code {
                R::Refused => format!("{host} refused the connection."),
                R::Dns => format!("The address of {host} was not found."),
                R::NoRoute => format!("There is no way from the box to {host}."),
                R::Timeout => format!("{host} does not answer."),
                R::TlsExpired => format!("The certificate of {host} has expired."),
                R::TlsName => format!("The certificate of {host} is for another name."),
                R::TlsUntrusted => format!("The certificate of {host} is not trusted."),
                R::ClockWrong => "The box's clock is wrong.".to_owned(),
                R::Tls => format!("A secure connection to {host} failed."),
                R::AddressNotAllowed => {
                    format!("{host} is in the own network or the box itself, which was not allowed.")
                }
                _ => format!("{host} closed the connection."),
            },
        }
    }
}

/// Sends it. Takes at most half a minute, whatever the server does.
pub(crate) async fn post(outward: &Outward, post: Post<'_>) -> Outcome {
    let address = post.address;
    let tcp = match outward.connect(&address.host, address.port, post.allow_local).await {
        Ok(tcp) => tcp,
        Err(cause) => return Outcome::new(Delivery::Unreachable(cause.code)),
    };
    if !address.tls {
        return converse(tcp, &post).await;
    }
    match outward.secure(&address.host, tcp).await {
        Ok(tls) => converse(tls, &post).await,
        Err(cause) => Outcome::new(Delivery::Unreachable(cause.code)),
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, post: &Post<'_>) -> Outcome {
    let Some(request) = request(post) else { return Outcome::new(Delivery::NotHttp) };
    // What moves the bytes ends with this function.
    let mut moving = JoinSet::new();
    let answering = async {
        let builder = http1::Builder::new().max_buf_size(HEAD_BYTES).max_headers(HEAD_COUNT).clone();
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        moving.spawn(connection);
        let answer = sender.send_request(request).await?;
        // The connection ends with its sender.
        Ok::<_, hyper::Error>((answer, sender))
    };
    match timeout(ANSWER_TIME, answering).await {
        Ok(Ok((answer, _sender))) => judge(answer, post).await,
        Ok(Err(_)) => Outcome::new(Delivery::NotHttp),
        Err(_) => Outcome::new(Delivery::NoAnswer),
    }
}

fn request(post: &Post<'_>) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(post.target)
        .header(header::HOST, post.address.authority())
        .header(header::USER_AGENT, concat!("Brookbox/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/plain")
        .header(header::CONNECTION, "close");
    if let Some(token) = post.token {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Full::new(Bytes::from(post.body.clone()))).ok()
}

async fn judge(answer: Response<Incoming>, post: &Post<'_>) -> Outcome {
    let status = answer.status();
    let mut outcome = Outcome { status: Some(status.as_u16()), ..Outcome::new(Delivery::Refused) };
    if status.is_success() {
        outcome.result = Delivery::Taken;
        return outcome;
    }
    if status.is_redirection() {
        outcome.result = Delivery::Moved;
        let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        // Only its host: the rest may be as secret as the address that led here.
        outcome.said = to.and_then(|to| Address::parse(to).ok()).map(|to| to.shown());
        return outcome;
    }
    outcome.wait = wait(answer.headers());
    let body = Limited::new(answer.into_body(), BODY_BYTES);
    if let Ok(Ok(body)) = timeout(BODY_TIME, body.collect()).await {
        outcome.said = said(&body.to_bytes(), post);
    }
    outcome
}

/// `Retry-After` in seconds (RFC 9110, section 10.2.3). A date is not worth a calendar.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MOST_WAIT))
}

/// What a server said in words: its JSON's `error`, `message` or `description`, or its first line of plain text. Without
/// what is secret about the address.
fn said(body: &[u8], post: &Post<'_>) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let words = match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
            field("error").or_else(|| field("message")).or_else(|| field("description"))?
        }
        Err(_) if text.starts_with('<') => return None,
        Err(_) => text.lines().next()?.to_owned(),
    };
    let path = post.address.path.split(['/', '?', '&', '=']).filter(|part| part.len() >= 4);
    let mut secrets: Vec<_> = path.chain(post.token.map(ExposeSecret::expose_secret)).collect();
    // The longest first: one may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let clean = secrets.into_iter().fold(words, |words, secret| words.replace(secret, "…"));
    let clean: String = clean.chars().filter(|letter| !letter.is_control()).take(SAID).collect();
    Some(clean.trim().to_owned()).filter(|clean| !clean.is_empty())
}
