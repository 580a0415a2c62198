//! Whom the box tells what happens.

use brookbox_vault::{Context, Vault};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use secrecy::SecretString;

use crate::open::{Failure, open_secret};
use crate::settings::{from_json, to_json};
use crate::{Error, Store, TellBy, Time};

/// How many notifications the box keeps.
pub const MOST_NOTIFICATIONS: u32 = 16;

const WHAT: &str = "notification";

/// Whom the box tells, of what and how.
#[derive(Clone, Debug)]
pub struct Notification {
    /// Stable id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it is told.
    pub service: TellBy,
    /// Where it is told. With most services whoever knows it may send there, so it is kept as a secret.
    pub url: SecretString,
    /// What is sent as `Authorization: Bearer`.
    pub token: Option<SecretString>,
    /// Kinds of events that are told.
    pub kinds: Vec<String>,
    /// Language of the texts, for example `en`.
    pub language: String,
    /// The person's switch.
    pub enabled: bool,
    /// Whether it may be inside the own network.
    pub allow_local: bool,
    /// Since when.
    pub created_at: Time,
}

impl Store {
    /// All notifications, the oldest first. One whose address or token cannot be decrypted comes switched off and without
    /// it.
    ///
    /// # Errors
    /// Those of reading.
    pub fn notifications(&self) -> Result<Vec<Notification>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("{SELECT} ORDER BY rowid"))?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(notification(row, self.vault())?);
            }
            Ok(all)
        })
    }

    /// One notification.
    ///
    /// # Errors
    /// [`Error::NotFound`]; as [`notifications`](Self::notifications).
    pub fn notification(&self, id: &str) -> Result<Notification, Error> {
        self.read(|db| one(db, self.vault(), id))
    }

    /// Adds a notification.
    ///
    /// # Errors
    /// [`Error::Limit`]; those of writing.
    pub fn add_notification(&self, notification: &Notification) -> Result<(), Error> {
        self.write(|db| {
            let count = db.query_row("SELECT count(*) FROM notifications", [], |row| row.get::<_, u32>(0))?;
            if count >= MOST_NOTIFICATIONS {
                return Err(Error::Limit { what: "notifications", most: MOST_NOTIFICATIONS }.into());
            }
            put(db, self.vault(), notification)
        })
    }

    /// Changes a notification and returns it as it is then, as [`update_destination`](Self::update_destination) does.
    ///
    /// # Errors
    /// Those of `change`; [`Error::NotFound`]; those of writing.
    pub fn update_notification<E: From<Error>>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Notification) -> Result<(), E>,
    ) -> Result<Notification, E> {
        self.write_or(|db| {
            let mut notification = one(db, self.vault(), id)?;
            if let Err(error) = change(&mut notification) {
                return Ok(Err(error));
            }
            notification.id = id.to_owned();
            put(db, self.vault(), &notification)?;
            Ok(Ok(notification))
        })
    }

    /// Deletes a notification.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn delete_notification(&self, id: &str) -> Result<(), Error> {
        self.write(|db| match db.execute("DELETE FROM notifications WHERE id = ?1", [id])? {
            0 => Err(Error::NotFound(WHAT).into()),
            _ => Ok(()),
        })
    }
}

fn put(db: &Transaction<'_>, vault: &Vault, notification: &Notification) -> Result<(), Failure> {
    let id = &notification.id;
    let token = notification.token.as_ref().map(|token| vault.seal(place(id, "token"), token)).transpose()?;
    db.prepare_cached(
        "INSERT INTO notifications (id, name, service, url, token, kinds, language, enabled, allow_local, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET name = ?2, service = ?3, url = ?4, token = ?5, kinds = ?6, language = ?7,
                enabled = ?8, allow_local = ?9",
    )?
    .execute(params![
        id,
        notification.name,
        notification.service,
        vault.seal(place(id, "url"), &notification.url)?,
        token,
        to_json("kinds", &notification.kinds)?,
        notification.language,
        notification.enabled,
        notification.allow_local,
        notification.created_at.as_ms(),
    ])?;
    Ok(())
}

const SELECT: &str =
    "SELECT id, name, service, url, token, kinds, language, enabled, allow_local, created_at FROM notifications";

fn one(db: &Connection, vault: &Vault, id: &str) -> Result<Notification, Failure> {
    db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?
        .query_row([id], |row| Ok(notification(row, vault)))
        .optional()?
        .ok_or(Error::NotFound(WHAT))?
}

fn notification(row: &Row<'_>, vault: &Vault) -> Result<Notification, Failure> {
    let id: String = row.get(0)?;
    let url = open_secret(vault, place(&id, "url"), &row.get::<_, Vec<u8>>(3)?)?;
    let token = match row.get::<_, Option<Vec<u8>>>(4)? {
        Some(sealed) => Some(open_secret(vault, place(&id, "token"), &sealed)?),
        None => None,
    };
    Ok(Notification {
        name: row.get(1)?,
        service: row.get(2)?,
        enabled: row.get::<_, bool>(7)? && url.is_some() && token.as_ref().is_none_or(Option::is_some),
        url: url.unwrap_or_default(),
        token: token.flatten(),
        kinds: from_json("kinds", &row.get::<_, String>(5)?)?,
        language: row.get(6)?,
        allow_local: row.get(8)?,
        created_at: Time::from_ms(row.get(9)?),
        id,
    })
}

fn place<'a>(id: &'a str, column: &'a str) -> Context<'a> {
    Context { table: "notifications", row: id, column }
}
