//! How inputs are coded: so far each input's stream as it comes.

use axum::Json;
use axum::extract::{Path, State};
use brookbox_store::{Input, Store};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{Code, Problem};

const PASSTHROUGH: &str = "passthrough";

/// How one input's programme is coded.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    #[schema(example = "main/passthrough")]
    id: String,
    #[schema(example = "main")]
    input: String,
    /// `passthrough`: as the publisher sent it.
    #[schema(example = "passthrough")]
    kind: &'static str,
}

impl Output {
    fn passthrough(input: Input) -> Self {
        Self { id: format!("{}/{PASSTHROUGH}", input.id), input: input.id, kind: PASSTHROUGH }
    }
}

/// The output of a destination that names none.
pub(crate) fn default() -> String {
    format!("main/{PASSTHROUGH}")
}

/// The input that an output belongs to; `None` if it is no output's id.
pub(crate) fn input_of(id: &str) -> Option<&str> {
    let (input, kind) = id.split_once('/')?;
    (!input.is_empty() && kind == PASSTHROUGH).then_some(input)
}

/// All outputs.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<Output>>, Problem> {
    let inputs = app.db(Store::inputs).await?;
    Ok(Json(inputs.into_iter().map(Output::passthrough).collect()))
}

/// One output.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Output>, Problem> {
    let input = input_of(&id).ok_or(Code::NotFound)?.to_owned();
    let input = app.db(move |store| store.input(&input)).await?;
    Ok(Json(Output::passthrough(input)))
}
