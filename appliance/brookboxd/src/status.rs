//! The narrow way to the box's state for programs beside the daemon: a socket in the file system on which it says, one
//! line of JSON each time that something has changed, what may stand on a screen in a living room. No secret is in it.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use brookbox_api::Api;
use brookbox_relay::{DestinationState, Handle, InputState, Snapshot};
use brookbox_store::{Store, Time};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often it is looked for changes, while somebody listens.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most who listen at once.
const MOST: usize = 8;
/// What asks for a durable write, and how long its line may be.
pub(crate) const WRITE: &str = "write";
const REQUEST_BYTES: u64 = 16;
/// Who does not read for so long is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where the durable write goes.
const PROBE: &str = "lastHealthy";

/// What the box says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    /// The name it is found by on the network, as `brookbox.local`; empty if it is not announced.
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) listeners: Listeners,
    /// SHA-256 of the certificate that HTTPS shows.
    pub(crate) fingerprint: Option<String>,
    pub(crate) claimed: bool,
    /// How many minutes are left for a new password without the old one.
    pub(crate) password_reset_min: Option<u64>,
    /// Whether a stream comes in.
    pub(crate) receiving: bool,
    /// Destinations that receive it, and those that are switched on.
    pub(crate) live: usize,
    pub(crate) wanted: usize,
    /// The worst that is wrong with a destination, in one sentence.
    pub(crate) worst: Option<String>,
    /// What else somebody has to know.
    pub(crate) problems: Vec<String>,
}

/// Where the box listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listeners {
    pub(crate) http: SocketAddr,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) rtmp: SocketAddr,
}

/// Where the state is gathered from.
pub(crate) struct Source {
    pub(crate) api: Api,
    pub(crate) engine: Handle,
    pub(crate) store: Store,
    pub(crate) listeners: Listeners,
    /// The announced host; `None` if nothing is.
    pub(crate) host: Option<Box<dyn Fn() -> String + Send + Sync>>,
    pub(crate) problems: Vec<String>,
    pub(crate) notices: Option<PathBuf>,
}

/// Serves the state on a socket at this place, until the daemon ends. The socket is there as soon as this returns: who
/// waits for `ready` finds it. Without the socket there is no screen, and everything else.
pub(crate) fn serve(path: &Path, source: Source) -> impl Future<Output = ()> + Send + 'static {
    let listener = listen(path)
        .inspect_err(|error| {
            tracing::warn!(path = %path.display(), %error, "no screen: the socket for it cannot be made");
        })
        .ok();
    async move {
        if let Some(listener) = listener {
            answer(listener, source).await;
        }
    }
}

async fn answer(listener: UnixListener, source: Source) {
    let (source, places) = (Arc::new(source), Arc::new(Semaphore::new(MOST)));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let source = source.clone();
        tokio::spawn(async move {
            // Who goes away is gone.
            let _ = tell(stream, &source).await;
            drop(place);
        });
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    // One that an earlier run has left; anything else is somebody's.
    match fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => fs::remove_file(path)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The daemon's group may look, and nobody else.
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}

async fn tell(stream: UnixStream, source: &Arc<Source>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut requests = BufReader::new(read);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut told = None;
    loop {
        let mut request = String::new();
        let line = tokio::select! {
            _ = looks.tick() => {
                let source = source.clone();
                let status = tokio::task::spawn_blocking(move || source.status()).await.map_err(io::Error::other)?;
                if told.as_ref() == Some(&status) {
                    continue;
                }
                let line = serde_json::to_string(&status)?;
                told = Some(status);
                line
            }
            read = async { (&mut requests).take(REQUEST_BYTES).read_line(&mut request).await } => {
                if read? == 0 || request.trim() != WRITE {
                    return Ok(());
                }
                let store = source.store.clone();
                let written = tokio::task::spawn_blocking(move || store.put_setting(PROBE, &Time::now())).await;
                let wrong = written.map_err(io::Error::other)?.err().map(|error| error.to_string());
                serde_json::to_string(&Written { written: wrong.is_none(), wrong })?
            }
        };
        timeout(PATIENCE, write.write_all(format!("{line}\n").as_bytes())).await??;
    }
}

/// The answer to a request for a durable write.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) written: bool,
    pub(crate) wrong: Option<String>,
}

impl Source {
    fn status(&self) -> Status {
        let snapshot = self.engine.snapshot();
        let certificate = self.api.certificate();
        let mut problems = self.problems.clone();
        let notices = self.notices.as_deref().map(brookbox_board::notices).unwrap_or_default();
        problems.extend(notices.into_iter().map(|notice| notice.sentence));
        let on = snapshot.destinations.values().filter(|one| one.state != DestinationState::Off);
        let live = on.clone().filter(|one| matches!(one.state, DestinationState::Live | DestinationState::Slow));
        let mut addresses = brookbox_board::addresses();
        addresses.sort();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.host.as_ref().map(|host| host()).unwrap_or_default(),
            addresses,
            listeners: self.listeners,
            fingerprint: certificate.map(|certificate| certificate.fingerprint),
            claimed: self.api.identity().borrow().claimed,
            password_reset_min: self.api.password_reset_left().map(|left| left.as_secs().div_ceil(60)),
            receiving: snapshot.inputs.values().any(|input| input.state == InputState::Receiving),
            live: live.count(),
            wanted: on.count(),
            worst: worst(&snapshot),
            problems,
        }
    }
}

/// The worst that is wrong: what needs a person before what mends itself.
fn worst(snapshot: &Snapshot) -> Option<String> {
    [DestinationState::Failed, DestinationState::Retrying, DestinationState::Slow].into_iter().find_map(|state| {
        let one = snapshot.destinations.values().find(|one| one.state == state)?;
        let reason = one.reason.as_ref().map_or("It is slow.", |reason| reason.sentence.as_str());
        Some(format!("{}: {reason}", one.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_socket_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status");
        drop(listen(&path).unwrap());
        drop(listen(&path).unwrap());
        let file = dir.path().join("letter");
        fs::write(&file, "Dear Jo").unwrap();
        assert_eq!(listen(&file).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&file).unwrap(), "Dear Jo");
    }
}
