//! Places to publish to.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use brookbox_store::{Input, InputLimits, Store, Time};
use brookbox_vault::stream_key;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::bridge::input_for_engine;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::resources::{NO_STORE, obs};
use crate::sentences::Deed;

/// Protocols that may publish.
const PROTOCOLS: [(&str, &str); 1] = [("rtmp", "rtmp")];
/// Length of a stream key of one's own.
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 16..=128;

/// A place to publish to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InputView {
    #[schema(example = "main")]
    id: String,
    #[schema(example = "Main")]
    name: String,
    /// The end of the stream key.
    #[schema(example = "…7Q2x")]
    key_hint: String,
    /// A disabled input refuses every publisher.
    enabled: bool,
    #[schema(example = json!(["rtmp"]))]
    protocols: Vec<String>,
    limits: Limits,
    /// Whether publishers from public addresses are let in.
    allow_public: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// What one input allows.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Limits {
    /// Most that a publisher may send, bit/s as a 5 s mean; above it the session is closed.
    #[schema(minimum = 100_000, maximum = 1_000_000_000)]
    bitrate_bps: u64,
    /// Most sessions (publishers and viewers) at once.
    #[schema(minimum = 1, maximum = 64)]
    sessions: u32,
}

impl From<Input> for InputView {
    fn from(input: Input) -> Self {
        Self {
            key_hint: input.key_hint(),
            id: input.id,
            name: input.name,
            enabled: input.enabled,
            protocols: input.protocols,
            limits: Limits { bitrate_bps: input.limits.bitrate_bps, sessions: input.limits.sessions },
            allow_public: input.allow_public,
            created_at: input.created_at,
        }
    }
}

/// `POST /inputs`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewInput {
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    #[schema(value_type = bool, required = false, default = true)]
    enabled: bool,
    /// At least one; `rtmp` is the one there is.
    #[schema(value_type = Vec<String>, required = false, min_items = 1, example = json!(["rtmp"]))]
    protocols: Vec<&'static str>,
    #[schema(value_type = LimitsChange, required = false)]
    limits: InputLimits,
    #[schema(value_type = bool, required = false, default = false)]
    allow_public: bool,
    /// A key of one's own; without it a random one is made. Only in `POST`.
    #[schema(value_type = Option<String>, write_only, pattern = "^[A-Za-z0-9._~-]{16,128}$")]
    key: Option<SecretString>,
}

/// Limits to be set; one that is missing keeps its value. A new input has that of `[limits]` in the configuration file: if
/// that says nothing, 100 Mbit/s and 16 sessions.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "for the document; the fields are read one by one")]
pub(crate) struct LimitsChange {
    #[schema(value_type = u64, required = false, minimum = 100_000, maximum = 1_000_000_000)]
    bitrate_bps: Option<u64>,
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 64)]
    sessions: Option<u32>,
}

impl NewInput {
    /// Reads a new input.
    fn read(mut fields: Fields, limits: InputLimits) -> Result<Self, Problem> {
        let key = own_key(&mut fields);
        Self::read_rest(fields, key, limits)
    }

    /// Reads a whole input as a change made it.
    fn read_change(mut fields: Fields, input: &Input) -> Result<Self, Problem> {
        fields.read_only("id", &json!(input.id));
        fields.read_only("keyHint", &json!(input.key_hint()));
        fields.read_only("createdAt", &json!(input.created_at));
        if fields.has("key") {
            fields.error("key", "read_only", "Change the key by POST …/rotate-key.");
            fields.ignore("key");
        }
        Self::read_rest(fields, None, input.limits)
    }

    /// `limits` hold where nothing else is said.
    fn read_rest(mut fields: Fields, key: Option<SecretString>, mut limits: InputLimits) -> Result<Self, Problem> {
        let there = fields.has("name");
        let name = fields.line("name", 1..=80);
        let name = fields.need("name", there, name);
        let enabled = fields.flag("enabled").unwrap_or(true);
        let protocols = fields.words("protocols", &PROTOCOLS).unwrap_or_else(|| vec!["rtmp"]);
        if protocols.is_empty() {
            fields.error("protocols", "too_short", "Name at least one protocol, or disable the input.");
        }
        fields.inside("limits", |fields| {
            if let Some(bitrate) = fields.number("bitrateBps", 100_000..=1_000_000_000) {
                limits.bitrate_bps = bitrate;
            }
            if let Some(sessions) = fields.number("sessions", 1..=64).and_then(|number| number.try_into().ok()) {
                limits.sessions = sessions;
            }
        });
        let allow_public = fields.flag("allowPublic").unwrap_or(false);
        fields.finish()?;
        // `finish` returns when it is missing.
        let Some(name) = name else { return Err(Code::Invalid.into()) };
        Ok(Self { name, enabled, protocols, limits, allow_public, key })
    }
}

