//! Profiles: the destinations with their switches under a name, to switch to.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use brookbox_store::{Destination, Profile, Role, Severity, StartMode, Store, Time, Undo, Undone, portable};
use brookbox_vault::ExportError;
use brookbox_vault::export::{self as file, Content};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::difference::{self, Change, ProfileRow};
use crate::fields::Fields;
use crate::problem::{Code, FieldError, Problem};
use crate::resources::{NO_STORE, destinations};
use crate::security::Connection;
use crate::sentences::{Deed, plain};
use crate::{body, people};

const NAME: std::ops::RangeInclusive<usize> = 1..=80;

/// A named set of destinations with their switches.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileView {
    id: String,
    #[schema(example = "Sunday")]
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When its destinations were last saved.
    #[schema(value_type = String, format = DateTime)]
    saved_at: Time,
    /// By position.
    destinations: Vec<ProfileDestination>,
    /// How many rows a switch would change; 0: the box is as the profile says.
    #[schema(example = 2)]
    differences: usize,
}

/// A destination as a profile keeps it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProfileDestination {
    id: String,
    #[schema(example = "Club")]
    name: String,
    /// A platform's id, or `custom`.
    #[schema(example = "custom")]
    platform: String,
    /// The address up to the application; `null`: the platform's own.
    url: Option<String>,
    /// The end of the stream key.
    #[schema(example = "…7Q2x")]
    key_hint: String,
    #[schema(example = "main/passthrough")]
    output: String,
    enabled: bool,
    #[schema(schema_with = crate::openapi::start_mode)]
    start_mode: StartMode,
}

impl From<&Destination> for ProfileDestination {
    fn from(destination: &Destination) -> Self {
        Self {
            id: destination.id.clone(),
            name: destination.name.clone(),
            platform: destination.platform.clone(),
            url: destination.url.clone(),
            key_hint: destination.key_hint(),
            output: destination.output.clone(),
            enabled: destination.enabled,
            start_mode: destination.start_mode,
        }
    }
}

/// `POST /profiles`
#[derive(ToSchema)]
pub(crate) struct NewProfile {
    #[schema(min_length = 1, max_length = 80, example = "Sunday")]
    #[expect(dead_code, reason = "for the document; what is read is a profile's name at once")]
    name: String,
}

/// `POST /profiles/{id}/switch`
#[derive(ToSchema)]
pub(crate) struct Rows {
    /// Only these destinations; without it all that differ.
    #[schema(max_items = 512)]
    #[expect(dead_code, reason = "for the document; what is read are ids at once")]
    rows: Option<Vec<String>>,
}

/// Row by row what a switch changes, or has changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Comparison {
    /// The profile's id.
    id: String,
    #[schema(example = "Sunday")]
    name: String,
    /// First those of the profile in its order, then those that it does not know.
    rows: Vec<ProfileRow>,
}

/// What can be undone.
#[derive(Serialize, ToSchema)]
pub(crate) struct UndoState {
    /// `null`: nothing.
    undo: Option<UndoView>,
}

/// What can be undone, or was.
#[derive(Serialize, ToSchema)]
pub(crate) struct UndoView {
    /// `switched` to a profile, or `deleted` one.
    #[schema(example = "switched")]
    what: &'static str,
    /// The profile's id.
    profile: String,
    #[schema(example = "Sunday")]
    name: String,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// How many destinations it was about.
    destinations: usize,
}

impl From<&Undo> for UndoView {
    fn from(undo: &Undo) -> Self {
        Self {
            what: match undo.what {
                Undone::Switched => "switched",
                Undone::Deleted => "deleted",
            },
            profile: undo.profile.clone(),
            name: undo.name.clone(),
            at: undo.done_at,
            destinations: undo.rows.len(),
        }
    }
}

/// `POST /profiles/{id}/export`
#[derive(ToSchema)]
pub(crate) struct Export {
    /// What the file is encrypted by; whoever has both has the stream keys.
    #[schema(value_type = String, write_only, min_length = 10, max_length = 128)]
    #[expect(dead_code, reason = "for the document; what is read goes straight into the file")]
    password: SecretString,
}

/// `POST /profiles/import`
#[derive(ToSchema)]
pub(crate) struct Import {
    /// The file, in base64; at most 1 MiB of it.
    #[schema(content_encoding = "base64")]
    file: String,
    /// What it was encrypted by.
    #[schema(value_type = String, write_only)]
    password: SecretString,
    /// Another name than the one in the file.
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
}

/// All profiles.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<ProfileView>>, Problem> {
    let shared = app.clone();
    app.db(move |store| {
        let all = store.profiles()?;
        all.iter().map(|profile| view(&shared, store, profile)).collect::<Result<Vec<_>, Problem>>()
    })
    .await
    .map(Json)
}

