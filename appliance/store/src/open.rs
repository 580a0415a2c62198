//! Opening: the directory, the key, the file, the version; and the two ways in, reading and writing.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use brookbox_vault::{Context, KeyOrigin, KeyPlaces, MachineKey, Vault, same};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use secrecy::SecretString;

use crate::error::{from_io, from_sqlite};
use crate::migrations::{MIGRATIONS, migrate, newest, version};
use crate::sign_ins::TOUCH;
use crate::{Error, Input, InputLimits, NewEvent, Time};

/// Name of the database in the data directory.
pub const DATABASE_FILE: &str = "brookbox.db";

/// How long a write waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

const PROBE: &str = "brookbox";
const PROBE_PLACE: Context<'_> = Context { table: "vault", row: "1", column: "probe" };

/// The box's stored data. Clones share it.
///
/// One connection writes and one reads, so that reading never waits for a write to be synced. Other processes
/// (`brookboxd show-key` beside the daemon) may have the same data open.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    vault: Vault,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// Told of every event that was stored.
    listener: OnceLock<Listener>,
    /// Until then no use is noted: the last try failed.
    no_touch_until: Mutex<Option<Instant>>,
}

/// Hears of events that were stored, with their ids.
pub(crate) type Listener = Box<dyn Fn(&[i64], &[NewEvent]) + Send + Sync>;

/// An error inside of a transaction, before it is known which file it was about.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Store(Error),
}

impl Failure {
    pub(crate) fn at(self, path: &Path) -> Error {
        match self {
            Self::Sqlite(error) => from_sqlite(&error, path),
            Self::Store(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<brookbox_vault::Error> for Failure {
    fn from(error: brookbox_vault::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Opens the data in this directory, makes what is missing, and brings an older database up to date. A new box has
    /// one input, `main`, with a random key.
    ///
    /// # Errors
    /// [`Error::Vault`] if the machine key cannot be used or is not the one the data was written with;
    /// [`Error::Corrupt`], [`Error::Newer`], [`Error::Busy`], [`Error::Full`], [`Error::Io`].
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        Self::open_limited(data_dir, InputLimits::default())
    }

    /// As [`open`](Self::open), with these limits for the input of a new box.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_limited(data_dir: &Path, limits: InputLimits) -> Result<Self, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|error| from_io(&error, data_dir))?;
        Self::open_with(data_dir, &KeyPlaces::of(data_dir), Some(limits))
    }

    /// Opens the data in this directory, and makes nothing: for commands beside the daemon, which may run as another
    /// user and before the daemon's first start.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`Error::Absent`].
    pub fn open_existing(data_dir: &Path) -> Result<Self, Error> {
        Self::open_with(data_dir, &KeyPlaces::of(data_dir), None)
    }

    /// With limits for the input of a new box, makes what is missing.
    pub(crate) fn open_with(data_dir: &Path, key: &KeyPlaces, create: Option<InputLimits>) -> Result<Self, Error> {
        let absent = || Error::Absent { path: data_dir.join(DATABASE_FILE) };
        let data_dir = &match fs::canonicalize(data_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(absent()),
            other => other.map_err(|error| from_io(&error, data_dir))?,
        };
        let path = &data_dir.join(DATABASE_FILE);
        let is_new = is_new(path)?;
        if is_new && create.is_none() {
            return Err(absent());
        }
        // The key is made before the database, never beside one that was written with another.
        let key = if is_new { MachineKey::load_or_create(key)? } else { MachineKey::load(key)? };
        let vault = Vault::new(key);

        // Two processes that start at once take turns from here on.
        let lock = File::open(data_dir).map_err(|error| from_io(&error, data_dir))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| from_io(&error.into(), data_dir))?;
        make_private(path, &lock)?;
        let connect = || connect(path).map_err(|error| from_sqlite(&error, path));
        let mut writer = connect()?;
        prepare(&mut writer, path, &vault, create).map_err(|failure| failure.at(path))?;
        let reader = connect()?;
        reader.pragma_update(None, "query_only", true).map_err(|error| from_sqlite(&error, path))?;
        drop(lock);

        let shared = Shared {
            path: path.clone(),
            vault,
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            listener: OnceLock::new(),
            no_touch_until: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Where the machine key was found.
    #[must_use]
    pub fn key_origin(&self) -> &KeyOrigin {
        self.shared.vault.origin()
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.shared.vault
    }

    /// Reads.
    /// Has every event that this program stores from now on told to a listener, once it is on the disk. There is one listener;
    /// it must not wait, nor use the store. Says whether it is the first.
    pub fn listen(&self, listener: impl Fn(&[i64], &[NewEvent]) + Send + Sync + 'static) -> bool {
        self.shared.listener.set(Box::new(listener)).is_ok()
    }

    pub(crate) fn tell(&self, ids: &[i64], events: &[NewEvent]) {
        if let Some(listener) = self.shared.listener.get() {
            listener(ids, events);
        }
    }

    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Error> {
        let reader = self.shared.reader.lock().unwrap_or_else(PoisonError::into_inner);
        work(&reader).map_err(|failure| failure.at(&self.shared.path))
    }

    /// Writes in one transaction, which is on the disk when this returns `Ok`, and nowhere when it does not.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>) -> Result<T, Error> {
        self.write_or(|transaction| work(transaction).map(Ok))
    }

    /// As [`write`](Self::write), with work that may end in an error of the caller's own, which also undoes it.
    pub(crate) fn write_or<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<Result<T, E>, Failure>,
    ) -> Result<T, E> {
        let failed = |failure: Failure| E::from(failure.at(&self.shared.path));
        let mut writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = writer.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| failed(error.into()))?;
        let done = work(&transaction).map_err(failed)??;
        transaction.commit().map_err(|error| failed(error.into()))?;
        Ok(done)
    }

    /// Notes the use of something, on which nothing hangs. When that fails (a full disk), no use of anything is noted for a
    /// while: who asks once a second would fail and be told in the log each time. Says whether it was noted.
    pub(crate) fn touch(&self, what: &'static str, work: impl FnOnce(&Transaction<'_>) -> Result<(), Failure>) -> bool {
        let pause = || self.shared.no_touch_until.lock().unwrap_or_else(PoisonError::into_inner);
        if pause().is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let noted = self.write(work);
        if let Err(error) = &noted {
            *pause() = Some(Instant::now() + TOUCH);
            tracing::warn!(%error, "the use of a {what} was not written down");
        }
        noted.is_ok()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

/// The files of a database: SQLite adds two while it is open.
pub(crate) fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// Whether there is no database yet. One that vanished from beside its log is not made anew: SQLite would drop the log.
fn is_new(path: &Path) -> Result<bool, Error> {
    let size = |path: &Path| match fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(from_io(&error, path)),
    };
    let [database, log, _] = files(path);
    if size(&database)? > 0 {
        return Ok(false);
    }
    match size(&log)? {
        0 => Ok(true),
        _ => Err(Error::Corrupt { path: path.into(), what: "it is empty or gone, but its -wal file is there".into() }),
    }
}

/// Makes the database's file, and closes all of them to others. SQLite gives the two that it adds the mode of the first.
fn make_private(path: &Path, dir: &File) -> Result<(), Error> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file.sync_all().and_then(|()| dir.sync_all()).map_err(|error| from_io(&error, path))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(from_io(&error, path)),
    }
    let user = geteuid();
    for file in files(path) {
        let Ok(found) = fs::metadata(&file) else { continue };
        // Root may, and SQLite then gives the files it adds to the database's owner.
        if found.uid() != user.as_raw() && !user.is_root() {
            let what = format!(
                "belongs to user {}, and this is user {user}: run `chown {user} {}` as root",
                found.uid(),
                file.display()
            );
            return Err(Error::Io { path: file, what });
        }
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(|error| from_io(&error, &file))?;
            tracing::warn!(file = %file.display(), "was open to others; it is private now");
        }
    }
    Ok(())
}

