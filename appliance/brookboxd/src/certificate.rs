//! The certificate of HTTPS: one of the box's own, renewed by itself, or one that was put in.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use brookbox_store::Time;
use brookbox_vault::write_private;
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
/// Most addresses and names in one certificate.
const MOST_ADDRESSES: usize = 32;
const MOST_NAMES: usize = 8;
/// What an own key is called that cannot be used.
const UNUSABLE: &str = "tls-key.unusable";

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    /// What it is for: first what was so when it was made, then what was so before.
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    from: u64,
    until: u64,
    fingerprint: String,
}

/// The certificate that is shown, and where it comes from.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) about: About,
    origin: Origin,
}

#[derive(Clone)]
enum Origin {
    /// The two files as they were when they were read.
    Given([Option<Stamp>; 2]),
    Own(Own),
}

/// What tells a file that was exchanged: its inode, size, and time of change in seconds and nanoseconds.
type Stamp = (u64, u64, i64, i64);

/// One of the box's own.
#[derive(Clone)]
struct Own {
    pem: Arc<str>,
    der: CertificateDer<'static>,
    contents: Contents,
    /// What is still to be stored, as PEM; the key too, if it is new.
    unstored: Option<Arc<str>>,
}

impl Current {
    /// Whether the next start finds it.
    pub(crate) fn is_stored(&self) -> bool {
        match &self.origin {
            Origin::Given(_) => true,
            Origin::Own(own) => own.unstored.is_none(),
        }
    }
}

impl Source {
    /// The certificate to show for these names and addresses: the one that is there, or where that is none, too old or
    /// for other names, a new one for the same key. The box's own keeps nothing from starting: what cannot be stored is
    /// shown all the same. `problems`: what somebody has to know.
    ///
    /// # Errors
    /// One that was put in cannot be used.
    pub(crate) fn load(
        &self,
        host: &str,
        addresses: &BTreeSet<IpAddr>,
        problems: &mut Vec<String>,
    ) -> Result<Current, Failure> {
        match self {
            Self::Given { certificate, key } => given(certificate, key),
            Self::Own { data_dir } => own(data_dir, host, addresses, SystemTime::now(), problems),
        }
    }

    /// Whether another has to be shown by now. Looks at nothing but the times of files.
    pub(crate) fn needs_new(&self, current: &Current, host: &str, addresses: &BTreeSet<IpAddr>) -> bool {
        match (self, &current.origin) {
            (Self::Given { certificate, key }, Origin::Given(stamps)) => [stamp(certificate), stamp(key)] != *stamps,
            (_, Origin::Own(own)) => needs_new(&own.contents, &names(host), addresses, SystemTime::now()),
            (Self::Own { .. }, Origin::Given(_)) => true,
        }
    }

