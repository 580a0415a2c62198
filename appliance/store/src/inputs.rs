//! Inputs.

use brookbox_vault::{Context, Vault, same};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::open::{Failure, open_secret};
use crate::settings::{from_json, to_json};
use crate::{Error, Input, InputLimits, Store, Time};

/// How many inputs the box keeps.
pub const MOST_INPUTS: u32 = 32;

const WHAT: &str = "input";

impl Store {
    /// All inputs, the oldest first. One whose key cannot be decrypted comes disabled and with an empty key.
    ///
    /// # Errors
    /// Those of reading.
    pub fn inputs(&self) -> Result<Vec<Input>, Error> {
        self.read(|db| all(db, self.vault()))
    }

    /// One input.
    ///
    /// # Errors
    /// [`Error::NotFound`]; as [`inputs`](Self::inputs).
    pub fn input(&self, id: &str) -> Result<Input, Error> {
        self.read(|db| one(db, self.vault(), id))
    }

    /// Adds an input.
    ///
    /// # Errors
    /// [`Error::Conflict`] in `id` or `key` if another has it; [`Error::Limit`]; those of writing.
    pub fn add_input(&self, input: &Input) -> Result<(), Error> {
        self.write(|db| {
            if exists(db, &input.id)? {
                return Err(Error::Conflict { what: WHAT, field: "id", reason: "this id is taken" }.into());
            }
            put(db, self.vault(), input)
        })
    }

    /// Adds an input, or replaces the one with its id.
    ///
    /// # Errors
    /// [`Error::Conflict`] in `key` if another input has it; [`Error::Limit`]; those of writing.
    pub fn put_input(&self, input: &Input) -> Result<(), Error> {
        self.write(|db| put(db, self.vault(), input))
    }

    /// Changes an input and returns it as it is then. Nobody changes it in between; an error undoes everything. The id
    /// stays what it is. `change` must not use the store.
    ///
    /// # Errors
    /// Those of `change`; [`Error::NotFound`]; as [`put_input`](Self::put_input).
    pub fn update_input<E: From<Error>>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Input) -> Result<(), E>,
    ) -> Result<Input, E> {
        self.write_or(|db| {
            let mut input = one(db, self.vault(), id)?;
            if let Err(error) = change(&mut input) {
                return Ok(Err(error));
            }
            input.id = id.to_owned();
            put(db, self.vault(), &input)?;
            Ok(Ok(input))
        })
    }

    /// Deletes an input.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] in `id` while a destination takes one of its outputs; those of writing.
    pub fn delete_input(&self, id: &str) -> Result<(), Error> {
        self.write(|db| {
            let used = "SELECT EXISTS (SELECT 1 FROM destinations \
                        WHERE output = ?1 OR substr(output, 1, length(?1) + 1) = ?1 || '/')";
            if db.query_row(used, [id], |row| row.get(0))? {
                let reason = "a destination takes an output of it";
                return Err(Error::Conflict { what: WHAT, field: "id", reason }.into());
            }
            match db.execute("DELETE FROM inputs WHERE id = ?1", [id])? {
                0 => Err(Error::NotFound(WHAT).into()),
                _ => Ok(()),
            }
        })
    }
}

pub(crate) fn exists(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM inputs WHERE id = ?1)")?.query_row([id], |row| row.get(0))
}

/// Writes the row, without looking at the others.
pub(crate) fn write(db: &Transaction<'_>, vault: &Vault, input: &Input) -> Result<(), Failure> {
    let key = vault.seal(key_place(&input.id), &input.key)?;
    db.prepare_cached(
        "INSERT INTO inputs (id, name, key, enabled, protocols, bitrate_bps, sessions, allow_public, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET name = ?2, key = ?3, enabled = ?4, protocols = ?5, bitrate_bps = ?6,
                                        sessions = ?7, allow_public = ?8, created_at = ?9",
    )?
    .execute(params![
        input.id,
        input.name,
        key,
        input.enabled,
        to_json("protocols", &input.protocols)?,
        i64::try_from(input.limits.bitrate_bps).unwrap_or(i64::MAX),
        input.limits.sessions,
        input.allow_public,
        input.created_at.as_ms(),
    ])?;
    Ok(())
}

fn put(db: &Transaction<'_>, vault: &Vault, input: &Input) -> Result<(), Failure> {
    let others: Vec<_> = all(db, vault)?.into_iter().filter(|other| other.id != input.id).collect();
    // The key alone selects the input. Ciphertexts differ each time, so the keys themselves are compared.
    if others.iter().any(|other| same(&other.key, &input.key)) {
        let reason = "another input has this key";
        return Err(Error::Conflict { what: WHAT, field: "key", reason }.into());
    }
    if others.len() >= MOST_INPUTS as usize {
        return Err(Error::Limit { what: "inputs", most: MOST_INPUTS }.into());
    }
    write(db, vault, input)
}

const SELECT: &str =
    "SELECT id, name, key, enabled, protocols, bitrate_bps, sessions, allow_public, created_at FROM inputs";

fn all(db: &Connection, vault: &Vault) -> Result<Vec<Input>, Failure> {
    let mut statement = db.prepare_cached(&format!("{SELECT} ORDER BY rowid"))?;
    let mut rows = statement.query([])?;
    let mut inputs = Vec::new();
    while let Some(row) = rows.next()? {
        inputs.push(input(row, vault)?);
    }
    Ok(inputs)
}

fn one(db: &Connection, vault: &Vault, id: &str) -> Result<Input, Failure> {
    db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?
        .query_row([id], |row| Ok(input(row, vault)))
        .optional()?
        .ok_or(Error::NotFound(WHAT))?
}

fn input(row: &Row<'_>, vault: &Vault) -> Result<Input, Failure> {
    let id: String = row.get(0)?;
    let key = open_secret(vault, key_place(&id), &row.get::<_, Vec<u8>>(2)?)?;
    Ok(Input {
        name: row.get(1)?,
        enabled: row.get::<_, bool>(3)? && key.is_some(),
        key: key.unwrap_or_default(),
        protocols: from_json("protocols", &row.get::<_, String>(4)?)?,
        limits: InputLimits {
            bitrate_bps: u64::try_from(row.get::<_, i64>(5)?).unwrap_or_default(),
            sessions: row.get(6)?,
        },
        allow_public: row.get(7)?,
        created_at: Time::from_ms(row.get(8)?),
        id,
    })
}

fn key_place(id: &str) -> Context<'_> {
    Context { table: "inputs", row: id, column: "key" }
}
