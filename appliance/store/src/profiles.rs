//! Profiles: named sets of destinations with their switches, and the way back from the last switch or deletion.

use brookbox_vault::{Context, Vault};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use secrecy::ExposeSecret;

use crate::open::{Failure, open_secret};
use crate::{Destination, Error, Store, Time, destinations, portable};

/// How many profiles the box keeps.
pub const MOST_PROFILES: u32 = 32;

const WHAT: &str = "profile";

/// A named set of destinations, each as it was when the profile was saved.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Stable id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Since when.
    pub created_at: Time,
    /// When its destinations were last saved.
    pub saved_at: Time,
    /// The destinations by position, with their secrets.
    pub destinations: Vec<Destination>,
}

/// What can be undone.
#[derive(Clone, Debug)]
pub struct Undo {
    /// What was done.
    pub what: Undone,
    /// The profile's id.
    pub profile: String,
    /// Its name.
    pub name: String,
    /// When.
    pub done_at: Time,
    /// Each destination that it was about, as it was before; `None`: there was no such destination. Of a deleted profile:
    /// what it held.
    pub rows: Vec<(String, Option<Destination>)>,
}

/// What was done that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The box was switched to a profile.
    Switched,
    /// A profile was deleted.
    Deleted,
}

impl Store {
    /// All profiles, the oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn profiles(&self) -> Result<Vec<Profile>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("{SELECT} ORDER BY rowid"))?;
            let mut rows = statement.query([])?;
            let mut profiles = Vec::new();
            while let Some(row) = rows.next()? {
                profiles.push(profile(db, row, self.vault())?);
            }
            Ok(profiles)
        })
    }

    /// One profile.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of reading.
    pub fn profile(&self, id: &str) -> Result<Profile, Error> {
        self.read(|db| one(db, self.vault(), id))
    }

    /// Adds a profile.
    ///
    /// # Errors
    /// [`Error::Conflict`] in `name` if another has it; [`Error::Limit`]; those of writing.
    pub fn add_profile(&self, profile: &Profile) -> Result<(), Error> {
        self.write(|db| add(db, self.vault(), profile))
    }

    /// Gives a profile another name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] in `name` if another has it; those of writing.
    pub fn rename_profile(&self, id: &str, name: &str) -> Result<(), Error> {
        self.write(|db| {
            check_name(db, id, name)?;
            match db.execute("UPDATE profiles SET name = ?2 WHERE id = ?1", [id, name])? {
                0 => Err(Error::NotFound(WHAT).into()),
                _ => Ok(()),
            }
        })
    }

    /// Saves the destinations as they are now in a profile, in place of what it held.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn save_profile(&self, id: &str, destinations: &[Destination], now: Time) -> Result<(), Error> {
        self.write(|db| {
            let saved = "UPDATE profiles SET saved_at = ?2 WHERE id = ?1";
            if db.execute(saved, params![id, now.as_ms()])? == 0 {
                return Err(Error::NotFound(WHAT).into());
            }
            db.execute("DELETE FROM profile_rows WHERE profile = ?1", [id])?;
            put_rows(db, self.vault(), id, destinations)
        })
    }

    /// Deletes a profile, which can be undone until the next switch or deletion. Returns it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn delete_profile(&self, id: &str, now: Time) -> Result<Profile, Error> {
        self.write(|db| {
            let profile = one(db, self.vault(), id)?;
            db.execute("DELETE FROM profiles WHERE id = ?1", [id])?;
            let rows: Vec<_> = profile.destinations.iter().map(|one| (one.id.as_str(), Some(one))).collect();
            put_undo(db, self.vault(), Undone::Deleted, (id, &profile.name), now, &rows)?;
            Ok(profile)
        })
    }

    /// Puts destinations in place: each `Some` is added or replaced, each `None` deleted; all or nothing. How it was before
    /// is kept for [`undo`](Self::undo), under a profile's id and name. Returns what was there before.
    ///
    /// # Errors
    /// As [`put_destination`](Self::put_destination).
    pub fn switch_destinations(
        &self,
        profile: (&str, &str),
        rows: &[(String, Option<Destination>)],
        now: Time,
    ) -> Result<Vec<(String, Option<Destination>)>, Error> {
        self.write(|db| {
            let mut before = Vec::with_capacity(rows.len());
            for (id, wanted) in rows {
                before.push((id.clone(), destinations::find(db, self.vault(), id)?));
                match wanted {
                    Some(wanted) => destinations::put(db, self.vault(), wanted)?,
                    None => _ = db.execute("DELETE FROM destinations WHERE id = ?1", [id])?,
                }
            }
            let kept: Vec<_> = before.iter().map(|(id, was)| (id.as_str(), was.as_ref())).collect();
            put_undo(db, self.vault(), Undone::Switched, profile, now, &kept)?;
            Ok(before)
        })
    }

    /// What can be undone, if anything can.
    ///
    /// # Errors
    /// Those of reading.
    pub fn undo(&self) -> Result<Option<Undo>, Error> {
        self.read(|db| undo(db, self.vault()))
    }

    /// Brings the profile back that was deleted last.
    ///
    /// # Errors
    /// [`Error::NotFound`] if none was, or not last; as [`add_profile`](Self::add_profile).
    pub fn restore_profile(&self) -> Result<Profile, Error> {
        self.write(|db| {
            let undo = undo(db, self.vault())?.filter(|undo| undo.what == Undone::Deleted);
            let undo = undo.ok_or(Error::NotFound("deleted profile"))?;
            let now = Time::now();
            let profile = Profile {
                id: undo.profile,
                name: undo.name,
                created_at: now,
                saved_at: now,
                destinations: undo.rows.into_iter().filter_map(|(_, was)| was).collect(),
            };
            add(db, self.vault(), &profile)?;
            forget_undo(db)?;
            Ok(profile)
        })
    }
}

