//! The responder of one link.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{
    DaemonEvent, DaemonStatus, Error, HostnameResolutionEvent, IfKind, IfPredicate, Receiver, ServiceDaemon,
    ServiceInfo,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::mdns::links::{Served, is_announced, reaches};
use crate::mdns::{Service, Wanted};

/// How often a responder looks for changed addresses, s.
const LOOK_EVERY: u32 = 1;
/// Longest that a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);
/// How long the answers to "who has this name?" are waited for, ms. Within a second of its last answer a responder need not
/// say it again (RFC 6762, section 6), so the question has to be put a second time, which the library does after one.
const ASK_MS: u64 = 1800;

/// What a responder tells.
#[derive(Debug)]
pub(super) enum News {
    /// A service was announced, by its full name.
    Announced(String),
    /// Somebody answers to the host's name or a service's.
    Taken,
    /// Addresses that were announced for the host's name, by the box itself or by others.
    Heard(BTreeSet<IpAddr>),
    /// The addresses of whoever answers to the host's name, asked now.
    Holders(BTreeSet<IpAddr>),
}

/// Where news go: with the interface's index and the responder's generation.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) index: u32,
    pub(super) generation: u64,
    pub(super) to: mpsc::Sender<(u32, u64, News)>,
}

impl Reporter {
    /// Whether anybody still listens.
    async fn tell(&self, news: News) -> bool {
        self.to.send((self.index, self.generation, news)).await.is_ok()
    }
}

/// The responder of one link.
pub(super) struct Responder {
    daemon: ServiceDaemon,
    reporter: Reporter,
    /// Full names of the services that have not been announced yet.
    awaited: BTreeSet<String>,
}

impl Responder {
    /// Begins to announce the host and its services on the reporter's interface; with `probe`, asks before whether
    /// somebody else has their names.
    pub(super) fn begin(
        host: &str,
        wanted: &Wanted,
        served: &Served,
        probe: bool,
        reporter: Reporter,
    ) -> Result<Self, Error> {
        let daemon = daemon_on(reporter.index)?;
        forward(&daemon, reporter.clone());
        let mut awaited = BTreeSet::new();
        for service in &wanted.services {
            let info = info(service, host, wanted, probe)?;
            if served.iter().any(|(kind, _)| *kind == service.kind) {
                awaited.insert(info.get_fullname().to_lowercase());
            }
            daemon.register(info)?;
        }
        Ok(Self { daemon, reporter, awaited })
    }

    /// Whether all that can be reached on this link is announced.
    pub(super) fn is_settled(&self) -> bool {
        self.awaited.is_empty()
    }

    /// A service is announced. Says whether it was the last that was awaited.
    pub(super) fn announced(&mut self, service: &str, host: &str, wanted: &Wanted) -> bool {
        let last = self.awaited.remove(&service.to_lowercase()) && self.awaited.is_empty();
        if last {
            self.update(host, wanted);
            self.listen(host);
        }
        last
    }

    /// Hears who else announces the name from now on: two networks may be joined (RFC 6762, section 9).
    fn listen(&self, host: &str) {
        let Ok(answers) = self.daemon.resolve_hostname(&format!("{host}.local."), None) else { return };
        let reporter = self.reporter.clone();
        tokio::spawn(async move {
            while let Ok(answer) = answers.recv_async().await {
                if let HostnameResolutionEvent::AddressesFound(_, found) = answer
                    && !reporter.tell(News::Heard(found.iter().map(mdns_sd::ScopedIp::to_ip_addr).collect())).await
                {
                    break;
                }
            }
        });
    }

    /// Announces what has changed under the same names. Those are the box's on this link: nothing is probed for, now and
    /// when an address changes (RFC 6762, section 8.4), so that there is no moment without an answer.
    pub(super) fn update(&mut self, host: &str, wanted: &Wanted) {
        for service in &wanted.services {
            let registered =
                info(service, host, wanted, !self.is_settled()).and_then(|info| self.daemon.register(info));
            if let Err(error) = registered {
                tracing::warn!(service = service.kind, %error, "mDNS: a service is not announced");
            }
        }
    }

    /// Says goodbye and ends.
    pub(super) fn end(self) -> End {
        End(self.daemon.shutdown().ok())
    }
}

/// The end of a responder.
pub(super) struct End(Option<Receiver<DaemonStatus>>);

impl End {
    /// Waits until goodbye is said.
    pub(super) async fn wait(self) {
        if let Some(ended) = self.0 {
            let _ = timeout(GOODBYE, ended.recv_async()).await;
        }
    }
}

/// A service as the library takes it; its addresses follow those of the interface.
fn info(service: &Service, host: &str, wanted: &Wanted, probe: bool) -> Result<ServiceInfo, Error> {
    let kind = format!("{}.local.", service.kind);
    let listener = service.listener;
    let info = ServiceInfo::new(&kind, host, &format!("{host}.local."), "", listener.port(), wanted.txt.as_slice())?;
    let mut info = info.enable_addr_auto();
    info.set_requires_probe(probe);
    let reached = IfPredicate::new(move |interface| is_announced(interface) && reaches(listener, interface.ip()));
    info.set_interfaces(vec![IfKind::Predicate(reached)]);
    Ok(info)
}

/// A responder that has only the interface with this index, and of its addresses only those that are announced.
fn daemon_on(index: u32) -> Result<ServiceDaemon, Error> {
    let daemon = ServiceDaemon::new()?;
    daemon.set_ip_check_interval(LOOK_EVERY)?;
    daemon.disable_interface(IfKind::All)?;
    let chosen = IfPredicate::new(move |interface| interface.index == Some(index) && is_announced(interface));
    daemon.enable_interface(IfKind::Predicate(chosen))?;
    Ok(daemon)
}

/// Asks on a link who answers to a host name.
pub(super) async fn ask(host: String, reporter: Reporter) {
    let mut holders = BTreeSet::new();
    if let Err(error) = collect(&host, reporter.index, &mut holders).await {
        tracing::warn!(%error, "mDNS: nobody could be asked who has the name");
    }
    reporter.tell(News::Holders(holders)).await;
}

async fn collect(host: &str, index: u32, holders: &mut BTreeSet<IpAddr>) -> Result<(), Error> {
    let daemon = daemon_on(index)?;
    let answers = daemon.resolve_hostname(&format!("{host}.local."), Some(ASK_MS))?;
    while let Ok(answer) = answers.recv_async().await {
        match answer {
            HostnameResolutionEvent::AddressesFound(_, found) => {
                holders.extend(found.iter().map(mdns_sd::ScopedIp::to_ip_addr));
            }
            HostnameResolutionEvent::SearchTimeout(_) | HostnameResolutionEvent::SearchStopped(_) => break,
            _ => {}
        }
    }
    daemon.shutdown().map(drop)
}

/// Hands on what matters of what a responder tells, until it ends.
fn forward(daemon: &ServiceDaemon, reporter: Reporter) {
    let Ok(events) = daemon.monitor() else { return };
    tokio::spawn(async move {
        while let Ok(event) = events.recv_async().await {
            let news = match event {
                DaemonEvent::Announce(service, _) => News::Announced(service),
                DaemonEvent::NameChange(_) => News::Taken,
                DaemonEvent::Error(error) => {
                    tracing::warn!(%error, "mDNS");
                    continue;
                }
                _ => continue,
            };
            if !reporter.tell(news).await {
                break;
            }
        }
    });
}
