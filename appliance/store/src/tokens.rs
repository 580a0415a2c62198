//! API tokens.

use brookbox_vault::TokenHash;
use rusqlite::{OptionalExtension, Row, params};

use crate::open::Failure;
use crate::settings::{from_json, to_json};
use crate::sign_ins::is_due;
use crate::{Error, Store, Time, Token, User, people};

/// How many API tokens the box keeps.
pub const MOST_TOKENS: u32 = 128;

const WHAT: &str = "token";

impl Store {
    /// All tokens, the oldest first, expired ones too.
    ///
    /// # Errors
    /// Those of reading.
    pub fn tokens(&self) -> Result<Vec<Token>, Error> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens ORDER BY rowid"))?;
            let mut rows = statement.query([])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(token(row)?);
            }
            Ok(tokens)
        })
    }

    /// Adds a token.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such user; [`Error::Conflict`] in `id`; [`Error::Limit`]; those of writing.
    pub fn add_token(&self, token: &Token) -> Result<(), Error> {
        self.write(|db| {
            if !people::exists(db, &token.user_id)? {
                return Err(Error::NotFound("user").into());
            }
            let taken = "SELECT EXISTS (SELECT 1 FROM tokens WHERE id = ?1 OR hash = ?2)";
            if db.query_row(taken, params![token.id, token.hash.as_bytes()], |row| row.get(0))? {
                return Err(Error::Conflict { what: WHAT, field: "id", reason: "this id is taken" }.into());
            }
            if db.query_row("SELECT count(*) FROM tokens", [], |row| row.get::<_, u32>(0))? >= MOST_TOKENS {
                return Err(Error::Limit { what: "tokens", most: MOST_TOKENS }.into());
            }
            db.execute(
                "INSERT INTO tokens (hash, id, name, scopes, user_id, created_at, expires_at, last_used)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    token.hash.as_bytes(),
                    token.id,
                    token.name,
                    to_json("scopes", &token.scopes)?,
                    token.user_id,
                    token.created_at.as_ms(),
                    token.expires_at.as_ms(),
                    token.last_used.map(Time::as_ms),
                ],
            )?;
            Ok(())
        })
    }

    /// The token with this hash and who made it; `None` if there is none or it has expired. Notes the use, at most once
    /// a minute; that the note cannot be written (a full disk) refuses nobody.
    ///
    /// # Errors
    /// Those of reading.
    pub fn token(&self, hash: &TokenHash, now: Time) -> Result<Option<(Token, User)>, Error> {
        let found = self.read(|db| {
            let columns = people::COLUMNS;
            let mut statement = db.prepare_cached(&format!(
                "SELECT {COLUMNS}, {columns} FROM tokens JOIN users ON users.id = user_id WHERE hash = ?1"
            ))?;
            let found = statement.query_row([hash.as_bytes()], |row| {
                Ok(token(row).and_then(|token| Ok((token, people::user(row, COLUMN_COUNT)?))))
            });
            found.optional()?.transpose()
        })?;
        let Some((mut token, user)) = found.filter(|(token, _)| now < token.expires_at) else { return Ok(None) };
        let touch = "UPDATE tokens SET last_used = ?2 WHERE hash = ?1";
        let used = params![hash.as_bytes(), now.as_ms()];
        if is_due(token.last_used, now) && self.touch(WHAT, |db| Ok(db.execute(touch, used).map(drop)?)) {
            token.last_used = Some(now);
        }
        Ok(Some((token, user)))
    }

    /// Deletes a token: it is refused from then on.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn delete_token(&self, id: &str) -> Result<(), Error> {
        self.write(|db| match db.execute("DELETE FROM tokens WHERE id = ?1", [id])? {
            0 => Err(Error::NotFound(WHAT).into()),
            _ => Ok(()),
        })
    }
}

const COLUMNS: &str = "hash, tokens.id, name, scopes, user_id, tokens.created_at, expires_at, last_used";
const COLUMN_COUNT: usize = 8;

fn token(row: &Row<'_>) -> Result<Token, Failure> {
    Ok(Token {
        hash: TokenHash::from_bytes(row.get(0)?),
        id: row.get(1)?,
        name: row.get(2)?,
        scopes: from_json("scopes", &row.get::<_, String>(3)?)?,
        user_id: row.get(4)?,
        created_at: Time::from_ms(row.get(5)?),
        expires_at: Time::from_ms(row.get(6)?),
        last_used: row.get::<_, Option<i64>>(7)?.map(Time::from_ms),
    })
}
