//! A destination: one task, one connection, one patience, one retry timer of its own.
//!
//! The engine says what is wanted ([`Wish`]); the task does it and shows what it measured ([`View`]). Nothing here
//! knows of any other destination.

mod dial;
mod link;
mod policy;
mod sender;
mod stream;

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::{Duration, SystemTime};

use secrecy::ExposeSecret;
use tokio::sync::watch;

pub(crate) use dial::Dialer;
use dial::{Connected, DialError};
pub(crate) use policy::Policy;
use sender::Start;
use stream::{End, Streaming};

use crate::clock::{rfc3339, rfc3339_in};
use crate::engine::Context;
use crate::programme::{Life, Programme, Shared};
use crate::reason::Cause;
use crate::retry::{HEALTHY, Next, Retry};
use crate::{Destination, DestinationState, DestinationStatus, Event, EventCode, Reason, ReasonCode, StartMode};

/// Connections in a row that a server may ask for anew.
const MAX_MOVES: u32 = 2;

/// What the engine wants of a destination.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) config: Rc<Destination>,
    /// The programme to send; none: nothing is to be sent now.
    pub(crate) programme: Option<Shared>,
    /// It has been part of this programme since the programme's first message.
    pub(crate) from_first: bool,
    /// Another number: where or what is sent has changed.
    pub(crate) revision: u64,
    /// Another number: try now, whatever was before.
    pub(crate) nudge: u64,
}

impl Wish {
    fn same_connection(&self, other: &Self) -> bool {
        let same_programme = match (&self.programme, &other.programme) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same_programme && self.revision == other.revision && self.config.enabled == other.config.enabled
    }
}

/// Whether two configurations lead to the same connection.
pub(crate) fn same_connection(a: &Destination, b: &Destination) -> bool {
    let login = |d: &Destination| d.login.as_ref().map(|l| (l.username.clone(), l.password.expose_secret().to_owned()));
    a.url == b.url
        && a.backup_url == b.backup_url
        && a.key.expose_secret() == b.key.expose_secret()
        && login(a) == login(b)
        && a.output == b.output
        && a.allow_local == b.allow_local
        && a.platform == b.platform
}

/// What a destination shows of itself.
#[derive(Debug)]
pub(crate) struct View {
    state: DestinationState,
    since: SystemTime,
    reason: Option<Reason>,
    next_try_at: Option<String>,
    tries: u32,
    figures: sender::Figures,
    /// Sums over the connections before this one, since it was switched on.
    before: Sums,
    now: Sums,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    frames_sent: u64,
    frames_dropped: u64,
    bytes_sent: u64,
}

impl View {
    pub(crate) fn new() -> Self {
        Self {
            state: DestinationState::Off,
            since: SystemTime::now(),
            reason: None,
            next_try_at: None,
            tries: 0,
            figures: sender::Figures::default(),
            before: Sums::default(),
            now: Sums::default(),
        }
    }

    pub(crate) fn state(&self) -> DestinationState {
        self.state
    }

    pub(crate) fn since(&self) -> SystemTime {
        self.since
    }

    pub(crate) fn status(&self, config: &Destination) -> DestinationStatus {
        let connected = matches!(self.state, DestinationState::Live | DestinationState::Slow);
        DestinationStatus {
            name: config.name.clone(),
            platform: config.platform.clone(),
            output: config.output.clone(),
            enabled: config.enabled,
            state: self.state,
            confirmed: false,
            since: rfc3339(self.since),
            reason: self.reason.clone(),
            next_try_at: self.next_try_at.clone(),
            tries: self.tries,
            bitrate_bps: self.figures.bitrate_bps.filter(|_| connected),
            rtt_ms: self.figures.rtt_ms.filter(|_| connected),
            queue_ms: Some(self.figures.queue_ms).filter(|_| connected),
            frames_sent: self.before.frames_sent + self.now.frames_sent,
            frames_dropped: self.before.frames_dropped + self.now.frames_dropped,
            bytes_sent: self.before.bytes_sent + self.now.bytes_sent,
        }
    }

