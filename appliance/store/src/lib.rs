//! What survives a restart: inputs, destinations, people, sign-ins, tokens, settings, events, jobs, the broadcast's state.
//!
//! One SQLite file in the data directory, spoken to through a [`Store`], which is cheap to clone and may be used from
//! any thread. Every call blocks (reads for well under a millisecond, writes for as long as the disk takes to sync), so
//! asynchronous callers go through `spawn_blocking`.
//!
//! # The data directory
//!
//! | file | what | mode |
//! | --- | --- | --- |
//! | `.` | the directory, made if it is missing | 0700 |
//! | `machine-key` | 32 random bytes; absent where systemd passes the credential `brookbox-machine-key` | 0600 |
//! | `brookbox.db` | the database | 0600 |
//! | `brookbox.db-wal`, `brookbox.db-shm` | what SQLite has yet to move into it; part of the database while they exist | 0600 |
//! | `jobs/` | files that jobs made, for an hour; written by the API | 0700 |
//!
//! # What is encrypted
//!
//! Input keys, destination keys and destination passwords are ciphertexts under the machine key, each bound to its row
//! ([`brookbox_vault::Vault`]); people's passwords are Argon2id hashes; sign-ins, API tokens and watch links are SHA-256 hashes.
//! Names, addresses, user names and events are readable. A copy of the database without the key file therefore reveals
//! who is streamed to, and no way to stream there or to sign in. Whoever holds the disk with the key file holds the keys.
//!
//! # What is promised
//!
//! A write that returned `Ok` is on the disk: after a crash, a kill or a power cut it is there, and one that did not
//! return is there whole or not at all. For this the database runs in WAL mode with `synchronous=FULL`, which syncs at
//! every commit; `NORMAL` would survive a power cut uncorrupted too, but forget the last commits: a destination that was
//! switched off would be on again. The price is one sync for each write, which is small since writes are rare: people's
//! changes, a batch of events, the last use of a sign-in once a minute.
//!
//! Nothing is ever deleted to get a damaged database going; the error names the file and says what to do.
//!
//! # Units
//!
//! Times are [`Time`], ms since 1970 UTC (RFC 3339 in JSON); rates bit/s; `retry_for_s` seconds.

mod broadcasts;
mod check;
mod destinations;
mod error;
mod events;
mod inputs;
mod jobs;
mod migrations;
mod model;
mod notifications;
mod open;
mod people;
pub mod portable;
mod profiles;
mod secrets;
mod settings;
mod sign_ins;
mod time;
mod tokens;
mod watch_links;

pub use broadcasts::{Broadcast, Leg, MOST_BROADCASTS, MOST_BROADCASTS_AT_ONCE, Trouble};
pub use check::{Finding, check};
pub use destinations::MOST_DESTINATIONS;
pub use error::Error;
pub use events::{EventFilter, MOST_EVENTS, MOST_EVENTS_AT_ONCE};
pub use inputs::MOST_INPUTS;
pub use jobs::{INTERRUPTED, Job, JobFile, MOST_JOBS};
pub use model::*;
pub use notifications::{MOST_NOTIFICATIONS, Notification};
pub use open::{DATABASE_FILE, Store};
pub use people::{Claim, MOST_USERS};
pub use profiles::{MOST_PROFILES, Profile, Undo, Undone};
pub use secrets::MOST_SECRETS;
pub use sign_ins::{MOST_SIGN_INS, SIGN_IN_ABSOLUTE, SIGN_IN_IDLE};
pub use time::Time;
pub use tokens::MOST_TOKENS;
pub use watch_links::{MOST_WATCH_LINKS, WatchLink};
