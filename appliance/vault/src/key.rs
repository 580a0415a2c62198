//! The machine key: 32 random bytes in a file of their own, or from systemd.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use zeroize::Zeroizing;

use crate::{Error, write_private};

/// Name of the key file in the data directory.
pub const KEY_FILE: &str = "machine-key";
/// Name of the systemd credential that goes before the file, and of the one that may say what seals it while it is stored.
const CREDENTIAL: &str = "brookbox-machine-key";
const SEALED_BY: &str = "brookbox-machine-key-by";
const TPM: &str = "tpm2";
/// Length of the machine key in bytes.
pub const KEY_LEN: usize = 32;

/// Where a machine key may be.
#[derive(Clone, Debug)]
pub struct KeyPlaces {
    /// The file in the data directory.
    pub file: PathBuf,
    /// The systemd credential, if there is one; it goes before the file.
    pub credential: Option<PathBuf>,
    /// Whether it is said beside the credential that a TPM seals it.
    pub tpm: bool,
}

impl KeyPlaces {
    /// The places for a data directory: `machine-key` in it, and `$CREDENTIALS_DIRECTORY/brookbox-machine-key`.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::among(data_dir, credentials.as_deref())
    }

    fn among(data_dir: &Path, credentials: Option<&Path>) -> Self {
        let credential = credentials.map(|dir| dir.join(CREDENTIAL)).filter(|path| path.exists());
        let by = credentials.and_then(|dir| fs::read(dir.join(SEALED_BY)).ok());
        let tpm = credential.is_some() && by.as_deref() == Some(TPM.as_bytes());
        Self { file: data_dir.join(KEY_FILE), credential, tpm }
    }
}

/// Where a machine key was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// A systemd credential.
    Credential(PathBuf),
    /// A systemd credential that a TPM seals while it is stored.
    Tpm(PathBuf),
    /// The file beside the data.
    File(PathBuf),
}

impl KeyOrigin {
    /// The file that was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Credential(path) | Self::Tpm(path) | Self::File(path) => path,
        }
    }
}

/// The key under which the box encrypts what it stores. Overwritten in memory when dropped.
pub struct MachineKey {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    origin: KeyOrigin,
}

impl MachineKey {
    /// Reads the key that is there.
    ///
    /// # Errors
    /// [`Error::KeyMissing`] if there is none; [`Error::KeyMode`], [`Error::KeyOwner`], [`Error::KeySize`] and
    /// [`Error::KeyIo`] if it cannot be trusted or read.
    pub fn load(places: &KeyPlaces) -> Result<Self, Error> {
        if let Some(path) = &places.credential {
            // systemd answers for mode and owner: the directory is the unit's own, and read-only.
            let file = File::open(path).map_err(|source| Error::KeyIo { path: path.clone(), source })?;
            let origin = if places.tpm { KeyOrigin::Tpm } else { KeyOrigin::Credential };
            return Ok(Self { bytes: read_key(&file, path)?, origin: origin(path.clone()) });
        }
        let path = &places.file;
        let file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::KeyMissing { path: path.clone() },
            _ => Error::KeyIo { path: path.clone(), source },
        })?;
        check_access(&file, path)?;
        Ok(Self { bytes: read_key(&file, path)?, origin: KeyOrigin::File(path.clone()) })
    }

    /// Reads the key that is there, or makes one. Of several processes that do so at once, all get the same key; a key
    /// that was returned survives a power cut.
    ///
    /// # Errors
    /// As [`load`](Self::load), without [`Error::KeyMissing`]; [`Error::Random`].
    pub fn load_or_create(places: &KeyPlaces) -> Result<Self, Error> {
        match Self::load(places) {
            Err(Error::KeyMissing { .. }) => create(&places.file)?,
            other => return other,
        }
        Self::load(places)
    }

    /// Where it was found.
    #[must_use]
    pub fn origin(&self) -> &KeyOrigin {
        &self.origin
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.bytes
    }
}

impl std::fmt::Debug for MachineKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineKey").field("origin", &self.origin).finish_non_exhaustive()
    }
}

fn check_access(file: &File, path: &Path) -> Result<(), Error> {
    let io = |source| Error::KeyIo { path: path.to_owned(), source };
    let found = file.metadata().map_err(io)?;
    let mode = found.mode() & 0o7777;
    if mode & 0o177 != 0 {
        return Err(Error::KeyMode { path: path.to_owned(), mode });
    }
    let user = geteuid().as_raw();
    // Root may look at a key whose owner also owns the directory: `sudo brookboxd check`.
    let as_root =
        user == 0 && path.parent().and_then(|dir| dir.metadata().ok()).is_some_and(|d| d.uid() == found.uid());
    if found.uid() != user && !as_root {
        return Err(Error::KeyOwner { path: path.to_owned(), owner: found.uid(), user });
    }
    Ok(())
}

fn read_key(file: &File, path: &Path) -> Result<Zeroizing<[u8; KEY_LEN]>, Error> {
    let io = |source| Error::KeyIo { path: path.to_owned(), source };
    let size = file.metadata().map_err(io)?.len();
    if size != KEY_LEN as u64 {
        return Err(Error::KeySize { path: path.to_owned(), size });
    }
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    let mut file = file;
    file.read_exact(&mut *bytes).map_err(io)?;
    Ok(bytes)
}

