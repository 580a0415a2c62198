//! How the box is found on the network: what is announced follows who it is.

use std::net::SocketAddr;
use std::time::Duration;

use brookbox_api::{Api, Identity};
use brookbox_board::mdns::{self, Announced, Service, Wanted};
use brookbox_store::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The name is announced on every link within this, or it is told in the log: three probes, and again for a second name.
const SETTLE: Duration = Duration::from_secs(4);
/// A goodbye is said within this.
const GOODBYE: Duration = Duration::from_millis(500);
/// Where the announced id is kept: random, and good for nothing but telling boxes apart.
const ID: &str = "boxId";

/// What is announced, until it is ended.
pub(crate) struct Discovery {
    told: watch::Receiver<Announced>,
    announcing: JoinHandle<()>,
    following: JoinHandle<()>,
}

impl Discovery {
    /// Begins to announce the box and its listeners; to be called on the runtime.
    pub(crate) fn begin(api: Api, id: String, http: SocketAddr, rtmp: SocketAddr) -> Self {
        let mut identity = api.identity();
        let services = vec![
            Service { kind: "_http._tcp", listener: http },
            Service { kind: "_rtmp._tcp", listener: rtmp },
            Service { kind: "_brookbox._tcp", listener: http },
        ];
        let wanted = move |identity: &Identity| Wanted {
            name: identity.box_name.to_lowercase(),
            services: services.clone(),
            txt: text(identity.claimed, &id),
        };
        let first = wanted(&identity.borrow_and_update());
        let (want, wants) = watch::channel(first);
        let (tell, told) = watch::channel(Announced::default());
        let mut heard = told.clone();
        let following = tokio::spawn(async move {
            loop {
                tokio::select! {
                    Ok(()) = identity.changed() => want.send_replace(wanted(&identity.borrow_and_update())),
                    Ok(()) = heard.changed() => {
                        api.set_announced(&heard.borrow_and_update().host);
                        continue;
                    }
                    else => break,
                };
            }
        });
        Self { told, announcing: tokio::spawn(mdns::announce(wants, tell)), following }
    }

    /// Waits until the box can be found by its name on every link that there is, and tells if that takes too long.
    pub(crate) async fn settled(&mut self) {
        let settled = self.told.wait_for(|announced| announced.settled);
        if timeout(SETTLE, settled).await.is_err() {
            tracing::warn!("the box cannot be found by its name on every network yet");
        }
    }

    /// What is announced by now.
    pub(crate) fn announced(&self) -> watch::Receiver<Announced> {
        self.told.clone()
    }

    /// Says goodbye.
    pub(crate) async fn end(self) {
        self.following.abort();
        let _ = timeout(GOODBYE, self.announcing).await;
    }
}

/// The box's id on the network: made once.
pub(crate) fn id(store: &Store) -> Result<String, brookbox_store::Error> {
    if let Some(id) = store.setting(ID)? {
        return Ok(id);
    }
    let id = brookbox_vault::id()?;
    store.put_setting(ID, &id)?;
    Ok(id)
}

/// The TXT record of every service.
fn text(claimed: bool, id: &str) -> Vec<(String, String)> {
    let setup = if claimed { "done" } else { "open" };
    [("v", env!("CARGO_PKG_VERSION")), ("board", brookbox_board::kind()), ("setup", setup), ("id", id)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}
