//! Long work: what was done, and what a restart has interrupted.

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use crate::open::Failure;
use crate::settings::{from_json, to_json};
use crate::{Error, JobState, Store, Time};

/// How many jobs are kept; the oldest go first.
pub const MOST_JOBS: u32 = 50;
/// The fault of a job that was under way when the program ended.
pub const INTERRUPTED: &str = "interrupted";

const COLUMNS: &str = "id, kind, state, step, started_by, started_at, ended_at, fault, file";

/// A piece of long work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Stable id.
    pub id: String,
    /// What it does; a stable word.
    pub kind: String,
    /// Where it is in its life.
    pub state: JobState,
    /// The step that it has reached, counted from 0.
    pub step: u32,
    /// Whose press began it: a user name, as it was then.
    pub started_by: String,
    /// Since when.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Why it failed: a stable code.
    pub fault: Option<String>,
    /// The file it made.
    pub file: Option<JobFile>,
}

/// A file that a job made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// What it is to be called where it is saved.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Until when it is kept, ms since 1970.
    pub expires_at_ms: i64,
}

impl Store {
    /// All jobs that are kept, the newest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn jobs(&self) -> Result<Vec<Job>, Error> {
        self.read(|db| {
            let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM jobs ORDER BY rowid DESC"))?;
            let mut rows = statement.query([])?;
            let mut jobs = Vec::new();
            while let Some(row) = rows.next()? {
                jobs.push(job(row)?);
            }
            Ok(jobs)
        })
    }

    /// Adds a job, or writes down how far it is. Gives the ids of those that were dropped for want of room.
    ///
    /// # Errors
    /// Those of writing.
    pub fn put_job(&self, job: &Job) -> Result<Vec<String>, Error> {
        let file = job.file.as_ref().map(|file| to_json("file", file)).transpose()?;
        self.write(|db| {
            db.execute(
                &format!(
                    "INSERT INTO jobs ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                     ON CONFLICT (id) DO UPDATE SET state = ?3, step = ?4, ended_at = ?7, fault = ?8, file = ?9"
                ),
                params![
                    job.id,
                    job.kind,
                    job.state,
                    job.step,
                    job.started_by,
                    job.started_at.as_ms(),
                    job.ended_at.map(Time::as_ms),
                    job.fault,
                    file,
                ],
            )?;
            let mut statement = db.prepare(
                "DELETE FROM jobs WHERE state <> 'running' AND rowid NOT IN
                 (SELECT rowid FROM jobs ORDER BY rowid DESC LIMIT ?1) RETURNING id",
            )?;
            let dropped = statement.query_map([MOST_JOBS], |row| row.get(0))?;
            Ok(dropped.collect::<Result<_, _>>()?)
        })
    }

    /// Forgets a job.
    ///
    /// # Errors
    /// [`Error::NotFound`]; those of writing.
    pub fn delete_job(&self, id: &str) -> Result<(), Error> {
        self.write(|db| match db.execute("DELETE FROM jobs WHERE id = ?1", [id])? {
            0 => Err(Error::NotFound("job").into()),
            _ => Ok(()),
        })
    }

    /// Ends what was under way when the program ended: to be called at a start, before any job begins.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end_interrupted_jobs(&self, now: Time) -> Result<(), Error> {
        self.write(|db| {
            db.execute(
                "UPDATE jobs SET state = 'failed', fault = ?1, ended_at = ?2 WHERE state = 'running'",
                params![INTERRUPTED, now.as_ms()],
            )?;
            Ok(())
        })
    }
}

fn job(row: &Row<'_>) -> Result<Job, Failure> {
    let file: Option<String> = row.get(8)?;
    Ok(Job {
        id: row.get(0)?,
        kind: row.get(1)?,
        state: row.get(2)?,
        step: row.get(3)?,
        started_by: row.get(4)?,
        started_at: Time::from_ms(row.get(5)?),
        ended_at: row.get::<_, Option<i64>>(6)?.map(Time::from_ms),
        fault: row.get(7)?,
        file: file.map(|file| from_json("file", &file)).transpose()?,
    })
}