fn add(db: &Transaction<'_>, vault: &Vault, profile: &Profile) -> Result<(), Failure> {
    check_name(db, &profile.id, &profile.name)?;
    if db.query_row("SELECT count(*) FROM profiles", [], |row| row.get::<_, u32>(0))? >= MOST_PROFILES {
        return Err(Error::Limit { what: "profiles", most: MOST_PROFILES }.into());
    }
    db.execute(
        "INSERT INTO profiles (id, name, created_at, saved_at) VALUES (?1, ?2, ?3, ?4)",
        params![profile.id, profile.name, profile.created_at.as_ms(), profile.saved_at.as_ms()],
    )?;
    put_rows(db, vault, &profile.id, &profile.destinations)
}

fn check_name(db: &Connection, id: &str, name: &str) -> Result<(), Failure> {
    let taken = "SELECT EXISTS (SELECT 1 FROM profiles WHERE name = ?1 AND id <> ?2)";
    if db.query_row(taken, [name, id], |row| row.get(0))? {
        let reason = "another profile has this name";
        return Err(Error::Conflict { what: WHAT, field: "name", reason }.into());
    }
    Ok(())
}

fn put_rows(db: &Transaction<'_>, vault: &Vault, id: &str, destinations: &[Destination]) -> Result<(), Failure> {
    let mut insert = db.prepare_cached("INSERT INTO profile_rows (profile, place, content) VALUES (?1, ?2, ?3)")?;
    for (at, destination) in (0_i64..).zip(destinations) {
        insert.execute(params![id, at, seal(vault, &row_place(id, at), destination)?])?;
    }
    Ok(())
}

fn put_undo(
    db: &Transaction<'_>,
    vault: &Vault,
    what: Undone,
    (profile, name): (&str, &str),
    now: Time,
    rows: &[(&str, Option<&Destination>)],
) -> Result<(), Failure> {
    forget_undo(db)?;
    let word = match what {
        Undone::Switched => SWITCHED,
        Undone::Deleted => DELETED,
    };
    db.execute(
        "INSERT INTO profile_undo (id, name, what, profile, done_at) VALUES (1, ?1, ?2, ?3, ?4)",
        params![name, word, profile, now.as_ms()],
    )?;
    let mut insert =
        db.prepare_cached("INSERT INTO profile_undo_rows (place, destination, content) VALUES (?1, ?2, ?3)")?;
    for (at, (id, was)) in (0_i64..).zip(rows) {
        let content = was.map(|was| seal(vault, &row_place(UNDO, at), was)).transpose()?;
        insert.execute(params![at, id, content])?;
    }
    Ok(())
}

