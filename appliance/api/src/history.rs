//! What is written down as time passes: figures for graphs, and broadcasts with what became of them.

use std::collections::BTreeMap;
use std::time::Duration;

use brookbox_relay::{DestinationState, DestinationStatus, Id, Snapshot};
use brookbox_store::{Broadcast, Leg, Time, Trouble};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::app::App;

/// How often a broadcast that goes on is written down: what a power cut may cost.
const SAVE: Duration = Duration::from_secs(30);
/// A broadcast that was seen so lately goes on after a restart of the box.
const GOES_ON: Duration = Duration::from_secs(120);
/// Most troubles that are kept of one destination; the others are counted.
const MOST_TROUBLES: usize = 50;
/// Most destinations of one broadcast.
const MOST_LEGS: usize = 64;

/// Writes down what happens. Ends with the program.
pub(crate) async fn run(app: App) {
    let mut snapshots = app.engine.subscribe();
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut recorder = Recorder::default();
    recorder.find_unfinished(&app).await;
    loop {
        let is_tick = tokio::select! {
            _ = tick.tick() => true,
            changed = snapshots.changed() => match changed {
                Ok(()) => false,
                Err(_) => break,
            },
        };
        let snapshot = snapshots.borrow_and_update().clone();
        if is_tick {
            app.figures.note(app.started.elapsed().as_secs(), &snapshot);
        }
        recorder.note(&app, &snapshot).await;
    }
    recorder.save(&app).await;
}

/// The broadcast that goes on.
#[derive(Default)]
struct Recorder {
    open: Option<Broadcast>,
    /// One that the box's last run left open, and until when it may go on.
    unfinished: Option<(Broadcast, Instant)>,
    states: BTreeMap<Id, (DestinationState, u64)>,
    noted: Option<Instant>,
    saved: Option<Instant>,
}

impl Recorder {
    async fn find_unfinished(&mut self, app: &App) {
        let newest = app.db(|store| store.broadcasts(None, 1)).await.ok().and_then(|mut list| list.pop());
        let Some(newest) = newest.filter(|broadcast| broadcast.ended_at.is_none()) else { return };
        let fresh = newest.seen_at.after(GOES_ON) > Time::now() && newest.seen_at <= Time::now();
        let until = Instant::now() + if fresh { GOES_ON } else { Duration::ZERO };
        self.unfinished = Some((newest, until));
    }

    async fn note(&mut self, app: &App, snapshot: &Snapshot) {
        let now = Instant::now();
        if let Some((left, _)) = self.unfinished.take_if(|(_, until)| *until <= now) {
            // It ended when it was last seen: what came after that nobody knows.
            keep(app, Broadcast { ended_at: Some(left.seen_at), ..left }).await;
        }
        let passed = self.noted.map_or(Duration::ZERO, |noted| now - noted);
        self.noted = Some(now);
        let on_air = snapshot.on_air_since.is_some();
        if on_air && self.open.is_none() {
            self.begin(app).await;
        }
        let Some(open) = &mut self.open else { return };
        let time = Time::now();
        open.seen_at = time;
        for (id, destination) in &snapshot.destinations {
            let before = self.states.insert(id.clone(), (destination.state, destination.frames_dropped));
            note_leg(&mut open.legs, id, destination, before, time, passed);
        }
        self.states.retain(|id, _| snapshot.destinations.contains_key(id));
        if !on_air {
            open.ended_at = Some(time);
            self.save(app).await;
            (self.open, self.saved) = (None, None);
            self.states.clear();
        } else if self.saved.is_none_or(|saved| now - saved >= SAVE) {
            self.save(app).await;
        }
    }

    async fn begin(&mut self, app: &App) {
        if let Some((left, _)) = self.unfinished.take() {
            self.open = Some(left);
            return;
        }
        let started_at = Time::now();
        match app.db(move |store| store.begin_broadcast(started_at)).await {
            Ok(id) => {
                self.open = Some(Broadcast { id, started_at, seen_at: started_at, ended_at: None, legs: Vec::new() });
            }
            Err(problem) => tracing::warn!(problem = problem.code().as_str(), "a broadcast was not written down"),
        }
    }

    async fn save(&mut self, app: &App) {
        self.saved = Some(Instant::now());
        if let Some(open) = &self.open {
            keep(app, open.clone()).await;
        }
    }
}

async fn keep(app: &App, broadcast: Broadcast) {
    if let Err(problem) = app.db(move |store| store.save_broadcast(&broadcast)).await {
        tracing::warn!(problem = problem.code().as_str(), "a broadcast was not written down");
    }
}

/// What this moment adds to what became of a broadcast at a destination.
fn note_leg(
    legs: &mut Vec<Leg>,
    id: &str,
    destination: &DestinationStatus,
    before: Option<(DestinationState, u64)>,
    time: Time,
    passed: Duration,
) {
    use DestinationState as S;
    let is_live = |state| matches!(state, S::Live | S::Slow);
    let now = destination.state;
    let place = legs.iter().position(|leg| leg.destination == id);
    let takes_part = is_live(now) || matches!(now, S::Retrying | S::Failed);
    if place.is_none() && (!takes_part || legs.len() >= MOST_LEGS) {
        return;
    }
    let place = place.unwrap_or_else(|| {
        legs.push(Leg {
            destination: id.to_owned(),
            name: destination.name.clone(),
            platform: destination.platform.to_string(),
            from_ms: time.as_ms(),
            until_ms: time.as_ms(),
            live_ms: 0,
            frames_dropped: 0,
            troubles: Vec::new(),
            trouble_count: 0,
        });
        legs.len() - 1
    });
    let Some(leg) = legs.get_mut(place) else { return };
    if is_live(now) {
        leg.until_ms = time.as_ms();
    }
    if let Some((state, dropped)) = before {
        if is_live(state) {
            leg.live_ms += u64::try_from(passed.as_millis()).unwrap_or_default();
        }
        leg.frames_dropped += destination.frames_dropped.saturating_sub(dropped);
    }
    let trouble = matches!(now, S::Slow | S::Retrying | S::Failed);
    if trouble && before.is_none_or(|(state, _)| state != now) {
        leg.trouble_count += 1;
        if leg.troubles.len() < MOST_TROUBLES {
            let state = match now {
                S::Slow => "slow",
                S::Retrying => "retrying",
                _ => "failed",
            };
            let reason = destination.reason.as_ref().map(|reason| reason.code.as_str().to_owned());
            leg.troubles.push(Trouble { at_ms: time.as_ms(), state: state.to_owned(), reason });
        }
    }
}