/// One profile.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<ProfileView>, Problem> {
    shown(&app, id).await
}

/// Saves the destinations as they are now as a profile.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: body::Json,
) -> Result<(StatusCode, Json<ProfileView>), Problem> {
    let name = read_name(body.fields()?)?;
    let now = Time::now();
    let id = brookbox_vault::id()?;
    let _order = app.writes.lock().await;
    let (new, saved) = (id.clone(), name.clone());
    app.db(move |store| {
        let destinations = store.destinations()?;
        store.add_profile(&Profile { id: new, name: saved, created_at: now, saved_at: now, destinations })
    })
    .await?;
    note(&app, &caller, "profile_saved", Severity::Info, &name, |by, name| format!("{by} saved the profile {name}."))
        .await;
    Ok((StatusCode::CREATED, shown(&app, id).await?))
}

/// Gives a profile another name.
pub(crate) async fn patch(
    State(app): State<App>,
    Path(id): Path<String>,
    body::Json(patch): body::Json,
) -> Result<Json<ProfileView>, Problem> {
    let renamed = id.clone();
    app.db(move |store| {
        let profile = store.profile(&renamed)?;
        let mut fields = Fields::patched(json!({"name": profile.name}), patch, &[])?;
        fields.read_only("id", &json!(profile.id));
        fields.read_only("createdAt", &json!(profile.created_at));
        fields.read_only("savedAt", &json!(profile.saved_at));
        for figure in ["destinations", "differences"] {
            fields.ignore(figure);
        }
        Ok::<_, Problem>(store.rename_profile(&renamed, &read_name(fields)?)?)
    })
    .await?;
    shown(&app, id).await
}

