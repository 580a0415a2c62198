//! The support file: what goes in, making it, fetching it.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use brookbox_store::{JobState, Time};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, blocking};
use crate::auth::Caller;
use crate::jobs::{self, Kind};
use crate::problem::{Code, Problem};
use crate::resources::NO_STORE;
use crate::resources::jobs::JobView;
use crate::support::{KIND, PARTS, make};

/// A part of a support file.
#[derive(Serialize, ToSchema)]
pub(crate) struct SupportPart {
    /// Its name in the file.
    #[schema(example = "log.txt")]
    file: &'static str,
    /// Stable.
    #[schema(example = "log")]
    code: &'static str,
    /// What it holds, in English.
    sentence: &'static str,
}

/// What would go in.
pub(crate) async fn parts() -> Json<Vec<SupportPart>> {
    Json(PARTS.map(|(file, code, sentence)| SupportPart { file, code, sentence }).into())
}

/// Begins to make one.
pub(crate) async fn create(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<JobView>), Problem> {
    let job = jobs::start(&app, &KIND, &caller.user.username, make).await?;
    Ok((StatusCode::CREATED, Json(job.into())))
}

/// The file that a job has made.
pub(crate) async fn fetch(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 3], Body), Problem> {
    let job = app.jobs.get(&id).ok_or(Code::NotFound)?.job;
    let made = Kind::of(&job).filter(|kind| kind.name == KIND.name).and_then(|kind| kind.file.as_ref());
    let made = made.ok_or(Code::NotFound)?;
    if job.state == JobState::Running {
        return Err(Problem::new(Code::Conflict).detail("The file is still being made."));
    }
    let file = job.file.filter(|file| Time::now().as_ms() < file.expires_at_ms).ok_or(Code::NotFound)?;
    // The id is one of the box's own: it was found in the list.
    let path = app.jobs.path(&job.id);
    let bytes = blocking(move || std::fs::read(path).map_err(|_| Code::NotFound.into())).await?;
    let name = format!("attachment; filename=\"{}\"", file.name);
    let name = HeaderValue::from_str(&name).map_err(|_| Code::Internal)?;
    let media_type = HeaderValue::from_static(made.media_type);
    Ok(([(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, name), NO_STORE], Body::from(bytes)))
}
