use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// What can go wrong with stored data. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such row.
    #[error("there is no {0} with this id")]
    NotFound(&'static str),
    /// The box has an owner already.
    #[error("this box has been claimed already")]
    AlreadyClaimed,
    /// Another row has this value, or refers to this one.
    #[error("{what}: {reason}")]
    Conflict {
        /// `input`, `destination`, `user`, `sign-in` or `token`.
        what: &'static str,
        /// The field concerned, in the spelling of the API.
        field: &'static str,
        /// In words.
        reason: &'static str,
    },
    /// The last owner may be neither deleted nor given another role.
    #[error("this is the only owner: make somebody else an owner first")]
    LastOwner,
    /// There are as many as the box keeps.
    #[error("there are {most} {what} already, and the box keeps no more")]
    Limit {
        /// `inputs`, `destinations`, `users`, `tokens` or `settings`.
        what: &'static str,
        /// How many it keeps.
        most: u32,
    },
    /// Another process or a long transaction keeps the database locked. Try again.
    #[error("the database is busy; try again")]
    Busy,
    /// There is no data directory or database, and none is to be made.
    #[error("there is no database at {path}: start brookboxd once, or name the right directory with --data-dir")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The database cannot be understood. Nothing was changed and nothing deleted.
    #[error(
        "the database {path} is damaged ({what}); nothing was changed: stop brookboxd, keep a copy of all files whose \
         names begin with {path}, and put back a copy from before, or move them elsewhere to begin with an empty box"
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The database was written by a newer program.
    #[error(
        "the database {path} is of version {found}, and this program knows versions up to {known}: \
         use the newer program, or put back a copy from before the update"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The machine key is not the one the database was written with.
    #[error(
        "the machine key {key} is not the one that the database {path} was written with: \
         put the right one back, or restore a backup"
    )]
    WrongKey {
        /// The database file.
        path: PathBuf,
        /// The key that was found.
        key: PathBuf,
    },
    /// The disk is full. What was to be written is not; what was stored is all there.
    #[error("the disk that holds {path} is full: make room there. Nothing stored was lost, this change was not saved")]
    Full {
        /// The file that could not be written.
        path: PathBuf,
    },
    /// The system refuses reading or writing.
    #[error("{path}: {what}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system or SQLite said.
        what: String,
    },
    /// A secret cannot be sealed or opened, or the machine key cannot be used.
    #[error(transparent)]
    Vault(brookbox_vault::Error),
    /// A value of the program's own that JSON cannot hold or that a newer program wrote.
    #[error("the stored {name} is not what this program expects: {source}")]
    Value {
        /// The setting.
        name: String,
        /// What serde said.
        source: serde_json::Error,
    },
}

impl From<brookbox_vault::Error> for Error {
    fn from(error: brookbox_vault::Error) -> Self {
        match error {
            brookbox_vault::Error::KeyIo { path, source } => from_io(&source, &path),
            other => Self::Vault(other),
        }
    }
}

/// Turns what the system says into what a person can act on.
pub(crate) fn from_io(error: &io::Error, path: &Path) -> Error {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { path },
        _ => Error::Io { path, what: error.to_string() },
    }
}

/// Turns what SQLite says into what a person can act on.
pub(crate) fn from_sqlite(error: &rusqlite::Error, path: &Path) -> Error {
    let path = path.to_owned();
    let what = error.to_string();
    let Some(code) = error.sqlite_error_code() else {
        // A column that does not hold what the schema says: the file was written by something else.
        return Error::Corrupt { path, what };
    };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Busy,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt { path, what },
        ErrorCode::DiskFull => Error::Full { path },
        // SQLite reports a full disk as such only for writes: growing its shared memory file or syncing may meet it too.
        ErrorCode::SystemIoFailure if no_room(&path) => Error::Full { path },
        ErrorCode::ReadOnly => Error::Io { path, what: format!("cannot be written ({what})") },
        _ => Error::Io { path, what },
    }
}

fn no_room(path: &Path) -> bool {
    const FEW_BLOCKS: u32 = 16;
    let dir = path.parent().unwrap_or(path);
    nix::sys::statvfs::statvfs(dir).is_ok_and(|found| found.blocks_available() < FEW_BLOCKS.into())
}
