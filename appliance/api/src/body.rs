//! Reading a JSON body, up to its limit, and making a long one.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::{App, Shared, blocking};
use crate::fields::Fields;
use crate::problem::{Code, Problem};

/// Largest JSON body, in bytes, where a route does not say otherwise.
pub(crate) const JSON_BYTES: usize = 64 << 10;
/// Largest body of any route.
pub(crate) const MOST_BYTES: usize = 3 << 19;
/// How much of a larger one is read and thrown away, so that its sender gets to see the answer.
const DRAINED: usize = 2 << 20;

/// A JSON body.
pub(crate) struct Json(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for Json {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_patch = request.method() == Method::PATCH;
        // The layer of the route has seen to its own limit.
        let bytes = read(request.into_body(), MOST_BYTES).await?;
        if bytes.is_empty() && !is_patch {
            // No fields are named, which is what an empty object says.
            return Ok(Self(Value::Object(Map::new())));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // Where, and not what: the text near an error may be a secret.
            let place = format!("Not JSON at line {}, column {}.", error.line(), error.column());
            Problem::new(Code::BadJson).detail(place)
        })
    }
}

impl Json {
    /// The fields of an object.
    pub(crate) fn fields(self) -> Result<Fields, Problem> {
        Fields::of(self.0)
    }
}

/// A body up to a limit.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, Problem> {
    let mut limited = Limited::new(body, DRAINED);
    let mut kept = Vec::new();
    let mut seen = 0;
    while let Some(frame) = limited.frame().await {
        let frame = frame.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Problem::new(Code::TooLarge),
            None => Problem::new(Code::BadRequest).detail("The body did not arrive whole."),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen <= most {
            kept.extend_from_slice(&data);
        }
    }
    if seen > most {
        return Err(Problem::new(Code::TooLarge).detail(format!("At most {most} bytes.")));
    }
    Ok(kept.into())
}

/// A long answer in JSON, made on a thread where that delays nobody; two are made at a time.
pub(crate) async fn long<T: Serialize>(
    app: &App,
    work: impl FnOnce(&Shared) -> Result<T, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    // Held by the work itself: it goes on when whoever asked has gone.
    let turn = app.long_answers.clone().acquire_owned().await.map_err(|_| Code::Internal)?;
    let app = app.clone();
    let json = blocking(move || {
        let _turn = turn;
        serde_json::to_vec(&work(&app)?).map_err(|_| Code::Internal.into())
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response())
}
