//! Where outputs are sent.

use std::net::IpAddr;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use brookbox_store::{Destination, StartMode, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::auth::Caller;
use crate::body;
use crate::bridge::destination_for_engine;
use crate::codes;
use crate::fields::Fields;
use crate::platforms::{self, CUSTOM, Platform};
use crate::problem::{Code, Problem};
use crate::resources::outputs;
use crate::security::Connection;
use crate::sentences::Deed;
use crate::target::{self, Refused, Rules};

const START_MODES: [(&str, StartMode); 2] = [("withStream", StartMode::WithStream), ("manual", StartMode::Manual)];
/// Longest that a destination is retried: a week.
const RETRY_S: std::ops::RangeInclusive<u64> = 1..=604_800;
/// What a destination can be without.
const NULLABLE: [&str; 5] = ["url", "retryForS", "backupUrl", "username", "password"];
const POSITIONS: std::ops::RangeInclusive<u64> = 0..=1_000_000;

/// Where one output is sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DestinationView {
    id: String,
    #[schema(example = "Club")]
    name: String,
    /// A platform's id, or `custom`.
    #[schema(example = "custom")]
    platform: String,
    /// The address up to the application; `null`: the platform's own.
    #[schema(example = "rtmp://192.0.2.7/app")]
    url: Option<String>,
    /// The end of the stream key.
    #[schema(example = "…7Q2x")]
    key_hint: String,
    #[schema(example = "main/passthrough")]
    output: String,
    /// The person's switch.
    enabled: bool,
    #[schema(schema_with = crate::openapi::start_mode)]
    start_mode: StartMode,
    /// How long it is retried, s; `null`: without end.
    retry_for_s: Option<u32>,
    /// An address to take turns with after three failures in a row.
    backup_url: Option<String>,
    /// For servers that ask for one.
    username: Option<String>,
    /// Whether there is a password for servers that ask for one.
    has_password: bool,
    /// Whether it may be inside the own network.
    allow_local: bool,
    /// Place in the list.
    position: i64,
    /// Worth a look; nothing that keeps it from working.
    warnings: Vec<Warning>,
}

/// Something about a destination that is worth a look.
#[derive(Serialize, ToSchema)]
struct Warning {
    /// Stable.
    #[schema(schema_with = crate::openapi::warning_code)]
    code: &'static str,
    /// The other destination that it is about.
    other: String,
    message: String,
}

impl DestinationView {
    /// A destination among all of them.
    fn new(destination: Destination, all: &[Destination]) -> Self {
        let warnings = all.iter().filter(|other| sends_to_the_same(&destination, other)).map(|other| Warning {
            code: codes::DUPLICATE_KEY,
            other: other.id.clone(),
            message: format!(
                "{} uses the same key at the same address; most platforms take only one of them.",
                other.name
            ),
        });
        Self {
            warnings: warnings.collect(),
            key_hint: destination.key_hint(),
            id: destination.id,
            name: destination.name,
            platform: destination.platform,
            url: destination.url,
            output: destination.output,
            enabled: destination.enabled,
            start_mode: destination.start_mode,
            retry_for_s: destination.retry_for_s,
            backup_url: destination.backup_url,
            username: destination.username,
            has_password: destination.password.is_some(),
            allow_local: destination.allow_local,
            position: destination.position,
        }
    }
}

fn sends_to_the_same(one: &Destination, other: &Destination) -> bool {
    let address = |destination: &Destination| {
        let fixed = || platforms::platform(&destination.platform).and_then(|platform| platform.url.clone());
        destination.url.clone().or_else(fixed)
    };
    one.id != other.id && address(one) == address(other) && brookbox_vault::same(&one.key, &other.key)
}

/// `POST /destinations`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewDestination {
    /// Without one, the platform's name.
    #[schema(value_type = String, required = false, min_length = 1, max_length = 80, example = "Club")]
    name: String,
    /// A platform's id, or `custom`.
    #[schema(value_type = String, required = false, default = "custom", example = "custom")]
    platform: String,
    /// `rtmp://` or `rtmps://` address up to the application, without the key; `${NAME}` stands for a variable. Not needed
    /// where the platform has an address for everybody.
    #[schema(max_length = 1024, example = "rtmp://192.0.2.7/app")]
    url: Option<String>,
    /// The stream key; `${NAME}` stands for a variable. Never read back.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 512)]
    key: Option<SecretString>,
    #[schema(value_type = String, required = false, default = "main/passthrough")]
    output: String,
    #[schema(value_type = bool, required = false, default = true)]
    enabled: bool,
    #[schema(required = false, schema_with = crate::openapi::start_mode_or_default)]
    start_mode: StartMode,
    /// How long it is retried, s; `null`: without end.
    #[schema(minimum = 1, maximum = 604_800)]
    retry_for_s: Option<u32>,
    /// An address to take turns with after three failures in a row.
    #[schema(max_length = 1024)]
    backup_url: Option<String>,
    /// For servers that ask for one; together with `password`.
    #[schema(min_length = 1, max_length = 128)]
    username: Option<String>,
    /// Never read back.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 512)]
    password: Option<SecretString>,
    /// Whether it may be inside the own network.
    #[schema(value_type = bool, required = false, default = false)]
    allow_local: bool,
    /// Place in the list; without one, the last.
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 1_000_000)]
    position: Option<u32>,
}

