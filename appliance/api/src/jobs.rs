//! Long work: begun by one press, seen on every device, and still there after a reload or a restart.
//!
//! A job goes through the named steps of its kind. Each step is written to the store, so that after a restart it is known
//! what was interrupted; how far a step is lives in memory. What a job makes is a file in the data directory, which is kept
//! for a while.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brookbox_store::{INTERRUPTED, Job, JobFile, JobState, Role, Store, Time};
use brookbox_vault::write_private;

use crate::app::App;
use crate::problem::{Code, Problem};

/// Where files of jobs lie, in the data directory.
const FOLDER: &str = "jobs";
/// How long a file is kept.
const FILE_KEPT: Duration = Duration::from_secs(3600);
/// How long a job that has ended is a part of the live state.
const SHOWN: Duration = Duration::from_secs(3600);
/// Only then it is told how long a step will take.
const GUESSES_AFTER: Duration = Duration::from_secs(5);

/// Why a job failed that met something it was not made for.
const INTERNAL: Fault = Fault { code: "internal", sentence: "Something went wrong inside the box; the log says what." };
const DISK: Fault = Fault { code: "storage", sentence: "The box could not write to its disk. Make room there." };
const WAS_INTERRUPTED: Fault =
    Fault { code: INTERRUPTED, sentence: "The box was restarted meanwhile. Start it again." };

/// What a job does.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Stable.
    pub(crate) name: &'static str,
    /// Codes of its steps, with what they are called in English.
    pub(crate) steps: &'static [(&'static str, &'static str)],
    /// Whether it may be ended on the way.
    pub(crate) can_cancel: bool,
    /// Who may begin and end it, and have its file.
    pub(crate) role: Role,
    /// Its own faults.
    pub(crate) faults: &'static [Fault],
    /// What it makes; `None`: no file.
    pub(crate) file: Option<FileKind>,
}

/// The file that jobs of a kind make.
#[derive(Debug)]
pub(crate) struct FileKind {
    /// Where it is fetched: this, a slash and the job's id.
    pub(crate) path: &'static str,
    pub(crate) media_type: &'static str,
}

/// Every kind there is.
pub(crate) static KINDS: [&Kind; 2] = [&crate::support::KIND, &crate::install::KIND];

impl Kind {
    pub(crate) fn of(job: &Job) -> Option<&'static Self> {
        KINDS.into_iter().find(|kind| kind.name == job.kind)
    }

    /// The fault with this code, in words.
    pub(crate) fn fault(&self, code: &str) -> Fault {
        let known = self.faults.iter().chain([&INTERNAL, &DISK, &WAS_INTERRUPTED]);
        known.copied().find(|fault| fault.code == code).unwrap_or(INTERNAL)
    }
}

/// Why a job failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Stable.
    pub(crate) code: &'static str,
    /// One plain sentence.
    pub(crate) sentence: &'static str,
}

/// How a job ends that does not reach its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Somebody ended it.
    Cancelled,
    Failed(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        tracing::error!(problem = problem.code().as_str(), "a job did not end well");
        Self::Failed(if problem.code() == Code::StorageFull { DISK } else { INTERNAL })
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "a job could not write its file");
        Self::Failed(DISK)
    }
}

/// All jobs that are kept.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    folder: PathBuf,
    /// The newest first.
    list: Mutex<Vec<Kept>>,
}

/// A job, with what only a running program knows.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) job: Job,
    /// How far the step is, per cent.
    pub(crate) percent: Option<u8>,
    step_began: Instant,
    cancelled: Arc<AtomicBool>,
}

impl Kept {
    fn new(job: Job) -> Self {
        Self { job, percent: None, step_began: Instant::now(), cancelled: Arc::default() }
    }

    /// How long the step will take, from how long it has taken.
    pub(crate) fn left(&self) -> Option<Duration> {
        let percent = self.percent.filter(|percent| (1..=100).contains(percent))?;
        let passed = self.step_began.elapsed();
        (passed >= GUESSES_AFTER && self.job.state == JobState::Running)
            .then(|| passed * u32::from(100 - percent) / u32::from(percent))
    }
}

impl Jobs {
    /// Reads what there is, and ends what was interrupted.
    pub(crate) fn new(store: &Store) -> Result<Self, brookbox_store::Error> {
        store.end_interrupted_jobs(Time::now())?;
        let folder = store.path().with_file_name(FOLDER);
        let jobs = Self { folder, list: Mutex::new(store.jobs()?.into_iter().map(Kept::new).collect()) };
        jobs.tidy();
        Ok(jobs)
    }

    /// All of them, the newest first.
    pub(crate) fn all(&self) -> Vec<Kept> {
        self.lock().clone()
    }

    /// One of them.
    pub(crate) fn get(&self, id: &str) -> Option<Kept> {
        self.lock().iter().find(|kept| kept.job.id == id).cloned()
    }

