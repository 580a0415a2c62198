//! Runs cases side by side, each with a limit, and reports.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::bed::{Bed, Ctx, Tools};
use crate::process::last_lines;

/// One thing that the box must do.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// `group/what is shown`, unique.
    pub name: &'static str,
    /// Where it can run.
    pub beds: &'static [Bed],
    /// Measures time or load: runs alone.
    pub timing: bool,
    /// Needs what is not installed everywhere: runs only when asked for.
    pub optional: bool,
    /// Longer than this is a failure, in seconds.
    pub limit_s: u64,
    /// Fails with an error or a panic.
    pub run: fn(&Ctx) -> Result<()>,
}

impl Case {
    /// A case that needs the daemon at hand, does not measure time and ends within two minutes.
    #[must_use]
    pub const fn new(name: &'static str, run: fn(&Ctx) -> Result<()>) -> Self {
        Self { name, beds: Bed::AT_HAND, timing: false, optional: false, limit_s: 120, run }
    }

    /// Runs alone.
    #[must_use]
    pub const fn timing(mut self) -> Self {
        self.timing = true;
        self
    }

    /// Runs only when asked for.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Another limit than two minutes.
    #[must_use]
    pub const fn limit(mut self, seconds: u64) -> Self {
        self.limit_s = seconds;
        self
    }

    /// Runs on these beds.
    #[must_use]
    pub const fn on(mut self, beds: &'static [Bed]) -> Self {
        self.beds = beds;
        self
    }
}

/// How one case ended.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The case's name.
    pub name: &'static str,
    /// Whether it passed.
    pub passed: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<String>,
    /// Figures worth telling.
    pub notes: Vec<String>,
}

/// Runs the cases, `jobs` side by side, and prints each as it ends. Gives the outcomes in the order of the list.
///
/// # Errors
/// The folder for the cases cannot be made.
pub fn run(cases: &[Case], tools: &Tools, folder: &Path, jobs: usize) -> Result<Vec<Outcome>> {
    std::fs::create_dir_all(folder)?;
    let next = Mutex::new(cases.iter());
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, cases.len().max(1)) {
            scope.spawn(|| {
                loop {
                    // A statement of its own: the lock must not be held while the case runs.
                    let case = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(case) = case else { break };
                    let outcome = run_one(case, tools, folder);
                    print_outcome(&outcome);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| cases.iter().position(|case| case.name == outcome.name));
    Ok(outcomes)
}

fn run_one(case: &Case, tools: &Tools, folder: &Path) -> Outcome {
    let start = Instant::now();
    let finish = |error: Option<String>, notes| Outcome {
        name: case.name,
        passed: error.is_none(),
        seconds: start.elapsed().as_secs_f64(),
        error,
        notes,
    };
    let ctx = match Ctx::new(tools, folder.join(case.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))) {
        Ok(ctx) => Arc::new(ctx),
        Err(error) => return finish(Some(format!("{error:#}")), Vec::new()),
    };
    // A thread of its own: its processes die with it, and one that hangs holds up nobody else.
    let (done, result) = mpsc::channel();
    let (run, own) = (case.run, Arc::clone(&ctx));
    std::thread::spawn(move || {
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| run(&own)));
        let error = match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(panic) => Some(format!("panicked: {}", panic_text(&*panic))),
        };
        // Nobody listens any more if the limit has passed.
        let _ = done.send(error);
    });
    let error = match result.recv_timeout(Duration::from_secs(case.limit_s)) {
        Ok(error) => error,
        Err(RecvTimeoutError::Timeout) => Some(format!("not done after {} s", case.limit_s)),
        Err(RecvTimeoutError::Disconnected) => Some("its thread ended without a word".to_owned()),
    };
    let outcome = finish(error, ctx.notes());
    if outcome.passed {
        // What a passed case leaves is of no use; a folder that cannot be removed harms nobody.
        let _ = std::fs::remove_dir_all(&ctx.dir);
    } else {
        println!("{}", logs(&ctx.dir));
    }
    outcome
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no text)".to_owned())
}

fn print_outcome(outcome: &Outcome) {
    let word = if outcome.passed { "ok    " } else { "FAILED" };
    let mut text = format!("{word} {:6.1} s  {}", outcome.seconds, outcome.name);
    for note in &outcome.notes {
        let _ = write!(text, "\n                  {note}");
    }
    if let Some(error) = &outcome.error {
        let _ = write!(text, "\n    {}", error.replace('\n', "\n    "));
    }
    println!("{text}");
}

/// The ends of all logs below a folder.
fn logs(dir: &Path) -> String {
    let mut text = String::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                let said = std::fs::read(&path).unwrap_or_default();
                let said = last_lines(&String::from_utf8_lossy(&said), 12);
                let _ = write!(text, "    -- {}\n    {}\n", path.display(), said.replace('\n', "\n    "));
            }
        }
    }
    text
}

/// The last lines of a run: which failed, how many passed.
#[must_use]
pub fn summary(outcomes: &[Outcome]) -> String {
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    let mut text = String::new();
    for outcome in &failed {
        let error = outcome.error.as_deref().and_then(|error| error.lines().next()).unwrap_or_default();
        let _ = writeln!(text, "failed: {}: {error}", outcome.name);
    }
    let _ = write!(text, "{} passed, {} failed", outcomes.len() - failed.len(), failed.len());
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn tools() -> (tempfile::TempDir, Tools) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().to_owned();
        (dir, Tools { root: path.clone(), build: path, brookboxd: "/bin/true".into() })
    }

    #[test]
    fn cases_run_side_by_side() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        fn meets_another(_: &Ctx) -> Result<()> {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            crate::wait::until(Duration::from_secs(5), "the other case", || {
                Ok((RUNNING.load(Ordering::SeqCst) == 2).then_some(()))
            })
        }
        let (_dir, tools) = tools();
        let outcomes =
            run(&[Case::new("a/one", meets_another), Case::new("b/two", meets_another)], &tools, &tools.build, 2);
        assert!(summary(&outcomes.expect("runs")).ends_with("2 passed, 0 failed"));
    }

    #[test]
    fn errors_panics_and_hanging_are_failures() {
        let cases = [
            Case::new("a/passes", |ctx| {
                ctx.note("a figure");
                Ok(())
            }),
            Case::new("b/fails", |_| anyhow::bail!("on purpose")),
            Case::new("c/panics", |_| panic!("on purpose too")),
            Case::new("d/hangs", |_| {
                std::thread::sleep(Duration::from_secs(20));
                Ok(())
            })
            .limit(1),
        ];
        let (_dir, tools) = tools();
        let outcomes = run(&cases, &tools, &tools.build, 2).expect("runs");
        let errors: Vec<_> = outcomes.iter().map(|outcome| outcome.error.as_deref().unwrap_or("none")).collect();
        assert_eq!(errors, ["none", "on purpose", "panicked: on purpose too", "not done after 1 s"]);
        assert_eq!(outcomes[0].notes, ["a figure"]);
        assert!(summary(&outcomes).ends_with("\n1 passed, 3 failed"));
    }
}
