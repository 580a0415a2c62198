//! Broadcasts of the past, and the one that is going on.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::open::Failure;
use crate::settings::{from_json, to_json};
use crate::{Error, Store, Time};

/// How many broadcasts are kept; the oldest go first.
pub const MOST_BROADCASTS: i64 = 500;
/// How many one call of [`Store::broadcasts`] returns at most.
pub const MOST_BROADCASTS_AT_ONCE: u32 = 100;
/// … and no more after so many bytes of what became of them at their destinations.
const MOST_BYTES_AT_ONCE: usize = 1 << 20;

/// From the first destination that went live until nothing was to be sent any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// Grows; never used twice.
    pub id: i64,
    /// When the first destination went live.
    pub started_at: Time,
    /// When it was last known to be on air.
    pub seen_at: Time,
    /// When it ended; `None` while it goes on, and after the box went down in the middle of it.
    pub ended_at: Option<Time>,
    /// What became of it at each destination.
    pub legs: Vec<Leg>,
}

/// What became of a broadcast at one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leg {
    /// Its id.
    pub destination: String,
    /// What it was called then.
    pub name: String,
    /// Its platform.
    pub platform: String,
    /// When it first was live, ms since 1970.
    pub from_ms: i64,
    /// When it last was live, ms since 1970.
    pub until_ms: i64,
    /// How long it was live in all, ms.
    pub live_ms: u64,
    /// Frames that were left out for it.
    pub frames_dropped: u64,
    /// What went wrong, the first ones.
    pub troubles: Vec<Trouble>,
    /// How often something went wrong.
    pub trouble_count: u32,
}

/// Something that went wrong at a destination during a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// When, ms since 1970.
    pub at_ms: i64,
    /// `slow`, `retrying` or `failed`.
    pub state: String,
    /// The stable code of the reason.
    pub reason: Option<String>,
}

impl Store {
    /// Begins a broadcast and drops the oldest beyond [`MOST_BROADCASTS`]. Returns its id.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin_broadcast(&self, started_at: Time) -> Result<i64, Error> {
        self.write(|db| {
            let id: i64 = db.query_row(
                "INSERT INTO broadcasts (started_at, seen_at, legs) VALUES (?1, ?1, '[]') RETURNING id",
                [started_at.as_ms()],
                |row| row.get(0),
            )?;
            db.execute("DELETE FROM broadcasts WHERE id <= ?1", [id - MOST_BROADCASTS])?;
            Ok(id)
        })
    }

    /// Keeps what is known of a broadcast now. Its beginning too: the clock may have been set since.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn save_broadcast(&self, broadcast: &Broadcast) -> Result<(), Error> {
        let legs = to_json("legs", &broadcast.legs)?;
        self.write(|db| {
            let changed = db.execute(
                "UPDATE broadcasts SET started_at = ?2, seen_at = ?3, ended_at = ?4, legs = ?5 WHERE id = ?1",
                params![
                    broadcast.id,
                    broadcast.started_at.as_ms(),
                    broadcast.seen_at.as_ms(),
                    broadcast.ended_at.map(Time::as_ms),
                    legs
                ],
            )?;
            if changed == 0 { Err(Error::NotFound("broadcast").into()) } else { Ok(()) }
        })
    }

    /// Broadcasts, the newest first: the newest of all, or those with an id below `before`. At most `limit`, and never
    /// more than [`MOST_BROADCASTS_AT_ONCE`]; fewer where long ones are among them, and at least one if there is one.
    ///
    /// # Errors
    /// Those of reading.
    pub fn broadcasts(&self, before: Option<i64>, limit: u32) -> Result<Vec<Broadcast>, Error> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM broadcasts WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query(params![before.unwrap_or(i64::MAX), limit.min(MOST_BROADCASTS_AT_ONCE)])?;
            let (mut broadcasts, mut bytes) = (Vec::new(), 0);
            while bytes < MOST_BYTES_AT_ONCE
                && let Some(row) = rows.next()?
            {
                bytes += row.get_ref(LEGS)?.as_str().map_err(rusqlite::Error::from)?.len();
                broadcasts.push(broadcast(row)?);
            }
            Ok(broadcasts)
        })
    }

    /// One broadcast.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of reading.
    pub fn one_broadcast(&self, id: i64) -> Result<Broadcast, Error> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM broadcasts WHERE id = ?1");
            let found = db.prepare_cached(&sql)?.query_row([id], |row| Ok(broadcast(row))).optional()?;
            found.ok_or(Error::NotFound("broadcast"))?
        })
    }
}

const COLUMNS: &str = "id, started_at, seen_at, ended_at, legs";
const LEGS: usize = 4;

fn broadcast(row: &Row<'_>) -> Result<Broadcast, Failure> {
    Ok(Broadcast {
        id: row.get(0)?,
        started_at: Time::from_ms(row.get(1)?),
        seen_at: Time::from_ms(row.get(2)?),
        ended_at: row.get::<_, Option<i64>>(3)?.map(Time::from_ms),
        legs: from_json("legs", &row.get::<_, String>(LEGS)?)?,
    })
}
