//! The versions of the database, and the way from one to the next.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use crate::Error;
use crate::open::Failure;

/// `MIGRATIONS[n]` leads from version `n` to version `n + 1`.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/1.sql"),
    include_str!("../migrations/2.sql"),
    include_str!("../migrations/3.sql"),
    include_str!("../migrations/4.sql"),
    include_str!("../migrations/5.sql"),
    include_str!("../migrations/6.sql"),
];

/// "BBox" in the file's header: tells a Brookbox database from any other SQLite file.
const APPLICATION_ID: i64 = 0x4242_6f78;

/// The newest version there is.
pub(crate) const fn newest(migrations: &[&str]) -> i64 {
    migrations.len() as i64
}

/// The version of a database; 0 if it is empty. Changes nothing.
///
/// # Errors
/// [`Error::Newer`], or [`Error::Corrupt`] if it is not one of ours.
pub(crate) fn version(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<i64, Failure> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let found = number("PRAGMA user_version")?;
    let foreign = match found {
        0 => number("SELECT count(*) FROM sqlite_schema")? != 0,
        _ => number("PRAGMA application_id")? != APPLICATION_ID,
    };
    if foreign {
        return Err(Error::Corrupt { path: path.into(), what: "it is not a Brookbox database".into() }.into());
    }
    let known = newest(migrations);
    if found > known {
        return Err(Error::Newer { path: path.into(), found, known }.into());
    }
    Ok(found)
}

/// Leads a database from `version` to the newest, within one transaction: all or nothing.
pub(crate) fn migrate(transaction: &Transaction<'_>, version: i64, migrations: &[&str]) -> Result<(), Failure> {
    for migration in migrations.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", newest(migrations))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/data/x.db";

    fn run(connection: &mut Connection, migrations: &[&str]) -> Result<(), Failure> {
        let transaction = connection.transaction()?;
        let from = version(&transaction, Path::new(PATH), migrations)?;
        migrate(&transaction, from, migrations)?;
        Ok(transaction.commit()?)
    }

    #[test]
    fn each_step_runs_once_and_in_order() {
        let mut db = Connection::open_in_memory().unwrap();
        let steps = [
            "CREATE TABLE a (x) STRICT",
            "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)",
            "UPDATE a SET x = x + 1",
        ];
        run(&mut db, &steps[1..2]).unwrap();
        // As if 2 and 3 had been added since.
        let later = [steps[1], steps[2], steps[2]];
        run(&mut db, &later).unwrap();
        run(&mut db, &later).unwrap();
        assert_eq!(db.query_row("SELECT x FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 3);
        assert_eq!(version(&db, Path::new(PATH), &later).unwrap(), 3);
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_version_whole() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db, &["CREATE TABLE a (x)"]).unwrap();
        let broken = ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1)", "INSERT INTO nowhere VALUES (1)"];
        assert!(run(&mut db, &broken).is_err());
        assert_eq!(version(&db, Path::new(PATH), &broken).unwrap(), 1);
        assert_eq!(db.query_row("SELECT count(*) FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    }

    #[test]
    fn newer_and_foreign_databases_are_told_apart() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        let newer = version(&db, Path::new(PATH), &["CREATE TABLE a (x)"]).unwrap_err();
        assert!(matches!(newer, Failure::Store(Error::Newer { found: 2, known: 1, .. })));

        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE other (x); PRAGMA user_version = 1").unwrap();
        assert!(matches!(version(&db, Path::new(PATH), MIGRATIONS), Err(Failure::Store(Error::Corrupt { .. }))));
        db.execute_batch("PRAGMA user_version = 0").unwrap();
        assert!(matches!(version(&db, Path::new(PATH), MIGRATIONS), Err(Failure::Store(Error::Corrupt { .. }))));
    }
}
