//! From an address to a server that waits for media: name, TCP, TLS, RTMP up to `Publish.Start`.
//!
//! Each step has a deadline of its own, and each answer of the resolver is checked before it is connected to.

use std::io;
use std::time::Duration;

use brookbox_rtmp::url::RtmpUrl;
use brookbox_rtmp::{ClientConfig, ClientEvent, ClientSession, SecretKey, Stage};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::link::Link;
use crate::outward::{Outward, io_cause};
use crate::reason::Cause;
use crate::variables::Variables;
use crate::{Destination, ReasonCode};

const RTMP_DEADLINE: Duration = Duration::from_secs(4);
/// Redirects followed in one try.
const MAX_REDIRECTS: u32 = 2;
/// Connections made in one try: redirects and the rounds of a log-in.
const MAX_ROUNDS: u32 = 3 + MAX_REDIRECTS;

/// What every try needs.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) outward: Outward,
    pub(crate) variables: Variables,
}

/// A server that waits for media.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) link: Link,
    pub(crate) session: ClientSession,
}

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DialError {
    /// For this reason.
    Cause(Cause),
    /// The server hung up between our `publish` and its answer.
    SilentRefusal,
}

impl From<Cause> for DialError {
    fn from(cause: Cause) -> Self {
        Self::Cause(cause)
    }
}

impl Dialer {
    /// Connects `destination` at `url`, or where that server `moved` it to.
    pub(crate) async fn dial(
        &self,
        destination: &Destination,
        url: &str,
        moved: Option<&str>,
        enhanced: &[String],
    ) -> Result<Connected, DialError> {
        let mut url = self.url(destination, url)?;
        let key = self.key(destination)?;
        if let Some(moved) = moved {
            url = follow(destination, &url, moved, &key)?;
        }
        let mut config = self.client_config(destination, &url, &key, enhanced);
        let mut redirects = 0;
        for _ in 0..MAX_ROUNDS {
            match self.round(destination, &url, config).await? {
                Round::Connected(connected) => return Ok(*connected),
                Round::LogIn(again) => config = again,
                Round::Redirect(to) => {
                    redirects += 1;
                    if redirects > MAX_REDIRECTS {
                        return Err(Cause::with(ReasonCode::Refused, "more than two redirects").into());
                    }
                    url = follow(destination, &url, to.expose(), &key)?;
                    config = self.client_config(destination, &url, &key, enhanced);
                }
            }
        }
        Err(Cause::with(ReasonCode::Refused, "the server asks for the log-in again and again").into())
    }

    fn url(&self, destination: &Destination, url: &str) -> Result<RtmpUrl, Cause> {
        let expanded = self.variables.expand(url).map_err(|e| Cause::with(ReasonCode::AddressNotAllowed, e))?;
        let mut url: RtmpUrl = expanded
            .expose_secret()
            .parse()
            .map_err(|e: brookbox_rtmp::url::UrlError| Cause::with(ReasonCode::AddressNotAllowed, e))?;
        if &*destination.platform == "kick" && url.app.is_empty() {
            "app".clone_into(&mut url.app);
        }
        Ok(url)
    }

    fn key(&self, destination: &Destination) -> Result<SecretKey, Cause> {
        let key = self.variables.expand(destination.key.expose_secret());
        Ok(SecretKey::new(key.map_err(|e| Cause::with(ReasonCode::BadKey, e))?.expose_secret()))
    }

    fn client_config(
        &self,
        destination: &Destination,
        url: &RtmpUrl,
        key: &SecretKey,
        enhanced: &[String],
    ) -> ClientConfig {
        let login = destination.login.as_ref();
        let mut config = ClientConfig::new(&*url.app, url.tc_url(), key.clone());
        config.login = login.map(|l| (l.username.clone(), SecretKey::new(l.password.expose_secret())));
        config.four_cc = (!enhanced.is_empty()).then(|| enhanced.to_vec());
        config
    }

