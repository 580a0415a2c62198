//! What all requests share.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::http::StatusCode;
use brookbox_relay::Handle;
use brookbox_store::{NewEvent, Store};
use tokio::sync::Semaphore;

use crate::figures::Figures;
use crate::guess::Guesses;
use crate::live::Live;
use crate::problem::{Code, Problem};
use crate::sockets::Sockets;

/// How the API is set up.
#[derive(Clone, Debug, Default)]
pub struct ApiConfig {
    /// Where the page lies: `index.html`, `assets/…`, each perhaps with a `.br` and a `.gz` beside it.
    pub web_dir: Option<PathBuf>,
    /// Names the box answers to besides `localhost`, its addresses and `<box name>.local`: the mDNS names it announces.
    pub own_names: Vec<String>,
    /// Further names and addresses, `[http] allowed_hosts` of the configuration file.
    pub allowed_hosts: Vec<String>,
    /// Whether the set-up may come from the network without a code: on the box's image, never on a shared machine.
    pub claim_from_lan: bool,
    /// The names for which `${NAME}` has a value, so that a misspelt one is found when it is written.
    pub variable_names: BTreeSet<String>,
    /// The program's version.
    pub version: String,
}

/// The HTTP API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub(crate) app: App,
}

pub(crate) type App = Arc<Shared>;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) config: ApiConfig,
    pub(crate) store: Store,
    pub(crate) engine: Handle,
    pub(crate) guesses: Guesses,
    pub(crate) live: Live,
    pub(crate) sockets: Sockets,
    pub(crate) hosts: Hosts,
    pub(crate) counters: Counters,
    pub(crate) figures: Figures,
    /// Held from a write to the store until the engine has it: two changes reach both in the same order.
    pub(crate) writes: tokio::sync::Mutex<()>,
    /// Held while a password is hashed or checked.
    pub(crate) hashing: Hashing,
    /// Held while the list of known devices is changed.
    pub(crate) devices: std::sync::Mutex<()>,
    pub(crate) started: Instant,
    claimed: AtomicBool,
}

impl Api {
    /// An API over stored data and a running engine.
    ///
    /// # Errors
    /// Those of reading the store.
    pub fn new(config: ApiConfig, store: Store, engine: Handle) -> Result<Self, brookbox_store::Error> {
        let hosts = Hosts::new(&config, store.setting("boxName")?);
        let shared = Shared {
            claimed: AtomicBool::new(store.claimed()?),
            live: Live::new(&engine.snapshot()),
            config,
            store,
            engine,
            guesses: Guesses::default(),
            sockets: Sockets::default(),
            hosts,
            counters: Counters::default(),
            figures: Figures::default(),
            writes: tokio::sync::Mutex::default(),
            hashing: Hashing::default(),
            devices: std::sync::Mutex::default(),
            started: Instant::now(),
        };
        Ok(Self { app: Arc::new(shared) })
    }
}

impl Shared {
    /// Runs work on the store on a thread where it may wait for the disk.
    pub(crate) async fn db<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        blocking(move || work(&app.store).map_err(Into::into)).await
    }

    /// Whether the box has an owner.
    pub(crate) fn claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }

    /// The box has an owner from now on.
    pub(crate) fn set_claimed(&self) {
        self.claimed.store(true, Ordering::Release);
    }

    /// Stores an event. What hangs on it being there waits for this.
    pub(crate) async fn event(self: &Arc<Self>, event: NewEvent) -> Result<(), Problem> {
        self.db(move |store| store.append_events(&[event]).map(|_| ())).await
    }

    /// Stores an event that nothing hangs on: a full disk is told in the log.
    pub(crate) async fn note(self: &Arc<Self>, event: NewEvent) {
        let code = event.code.clone();
        if let Err(problem) = self.event(event).await {
            tracing::warn!(code, problem = problem.code().as_str(), "an event was not stored");
        }
    }
}

/// Runs work that blocks: the disk, password hashing.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "work for a request did not end well");
        Err(Code::Internal.into())
    })
}

/// Who may hash a password: two at a time, and a few who wait. They wait here and not on a thread, so that a flood of
/// sign-ins leaves threads to everybody else. Strangers queue by themselves, for one of the two turns: their flood keeps
/// nobody out who is known, by a sign-in or by a device that has signed in before.
pub(crate) struct Hashing {
    running: Semaphore,
    waiting: Semaphore,
    strangers_running: Semaphore,
    strangers_waiting: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            running: Semaphore::new(2),
            waiting: Semaphore::new(16),
            strangers_running: Semaphore::new(1),
            strangers_waiting: Semaphore::new(12),
        }
    }
}

