//! What is written down as time passes: figures for graphs, and broadcasts with what became of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use brookbox_relay::{DestinationState, DestinationStatus, Id, Snapshot};
use brookbox_store::{Broadcast, Leg, Time, Trouble};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::app::App;
use crate::problem::Problem;

/// How often a broadcast that goes on is written down: what a power cut may cost.
const SAVE: Duration = Duration::from_secs(30);
/// After one that could not be written down nothing is tried for so long: a full disk stays full for a while.
const PAUSE: Duration = Duration::from_secs(30);
/// A broadcast that was seen so lately goes on after a restart of the box.
const GOES_ON: Duration = Duration::from_secs(120);
/// A clock that is further off than this from the time that has passed was set.
const CLOCK_SET_MS: i64 = 2_000;
/// Most troubles that are kept of one destination; the others are counted.
const MOST_TROUBLES: usize = 50;
/// Most destinations of one broadcast.
const MOST_LEGS: usize = 64;
/// Most broadcasts that are over and wait to be written down; the oldest go first.
const MOST_WAITING: usize = 16;

/// Writes down what happens. Ends with the engine.
pub(crate) async fn run(app: App) {
    let mut snapshots = app.engine.subscribe();
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let begun = tick.tick().await;
    let mut recorder = Recorder::default();
    recorder.find_unfinished(&app).await;
    loop {
        let ticked = tokio::select! {
            // The second that is meant, and not when this got its turn.
            at = tick.tick() => Some((at - begun).as_secs()),
            changed = snapshots.changed() => match changed {
                Ok(()) => None,
                Err(_) => break,
            },
            written = recorder.writing() => {
                recorder.written(written);
                continue;
            }
        };
        let snapshot = snapshots.borrow_and_update().clone();
        if let Some(second) = ticked {
            app.figures.note(second, Time::now(), &snapshot, app.vitals.load_and_heat());
            app.upload.note(Time::now(), &snapshot);
            if let Some(save) = app.upload.save_if_due(Instant::now())
                && let Err(problem) = app.db(save).await
            {
                tracing::warn!(problem = problem.code().as_str(), "what the line has carried was not written down");
            }
        }
        recorder.note(Instant::now(), Time::now(), &snapshot);
        recorder.write(&app);
    }
    recorder.write_all(&app).await;
}

/// A broadcast as it is known here.
struct Record {
    /// Its id is 0 until it is in the store.
    broadcast: Broadcast,
    /// When it was last given to be written down.
    saved: Option<Instant>,
    number: u64,
}

/// What became of writing a broadcast down.
#[derive(Clone, Copy)]
struct Written {
    number: u64,
    /// The id that it has by now.
    id: i64,
    /// Whether it was over.
    ended: bool,
    done: bool,
}

/// Follows the broadcast that goes on. Nothing here waits for the disk.
#[derive(Default)]
struct Recorder {
    open: Option<Record>,
    /// What is over and not written down as such yet, the oldest first.
    over: VecDeque<Record>,
    /// One that the box's last run left open, and until when it may go on.
    unfinished: Option<(Broadcast, Instant)>,
    states: BTreeMap<Id, (DestinationState, u64)>,
    /// When this looked last, by the clock that only passes and by the one that may be set.
    noted: Option<(Instant, Time)>,
    writing: Option<JoinHandle<Written>>,
    paused_until: Option<Instant>,
    count: u64,
}

impl Recorder {
    async fn find_unfinished(&mut self, app: &App) {
        let newest = app.db(|store| store.broadcasts(None, 1)).await.ok().and_then(|mut list| list.pop());
        let Some(newest) = newest.filter(|broadcast| broadcast.ended_at.is_none()) else { return };
        // Seen in the future: the clock is not set yet, and nobody knows how long ago that was.
        let fresh = newest.seen_at.after(GOES_ON) > Time::now();
        let until = Instant::now() + if fresh { GOES_ON } else { Duration::ZERO };
        self.unfinished = Some((newest, until));
    }