    fn connection_ended(&mut self) {
        let now = std::mem::take(&mut self.now);
        self.before.frames_sent += now.frames_sent;
        self.before.frames_dropped += now.frames_dropped;
        self.before.bytes_sent += now.bytes_sent;
        self.figures = sender::Figures::default();
    }
}

/// One destination's task.
pub(crate) struct Actor {
    pub(crate) context: Rc<Context>,
    pub(crate) dialer: Rc<Dialer>,
    pub(crate) wish: watch::Receiver<Wish>,
    pub(crate) view: Rc<RefCell<View>>,
    pub(crate) retry: Retry,
    /// Which configuration `retry` counts for.
    pub(crate) revision: u64,
    /// The programme of which something has been sent.
    pub(crate) sent: Weak<RefCell<Programme>>,
}

/// How a try ended.
enum Outcome {
    /// The engine wants something else now.
    Superseded,
    /// The programme ended, and so did this, properly.
    Ended,
    /// The server asked to be connected anew, perhaps elsewhere, after this long of health.
    Moved(Option<String>, Duration),
    /// It went wrong, after this long of health.
    Failed(Cause, Duration),
}

impl Actor {
    /// Runs until the engine forgets the destination.
    pub(crate) async fn run(mut self) {
        let (mut moved, mut moves) = (None, 0);
        loop {
            let wish = self.wish.borrow_and_update().clone();
            let Some(programme) = wish.programme.clone() else {
                self.rest(&wish);
                if self.wish.changed().await.is_err() {
                    return;
                }
                continue;
            };
            if std::mem::replace(&mut self.revision, wish.revision) != wish.revision {
                // What failed was another address or key.
                self.retry = Retry::default();
            }
            let outcome = self.attempt(&wish, &programme, moved.take()).await;
            self.view.borrow_mut().connection_ended();
            moves = match outcome {
                Outcome::Moved(_, live) if live < HEALTHY => moves + 1,
                Outcome::Moved(..) => 1,
                _ => 0,
            };
            let waited = match outcome {
                Outcome::Superseded => Ok(()),
                Outcome::Moved(_, live) if moves > MAX_MOVES => {
                    let cause = Cause::with(ReasonCode::RemoteClosed, "it asks for a new connection again and again");
                    self.failed(&wish, &cause, live).await
                }
                Outcome::Moved(url, _) => {
                    moved = Some(url);
                    Ok(())
                }
                Outcome::Ended => {
                    self.set(DestinationState::Waiting, None, None);
                    self.event(&wish, EventCode::DestinationEnded, None);
                    self.until_changed(&wish).await
                }
                Outcome::Failed(cause, live) => self.failed(&wish, &cause, live).await,
            };
            if waited.is_err() {
                return;
            }
        }
    }

    /// Nothing is to be sent: failures are forgotten.
    fn rest(&mut self, wish: &Wish) {
        self.retry = Retry::default();
        let state = if wish.config.enabled { DestinationState::Waiting } else { DestinationState::Off };
        let mut view = self.view.borrow_mut();
        if state == DestinationState::Off {
            view.before = Sums::default();
        }
        view.tries = 0;
        drop(view);
        self.set(state, None, None);
    }

    /// Waits as long as the reason and the number of failures ask for.
    async fn failed(&mut self, wish: &Wish, cause: &Cause, live: Duration) -> Result<(), watch::error::RecvError> {
        let mut jitter = [127];
        // Without randomness the middle is as good.
        let _ = getrandom::fill(&mut jitter);
        let next = self.retry.ended(cause.code, live, self.context.clock.now(), wish.config.retry_for, jitter[0]);
        self.view.borrow_mut().tries = self.retry.failures();
        let reason = self.reason(wish, cause);
        match next {
            Next::After(delay) => {
                self.set(DestinationState::Retrying, Some(reason.clone()), Some(delay));
                self.event(wish, EventCode::DestinationRetrying, Some(&reason));
                tokio::select! {
                    () = tokio::time::sleep(delay) => Ok(()),
                    changed = self.until_changed(wish) => changed,
                }
            }
            Next::Failed => {
                self.set(DestinationState::Failed, Some(reason.clone()), None);
                self.event(wish, EventCode::DestinationFailed, Some(&reason));
                self.until_changed(wish).await?;
                self.retry = Retry::default();
                Ok(())
            }
        }
    }

