//! From an address to a server that waits for media: name, TCP, TLS, RTMP up to `Publish.Start`.
//!
//! Each step has a deadline of its own, and each answer of the resolver is checked before it is connected to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use brookbox_rtmp::url::RtmpUrl;
use brookbox_rtmp::{ClientConfig, ClientEvent, ClientSession, SecretKey, Stage};
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::link::Link;
use crate::address::{self, NotAllowed, OwnListeners};
use crate::reason::Cause;
use crate::tls::Tls;
use crate::variables::Variables;
use crate::{Destination, ReasonCode};

const NAME_DEADLINE: Duration = Duration::from_secs(4);
const TCP_DEADLINE: Duration = Duration::from_secs(4);
/// A name's next address is tried beside the ones before it after this time (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);
const TLS_DEADLINE: Duration = Duration::from_secs(4);
const RTMP_DEADLINE: Duration = Duration::from_secs(4);
/// Redirects followed in one try.
const MAX_REDIRECTS: u32 = 2;
/// Connections made in one try: redirects and the rounds of a log-in.
const MAX_ROUNDS: u32 = 3 + MAX_REDIRECTS;

/// What every try needs.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) tls: Tls,
    pub(crate) own_listeners: OwnListeners,
    pub(crate) variables: Variables,
    pub(crate) lookups: Lookups,
}

/// Names that are being looked up. The system's resolver holds a thread for as long as it waits, so a name is asked for once
/// at a time however often it is tried.
#[derive(Debug, Default)]
pub(crate) struct Lookups(RefCell<BTreeMap<String, Arc<Mutex<()>>>>);

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
        let tcp = self.connect(destination, url).await?;
        Link::prepare(&tcp).map_err(|e| io_cause(&e))?;
        let mut link = if url.tls { self.secure(url, tcp).await? } else { Link::Plain(tcp) };
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

    async fn connect(&self, destination: &Destination, url: &RtmpUrl) -> Result<TcpStream, Cause> {
        let addresses = self.lookups.resolve(&url.host, url.port).await?;
        // Each answer is checked before any is used: a name must not lead home on its second answer.
        for address in &addresses {
            address::check(*address, destination.allow_local, &self.own_listeners).map_err(not_allowed)?;
        }
        let mut last = Cause::with(ReasonCode::Dns, "the name has no address");
        let connecting = async {
            let mut addresses = addresses.into_iter();
            let mut tries = JoinSet::new();
            loop {
                if let Some(address) = addresses.next() {
                    tries.spawn_local(TcpStream::connect(address));
                } else if tries.is_empty() {
                    return Err(());
                }
                tokio::select! {
                    biased;
                    Some(done) = tries.join_next() => match done {
                        Ok(Ok(tcp)) => return Ok(tcp),
                        Ok(Err(error)) => last = io_cause(&error),
                        Err(error) => last = Cause::with(ReasonCode::Timeout, error),
                    },
                    () = sleep(HEAD_START), if addresses.len() > 0 => {}
                }
            }
        };
        match timeout(TCP_DEADLINE, connecting).await {
            Ok(Ok(tcp)) => Ok(tcp),
            Ok(Err(())) => Err(last),
            Err(_) => Err(Cause::with(ReasonCode::Timeout, "no TCP connection in time")),
        }
    }

    async fn secure(&self, url: &RtmpUrl, tcp: TcpStream) -> Result<Link, Cause> {
        let name = ServerName::try_from(url.host.clone()).map_err(|e| Cause::with(ReasonCode::Tls, e))?;
        let securing = async {
            let connector = self.tls.connector().await.map_err(|e| Cause::with(ReasonCode::Tls, e))?;
            connector.connect(name, tcp).await.map_err(|error| crate::tls::cause(&error))
        };
        match timeout(TLS_DEADLINE, securing).await {
            Ok(secured) => Ok(Link::Tls(Box::new(secured?))),
            Err(_) => Err(Cause::with(ReasonCode::Timeout, "no TLS connection in time")),
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

impl Lookups {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Cause> {
        let name = (host.to_owned(), port);
        let turn = {
            let mut names = self.0.borrow_mut();
            names.retain(|_, turn| Arc::strong_count(turn) > 1);
            names.entry(name.0.clone()).or_default().clone()
        };
        let found = timeout(NAME_DEADLINE, async {
            let turn = turn.lock_owned().await;
            // Goes on after the deadline, and keeps its turn until the resolver's thread is free.
            let asking = spawn_local(async move {
                let found = tokio::net::lookup_host(name).await;
                drop(turn);
                // Enough for any service, and a bound for what a name may make us try.
                found.map(|found| found.take(8).collect())
            });
            asking.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        });
        match found.await {
            Ok(found) => found.map_err(|error| Cause::with(ReasonCode::Dns, error)),
            Err(_) => Err(Cause::with(ReasonCode::Dns, "no answer from the name server in time")),
        }
    }
}

fn not_allowed(why: NotAllowed) -> Cause {
    let details = match why {
        NotAllowed::Local => "the address is in the own network, which this destination does not allow",
        NotAllowed::Never => "the address can never be a destination",
        NotAllowed::OwnListener => "the address is the box itself",
    };
    Cause::with(ReasonCode::AddressNotAllowed, details)
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

/// The contract's code for a system error.
pub(crate) fn io_cause(error: &io::Error) -> Cause {
    use io::ErrorKind as E;
    let code = match error.kind() {
        E::ConnectionRefused => ReasonCode::Refused,
        E::HostUnreachable | E::NetworkUnreachable | E::AddrNotAvailable | E::NetworkDown => ReasonCode::NoRoute,
        E::TimedOut => ReasonCode::Timeout,
        E::InvalidData => return crate::tls::cause(error),
        _ => ReasonCode::RemoteClosed,
    };
    Cause::with(code, error)
}
