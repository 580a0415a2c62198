//! What happened, in words.

use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::State;
use brookbox_store::{Event, EventFilter, Severity, Time};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::Problem;
use crate::query::Query;

const LIMIT: RangeInclusive<u32> = 1..=500;
const LIMIT_DEFAULT: u32 = 100;
const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("error", Severity::Error)];

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Grows; never used twice.
    #[schema(example = 912)]
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// Stable.
    #[schema(schema_with = crate::openapi::event_code)]
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

/// Events, the newest first: `?before=&limit=&code=&input=&destination=&severity=&from=&until=`.
pub(crate) async fn list(State(app): State<App>, mut query: Query) -> Result<Json<Vec<EventView>>, Problem> {
    let limit = query.number("limit", LIMIT).unwrap_or(LIMIT_DEFAULT);
    let filter = EventFilter {
        before: query.number("before", 0..=i64::MAX),
        code: query.text("code"),
        input: query.text("input"),
        destination: query.text("destination"),
        at_least: query.word("severity", &SEVERITIES),
        from: query.number("from", 0..=i64::MAX).map(Time::from_ms),
        until: query.number("until", 0..=i64::MAX).map(Time::from_ms),
    };
    query.finish()?;
    let events = app.db(move |store| store.events_where(&filter, limit)).await?;
    Ok(Json(events.into_iter().map(Into::into).collect()))
}