    /// Until the engine wants another connection, or the same one at once.
    async fn until_changed(&self, wish: &Wish) -> Result<(), watch::error::RecvError> {
        let mut wishes = self.wish.clone();
        let other = |new: &Wish| !new.same_connection(wish) || new.nudge != wish.nudge;
        wishes.wait_for(other).await.map(|_| ())
    }

    /// One try: connect, send until something ends it.
    async fn attempt(&mut self, wish: &Wish, programme: &Shared, moved: Option<Option<String>>) -> Outcome {
        let reason = self.view.borrow().reason.clone();
        self.set(DestinationState::Connecting, reason, None);
        let config = &*wish.config;
        let (enhanced, codec) = {
            let programme = programme.borrow();
            (programme.enhanced_codecs(), programme.video_codec())
        };
        let takes = &config.platform_facts.video_codecs;
        if let Some(codec) = codec.map(|c| c.to_string()).filter(|c| !takes.is_empty() && !takes.contains(c)) {
            return Outcome::Failed(Cause::with(ReasonCode::Codec, format!("the stream is {codec}")), Duration::ZERO);
        }
        let enhanced: Vec<String> = enhanced.iter().map(ToString::to_string).collect();
        let backup = config.backup_url.as_deref().filter(|_| self.retry.use_backup());
        let url = backup.unwrap_or(&config.url);
        let moved = moved.flatten();
        let dialled = tokio::select! {
            biased;
            _ = Self::superseded(self.wish.clone(), wish) => return Outcome::Superseded,
            dialled = self.dialer.dial(config, url, moved.as_deref(), &enhanced) => dialled,
        };
        match dialled {
            Ok(connected) => {
                self.retry.accepted();
                self.stream(wish, programme, connected).await
            }
            Err(DialError::SilentRefusal) => {
                let refused = self.retry.silent_refusal();
                let code = if refused { ReasonCode::BadKey } else { ReasonCode::RemoteClosed };
                Outcome::Failed(Cause::with(code, "the server hung up at `publish`"), Duration::ZERO)
            }
            Err(DialError::Cause(cause)) => {
                self.retry.accepted();
                Outcome::Failed(cause, Duration::ZERO)
            }
        }
    }

    /// Sends until something ends it, and ends properly where it can.
    async fn stream(&mut self, wish: &Wish, programme: &Shared, connected: Connected) -> Outcome {
        // What has been sent once need not be sent from the beginning again.
        let again = Weak::ptr_eq(&self.sent, &Rc::downgrade(programme));
        let first = wish.from_first && !again;
        let start = if first { Start::First } else { Start::Join };
        let mut streaming = Streaming::new(connected, programme.clone(), start, &self.context);
        let superseded = Self::superseded(self.wish.clone(), wish);
        let mut live_since = None;
        let end =
            streaming.run(superseded, |figures, sender| self.measured(wish, figures, sender, &mut live_since)).await;
        if self.view.borrow().now.frames_sent > 0 {
            self.sent = Rc::downgrade(programme);
        }
        let live = live_since
            .map_or(Duration::ZERO, |since| Duration::from_millis(self.context.clock.now().saturating_sub(since)));
        match end {
            End::Superseded => {
                streaming.finish().await;
                Outcome::Superseded
            }
            End::ProgrammeEnded => {
                streaming.finish().await;
                Outcome::Ended
            }
            End::Moved(url) => {
                streaming.finish().await;
                Outcome::Moved(url, live)
            }
            End::Failed(cause) => Outcome::Failed(cause, live),
        }
    }

