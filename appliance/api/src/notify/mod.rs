//! Telling people what happens, by webhook and ntfy.
//!
//! What is stored as an event and belongs to a kind that somebody wants to know of comes here by a bounded channel, and
//! waits in a line for each of them. One task sends what is due: a few events as one message, never two messages to one
//! server at a time, again after a while if it failed, and not for ever. Nothing waits while there is nothing to tell.

pub(crate) mod address;
pub(crate) mod client;
pub(crate) mod kinds;
mod line;
pub(crate) mod message;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use brookbox_relay::Outward;
use brookbox_store::{NewEvent, Notification, Severity, Time};
use secrecy::ExposeSecret;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::notify::address::Address;
use crate::notify::client::{Delivery, Outcome, Post};
use crate::notify::line::Line;
use crate::notify::message::{Message, Told};
use crate::problem::{Code, Problem};
use crate::sentences::plain;

/// Events that may wait to be put into lines.
const CHANNEL: usize = 256;
/// Events that are put into lines at once.
const BATCH: usize = 64;
/// Tests at once.
const TESTS: usize = 2;

/// The way from what is stored to those who are told, and what became of it.
pub(crate) struct Notifier {
    events: mpsc::Sender<Told>,
    /// Taken by the task that sends.
    received: Mutex<Option<mpsc::Receiver<Told>>>,
    shown: Mutex<BTreeMap<String, Shown>>,
    tests: Semaphore,
    hurry: Notify,
}

/// What is shown of a notification besides its settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The last try and what became of it.
    pub(crate) last: Option<(Time, Outcome)>,
    /// Events that wait to be told.
    pub(crate) waiting: usize,
}

impl Default for Notifier {
    fn default() -> Self {
        let (events, received) = mpsc::channel(CHANNEL);
        Self {
            events,
            received: Mutex::new(Some(received)),
            shown: Mutex::default(),
            tests: Semaphore::new(TESTS),
            hurry: Notify::new(),
        }
    }
}

impl Notifier {
    /// What the store calls with what it has stored. Never waits.
    pub(crate) fn listener(&self) -> impl Fn(&[i64], &[NewEvent]) + Send + Sync + use<> {
        let sender = self.events.clone();
        move |ids, events| {
            for (&id, event) in ids.iter().zip(events) {
                if kinds::kind_of(&event.code).is_some() && sender.try_send(Told { id, event: event.clone() }).is_err()
                {
                    tracing::warn!(code = event.code, "an event found no room among those that are to be told");
                }
            }
        }
    }

    /// What is shown of a notification.
    pub(crate) fn shown(&self, id: &str) -> Shown {
        lock(&self.shown).get(id).cloned().unwrap_or_default()
    }

    /// Forgets what is shown of a notification.
    pub(crate) fn forget(&self, id: &str) {
        lock(&self.shown).remove(id);
    }

    /// Something was mended, perhaps: what failed is tried again now.
    pub(crate) fn hurry(&self) {
        self.hurry.notify_one();
    }

    fn show(&self, id: &str, waiting: usize, outcome: Option<&Outcome>) {
        let mut shown = lock(&self.shown);
        let shown = shown.entry(id.to_owned()).or_default();
        shown.waiting = waiting;
        if let Some(outcome) = outcome {
            shown.last = Some((Time::now(), outcome.clone()));
        }
    }

    /// Sends a test, and says what became of it.
    pub(crate) async fn test(&self, app: &App, notification: Notification) -> Result<Outcome, Problem> {
        let _turn = self.tests.try_acquire().map_err(|_| Problem::new(Code::Busy).retry_after(5))?;
        let unreadable = || Problem::new(Code::Conflict).detail("Its address cannot be read any more. Enter it anew.");
        let address = address(&notification).ok_or_else(unreadable)?;
        let Notification { service, language, .. } = &notification;
        let message = message::of_test(*service, &address, language, &app.box_name());
        let outcome = send(app.engine.outward().clone(), &notification, &address, message).await;
        let waiting = self.shown(&notification.id).waiting;
        self.show(&notification.id, waiting, Some(&outcome));
        Ok(outcome)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells what is to be told. Ends with the program; what waits then is not told any more.
pub(crate) async fn run(app: App) {
    let received = lock(&app.notifier.received).take();
    let Some(mut received) = received else { return };
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let mut sending = Sending::default();
    let mut batch = Vec::new();
    loop {
        let due = lines.values().filter_map(Line::due).min();
        tokio::select! {
            count = received.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return;
                }
                line_up(&app, &mut lines, std::mem::take(&mut batch)).await;
            }
            Some((id, outcome)) = sending.next() => settle(&app, &mut lines, &id, &outcome).await,
            () = app.notifier.hurry.notified() => lines.values_mut().for_each(|line| line.hurry(Instant::now())),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                begin(&app, &mut lines, &mut sending).await;
            }
        }
    }
}

