//! *Start sending* and *Stop sending*.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::problem::Problem;
use crate::resources::status::Broadcast;

/// Starts every destination that waits for it, at once.
pub(crate) async fn start(State(app): State<App>) -> Result<Json<Broadcast>, Problem> {
    let _order = app.writes.lock().await;
    app.engine.start_broadcast().await?;
    keep(&app).await
}

/// Ends every destination properly and keeps every switch.
pub(crate) async fn stop(State(app): State<App>) -> Result<Json<Broadcast>, Problem> {
    let _order = app.writes.lock().await;
    app.engine.stop_broadcast().await?;
    keep(&app).await
}

/// Answers once the press survives a restart. (The engine reports it as well, which covers what it decides by itself.)
async fn keep(app: &App) -> Result<Json<Broadcast>, Problem> {
    let state = app.engine.snapshot().broadcast;
    app.db(move |store| store.put_broadcast(&state)).await?;
    Ok(Json(state.into()))
}
