//! Long work: what is under way, and what has ended lately.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use brookbox_store::{JobState, Time};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::jobs::{self, Kept, Kind};
use crate::problem::{Code, Problem};

/// A piece of long work, the same on every device.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobView {
    id: String,
    /// What it does: `supportFile`, `install`.
    #[schema(example = "supportFile")]
    kind: String,
    #[schema(schema_with = crate::openapi::job_state)]
    state: JobState,
    /// The step that it has reached, counted from 1.
    #[schema(example = 2)]
    step: u32,
    /// All its steps in their order.
    steps: Vec<JobStep>,
    /// How far the step is, per cent; `null`: not known.
    percent: Option<u8>,
    /// How long the step will take, s; `null`: not known, or it has only begun.
    time_left_s: Option<u64>,
    /// Whether `DELETE` ends it on the way.
    can_cancel: bool,
    /// Who began it.
    #[schema(example = "mara")]
    started_by: String,
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
    /// Why it failed.
    fault: Option<JobFault>,
    /// The file it made, as long as it is kept.
    file: Option<JobFileView>,
}

/// A step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct JobStep {
    /// Stable.
    #[schema(example = "log")]
    code: &'static str,
    /// In English.
    #[schema(example = "Reading the log")]
    sentence: &'static str,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct JobFault {
    /// Stable: `interrupted`, `storage`, `internal`, or one of the job's own.
    #[schema(example = "interrupted")]
    code: &'static str,
    /// In English.
    sentence: &'static str,
}

/// A file that a job made.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobFileView {
    /// Where it is fetched, by who may begin such a job.
    #[schema(example = "/api/v1/system/support-file/abcdefgh01234567")]
    path: String,
    /// What it is to be called.
    #[schema(example = "brookbox-support-2026-11-21.zip")]
    name: String,
    bytes: u64,
    /// Until when it is kept.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

impl From<Kept> for JobView {
    fn from(kept: Kept) -> Self {
        let left = kept.left();
        let kind = Kind::of(&kept.job);
        let job = kept.job;
        let file = job.file.filter(|file| Time::now().as_ms() < file.expires_at_ms);
        let id = &job.id;
        Self {
            state: job.state,
            step: job.step + 1,
            steps: kind
                .into_iter()
                .flat_map(|kind| kind.steps)
                .map(|&(code, sentence)| JobStep { code, sentence })
                .collect(),
            percent: kept.percent,
            time_left_s: left.map(|left| left.as_secs()),
            can_cancel: job.state == JobState::Running && kind.is_some_and(|kind| kind.can_cancel),
            started_at: job.started_at,
            ended_at: job.ended_at,
            fault: job.fault.zip(kind).map(|(code, kind)| {
                let fault = kind.fault(&code);
                JobFault { code: fault.code, sentence: fault.sentence }
            }),
            file: file.zip(kind.and_then(|kind| kind.file.as_ref())).map(|(file, made)| JobFileView {
                path: format!("{}/{id}", made.path),
                name: file.name,
                bytes: file.bytes,
                expires_at: Time::from_ms(file.expires_at_ms),
            }),
            started_by: job.started_by,
            kind: job.kind,
            id: job.id,
        }
    }
}

/// All jobs that are kept, the newest first.
pub(crate) async fn list(State(app): State<App>) -> Json<Vec<JobView>> {
    Json(app.jobs.all().into_iter().map(Into::into).collect())
}

/// One of them.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<JobView>, Problem> {
    app.jobs.get(&id).map(|kept| Json(kept.into())).ok_or_else(|| Code::NotFound.into())
}

/// Ends a job, or forgets one that has ended.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let kept = app.jobs.get(&id).ok_or(Code::NotFound)?;
    let needed = Kind::of(&kept.job).map(|kind| kind.role);
    if caller.role() < needed {
        return Err(Problem::new(Code::NotAllowed).detail("Only who may begin such a job may end it."));
    }
    jobs::delete(&app, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