/// What a destination is checked against.
struct Surroundings {
    app: App,
    local: IpAddr,
    /// Whether a person asks. A program with a token could have a key sent to itself, and read it so.
    in_person: bool,
}

impl Surroundings {
    fn of(app: &App, caller: &Caller, connection: Connection) -> Self {
        Self { app: app.clone(), local: connection.local.ip().to_canonical(), in_person: caller.sign_in().is_some() }
    }
}

impl NewDestination {
    /// Reads all fields. `now` is the destination that is changed: what it keeps secret need not be sent again.
    fn read(mut fields: Fields, now: Option<&Destination>, around: &Surroundings) -> Result<Self, Problem> {
        let variables = &around.app.config.variable_names;
        let allow_local = fields.flag("allowLocal").unwrap_or(false);
        let platform = read_platform(&mut fields);
        let same_key = now.filter(|_| !fields.has("key"));
        let same_password = now.filter(|now| !fields.has("password") && now.password.is_some());
        let key = read_key(&mut fields, now, variables);
        let rules = Rules {
            platform,
            allow_local,
            key: key.as_ref().or(now.map(|now| &now.key)),
            variables,
            ingest: around.app.engine.rtmp(),
            local: around.local,
        };
        let there = fields.has("url");
        // What was right when it was written stays, though a variable that it names may be gone since.
        let kept = now.filter(|now| {
            key.is_none() && allow_local == now.allow_local && platform.is_some_and(|known| known.id == now.platform)
        });
        let url = read_url(&mut fields, "url", &rules, kept.and_then(|kept| kept.url.as_deref()));
        if !there && platform.is_some_and(|platform| platform.url.is_none()) {
            let form = platform.and_then(|platform| platform.url_form.as_deref());
            let form = form.unwrap_or("rtmp://host/app");
            fields.error("url", "required", format!("Give the server's address, as in `{form}`."));
        }
        let backup_url = read_url(&mut fields, "backupUrl", &rules, kept.and_then(|kept| kept.backup_url.as_deref()));
        if let (Some(now), Some(platform)) = (now.filter(|_| !around.in_person), platform) {
            let addresses = [if there { url.as_ref() } else { platform.url.as_ref() }, backup_url.as_ref()];
            if !addresses.into_iter().flatten().all(|address| secrets_may_go(now, platform, address)) {
                let message = |what| format!("The server is another one: a token has to give the {what} again.");
                if same_key.is_some() {
                    fields.error("key", "required", message("stream key"));
                }
                if same_password.is_some() && fields.has("username") {
                    fields.error("password", "required", message("password"));
                }
            }
        }
        let name = fields.line("name", 1..=80);
        let output = read_output(&mut fields);
        let enabled = fields.flag("enabled").unwrap_or(true);
        let start_mode = fields.word("startMode", &START_MODES).unwrap_or(StartMode::WithStream);
        let retry_for_s = fields.number("retryForS", RETRY_S).and_then(|seconds| seconds.try_into().ok());
        let (username, password) = read_login(&mut fields, now);
        let position = fields.number("position", POSITIONS).and_then(|position| position.try_into().ok());
        fields.finish()?;
        let name = name.or_else(|| platform.map(|platform| platform.name.clone())).unwrap_or_default();
        let platform = platform.map_or(CUSTOM, |platform| &platform.id).to_owned();
        Ok(Self {
            name,
            platform,
            url,
            key,
            output,
            enabled,
            start_mode,
            retry_for_s,
            backup_url,
            username,
            password,
            allow_local,
            position,
        })
    }

    /// Puts everything in place. What was not sent and is not known stays.
    fn apply(self, to: &mut Destination) {
        to.name = self.name;
        to.platform = self.platform;
        to.url = self.url;
        to.output = self.output;
        to.enabled = self.enabled;
        to.start_mode = self.start_mode;
        to.retry_for_s = self.retry_for_s;
        to.backup_url = self.backup_url;
        to.password = self.username.as_ref().and(self.password.or_else(|| to.password.take()));
        to.username = self.username;
        to.allow_local = self.allow_local;
        if let Some(key) = self.key {
            to.key = key;
        }
        if let Some(position) = self.position {
            to.position = position.into();
        }
    }
}

