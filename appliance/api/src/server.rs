//! Connections: how many, for how long, and their end.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use brookbox_store::Severity;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::app::{Api, App};
use crate::problem::{Code, MEDIA_TYPE, Problem};
use crate::security::{Connection, HEADERS_ALWAYS};
use crate::sentences::plain;
use crate::{history, live, lookout, net, notify, routes, sockets, vitals};

/// Most connections at once.
const CONNECTIONS: usize = 512;
/// Most of them from one address (/64 for IPv6); programs on this machine may have all.
const PER_ADDRESS: usize = 128;
/// Longest that the head of a request may take to arrive, and that a connection may wait for its next one.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// A little above what a request's headers may have, so that too many are answered and not just cut off.
const HEAD_BYTES: usize = 32 << 10;
const HEAD_COUNT: usize = 256;
/// A peer that acknowledges nothing for so long is gone, also while an answer waits for it.
const PEER_TIME: Duration = Duration::from_secs(30);
/// What the system may hold for a peer that does not read, in bytes; it would take megabytes on its own.
const SEND_BUFFER: usize = 128 << 10;
/// How long requests under way get at the end.
const GRACE: Duration = Duration::from_secs(2);
/// How long accepting pauses when the system has no descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How often expired sign-ins and tokens are deleted.
const PRUNE: Duration = Duration::from_secs(3600);

/// A part that keeps everything up to date has died. Its last words are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of the HTTP side has died")]
pub struct Died;

/// Serves HTTP on a listener until `shutdown` is done, then for up to two seconds to those who are being answered.
///
/// # Errors
/// [`Died`], after the same goodbye: the program has to be started again.
pub async fn serve(listener: TcpListener, api: Api, shutdown: impl Future<Output = ()>) -> Result<(), Died> {
    serve_both(listener, None, api, shutdown).await
}

/// The same on a second listener over TLS, beside the first.
///
/// # Errors
/// As [`serve`].
pub async fn serve_both(
    http: TcpListener,
    https: Option<(TcpListener, TlsAcceptor)>,
    api: Api,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Died> {
    let app = api.app;
    let router = routes::router(&app);
    let mut background = JoinSet::new();
    background.spawn(sockets::sweep(app.clone()));
    background.spawn(live::run(app.clone()));
    background.spawn(history::run(app.clone()));
    background.spawn(lookout::run(app.clone()));
    background.spawn(vitals::run(app.clone()));
    background.spawn(notify::run(app.clone()));
    background.spawn(prune(app.clone()));
    started(&app).await;

    let gate = Arc::new(Gate::default());
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let result = loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            died = died(&mut background) => break Err(died),
            // Reaped as they end, or the set would grow with every connection there ever was.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&http, https.as_ref()) => accepted,
        };
        let (stream, tls) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        let Some((stream, connection)) = prepare(stream, tls.is_some()) else { continue };
        let Some(place) = Gate::enter(&gate, &app, connection.address()) else {
            // Over TLS there is no saying so before the handshake.
            if tls.is_none() {
                refuse(&stream);
            }
            continue;
        };
        let (router, stopping) = (router.clone(), stopping.clone());
        match tls {
            Some(acceptor) => {
                connections.spawn(async move {
                    // Who does not speak TLS, or none that the box speaks, is dropped; there is nobody to tell.
                    if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_TIME, acceptor.accept(stream)).await {
                        converse(stream, connection, router, stopping, place).await;
                    }
                })
            }
            None => connections.spawn(converse(stream, connection, router, stopping, place)),
        };
    };
    drop((http, https));
    ended(&app).await;
    sockets::close_all(&app);
    stop.send_replace(true);
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    result
}

/// Waits until something has died that should go on. What ends with the engine has not died.
async fn died(background: &mut JoinSet<()>) -> Died {
    while let Some(ended) = background.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a part of the HTTP side has died");
            return Died;
        }
    }
    std::future::pending().await
}

/// Where it is kept that the program runs: what is still there at a start is of one that had no end.
const RUNNING: &str = "running";

/// Notes that the box has started, and whether it had been shut down before.
async fn started(app: &App) {
    let noted = app.db(|store| {
        let unclean = store.setting(RUNNING)?.unwrap_or(false);
        store.put_setting(RUNNING, &true)?;
        Ok::<_, brookbox_store::Error>(unclean)
    });
    let unclean = noted.await.unwrap_or_else(|problem| {
        tracing::warn!(problem = problem.code().as_str(), "the start was not written down");
        false
    });
    let sentence = match unclean {
        true => "The box has started again. It was not shut down before.",
        false => "The box has started.",
    };
    let severity = if unclean { Severity::Warning } else { Severity::Info };
    let params = [("version", app.config.version.as_str().into()), ("unclean", unclean.into())];
    app.note(plain("box_started", severity, params, sentence)).await;
}

