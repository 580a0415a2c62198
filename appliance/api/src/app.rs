//! What all requests share.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use brookbox_relay::Handle;
use brookbox_store::{InputLimits, NewEvent, Store};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use utoipa::ToSchema;

use crate::codes;
use crate::figures::Figures;
use crate::guess::Guesses;
use crate::jobs::Jobs;
use crate::live::Live;
use crate::logbook::Logbook;
use crate::lookout::Lookout;
use crate::notify::Notifier;
use crate::problem::{Code, Problem};
use crate::resources::status::Sources;
use crate::sockets::Sockets;
use crate::upload::Upload;
use crate::vitals::Vitals;
use crate::writes::Writes;

/// How the API is set up.
#[derive(Clone, Debug, Default)]
pub struct ApiConfig {
    /// Where the page lies: `index.html`, `assets/…`, each perhaps with a `.br` and a `.gz` beside it.
    pub web_dir: Option<PathBuf>,
    /// Names the box answers to besides `localhost`, its addresses, `<box name>.local` and the name it announces.
    pub own_names: Vec<String>,
    /// Further names and addresses, `[http] allowed_hosts` of the configuration file.
    pub allowed_hosts: Vec<String>,
    /// What a new input is given that says nothing of limits.
    pub input_limits: InputLimits,
    /// Whether the set-up may come from the network without a code: on the box's image, never on a shared machine.
    pub claim_from_lan: bool,
    /// Where what the system has to do is left for it; `None`: there is nobody who would do it.
    pub system_dir: Option<PathBuf>,
    /// Whether somebody with a hand on the box has asked, at this start, to be let in without the password.
    pub password_reset: bool,
    /// The names for which `${NAME}` has a value, so that a misspelt one is found when it is written.
    pub variable_names: BTreeSet<String>,
    /// The program's version.
    pub version: String,
    /// The newest of the program's own log.
    pub logbook: Logbook,
    /// Whether the log goes to systemd's journal, which survives restarts.
    pub journal: bool,
    /// The socket of the service that installs on a disk; `None`: this is no image.
    pub installer: Option<PathBuf>,
    /// A folder of what other parts of the system want a person to know.
    pub notices: Option<PathBuf>,
}

/// Who the box is, for whoever announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What people call it.
    pub box_name: String,
    /// Whether it has an owner.
    pub claimed: bool,
}

/// The certificate that is shown over HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Where HTTPS is answered.
    #[schema(example = 443)]
    pub port: u16,
    /// SHA-256 of the certificate, as browsers show it.
    #[schema(example = "5E:0F:…:A1")]
    pub fingerprint: String,
    /// Until when it is good; `null` for one that was put in, which is not looked into.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// Whether the box made it, so that no browser trusts it by itself.
    pub self_signed: bool,
}

/// How long after a start an owner may set a new password without the old one.
const RESET_TIME: Duration = Duration::from_secs(15 * 60);

/// What a box is called that was given no name.
pub(crate) const DEFAULT_NAME: &str = "brookbox";

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
    identity: watch::Sender<Identity>,
    certificate: RwLock<Option<Certificate>>,
    /// Until then an owner may set a new password without the old one.
    reset_until: Mutex<Option<Instant>>,
    pub(crate) counters: Counters,
    pub(crate) figures: Figures,
    pub(crate) upload: Upload,
    pub(crate) lookout: Arc<Lookout>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) notifier: Notifier,
    pub(crate) writes: Arc<Writes>,
    /// Held while a password is hashed or checked.
    pub(crate) hashing: Hashing,
    /// Held while the list of known devices is changed.
    pub(crate) devices: Mutex<()>,
    pub(crate) started: Instant,
    /// Held while a long answer is made.
    pub(crate) long_answers: Arc<Semaphore>,
}

