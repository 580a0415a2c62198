//! The open live sockets and streams: how many, whose, and closing those whose sign-in has ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brookbox_store::{Role, Store, Time};
use brookbox_vault::TokenHash;
use tokio::sync::{Notify, watch};

use crate::app::App;
use crate::problem::{Code, Problem};

/// Most sockets of one sign-in or token.
pub(crate) const PER_CREDENTIAL: usize = 16;
/// Most sockets of the box.
const PER_BOX: usize = 256;
/// How often each credential is looked at, also for changes that another process makes.
const SWEEP: Duration = Duration::from_secs(1);

/// What a socket was opened with: as stored, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Credential {
    SignIn([u8; 32]),
    Token([u8; 32]),
    WatchLink([u8; 32]),
}

/// The open sockets.
#[derive(Default)]
pub(crate) struct Sockets {
    open: Mutex<HashMap<u64, Entry>>,
    changed: Notify,
}

struct Entry {
    credential: Credential,
    role: Role,
    close: watch::Sender<bool>,
    /// The engine's session that it carries.
    session: Option<brookbox_relay::Id>,
}

/// A place among the open sockets, given back when dropped.
pub(crate) struct Place {
    app: App,
    id: u64,
    /// Becomes true when the socket has to close.
    pub(crate) close: watch::Receiver<bool>,
}

impl Sockets {
    /// Takes a place, if there is one; `most` is what this credential may have.
    pub(crate) fn take(app: &App, credential: Credential, role: Role, most: usize) -> Result<Place, Problem> {
        let mut open = app.sockets.lock();
        let own = open.values().filter(|entry| entry.credential == credential).count();
        if own >= most || open.len() >= PER_BOX {
            let code = match credential {
                Credential::WatchLink(_) => Code::TooManyViewers,
                _ => Code::TooManySockets,
            };
            return Err(Problem::new(code).retry_after(5));
        }
        let (close, closed) = watch::channel(false);
        // Never more than a few hundred, so a free number is found at once.
        let id = (0..).find(|id| !open.contains_key(id)).unwrap_or_default();
        open.insert(id, Entry { credential, role, close, session: None });
        Ok(Place { app: app.clone(), id, close: closed })
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// How many each has open.
    pub(crate) fn by_credential(&self) -> BTreeMap<Credential, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.lock().values() {
            *counts.entry(entry.credential).or_default() += 1;
        }
        counts
    }

    /// Closes what carries a session.
    pub(crate) fn close_session(&self, session: &str) {
        for entry in self.lock().values().filter(|entry| entry.session.as_deref() == Some(session)) {
            entry.close.send_replace(true);
        }
    }

    /// Somebody's sign-in, token or role may have changed: look at once.
    pub(crate) fn check(&self) {
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Says which session of the engine's it carries.
    pub(crate) fn carries(&self, session: &brookbox_relay::Id) {
        if let Some(entry) = self.app.sockets.lock().get_mut(&self.id) {
            entry.session = Some(session.clone());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.app.sockets.lock().remove(&self.id);
    }
}

/// Closes sockets whose sign-in or token has ended or whose user has another role. Ends with the program.
pub(crate) async fn sweep(app: App) {
    loop {
        let _ = tokio::time::timeout(SWEEP, app.sockets.changed.notified()).await;
        let credentials: BTreeSet<_> = app.sockets.lock().values().map(|entry| entry.credential).collect();
        if credentials.is_empty() {
            continue;
        }
        let looked = app
            .db(move |store| {
                let roles = credentials.into_iter().map(|credential| Ok((credential, role(store, credential)?)));
                roles.collect::<Result<HashMap<_, _>, brookbox_store::Error>>()
            })
            .await;
        // A store that cannot be read says nothing of anybody's sign-in; the next look will.
        let Ok(roles) = looked else { continue };
        for entry in app.sockets.lock().values() {
            if roles.get(&entry.credential).is_some_and(|&role| role != Some(entry.role)) {
                entry.close.send_replace(true);
            }
        }
    }
}

/// The role that a credential lends now, `None` if it has ended.
fn role(store: &Store, credential: Credential) -> Result<Option<Role>, brookbox_store::Error> {
    let now = Time::now();
    Ok(match credential {
        Credential::SignIn(hash) => store.sign_in(&TokenHash::from_bytes(hash), now)?.map(|(_, user)| user.role),
        Credential::Token(hash) => store.token(&TokenHash::from_bytes(hash), now)?.map(|(_, user)| user.role),
        // Whoever has one looks, and no more.
        Credential::WatchLink(hash) => store.watch_link(&TokenHash::from_bytes(hash), now)?.map(|_| Role::Viewer),
    })
}

/// The server stops: all sockets go.
pub(crate) fn close_all(app: &App) {
    let open: Vec<_> = app.sockets.lock().values().map(|entry| entry.close.clone()).collect();
    for close in open {
        close.send_replace(true);
    }
}
