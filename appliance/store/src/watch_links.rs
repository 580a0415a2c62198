//! Watch links: who has one may look at one input, and do nothing else.

use brookbox_vault::TokenHash;
use rusqlite::{OptionalExtension, Row, params};

use crate::open::Failure;
use crate::{Error, Store, Time, inputs};

/// How many watch links the box keeps.
pub const MOST_WATCH_LINKS: u32 = 64;

const WHAT: &str = "watch link";

/// A link by which people without an account watch one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchLink {
    /// What it is called in lists and `DELETE`; says nothing of the secret.
    pub id: String,
    /// Hash of its secret.
    pub hash: TokenHash,
    /// What people call it; those who watch see it as the title.
    pub name: String,
    /// What it shows.
    pub input: String,
    /// How many may watch at once.
    pub viewers: u32,
    /// Who made it.
    pub made_by: String,
    /// Since when.
    pub created_at: Time,
    /// Until when.
    pub expires_at: Time,
}

impl Store {
    /// The links that are still good, the oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn watch_links(&self, now: Time) -> Result<Vec<WatchLink>, Error> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM watch_links WHERE expires_at > ?1 ORDER BY rowid");
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([now.as_ms()])?;
            let mut links = Vec::new();
            while let Some(row) = rows.next()? {
                links.push(link(row)?);
            }
            Ok(links)
        })
    }

    /// The link with this secret; `None` if there is none or it has expired.
    ///
    /// # Errors
    /// Those of reading.
    pub fn watch_link(&self, hash: &TokenHash, now: Time) -> Result<Option<WatchLink>, Error> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM watch_links WHERE hash = ?1 AND expires_at > ?2");
            let found = db
                .prepare_cached(&sql)?
                .query_row(params![hash.as_bytes(), now.as_ms()], |row| Ok(link(row)))
                .optional()?;
            found.transpose()
        })
    }

    /// Adds a link; those that have expired make room.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such input; [`Error::Limit`]; those of writing.
    pub fn add_watch_link(&self, link: &WatchLink) -> Result<(), Error> {
        self.write(|db| {
            if !inputs::exists(db, &link.input)? {
                return Err(Error::NotFound("input").into());
            }
            db.execute("DELETE FROM watch_links WHERE expires_at <= ?1", [link.created_at.as_ms()])?;
            if db.query_row("SELECT count(*) FROM watch_links", [], |row| row.get::<_, u32>(0))? >= MOST_WATCH_LINKS {
                return Err(Error::Limit { what: "watch links", most: MOST_WATCH_LINKS }.into());
            }
            db.execute(
                "INSERT INTO watch_links (hash, id, name, input, viewers, made_by, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    link.hash.as_bytes(),
                    link.id,
                    link.name,
                    link.input,
                    link.viewers,
                    link.made_by,
                    link.created_at.as_ms(),
                    link.expires_at.as_ms(),
                ],
            )?;
            Ok(())
        })
    }

    /// Deletes a link by its public id and returns it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn delete_watch_link(&self, id: &str) -> Result<WatchLink, Error> {
        self.write(|db| {
            let sql = format!("DELETE FROM watch_links WHERE id = ?1 RETURNING {COLUMNS}");
            let found = db.prepare_cached(&sql)?.query_row([id], |row| Ok(link(row))).optional()?;
            found.ok_or(Error::NotFound(WHAT))?
        })
    }
}

const COLUMNS: &str = "hash, id, name, input, viewers, made_by, created_at, expires_at";

fn link(row: &Row<'_>) -> Result<WatchLink, Failure> {
    Ok(WatchLink {
        hash: TokenHash::from_bytes(row.get(0)?),
        id: row.get(1)?,
        name: row.get(2)?,
        input: row.get(3)?,
        viewers: row.get(4)?,
        made_by: row.get(5)?,
        created_at: Time::from_ms(row.get(6)?),
        expires_at: Time::from_ms(row.get(7)?),
    })
}