    /// Those under way, and those that ended lately: a part of the live state.
    pub(crate) fn shown(&self) -> BTreeMap<String, Kept> {
        let since = Time::now().before(SHOWN);
        let list = self.lock();
        let shown = list.iter().filter(|kept| kept.job.ended_at.is_none_or(|ended| ended > since));
        shown.map(|kept| (kept.job.id.clone(), kept.clone())).collect()
    }

    /// Where the file of a job lies.
    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Deletes files that nobody may have any more: those that are too old, and those of no job.
    pub(crate) fn tidy(&self) {
        let now = Time::now();
        let keeps = |name: &str| {
            let list = self.lock();
            let job = list.iter().find(|kept| name.split('.').next() == Some(&kept.job.id)).map(|kept| &kept.job);
            job.is_some_and(|job| match &job.file {
                Some(file) => now.as_ms() < file.expires_at_ms,
                None => job.state == JobState::Running,
            })
        };
        for entry in fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok) {
            if !entry.file_name().to_str().is_some_and(keeps) {
                remove(&entry.path());
            }
        }
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Kept)) -> Option<Job> {
        let mut list = self.lock();
        let kept = list.iter_mut().find(|kept| kept.job.id == id)?;
        change(kept);
        Some(kept.job.clone())
    }

    fn forget(&self, ids: &[String]) {
        self.lock().retain(|kept| !ids.contains(&kept.job.id));
        for id in ids {
            remove(&self.path(id));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a job of a kind; the one that is under way, if there is one of this kind already.
pub(crate) async fn start<F>(
    app: &App,
    kind: &'static Kind,
    by: &str,
    work: impl FnOnce(Progress) -> F + Send + 'static,
) -> Result<Kept, Problem>
where
    F: Future<Output = Result<Option<JobFile>, Stop>> + Send + 'static,
{
    let job = Job {
        id: brookbox_vault::id()?,
        kind: kind.name.to_owned(),
        state: JobState::Running,
        step: 0,
        started_by: by.to_owned(),
        started_at: Time::now(),
        ended_at: None,
        fault: None,
        file: None,
    };
    let kept = Kept::new(job.clone());
    {
        let mut list = app.jobs.lock();
        let running = |kept: &&Kept| kept.job.kind == kind.name && kept.job.state == JobState::Running;
        if let Some(running) = list.iter().find(running) {
            return Ok(running.clone());
        }
        list.insert(0, kept.clone());
    }
    if let Err(problem) = write_down(app, job.clone()).await {
        app.jobs.forget(&[job.id]);
        return Err(problem);
    }
    let progress = Progress { app: app.clone(), id: job.id, cancelled: kept.cancelled.clone() };
    tokio::spawn(async move {
        let (app, id) = (progress.app.clone(), progress.id.clone());
        // Of its own, so that a panic ends the job and nothing else.
        let result = match tokio::spawn(work(progress)).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "a job did not end well");
                Err(INTERNAL.into())
            }
        };
        end(&app, &id, result).await;
    });
    Ok(kept)
}

async fn end(app: &App, id: &str, result: Result<Option<JobFile>, Stop>) {
    let job = app.jobs.change(id, |kept| {
        kept.percent = None;
        kept.job.ended_at = Some(Time::now());
        match result {
            Ok(file) => (kept.job.state, kept.job.file) = (JobState::Done, file),
            Err(Stop::Cancelled) => kept.job.state = JobState::Cancelled,
            Err(Stop::Failed(fault)) => {
                (kept.job.state, kept.job.fault) = (JobState::Failed, Some(fault.code.to_owned()));
            }
        }
    });
    let Some(job) = job else { return };
    if job.file.is_none() {
        remove(&app.jobs.path(id));
    }
    tracing::info!(kind = job.kind, state = job.state.as_str(), fault = job.fault, "a job has ended");
    if let Err(problem) = write_down(app, job).await {
        tracing::warn!(problem = problem.code().as_str(), "the end of a job was not written down");
    }
}

/// Ends a job that is under way, as soon as it can; forgets one that has ended, with its file.
pub(crate) async fn delete(app: &App, id: &str) -> Result<(), Problem> {
    let kept = app.jobs.get(id).ok_or(Code::NotFound)?;
    if kept.job.state != JobState::Running {
        let gone = id.to_owned();
        app.db(move |store| store.delete_job(&gone)).await?;
        app.jobs.forget(&[id.to_owned()]);
        return Ok(());
    }
    if !Kind::of(&kept.job).is_some_and(|kind| kind.can_cancel) {
        return Err(Problem::new(Code::Conflict).detail("This cannot be stopped on the way. Wait until it has ended."));
    }
    kept.cancelled.store(true, Ordering::Relaxed);
    Ok(())
}

async fn write_down(app: &App, job: Job) -> Result<(), Problem> {
    let dropped = app.db(move |store| store.put_job(&job)).await?;
    app.jobs.forget(&dropped);
    Ok(())
}

/// What a job tells of itself.
pub(crate) struct Progress {
    pub(crate) app: App,
    id: String,
    cancelled: Arc<AtomicBool>,
}

