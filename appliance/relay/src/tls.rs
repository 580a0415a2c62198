//! TLS towards servers: rustls with the platform's certificates and those of the configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;

use crate::ReasonCode;
use crate::reason::Cause;

/// No certificate can be judged by a clock that is before this program was written: 2026-01-01.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// Makes TLS connections. The certificates are read at the first use: most boxes keep megabytes by that.
pub(crate) struct Tls {
    extra_roots: Vec<PathBuf>,
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    pub(crate) fn new(extra_roots: Vec<PathBuf>) -> Self {
        Self { extra_roots, connector: OnceCell::new() }
    }

    /// Reading the certificates takes tens of ms, so it is done beside the engine's thread.
    pub(crate) async fn connector(&self) -> io::Result<TlsConnector> {
        let make = || async {
            let roots = self.extra_roots.clone();
            spawn_blocking(move || client_config(&roots)).await.map_err(io::Error::other)?
        };
        self.connector.get_or_try_init(make).await.cloned()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("extra_roots", &self.extra_roots).finish_non_exhaustive()
    }
}

fn client_config(extra_roots: &[PathBuf]) -> io::Result<TlsConnector> {
    let provider = Arc::new(provider());
    let roots = read_roots(extra_roots)?;
    let verifier = Verifier::new_with_extra_roots(roots, provider.clone()).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Says what is wrong with files of extra certificates, if something is; names the file. Reads these files only.
///
/// # Errors
/// A file cannot be read, or holds no certificate that can be trusted.
pub fn check_roots(files: &[PathBuf]) -> io::Result<()> {
    for file in files {
        let named = |what: &dyn std::fmt::Display| io::Error::other(format!("{}: {what}", file.display()));
        let roots = read_roots(std::slice::from_ref(file))?;
        if roots.is_empty() {
            return Err(named(&"there is no certificate in it"));
        }
        for root in roots {
            RootCertStore::empty().add(root).map_err(|e| named(&e))?;
        }
    }
    Ok(())
}

/// Reads PEM files. Errors name the file.
fn read_roots(files: &[PathBuf]) -> io::Result<Vec<CertificateDer<'static>>> {
    let mut roots = Vec::new();
    for file in files {
        let named = |e: &dyn std::fmt::Display| io::Error::other(format!("{}: {e}", file.display()));
        let pem = fs::read(file).map_err(|e| named(&e))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.push(certificate.map_err(|e| named(&e))?);
        }
    }
    Ok(roots)
}

/// ChaCha20 first where the processor has no AES of its own (a Raspberry Pi 4): several times cheaper there.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !has_aes() {
        provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("CHACHA20"));
    }
    provider
}

#[cfg(target_arch = "x86_64")]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

/// The contract's code for what went wrong in TLS.
pub(crate) fn cause(error: &io::Error) -> Cause {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
        let closed = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        );
        let code = if closed { ReasonCode::RemoteClosed } else { ReasonCode::Tls };
        return Cause::with(code, error);
    };
    let code = match tls {
        TlsError::InvalidCertificate(certificate) => certificate_code(certificate, SystemTime::now()),
        _ => ReasonCode::Tls,
    };
    Cause::with(code, tls)
}

fn certificate_code(error: &CertificateError, now: SystemTime) -> ReasonCode {
    use CertificateError as C;
    let clock_is_wrong = now < SystemTime::UNIX_EPOCH + EARLIEST;
    match error {
        C::Expired | C::ExpiredContext { .. } if clock_is_wrong => ReasonCode::ClockWrong,
        C::Expired | C::ExpiredContext { .. } => ReasonCode::TlsExpired,
        // A certificate from the future: the box's clock is behind, boards without a battery start in the past.
        C::NotValidYet | C::NotValidYetContext { .. } => ReasonCode::ClockWrong,
        C::NotValidForName | C::NotValidForNameContext { .. } => ReasonCode::TlsName,
        C::UnknownIssuer | C::BadSignature | C::Revoked | C::InvalidPurpose => ReasonCode::TlsUntrusted,
        C::InvalidPurposeContext { .. } | C::ApplicationVerificationFailure | C::BadEncoding => {
            ReasonCode::TlsUntrusted
        }
        C::Other(_) => ReasonCode::TlsUntrusted,
        _ => ReasonCode::Tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_not_judged_by_a_wrong_clock() {
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        assert_eq!(certificate_code(&CertificateError::Expired, at(0)), ReasonCode::ClockWrong);
        assert_eq!(certificate_code(&CertificateError::Expired, at(1_800_000_000)), ReasonCode::TlsExpired);
        assert_eq!(certificate_code(&CertificateError::NotValidYet, at(1_800_000_000)), ReasonCode::ClockWrong);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_roots(&[PathBuf::from("/no/such/root.pem")]).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/root.pem: "), "{error}");
    }
}