    fn note(&mut self, now: Instant, time: Time, snapshot: &Snapshot) {
        if let Some((left, _)) = self.unfinished.take_if(|(_, until)| *until <= now) {
            // It ended when it was last seen: what came after that nobody knows.
            let left = Broadcast { ended_at: Some(left.seen_at), ..left };
            let left = self.record(left);
            self.over(left);
        }
        let passed = self.noted.map_or(Duration::ZERO, |(noted, _)| now - noted);
        let set_by = self.noted.map_or(0, |(_, noted)| time.as_ms().saturating_sub(noted.after(passed).as_ms()));
        self.noted = Some((now, time));
        let on_air = snapshot.on_air_since.is_some();
        if on_air && self.open.is_none() {
            let begun = Broadcast { id: 0, started_at: time, seen_at: time, ended_at: None, legs: Vec::new() };
            let mut broadcast = self.unfinished.take().map_or(begun, |(left, _)| left);
            // Its own times are from before a restart, of which the clock may know less.
            let ahead = broadcast.seen_at.as_ms().saturating_sub(time.as_ms());
            if ahead > 0 {
                shift(&mut broadcast, -ahead);
            }
            self.open = Some(self.record(broadcast));
        } else if let Some(open) = self.open.as_mut().filter(|_| set_by.abs() > CLOCK_SET_MS) {
            shift(&mut open.broadcast, set_by);
        }
        let Some(Record { broadcast: open, .. }) = &mut self.open else { return };
        open.seen_at = time;
        for (id, destination) in &snapshot.destinations {
            let before = self.states.insert(id.clone(), (destination.state, destination.frames_dropped));
            note_leg(&mut open.legs, id, destination, before, time, passed);
        }
        self.states.retain(|id, _| snapshot.destinations.contains_key(id));
        if !on_air {
            open.ended_at = Some(time);
            self.states.clear();
            if let Some(open) = self.open.take() {
                self.over(open);
            }
        }
    }

    fn record(&mut self, broadcast: Broadcast) -> Record {
        self.count += 1;
        Record { broadcast, saved: None, number: self.count }
    }

    fn over(&mut self, record: Record) {
        if self.over.len() >= MOST_WAITING {
            self.over.pop_front();
        }
        self.over.push_back(record);
    }

    /// Has the next thing written down that is due, one at a time.
    fn write(&mut self, app: &App) {
        let now = Instant::now();
        if self.writing.is_some() || self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        let due = |record: &&mut Record| record.saved.is_none_or(|saved| now - saved >= SAVE);
        let Some(record) = self.over.front_mut().or_else(|| self.open.as_mut().filter(due)) else { return };
        record.saved = Some(now);
        self.writing = Some(tokio::spawn(keep(app.clone(), record.number, record.broadcast.clone())));
    }

    /// Waits until what is being written down is.
    async fn writing(&mut self) -> Option<Written> {
        match &mut self.writing {
            Some(writing) => {
                let written = writing.await.ok();
                self.writing = None;
                written
            }
            None => std::future::pending().await,
        }
    }

    fn written(&mut self, written: Option<Written>) {
        if !written.is_some_and(|written| written.done) {
            self.paused_until = Some(Instant::now() + PAUSE);
        }
        let Some(Written { number, id, ended, done }) = written else { return };
        for record in self.over.iter_mut().chain(&mut self.open).filter(|record| record.number == number) {
            record.broadcast.id = id;
        }
        self.over.retain(|record| !(done && ended && record.number == number));
    }

    /// The end: everything is written down that still can be.
    async fn write_all(&mut self, app: &App) {
        if self.writing.is_some() {
            let written = self.writing().await;
            self.written(written);
        }
        for Record { broadcast, number, .. } in self.over.drain(..).chain(self.open.take()) {
            keep(app.clone(), number, broadcast).await;
        }
    }
}

