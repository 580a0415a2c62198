//! Whether the box is well, for whoever watches it.

use axum::Json;
use axum::extract::State;
use brookbox_store::Store;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::Problem;

/// `ok`, or the answer is a problem.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// The program answers.
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The program can work: the store reads and the engine runs.
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Health>, Problem> {
    app.db(Store::claimed).await?;
    if app.engine.subscribe().has_changed().is_err() {
        return Err(brookbox_relay::Ended.into());
    }
    Ok(Json(Health { status: "ok" }))
}
