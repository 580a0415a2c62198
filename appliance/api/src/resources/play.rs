//! Watching: an input's programme as FLV, over HTTP and over WebSocket, and the exchange of a watch link for a cookie.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use brookbox_relay::{NewViewer, ViewError, Viewing};
use brookbox_store::{Role, Time, WatchLink};
use brookbox_vault::TokenHash;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{self, Watcher};
use crate::body;
use crate::live::{INBOUND, Inbound};
use crate::problem::{Code, Problem};
use crate::resources::NO_STORE;
use crate::security::{self, Connection};
use crate::server::Hangup;
use crate::sockets::{Credential, PER_CREDENTIAL, Place, Sockets};

/// Longest that one piece may take to be sent: a slow line gets it, one that is gone does not hold it for ever.
const SEND_TIME: Duration = Duration::from_secs(30);
/// How long an answer has to come to its end by itself once the right to watch has ended.
const GOODBYE: Duration = Duration::from_millis(400);
/// Longest part of a program's name that is kept, in characters.
const PROGRAM: usize = 100;

/// `GET /play/{input}.flv`
pub(crate) async fn play(
    State(app): State<App>,
    watcher: Watcher,
    connection: Connection,
    Extension(hangup): Extension<Hangup>,
    (method, headers): (Method, HeaderMap),
    Path(file): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let input = file.strip_suffix(".flv").ok_or(Code::NotFound)?;
    if upgrade.is_ok() {
        security::check_upgrade(&app, &headers, connection)?;
    }
    let (credential, role, most) = match &watcher {
        Watcher::Caller(caller) => (caller.credential(), caller.user.role, PER_CREDENTIAL),
        Watcher::Link(link) if link.input == input => {
            (Credential::WatchLink(*link.hash.as_bytes()), Role::Viewer, link.viewers as usize)
        }
        Watcher::Link(_) => return Err(Problem::new(Code::NotAllowed).detail("This watch link is for another input.")),
    };
    let place = Sockets::take(&app, credential, role, most)?;
    if method == Method::HEAD {
        return Ok(flv_headers().into_response());
    }
    let program = headers.get(header::USER_AGENT).and_then(|program| program.to_str().ok());
    let viewing = app.engine.view(NewViewer {
        input: input.into(),
        peer: connection.peer,
        program: program.map(|program| program.chars().take(PROGRAM).collect()),
        protocol: if upgrade.is_ok() { "ws-flv" } else { "http-flv" },
    });
    let viewing = viewing.await?;
    place.carries(viewing.id());
    Ok(match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(INBOUND)
            .max_frame_size(INBOUND)
            // Each piece goes out at once.
            .write_buffer_size(0)
            .on_upgrade(move |socket| serve(socket, place, viewing))
            .into_response(),
        Err(_) => (flv_headers(), Body::new(FlvBody::new(place, viewing, hangup))).into_response(),
    })
}

fn flv_headers() -> [(HeaderName, HeaderValue); 2] {
    [(header::CONTENT_TYPE, HeaderValue::from_static("video/x-flv")), NO_STORE]
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::NoInput => Code::NotFound.into(),
            ViewError::NoPicture => Code::NoPicture.into(),
            ViewError::Limit => Problem::new(Code::TooManyViewers).retry_after(10),
            ViewError::Ended(_) => Code::EngineEnded.into(),
        }
    }
}

/// An answer that goes on until the programme ends, the viewer goes, or the right to watch does.
struct FlvBody {
    viewing: Viewing,
    closed: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: Place,
}

impl FlvBody {
    fn new(place: Place, viewing: Viewing, hangup: Hangup) -> Self {
        let mut close = place.close.clone();
        let mut closing = place.close.clone();
        tokio::spawn(async move {
            let has_to_end = closing.wait_for(|close| *close).await.is_ok();
            if has_to_end {
                // It is asked for its next piece only when the peer has taken the last one, which may be never.
                tokio::time::sleep(GOODBYE).await;
                // The place is given back with the answer; its connection may carry another by then.
                if closing.has_changed().is_ok() {
                    hangup.now();
                }
            }
        });
        let closed = Box::pin(async move { ended(&mut close).await });
        Self { viewing, closed, _place: place }
    }
}

