//! The live socket: a snapshot, then what changed, numbered, once a second.
//!
//! One difference is made for everybody. A change of state is told at once, figures once a second. A socket that does
//! not keep up is closed; nothing is kept for it beyond the few messages that everybody shares.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use brookbox_relay::Snapshot;
use brookbox_store::Time;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::app::App;
use crate::auth::Caller;
use crate::fields;
use crate::problem::{Code, Problem};
use crate::resources::status::{Sources, Status, changed_at_once};
use crate::security::{self, Connection};
use crate::sockets::{PER_CREDENTIAL, Place, Sockets};

/// How often figures are told.
const TICK: Duration = Duration::from_secs(1);
/// Changes of state are told at most so often.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Deltas kept for a socket that comes back.
const HISTORY: usize = 120;
/// Most bytes of them.
const HISTORY_BYTES: usize = 1 << 20;
/// Deltas that a socket may be behind.
const BEHIND: usize = 16;
/// Longest that one message may take to be sent.
const SEND_TIME: Duration = Duration::from_secs(5);
/// Largest message from a socket; what they hold is not read.
pub(crate) const INBOUND: usize = 4 << 10;
/// Most messages from a socket in ten seconds.
const INBOUND_COUNT: u32 = 100;

/// The state as it was last told, and what was told lately.
pub(crate) struct Live {
    now: Mutex<Now>,
    deltas: broadcast::Sender<Utf8Bytes>,
    sources: Sources,
}

struct Now {
    seq: u64,
    status: Value,
    snapshot: Arc<Snapshot>,
    /// The delta that led to each number, oldest first.
    history: VecDeque<(u64, Utf8Bytes)>,
    history_bytes: usize,
}

impl Live {
    /// Numbers begin anywhere, so that one from before a restart is not taken for one from after it.
    pub(crate) fn new(snapshot: &Arc<Snapshot>, sources: Sources) -> Self {
        let mut random = [0; 4];
        let seq = match getrandom::fill(&mut random) {
            Ok(()) => u64::from(u32::from_le_bytes(random)) << 8,
            Err(_) => u64::try_from(Time::now().as_ms()).unwrap_or_default(),
        };
        let now = Now {
            seq,
            status: to_value(&Status::new(seq, Time::now(), snapshot, &sources)),
            snapshot: snapshot.clone(),
            history: VecDeque::new(),
            history_bytes: 0,
        };
        Self { now: Mutex::new(now), deltas: broadcast::Sender::new(BEHIND), sources }
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The state as it was last told; told anew first if more than figures has changed since.
    pub(crate) fn status(&self, newest: &Arc<Snapshot>) -> Value {
        self.tell_if_changed(newest);
        self.lock().status.clone()
    }

    /// Tells what changed, unless it is figures alone.
    fn tell_if_changed(&self, newest: &Arc<Snapshot>) {
        let mut now = self.lock();
        if changed_at_once(&now.snapshot, newest) {
            self.tell(&mut now, newest);
        }
    }

    fn tell(&self, now: &mut Now, snapshot: &Arc<Snapshot>) {
        let seq = now.seq + 1;
        let status = to_value(&Status::new(seq, Time::now(), snapshot, &self.sources));
        // Never nothing: the number differs.
        let patch = fields::diff(&now.status, &status).unwrap_or_default();
        let text = Utf8Bytes::from(json!({"type": "delta", "seq": seq, "patch": patch}).to_string());
        now.history_bytes += text.len();
        now.history.push_back((seq, text.clone()));
        while now.history.len() > HISTORY || now.history_bytes > HISTORY_BYTES {
            let Some((_, oldest)) = now.history.pop_front() else { break };
            now.history_bytes -= oldest.len();
        }
        (now.seq, now.status, now.snapshot) = (seq, status, snapshot.clone());
        // Nobody listening is fine.
        let _ = self.deltas.send(text);
    }

    /// What a socket is told first, and where it hears what follows; nothing falls between the two.
    fn join(&self, since: Option<u64>) -> (Vec<Utf8Bytes>, broadcast::Receiver<Utf8Bytes>) {
        let now = self.lock();
        let missed = since.and_then(|since| now.since(since)).unwrap_or_else(|| {
            vec![json!({"type": "snapshot", "seq": now.seq, "status": now.status}).to_string().into()]
        });
        (missed, self.deltas.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    /// The deltas after a number, `None` if they are not all kept.
    fn since(&self, since: u64) -> Option<Vec<Utf8Bytes>> {
        let kept_from = self.history.front().map_or(self.seq, |&(seq, _)| seq - 1);
        if !(kept_from..=self.seq).contains(&since) {
            return None;
        }
        Some(self.history.iter().filter(|&&(seq, _)| seq > since).map(|(_, text)| text.clone()).collect())
    }
}

fn to_value(status: &Status) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

/// Tells what changed. Ends when the engine does.
pub(crate) async fn run(app: App) {
    let mut snapshots = app.engine.subscribe();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let newest = snapshots.borrow_and_update().clone();
                app.live.tell(&mut app.live.lock(), &newest);
            }
            changed = snapshots.changed() => {
                if changed.is_err() {
                    return;
                }
                let newest = snapshots.borrow_and_update().clone();
                app.live.tell_if_changed(&newest);
                tokio::time::sleep(AT_ONCE).await;
            }
        }
    }
}

