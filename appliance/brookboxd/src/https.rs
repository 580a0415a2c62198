//! HTTPS: the listener, and the certificate that follows the box's name, its addresses and the calendar.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use brookbox_api::{Api, Certificate};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{self, About, Current, Shown, Source};
use crate::failure::Failure;

/// How often names, addresses and the calendar are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often it is tried to store what could not be stored.
const STORE_EVERY: Duration = Duration::from_secs(600);

/// HTTPS, listening.
pub(crate) struct Https {
    listener: std::net::TcpListener,
    pub(crate) address: SocketAddr,
    /// What somebody has to know of the certificate.
    pub(crate) problems: Vec<String>,
    source: Source,
    current: Current,
}

impl Https {
    /// Shows the certificate for this host on a bound listener.
    pub(crate) fn new(
        listener: std::net::TcpListener,
        given: Option<(PathBuf, PathBuf)>,
        data_dir: PathBuf,
        host: &str,
    ) -> Result<Self, Failure> {
        let address = listener.local_addr().map_err(Failure::other)?;
        let source = match given {
            Some((certificate, key)) => Source::Given { certificate, key },
            None => Source::Own { data_dir },
        };
        let mut problems = Vec::new();
        let current = source.load(host, &certificate::addresses(), &mut problems)?;
        Ok(Self { listener, address, problems, source, current })
    }

    /// What the API serves on; from here on the certificate is kept up to date, with `host` as it is announced.
    pub(crate) fn serve(
        self,
        api: Api,
        mut host: impl FnMut() -> String + Send + 'static,
    ) -> Result<(TcpListener, TlsAcceptor), Failure> {
        let listener = TcpListener::from_std(self.listener).map_err(Failure::other)?;
        let shown = Shown::new(self.current.key.clone());
        let acceptor = shown.acceptor()?;
        let (port, source, mut current) = (self.address.port(), Arc::new(self.source), self.current);
        tell(&api, port, &current.about);
        tokio::spawn(async move {
            let mut tried = Instant::now();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let (name, addresses) = (host(), certificate::addresses());
                let is_stored = current.is_stored() || tried.elapsed() < STORE_EVERY;
                if is_stored && !source.needs_new(&current, &name, &addresses) {
                    continue;
                }
                tried = Instant::now();
                let (source, before) = (source.clone(), current.clone());
                // Reading, signing and syncing block.
                match tokio::task::spawn_blocking(move || source.renew(&before, &name, &addresses)).await {
                    Ok(Ok(next)) => {
                        if next.about != current.about {
                            shown.exchange(next.key.clone());
                            tell(&api, port, &next.about);
                        }
                        current = next;
                    }
                    Ok(Err(failure)) => tracing::error!(?failure, "the certificate was not renewed"),
                    Err(error) => tracing::error!(%error, "the certificate was not renewed"),
                }
            }
        });
        Ok((listener, acceptor))
    }
}

fn tell(api: &Api, port: u16, about: &About) {
    let About { fingerprint, expires_at, self_signed } = about.clone();
    api.set_certificate(Certificate { port, fingerprint, expires_at, self_signed });
}
