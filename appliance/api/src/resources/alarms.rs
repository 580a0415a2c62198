//! Which alarms of an input are muted.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::fields::Fields;
use crate::lookout::CODES;
use crate::problem::Problem;

/// Which alarms of an input are muted: they are neither shown nor told.
#[derive(Serialize, ToSchema)]
pub(crate) struct MutedAlarms {
    /// `frozen`, `silent`.
    #[schema(example = json!(["silent"]))]
    muted: Vec<String>,
}

/// What is muted.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<MutedAlarms>, Problem> {
    let input = app.db(move |store| store.input(&id)).await?;
    Ok(Json(MutedAlarms { muted: app.lookout.muted(&input.id) }))
}

/// Mutes or no longer mutes.
pub(crate) async fn patch(
    State(app): State<App>,
    Path(id): Path<String>,
    body::Json(patch): body::Json,
) -> Result<Json<MutedAlarms>, Problem> {
    let _order = app.writes.lock().await;
    let lookout = app.lookout.clone();
    let muted = app
        .db(move |store| {
            let input = store.input(&id)?;
            let mut fields = Fields::patched(json!({"muted": lookout.muted(&input.id)}), patch, &[])?;
            let codes = fields.words("muted", &CODES.map(|code| (code, code))).unwrap_or_default();
            fields.finish()?;
            lookout.mute(store, &input.id, &codes)?;
            Ok::<_, Problem>(lookout.muted(&input.id))
        })
        .await?;
    Ok(Json(MutedAlarms { muted }))
}