impl Hashing {
    /// Hashes or checks a password, or says that too many want to.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        known: bool,
        work: impl FnOnce() -> Result<T, brookbox_vault::Error> + Send + 'static,
    ) -> Result<T, Problem> {
        if known {
            return self.in_turn(work).await;
        }
        let waiting = self.strangers_waiting.try_acquire().map_err(|_| busy())?;
        let _running = self.strangers_running.acquire().await.map_err(|_| busy())?;
        drop(waiting);
        self.in_turn(work).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, brookbox_vault::Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let _running = self.running.acquire().await.map_err(|_| busy())?;
        drop(waiting);
        blocking(move || Ok(work()?)).await
    }
}

fn busy() -> Problem {
    Problem::new(Code::Busy).detail("Too many passwords are being checked.").retry_after(1)
}

/// The names the box answers to.
pub(crate) struct Hosts {
    own: Vec<String>,
    allowed: Vec<String>,
    /// The box's own name, which people change.
    box_name: RwLock<Option<String>>,
}

impl Hosts {
    fn new(config: &ApiConfig, box_name: Option<String>) -> Self {
        let clean = |names: &[String]| names.iter().map(|name| name.trim_end_matches('.').to_lowercase()).collect();
        let hosts =
            Self { own: clean(&config.own_names), allowed: clean(&config.allowed_hosts), box_name: RwLock::default() };
        if let Some(name) = box_name {
            hosts.set_box_name(&name);
        }
        hosts
    }

    /// The box was given a name: it answers to `NAME.local`.
    pub(crate) fn set_box_name(&self, name: &str) {
        *self.box_name.write().unwrap_or_else(PoisonError::into_inner) = Some(format!("{}.local", name.to_lowercase()));
    }

    pub(crate) fn allows(&self, name: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }

    /// An allowed address may be written with or without brackets, and in any of an address's spellings.
    pub(crate) fn allows_address(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|allowed| allowed.trim_matches(['[', ']']).parse() == Ok(address))
    }

    pub(crate) fn is_own_name(&self, name: &str) -> bool {
        let box_name = self.box_name.read().unwrap_or_else(PoisonError::into_inner);
        self.own.iter().chain(box_name.as_ref()).any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// What is counted for the metrics.
#[derive(Default)]
pub(crate) struct Counters {
    /// Answers by hundreds of the status: 1xx to 5xx.
    answers: [AtomicU64; 5],
    /// Wrong passwords and set-up codes.
    pub(crate) refused_sign_ins: AtomicU64,
    /// Connections open now.
    pub(crate) connections: AtomicU64,
}

impl Counters {
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// `1xx` … `5xx` with their counts.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .into_iter()
            .zip(&self.answers)
            .map(|(class, count)| (class, count.load(Ordering::Relaxed)))
    }
}

impl From<brookbox_store::Error> for Problem {
    fn from(error: brookbox_store::Error) -> Self {
        use brookbox_store::Error as E;

        use crate::problem::FieldError;
        match error {
            E::NotFound(_) => Self::new(Code::NotFound),
            E::AlreadyClaimed => Self::new(Code::AlreadyClaimed),
            E::LastOwner => Self::new(Code::LastOwner),
            E::Conflict { what, field: "id", reason } => Self::new(Code::Conflict).detail(format!("{what}: {reason}")),
            E::Conflict { field, reason, .. } => Self::new(Code::Invalid).errors(vec![FieldError {
                field: field.to_owned(),
                code: "conflict",
                message: reason.to_owned(),
            }]),
            E::Limit { .. } => Self::new(Code::LimitReached).detail(error.to_string()),
            E::Busy | E::Vault(brookbox_vault::Error::Busy) => Self::new(Code::Busy).retry_after(1),
            E::Full { .. } => Self::new(Code::StorageFull),
            error => {
                // None of these errors carries a secret (their crate promises it), and the answer carries none of them.
                tracing::error!(%error, "the store failed");
                Self::new(Code::Internal)
            }
        }
    }
}

impl From<brookbox_vault::Error> for Problem {
    fn from(error: brookbox_vault::Error) -> Self {
        brookbox_store::Error::from(error).into()
    }
}

impl From<brookbox_relay::Ended> for Problem {
    fn from(_: brookbox_relay::Ended) -> Self {
        Self::new(Code::EngineEnded)
    }
}