/// Whether what a destination keeps secret may go to `address`, on a `platform` that may be another one than before.
fn secrets_may_go(now: &Destination, platform: &Platform, address: &str) -> bool {
    let own = platforms::platform(&now.platform).and_then(|platform| platform.url.as_ref());
    let known = [now.url.as_ref().or(own), now.backup_url.as_ref()];
    let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    let suffixes = if platform.id == now.platform { &platform.host_suffixes[..] } else { &[] };
    target::may_follow(address, &known, suffixes)
}

fn read_platform(fields: &mut Fields) -> Option<&'static Platform> {
    if !fields.has("platform") {
        return platforms::platform(CUSTOM);
    }
    let id = fields.string("platform")?;
    let found = platforms::platform(&id);
    if found.is_none() {
        fields.error("platform", "unknown_value", "GET /platforms lists them; for your own server use `custom`.");
    }
    found
}

fn read_key(
    fields: &mut Fields,
    now: Option<&Destination>,
    variables: &std::collections::BTreeSet<String>,
) -> Option<SecretString> {
    let there = fields.has("key");
    let key = fields.secret("key");
    if !there && now.is_none() {
        fields.error("key", "required", "Paste the stream key that the platform shows.");
    }
    if let Err((code, message)) = key.as_ref().map_or(Ok(()), |key| target::key(key, variables)) {
        fields.error("key", code, message);
        return None;
    }
    key
}

fn read_url(fields: &mut Fields, name: &str, rules: &Rules<'_>, kept: Option<&str>) -> Option<String> {
    let text = fields.string(name)?;
    if kept == Some(&text) {
        return Some(text);
    }
    match target::url(&text, rules) {
        Ok(url) => return Some(url),
        Err(Refused::Wrong((code, message))) => fields.error(name, code, message),
        Err(Refused::NotAllowed(message)) => fields.error_with(Code::AddressNotAllowed, name, message),
    }
    None
}

/// An output's form; whether its input exists is the store's to say.
fn read_output(fields: &mut Fields) -> String {
    let Some(output) = fields.string("output") else { return outputs::default() };
    if outputs::input_of(&output).is_none() {
        fields.error(
            "output",
            "unknown_value",
            "GET /outputs lists them; `main/passthrough` is the stream as it comes.",
        );
    }
    output
}

/// User name and password come and go together.
fn read_login(fields: &mut Fields, now: Option<&Destination>) -> (Option<String>, Option<SecretString>) {
    let there = (fields.has("username"), fields.has("password"));
    let kept = now.is_some_and(|now| now.password.is_some()) && !fields.is_removed("password");
    let username = fields.line("username", 1..=128);
    let password = fields.secret("password");
    if there.0 && !there.1 && !kept {
        fields.error("password", "required", "A user name needs its password.");
    } else if there.1 && !there.0 {
        fields.error("username", "required", "A password needs its user name.");
    }
    let length = password.as_ref().map_or(1, |password| password.expose_secret().len());
    if !(1..=512).contains(&length) {
        fields.error("password", "length", "Use 1 to 512 characters.");
    }
    (username, password)
}

/// Checks a destination that comes from elsewhere as if it were sent now, and returns it as it is stored.
pub(crate) fn check(app: &App, local: IpAddr, destination: Destination) -> Result<Destination, Problem> {
    let mut wanted = patchable(&destination);
    if let Some(wanted) = wanted.as_object_mut() {
        wanted.insert("key".into(), destination.key.expose_secret().into());
        if let Some(password) = &destination.password {
            wanted.insert("password".into(), password.expose_secret().into());
        }
    }
    let mut checked = destination;
    NewDestination::read(Fields::of(wanted)?, None, &Surroundings { app: app.clone(), local, in_person: false })?
        .apply(&mut checked);
    Ok(checked)
}

/// What a merge patch works on: everything but the secrets, which a patch can only replace.
fn patchable(destination: &Destination) -> Value {
    json!({
        "name": destination.name,
        "platform": destination.platform,
        "url": destination.url,
        "output": destination.output,
        "enabled": destination.enabled,
        "startMode": destination.start_mode,
        "retryForS": destination.retry_for_s,
        "backupUrl": destination.backup_url,
        "username": destination.username,
        "allowLocal": destination.allow_local,
        "position": destination.position,
    })
}

/// A patch that removes the password alone removes the user name with it, which is of no use without.
fn with_login(mut patch: Value) -> Value {
    if let Some(patch) = patch.as_object_mut().filter(|patch| patch.get("password") == Some(&Value::Null)) {
        patch.entry("username").or_insert(Value::Null);
    }
    patch
}

/// All destinations by position.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<DestinationView>>, Problem> {
    let all = app.db(Store::destinations).await?;
    Ok(Json(all.iter().map(|one| DestinationView::new(one.clone(), &all)).collect()))
}

