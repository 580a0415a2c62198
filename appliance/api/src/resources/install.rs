//! *Install on this computer*: which disks there are, and beginning it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use brookbox_board::install::Disk;
use brookbox_relay::InputState;
use brookbox_store::JobState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::fields::Fields;
use crate::install::{KIND, disks, work};
use crate::problem::{Code, FieldError, Problem};
use crate::resources::jobs::JobView;
use crate::sentences::Deed;
use crate::{body, jobs};

/// Whether the system can be put onto a disk of this machine, and onto which.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Install {
    /// Why it cannot be: `notImage` (this is no Brookbox image), `notFromStick` (it was not started from a USB stick: it
    /// is installed already), `noDisk`; `null`: it can.
    #[schema(example = "notFromStick")]
    reason: Option<&'static str>,
    /// The same in English.
    sentence: Option<&'static str>,
    /// The disks that can take it. All that is on the one that is chosen will be lost.
    disks: Vec<InstallDisk>,
}

/// A disk in this machine.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstallDisk {
    /// As the system calls it.
    #[schema(example = "nvme0n1")]
    disk: String,
    /// As its maker calls it; may be empty.
    #[schema(example = "Fast 980")]
    model: String,
    /// Its serial number; may be empty.
    serial: String,
    bytes: u64,
    /// Whether something is on it.
    used: bool,
    /// What is on it, as far as that is known: kind and name of each file system.
    #[schema(example = json!(["vfat EFI", "ntfs Windows"]))]
    holds: Vec<String>,
}

/// Which disk is to be erased: as the list says it.
#[derive(ToSchema)]
pub(crate) struct InstallOn {
    #[schema(example = "nvme0n1")]
    disk: String,
    /// So that it is this disk and no other that was given its name meanwhile.
    serial: String,
}

const NOT_IMAGE: (&str, &str) =
    ("notImage", "Only the Brookbox image can install itself; this is an ordinary computer.");
const NOT_FROM_STICK: (&str, &str) = ("notFromStick", "This box was not started from a USB stick: it is installed.");
const NO_DISK: (&str, &str) = ("noDisk", "There is no disk of at least 4 GB in this machine.");

impl Install {
    fn never((reason, sentence): (&'static str, &'static str)) -> Self {
        Self { reason: Some(reason), sentence: Some(sentence), disks: Vec::new() }
    }
}

impl From<Disk> for InstallDisk {
    fn from(Disk { disk, model, serial, bytes, used, holds }: Disk) -> Self {
        Self { disk, model, serial, bytes, used, holds }
    }
}

/// The disks there are.
pub(crate) async fn get(State(app): State<App>) -> Result<Json<Install>, Problem> {
    let Some(socket) = app.config.installer.clone() else { return Ok(Json(Install::never(NOT_IMAGE))) };
    let found = disks(socket).await?;
    Ok(Json(match found.disks {
        _ if !found.from_stick => Install::never(NOT_FROM_STICK),
        none if none.is_empty() => Install::never(NO_DISK),
        disks => Install { reason: None, sentence: None, disks: disks.into_iter().map(Into::into).collect() },
    }))
}

/// Begins to install; whoever asks again gets the job that is under way.
pub(crate) async fn post(
    State(app): State<App>,
    caller: Caller,
    wanted: body::Json,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    let InstallOn { disk, serial } = InstallOn::read(wanted.fields()?)?;
    let Some(socket) = app.config.installer.clone() else {
        return Err(Problem::new(Code::Conflict).detail(NOT_IMAGE.1));
    };
    let running = |kept: &jobs::Kept| kept.job.kind == KIND.name && kept.job.state == JobState::Running;
    if let Some(running) = app.jobs.all().into_iter().find(running) {
        return Ok((StatusCode::CREATED, Json(running.into())));
    }
    let found = disks(socket.clone()).await?;
    if !found.from_stick {
        return Err(Problem::new(Code::Conflict).detail(NOT_FROM_STICK.1));
    }
    let Some(disk) = found.disks.into_iter().find(|one| one.disk == disk && one.serial == serial) else {
        let message = "There is no such disk, or it is another one by now. Look at the list again.".to_owned();
        return Err(Problem::new(Code::Invalid).errors(vec![FieldError {
            field: "disk".into(),
            code: "unknown_value",
            message,
        }]));
    };
    if app.engine.snapshot().inputs.values().any(|input| input.state != InputState::None) {
        return Err(Problem::new(Code::Conflict)
            .detail("A stream comes in, and installing ends with switching the box off. Stop the stream first."));
    }
    let who = &caller.user.username;
    app.event(Deed::InstallBegun { disk: &disk.model, serial: &disk.serial }.event(Some(who))).await?;
    let job = jobs::start(&app, &KIND, who, move |progress| work(progress, socket, disk)).await?;
    Ok((StatusCode::CREATED, Json(job.into())))
}

impl InstallOn {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let (has_disk, has_serial) = (fields.has("disk"), fields.has("serial"));
        let (disk, serial) = (fields.line("disk", 1..=64), fields.line("serial", 0..=64));
        let disk = fields.need("disk", has_disk, disk);
        let serial = fields.need("serial", has_serial, serial);
        fields.finish()?;
        Ok(Self { disk: disk.unwrap_or_default(), serial: serial.unwrap_or_default() })
    }
}
