//! Events: the newest of what happened.

use rusqlite::{Row, params};

use crate::open::Failure;
use crate::settings::{from_json, to_json};
use crate::{Error, Event, NewEvent, Severity, Store, Time};

/// How many events are kept; the oldest go first.
pub const MOST_EVENTS: i64 = 20_000;
/// How many events one call of [`Store::events`] returns at most.
pub const MOST_EVENTS_AT_ONCE: u32 = 1000;

/// Longest sentence in bytes; a longer one is cut. Some of its words come from publishers and servers.
const MOST_SENTENCE: usize = 1000;
/// Longest parameters in bytes of JSON; longer ones are left out.
const MOST_PARAMS: usize = 4000;

/// Which events are wanted; what is `None` lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those with a smaller id.
    pub before: Option<i64>,
    /// Only those with this code.
    pub code: Option<String>,
    /// Only those of this input.
    pub input: Option<String>,
    /// Only those of this destination.
    pub destination: Option<String>,
    /// Only those that matter at least so much.
    pub at_least: Option<Severity>,
    /// Only those of this time or later.
    pub from: Option<Time>,
    /// Only those of this time or earlier.
    pub until: Option<Time>,
}

impl Store {
    /// Adds events in their order, in one transaction, and drops the oldest beyond [`MOST_EVENTS`]. Returns their ids.
    ///
    /// # Errors
    /// Those of writing.
    pub fn append_events(&self, events: &[NewEvent]) -> Result<Vec<i64>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let ids = self.write(|db| {
            let mut statement = db.prepare_cached(
                "INSERT INTO events (time, code, severity, input, destination, params, sentence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?;
            let mut ids = Vec::with_capacity(events.len());
            for event in events {
                let params = to_json("params", &event.params)?;
                let id: i64 = statement.query_row(
                    params![
                        event.time.as_ms(),
                        event.code,
                        event.severity,
                        event.input,
                        event.destination,
                        if params.len() <= MOST_PARAMS { &params } else { "{}" },
                        cut(&event.sentence, MOST_SENTENCE),
                    ],
                    |row| row.get(0),
                )?;
                ids.push(id);
            }
            let newest = ids.last().copied().unwrap_or_default();
            db.prepare_cached("DELETE FROM events WHERE id <= ?1")?.execute([newest - MOST_EVENTS])?;
            Ok(ids)
        })?;
        self.tell(&ids, events);
        Ok(ids)
    }

    /// Events, the newest first: the newest of all, or those with an id below `before`. At most `limit`, and never more
    /// than [`MOST_EVENTS_AT_ONCE`].
    ///
    /// # Errors
    /// Those of reading.
    pub fn events(&self, before: Option<i64>, limit: u32) -> Result<Vec<Event>, Error> {
        self.events_where(&EventFilter { before, ..EventFilter::default() }, limit)
    }

    /// The same, of those that a filter lets pass.
    ///
    /// # Errors
    /// Those of reading.
    pub fn events_where(&self, filter: &EventFilter, limit: u32) -> Result<Vec<Event>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, time, code, severity, input, destination, params, sentence FROM events
                 WHERE id < ?1
                   AND (?3 IS NULL OR code = ?3)
                   AND (?4 IS NULL OR input = ?4)
                   AND (?5 IS NULL OR destination = ?5)
                   AND (?6 IS NULL OR severity IN ('error', ?6) OR ?6 = 'info')
                   AND time BETWEEN ?7 AND ?8
                 ORDER BY id DESC LIMIT ?2",
            )?;
            let mut rows = statement.query(params![
                filter.before.unwrap_or(i64::MAX),
                limit.min(MOST_EVENTS_AT_ONCE),
                filter.code,
                filter.input,
                filter.destination,
                filter.at_least,
                filter.from.map_or(i64::MIN, Time::as_ms),
                filter.until.map_or(i64::MAX, Time::as_ms),
            ])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                events.push(event(row)?);
            }
            Ok(events)
        })
    }
}

fn event(row: &Row<'_>) -> Result<Event, Failure> {
    Ok(Event {
        id: row.get(0)?,
        time: Time::from_ms(row.get(1)?),
        code: row.get(2)?,
        severity: row.get(3)?,
        input: row.get(4)?,
        destination: row.get(5)?,
        params: from_json("params", &row.get::<_, String>(6)?)?,
        sentence: row.get(7)?,
    })
}

fn cut(text: &str, most: usize) -> &str {
    let fits = text.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|&end| end <= most).last();
    text.get(..fits.unwrap_or_default()).unwrap_or_default()
}
