//! Runs the acceptance suite.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use brookbox_hw_tests::bed::{Bed, Tools};
use brookbox_hw_tests::{cases, runner};
use clap::Parser;

/// Runs the acceptance cases against `brookboxd` and real third-party programs.
///
/// Without options: every case that does not measure time, side by side.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only cases with one of these words in their name.
    words: Vec<String>,
    /// Run the cases that measure time, one after the other.
    #[arg(long)]
    timing: bool,
    /// Run both kinds (the timing ones after the others).
    #[arg(long, conflicts_with = "timing")]
    all: bool,
    /// Run the cases that need what is not installed everywhere, instead of the usual ones.
    #[arg(long)]
    optional: bool,
    /// Cases side by side. Most of their time is waiting for frames.
    #[arg(long, default_value_t = 3)]
    jobs: usize,
    /// Where to run: `local` is this machine.
    #[arg(long, default_value = "local")]
    bed: String,
    /// Write the outcomes as JSON to this file.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Where each case gets its folder [default: build/acceptance]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only list the cases.
    #[arg(long)]
    list: bool,
}

#[expect(clippy::print_stdout, reason = "printing is its work")]
fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.bed != "local" {
        bail!("the only bed so far is local, not {:?}", arguments.bed);
    }
    let here = |case: &runner::Case| {
        let named = arguments.words.is_empty() || arguments.words.iter().any(|word| case.name.contains(word.as_str()));
        named && case.optional == arguments.optional && case.beds.contains(&Bed::Local)
    };
    let (timing, waiting): (Vec<_>, Vec<_>) = cases::all().into_iter().filter(here).partition(|case| case.timing);
    if arguments.list {
        for case in waiting.iter().chain(&timing) {
            println!("{}{}", case.name, if case.timing { "  (timing)" } else { "" });
        }
        return Ok(ExitCode::SUCCESS);
    }
    let tools = Tools::find()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| tools.build.join("acceptance"));
    std::fs::create_dir_all(&folder)?;
    let lock = std::fs::File::create(folder.join("lock"))?;
    let Ok(_alone) = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock) else {
        bail!("another run works in {}; wait for it, or give this one its own by --folder", folder.display());
    };
    let mut outcomes = Vec::new();
    if !arguments.timing {
        outcomes.extend(runner::run(&waiting, &tools, &folder, arguments.jobs)?);
    }
    if arguments.timing || arguments.all {
        outcomes.extend(runner::run(&timing, &tools, &folder, 1)?);
    }
    if outcomes.is_empty() {
        bail!("no case has that name");
    }
    if let Some(file) = &arguments.report {
        let json = serde_json::to_string_pretty(&outcomes)?;
        std::fs::write(file, json).with_context(|| format!("writing {}", file.display()))?;
    }
    println!("{}", runner::summary(&outcomes));
    let passed = outcomes.iter().all(|outcome| outcome.passed);
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