async fn keep(app: App, number: u64, mut broadcast: Broadcast) -> Written {
    let (known, ended) = (broadcast.id, broadcast.ended_at.is_some());
    let kept = app.db(move |store| {
        if broadcast.id == 0 {
            broadcast.id = store.begin_broadcast(broadcast.started_at)?;
        }
        Ok::<_, brookbox_store::Error>((broadcast.id, store.save_broadcast(&broadcast).map_err(Problem::from)))
    });
    let (id, kept) = kept.await.unwrap_or_else(|problem| (known, Err(problem)));
    if let Err(problem) = &kept {
        tracing::warn!(problem = problem.code().as_str(), "a broadcast was not written down");
    }
    Written { number, id, ended, done: kept.is_ok() }
}

/// The clock was set: what happened before happened so much later, as it is seen now.
fn shift(broadcast: &mut Broadcast, by_ms: i64) {
    let later = |ms: &mut i64| *ms = ms.saturating_add(by_ms);
    for time in [&mut broadcast.started_at, &mut broadcast.seen_at] {
        *time = Time::from_ms(time.as_ms().saturating_add(by_ms));
    }
    for leg in &mut broadcast.legs {
        later(&mut leg.from_ms);
        later(&mut leg.until_ms);
        leg.troubles.iter_mut().for_each(|trouble| later(&mut trouble.at_ms));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_ms(seconds * 1000)
    }

    fn snapshot(on_air: bool) -> Snapshot {
        Snapshot { on_air_since: on_air.then(String::new), ..Snapshot::default() }
    }

    fn length_s(broadcast: &Broadcast) -> i64 {
        (broadcast.seen_at.as_ms() - broadcast.started_at.as_ms()) / 1000
    }

    #[tokio::test]
    async fn a_clock_that_is_set_lengthens_no_broadcast() {
        let (mut recorder, start) = (Recorder::default(), Instant::now());
        for second in 0..60_u32 {
            // Set to some months later after half a minute, and back a little after that.
            let time = match second {
                0..30 => 1_000_000,
                30..40 => 9_000_000,
                _ => 8_999_000,
            };
            let now = start + Duration::from_secs(second.into());
            recorder.note(now, at(time + i64::from(second)), &snapshot(true));
        }
        let open = recorder.open.unwrap().broadcast;
        assert_eq!((open.seen_at, length_s(&open)), (at(8_999_059), 59));
    }

    #[tokio::test]
    async fn a_broadcast_goes_on_after_a_restart_before_the_clock_is_set() {
        let left = Broadcast { id: 7, started_at: at(9_000_000), seen_at: at(9_000_300), ended_at: None, legs: vec![] };
        let (mut recorder, start) = (Recorder::default(), Instant::now());
        recorder.unfinished = Some((left, start + GOES_ON));
        for second in 5..15_u32 {
            let time = if second < 10 { 1_000_000 } else { 9_000_320 };
            let now = start + Duration::from_secs(second.into());
            recorder.note(now, at(time + i64::from(second)), &snapshot(true));
        }
        let open = recorder.open.unwrap().broadcast;
        assert_eq!((open.id, open.seen_at, length_s(&open)), (7, at(9_000_334), 309));
    }

    #[tokio::test]
    async fn what_cannot_be_written_down_is_tried_again_after_a_pause() {
        let mut recorder = Recorder::default();
        recorder.note(Instant::now(), at(1), &snapshot(true));
        let number = recorder.open.as_ref().unwrap().number;
        let written = Written { number, id: 0, ended: false, done: false };
        recorder.written(Some(written));
        assert!(recorder.paused_until.is_some_and(|until| until > Instant::now()));
        recorder.note(Instant::now(), at(2), &snapshot(false));
        assert!(recorder.open.is_none() && recorder.over.len() == 1, "it is kept until then");
        recorder.written(Some(Written { id: 12, done: true, ..written }));
        assert_eq!(recorder.over.front().unwrap().broadcast.id, 12, "begun, and its end is still to be written");
        recorder.written(Some(Written { id: 12, done: true, ended: true, ..written }));
        assert!(recorder.over.is_empty());
        for second in 0..40 {
            recorder.note(Instant::now(), at(second), &snapshot(second % 2 == 0));
        }
        assert!(recorder.over.len() == MOST_WAITING);
    }
}
