//! HTTPS: the listener, and the certificate that follows the box's name, its addresses and the calendar.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use brookbox_api::{Api, Certificate};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{self, About, Shown, Source};
use crate::failure::Failure;

/// How often names, addresses and the calendar are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// HTTPS, listening.
pub(crate) struct Https {
    listener: std::net::TcpListener,
    pub(crate) address: SocketAddr,
    source: Source,
    shown: Arc<Shown>,
    about: About,
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
        let (key, about) = source.load(host, &certificate::addresses())?;
        Ok(Self { listener, address, source, shown: Shown::new(key), about })
    }

    /// What the API serves on; from here on the certificate is kept up to date, with `host` as it is announced.
    pub(crate) fn serve(
        self,
        api: Api,
        mut host: impl FnMut() -> String + Send + 'static,
    ) -> Result<(TcpListener, TlsAcceptor), Failure> {
        let listener = TcpListener::from_std(self.listener).map_err(Failure::other)?;
        let acceptor = self.shown.acceptor()?;
        let (port, source, shown) = (self.address.port(), Arc::new(self.source), self.shown);
        tell(&api, port, &self.about);
        let mut known = self.about;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let (source, name) = (source.clone(), host());
                // Reading, signing and syncing block.
                let loaded = tokio::task::spawn_blocking(move || source.load(&name, &certificate::addresses())).await;
                match loaded {
                    Ok(Ok((_, about))) if about == known => {}
                    Ok(Ok((key, about))) => {
                        shown.exchange(key);
                        tell(&api, port, &about);
                        known = about;
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
