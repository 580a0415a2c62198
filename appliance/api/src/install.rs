//! *Install on this computer*: a box that was started from a USB stick puts itself onto a disk of the machine. The daemon
//! may not write disks: it asks a service of the system's (`brookbox_board::install`), and tells as a job what that says.

use std::path::{Path, PathBuf};

use brookbox_board::install::{self, Disk, InstallError, Step};
use brookbox_store::{JobFile, JobState, Role, Store, Time};
use tokio::sync::mpsc;

use crate::app::blocking;
use crate::jobs::{Fault, Kind, Progress, Stop};
use crate::problem::{Code, Problem};
use crate::sentences::Deed;

/// A job that installs.
pub(crate) static KIND: Kind = Kind {
    name: "install",
    steps: &[
        ("prepare", "Preparing the disk"),
        ("copy", "Copying the system"),
        ("compare", "Reading it back"),
        ("settings", "Taking the settings along"),
    ],
    // What was on the disk is gone from the first step on: half a system helps nobody.
    can_cancel: false,
    role: Role::Owner,
    faults: &[REFUSED],
    file: None,
};

const REFUSED: Fault = Fault {
    code: "install",
    sentence: "The disk did not take the system, or did not give back what was written. Try another disk.",
};

/// Where it stands, in the data directory, that the system was installed: the service writes it when the daemon is at rest.
const MARK: &str = "system/installed";

/// Installs on a disk. The machine switches itself off at the end, and the daemon before that.
pub(crate) async fn work(progress: Progress, socket: PathBuf, disk: Disk) -> Result<Option<JobFile>, Stop> {
    let (tell, mut told) = mpsc::channel(16);
    let model = disk.model.clone();
    let working = tokio::task::spawn_blocking(move || {
        install::install(&socket, &disk, |now| {
            // The work goes on, whoever listens.
            let _ = tell.blocking_send(now);
        })
    });
    let mut reached = None;
    while let Some(now) = told.recv().await {
        if reached != Some(now.step) {
            reached = Some(now.step);
            if progress.step(number(now.step)).await.is_err() {
                tracing::warn!("how far the installation has come was not written down");
            }
        }
        progress.percent(now.percent.into(), 100);
    }
    // That it was installed is written down by the start that follows, here and on the disk: see `settle`.
    let Err(error) = working.await.map_err(|_| Stop::from(Problem::new(Code::Internal)))? else { return Ok(None) };
    tracing::error!(%error, "not installed");
    progress.app.note(Deed::InstallFailed { disk: &model }.event(None)).await;
    Err(match error {
        InstallError::Refused(_) => REFUSED.into(),
        _ => Problem::new(Code::Internal).into(),
    })
}

/// The disks there are, by a service at this socket.
pub(crate) async fn disks(socket: PathBuf) -> Result<install::Disks, Problem> {
    blocking(move || {
        install::disks(&socket).map_err(|error| {
            tracing::error!(%error, "it is not known which disks there are");
            Problem::new(Code::Internal)
        })
    })
    .await
}

/// At a start: if the system was installed meanwhile, that is written down and the job has ended. The daemon does not live to
/// see it: it is at rest while its data are copied.
pub(crate) fn settle(store: &Store) -> Result<(), brookbox_store::Error> {
    let mark = mark(store.path());
    if !mark.exists() {
        return Ok(());
    }
    for mut job in store.jobs()? {
        if job.kind == KIND.name && job.state == JobState::Running {
            (job.state, job.ended_at) = (JobState::Done, Some(Time::now()));
            store.put_job(&job)?;
        }
    }
    store.append_events(&[Deed::Installed.event(None)])?;
    if let Err(error) = std::fs::remove_file(&mark) {
        tracing::warn!(%error, "it will be told again that the system was installed");
    }
    Ok(())
}

fn mark(database: &Path) -> PathBuf {
    database.with_file_name(MARK)
}

fn number(step: Step) -> u32 {
    match step {
        Step::Prepare => 0,
        Step::Copy => 1,
        Step::Compare => 2,
        Step::Settings => 3,
    }
}
