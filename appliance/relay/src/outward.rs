//! Reaching out: a name is looked up, each answer is checked, and a checked address is the one connected to. Whatever of
//! the box connects to somewhere else goes this way.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

use crate::ReasonCode;
use crate::address::{self, NotAllowed, OwnListeners};
use crate::reason::Cause;
use crate::tls::{self, Tls};

const NAME_DEADLINE: Duration = Duration::from_secs(4);
const TCP_DEADLINE: Duration = Duration::from_secs(4);
/// A name's next address is tried beside the ones before it after this time (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);
const TLS_DEADLINE: Duration = Duration::from_secs(4);

/// Makes connections to servers. Cheap to clone: the certificates, read at the first use, are shared.
#[derive(Clone, Debug)]
pub struct Outward {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tls: Tls,
    own_listeners: OwnListeners,
    lookups: Lookups,
}

/// Names that are being looked up. The system's resolver holds a thread for as long as it waits, so a name is asked for once
/// at a time however often it is tried.
#[derive(Debug, Default)]
struct Lookups(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Outward {
    pub(crate) fn new(tls: Tls, own_listeners: OwnListeners) -> Self {
        Self { shared: Arc::new(Shared { tls, own_listeners, lookups: Lookups::default() }) }
    }

    /// Connects to a name or an address. Every address of the name has to be allowed: the internet, with `allow_local` the
    /// own network, never the box itself. Takes at most 8 s.
    ///
    /// # Errors
    /// The name has no address, one of them is not allowed, or none answers.
    pub async fn connect(&self, host: &str, port: u16, allow_local: bool) -> Result<TcpStream, Cause> {
        let addresses = self.shared.lookups.resolve(host, port).await?;
        // Each answer is checked before any is used: a name must not lead home on its second answer.
        for address in &addresses {
            address::check(*address, allow_local, &self.shared.own_listeners).map_err(not_allowed)?;
        }
        let mut last = Cause::with(ReasonCode::Dns, "the name has no address");
        let connecting = async {
            let mut addresses = addresses.into_iter();
            let mut tries = JoinSet::new();
            loop {
                if let Some(address) = addresses.next() {
                    tries.spawn(TcpStream::connect(address));
                } else if tries.is_empty() {
                    return Err(());
                }
                tokio::select! {
                    biased;
                    Some(done) = tries.join_next() => match done {
                        Ok(Ok(tcp)) => return Ok(tcp),
                        Ok(Err(error)) => last = io_cause(&error),
                        Err(error) => last = Cause::with(ReasonCode::Timeout, error),
                    },
                    () = sleep(HEAD_START), if addresses.len() > 0 => {}
                }
            }
        };
        match timeout(TCP_DEADLINE, connecting).await {
            Ok(Ok(tcp)) => Ok(tcp),
            Ok(Err(())) => Err(last),
            Err(_) => Err(Cause::with(ReasonCode::Timeout, "no TCP connection in time")),
        }
    }

    /// Speaks TLS on a connection, with the server that has this name. Takes at most 4 s.
    ///
    /// # Errors
    /// The server speaks no TLS, or its certificate is not good.
    pub async fn secure(&self, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Cause> {
        let name = ServerName::try_from(host.to_owned()).map_err(|e| Cause::with(ReasonCode::Tls, e))?;
        let securing = async {
            let connector = self.shared.tls.connector().await.map_err(|e| Cause::with(ReasonCode::Tls, e))?;
            connector.connect(name, tcp).await.map_err(|error| tls::cause(&error))
        };
        match timeout(TLS_DEADLINE, securing).await {
            Ok(secured) => secured,
            Err(_) => Err(Cause::with(ReasonCode::Timeout, "no TLS connection in time")),
        }
    }
}

impl Lookups {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Cause> {
        let name = (host.to_owned(), port);
        let turn = {
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.retain(|_, turn| Arc::strong_count(turn) > 1);
            names.entry(name.0.clone()).or_default().clone()
        };
        let found = timeout(NAME_DEADLINE, async {
            let turn = turn.lock_owned().await;
            // Goes on after the deadline, and keeps its turn until the resolver's thread is free.
            let asking = tokio::spawn(async move {
                let found = tokio::net::lookup_host(name).await;
                drop(turn);
                // Enough for any service, and a bound for what a name may make us try.
                found.map(|found| found.take(8).collect())
            });
            asking.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        });
        match found.await {
            Ok(found) => found.map_err(|error| Cause::with(ReasonCode::Dns, error)),
            Err(_) => Err(Cause::with(ReasonCode::Dns, "no answer from the name server in time")),
        }
    }
}

fn not_allowed(why: NotAllowed) -> Cause {
    let details = match why {
        NotAllowed::Local => "the address is in the own network, which was not allowed",
        NotAllowed::Never => "the address can never be a destination",
        NotAllowed::OwnListener => "the address is the box itself",
    };
    Cause::with(ReasonCode::AddressNotAllowed, details)
}

/// The contract's code for a system error.
pub(crate) fn io_cause(error: &io::Error) -> Cause {
    use io::ErrorKind as E;
    let code = match error.kind() {
        E::ConnectionRefused => ReasonCode::Refused,
        E::HostUnreachable | E::NetworkUnreachable | E::AddrNotAvailable | E::NetworkDown => ReasonCode::NoRoute,
        E::TimedOut => ReasonCode::Timeout,
        E::InvalidData => return tls::cause(error),
        _ => ReasonCode::RemoteClosed,
    };
    Cause::with(code, error)
}
