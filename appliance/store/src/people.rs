//! Users, and the claim that makes the first one.

use brookbox_vault::{PasswordHash, TokenHash};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use crate::open::Failure;
use crate::settings::{put_setting, to_json};
use crate::{Error, Role, SignIn, Store, Time, User, sign_ins};

/// How many users the box keeps.
pub const MOST_USERS: u32 = 64;

const WHAT: &str = "user";

/// What makes a box somebody's.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The owner. Stored as [`Role::Owner`], whatever is said here.
    pub owner: User,
    /// Their first sign-in, if the claim comes from a browser.
    pub sign_in: Option<SignIn>,
    /// The box's first settings: its name, its language, when and from where it was claimed.
    pub settings: Vec<(String, Value)>,
}

impl Store {
    /// Whether the box has an owner.
    ///
    /// # Errors
    /// Those of reading.
    pub fn claimed(&self) -> Result<bool, Error> {
        self.read(|db| Ok(claimed(db)?))
    }

    /// Makes the box somebody's: the owner, their sign-in and the settings at once, or nothing. Of many who try at the
    /// same time, in this process or others, one gets it.
    ///
    /// # Errors
    /// [`Error::AlreadyClaimed`]; those of writing.
    pub fn claim(&self, claim: &Claim) -> Result<(), Error> {
        self.write(|db| {
            if claimed(db)? {
                return Err(Error::AlreadyClaimed.into());
            }
            insert(db, &User { role: Role::Owner, ..claim.owner.clone() })?;
            if let Some(sign_in) = &claim.sign_in {
                sign_ins::insert(db, &SignIn { user_id: claim.owner.id.clone(), ..sign_in.clone() })?;
            }
            for (name, value) in &claim.settings {
                put_setting(db, name, &to_json(name, value)?)?;
            }
            Ok(())
        })
    }

    /// All users, the oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn users(&self) -> Result<Vec<User>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("{SELECT} ORDER BY rowid"))?;
            let mut rows = statement.query([])?;
            let mut users = Vec::new();
            while let Some(row) = rows.next()? {
                users.push(user(row, 0)?);
            }
            Ok(users)
        })
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of reading.
    pub fn user(&self, id: &str) -> Result<User, Error> {
        self.read(|db| one(db, id))
    }

    /// The user with this name, whatever its letters' case.
    ///
    /// # Errors
    /// Those of reading.
    pub fn user_by_name(&self, username: &str) -> Result<Option<User>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("{SELECT} WHERE folded = ?1"))?;
            statement.query_row([folded(username)], |row| Ok(user(row, 0))).optional()?.transpose()
        })
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Conflict`] in `id` or `username` if another has it; [`Error::Limit`]; those of writing.
    pub fn add_user(&self, user: &User) -> Result<(), Error> {
        self.write(|db| insert(db, user))
    }

    /// Changes a user and returns them as they are then. A new role or password ends all sign-ins of theirs, the
    /// role of a viewer also the watch links they made. The id stays what it is. `change` must not use the store.
    ///
    /// # Errors
    /// Those of `change`; [`Error::NotFound`]; [`Error::Conflict`] in `username`; [`Error::LastOwner`]; those of writing.
    pub fn update_user<E: From<Error>>(
        &self,
        id: &str,
        change: impl FnOnce(&mut User) -> Result<(), E>,
    ) -> Result<User, E> {
        self.write_or(|db| {
            let before = one(db, id)?;
            let mut after = before.clone();
            if let Err(error) = change(&mut after) {
                return Ok(Err(error));
            }
            after.id = id.to_owned();
            if before.role == Role::Owner && after.role != Role::Owner {
                check_other_owner(db, id)?;
            }
            check_name(db, &after)?;
            db.execute(
                "UPDATE users SET username = ?2, folded = ?3, role = ?4, password_hash = ?5 WHERE id = ?1",
                params![id, after.username, folded(&after.username), after.role, after.password_hash.as_str()],
            )?;
            if before.role != after.role || before.password_hash.as_str() != after.password_hash.as_str() {
                sign_ins::end_others(db, id, None)?;
            }
            // Links are kept under their maker's name. Who only looks may make none, and has none.
            if after.role == Role::Viewer {
                end_watch_links(db, &before.username)?;
            } else {
                let rename = "UPDATE watch_links SET made_by = ?2 WHERE made_by = ?1";
                db.execute(rename, [&before.username, &after.username])?;
            }
            Ok(Ok(after))
        })
    }

    /// Deletes a user with all sign-ins, tokens and watch links of theirs.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::LastOwner`]; those of writing.
    pub fn delete_user(&self, id: &str) -> Result<(), Error> {
        self.write(|db| {
            let user = one(db, id)?;
            if user.role == Role::Owner {
                check_other_owner(db, id)?;
            }
            end_watch_links(db, &user.username)?;
            db.execute("DELETE FROM users WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// Gives a user a new password, which ends all sign-ins of theirs except `keep`, and counts as entering it there.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn change_password(
        &self,
        user_id: &str,
        hash: &PasswordHash,
        keep: Option<&TokenHash>,
        now: Time,
    ) -> Result<(), Error> {
        self.write(|db| {
            set_password(db, user_id, hash)?;
            sign_ins::end_others(db, user_id, keep)?;
            if let Some(keep) = keep {
                sign_ins::password_entered(db, keep, now)?;
            }
            Ok(())
        })
    }

    /// Gives a user a new password when the old one was lost: ends every sign-in, token and watch link of the
    /// whole box.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn reset_password(&self, user_id: &str, hash: &PasswordHash) -> Result<(), Error> {
        self.write(|db| {
            set_password(db, user_id, hash)?;
            db.execute_batch("DELETE FROM sign_ins; DELETE FROM tokens; DELETE FROM watch_links")?;
            Ok(())
        })
    }
}

fn claimed(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM users)")?.query_row([], |row| row.get(0))
}