/// `GET /live?since=`.
pub(crate) async fn live(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    security::check_upgrade(&app, &headers, connection)?;
    let upgrade = upgrade.map_err(|_| Code::UpgradeRequired)?;
    let place = Sockets::take(&app, caller.credential(), caller.user.role, PER_CREDENTIAL)?;
    // A number that is none is treated like one that is too old.
    let since = query.iter().find(|(name, _)| name == "since").and_then(|(_, since)| since.parse().ok());
    let upgrade = upgrade.max_message_size(INBOUND).max_frame_size(INBOUND).max_write_buffer_size(HISTORY_BYTES * 2);
    Ok(upgrade.on_upgrade(move |socket| serve(app, socket, place, since)).into_response())
}

/// Why a socket is closed (RFC 6455, section 7.4.1).
#[derive(Clone, Copy)]
enum Close {
    /// The sign-in has ended, or the box stops.
    Ended,
    /// The reader does not keep up, or sends too much.
    Policy(&'static str),
    /// The peer is gone.
    Gone,
}

async fn serve(app: App, mut socket: WebSocket, place: Place, since: Option<u64>) {
    let why = converse(&app, &mut socket, &place.close, since).await;
    drop(place);
    let (code, reason) = match why {
        Close::Ended => (1001, "the sign-in has ended"),
        Close::Policy(reason) => (1008, reason),
        Close::Gone => return,
    };
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = timeout(SEND_TIME, socket.send(Message::Close(Some(frame)))).await;
}

async fn converse(app: &App, socket: &mut WebSocket, close: &watch::Receiver<bool>, since: Option<u64>) -> Close {
    let (mut close, mut close_in_send) = (close.clone(), close.clone());
    let (first, mut deltas) = app.live.join(since);
    for text in first {
        if let Err(close) = send(socket, text, &mut close_in_send).await {
            return close;
        }
    }
    let mut inbound = Inbound::default();
    loop {
        tokio::select! {
            biased;
            () = ended(&mut close) => return Close::Ended,
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Close::Gone,
                // Nothing is expected from the page; pings are answered below this.
                Some(Ok(_)) if inbound.is_too_much() => return Close::Policy("too many messages"),
                Some(Ok(_)) => {}
            },
            delta = deltas.recv() => match delta {
                Ok(text) => if let Err(close) = send(socket, text, &mut close_in_send).await {
                    return close;
                },
                Err(broadcast::error::RecvError::Lagged(_)) => return Close::Policy("too slow"),
                Err(broadcast::error::RecvError::Closed) => return Close::Ended,
            },
        }
    }
}

