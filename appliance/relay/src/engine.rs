//! The engine: who is there, what is wanted, and the state that everybody sees.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{io, thread};

use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::address::OwnListeners;
use crate::clock::Clock;
use crate::connections::Connections;
use crate::destination::{Actor, Dialer, View, Wish, same_connection, takes_part};
use crate::handle::Command;
use crate::ingest::{self, Closing, Session};
use crate::outward::Outward;
use crate::programme::{Life, Programme, Shared};
use crate::publishers::Ending;
use crate::refusals::{Blocks, Refusals};
use crate::retry::Retry;
use crate::tls::Tls;
use crate::variables::Variables;
use crate::viewer::Viewer;
use crate::{
    BroadcastState, Destination, DestinationState, Event, EventCode, Handle, Id, Input, InputState, Report, Reports,
    Settings, Snapshot,
};

/// How often the engine looks after itself.
const HOUSEKEEPING: Duration = Duration::from_millis(500);
/// Destinations stay connected this long after the publisher was lost, ms.
const HOLD_MS: u64 = 30_000;
/// A publisher whose connection is open but silent counts as lost after this, ms.
const LOST_MS: u64 = 2_000;
/// After a start of the box an interrupted broadcast waits this long for its publisher, ms.
const RESUME_MS: u64 = 60_000;
/// *Stop sending* outlives a publisher that is lost, or a restart of the box, by this, ms: who comes back by itself must not be
/// on air against the person's will.
pub(crate) const STOPPED_MS: u64 = 600_000;
/// Time for all destinations to end properly when the box goes down.
const STOP_TIME: Duration = Duration::from_secs(3);
/// Reports that may wait for their reader.
const MAX_REPORTS: usize = 1024;
/// Commands that may wait for the engine.
const MAX_COMMANDS: usize = 64;
/// One read from a publisher.
const READ_BYTES: usize = 64 << 10;

/// What every part of the engine needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) clock: Clock,
    touched: Notify,
    reports: mpsc::Sender<Report>,
    lost_reports: Cell<u64>,
}

impl Context {
    /// The state has changed: a snapshot is due.
    pub(crate) fn touch(&self) {
        self.touched.notify_one();
    }

    /// Tells of what happened.
    pub(crate) fn report(&self, event: Event) {
        tracing::info!(
            code = event.code.as_str(),
            input = event.input.as_deref(),
            destination = event.destination.as_deref(),
            params = ?event.params,
            "event"
        );
        self.send(Report::Event(event));
    }

    fn send(&self, report: Report) {
        if self.reports.try_send(report).is_err() {
            let lost = self.lost_reports.get() + 1;
            self.lost_reports.set(lost);
            tracing::error!(lost, "a report found no room: their reader does not keep up");
        }
    }
}

/// Starts the engine on a thread of its own. The listener is bound when this returns.
///
/// # Errors
/// The address cannot be bound, or the thread not be started.
pub fn start(settings: Settings) -> io::Result<(Handle, Reports)> {
    let listener = listener(settings.rtmp)?;
    let rtmp = listener.local_addr()?;
    let (commands, orders) = mpsc::channel(MAX_COMMANDS);
    let (reports, report_reader) = mpsc::channel(MAX_REPORTS);
    let (snapshots, snapshot_reader) = watch::channel(Arc::new(Snapshot::default()));
    let own_listeners = settings.own_listeners.iter().copied().chain([rtmp]).collect();
    let outward = Outward::new(Tls::new(settings.extra_roots.clone()), OwnListeners(own_listeners));
    let handle = Handle::new(commands, snapshot_reader, rtmp, outward.clone());
    let mut builder = runtime();
    thread::Builder::new().name("engine".to_owned()).spawn(move || {
        let run = builder.build_local(LocalOptions::default()).and_then(|runtime| {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener)?;
                // A task of its own: whatever wakes the outermost future costs a system call.
                spawn_local(Engine::new(settings, outward, reports, snapshots).run(listener, orders)).await?;
                Ok(())
            })
        });
        if let Err(error) = run {
            tracing::error!(%error, "the engine could not start");
        }
    })?;
    Ok((handle, report_reader))
}

/// The engine's runtime: one thread, beside which names are looked up and certificate files read.
fn runtime() -> Builder {
    let mut builder = Builder::new_current_thread();
    // Name servers that are silent hold a thread for half a minute each; none is kept.
    builder.enable_all().max_blocking_threads(32).thread_keep_alive(Duration::from_secs(1));
    builder
}

