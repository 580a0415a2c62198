use std::io;
use std::path::PathBuf;

/// What can go wrong with secrets. No variant carries one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine key is not where it should be, and none may be made in its place.
    #[error(
        "there is no machine key at {path}, and the data beside it needs the one it was written with: \
         put that file back, or restore a backup"
    )]
    KeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others than the owner may read or write the machine key.
    #[error("machine key {path} is open to others (mode {mode:04o}): run `chmod 600 {path}`")]
    KeyMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The machine key belongs to somebody else.
    #[error("machine key {path} belongs to user {owner}, and this is user {user}: run `chown {user} {path}` as root")]
    KeyOwner {
        /// The file.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// The number of the user who runs this.
        user: u32,
    },
    /// The machine key is no key.
    #[error(
        "machine key {path} has {size} bytes and not 32: put the right file back, or restore a backup; \
         without it the stored stream keys cannot be read"
    )]
    KeySize {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        size: u64,
    },
    /// The machine key could not be read or written.
    #[error("machine key {path}: {source}")]
    KeyIo {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A ciphertext was made with another key, moved here from another row, or damaged.
    #[error("{place} cannot be decrypted: it was written with another machine key, or it is damaged")]
    Unseal {
        /// Table, row and column.
        place: String,
    },
    /// A ciphertext in a format that this program does not know.
    #[error("{place} is encrypted in format {format}, which this program does not know: use the newer program")]
    Format {
        /// Table, row and column.
        place: String,
        /// The format found.
        format: u8,
    },
    /// More than the cipher or the hash can take.
    #[error("{what} is too long: {len} bytes, at most {most}")]
    TooLong {
        /// What.
        what: &'static str,
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// A password hash that is not Argon2id, asks for too much, or is no hash at all.
    #[error("not a usable password hash: {0}")]
    PasswordHash(&'static str),
    /// Too many passwords are being checked. Try again in a second.
    #[error("too many passwords are being checked at once")]
    Busy,
    /// The memory that Argon2 needs is not there.
    #[error("not enough memory to check a password ({0} KiB)")]
    Memory(u32),
}

impl From<getrandom::Error> for Error {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}
