//! The certificate of HTTPS: one of the box's own, renewed by itself, or one that was put in.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use brookbox_store::Time;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

/// Files in the data directory.
const KEY: &str = "tls-key.pem";
const CERTIFICATE: &str = "tls-certificate.pem";
const ABOUT: &str = "tls-certificate.json";
/// How long a certificate is good: with the day before its making 396 in all, where browsers take 397.
const GOOD_FOR: Duration = Duration::from_secs(395 * DAY);
/// It is renewed when less than this is left.
const RENEWED_AT: Duration = Duration::from_secs(60 * DAY);
/// It counts from a day before it was made: clocks differ.
const EARLIER: Duration = Duration::from_secs(DAY);
const DAY: u64 = 86_400;
/// Before this the clock was not set: 2026-01-01.
const CLOCK_UNSET: Duration = Duration::from_secs(1_767_225_600);
/// Most addresses in one certificate.
const MOST_ADDRESSES: usize = 32;

/// What the box shows over TLS, exchangeable while it is shown.
#[derive(Debug)]
pub(crate) struct Shown {
    current: RwLock<Arc<CertifiedKey>>,
}

/// A certificate that is shown, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// SHA-256, as browsers show it.
    pub(crate) fingerprint: String,
    /// Until when it is good, RFC 3339; `None` for one that was put in.
    pub(crate) expires_at: Option<String>,
    /// Whether the box made it.
    pub(crate) self_signed: bool,
}

/// Where the certificate comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// One that was put in: `[tls] certificate` and `key`.
    Given { certificate: PathBuf, key: PathBuf },
    /// The box's own, in the data directory.
    Own { data_dir: PathBuf },
}

/// What the box's own certificate says, kept beside it so that it need not be taken apart.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    from: u64,
    until: u64,
    fingerprint: String,
}

impl Source {
    /// The certificate to show for these names and addresses: the one that is there, or where that is none, too old or
    /// for other names, a new one for the same key.
    pub(crate) fn load(&self, host: &str, addresses: &BTreeSet<IpAddr>) -> Result<(Arc<CertifiedKey>, About), Failure> {
        match self {
            Self::Given { certificate, key } => given(certificate, key),
            Self::Own { data_dir } => own(data_dir, host, addresses, SystemTime::now()).map_err(Failure::other),
        }
    }
}

impl Shown {
    pub(crate) fn new(first: Arc<CertifiedKey>) -> Arc<Self> {
        Arc::new(Self { current: RwLock::new(first) })
    }