/// Makes the key file whole or not at all. The lock on the directory keeps two processes from each making one.
fn create(path: &Path) -> Result<(), Error> {
    let io = |source| Error::KeyIo { path: path.to_owned(), source };
    let dir = path.parent().unwrap_or(Path::new("."));
    let _lock = Flock::lock(File::open(dir).map_err(io)?, FlockArg::LockExclusive).map_err(|(_, e)| io(e.into()))?;
    if path.try_exists().map_err(io)? {
        return Ok(());
    }
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    getrandom::fill(&mut *bytes)?;
    write_private(path, &*bytes).map_err(io)
}

#[cfg(test)]
mod tests {

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn places(dir: &tempfile::TempDir) -> KeyPlaces {
        KeyPlaces { file: dir.path().join(KEY_FILE), credential: None, tpm: false }
    }

    #[test]
    fn a_key_is_made_once_private_and_complete() {
        let dir = tempfile::tempdir().unwrap();
        let first = MachineKey::load_or_create(&places(&dir)).unwrap();
        let again = MachineKey::load_or_create(&places(&dir)).unwrap();
        assert_eq!(first.bytes(), again.bytes());
        assert_ne!(first.bytes(), &[0; KEY_LEN]);
        let found = fs::metadata(dir.path().join(KEY_FILE)).unwrap();
        assert_eq!((found.mode() & 0o7777, found.len()), (0o600, 32));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing unfinished stays");
        assert!(!format!("{first:?}").contains("bytes"));
    }

    #[test]
    fn a_key_whose_making_was_cut_short_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("machine-key.new"), b"cut short").unwrap();
        MachineKey::load_or_create(&places(&dir)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(dir.path().join(KEY_FILE)).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn all_who_make_a_key_at_once_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let places = places(&dir);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| *MachineKey::load_or_create(&places).unwrap().bytes)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_missing_key_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = MachineKey::load(&places(&dir)).unwrap_err();
        assert!(matches!(error, Error::KeyMissing { .. }));
        assert!(error.to_string().contains("machine-key") && error.to_string().contains("backup"));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        MachineKey::load_or_create(&places(&dir)).unwrap();
        let path = dir.path().join(KEY_FILE);
        for mode in [0o644, 0o640, 0o604, 0o620, 0o700] {
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = MachineKey::load(&places(&dir)).unwrap_err();
            assert!(matches!(error, Error::KeyMode { mode: found, .. } if found == mode), "{mode:o}");
            assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())));
        }
        fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        MachineKey::load(&places(&dir)).unwrap();
    }

    #[test]
    fn a_key_of_another_size_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        for size in [0, 31, 33, 1 << 20] {
            fs::write(&path, vec![7; size]).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            let error = MachineKey::load_or_create(&places(&dir)).unwrap_err();
            assert!(matches!(error, Error::KeySize { size: found, .. } if found == size as u64));
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 20, "a wrong key is never replaced");
    }

    /// Only root can give a file away.
    #[test]
    fn a_key_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        MachineKey::load_or_create(&places(&dir)).unwrap();
        let path = dir.path().join(KEY_FILE);
        if !geteuid().is_root() {
            println!("skipped: not root");
            return;
        }
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        let error = MachineKey::load(&places(&dir)).unwrap_err();
        assert!(matches!(error, Error::KeyOwner { owner: 12345, user: 0, .. }), "{error:?}");
        std::os::unix::fs::chown(dir.path(), Some(12345), None).unwrap();
        MachineKey::load(&places(&dir)).expect("root looks at somebody's data");
    }

    #[test]
    fn a_tpm_seals_what_is_said_to_be_sealed_by_it() {
        let dir = tempfile::tempdir().unwrap();
        let found = || KeyPlaces::among(dir.path(), Some(dir.path()));
        fs::write(dir.path().join(SEALED_BY), "tpm2").unwrap();
        assert!(found().credential.is_none() && !found().tpm, "there is no key");
        fs::write(dir.path().join(CREDENTIAL), [9; KEY_LEN]).unwrap();
        assert!(found().credential.is_some() && found().tpm);
        fs::write(dir.path().join(SEALED_BY), "host").unwrap();
        assert!(found().credential.is_some() && !found().tpm);
    }

    #[test]
    fn a_credential_goes_before_the_file_and_may_be_shared_with_root() {
        let dir = tempfile::tempdir().unwrap();
        MachineKey::load_or_create(&places(&dir)).unwrap();
        let credential = dir.path().join("brookbox-machine-key");
        fs::write(&credential, [9; KEY_LEN]).unwrap();
        fs::set_permissions(&credential, PermissionsExt::from_mode(0o440)).unwrap();
        let places = KeyPlaces { credential: Some(credential.clone()), ..places(&dir) };
        let key = MachineKey::load(&places).unwrap();
        assert_eq!(key.bytes(), &[9; KEY_LEN]);
        assert_eq!(key.origin(), &KeyOrigin::Credential(credential.clone()));
        let tpm = KeyPlaces { tpm: true, ..places.clone() };
        assert_eq!(MachineKey::load(&tpm).unwrap().origin(), &KeyOrigin::Tpm(credential.clone()));
        fs::write(&credential, [9; 5]).unwrap();
        assert!(matches!(MachineKey::load_or_create(&places), Err(Error::KeySize { size: 5, .. })));
    }
}