impl Api {
    /// An API over stored data and a running engine.
    ///
    /// # Errors
    /// Those of reading the store.
    pub fn new(config: ApiConfig, store: Store, engine: Handle) -> Result<Self, brookbox_store::Error> {
        let box_name: Option<String> = store.setting("boxName")?;
        let hosts = Hosts::new(&config, box_name.as_deref());
        let box_name = box_name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
        crate::install::settle(&store)?;
        let (lookout, jobs) = (Arc::new(Lookout::new(&store)?), Arc::new(Jobs::new(&store)?));
        let sources = Sources { lookout, jobs, ..Sources::default() };
        let Sources { lookout, jobs, vitals, writes } = sources.clone();
        let notifier = Notifier::default();
        store.listen(notifier.listener());
        let shared = Shared {
            identity: watch::Sender::new(Identity { box_name, claimed: store.claimed()? }),
            live: Live::new(&engine.snapshot(), sources),
            guesses: Guesses::default(),
            sockets: Sockets::default(),
            hosts,
            certificate: RwLock::default(),
            reset_until: Mutex::new(config.password_reset.then(|| Instant::now() + RESET_TIME)),
            counters: Counters::default(),
            figures: Figures::default(),
            upload: Upload::new(&store)?,
            lookout,
            jobs,
            vitals,
            notifier,
            writes,
            hashing: Hashing::default(),
            devices: Mutex::default(),
            started: Instant::now(),
            long_answers: Arc::new(Semaphore::new(2)),
            config,
            store,
            engine,
        };
        Ok(Self { app: Arc::new(shared) })
    }

    /// Who the box is; sees every change.
    #[must_use]
    pub fn identity(&self) -> watch::Receiver<Identity> {
        self.app.identity.subscribe()
    }

    /// The host name that is announced on the network by now, as `brookbox-2.local`: the box answers to it.
    pub fn set_announced(&self, host: &str) {
        self.app.hosts.set_announced(host);
    }

    /// The certificate that is shown over HTTPS, if that is on.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        self.app.certificate()
    }

    /// How long an owner may still set a new password without the old one.
    #[must_use]
    pub fn password_reset_left(&self) -> Option<Duration> {
        self.app.reset_left()
    }

    /// The certificate that is shown over HTTPS by now.
    pub fn set_certificate(&self, certificate: Certificate) {
        *self.app.certificate.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
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
        self.identity.borrow().claimed
    }

    /// The box has an owner from now on.
    pub(crate) fn set_claimed(&self) {
        self.identity.send_modify(|identity| identity.claimed = true);
    }

    /// The certificate that is shown over HTTPS, if that is on.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        self.certificate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long an owner may still set a new password without the old one.
    pub(crate) fn reset_left(&self) -> Option<Duration> {
        let until = *self.reset_until.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(Instant::now())
    }

    /// Ends that; `None` if it had ended. Of many who try at once, one gets it.
    pub(crate) fn take_reset(&self) -> Option<Instant> {
        let until = self.reset_until.lock().unwrap_or_else(PoisonError::into_inner).take();
        until.filter(|until| Instant::now() < *until)
    }

    /// What was taken was not used.
    pub(crate) fn give_back_reset(&self, until: Instant) {
        *self.reset_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// What the box is called.
    pub(crate) fn box_name(&self) -> String {
        self.identity.borrow().box_name.clone()
    }

    /// The box was given a name.
    pub(crate) fn set_box_name(&self, name: &str) {
        self.hosts.set_box_name(name);
        self.identity.send_modify(|identity| name.clone_into(&mut identity.box_name));
    }

    /// Stores an event. What hangs on it being there waits for this.
    pub(crate) async fn event(self: &Arc<Self>, event: NewEvent) -> Result<(), Problem> {
        debug_assert!(codes::EVENTS.contains(&event.code.as_str()), "{} is not in the list", event.code);
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
    /// What is announced on the network: another name, where that one is taken.
    announced: RwLock<Option<String>>,
}

impl Hosts {
    fn new(config: &ApiConfig, box_name: Option<&str>) -> Self {
        let clean = |names: &[String]| names.iter().map(|name| name.trim_end_matches('.').to_lowercase()).collect();
        let hosts = Self {
            own: clean(&config.own_names),
            allowed: clean(&config.allowed_hosts),
            box_name: RwLock::default(),
            announced: RwLock::default(),
        };
        if let Some(name) = box_name {
            hosts.set_box_name(name);
        }
        hosts
    }

    /// The box was given a name: it answers to `NAME.local`.
    fn set_box_name(&self, name: &str) {
        *self.box_name.write().unwrap_or_else(PoisonError::into_inner) = Some(format!("{}.local", name.to_lowercase()));
    }

    fn set_announced(&self, host: &str) {
        *self.announced.write().unwrap_or_else(PoisonError::into_inner) = Some(host.to_lowercase());
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
        let announced = self.announced.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.own.iter().chain(box_name.as_ref()).chain(announced.as_ref());
        all.any(|own| own.eq_ignore_ascii_case(name))
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