/// Saves the destinations as they are now in a profile.
pub(crate) async fn save(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ProfileView>, Problem> {
    let _order = app.writes.lock().await;
    let saved = id.clone();
    let name = app
        .db(move |store| {
            store.save_profile(&saved, &store.destinations()?, Time::now())?;
            Ok::<_, brookbox_store::Error>(store.profile(&saved)?.name)
        })
        .await?;
    note(&app, &caller, "profile_saved", Severity::Info, &name, |by, name| format!("{by} saved the profile {name}."))
        .await;
    shown(&app, id).await
}

/// Deletes a profile.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let profile = app.db(move |store| store.delete_profile(&id, Time::now())).await?;
    let say = |by: &str, name: &str| format!("{by} deleted the profile {name}.");
    note(&app, &caller, "profile_deleted", Severity::Info, &profile.name, say).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows row by row what a switch by the same caller would change.
pub(crate) async fn compare(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Comparison>, Problem> {
    let (shared, by_owner) = (app.clone(), caller.role() == Some(Role::Owner));
    app.db(move |store| {
        let profile = store.profile(&id)?;
        let rows = rows(&shared, store, &profile, by_owner)?;
        Ok::<_, Problem>(Comparison { id: profile.id, name: profile.name, rows })
    })
    .await
    .map(Json)
}

/// Switches to a profile: everything is stored at once, then the engine is told row by row.
pub(crate) async fn switch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: body::Json,
) -> Result<Json<Comparison>, Problem> {
    let mut fields = body.fields()?;
    let chosen = fields.lines("rows", 512);
    fields.finish()?;
    let _order = app.writes.lock().await;
    let (shared, by_owner) = (app.clone(), caller.role() == Some(Role::Owner));
    let (profile, rows) = app
        .db(move |store| {
            let profile = store.profile(&id)?;
            let mut rows = rows(&shared, store, &profile, by_owner)?;
            if let Some(chosen) = &chosen {
                let unknown = chosen.iter().any(|id| rows.iter().all(|row| row.destination != *id));
                if unknown {
                    return Err(wrong("rows", "unknown_value", "The comparison lists the rows there are."));
                }
            }
            for row in &mut rows {
                let is_chosen = chosen.as_ref().is_none_or(|chosen| chosen.contains(&row.destination));
                row.done = is_chosen && row.change != Change::Same && row.problem.is_none();
            }
            let wanted: Vec<_> = rows
                .iter()
                .filter(|row| row.done)
                .map(|row| (row.destination.clone(), Some(row.wanted.clone())))
                .collect();
            if !wanted.is_empty() {
                store.switch_destinations((&profile.id, &profile.name), &wanted, Time::now())?;
            }
            Ok::<_, Problem>((profile, rows))
        })
        .await?;
    // First what ends, so that there is room for what begins.
    let (ending, beginning): (Vec<_>, Vec<_>) = rows.iter().filter(|row| row.done).partition(|row| !row.wanted.enabled);
    for row in ending.into_iter().chain(beginning) {
        destinations::tell(&app, &row.wanted).await?;
        let (destination, name) = (row.destination.as_str(), row.wanted.name.as_str());
        let deed = match row.change {
            Change::Add => Deed::DestinationAdded { destination, name },
            Change::Off => Deed::SwitchedOff { destination, name },
            Change::Edit | Change::Same => Deed::DestinationChanged { destination, name },
        };
        app.note(deed.event(Some(&caller.user.username))).await;
    }
    let say = |by: &str, name: &str| format!("{by} switched to the profile {name}.");
    note(&app, &caller, "profile_switched", Severity::Info, &profile.name, say).await;
    Ok(Json(Comparison { id: profile.id, name: profile.name, rows }))
}

/// Says what can be undone.
pub(crate) async fn get_undo(State(app): State<App>) -> Result<Json<UndoState>, Problem> {
    let undo = app.db(Store::undo).await?;
    Ok(Json(UndoState { undo: undo.as_ref().map(Into::into) }))
}

/// Undoes the last switch or deletion.
pub(crate) async fn undo(State(app): State<App>, caller: Caller) -> Result<Json<UndoView>, Problem> {
    let _order = app.writes.lock().await;
    let is_owner = caller.role() == Some(Role::Owner);
    let undo = app
        .db(move |store| {
            let mut undo = store.undo()?.ok_or(Code::NothingToUndo)?;
            // What took an input that is gone has nowhere to go back to.
            let inputs = store.inputs()?;
            undo.rows
                .retain(|(_, was)| was.as_ref().is_none_or(|was| inputs.iter().any(|input| input.id == was.input())));
            match undo.what {
                Undone::Deleted if !is_owner => return Err(Problem::new(Code::NotAllowed)),
                Undone::Deleted => _ = store.restore_profile()?,
                Undone::Switched => {
                    if !is_owner {
                        let now = store.destinations()?;
                        for (id, was) in &mut undo.rows {
                            let there = now.iter().find(|there| there.id == *id);
                            _ = was.as_mut().map(|was| difference::allow_no_more(was, there));
                        }
                    }
                    store.switch_destinations((&undo.profile, &undo.name), &undo.rows, Time::now())?;
                }
            }
            Ok::<_, Problem>(undo)
        })
        .await?;
    if undo.what == Undone::Switched {
        for (id, was) in &undo.rows {
            match was {
                Some(was) => destinations::tell(&app, was).await?,
                None => _ = app.engine.remove_destination(id.as_str().into()).await?,
            }
        }
    }
    let say = |by: &str, name: &str| match undo.what {
        Undone::Switched => format!("{by} undid the switch to the profile {name}."),
        Undone::Deleted => format!("{by} brought the profile {name} back."),
    };
    let code = match undo.what {
        Undone::Switched => "profile_undone",
        Undone::Deleted => "profile_restored",
    };
    note(&app, &caller, code, Severity::Info, &undo.name, say).await;
    Ok(Json((&undo).into()))
}

/// Gives a profile as an encrypted file.
pub(crate) async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: body::Json,
) -> Result<Response, Problem> {
    let mut fields = body.fields()?;
    let password = people::new_password(&mut fields, "password", None);
    fields.finish()?;
    // `finish` returns when it is missing.
    let Some(password) = password else { return Err(Code::Invalid.into()) };
    let (name, text) = app
        .db(move |store| {
            let Profile { name, destinations, .. } = store.profile(&id)?;
            let text = portable::write_profile(&name, &destinations)?;
            Ok::<_, brookbox_store::Error>((name, text))
        })
        .await?;
    let bytes = app.hashing.run(true, move || file::seal(Content::Profile, &text, &password)).await?;
    let say = |by: &str, name: &str| format!("{by} exported the profile {name} with its stream keys.");
    note(&app, &caller, "profile_exported", Severity::Warning, &name, say).await;
    let plain: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let disposition = format!("attachment; filename=\"brookbox-{}.profile\"", plain.trim_matches('-'));
    let disposition = HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let octets = HeaderValue::from_static("application/octet-stream");
    Ok(([NO_STORE, (header::CONTENT_TYPE, octets), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response())
}

/// Adds a profile from a file. Whole or not at all.
pub(crate) async fn import(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    body: body::Json,
) -> Result<(StatusCode, Json<ProfileView>), Problem> {
    let import = Import::read(body.fields()?)?;
    let bytes = BASE64_STANDARD.decode(import.file.as_bytes());
    let bytes = bytes.map_err(|_| wrong("file", "not_base64", "Send the file's bytes in base64."))?;
    let password = import.password;
    let opened = app.hashing.run(true, move || {
        let export = match file::Export::parse(&bytes, Content::Profile) {
            Ok(export) => export,
            Err(error) => return Ok(Err(error)),
        };
        match export.open(&password) {
            Err(ExportError::Vault(error)) => Err(error),
            opened => Ok(opened),
        }
    });
    let text = opened.await?.map_err(refused)?;
    let (name, destinations) = portable::read_profile(text.expose_secret())
        // It opened: whoever wrote this meant it so.
        .map_err(|error| {
            Problem::new(Code::FileUnknown).detail(format!("It is of another Brookbox version: {error}."))
        })?;
    let local = connection.local.ip().to_canonical();
    let destinations = accept(&app, local, destinations)?;
    let mut fields = Fields::of(json!({"name": import.name.unwrap_or(name)}))?;
    let name = name_of(&mut fields);
    fields.finish()?;
    let (now, id) = (Time::now(), brookbox_vault::id()?);
    let profile =
        Profile { id: id.clone(), name: name.unwrap_or_default(), created_at: now, saved_at: now, destinations };
    let name = profile.name.clone();
    app.db(move |store| store.add_profile(&profile)).await?;
    let say = |by: &str, name: &str| format!("{by} imported the profile {name}.");
    note(&app, &caller, "profile_imported", Severity::Info, &name, say).await;
    Ok((StatusCode::CREATED, shown(&app, id).await?))
}

/// Checks destinations that come from a file as if they were sent one by one. Leave to send into the own network is not
/// imported.
fn accept(app: &App, local: std::net::IpAddr, destinations: Vec<Destination>) -> Result<Vec<Destination>, Problem> {
    let most = usize::try_from(brookbox_store::MOST_DESTINATIONS).unwrap_or(usize::MAX);
    let mut accepted: Vec<Destination> = Vec::new();
    for (at, destination) in destinations.into_iter().enumerate() {
        let is_id = |id: &str| {
            (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if at >= most || !is_id(&destination.id) || accepted.iter().any(|other| other.id == destination.id) {
            let detail = format!("Destination {} in it has no id of its own, or is one too many.", at + 1);
            return Err(Problem::new(Code::FileDamaged).detail(detail));
        }
        let checked = destinations::check(app, local, destination)
            .map_err(|problem| problem.inside(&format!("destinations[{at}]")))?;
        accepted.push(Destination { allow_local: false, ..checked });
    }
    Ok(accepted)
}

fn refused(error: ExportError) -> Problem {
    match error {
        ExportError::WrongPassword => Code::WrongFilePassword.into(),
        ExportError::Damaged => Code::FileDamaged.into(),
        ExportError::Unknown => Problem::new(Code::FileUnknown).detail("It is of a newer Brookbox, or no profile."),
        _ => Code::FileUnknown.into(),
    }
}

impl Import {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let there = (fields.has("file"), fields.has("password"));
        let file = fields.string("file");
        let file = fields.need("file", there.0, file);
        let password = fields.secret("password");
        let password = fields.need("password", there.1, password);
        let name = fields.line("name", NAME);
        fields.finish()?;
        match (file, password) {
            (Some(file), Some(password)) => Ok(Self { file, password, name }),
            // `finish` returns when one of these is missing.
            _ => Err(Code::Invalid.into()),
        }
    }
}

fn read_name(mut fields: Fields) -> Result<String, Problem> {
    let name = name_of(&mut fields);
    fields.finish()?;
    // `finish` returns when it is missing.
    Ok(name.unwrap_or_default())
}

fn name_of(fields: &mut Fields) -> Option<String> {
    let there = fields.has("name");
    let name = fields.line("name", NAME);
    fields.need("name", there, name)
}

fn wrong(field: &str, code: &'static str, message: &str) -> Problem {
    Problem::new(Code::Invalid).errors(vec![FieldError { field: field.to_owned(), code, message: message.to_owned() }])
}

async fn shown(app: &App, id: String) -> Result<Json<ProfileView>, Problem> {
    let shared = app.clone();
    app.db(move |store| view(&shared, store, &store.profile(&id)?)).await.map(Json)
}

fn view(app: &App, store: &Store, profile: &Profile) -> Result<ProfileView, Problem> {
    let rows = rows(app, store, profile, true)?;
    Ok(ProfileView {
        id: profile.id.clone(),
        name: profile.name.clone(),
        created_at: profile.created_at,
        saved_at: profile.saved_at,
        destinations: profile.destinations.iter().map(Into::into).collect(),
        differences: rows.iter().filter(|row| row.change != Change::Same).count(),
    })
}

fn rows(app: &App, store: &Store, profile: &Profile, by_owner: bool) -> Result<Vec<ProfileRow>, Problem> {
    Ok(difference::rows(profile, &store.destinations()?, &store.inputs()?, &app.engine.snapshot(), by_owner))
}

async fn note(
    app: &App,
    caller: &Caller,
    code: &str,
    severity: Severity,
    name: &str,
    say: impl FnOnce(&str, &str) -> String,
) {
    let by = caller.user.username.as_str();
    let params: [(&str, Value); 2] = [("name", name.into()), ("by", by.into())];
    app.note(plain(code, severity, params, say(by, name))).await;
}
