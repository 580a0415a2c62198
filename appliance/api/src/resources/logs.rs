//! The newest of the program's own log.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use brookbox_store::Time;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::logbook::{Entry, LogFilter, LogLevel};
use crate::problem::Problem;
use crate::query::Query;
use crate::resources::NO_STORE;

const LIMIT: RangeInclusive<usize> = 1..=500;
const LIMIT_DEFAULT: usize = 200;
const LEVELS: [(&str, LogLevel); 5] = [
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
];

/// One entry of the log.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogEntry {
    /// Grows by one with each entry, and begins anew with the program.
    #[schema(example = 412)]
    id: u64,
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    #[schema(example = "warn")]
    level: &'static str,
    /// The part of the program that says it.
    #[schema(example = "brookbox_relay::ingest")]
    target: String,
    #[schema(example = "the publisher broke the protocol")]
    message: String,
    /// Values, all of them as texts.
    fields: BTreeMap<String, String>,
}

impl From<Entry> for LogEntry {
    fn from(entry: Entry) -> Self {
        let Entry { id, time, level, target, message, fields } = entry;
        Self { id, time, level: level.as_str(), target, message, fields: fields.into_iter().collect() }
    }
}

/// The newest entries that a filter lets pass, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    mut query: Query,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Vec<LogEntry>>), Problem> {
    let filter = LogFilter {
        at_least: query.word("level", &LEVELS),
        text: query.text("text").filter(|text| !text.is_empty()),
        before: query.number("before", 0..=u64::MAX),
        after: query.number("after", 0..=u64::MAX),
    };
    let limit = query.number("limit", LIMIT).unwrap_or(LIMIT_DEFAULT);
    query.finish()?;
    let entries = app.config.logbook.newest(&filter, limit);
    Ok(([NO_STORE], Json(entries.into_iter().map(Into::into).collect())))
}