/// One destination.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<DestinationView>, Problem> {
    app.db(move |store| view(store, store.destination(&id)?)).await.map(Json)
}

/// Adds a destination.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    body: body::Json,
) -> Result<(StatusCode, Json<DestinationView>), Problem> {
    let around = Surroundings::of(&app, &caller, connection);
    let new = NewDestination::read(body.fields()?, None, &around)?;
    let mut destination = Destination {
        id: brookbox_vault::id()?,
        name: String::new(),
        platform: String::new(),
        url: None,
        backup_url: None,
        key: SecretString::default(),
        output: String::new(),
        enabled: false,
        start_mode: StartMode::WithStream,
        retry_for_s: None,
        username: None,
        password: None,
        allow_local: false,
        position: 0,
    };
    let placed = new.position.is_some();
    new.apply(&mut destination);
    let _order = app.writes.lock().await;
    let destination = app
        .db(move |store| {
            if !placed {
                destination.position = store.destinations()?.iter().map(|other| other.position + 1).max().unwrap_or(0);
            }
            store.add_destination(&destination)?;
            Ok::<_, brookbox_store::Error>(destination)
        })
        .await?;
    tell(&app, &destination).await?;
    let deed = Deed::DestinationAdded { destination: &destination.id, name: &destination.name };
    app.note(deed.event(Some(&caller.user.username))).await;
    let view = app.db(move |store| view(store, destination)).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Changes a destination. One that is live reconnects only if where or what it sends changed.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    Path(id): Path<String>,
    body::Json(patch): body::Json,
) -> Result<Json<DestinationView>, Problem> {
    let around = Surroundings::of(&app, &caller, connection);
    let deed: What = |d| Deed::DestinationChanged { destination: &d.id, name: &d.name };
    change(&app, &caller, id, deed, move |destination| {
        let mut fields = Fields::patched(patchable(destination), with_login(patch), &NULLABLE)?;
        fields.read_only("id", &json!(destination.id));
        fields.read_only("keyHint", &json!(destination.key_hint()));
        fields.read_only("hasPassword", &json!(destination.password.is_some()));
        fields.ignore("warnings");
        NewDestination::read(fields, Some(destination), &around)?.apply(destination);
        Ok(())
    })
    .await
}

/// Switches a destination on.
pub(crate) async fn on(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DestinationView>, Problem> {
    let deed: What = |d| Deed::SwitchedOn { destination: &d.id, name: &d.name };
    change(&app, &caller, id, deed, |destination| {
        destination.enabled = true;
        Ok(())
    })
    .await
}

/// Switches a destination off.
pub(crate) async fn off(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DestinationView>, Problem> {
    let deed: What = |d| Deed::SwitchedOff { destination: &d.id, name: &d.name };
    change(&app, &caller, id, deed, |destination| {
        destination.enabled = false;
        Ok(())
    })
    .await
}

/// Tries a destination that is `retrying` or `failed` now.
pub(crate) async fn retry(State(app): State<App>, Path(id): Path<String>) -> Result<Json<DestinationView>, Problem> {
    let found = id.clone();
    let view = app.db(move |store| view(store, store.destination(&found)?)).await?;
    app.engine.retry(id.into()).await?;
    Ok(Json(view))
}

/// Ends a destination properly and deletes it.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let _order = app.writes.lock().await;
    let gone = id.clone();
    let name = app
        .db(move |store| {
            let name = store.destination(&gone)?.name;
            store.delete_destination(&gone).map(|()| name)
        })
        .await?;
    app.engine.remove_destination(id.as_str().into()).await?;
    let deed = Deed::DestinationDeleted { destination: &id, name: &name };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What somebody did to a destination.
type What = for<'a> fn(&'a Destination) -> Deed<'a>;

/// Changes a destination in the store, then in the engine, and says who did it.
async fn change(
    app: &App,
    caller: &Caller,
    id: String,
    deed: What,
    change: impl FnOnce(&mut Destination) -> Result<(), Problem> + Send + 'static,
) -> Result<Json<DestinationView>, Problem> {
    let _order = app.writes.lock().await;
    let destination = app.db(move |store| store.update_destination(&id, change)).await?;
    tell(app, &destination).await?;
    app.note(deed(&destination).event(Some(&caller.user.username))).await;
    app.db(move |store| view(store, destination)).await.map(Json)
}

pub(crate) async fn tell(app: &Shared, destination: &Destination) -> Result<(), Problem> {
    Ok(app.engine.put_destination(destination_for_engine(destination)).await?)
}

fn view(store: &Store, destination: Destination) -> Result<DestinationView, brookbox_store::Error> {
    Ok(DestinationView::new(destination, &store.destinations()?))
}