fn listener(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// An input with who is there.
#[derive(Debug)]
pub(crate) struct InputSlot {
    pub(crate) config: Rc<Input>,
    pub(crate) programme: Option<Shared>,
    pub(crate) session: Option<Rc<Session>>,
    pub(crate) state: (InputState, SystemTime),
}

/// A destination with its task.
#[derive(Debug)]
pub(crate) struct DestinationSlot {
    pub(crate) wish: watch::Sender<Wish>,
    pub(crate) view: Rc<RefCell<View>>,
    task: JoinHandle<()>,
}

/// The engine's state, on its own thread.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) settings: Settings,
    pub(crate) context: Rc<Context>,
    pub(crate) inputs: RefCell<BTreeMap<Id, InputSlot>>,
    pub(crate) connections: RefCell<Connections>,
    pub(crate) read_buffer: RefCell<Vec<u8>>,
    dialer: Rc<Dialer>,
    pub(crate) destinations: RefCell<BTreeMap<Id, DestinationSlot>>,
    pub(crate) broadcast: Cell<BroadcastState>,
    /// Until then (engine ms) a publisher continues the broadcast of before the box's start.
    pub(crate) resumes_until: Cell<u64>,
    pub(crate) on_air_since: Cell<Option<SystemTime>>,
    pub(crate) refusals: RefCell<Refusals>,
    /// Since the last snapshot; a flood of refusals is not a flood of snapshots.
    pub(crate) refusals_changed: Cell<bool>,
    pub(crate) blocked: RefCell<Blocks>,
    pub(crate) viewers: Rc<RefCell<BTreeMap<Id, Rc<Viewer>>>>,
    pub(crate) sessions: Cell<u64>,
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
}

impl Engine {
    fn new(
        settings: Settings,
        outward: Outward,
        reports: mpsc::Sender<Report>,
        snapshots: watch::Sender<Arc<Snapshot>>,
    ) -> Rc<Self> {
        let dialer = Dialer { outward, variables: Variables(settings.variables.clone()) };
        let context = Context { clock: Clock::start(), touched: Notify::new(), reports, lost_reports: Cell::new(0) };
        Rc::new(Self {
            context: Rc::new(context),
            inputs: RefCell::default(),
            connections: RefCell::default(),
            read_buffer: RefCell::new(vec![0; READ_BYTES]),
            dialer: Rc::new(dialer),
            destinations: RefCell::default(),
            broadcast: Cell::new(settings.broadcast),
            resumes_until: Cell::new(if settings.broadcast.stopped { STOPPED_MS } else { RESUME_MS }),
            on_air_since: Cell::new(None),
            refusals: RefCell::default(),
            refusals_changed: Cell::default(),
            blocked: RefCell::default(),
            viewers: Rc::default(),
            sessions: Cell::new(0),
            snapshots,
            settings,
        })
    }