fn forget_undo(db: &Transaction<'_>) -> Result<(), Failure> {
    db.execute_batch("DELETE FROM profile_undo; DELETE FROM profile_undo_rows")?;
    Ok(())
}

fn undo(db: &Connection, vault: &Vault) -> Result<Option<Undo>, Failure> {
    let found = db
        .prepare_cached("SELECT name, what, profile, done_at FROM profile_undo")?
        .query_row([], |row| {
            let what = if row.get::<_, String>(1)? == DELETED { Undone::Deleted } else { Undone::Switched };
            let done_at = Time::from_ms(row.get(3)?);
            Ok(Undo { name: row.get(0)?, what, profile: row.get(2)?, done_at, rows: Vec::new() })
        })
        .optional()?;
    let Some(mut undo) = found else { return Ok(None) };
    let mut statement =
        db.prepare_cached("SELECT place, destination, content FROM profile_undo_rows ORDER BY place")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let sealed: Option<Vec<u8>> = row.get(2)?;
        let was = match sealed {
            Some(sealed) => match unseal(vault, &row_place(UNDO, row.get(0)?), &sealed)? {
                Some(was) => Some(was),
                // One that cannot be read any more stays as it is now.
                None => continue,
            },
            None => None,
        };
        undo.rows.push((row.get(1)?, was));
    }
    Ok(Some(undo))
}

const SELECT: &str = "SELECT id, name, created_at, saved_at FROM profiles";
const SWITCHED: &str = "switched";
const DELETED: &str = "deleted";
/// In the place of a profile's id, which has no capital letters.
const UNDO: &str = "UNDO";

fn one(db: &Connection, vault: &Vault, id: &str) -> Result<Profile, Failure> {
    db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?
        .query_row([id], |row| Ok(profile(db, row, vault)))
        .optional()?
        .ok_or(Error::NotFound(WHAT))?
}

fn profile(db: &Connection, row: &Row<'_>, vault: &Vault) -> Result<Profile, Failure> {
    let id: String = row.get(0)?;
    let mut statement =
        db.prepare_cached("SELECT place, content FROM profile_rows WHERE profile = ?1 ORDER BY place")?;
    let mut rows = statement.query([&id])?;
    let mut destinations = Vec::new();
    while let Some(row) = rows.next()? {
        destinations.extend(unseal(vault, &row_place(&id, row.get(0)?), &row.get::<_, Vec<u8>>(1)?)?);
    }
    Ok(Profile {
        name: row.get(1)?,
        created_at: Time::from_ms(row.get(2)?),
        saved_at: Time::from_ms(row.get(3)?),
        destinations,
        id,
    })
}

fn row_place(profile: &str, at: i64) -> String {
    format!("{profile}/{at}")
}

fn place(row: &str) -> Context<'_> {
    Context { table: "profile_rows", row, column: "content" }
}

fn seal(vault: &Vault, row: &str, destination: &Destination) -> Result<Vec<u8>, Failure> {
    Ok(vault.seal(place(row), &portable::write(destination)?)?)
}

/// `None`: it was sealed under another machine key.
fn unseal(vault: &Vault, row: &str, sealed: &[u8]) -> Result<Option<Destination>, Failure> {
    let Some(text) = open_secret(vault, place(row), sealed)? else { return Ok(None) };
    match portable::read(text.expose_secret()) {
        Ok(destination) => Ok(Some(destination)),
        Err(error) => {
            tracing::error!(%error, row, "a row of a profile is unusable and left out");
            Ok(None)
        }
    }
}
