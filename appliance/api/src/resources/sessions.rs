//! Who is connected to the inputs, and who was refused.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use brookbox_relay as relay;
use brookbox_store::Time;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::problem::{Code, FieldError, Problem};
use crate::resources::status::Session;
use crate::sentences::Deed;

/// How long an address is blocked, s.
const BLOCK_S: std::ops::RangeInclusive<u64> = 1..=86_400;
const BLOCK_S_DEFAULT: u64 = 3600;

/// Everybody connected.
pub(crate) async fn list(State(app): State<App>) -> Json<Vec<Session>> {
    Json(app.engine.snapshot().sessions.iter().map(Into::into).collect())
}

/// One of them.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Session>, Problem> {
    let snapshot = app.engine.snapshot();
    let found = snapshot.sessions.iter().map(Session::from).find(|session| session.id == id);
    found.map(Json).ok_or_else(|| Code::NotFound.into())
}

/// Closes a session.
pub(crate) async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if !app.engine.disconnect(id.as_str().into()).await? {
        return Err(Code::NotFound.into());
    }
    app.sockets.close_session(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody who was refused, folded by address and reason.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    #[schema(example = "192.0.2.9")]
    address: String,
    /// Stable.
    #[schema(schema_with = crate::openapi::refusal_code)]
    reason: String,
    /// How often.
    count: u64,
    #[schema(format = DateTime)]
    first: String,
    #[schema(format = DateTime)]
    last: String,
    /// Until when its address is blocked; `null` or in the past: it is not.
    #[schema(format = DateTime)]
    blocked_until: Option<String>,
}

impl From<&relay::Refusal> for Refusal {
    fn from(relay::Refusal { address, reason, count, first, last, blocked_until }: &relay::Refusal) -> Self {
        Self {
            address: address.clone(),
            reason: (*reason).to_owned(),
            count: *count,
            first: first.clone(),
            last: last.clone(),
            blocked_until: blocked_until.clone(),
        }
    }
}

/// Who was refused lately.
pub(crate) async fn refusals(State(app): State<App>) -> Json<Vec<Refusal>> {
    Json(app.engine.snapshot().refusals.iter().map(Into::into).collect())
}

/// `POST /refusals/{address}/block`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "for the document; the field is read by itself")]
pub(crate) struct BlockTime {
    /// How long, s.
    #[schema(minimum = 1, maximum = 86_400, default = 3600)]
    for_s: Option<u64>,
}

/// A blocked address.
#[derive(Serialize, ToSchema)]
pub(crate) struct Blocked {
    #[schema(value_type = String, example = "192.0.2.9")]
    address: IpAddr,
    #[schema(value_type = String, format = DateTime)]
    until: Time,
}

/// Blocks an address for a while.
pub(crate) async fn block(
    State(app): State<App>,
    caller: Caller,
    Path(address): Path<String>,
    body: body::Json,
) -> Result<Json<Blocked>, Problem> {
    let mut fields = body.fields()?;
    let seconds = fields.number("forS", BLOCK_S).unwrap_or(BLOCK_S_DEFAULT);
    fields.finish()?;
    let (address, time) = (read_address(&address)?, Duration::from_secs(seconds));
    app.engine.block(address, time).await?;
    app.note(Deed::AddressBlocked { address, time }.event(Some(&caller.user.username))).await;
    Ok(Json(Blocked { address, until: Time::now().after(time) }))
}

/// Ends a block.
pub(crate) async fn unblock(
    State(app): State<App>,
    caller: Caller,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let address = read_address(&address)?;
    app.engine.unblock(address).await?;
    app.note(Deed::AddressUnblocked { address }.event(Some(&caller.user.username))).await;
    Ok(StatusCode::NO_CONTENT)
}

fn read_address(text: &str) -> Result<IpAddr, Problem> {
    let address = text.parse::<IpAddr>().map_err(|_| {
        Problem::new(Code::Invalid).errors(vec![FieldError {
            field: "address".into(),
            code: "address",
            message: "Give an IPv4 or IPv6 address without a port.".into(),
        }])
    })?;
    Ok(address.to_canonical())
}
