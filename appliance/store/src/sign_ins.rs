//! Sign-ins: people's sessions in browsers.

use std::time::Duration;

use brookbox_vault::TokenHash;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::open::Failure;
use crate::{Error, SignIn, Store, Time, User, people};

/// A sign-in ends when it was not used for so long.
pub const SIGN_IN_IDLE: Duration = Duration::from_secs(30 * 86_400);
/// A sign-in ends so long after it was made, used or not.
pub const SIGN_IN_ABSOLUTE: Duration = Duration::from_secs(90 * 86_400);
/// How many sign-ins a user has at most; one more ends the one that was not used for longest.
pub const MOST_SIGN_INS: u32 = 64;

/// How often a use is written down.
pub(crate) const TOUCH: Duration = Duration::from_secs(60);
/// How far the clock may have run ahead when a sign-in was made. One from further in the future would never end.
const CLOCK_AHEAD: Duration = Duration::from_secs(86_400);

const WHAT: &str = "sign-in";

impl Store {
    /// Adds a sign-in. The user's least recently used one ends if there are too many.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such user; those of writing.
    pub fn add_sign_in(&self, sign_in: &SignIn) -> Result<(), Error> {
        self.write(|db| {
            if !people::exists(db, &sign_in.user_id)? {
                return Err(Error::NotFound("user").into());
            }
            insert(db, sign_in)?;
            db.execute(
                "DELETE FROM sign_ins WHERE user_id = ?1 AND hash NOT IN
                     (SELECT hash FROM sign_ins WHERE user_id = ?1 ORDER BY last_used DESC, rowid DESC LIMIT ?2)",
                params![sign_in.user_id, MOST_SIGN_INS],
            )?;
            Ok(())
        })
    }

    /// The sign-in with this secret and whose it is; `None` if there is none or it has expired. Notes the use, at most
    /// once a minute; that the note cannot be written (a full disk) ends nobody's sign-in.
    ///
    /// # Errors
    /// Those of reading.
    pub fn sign_in(&self, hash: &TokenHash, now: Time) -> Result<Option<(SignIn, User)>, Error> {
        let found = self.read(|db| {
            let columns = people::COLUMNS;
            let mut statement = db.prepare_cached(&format!(
                "SELECT {COLUMNS}, {columns} FROM sign_ins JOIN users ON users.id = user_id WHERE hash = ?1"
            ))?;
            let found = statement.query_row([hash.as_bytes()], |row| {
                Ok(sign_in(row).and_then(|sign_in| Ok((sign_in, people::user(row, COLUMN_COUNT)?))))
            });
            found.optional()?.transpose()
        })?;
        let Some((mut sign_in, mut user)) = found.filter(|(sign_in, _)| is_valid(sign_in, now)) else {
            return Ok(None);
        };
        if is_due(Some(sign_in.last_used), now) && self.touch(WHAT, |db| touch(db, hash, &user.id, now)) {
            (sign_in.last_used, user.last_seen) = (now, Some(now));
        }
        Ok(Some((sign_in, user)))
    }

    /// A user's valid sign-ins, the last used first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn sign_ins(&self, user_id: &str, now: Time) -> Result<Vec<SignIn>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM sign_ins WHERE user_id = ?1 ORDER BY last_used DESC, rowid DESC"
            ))?;
            let mut rows = statement.query([user_id])?;
            let mut sign_ins = Vec::new();
            while let Some(row) = rows.next()? {
                sign_ins.push(sign_in(row)?);
            }
            sign_ins.retain(|sign_in| is_valid(sign_in, now));
            Ok(sign_ins)
        })
    }

    /// Notes that the password was entered in this sign-in.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn password_entered(&self, hash: &TokenHash, now: Time) -> Result<(), Error> {
        self.write(|db| password_entered(db, hash, now))
    }

    /// Ends a user's sign-in by its public id.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn delete_sign_in(&self, user_id: &str, id: &str) -> Result<(), Error> {
        self.write(|db| match db.execute("DELETE FROM sign_ins WHERE user_id = ?1 AND id = ?2", [user_id, id])? {
            0 => Err(Error::NotFound(WHAT).into()),
            _ => Ok(()),
        })
    }

    /// Ends the sign-in with this secret, if there is one.
    ///
    /// # Errors
    /// Those of writing.
    pub fn sign_out(&self, hash: &TokenHash) -> Result<(), Error> {
        self.write(|db| {
            db.execute("DELETE FROM sign_ins WHERE hash = ?1", [hash.as_bytes()])?;
            Ok(())
        })
    }

    /// Ends all sign-ins of a user, or all but one.
    ///
    /// # Errors
    /// Those of writing.
    pub fn sign_out_everywhere(&self, user_id: &str, keep: Option<&TokenHash>) -> Result<(), Error> {
        self.write(|db| end_others(db, user_id, keep))
    }

    /// Deletes sign-ins that have expired, and tokens that expired a month ago. Returns how many.
    ///
    /// # Errors
    /// Those of writing.
    pub fn prune(&self, now: Time) -> Result<usize, Error> {
        self.write(|db| {
            let sign_ins = db.execute(
                "DELETE FROM sign_ins WHERE last_used <= ?1 OR created_at <= ?2 OR created_at > ?3",
                [now.before(SIGN_IN_IDLE), now.before(SIGN_IN_ABSOLUTE), now.after(CLOCK_AHEAD)].map(Time::as_ms),
            )?;
            let month_ago = now.before(SIGN_IN_IDLE).as_ms();
            Ok(sign_ins + db.execute("DELETE FROM tokens WHERE expires_at <= ?1", [month_ago])?)
        })
    }
}