    /// One connection.
    async fn round(&self, destination: &Destination, url: &RtmpUrl, config: ClientConfig) -> Result<Round, DialError> {
        let tcp = self.outward.connect(&url.host, url.port, destination.allow_local).await?;
        Link::prepare(&tcp).map_err(|e| io_cause(&e))?;
        let mut link = match url.tls {
            true => Link::Tls(Box::new(self.outward.secure(&url.host, tcp).await?)),
            false => Link::Plain(tcp),
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| Cause::with(ReasonCode::Refused, e))?;
        let session = ClientSession::new(config, seed);
        let mut published = false;
        let negotiated = timeout(RTMP_DEADLINE, negotiate(&mut link, session, &mut published)).await;
        match negotiated {
            Ok(Ok(Negotiated::Publishing(session))) => {
                Ok(Round::Connected(Box::new(Connected { link, session: *session })))
            }
            Ok(Ok(Negotiated::LogIn(config))) => Ok(Round::LogIn(config)),
            Ok(Ok(Negotiated::Redirect(url))) => Ok(Round::Redirect(url)),
            Ok(Err(cause)) if published && cause.code == ReasonCode::RemoteClosed => Err(DialError::SilentRefusal),
            Ok(Err(cause)) => Err(cause.into()),
            Err(_) => Err(Cause::with(ReasonCode::Timeout, "the server speaks no RTMP, or not in time").into()),
        }
    }
}

enum Round {
    Connected(Box<Connected>),
    LogIn(ClientConfig),
    Redirect(SecretKey),
}

enum Negotiated {
    Publishing(Box<ClientSession>),
    LogIn(ClientConfig),
    Redirect(SecretKey),
}

/// RTMP up to `Publish.Start`. `published` tells, also when this fails, whether our `publish` had gone out.
async fn negotiate(link: &mut Link, mut session: ClientSession, published: &mut bool) -> Result<Negotiated, Cause> {
    let mut buffer = vec![0; 8 << 10];
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                ClientEvent::PublishSent => *published = true,
                ClientEvent::PublishStarted { .. } => return Ok(Negotiated::Publishing(Box::new(session))),
                ClientEvent::Refused { stage, code, description } => {
                    let reason = if stage == Stage::Publish { ReasonCode::BadKey } else { ReasonCode::Refused };
                    return Err(Cause::with(reason, format!("{code} {description}")));
                }
                ClientEvent::Closed { code, description } => {
                    return Err(Cause::with(ReasonCode::RemoteClosed, format!("{code} {description}")));
                }
                ClientEvent::Reconnect(config) => return Ok(Negotiated::LogIn(*config)),
                ClientEvent::Redirect { url } => return Ok(Negotiated::Redirect(url)),
                _ => {}
            }
        }
        flush(link, &mut session).await.map_err(|e| io_cause(&e))?;
        let n = link.read(&mut buffer).await.map_err(|e| io_cause(&e))?;
        let Some(bytes) = buffer.get(..n).filter(|b| !b.is_empty()) else {
            return Err(Cause::with(ReasonCode::RemoteClosed, "the server closed the connection"));
        };
        session.handle_input(bytes).map_err(|e| Cause::with(ReasonCode::Refused, e))?;
    }
}

/// Writes what the session has to say.
pub(crate) async fn flush(link: &mut Link, session: &mut ClientSession) -> io::Result<()> {
    while !session.output().is_empty() {
        let n = link.write(session.output()).await?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        session.consume_output(n);
    }
    link.flush().await
}

/// Where a redirect leads, if it may: a key must not wander. Some servers name the application, others the whole stream:
/// `key` at the end of the address tells which.
fn follow(destination: &Destination, from: &RtmpUrl, to: &str, key: &SecretKey) -> Result<RtmpUrl, Cause> {
    let to: RtmpUrl = to.parse().map_err(|e: brookbox_rtmp::url::UrlError| Cause::with(ReasonCode::Refused, e))?;
    let suffixes = &destination.platform_facts.redirect_suffixes;
    let host = to.host.to_ascii_lowercase();
    let allowed = host == from.host.to_ascii_lowercase() || suffixes.iter().any(|s| host.ends_with(s.as_str()));
    if !allowed {
        return Err(Cause::with(ReasonCode::Refused, format!("a redirect to another host, {host}")));
    }
    if from.tls && !to.tls {
        return Err(Cause::with(ReasonCode::Refused, "a redirect from rtmps to rtmp"));
    }
    Ok(match to.split_stream() {
        Some((application, stream)) if name(&stream) == name(key) => application,
        _ => to,
    })
}

/// A stream key without its query.
fn name(key: &SecretKey) -> &str {
    key.expose().split('?').next().unwrap_or_default()
}