/// A connection with everything that holds for one connection. Changes nothing in the file.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    tune(&connection)?;
    Ok(connection)
}

pub(crate) fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(24);
    // A file that somebody else made cannot use SQL functions or its own schema as a weapon.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // See the promise in the crate's documentation.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    // The whole box is to fit into a few MB: 256 KiB of pages each, no mapped file, no temporary files.
    connection.pragma_update(None, "cache_size", -256)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_size_limit", 1 << 20)?;
    Ok(())
}

/// Checks whose database it is before anything is changed, then makes it or brings it up to date.
fn prepare(
    connection: &mut Connection,
    path: &Path,
    vault: &Vault,
    create: Option<InputLimits>,
) -> Result<(), Failure> {
    let found = version(connection, path, MIGRATIONS)?;
    if found == 0 && create.is_none() {
        return Err(Error::Absent { path: path.into() }.into());
    }
    if found > 0 {
        check_probe(connection, path, vault)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let what = format!("this file system does not carry SQLite's write-ahead log (it stays in mode {mode:?})");
        return Err(Error::Io { path: path.into(), what }.into());
    }
    if found < newest(MIGRATIONS) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        migrate(&transaction, found, MIGRATIONS)?;
        if found == 0 {
            first_data(&transaction, vault, create.unwrap_or_default())?;
        }
        transaction.commit()?;
        tracing::info!(from = found, to = newest(MIGRATIONS), "database brought up to date");
    }
    Ok(())
}