impl Progress {
    /// The next step begins, unless somebody has ended the job.
    pub(crate) async fn step(&self, step: u32) -> Result<(), Stop> {
        self.check()?;
        let job = self.app.jobs.change(&self.id, |kept| {
            (kept.job.step, kept.percent, kept.step_began) = (step, None, Instant::now());
        });
        match job {
            Some(job) => Ok(write_down(&self.app, job).await?),
            None => Err(Stop::Cancelled),
        }
    }

    /// Says whether the job is to go on.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// So much of a step is done.
    pub(crate) fn percent(&self, done: usize, all: usize) {
        let percent = (done * 100).checked_div(all).map_or(0, |percent| percent.min(100));
        self.app.jobs.change(&self.id, |kept| kept.percent = u8::try_from(percent).ok());
    }

    /// Writes the file that the job makes, whole or not at all. Blocks.
    pub(crate) fn write(&self, name: String, bytes: &[u8]) -> Result<JobFile, Stop> {
        let path = self.app.jobs.path(&self.id);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        write_private(&path, bytes)?;
        let expires_at_ms = Time::now().after(FILE_KEPT).as_ms();
        Ok(JobFile { name, bytes: bytes.len() as u64, expires_at_ms })
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "the file of a job could not be deleted");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use brookbox_relay::{BoxLimits, Settings};

    use super::*;
    use crate::app::{Api, ApiConfig};
    use crate::support::KIND;

    fn app(dir: &Path) -> App {
        let store = Store::open(dir).unwrap();
        let (engine, _reports) = brookbox_relay::start(Settings {
            rtmp: "127.0.0.1:0".parse().unwrap(),
            extra_roots: Vec::new(),
            variables: Vec::new(),
            limits: BoxLimits::default(),
            broadcast: brookbox_relay::BroadcastState::default(),
            own_listeners: Vec::new(),
        })
        .unwrap();
        Api::new(ApiConfig::default(), store, engine).unwrap().app
    }

    async fn ended(app: &App, id: &str) -> Kept {
        for _ in 0..500 {
            let kept = app.jobs.get(id).unwrap();
            if kept.job.state != JobState::Running {
                return kept;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it goes on")
    }

    async fn goes_on(progress: Progress) -> Result<Option<JobFile>, Stop> {
        progress.step(1).await?;
        loop {
            progress.check()?;
            progress.percent(1, 4);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn dies(_: Progress) -> Result<Option<JobFile>, Stop> {
        panic!("on purpose")
    }

    async fn writes(progress: Progress) -> Result<Option<JobFile>, Stop> {
        progress.write("a.zip".into(), b"bytes").map(Some)
    }

    #[tokio::test]
    async fn a_job_is_one_at_a_time_and_ends_when_somebody_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let first = start(&app, &KIND, "mara", goes_on).await.unwrap();
        let second = start(&app, &KIND, "jonas", goes_on).await.unwrap();
        assert_eq!((first.job.id.as_str(), "mara"), (second.job.id.as_str(), second.job.started_by.as_str()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let id = first.job.id;
        let kept = app.jobs.get(&id).unwrap();
        assert_eq!((kept.job.step, kept.percent, kept.left()), (1, Some(25), None));
        assert!(app.jobs.shown().contains_key(&id));
        fs::write(app.jobs.path(&id), "half a file").unwrap_or_default();
        delete(&app, &id).await.unwrap();
        let kept = ended(&app, &id).await;
        assert_eq!((kept.job.state, kept.percent, kept.job.fault), (JobState::Cancelled, None, None));
        assert!(!app.jobs.path(&id).exists());
        // What has ended is forgotten.
        delete(&app, &id).await.unwrap();
        assert!(app.jobs.get(&id).is_none() && app.store.jobs().unwrap().is_empty());
        assert_eq!(delete(&app, &id).await.unwrap_err().code(), Code::NotFound);
    }

    #[tokio::test]
    async fn a_job_that_dies_is_told_and_its_file_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let job = start(&app, &KIND, "mara", dies).await.unwrap();
        assert_eq!(ended(&app, &job.job.id).await.job.fault.as_deref(), Some("internal"));
        let job = start(&app, &KIND, "mara", writes).await.unwrap().job;
        let kept = ended(&app, &job.id).await;
        assert_eq!((kept.job.state, kept.job.file.unwrap().bytes), (JobState::Done, 5));
        use std::os::unix::fs::PermissionsExt;
        let path = app.jobs.path(&job.id);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // A file of nobody's goes, this one stays until its time is over.
        fs::write(app.jobs.path("nobody"), "").unwrap();
        app.jobs.tidy();
        assert!(path.exists() && !app.jobs.path("nobody").exists());
        app.jobs.change(&job.id, |kept| kept.job.file.as_mut().unwrap().expires_at_ms = 0);
        app.jobs.tidy();
        assert!(!path.exists());
    }

    #[test]
    fn every_fault_has_words() {
        for code in ["internal", "storage", INTERRUPTED, "key_found"] {
            let fault = KIND.fault(code);
            assert_eq!(fault.code, code);
            assert!(fault.sentence.ends_with('.'));
        }
        assert_eq!(KIND.fault("of a newer version").code, "internal");
    }
}