impl HttpBody for FlvBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        this.viewing.poll_next(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Waits until the stream has to end.
async fn ended(close: &mut watch::Receiver<bool>) {
    let _ = close.wait_for(|close| *close).await;
}

async fn serve(mut socket: WebSocket, place: Place, mut viewing: Viewing) {
    let frame = match converse(&mut socket, &place, &mut viewing).await {
        Some((code, reason)) => CloseFrame { code, reason: reason.into() },
        None => return,
    };
    // The session ends now, however long the goodbye takes.
    drop((viewing, place));
    let _ = timeout(Duration::from_secs(5), socket.send(Message::Close(Some(frame)))).await;
}

/// Sends piece after piece; says how to close (RFC 6455, section 7.4.1), unless the peer is gone.
async fn converse(socket: &mut WebSocket, place: &Place, viewing: &mut Viewing) -> Option<(u16, &'static str)> {
    const GONE: (u16, &str) = (1001, "the right to watch has ended");
    let (mut close, mut close_in_send) = (place.close.clone(), place.close.clone());
    let mut inbound = Inbound::default();
    loop {
        let piece = tokio::select! {
            biased;
            () = ended(&mut close) => return Some(GONE),
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                // Nothing is expected from a player; pings are answered below this.
                Some(Ok(_)) if inbound.is_too_much() => return Some((1008, "too many messages")),
                Some(Ok(_)) => continue,
            },
            piece = viewing.next() => piece,
        };
        let Some(piece) = piece else { return Some((1000, "the stream has ended")) };
        tokio::select! {
            biased;
            // A piece is half sent: a close frame would not be understood any more.
            () = ended(&mut close_in_send) => return None,
            sent = timeout(SEND_TIME, socket.send(Message::Binary(piece))) => match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return None,
            },
        }
    }
}

/// What a watch link shows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Watch {
    /// For `/play/{input}.flv`.
    #[schema(example = "main")]
    input: String,
    /// What the link's maker called it.
    #[schema(example = "Family")]
    title: String,
    /// Whether a picture comes in at the moment.
    receiving: bool,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

/// `POST /play/watch`
#[derive(ToSchema)]
pub(crate) struct WatchToken {
    /// What stands behind `/watch/` in the link.
    #[schema(value_type = String, write_only)]
    #[expect(dead_code, reason = "for the document; what is read goes straight into its hash")]
    token: SecretString,
}

/// Exchanges a watch link's secret for a cookie that reaches only `/play`.
pub(crate) async fn exchange(
    State(app): State<App>,
    connection: Connection,
    body: body::Json,
) -> Result<([(HeaderName, HeaderValue); 2], Json<Watch>), Problem> {
    let mut fields = body.fields()?;
    let there = fields.has("token");
    let token = fields.secret("token");
    let token = fields.need("token", there, token);
    fields.finish()?;
    // `finish` returns when it is missing.
    let token = token.ok_or(Code::Invalid)?;
    auth::check_watch_address(connection)?;
    let (hash, now) = (TokenHash::of(&token), Time::now());
    let link = app.db(move |store| store.watch_link(&hash, now)).await?.ok_or(Code::WatchLinkEnded)?;
    let cookie = auth::set_watch(&token, &link, connection.secure);
    Ok(([cookie, NO_STORE], Json(shown(&app, link))))
}

/// What the watch link shows whose cookie asks.
pub(crate) async fn watch(
    State(app): State<App>,
    watcher: Watcher,
    connection: Connection,
    headers: HeaderMap,
) -> Result<Json<Watch>, Problem> {
    let link = match watcher {
        Watcher::Link(link) => link,
        // Who is signed in may have opened a link too.
        Watcher::Caller(_) => Arc::new(auth::watch_link(&app, &headers, connection).await?.ok_or(Code::NotFound)?),
    };
    Ok(Json(shown(&app, Arc::unwrap_or_clone(link))))
}

fn shown(app: &App, link: WatchLink) -> Watch {
    let receiving = app.engine.snapshot().inputs.get(link.input.as_str()).is_some_and(|input| {
        // What is lost for a moment is still there to be watched.
        matches!(input.state, brookbox_relay::InputState::Receiving | brookbox_relay::InputState::Lost)
    });
    Watch { input: link.input, title: link.name, receiving, expires_at: link.expires_at }
}