/// Opens a secret. One that cannot be opened (it was moved from another row, a bit flipped) comes back as `None` and is
/// told in the log: it must not take the other rows with it.
pub(crate) fn open_secret(vault: &Vault, place: Context<'_>, sealed: &[u8]) -> Result<Option<SecretString>, Failure> {
    match vault.open(place, sealed) {
        Ok(secret) => Ok(Some(secret)),
        Err(error @ (brookbox_vault::Error::Unseal { .. } | brookbox_vault::Error::Format { .. })) => {
            tracing::error!(%error, "a stored secret is unusable; what it belongs to is switched off");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn first_data(transaction: &Transaction<'_>, vault: &Vault, limits: InputLimits) -> Result<(), Failure> {
    let probe = vault.seal(PROBE_PLACE, &PROBE.into())?;
    transaction.execute("INSERT INTO vault (id, probe) VALUES (1, ?1)", [probe])?;
    let main = Input {
        id: "main".into(),
        name: "Main".into(),
        key: brookbox_vault::stream_key()?,
        enabled: true,
        protocols: vec!["rtmp".into()],
        limits,
        allow_public: false,
        created_at: Time::now(),
    };
    crate::inputs::write(transaction, vault, &main)
}

/// Tells at once when the data were written with another machine key.
pub(crate) fn check_probe(connection: &Connection, path: &Path, vault: &Vault) -> Result<(), Failure> {
    let probe: Vec<u8> = connection.query_row("SELECT probe FROM vault WHERE id = 1", [], |row| row.get(0))?;
    match vault.open(PROBE_PLACE, &probe) {
        Ok(probe) if same(&probe, &SecretString::from(PROBE)) => Ok(()),
        Ok(_) | Err(brookbox_vault::Error::Unseal { .. }) => {
            let key = vault.origin().path().to_owned();
            Err(Error::WrongKey { path: path.into(), key }.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewEvent, Severity};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    fn event() -> NewEvent {
        NewEvent {
            time: Time::now(),
            code: "code".into(),
            severity: Severity::Info,
            input: None,
            destination: None,
            params: serde_json::Map::new(),
            sentence: "x".repeat(900),
        }
    }

    /// The promise over a power cut hangs on two words that no kill can test.
    #[test]
    fn every_connection_syncs_at_commit() {
        let (_dir, store) = store();
        for connection in [&store.shared.writer, &store.shared.reader] {
            let connection = connection.lock().unwrap();
            let pragma = |name: &str| {
                let value =
                    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0));
                match value.unwrap() {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    other => format!("{other:?}"),
                }
            };
            assert_eq!(pragma("synchronous"), "2", "FULL");
            assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
            assert_eq!((pragma("foreign_keys"), pragma("secure_delete")), ("1".into(), "1".into()));
        }
        let refused = store.read(|db| Ok(db.execute("DELETE FROM inputs", [])?));
        assert!(refused.is_err(), "the reader cannot write");
    }

    #[test]
    fn a_full_database_says_so_and_loses_nothing() {
        let (_dir, store) = store();
        let allow = |pages: i64| {
            let writer = store.shared.writer.lock().unwrap();
            writer.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        allow(60);
        let mut newest = 0;
        let error = loop {
            match store.append_events(&[event(), event()]) {
                Ok(ids) => newest = ids[1],
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Full { .. }), "{error:?}");
        assert!(newest > 20 && store.events(None, 1).unwrap()[0].id == newest);
        store.put_broadcast(&true).unwrap();
        allow(10_000);
        assert_eq!(store.append_events(&[event()]).unwrap(), [newest + 1]);
    }

    #[test]
    fn a_database_that_another_keeps_locked_is_busy_and_still_readable() {
        let (_dir, store) = store();
        store.shared.writer.lock().unwrap().busy_timeout(Duration::from_millis(50)).unwrap();
        let mut other = connect(store.path()).unwrap();
        let transaction = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        assert!(matches!(store.put_setting("a", &1), Err(Error::Busy)));
        assert_eq!(store.inputs().unwrap().len(), 1);
        drop(transaction);
        store.put_setting("a", &1).unwrap();
    }

    /// A panic in a caller's closure undoes its change and leaves the store usable.
    #[test]
    fn a_panic_in_a_change_undoes_it() {
        let (_dir, store) = store();
        let again = store.clone();
        let panicked = std::thread::spawn(move || {
            again.update_input::<Error>("main", |input| {
                input.name = "never".into();
                panic!("as asked")
            })
        });
        assert!(panicked.join().is_err());
        assert_eq!(store.input("main").unwrap().name, "Main");
        store
            .update_input::<Error>("main", |input| {
                input.name = "Studio".into();
                Ok(())
            })
            .unwrap();
        assert_eq!(store.input("main").unwrap().name, "Studio");
    }
}