/// A stream key of one's own.
fn own_key(fields: &mut Fields) -> Option<SecretString> {
    let key = fields.secret("key")?;
    let text = key.expose_secret();
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)) {
        fields.error("key", "characters", "Use letters, digits and `.` `_` `~` `-` only.");
    } else if text.len() < *KEY_LENGTH.start() {
        fields.error("key", "too_short", "Use at least 16 characters: whoever guesses the key can publish.");
    } else if text.len() > *KEY_LENGTH.end() {
        fields.error("key", "too_long", "Use at most 128 characters.");
    } else {
        return Some(key);
    }
    None
}

/// All inputs.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<InputView>>, Problem> {
    let inputs = app.db(Store::inputs).await?;
    Ok(Json(inputs.into_iter().map(Into::into).collect()))
}

/// One input.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<InputView>, Problem> {
    let input = app.db(move |store| store.input(&id)).await?;
    Ok(Json(input.into()))
}

/// Adds an input.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: body::Json,
) -> Result<(StatusCode, Json<InputView>), Problem> {
    let new = NewInput::read(body.fields()?, app.config.input_limits)?;
    let key = match new.key {
        Some(key) => key,
        None => stream_key()?,
    };
    let input = Input {
        id: brookbox_vault::id()?,
        name: new.name,
        key,
        enabled: new.enabled,
        protocols: new.protocols.iter().map(|&protocol| protocol.to_owned()).collect(),
        limits: new.limits,
        allow_public: new.allow_public,
        created_at: Time::now(),
    };
    let _order = app.writes.lock().await;
    let added = input.clone();
    app.db(move |store| store.add_input(&added)).await?;
    app.engine.put_input(input_for_engine(&input)).await?;
    let deed = Deed::InputAdded { input: &input.id, name: &input.name };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok((StatusCode::CREATED, Json(input.into())))
}

/// Changes an input.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(patch): body::Json,
) -> Result<Json<InputView>, Problem> {
    let _order = app.writes.lock().await;
    let input = app
        .db(move |store| {
            store.update_input(&id, |input| {
                let now = json!({
                    "name": input.name,
                    "enabled": input.enabled,
                    "protocols": input.protocols,
                    "limits": input.limits,
                    "allowPublic": input.allow_public,
                });
                let new = NewInput::read_change(Fields::patched(now, patch, &[])?, input)?;
                input.name = new.name;
                input.enabled = new.enabled;
                input.protocols = new.protocols.iter().map(|&protocol| protocol.to_owned()).collect();
                input.limits = new.limits;
                input.allow_public = new.allow_public;
                Ok::<_, Problem>(())
            })
        })
        .await?;
    app.engine.put_input(input_for_engine(&input)).await?;
    let deed = Deed::InputChanged { input: &input.id, name: &input.name };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(Json(input.into()))
}

/// Deletes an input that no destination takes anything from. One stays.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let _order = app.writes.lock().await;
    let gone = id.clone();
    let name = app
        .db(move |store| {
            let name = store.input(&gone)?.name;
            if store.inputs()?.len() == 1 {
                return Err(
                    Problem::new(Code::Conflict).detail("The box needs at least one input; disable it instead.")
                );
            }
            store.delete_input(&gone)?;
            if let Err(error) = store.delete_secrets(&obs::all_kept_under(&gone)) {
                tracing::warn!(%error, "what was kept of OBS was not forgotten");
            }
            Ok(name)
        })
        .await?;
    app.engine.remove_input(id.as_str().into()).await?;
    let deed = Deed::InputDeleted { input: &id, name: &name };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A stream key.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamKey {
    #[schema(example = "…")]
    key: String,
}

/// Reads an input's stream key.
pub(crate) async fn read_key(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<StreamKey>), Problem> {
    let input = app.db(move |store| store.input(&id)).await?;
    // The key is shown only if it stays known that it was.
    let deed = Deed::KeyRead { input: &input.id, name: &input.name };
    app.event(deed.event(Some(&caller.user.username))).await?;
    Ok(([NO_STORE], Json(StreamKey { key: input.key.expose_secret().to_owned() })))
}

/// `POST /inputs/{id}/rotate-key`
#[derive(ToSchema)]
pub(crate) struct KeyChange {
    /// A key of one's own; without it a random one is made.
    #[schema(value_type = Option<String>, write_only, pattern = "^[A-Za-z0-9._~-]{16,128}$")]
    #[expect(dead_code, reason = "for the document; what is read goes straight into the input")]
    key: Option<SecretString>,
}

/// Gives an input a new stream key, which closes whoever publishes with the old one.
pub(crate) async fn rotate_key(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: body::Json,
) -> Result<Json<InputView>, Problem> {
    let mut fields = body.fields()?;
    let key = own_key(&mut fields);
    fields.finish()?;
    let key = match key {
        Some(key) => key,
        None => stream_key()?,
    };
    let _order = app.writes.lock().await;
    let input = app
        .db(move |store| {
            store.update_input(&id, |input| {
                input.key = key;
                Ok::<_, Problem>(())
            })
        })
        .await?;
    app.engine.put_input(input_for_engine(&input)).await?;
    let deed = Deed::KeyChanged { input: &input.id, name: &input.name };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(Json(input.into()))
}