    async fn run(self: Rc<Self>, listener: TcpListener, mut orders: mpsc::Receiver<(Command, oneshot::Sender<bool>)>) {
        let (mut listener, mut listening) = (Some(listener), None);
        let mut tick = interval(HOUSEKEEPING);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut is_second = false;
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let Some((command, answer)) = order else { break };
                    let stop = matches!(command, Command::Stop);
                    // What the last state was before a stop stays to be seen: the broadcast goes on after a restart.
                    let changes = !matches!(command, Command::Ping | Command::Excerpt(..) | Command::Stop);
                    let result = match command {
                        Command::Listen => {
                            let listener = listener.take();
                            listening = listening.or(listener.map(|l| spawn_local(ingest::listen(self.clone(), l))));
                            true
                        }
                        Command::Stop => {
                            listener = None;
                            if let Some(listening) = listening.take() {
                                listening.abort();
                            }
                            self.stop().await;
                            true
                        }
                        command => self.obey(command),
                    };
                    if changes {
                        self.publish_snapshot();
                    }
                    let _ = answer.send(result);
                    if stop {
                        return;
                    }
                }
                () = self.context.touched.notified() => {
                    // What changes together is shown together.
                    sleep(Duration::from_millis(5)).await;
                    self.publish_snapshot();
                }
                _ = tick.tick() => {
                    self.keep_house();
                    // Figures are told once a second, and only of a programme; whatever else happens is told by itself.
                    is_second = !is_second;
                    let measured = is_second && self.inputs.borrow().values().any(|slot| slot.programme.is_some());
                    if self.refusals_changed.take() || measured {
                        self.publish_snapshot();
                    }
                }
            }
        }
        self.stop().await;
    }

    fn obey(&self, command: Command) -> bool {
        match command {
            Command::PutInput(input) => self.put_input(input),
            Command::RemoveInput(id) => return self.remove_input(&id),
            Command::PutDestination(destination) => self.put_destination(destination),
            Command::RemoveDestination(id) => return self.remove_destination(&id),
            Command::Retry(id) => {
                let destinations = self.destinations.borrow();
                let Some(slot) = destinations.get(&id) else { return false };
                slot.wish.send_modify(|wish| wish.nudge += 1);
            }
            Command::StartBroadcast => {
                self.resumes_until.set(0);
                self.set_broadcast(BroadcastState { started: true, stopped: false });
                self.context.report(Event::now(EventCode::BroadcastStarted));
            }
            Command::StopBroadcast => {
                self.resumes_until.set(0);
                self.set_broadcast(BroadcastState { started: false, stopped: true });
                self.context.report(Event::now(EventCode::BroadcastStopped));
            }
            Command::View(viewer, answer) => self.view(viewer, answer),
            Command::Excerpt(input, sound, answer) => _ = answer.send(self.excerpt(&input, sound)),
            Command::Disconnect(id) => {
                if let Some(viewer) = self.viewers.borrow().get(&id) {
                    viewer.close();
                    return true;
                }
                let inputs = self.inputs.borrow();
                let session = inputs.values().filter_map(|s| s.session.as_ref()).find(|s| s.id == id);
                let Some(session) = session else { return false };
                session.close(Closing::Unwanted);
            }
            Command::Block(address, time) => {
                let until = self.context.clock.now() + u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2);
                self.blocked.borrow_mut().put(address, until);
                self.connections.borrow_mut().close_strangers(address);
            }
            Command::Ping | Command::Listen | Command::Stop => {}
        }
        true
    }

    fn put_input(&self, input: Input) {
        let mut inputs = self.inputs.borrow_mut();
        let id = input.id.clone();
        let config = Rc::new(input);
        match inputs.get_mut(&id) {
            Some(slot) => {
                let same_key = slot.config.key.expose_secret() == config.key.expose_secret();
                if let Some(session) = slot.session.as_ref().filter(|_| !config.enabled || !same_key) {
                    session.close(Closing::Unwanted);
                }
                slot.config = config;
            }
            None => {
                let state = (InputState::None, SystemTime::now());
                inputs.insert(id, InputSlot { config, programme: None, session: None, state });
            }
        }
    }

    fn remove_input(&self, id: &Id) -> bool {
        let Some(slot) = self.inputs.borrow_mut().remove(id) else { return false };
        if let Some(session) = slot.session {
            session.close(Closing::Unwanted);
        }
        if let Some(programme) = slot.programme {
            Programme::end(&programme, self.context.clock.now());
        }
        self.recompute(None);
        true
    }

    fn put_destination(&self, destination: Destination) {
        let id = destination.id.clone();
        let config = Rc::new(destination);
        let mut destinations = self.destinations.borrow_mut();
        match destinations.get(&id) {
            Some(slot) => slot.wish.send_modify(|wish| {
                // What has failed is tried again after any edit: the same key may have been let in meanwhile.
                wish.nudge += u64::from(slot.view.borrow().state() == DestinationState::Failed);
                if !same_connection(&wish.config, &config) {
                    wish.revision += 1;
                    wish.from_first = false;
                }
                wish.config = config;
            }),
            None => {
                let wish = Wish { config, programme: None, from_first: false, revision: 0, nudge: 0 };
                let (wish, _) = watch::channel(wish);
                let view = Rc::new(RefCell::new(View::new()));
                let task = self.spawn_actor(&wish, &view);
                destinations.insert(id, DestinationSlot { wish, view, task });
            }
        }
        drop(destinations);
        self.recompute(None);
    }

    fn spawn_actor(&self, wish: &watch::Sender<Wish>, view: &Rc<RefCell<View>>) -> JoinHandle<()> {
        let actor = Actor {
            context: self.context.clone(),
            dialer: self.dialer.clone(),
            wish: wish.subscribe(),
            view: view.clone(),
            retry: Retry::default(),
            revision: wish.borrow().revision,
            sent: Weak::new(),
        };
        spawn_local(actor.run())
    }

    fn remove_destination(&self, id: &Id) -> bool {
        let Some(slot) = self.destinations.borrow_mut().remove(id) else { return false };
        slot.wish.send_modify(|wish| {
            wish.programme = None;
            wish.revision += 1;
        });
        true
    }

    pub(crate) fn set_broadcast(&self, state: BroadcastState) {
        if self.broadcast.replace(state) != state {
            self.context.send(Report::Broadcast(state));
        }
        self.recompute(None);
    }

    /// Tells each destination what is wanted of it now. `begun`: the input whose programme has just begun.
    pub(crate) fn recompute(&self, begun: Option<&Id>) {
        let (inputs, broadcast) = (self.inputs.borrow(), self.broadcast.get());
        for slot in self.destinations.borrow().values() {
            slot.wish.send_if_modified(|wish| {
                let input = input_of(&wish.config.output);
                let programme = inputs.get(input).and_then(|s| s.programme.as_ref());
                let programme = programme.filter(|p| takes_part(&wish.config, broadcast) && p.borrow().begun());
                let same = match (&wish.programme, programme) {
                    (Some(old), Some(new)) => Rc::ptr_eq(old, new),
                    (None, None) => true,
                    _ => false,
                };
                if !same {
                    wish.programme = programme.cloned();
                    wish.from_first = begun.is_some_and(|id| &**id == input);
                }
                // The switch alone may have changed, from off to waiting.
                true
            });
        }
        self.context.touch();
    }

    /// What only time changes.
    fn keep_house(&self) {
        let now = self.context.clock.now();
        if self.resumes_until.get() != 0 && now > self.resumes_until.get() {
            self.resumes_until.set(0);
            if self.inputs.borrow().values().all(|slot| slot.programme.is_none()) {
                // Nobody went on with the broadcast of before: the next stream is another one.
                self.set_broadcast(BroadcastState::default());
            }
        }
        self.blocked.borrow_mut().expire(now);
        for (id, slot) in self.destinations.borrow_mut().iter_mut() {
            // A task ends only with its destination: this is our own bug, and it stays with this one destination.
            if slot.task.is_finished() {
                tracing::error!(destination = &**id, "a destination's task died and is started anew");
                slot.task = self.spawn_actor(&slot.wish, &slot.view);
            }
        }
        let mut ended = Vec::new();
        for (id, slot) in self.inputs.borrow_mut().iter_mut() {
            let Some(programme) = slot.programme.clone() else { continue };
            let mut inner = programme.borrow_mut();
            if let Some(session) = &slot.session {
                let silent = now.saturating_sub(session.heard.get());
                if silent > HOLD_MS {
                    session.close(Closing::Silent);
                } else if silent > LOST_MS && inner.life == Life::Running {
                    inner.hold(now.saturating_sub(silent));
                    slot.state = (InputState::Lost, SystemTime::now());
                    self.report_silence(EventCode::PublisherLost, session);
                } else if silent <= LOST_MS && matches!(inner.life, Life::Held { .. }) {
                    inner.life = Life::Running;
                    self.report_silence(EventCode::PublisherReturned, session);
                }
                let receiving =
                    inner.life == Life::Running && inner.begun() && now.saturating_sub(inner.last_frame()) <= LOST_MS;
                if receiving && slot.state.0 != InputState::Receiving {
                    slot.state = (InputState::Receiving, SystemTime::now());
                }
                if inner.bitrate_bps(now) > slot.config.limits.bitrate_bps {
                    session.close(Closing::Limit);
                }
            } else if let Life::Held { since } = inner.life
                && now.saturating_sub(since) > HOLD_MS
            {
                drop(inner);
                slot.programme = None;
                slot.state = (InputState::None, SystemTime::now());
                ended.push((id.clone(), programme));
            }
        }
        for (id, programme) in ended {
            let mut event = Event::now(EventCode::PublisherEnded);
            event.input = Some(id);
            self.context.report(event);
            self.programme_ended(&programme, Ending::Lost);
        }
    }

    /// A publisher whose connection is open fell silent, or speaks again.
    fn report_silence(&self, code: EventCode, session: &Session) {
        let mut event = ingest::event(code, Some(&session.input), session.peer);
        event.params.insert("reason", "silent".to_owned());
        self.context.report(event);
    }

    /// Ends every destination properly, within a bounded time.
    async fn stop(&self) {
        for slot in self.inputs.borrow_mut().values_mut() {
            if let Some(session) = slot.session.take() {
                session.close(Closing::Stopping);
            }
        }
        let slots = std::mem::take(&mut *self.destinations.borrow_mut());
        let mut tasks = Vec::new();
        for slot in slots.into_values() {
            slot.wish.send_modify(|wish| {
                wish.programme = None;
                wish.revision += 1;
            });
            tasks.push(slot.task);
        }
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        if timeout(STOP_TIME, all).await.is_err() {
            tracing::warn!("not every destination could be ended properly in time");
        }
    }
}

/// The input that an output belongs to: what stands before the slash.
pub(crate) fn input_of(output: &str) -> &str {
    output.split_once('/').map_or(output, |(input, _)| input)
}
