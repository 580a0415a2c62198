//! Settings, and what the broadcast left behind: small JSON values.

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::open::Failure;
use crate::{Error, Store};

impl Store {
    /// A setting; `None` if it was never set.
    ///
    /// # Errors
    /// [`Error::Value`] if it is of another shape; those of reading.
    pub fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT value FROM settings WHERE name = ?1")?;
            let value: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
            Ok(value.map(|value| from_json(name, &value)).transpose()?)
        })
    }

    /// Sets a setting.
    ///
    /// # Errors
    /// [`Error::Value`] if it is no JSON; those of writing.
    pub fn put_setting<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        self.write(|db| put_setting(db, name, &to_json(name, value)?))
    }

    /// Forgets a setting. There need not be one.
    ///
    /// # Errors
    /// Those of writing.
    pub fn delete_setting(&self, name: &str) -> Result<(), Error> {
        self.write(|db| {
            db.execute("DELETE FROM settings WHERE name = ?1", [name])?;
            Ok(())
        })
    }

    /// What the broadcast left behind; `None` on a box that never had one.
    ///
    /// # Errors
    /// As [`setting`](Self::setting).
    pub fn broadcast<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT value FROM broadcast WHERE id = 1")?;
            let value: Option<String> = statement.query_row([], |row| row.get(0)).optional()?;
            Ok(value.map(|value| from_json("broadcast", &value)).transpose()?)
        })
    }

    /// Keeps what the broadcast leaves behind.
    ///
    /// # Errors
    /// As [`put_setting`](Self::put_setting).
    pub fn put_broadcast<T: Serialize>(&self, state: &T) -> Result<(), Error> {
        let value = to_json("broadcast", state)?;
        self.write(|db| {
            db.execute(
                "INSERT INTO broadcast (id, value) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET value = ?1",
                [value],
            )?;
            Ok(())
        })
    }
}

pub(crate) fn put_setting(db: &Connection, name: &str, json: &str) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
    )?
    .execute([name, json])?;
    Ok(())
}

pub(crate) fn to_json<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::Value { name: name.to_owned(), source })
}

pub(crate) fn from_json<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Value { name: name.to_owned(), source })
}