/// Notes that the box is shut down.
async fn ended(app: &App) {
    if let Err(problem) = app.db(|store| store.delete_setting(RUNNING)).await {
        tracing::warn!(problem = problem.code().as_str(), "the end was not written down");
    }
}

/// The next connection on either listener, with what makes it secure.
async fn accept(
    http: &TcpListener,
    https: Option<&(TcpListener, TlsAcceptor)>,
) -> std::io::Result<(TcpStream, Option<TlsAcceptor>)> {
    let Some((https, acceptor)) = https else { return http.accept().await.map(|(stream, _)| (stream, None)) };
    tokio::select! {
        accepted = http.accept() => accepted.map(|(stream, _)| (stream, None)),
        accepted = https.accept() => accepted.map(|(stream, _)| (stream, Some(acceptor.clone()))),
    }
}

/// Sets a connection up; `None` if the peer is gone already.
fn prepare(stream: TcpStream, secure: bool) -> Option<(TcpStream, Connection)> {
    let connection = Connection { peer: stream.peer_addr().ok()?, local: stream.local_addr().ok()?, secure };
    let socket = socket2::SockRef::from(&stream);
    // None of these can fail on a TCP socket that is there.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    let _ = socket.set_tcp_user_timeout(Some(PEER_TIME));
    let _ = socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(PEER_TIME).with_interval(PEER_TIME / 3));
    Some((stream, connection))
}

/// One connection from its first byte to its last, or until it becomes a socket of another kind.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    _place: Place,
) {
    let hangup = Hangup::default();
    let asked = hangup.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(connection);
        request.extensions_mut().insert(hangup.clone());
        router.clone().call(request.map(Body::new))
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_COUNT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut conversation = std::pin::pin!(conversation);
    // A peer that breaks off or breaks the protocol is answered or dropped by hyper; there is nobody to tell.
    tokio::select! {
        _ = &mut conversation => return,
        () = asked.0.notified() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    conversation.as_mut().graceful_shutdown();
    let _ = conversation.await;
}

/// Ends a connection in the middle of an answer, whatever its peer does.
#[derive(Clone, Default)]
pub(crate) struct Hangup(Arc<Notify>);

impl Hangup {
    pub(crate) fn now(&self) {
        self.0.notify_one();
    }
}

/// Who is connected.
#[derive(Default)]
struct Gate(Mutex<HashMap<IpAddr, usize>>);

struct Place {
    gate: Arc<Gate>,
    app: App,
    bucket: IpAddr,
}

impl Gate {
    fn enter(gate: &Arc<Self>, app: &App, address: IpAddr) -> Option<Place> {
        let bucket = net::bucket(address);
        let most = if address.is_loopback() { CONNECTIONS } else { PER_ADDRESS };
        let mut open = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().sum();
        if total >= CONNECTIONS || open.get(&bucket).is_some_and(|&count| count >= most) {
            return None;
        }
        *open.entry(bucket).or_default() += 1;
        app.counters.connections.store(total as u64 + 1, Ordering::Relaxed);
        Some(Place { gate: gate.clone(), app: app.clone(), bucket })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.bucket) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.bucket);
            }
        }
        let total: usize = open.values().sum();
        self.app.counters.connections.store(total as u64, Ordering::Relaxed);
    }
}

/// Tells one connection too many so. Whether it gets there is up to its own buffers: nothing waits for it.
fn refuse(stream: &TcpStream) {
    let body = Problem::new(Code::Busy).detail("Too many connections are open.").body();
    let mut answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncontent-type: {MEDIA_TYPE}\r\n\
         content-length: {}\r\n",
        body.len()
    );
    for (name, value) in HEADERS_ALWAYS {
        answer.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    answer.push_str("\r\n");
    answer.push_str(&body);
    let _ = stream.try_write(answer.as_bytes());
}

async fn prune(app: App) {
    let mut hours = tokio::time::interval(PRUNE);
    loop {
        hours.tick().await;
        if let Err(problem) = app.db(|store| store.prune(brookbox_store::Time::now())).await {
            tracing::warn!(problem = problem.code().as_str(), "expired sign-ins were not deleted");
        }
        let files = app.clone();
        let _ = tokio::task::spawn_blocking(move || files.jobs.tidy()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_dies_is_noticed_and_one_that_ends_is_not() {
        let mut background = JoinSet::new();
        background.spawn(async {});
        background.spawn(std::future::pending());
        let soon = tokio::time::timeout(Duration::from_millis(200), died(&mut background)).await;
        assert!(soon.is_err());
        background.spawn(async { panic!("a part that dies") });
        assert_eq!(died(&mut background).await, Died);
    }
}
