//! What happened, in words.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::Json;
use axum::extract::{Query, State};
use brookbox_store::{Event, Severity, Time};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{Code, FieldError, Problem};

const LIMIT: RangeInclusive<u32> = 1..=500;
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

/// Events, the newest first: `?before=&limit=`.
pub(crate) async fn list(
    State(app): State<App>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<Vec<EventView>>, Problem> {
    let mut errors = Vec::new();
    let before = number(&query, "before", 0..=i64::MAX, &mut errors);
    let limit = number(&query, "limit", LIMIT, &mut errors).unwrap_or(LIMIT_DEFAULT);
    if !errors.is_empty() {
        return Err(Problem::new(Code::Invalid).errors(errors));
    }
    let events = app.db(move |store| store.events(before, limit)).await?;
    Ok(Json(events.into_iter().map(Into::into).collect()))
}

/// A number behind the `?`, given at most once.
fn number<T: FromStr + PartialOrd + Display>(
    query: &[(String, String)],
    name: &str,
    range: RangeInclusive<T>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let mut values = query.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    let value = values.next()?;
    let number = value.parse().ok().filter(|number| range.contains(number));
    if number.is_none() || values.next().is_some() {
        let message = format!("Give one whole number from {} to {}.", range.start(), range.end());
        errors.push(FieldError { field: name.to_owned(), code: "out_of_range", message });
    }
    number
}
