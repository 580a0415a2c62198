//! Links by which people without an account watch one input.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use brookbox_store::{Time, WatchLink};
use brookbox_vault::{TokenHash, watch_secret};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::resources::NO_STORE;
use crate::sentences::Deed;
use crate::sockets::Credential;

const HOURS: std::ops::RangeInclusive<u64> = 1..=720;
const HOURS_DEFAULT: u64 = 24;
const VIEWERS: std::ops::RangeInclusive<u64> = 1..=64;
const VIEWERS_DEFAULT: u32 = 8;
const HOUR: u64 = 3600;

/// A watch link, without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WatchLinkView {
    id: String,
    /// What people call it; those who watch see it as the title.
    #[schema(example = "Family")]
    name: String,
    #[schema(example = "main")]
    input: String,
    /// How many may watch at once.
    viewers: u32,
    /// How many watch now.
    watching: u32,
    /// Who made it.
    made_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

/// A new watch link. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeWatchLink {
    /// The link's path with its secret, to be put behind the box's address.
    #[schema(example = "/watch/…")]
    path: String,
    #[serde(flatten)]
    view: WatchLinkView,
}

/// `POST /watch-links`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewWatchLink {
    #[schema(min_length = 1, max_length = 80, example = "Family")]
    name: String,
    #[schema(example = "main")]
    input: String,
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 720, default = 24)]
    expires_in_hours: u64,
    /// How many may watch at once.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 64, default = 8)]
    viewers: u32,
}

impl NewWatchLink {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let there = (fields.has("name"), fields.has("input"));
        let name = fields.line("name", 1..=80);
        let name = fields.need("name", there.0, name);
        let input = fields.line("input", 1..=64);
        let input = fields.need("input", there.1, input);
        let expires_in_hours = fields.number("expiresInHours", HOURS).unwrap_or(HOURS_DEFAULT);
        let viewers = fields.number("viewers", VIEWERS).and_then(|number| number.try_into().ok());
        fields.finish()?;
        // `finish` returns when one of these is missing.
        let (Some(name), Some(input)) = (name, input) else { return Err(Code::Invalid.into()) };
        Ok(Self { name, input, expires_in_hours, viewers: viewers.unwrap_or(VIEWERS_DEFAULT) })
    }
}

/// The links that are still good.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<WatchLinkView>>, Problem> {
    let links = app.db(|store| store.watch_links(Time::now())).await?;
    let watching = app.sockets.by_credential();
    Ok(Json(links.into_iter().map(|link| view(link, &watching)).collect()))
}

/// One of them.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<WatchLinkView>, Problem> {
    let Json(links) = list(State(app)).await?;
    links.into_iter().find(|link| link.id == id).map(Json).ok_or_else(|| Code::NotFound.into())
}

/// Makes a link.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: body::Json,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<MadeWatchLink>), Problem> {
    let new = NewWatchLink::read(body.fields()?)?;
    let secret = watch_secret()?;
    let now = Time::now();
    let link = WatchLink {
        id: brookbox_vault::id()?,
        hash: TokenHash::of(&secret),
        name: new.name,
        input: new.input,
        viewers: new.viewers,
        made_by: caller.user.username.clone(),
        created_at: now,
        expires_at: now.after(Duration::from_secs(new.expires_in_hours * HOUR)),
    };
    let added = link.clone();
    app.db(move |store| store.add_watch_link(&added)).await?;
    let deed = Deed::WatchLinkMade { input: &link.input, name: &link.name, hours: new.expires_in_hours };
    app.note(deed.event(Some(&caller.user.username))).await;
    let path = format!("/watch/{}", secret.expose_secret());
    let view = view(link, &BTreeMap::new());
    Ok((StatusCode::CREATED, [NO_STORE], Json(MadeWatchLink { path, view })))
}

/// Deletes a link; whoever watches by it sees the end at once.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let link = app.db(move |store| store.delete_watch_link(&id)).await?;
    app.sockets.check();
    let deed = Deed::WatchLinkDeleted { input: &link.input, name: &link.name };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(StatusCode::NO_CONTENT)
}

fn view(link: WatchLink, watching: &BTreeMap<Credential, usize>) -> WatchLinkView {
    let watching = watching.get(&Credential::WatchLink(*link.hash.as_bytes())).copied().unwrap_or_default();
    WatchLinkView {
        id: link.id,
        name: link.name,
        input: link.input,
        viewers: link.viewers,
        watching: u32::try_from(watching).unwrap_or(u32::MAX),
        made_by: link.made_by,
        created_at: link.created_at,
        expires_at: link.expires_at,
    }
}
