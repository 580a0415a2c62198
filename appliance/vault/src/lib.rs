//! Secrets at rest: AES-256-GCM under the machine key, Argon2id passwords, hashed tokens.
//!
//! | secret | kept as | by |
//! | --- | --- | --- |
//! | stream keys, passwords for destinations | ciphertext bound to its table, row and column | [`Vault`] |
//! | people's passwords | Argon2id, as a PHC string | [`password`] |
//! | sign-in ids, API tokens | SHA-256 (they are 256 random bits, so no salt and no slow hash) | [`TokenHash`] |
//! | exported files | AES-256-GCM under a password by Argon2id | [`export`] |
//! | the machine key | a file of its own, 0600, or a systemd credential | [`MachineKey`] |
//!
//! Encryption here protects *copies*: a database in a backup, in a support file, on a card that was sold without its
//! key file. It does not protect against somebody who holds the disk with its key file, nor against somebody who is
//! the daemon's user.
//!
//! Nothing here is asynchronous: [`password`] blocks for tens of milliseconds and belongs on a thread for that.

mod error;
pub mod export;
mod file;
mod key;
pub mod password;
mod seal;
mod token;

pub use error::Error;
pub use export::{Export, ExportError, MOST_EXPORT};
pub use file::write_private;
pub use key::{KEY_FILE, KEY_LEN, KeyOrigin, KeyPlaces, MachineKey};
pub use password::PasswordHash;
pub use seal::{Context, Vault};
pub use token::{TokenHash, api_token, id, key_hint, same, session_id, setup_code, stream_key, watch_secret};