/// Waits until the socket has to close.
async fn ended(close: &mut watch::Receiver<bool>) {
    let _ = close.wait_for(|close| *close).await;
}

/// Sends one message, unless it takes too long or the socket has to close meanwhile.
async fn send(socket: &mut WebSocket, text: Utf8Bytes, close: &mut watch::Receiver<bool>) -> Result<(), Close> {
    tokio::select! {
        biased;
        () = ended(close) => Err(Close::Ended),
        sent = timeout(SEND_TIME, socket.send(Message::Text(text))) => match sent {
            Ok(Ok(())) => Ok(()),
            // A message is half sent: a close frame would not be understood any more.
            Ok(Err(_)) | Err(_) => Err(Close::Gone),
        },
    }
}

/// How much a socket has sent lately.
pub(crate) struct Inbound {
    since: Instant,
    count: u32,
}

impl Default for Inbound {
    fn default() -> Self {
        Self { since: Instant::now(), count: 0 }
    }
}

impl Inbound {
    pub(crate) fn is_too_much(&mut self) -> bool {
        if self.since.elapsed() > Duration::from_secs(10) {
            *self = Self::default();
        }
        self.count += 1;
        self.count > INBOUND_COUNT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[Utf8Bytes]) -> Vec<Value> {
        texts.iter().map(|text| serde_json::from_str(text.as_str()).unwrap()).collect()
    }

    fn empty(snapshot: &Arc<Snapshot>) -> Live {
        Live::new(snapshot, Sources::default())
    }

    #[test]
    fn a_socket_that_comes_back_gets_what_it_missed_or_everything() {
        let snapshot = Arc::new(Snapshot::default());
        let live = empty(&snapshot);
        let start = live.lock().seq;
        for _ in 0..3 {
            live.tell(&mut live.lock(), &snapshot);
        }
        let (first, _) = live.join(None);
        assert_eq!(parsed(&first)[0]["type"], "snapshot");
        assert_eq!(parsed(&first)[0]["seq"], start + 3);
        let (missed, _) = live.join(Some(start + 1));
        let seqs: Vec<_> = parsed(&missed).iter().map(|delta| delta["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, [start + 2, start + 3]);
        assert!(live.join(Some(start + 3)).0.is_empty(), "nothing was missed");
        assert_eq!(live.join(Some(start)).0.len(), 3);
        for unknown in [start + 4, start.wrapping_sub(1), 0, u64::MAX] {
            assert_eq!(parsed(&live.join(Some(unknown)).0)[0]["type"], "snapshot", "{unknown}");
        }
    }

    #[test]
    fn deltas_lead_from_the_snapshot_to_the_status() {
        let live = empty(&Arc::new(Snapshot::default()));
        let (first, mut deltas) = live.join(None);
        let mut status = parsed(&first)[0]["status"].clone();
        for on_air in [Some("2026-11-21T13:00:00Z".to_owned()), None] {
            let snapshot = Arc::new(Snapshot { on_air_since: on_air, ..Snapshot::default() });
            let told = live.status(&snapshot);
            let delta: Value = serde_json::from_str(deltas.try_recv().unwrap().as_str()).unwrap();
            fields::merge(&mut status, delta["patch"].clone());
            // In a merge patch `null` takes a field away: missing and null are the same.
            let mut told = told;
            told.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            assert_eq!(status, told);
        }
    }

    #[test]
    fn history_is_bounded() {
        let snapshot = Arc::new(Snapshot::default());
        let live = empty(&snapshot);
        for _ in 0..3 * HISTORY {
            live.tell(&mut live.lock(), &snapshot);
        }
        let now = live.lock();
        assert_eq!(now.history.len(), HISTORY);
        assert_eq!(now.history_bytes, now.history.iter().map(|(_, text)| text.len()).sum::<usize>());
    }
}