    /// New connections see this one from now on.
    pub(crate) fn exchange(&self, next: Arc<CertifiedKey>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// What takes connections with the certificate that is current at that moment.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, Failure> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Failure::other)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The addresses under which this machine is reached, for the certificate: loopback and all that do not hang on a zone.
pub(crate) fn addresses() -> BTreeSet<IpAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let found = brookbox_board::addresses().into_iter();
    let found = found.filter(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    loopback.into_iter().chain(found.take(MOST_ADDRESSES)).collect()
}

/// One that was put in. It is looked at before anything starts.
fn given(certificate: &Path, key: &Path) -> Result<(Arc<CertifiedKey>, About), Failure> {
    let wrong = |file: &Path, what: &dyn Display| {
        Failure::configuration(format!("[tls] {}: {what}", file.display()))
            .hint("a certificate with its chain and its key, each a file in PEM form, readable by this user")
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(certificate, &error))?;
    let Some(leaf) = chain.first() else { return Err(wrong(certificate, &"there is no certificate in it")) };
    let about = About { fingerprint: fingerprint(leaf), expires_at: None, self_signed: false };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let key = certified(chain, private).map_err(|error| wrong(key, &error))?;
    Ok((key, about))
}

fn own(
    data_dir: &Path,
    host: &str,
    addresses: &BTreeSet<IpAddr>,
    now: SystemTime,
) -> io::Result<(Arc<CertifiedKey>, About)> {
    let pem = private_key(&data_dir.join(KEY))?;
    let names: BTreeSet<String> = [host, "brookbox.local", "localhost"].map(str::to_lowercase).into();
    let kept = read(data_dir).filter(|(_, contents)| is_good(contents, &names, addresses, now));
    let (der, contents) = match kept {
        Some(kept) => kept,
        None => make(data_dir, &pem, names, addresses, now)?,
    };
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
    let key = certified(vec![der], key).map_err(io::Error::other)?;
    let until = Time::from_ms(i64::try_from(contents.until.saturating_mul(1000)).unwrap_or(i64::MAX));
    Ok((key, About { fingerprint: contents.fingerprint, expires_at: Some(until.to_string()), self_signed: true }))
}

/// Whether a certificate says what is needed, and for long enough. One from the future was made by a wrong clock; while
/// the clock is not set, nothing can be said of its age.
fn is_good(contents: &Contents, names: &BTreeSet<String>, addresses: &BTreeSet<IpAddr>, now: SystemTime) -> bool {
    let now = since_epoch(now);
    let in_time =
        now < CLOCK_UNSET || (contents.from <= now.as_secs() && now + RENEWED_AT < Duration::from_secs(contents.until));
    in_time && names.is_subset(&contents.names) && addresses.is_subset(&contents.addresses)
}

fn read(data_dir: &Path) -> Option<(CertificateDer<'static>, Contents)> {
    let der = CertificateDer::from_pem_file(data_dir.join(CERTIFICATE)).ok()?;
    let contents: Contents = serde_json::from_slice(&fs::read(data_dir.join(ABOUT)).ok()?).ok()?;
    // The two are written one after the other: after a power cut they may not belong together.
    (fingerprint(&der) == contents.fingerprint).then_some((der, contents))
}

fn make(
    data_dir: &Path,
    pem: &str,
    names: BTreeSet<String>,
    addresses: &BTreeSet<IpAddr>,
    now: SystemTime,
) -> io::Result<(CertificateDer<'static>, Contents)> {
    let from = since_epoch(now).max(CLOCK_UNSET) - EARLIER;
    let until = from + EARLIER + GOOD_FOR;
    let mut params = CertificateParams::default();
    let epoch = date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + from, epoch + until);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Brookbox");
    for name in &names {
        let name = name.as_str().try_into().map_err(io::Error::other)?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::from_pem(pem).map_err(io::Error::other)?;
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    let contents = Contents {
        names,
        addresses: addresses.clone(),
        from: from.as_secs(),
        until: until.as_secs(),
        fingerprint: fingerprint(certificate.der()),
    };
    write(&data_dir.join(CERTIFICATE), certificate.pem().as_bytes())?;
    write(&data_dir.join(ABOUT), &serde_json::to_vec(&contents)?)?;
    tracing::info!(fingerprint = contents.fingerprint, names = ?contents.names, "a new certificate for HTTPS");
    Ok((certificate.der().clone(), contents))
}

/// The box's key, made at the first use and never again.
fn private_key(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pem = KeyPair::generate().map_err(io::Error::other)?.serialize_pem();
            write(path, pem.as_bytes())?;
            Ok(pem)
        }
        read => read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

/// Writes a file for this user alone, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    fs::rename(&unfinished, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map(Arc::new)
}

/// SHA-256 of a certificate, as browsers show it.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let pairs: Vec<_> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(days: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + CLOCK_UNSET + Duration::from_secs(days * DAY)
    }

    fn home() -> BTreeSet<IpAddr> {
        ["127.0.0.1".parse().unwrap(), "192.168.1.9".parse().unwrap()].into()
    }

    #[test]
    fn it_is_kept_while_it_is_good_and_renewed_early_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let load =
            |host: &str, addresses: &BTreeSet<IpAddr>, days| own(dir.path(), host, addresses, at(days)).unwrap().1;
        let first = load("brookbox.local", &home(), 10);
        let key = fs::read(dir.path().join(KEY)).unwrap();
        assert_eq!(load("brookbox.local", &home(), 300), first);
        assert_eq!(load("brookbox.local", &["127.0.0.1".parse().unwrap()].into(), 300), first, "an address went away");
        assert_ne!(load("brookbox.local", &home(), 346), first, "less than 60 days are left");
        assert_ne!(load("brookbox.local", &home(), 10), load("river.local", &home(), 10), "another name");
        let moved = ["192.168.1.10".parse().unwrap()].into();
        assert_ne!(load("river.local", &home(), 10), load("river.local", &moved, 10), "another address");
        assert_eq!(fs::read(dir.path().join(KEY)).unwrap(), key);
        let mode = |file| fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(KEY), mode(CERTIFICATE)), (0o600, 0o600));
    }

    #[test]
    fn a_clock_that_is_not_set_makes_no_certificate_from_1970() {
        let dir = tempfile::tempdir().unwrap();
        own(dir.path(), "brookbox.local", &home(), SystemTime::UNIX_EPOCH).unwrap();
        let (_, contents) = read(dir.path()).unwrap();
        assert_eq!(contents.until - contents.from, 396 * DAY);
        assert!(contents.from + DAY >= CLOCK_UNSET.as_secs());
    }

    #[test]
    fn what_was_put_in_is_checked_before_it_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        own(dir.path(), "brookbox.local", &home(), at(1)).unwrap();
        let other = tempfile::tempdir().unwrap();
        own(other.path(), "brookbox.local", &home(), at(1)).unwrap();
        let (certificate, key) = (dir.path().join(CERTIFICATE), dir.path().join(KEY));
        given(&certificate, &key).unwrap();
        for (certificate, key) in [
            (&certificate, &other.path().join(KEY)),
            (&key, &key),
            (&certificate, &certificate),
            (&key, &dir.path().join("none")),
        ] {
            assert_eq!(given(certificate, key).unwrap_err().code(), 78);
        }
    }
}