    /// Shows what was measured, and the state that follows from it.
    fn measured(&self, wish: &Wish, figures: sender::Figures, sender: &sender::Sender, live_since: &mut Option<u64>) {
        let mut view = self.view.borrow_mut();
        view.now = Sums {
            frames_sent: sender.frames_sent,
            frames_dropped: sender.frames_dropped,
            bytes_sent: sender.bytes_sent(),
        };
        view.figures = figures;
        let (state, now) = (view.state, self.context.clock.now());
        let healthy = live_since.is_some_and(|s| u128::from(now.saturating_sub(s)) >= HEALTHY.as_millis());
        if healthy {
            view.tries = 0;
        }
        drop(view);
        if !figures.live {
            return;
        }
        live_since.get_or_insert(now);
        match (state, figures.slow) {
            (DestinationState::Live, false) | (DestinationState::Slow, true) => {}
            (DestinationState::Slow, false) => {
                self.set(DestinationState::Live, None, None);
                self.event(wish, EventCode::DestinationRecovered, None);
            }
            (_, true) => {
                let reason = self.reason(wish, &Cause::new(ReasonCode::TooSlow));
                self.set(DestinationState::Slow, Some(reason.clone()), None);
                self.event(wish, EventCode::DestinationSlow, Some(&reason));
            }
            (_, false) => {
                self.set(DestinationState::Live, None, None);
                self.event(wish, EventCode::DestinationLive, None);
            }
        }
    }

    /// Until this connection is no longer wanted. The end of its programme is not that: what is left is still sent.
    async fn superseded(mut wishes: watch::Receiver<Wish>, wish: &Wish) {
        let other = |new: &Wish| {
            let ended = wish.programme.as_ref().is_some_and(|p| p.borrow().life == Life::Ended);
            let switched = new.config.enabled && new.revision == wish.revision;
            !(new.same_connection(wish) || ended && switched)
        };
        // An engine that forgot the destination wants no connection either.
        let _ = wishes.wait_for(other).await;
    }

    fn reason(&self, wish: &Wish, cause: &Cause) -> Reason {
        let config = &*wish.config;
        let key = self.dialer.variables.expand(config.key.expose_secret());
        let mut secrets = vec![config.key.expose_secret()];
        if let Ok(key) = &key {
            secrets.push(key.expose_secret());
        }
        if let Some(login) = &config.login {
            secrets.push(login.password.expose_secret());
        }
        // A server may repeat the address too.
        let addresses = [Some(&config.url), config.backup_url.as_ref()];
        secrets.extend(addresses.into_iter().flatten().flat_map(|url| self.dialer.variables.used_in(url)));
        // It may have been renamed since it was connected.
        cause.reason(&self.wish.borrow().config.name, &secrets)
    }

    fn set(&self, state: DestinationState, reason: Option<Reason>, next: Option<Duration>) {
        let mut view = self.view.borrow_mut();
        if view.state != state {
            (view.state, view.since) = (state, SystemTime::now());
        }
        view.reason = reason;
        view.next_try_at = next.map(rfc3339_in);
        drop(view);
        self.context.touch();
    }

    fn event(&self, wish: &Wish, code: EventCode, reason: Option<&Reason>) {
        let mut event = Event::now(code);
        event.destination = Some(wish.config.id.clone());
        event.params.insert("name", self.wish.borrow().config.name.clone());
        if let Some(reason) = reason {
            event.params.insert("reason", reason.code.as_str().to_owned());
        }
        self.context.report(event);
    }
}

/// Whether a destination is part of a broadcast.
pub(crate) fn takes_part(destination: &Destination, broadcast: crate::BroadcastState) -> bool {
    let starts = destination.start_mode == StartMode::WithStream || broadcast.started;
    destination.enabled && !broadcast.stopped && starts
}
