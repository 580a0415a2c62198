//! What happened, in words.

use axum::Json;
use axum::extract::{Query, State};
use brookbox_store::{Event, Severity, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{Code, FieldError, Problem};

const LIMIT: std::ops::RangeInclusive<u32> = 1..=500;
const LIMIT_DEFAULT: u32 = 100;

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Grows; never used twice.
    #[schema(example = 912)]
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// Stable.
    #[schema(example = "destination_retrying")]
    code: String,
    #[schema(schema_with = crate::openapi::severity)]
    severity: Severity,
    /// The input concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    input: Option<String>,
    /// The destination concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    destination: Option<String>,
    /// Values for a sentence of one's own, in another language.
    #[schema(value_type = Object, example = json!({"name": "Club", "reason": "timeout"}))]
    params: Map<String, Value>,
    /// One plain sentence.
    #[schema(example = "Club is tried again: it does not answer.")]
    sentence: String,
}

impl From<Event> for EventView {
    fn from(Event { id, time, code, severity, input, destination, params, sentence }: Event) -> Self {
        Self { id, time, code, severity, input, destination, params, sentence }
    }
}

/// `?before=&limit=`
#[derive(Deserialize)]
pub(crate) struct Page {
    before: Option<String>,
    limit: Option<String>,
}

/// Events, the newest first.
pub(crate) async fn list(State(app): State<App>, Query(page): Query<Page>) -> Result<Json<Vec<EventView>>, Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String| {
        errors.push(FieldError { field: field.to_owned(), code: "out_of_range", message });
    };
    let before = page.before.map(|before| before.parse::<i64>());
    if matches!(before, Some(Err(_))) {
        wrong("before", "Give the id of an event.".to_owned());
    }
    let limit = page.limit.map_or(Ok(LIMIT_DEFAULT), |limit| limit.parse());
    if !limit.as_ref().is_ok_and(|limit| LIMIT.contains(limit)) {
        wrong("limit", format!("Give a whole number from {} to {}.", LIMIT.start(), LIMIT.end()));
    }
    let (Ok(before), Ok(limit), true) = (before.transpose(), limit, errors.is_empty()) else {
        return Err(Problem::new(Code::Invalid).errors(errors));
    };
    let events = app.db(move |store| store.events(before, limit)).await?;
    Ok(Json(events.into_iter().map(Into::into).collect()))
}