/// Messages on their way, each with whom it is for.
#[derive(Default)]
struct Sending {
    tasks: JoinSet<Outcome>,
    whom: HashMap<tokio::task::Id, String>,
}

impl Sending {
    fn begin(&mut self, id: String, sending: impl Future<Output = Outcome> + Send + 'static) {
        let task = self.tasks.spawn(sending);
        self.whom.insert(task.id(), id);
    }

    /// The next that has ended; `None` if none is on its way.
    async fn next(&mut self) -> Option<(String, Outcome)> {
        let (task, outcome) = match self.tasks.join_next_with_id().await? {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "telling somebody did not end well");
                (error.id(), Outcome::new(Delivery::NoAnswer))
            }
        };
        self.whom.remove(&task).map(|id| (id, outcome))
    }
}

/// Puts events into the lines of everybody who wants to know of their kinds.
async fn line_up(app: &App, lines: &mut BTreeMap<String, Line>, batch: Vec<Told>) {
    for notification in all(app).await.into_iter().filter(|one| one.enabled) {
        let wanted = |told: &&Told| {
            let kind = kinds::kind_of(&told.event.code);
            kind.is_some_and(|kind| notification.kinds.iter().any(|wanted| wanted == kind))
        };
        for told in batch.iter().filter(wanted) {
            let line = lines.entry(notification.id.clone()).or_default();
            line.push(told.clone(), Instant::now());
            app.notifier.show(&notification.id, line.waiting(), None);
        }
    }
}

/// Begins to send what is due.
async fn begin(app: &App, lines: &mut BTreeMap<String, Line>, sending: &mut Sending) {
    let all = all(app).await;
    // Who was deleted or switched off in the meantime is told no more.
    lines.retain(|id, line| {
        let stays = line.is_busy() || all.iter().any(|one| one.id == *id && one.enabled);
        if !stays {
            app.notifier.forget(id);
        }
        stays
    });
    let now = Instant::now();
    for notification in all {
        let Some(line) = lines.get_mut(&notification.id) else { continue };
        let Some(address) = address(&notification) else { continue };
        let Some((events, left_out)) = line.take(now) else { continue };
        let (service, box_name) = (notification.service, app.box_name());
        let message = message::of_events(service, &address, &notification.language, &box_name, &events, left_out);
        let outward = app.engine.outward().clone();
        sending.begin(notification.id.clone(), async move { send(outward, &notification, &address, message).await });
    }
}

/// Notes what became of a message.
async fn settle(app: &App, lines: &mut BTreeMap<String, Line>, id: &str, outcome: &Outcome) {
    let Some(line) = lines.get_mut(id) else { return };
    let is_news = line.settle(outcome, Instant::now());
    app.notifier.show(id, line.waiting(), Some(outcome));
    if line.waiting() == 0 && outcome.is_taken() {
        lines.remove(id);
    }
    if !is_news {
        return;
    }
    let owned = id.to_owned();
    let Ok(notification) = app.db(move |store| store.notification(&owned)).await else { return };
    let host = address(&notification).map(|address| address.host).unwrap_or_default();
    let params = [("name", notification.name.as_str().into()), ("reason", outcome.code().into())];
    let sentence = format!("{} could not be told: {}", notification.name, outcome.sentence(&host));
    // It belongs to no kind: that somebody cannot be told is told to nobody.
    app.note(plain("notification_failed", Severity::Warning, params, sentence)).await;
}

async fn send(outward: Outward, notification: &Notification, address: &Address, message: Message) -> Outcome {
    let post = Post {
        address,
        allow_local: notification.allow_local,
        target: &message.target,
        token: notification.token.as_ref(),
        body: message.body,
    };
    client::post(&outward, post).await
}

async fn all(app: &App) -> Vec<Notification> {
    match app.db(brookbox_store::Store::notifications).await {
        Ok(all) => all,
        Err(problem) => {
            tracing::warn!(problem = problem.code().as_str(), "whom to tell could not be read");
            Vec::new()
        }
    }
}

/// `None` if its address could not be decrypted.
fn address(notification: &Notification) -> Option<Address> {
    Address::parse(notification.url.expose_secret()).ok()
}
