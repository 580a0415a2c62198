//! Broadcasts of the past, and the one that goes on.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use brookbox_store::{Broadcast, Leg, Time, Trouble};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::problem::{Code, Problem};
use crate::query::Query;

const LIMIT: std::ops::RangeInclusive<u32> = 1..=100;
const LIMIT_DEFAULT: u32 = 20;

/// A broadcast: from the first destination that went live until nothing was to be sent any more.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BroadcastView {
    /// Grows; never used twice.
    #[schema(example = 12)]
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
    /// `null` while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
    /// How long it was, s.
    length_s: u64,
    /// Where it went.
    destinations: Vec<BroadcastLeg>,
}

/// What became of a broadcast at one destination.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BroadcastLeg {
    /// Its id; it may be deleted since.
    destination: String,
    /// What it was called then.
    name: String,
    #[schema(example = "youtube")]
    platform: String,
    /// When it first was live.
    #[schema(value_type = String, format = DateTime)]
    from: Time,
    /// When it last was live.
    #[schema(value_type = String, format = DateTime)]
    until: Time,
    /// How long it was live in all, in seconds begun; 0 if it never was.
    live_s: u64,
    /// Frames that were left out for it.
    frames_dropped: u64,
    /// How often something went wrong.
    problem_count: u32,
    /// The first of these.
    problems: Vec<BroadcastProblem>,
}

/// Something that went wrong at a destination.
#[derive(Serialize, ToSchema)]
struct BroadcastProblem {
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// `slow`, `retrying` or `failed`.
    #[schema(example = "retrying")]
    state: String,
    /// The stable code of the reason.
    #[schema(example = "timeout")]
    reason: Option<String>,
}

impl From<Broadcast> for BroadcastView {
    fn from(broadcast: Broadcast) -> Self {
        let Broadcast { id, started_at, seen_at, ended_at, legs } = broadcast;
        let until = ended_at.unwrap_or(seen_at);
        let length_s = u64::try_from(until.as_ms() - started_at.as_ms()).unwrap_or_default().div_ceil(1000);
        Self { id, started_at, ended_at, length_s, destinations: legs.into_iter().map(Into::into).collect() }
    }
}

impl From<Leg> for BroadcastLeg {
    fn from(leg: Leg) -> Self {
        Self {
            destination: leg.destination,
            name: leg.name,
            platform: leg.platform,
            from: Time::from_ms(leg.from_ms),
            until: Time::from_ms(leg.until_ms),
            live_s: leg.live_ms.div_ceil(1000),
            frames_dropped: leg.frames_dropped,
            problem_count: leg.trouble_count,
            problems: leg.troubles.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Trouble> for BroadcastProblem {
    fn from(Trouble { at_ms, state, reason }: Trouble) -> Self {
        Self { time: Time::from_ms(at_ms), state, reason }
    }
}

/// Broadcasts, the newest first.
pub(crate) async fn list(State(app): State<App>, mut query: Query) -> Result<Response, Problem> {
    let before = query.number("before", 0..=i64::MAX);
    let limit = query.number("limit", LIMIT).unwrap_or(LIMIT_DEFAULT);
    query.finish()?;
    body::long(&app, move |app| {
        let broadcasts = app.store.broadcasts(before, limit)?;
        Ok(broadcasts.into_iter().map(Into::into).collect::<Vec<BroadcastView>>())
    })
    .await
}

/// One broadcast.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<BroadcastView>, Problem> {
    let id: i64 = id.parse().map_err(|_| Code::NotFound)?;
    let broadcast = app.db(move |store| store.one_broadcast(id)).await?;
    Ok(Json(broadcast.into()))
}