/// Whether a use has to be written down.
pub(crate) fn is_due(last: Option<Time>, now: Time) -> bool {
    // Also when the clock was set back: else nothing would be noted until it has caught up.
    last.is_none_or(|last| now >= last.after(TOUCH) || now < last.before(TOUCH))
}

fn is_valid(sign_in: &SignIn, now: Time) -> bool {
    now < sign_in.last_used.after(SIGN_IN_IDLE)
        && now < sign_in.created_at.after(SIGN_IN_ABSOLUTE)
        && sign_in.created_at <= now.after(CLOCK_AHEAD)
}

pub(crate) fn insert(db: &Transaction<'_>, sign_in: &SignIn) -> Result<(), Failure> {
    db.execute(
        "INSERT INTO sign_ins (hash, id, user_id, created_at, last_used, password_entered_at, address, user_agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            sign_in.id_hash.as_bytes(),
            sign_in.id,
            sign_in.user_id,
            sign_in.created_at.as_ms(),
            sign_in.last_used.as_ms(),
            sign_in.password_entered_at.as_ms(),
            sign_in.address,
            sign_in.user_agent,
        ],
    )?;
    Ok(())
}

pub(crate) fn password_entered(db: &Connection, hash: &TokenHash, now: Time) -> Result<(), Failure> {
    let entered = "UPDATE sign_ins SET password_entered_at = ?2 WHERE hash = ?1";
    match db.execute(entered, params![hash.as_bytes(), now.as_ms()])? {
        0 => Err(Error::NotFound(WHAT).into()),
        _ => Ok(()),
    }
}

/// Ends all sign-ins of a user except one.
pub(crate) fn end_others(db: &Connection, user_id: &str, keep: Option<&TokenHash>) -> Result<(), Failure> {
    let keep = keep.map(TokenHash::as_bytes);
    db.execute("DELETE FROM sign_ins WHERE user_id = ?1 AND hash IS NOT ?2", params![user_id, keep])?;
    Ok(())
}

fn touch(db: &Connection, hash: &TokenHash, user_id: &str, now: Time) -> Result<(), Failure> {
    db.execute("UPDATE sign_ins SET last_used = ?2 WHERE hash = ?1", params![hash.as_bytes(), now.as_ms()])?;
    db.execute("UPDATE users SET last_seen = ?2 WHERE id = ?1", params![user_id, now.as_ms()])?;
    Ok(())
}

const COLUMNS: &str = "hash, sign_ins.id, user_id, sign_ins.created_at, last_used, password_entered_at, address, \
                       user_agent";
const COLUMN_COUNT: usize = 8;

fn sign_in(row: &Row<'_>) -> Result<SignIn, Failure> {
    Ok(SignIn {
        id_hash: TokenHash::from_bytes(row.get(0)?),
        id: row.get(1)?,
        user_id: row.get(2)?,
        created_at: Time::from_ms(row.get(3)?),
        last_used: Time::from_ms(row.get(4)?),
        password_entered_at: Time::from_ms(row.get(5)?),
        address: row.get(6)?,
        user_agent: row.get(7)?,
    })
}
