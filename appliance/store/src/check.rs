//! What `brookboxd check` says of the data.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use brookbox_vault::{KEY_FILE, KeyPlaces, MachineKey, Vault};
use rusqlite::{Connection, OpenFlags};

use crate::migrations::{MIGRATIONS, newest, version};
use crate::open::{DATABASE_FILE, Failure, check_probe, files, tune};
use crate::{Error, Severity};

/// Something about the data that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters. [`Severity::Error`]: the daemon does not start, or something stored cannot be used.
    pub severity: Severity,
    /// The file or directory.
    pub file: PathBuf,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// What to do.
    pub hint: String,
}

/// Looks at the data directory: permissions, the machine key, the database's integrity, every secret. Changes nothing,
/// and may run beside the daemon. No findings: all is well.
#[must_use]
pub fn check(data_dir: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let database = data_dir.join(DATABASE_FILE);
    if !data_dir.is_dir() || !database.exists() {
        findings.push(Finding {
            severity: Severity::Info,
            file: database,
            sentence: "there is no database yet".into(),
            hint: "start brookboxd once, or name the right directory with --data-dir".into(),
        });
        return findings;
    }
    check_access(data_dir, &database, &mut findings);
    let vault = match MachineKey::load(&KeyPlaces::of(data_dir)) {
        Ok(key) => Some(Vault::new(key)),
        Err(error) => {
            findings.push(finding(&data_dir.join(KEY_FILE), &Error::from(error)));
            None
        }
    };
    if let Err(failure) = check_database(&database, vault.as_ref(), &mut findings) {
        findings.push(finding(&database, &failure.at(&database)));
    }
    findings
}

fn check_access(data_dir: &Path, database: &Path, findings: &mut Vec<Finding>) {
    let Ok(dir) = fs::metadata(data_dir) else { return };
    let mut open_to_others = |file: &Path, mode: u32, right: &str| {
        findings.push(Finding {
            severity: Severity::Warning,
            file: file.to_owned(),
            sentence: format!("it is open to other users of this machine (mode {:04o})", mode & 0o7777),
            hint: format!("run `chmod {right} {}`", file.display()),
        });
    };
    if dir.mode() & 0o022 != 0 {
        open_to_others(data_dir, dir.mode(), "700");
    }
    for file in files(database) {
        match fs::metadata(&file) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => open_to_others(&file, found.mode(), "600"),
            _ => {}
        }
    }
    for file in files(database) {
        match fs::metadata(&file) {
            Ok(found) if found.uid() != dir.uid() => findings.push(Finding {
                severity: Severity::Error,
                sentence: format!("it belongs to user {}, and its directory to user {}", found.uid(), dir.uid()),
                hint: format!("run `chown {}:{} {}` as root", dir.uid(), dir.gid(), file.display()),
                file,
            }),
            _ => {}
        }
    }
}

fn check_database(path: &Path, vault: Option<&Vault>, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    // Read-only: nothing is migrated, and closing moves nothing from the log into the database.
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    tune(&db)?;
    let found = version(&db, path, MIGRATIONS)?;
    if found == 0 {
        return Err(Error::Absent { path: path.into() }.into());
    }
    if found < newest(MIGRATIONS) {
        findings.push(Finding {
            severity: Severity::Info,
            file: path.into(),
            sentence: format!("it is of version {found}; this program will bring it to version {}", newest(MIGRATIONS)),
            hint: "start brookboxd; keep a copy if you may want to go back to the older program".into(),
        });
        return Ok(());
    }
    let mut integrity = db.prepare("PRAGMA integrity_check(5)")?;
    let damages = integrity.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    if damages != ["ok"] {
        return Err(Error::Corrupt { path: path.into(), what: damages.join("; ") }.into());
    }
    let orphans: i64 = db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
    if orphans > 0 {
        return Err(Error::Corrupt { path: path.into(), what: format!("{orphans} rows refer to nothing") }.into());
    }
    if let Some(vault) = vault {
        check_probe(&db, path, vault)?;
        check_secrets(&db, path, vault, findings)?;
    }
    Ok(())
}

fn check_secrets(db: &Connection, path: &Path, vault: &Vault, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    const SECRETS: [(&str, &str, &str); 5] = [
        ("inputs", "key", "input"),
        ("destinations", "key", "destination"),
        ("destinations", "password", "destination"),
        ("notifications", "url", "notification"),
        ("notifications", "token", "notification"),
    ];
    for (table, column, what) in SECRETS {
        let sql = format!("SELECT id, name, {column} FROM {table} WHERE {column} IS NOT NULL");
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, name, sealed): (String, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let place = brookbox_vault::Context { table, row: &id, column };
            if let Err(error) = vault.open(place, &sealed) {
                findings.push(Finding {
                    severity: Severity::Error,
                    file: path.into(),
                    sentence: format!("the {column} of {what} {name:?} cannot be used: {error}"),
                    hint: format!("enter it anew, or delete the {what} and add it again"),
                });
            }
        }
    }
    Ok(())
}

/// An error as a finding. The sentences of most say behind their last colon what to do.
fn finding(file: &Path, error: &Error) -> Finding {
    let text = error.to_string();
    let (sentence, hint) = match text.rsplit_once(": ") {
        Some((sentence, hint)) if !matches!(error, Error::Io { .. }) => (sentence.to_owned(), hint.to_owned()),
        _ => (text, "see that the file can be read by the user who runs brookboxd".to_owned()),
    };
    Finding { severity: Severity::Error, file: file.to_owned(), sentence, hint }
}