fn insert(db: &Transaction<'_>, user: &User) -> Result<(), Failure> {
    if exists(db, &user.id)? {
        return Err(Error::Conflict { what: WHAT, field: "id", reason: "this id is taken" }.into());
    }
    check_name(db, user)?;
    if db.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, u32>(0))? >= MOST_USERS {
        return Err(Error::Limit { what: "users", most: MOST_USERS }.into());
    }
    db.execute(
        "INSERT INTO users (id, username, folded, role, password_hash, created_at, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            user.id,
            user.username,
            folded(&user.username),
            user.role,
            user.password_hash.as_str(),
            user.created_at.as_ms(),
            user.last_seen.map(Time::as_ms),
        ],
    )?;
    Ok(())
}

pub(crate) fn exists(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1)")?.query_row([id], |row| row.get(0))
}

fn end_watch_links(db: &Connection, username: &str) -> rusqlite::Result<()> {
    db.execute("DELETE FROM watch_links WHERE made_by = ?1", [username]).map(drop)
}

fn check_name(db: &Connection, user: &User) -> Result<(), Failure> {
    let taken = "SELECT EXISTS (SELECT 1 FROM users WHERE folded = ?1 AND id <> ?2)";
    match db.query_row(taken, [&folded(&user.username), &user.id], |row| row.get(0))? {
        true => Err(Error::Conflict { what: WHAT, field: "username", reason: "this name is taken" }.into()),
        false => Ok(()),
    }
}

fn check_other_owner(db: &Connection, id: &str) -> Result<(), Failure> {
    let other = "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'owner' AND id <> ?1)";
    match db.query_row(other, [id], |row| row.get(0))? {
        true => Ok(()),
        false => Err(Error::LastOwner.into()),
    }
}

fn set_password(db: &Connection, id: &str, hash: &PasswordHash) -> Result<(), Failure> {
    match db.execute("UPDATE users SET password_hash = ?2 WHERE id = ?1", [id, hash.as_str()])? {
        0 => Err(Error::NotFound(WHAT).into()),
        _ => Ok(()),
    }
}

fn folded(username: &str) -> String {
    username.to_lowercase()
}

/// The columns that [`user`] reads, in its order.
pub(crate) const COLUMNS: &str = "users.id, users.username, users.role, users.password_hash, users.created_at, \
                                  users.last_seen";
const SELECT: &str = "SELECT id, username, role, password_hash, created_at, last_seen FROM users";

fn one(db: &Connection, id: &str) -> Result<User, Failure> {
    db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?
        .query_row([id], |row| Ok(user(row, 0)))
        .optional()?
        .ok_or(Error::NotFound(WHAT))?
}

/// Reads a user out of a row whose columns from `at` on are [`COLUMNS`].
pub(crate) fn user(row: &Row<'_>, at: usize) -> Result<User, Failure> {
    Ok(User {
        id: row.get(at)?,
        username: row.get(at + 1)?,
        role: row.get(at + 2)?,
        password_hash: PasswordHash::parse(&row.get::<_, String>(at + 3)?)?,
        created_at: Time::from_ms(row.get(at + 4)?),
        last_seen: row.get::<_, Option<i64>>(at + 5)?.map(Time::from_ms),
    })
}
