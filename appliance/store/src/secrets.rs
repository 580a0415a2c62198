//! Small secrets under a name, sealed by the machine key.

use brookbox_vault::Context;
use rusqlite::{OptionalExtension, params};
use secrecy::SecretString;

use crate::{Error, Store};

/// How many of them the box keeps.
pub const MOST_SECRETS: u32 = 256;

impl Store {
    /// A secret; `None` if there is none of this name, or it was sealed under another machine key.
    ///
    /// # Errors
    /// Those of reading.
    pub fn secret(&self, name: &str) -> Result<Option<SecretString>, Error> {
        self.read(|db| {
            let sealed: Option<Vec<u8>> = db
                .prepare_cached("SELECT value FROM secrets WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()?;
            Ok(sealed.and_then(|sealed| self.vault().open(place(name), &sealed).ok()))
        })
    }

    /// Keeps a secret under a name.
    ///
    /// # Errors
    /// [`Error::Limit`]; those of writing.
    pub fn put_secret(&self, name: &str, value: &SecretString) -> Result<(), Error> {
        let sealed = self.vault().seal(place(name), value)?;
        self.write(|db| {
            let others: u32 =
                db.query_row("SELECT count(*) FROM secrets WHERE name <> ?1", [name], |row| row.get(0))?;
            if others >= MOST_SECRETS {
                return Err(Error::Limit { what: "secrets", most: MOST_SECRETS }.into());
            }
            let put = "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
            db.execute(put, params![name, sealed])?;
            Ok(())
        })
    }

    /// Everything that is kept under a name, for whoever has to make sure that none of it gets out.
    ///
    /// # Errors
    /// Those of reading.
    pub fn secret_values(&self) -> Result<Vec<SecretString>, Error> {
        self.read(|db| {
            let mut statement = db.prepare("SELECT name, value FROM secrets")?;
            let mut rows = statement.query([])?;
            let mut values = Vec::new();
            while let Some(row) = rows.next()? {
                let (name, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
                values.extend(self.vault().open(place(&name), &sealed).ok());
            }
            Ok(values)
        })
    }

    /// Forgets a secret and those whose names go on behind its name and a slash. There need not be any.
    ///
    /// # Errors
    /// Those of writing.
    pub fn delete_secrets(&self, name: &str) -> Result<(), Error> {
        self.write(|db| {
            let sql = "DELETE FROM secrets WHERE name = ?1 OR substr(name, 1, length(?1) + 1) = ?1 || '/'";
            db.execute(sql, [name])?;
            Ok(())
        })
    }

    /// Forgets a secret. There need not be one.
    ///
    /// # Errors
    /// Those of writing.
    pub fn delete_secret(&self, name: &str) -> Result<(), Error> {
        self.write(|db| {
            db.execute("DELETE FROM secrets WHERE name = ?1", [name])?;
            Ok(())
        })
    }
}

fn place(name: &str) -> Context<'_> {
    Context { table: "secrets", row: name, column: "value" }
}
