//! Destinations.

use brookbox_vault::{Context, Vault};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::open::{Failure, open_secret};
use crate::{Destination, Error, Store};

/// How many destinations the box keeps.
pub const MOST_DESTINATIONS: u32 = 256;

const WHAT: &str = "destination";

impl Store {
    /// All destinations by position. One whose key or password cannot be decrypted comes switched off and without it.
    ///
    /// # Errors
    /// Those of reading.
    pub fn destinations(&self) -> Result<Vec<Destination>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("{SELECT} ORDER BY position, rowid"))?;
            let mut rows = statement.query([])?;
            let mut destinations = Vec::new();
            while let Some(row) = rows.next()? {
                destinations.push(destination(row, self.vault())?);
            }
            Ok(destinations)
        })
    }

    /// One destination.
    ///
    /// # Errors
    /// [`Error::NotFound`]; as [`destinations`](Self::destinations).
    pub fn destination(&self, id: &str) -> Result<Destination, Error> {
        self.read(|db| one(db, self.vault(), id))
    }

    /// Adds a destination.
    ///
    /// # Errors
    /// [`Error::Conflict`] in `id` if another has it, in `output` if there is no such input; [`Error::Limit`]; those of
    /// writing.
    pub fn add_destination(&self, destination: &Destination) -> Result<(), Error> {
        self.write(|db| {
            let taken = "SELECT EXISTS (SELECT 1 FROM destinations WHERE id = ?1)";
            if db.query_row(taken, [&destination.id], |row| row.get(0))? {
                return Err(Error::Conflict { what: WHAT, field: "id", reason: "this id is taken" }.into());
            }
            put(db, self.vault(), destination)
        })
    }

    /// Adds a destination, or replaces the one with its id.
    ///
    /// # Errors
    /// [`Error::Conflict`] in `output` if there is no such input; [`Error::Limit`]; those of writing.
    pub fn put_destination(&self, destination: &Destination) -> Result<(), Error> {
        self.write(|db| put(db, self.vault(), destination))
    }

    /// Changes a destination and returns it as it is then. Nobody changes it in between; an error undoes everything.
    /// The id stays what it is. `change` must not use the store.
    ///
    /// # Errors
    /// Those of `change`; [`Error::NotFound`]; as [`put_destination`](Self::put_destination).
    pub fn update_destination<E: From<Error>>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Destination) -> Result<(), E>,
    ) -> Result<Destination, E> {
        self.write_or(|db| {
            let mut destination = one(db, self.vault(), id)?;
            if let Err(error) = change(&mut destination) {
                return Ok(Err(error));
            }
            destination.id = id.to_owned();
            put(db, self.vault(), &destination)?;
            Ok(Ok(destination))
        })
    }

    /// Deletes a destination.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn delete_destination(&self, id: &str) -> Result<(), Error> {
        self.write(|db| match db.execute("DELETE FROM destinations WHERE id = ?1", [id])? {
            0 => Err(Error::NotFound(WHAT).into()),
            _ => Ok(()),
        })
    }
}

pub(crate) fn put(db: &Transaction<'_>, vault: &Vault, destination: &Destination) -> Result<(), Failure> {
    if !crate::inputs::exists(db, destination.input())? {
        let reason = "there is no such input";
        return Err(Error::Conflict { what: WHAT, field: "output", reason }.into());
    }
    let others = "SELECT count(*) FROM destinations WHERE id <> ?1";
    if db.query_row(others, [&destination.id], |row| row.get::<_, u32>(0))? >= MOST_DESTINATIONS {
        return Err(Error::Limit { what: "destinations", most: MOST_DESTINATIONS }.into());
    }
    let id = &destination.id;
    let password =
        destination.password.as_ref().map(|password| vault.seal(place(id, "password"), password)).transpose()?;
    db.prepare_cached(
        "INSERT INTO destinations (id, name, platform, url, backup_url, key, output, enabled, start_mode, retry_for_s,
                                   username, password, allow_local, position)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (id) DO UPDATE SET name = ?2, platform = ?3, url = ?4, backup_url = ?5, key = ?6, output = ?7,
                enabled = ?8, start_mode = ?9, retry_for_s = ?10, username = ?11, password = ?12, allow_local = ?13,
                position = ?14",
    )?
    .execute(params![
        id,
        destination.name,
        destination.platform,
        destination.url,
        destination.backup_url,
        vault.seal(place(id, "key"), &destination.key)?,
        destination.output,
        destination.enabled,
        destination.start_mode,
        destination.retry_for_s,
        destination.username,
        password,
        destination.allow_local,
        destination.position,
    ])?;
    Ok(())
}

const SELECT: &str = "SELECT id, name, platform, url, backup_url, key, output, enabled, start_mode, retry_for_s, \
                      username, password, allow_local, position FROM destinations";

fn one(db: &Connection, vault: &Vault, id: &str) -> Result<Destination, Failure> {
    find(db, vault, id)?.ok_or_else(|| Error::NotFound(WHAT).into())
}

pub(crate) fn find(db: &Connection, vault: &Vault, id: &str) -> Result<Option<Destination>, Failure> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    statement.query_row([id], |row| Ok(destination(row, vault))).optional()?.transpose()
}

fn destination(row: &Row<'_>, vault: &Vault) -> Result<Destination, Failure> {
    let id: String = row.get(0)?;
    let key = open_secret(vault, place(&id, "key"), &row.get::<_, Vec<u8>>(5)?)?;
    let password = match row.get::<_, Option<Vec<u8>>>(11)? {
        Some(sealed) => Some(open_secret(vault, place(&id, "password"), &sealed)?),
        None => None,
    };
    Ok(Destination {
        name: row.get(1)?,
        platform: row.get(2)?,
        url: row.get(3)?,
        backup_url: row.get(4)?,
        enabled: row.get::<_, bool>(7)? && key.is_some() && password.as_ref().is_none_or(Option::is_some),
        key: key.unwrap_or_default(),
        output: row.get(6)?,
        start_mode: row.get(8)?,
        retry_for_s: row.get(9)?,
        username: row.get(10)?,
        password: password.flatten(),
        allow_local: row.get(12)?,
        position: row.get(13)?,
        id,
    })
}

fn place<'a>(id: &'a str, column: &'a str) -> Context<'a> {
    Context { table: "destinations", row: id, column }
}