    /// The next one, if another is needed; and stores the box's own if it is not yet.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn renew(
        &self,
        current: &Current,
        host: &str,
        addresses: &BTreeSet<IpAddr>,
    ) -> Result<Current, Failure> {
        match (self, &current.origin) {
            (Self::Own { data_dir }, Origin::Own(own)) => {
                let now = SystemTime::now();
                let next = match needs_new(&own.contents, &names(host), addresses, now) {
                    true => make(own.pem.clone(), host, addresses, Some(&own.contents), now)?,
                    false => own.clone(),
                };
                next.kept(data_dir)
            }
            _ => self.load(host, addresses, &mut Vec::new()),
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

/// The addresses under which this machine is reached, for the certificate: loopback, and those of the home network. Those
/// of IPv6 that the provider gives change from day to day, and no browser trusts one certificate more than the other.
pub(crate) fn addresses() -> BTreeSet<IpAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let found = brookbox_board::addresses().into_iter().filter(|address| is_lasting(*address));
    loopback.into_iter().chain(found.take(MOST_ADDRESSES / 2)).collect()
}

fn is_lasting(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

fn names(host: &str) -> BTreeSet<String> {
    [host, "brookbox.local", "localhost"].map(str::to_lowercase).into()
}

/// One that was put in. It is looked at before anything starts.
fn given(certificate: &Path, key: &Path) -> Result<Current, Failure> {
    let wrong = |file: &Path, what: &dyn Display| {
        Failure::configuration(format!("[tls] {}: {what}", file.display()))
            .hint("a certificate with its chain and its key, each a file in PEM form, readable by this user")
    };
    // Before they are read: what is exchanged meanwhile is read again.
    let origin = Origin::Given([stamp(certificate), stamp(key)]);
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(certificate, &error))?;
    let Some(leaf) = chain.first() else { return Err(wrong(certificate, &"there is no certificate in it")) };
    let about = About { fingerprint: fingerprint(leaf), expires_at: None, self_signed: false };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let key = certified(chain, private).map_err(|error| wrong(key, &error))?;
    Ok(Current { key, about, origin })
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = fs::metadata(file).ok()?;
    Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}

fn own(
    data_dir: &Path,
    host: &str,
    addresses: &BTreeSet<IpAddr>,
    now: SystemTime,
    problems: &mut Vec<String>,
) -> Result<Current, Failure> {
    let kept = private_key(&data_dir.join(KEY), problems);
    let is_new = kept.is_none();
    let pem = match kept {
        Some(pem) => pem,
        None => KeyPair::generate().map_err(Failure::other)?.serialize_pem().into(),
    };
    // One that does not belong to the key is of no use.
    let kept = read(data_dir).filter(|_| !is_new);
    let kept = kept.map(|(der, contents)| Own { pem: pem.clone(), der, contents, unstored: None });
    let good = kept.as_ref().filter(|kept| !needs_new(&kept.contents, &names(host), addresses, now));
    if let Some(Ok(current)) = good.map(|good| good.clone().kept(data_dir)) {
        return Ok(current);
    }
    make(pem, host, addresses, kept.as_ref().map(|kept| &kept.contents), now)?.kept(data_dir)
}

impl Own {
    /// What is shown; on the disk too, if there is room.
    fn kept(mut self, data_dir: &Path) -> Result<Current, Failure> {
        let private = PrivateKeyDer::from_pem_slice(self.pem.as_bytes()).map_err(Failure::other)?;
        let key = certified(vec![self.der.clone()], private).map_err(Failure::other)?;
        if let Some(unstored) = &self.unstored {
            match self.store(data_dir, unstored) {
                Ok(()) => self.unstored = None,
                Err(error) => {
                    tracing::warn!(%error, "the certificate for HTTPS is not stored: the next start makes another");
                }
            }
        }
        let until = Time::from_ms(i64::try_from(self.contents.until.saturating_mul(1000)).unwrap_or(i64::MAX));
        let fingerprint = self.contents.fingerprint.clone();
        let about = About { fingerprint, expires_at: Some(until.to_string()), self_signed: true };
        Ok(Current { key, about, origin: Origin::Own(self) })
    }

    fn store(&self, data_dir: &Path, certificate: &str) -> io::Result<()> {
        let write = |name: &str, bytes: &[u8]| {
            let path = data_dir.join(name);
            let located = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            write_private(&path, bytes).map_err(located)
        };
        if fs::read(data_dir.join(KEY)).ok().as_deref() != Some(self.pem.as_bytes()) {
            write(KEY, self.pem.as_bytes())?;
        }
        write(CERTIFICATE, certificate.as_bytes())?;
        write(ABOUT, &serde_json::to_vec(&self.contents)?)
    }
}

/// Whether a certificate does not say what is needed, or not for long enough. One from the future was made by a wrong
/// clock; while the clock is not set, nothing can be said of its age.
fn needs_new(contents: &Contents, names: &BTreeSet<String>, addresses: &BTreeSet<IpAddr>, now: SystemTime) -> bool {
    let now = since_epoch(now);
    let in_time =
        now < CLOCK_UNSET || (contents.from <= now.as_secs() && now + RENEWED_AT < Duration::from_secs(contents.until));
    let says_all = names.iter().all(|name| contents.names.contains(name))
        && addresses.iter().all(|address| contents.addresses.contains(address));
    !in_time || !says_all
}

fn read(data_dir: &Path) -> Option<(CertificateDer<'static>, Contents)> {
    let der = CertificateDer::from_pem_file(data_dir.join(CERTIFICATE)).ok()?;
    let contents: Contents = serde_json::from_slice(&fs::read(data_dir.join(ABOUT)).ok()?).ok()?;
    // The two are written one after the other: after a power cut they may not belong together.
    (fingerprint(&der) == contents.fingerprint).then_some((der, contents))
}

/// A new one. It is also for what the one before was for: whoever goes back to another network, or back from a cable to
/// Wi-Fi, needs none again.
fn make(
    pem: Arc<str>,
    host: &str,
    addresses: &BTreeSet<IpAddr>,
    before: Option<&Contents>,
    now: SystemTime,
) -> Result<Own, Failure> {
    let from = since_epoch(now).max(CLOCK_UNSET) - EARLIER;
    let until = from + EARLIER + GOOD_FOR;
    let (wanted, was) = (names(host), before.map(|before| before.names.clone()).unwrap_or_default());
    let names = first_of(MOST_NAMES, wanted.into_iter().chain(was));
    let was = before.map(|before| before.addresses.clone()).unwrap_or_default().into_iter();
    let addresses = first_of(MOST_ADDRESSES, addresses.iter().copied().chain(was.filter(|was| is_lasting(*was))));
    let mut params = CertificateParams::default();
    let epoch = date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + from, epoch + until);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Brookbox");
    for name in &names {
        let name = name.as_str().try_into().map_err(Failure::other)?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::from_pem(&pem).map_err(Failure::other)?;
    let certificate = params.self_signed(&key).map_err(Failure::other)?;
    let contents = Contents {
        names,
        addresses,
        from: from.as_secs(),
        until: until.as_secs(),
        fingerprint: fingerprint(certificate.der()),
    };
    tracing::info!(fingerprint = contents.fingerprint, names = ?contents.names, "a new certificate for HTTPS");
    let unstored = Some(certificate.pem().into());
    Ok(Own { pem, der: certificate.der().clone(), contents, unstored })
}

/// The first so many, each once.
fn first_of<T: PartialEq>(most: usize, all: impl Iterator<Item = T>) -> Vec<T> {
    let mut first = Vec::new();
    for one in all {
        if first.len() < most && !first.contains(&one) {
            first.push(one);
        }
    }
    first
}

/// The box's key, if there is one that can be used. What cannot be is set aside: a box that does not start for it would
/// be worse than one whose fingerprint has changed.
fn private_key(path: &Path, problems: &mut Vec<String>) -> Option<Arc<str>> {
    let usable = |pem: &str| {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
        ring::default_provider().key_provider.load_private_key(der).map_err(io::Error::other)?;
        KeyPair::from_pem(pem).map_err(io::Error::other).map(drop)
    };
    let error = match fs::read_to_string(path).and_then(|pem| usable(&pem).map(|()| pem)) {
        Ok(pem) => return Some(pem.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => error,
    };
    tracing::error!(path = %path.display(), %error, "the key for HTTPS cannot be used: another is made");
    if let Err(error) = fs::rename(path, path.with_file_name(UNUSABLE)) {
        tracing::warn!(path = %path.display(), %error, "it could not be set aside");
    }
    problems
        .push("The key for https could not be used. There is a new one, so the fingerprint has changed.".to_owned());
    None
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

    fn load(dir: &Path, host: &str, addresses: &[&str], days: u64) -> (Current, Vec<String>) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let mut problems = Vec::new();
        (own(dir, host, &addresses, at(days), &mut problems).unwrap(), problems)
    }

    #[test]
    fn it_is_kept_while_it_is_good_and_renewed_early_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let load = |host: &str, addresses: &[&str], days| load(dir.path(), host, addresses, days).0.about;
        let home = ["127.0.0.1", "192.168.1.9"];
        let first = load("brookbox.local", &home, 10);
        let key = fs::read(dir.path().join(KEY)).unwrap();
        assert_eq!(load("brookbox.local", &home, 300), first);
        assert_eq!(load("brookbox.local", &home[..1], 300), first, "an address went away");
        assert_ne!(load("brookbox.local", &home, 346), first, "less than 60 days are left");
        let early = load("brookbox.local", &home, 10);
        assert_ne!(load("river.local", &home, 10), early, "another name");
        let moved = load("river.local", &["127.0.0.1", "192.168.1.10"], 10);
        assert_ne!(load("river.local", &["10.0.0.7"], 10), moved, "another address");
        assert_eq!(fs::read(dir.path().join(KEY)).unwrap(), key);
        let mode = |file| fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(KEY), mode(CERTIFICATE)), (0o600, 0o600));
    }

    #[test]
    fn whoever_goes_back_needs_none_again() {
        let dir = tempfile::tempdir().unwrap();
        load(dir.path(), "brookbox.local", &["127.0.0.1", "192.168.1.9"], 10);
        let both = load(dir.path(), "river.local", &["127.0.0.1", "10.0.0.7"], 10).0;
        for (host, address) in [("brookbox.local", "192.168.1.9"), ("river.local", "10.0.0.7")] {
            let again = load(dir.path(), host, &["127.0.0.1", address], 10).0;
            assert_eq!(again.about, both.about, "{host}");
        }
        for number in 0..2 * MOST_ADDRESSES {
            load(dir.path(), &format!("river-{number}.local"), &[&format!("10.0.1.{number}")], 10);
        }
        let (_, contents) = read(dir.path()).unwrap();
        assert_eq!((contents.names.len(), contents.addresses.len()), (MOST_NAMES, MOST_ADDRESSES));
        assert_eq!(
            contents.addresses[..2].iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.1.63", "10.0.1.62"]
        );
    }

    #[test]
    fn addresses_that_change_from_day_to_day_are_left_out() {
        for lasting in ["127.0.0.1", "::1", "192.168.1.9", "203.0.113.7", "fd12::9"] {
            assert!(is_lasting(lasting.parse().unwrap()), "{lasting}");
        }
        for other in ["2001:db8::9", "fe80::1"] {
            assert!(!is_lasting(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn what_cannot_be_stored_is_shown_and_stored_later() {
        let dir = tempfile::tempdir().unwrap();
        // What is in the way of an unfinished file, as a full disk would be.
        let in_the_way = ["tls-key.pem.new", "tls-certificate.pem.new"].map(|name| dir.path().join(name));
        in_the_way.iter().for_each(|path| fs::create_dir(path).unwrap());
        let (shown, problems) = load(dir.path(), "brookbox.local", &["127.0.0.1"], 10);
        assert!(!shown.is_stored() && problems.is_empty());
        in_the_way.iter().for_each(|path| fs::remove_dir(path).unwrap());
        let source = Source::Own { data_dir: dir.path().to_owned() };
        let loopback = ["127.0.0.1".parse().unwrap()].into();
        let stored = source.renew(&shown, "brookbox.local", &loopback).unwrap();
        let Origin::Own(own) = &stored.origin else { panic!("one of the box's own") };
        assert!(stored.is_stored());
        assert_eq!(read(dir.path()).unwrap().1, own.contents);
        assert_eq!(*fs::read_to_string(dir.path().join(KEY)).unwrap(), *own.pem);
    }

    #[test]
    fn a_key_that_cannot_be_used_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let first = load(dir.path(), "brookbox.local", &["127.0.0.1"], 10).0;
        for spoilt in [&b"not a key"[..], b"\xff\xfe", b""] {
            fs::write(dir.path().join(KEY), spoilt).unwrap();
            let (shown, problems) = load(dir.path(), "brookbox.local", &["127.0.0.1"], 10);
            assert!(shown.is_stored() && shown.about != first.about);
            assert_eq!(problems.len(), 1);
            assert_eq!(fs::read(dir.path().join(UNUSABLE)).unwrap(), spoilt);
            let (again, problems) = load(dir.path(), "brookbox.local", &["127.0.0.1"], 10);
            assert_eq!((again.about, problems.len()), (shown.about, 0));
        }
        // Another box's key: what is there does not belong to it.
        let other = tempfile::tempdir().unwrap();
        load(other.path(), "brookbox.local", &["127.0.0.1"], 10);
        fs::copy(other.path().join(KEY), dir.path().join(KEY)).unwrap();
        let before = read(dir.path()).unwrap().1;
        let shown = load(dir.path(), "brookbox.local", &["127.0.0.1"], 10).0;
        assert_ne!(shown.about.fingerprint, before.fingerprint);
    }

    #[test]
    fn one_that_was_put_in_is_read_again_when_it_was_exchanged() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        load(dir.path(), "brookbox.local", &["127.0.0.1"], 10);
        load(other.path(), "brookbox.local", &["127.0.0.1"], 10);
        let files = [CERTIFICATE, KEY].map(|name| dir.path().join(name));
        let source = Source::Given { certificate: files[0].clone(), key: files[1].clone() };
        let shown = source.load("brookbox.local", &BTreeSet::new(), &mut Vec::new()).unwrap();
        assert!(!source.needs_new(&shown, "river.local", &BTreeSet::new()));
        for (name, file) in [CERTIFICATE, KEY].iter().zip(&files) {
            fs::rename(other.path().join(name), file).unwrap();
        }
        assert!(source.needs_new(&shown, "river.local", &BTreeSet::new()));
        let next = source.renew(&shown, "river.local", &BTreeSet::new()).unwrap();
        assert_ne!(next.about, shown.about);
        assert!(!source.needs_new(&next, "river.local", &BTreeSet::new()));
    }

    #[test]
    fn a_clock_that_is_not_set_makes_no_certificate_from_1970() {
        let dir = tempfile::tempdir().unwrap();
        own(dir.path(), "brookbox.local", &BTreeSet::new(), SystemTime::UNIX_EPOCH, &mut Vec::new()).unwrap();
        let (_, contents) = read(dir.path()).unwrap();
        assert_eq!(contents.until - contents.from, 396 * DAY);
        assert!(contents.from + DAY >= CLOCK_UNSET.as_secs());
    }

    #[test]
    fn what_was_put_in_is_checked_before_it_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        load(dir.path(), "brookbox.local", &["127.0.0.1"], 1);
        let other = tempfile::tempdir().unwrap();
        load(other.path(), "brookbox.local", &["127.0.0.1"], 1);
        let (certificate, key) = (dir.path().join(CERTIFICATE), dir.path().join(KEY));
        given(&certificate, &key).unwrap();
        for (certificate, key) in [
            (&certificate, &other.path().join(KEY)),
            (&key, &key),
            (&certificate, &certificate),
            (&key, &dir.path().join("none")),
        ] {
            assert_eq!(given(certificate, key).err().unwrap().code(), 78);
        }
    }
}
