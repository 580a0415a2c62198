//! API tokens.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use brookbox_store::{Scope, Store, Time, Token};
use brookbox_vault::{TokenHash, api_token};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SCOPES;
use crate::app::App;
use crate::auth::Caller;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::resources::NO_STORE;
use crate::sentences::Deed;
use crate::{body, openapi};

/// Longest that a token may be good for.
const DAYS: std::ops::RangeInclusive<u64> = 1..=3650;
const DAYS_DEFAULT: u64 = 90;
const DAY: u64 = 86_400;

/// An API token, without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenView {
    id: String,
    #[schema(example = "script")]
    name: String,
    #[schema(schema_with = openapi::scopes)]
    scopes: Vec<Scope>,
    /// Whose it is; it may never do more than they may.
    user_id: String,
    username: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used: Option<Time>,
}

/// A new API token. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// The secret, for `Authorization: Bearer`.
    #[schema(example = "bbx_…")]
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// `POST /tokens`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewToken {
    #[schema(min_length = 1, max_length = 80, example = "script")]
    name: String,
    /// `admin` includes `operate`, which includes `read`; `metrics` stands alone.
    #[schema(schema_with = openapi::scopes)]
    scopes: Vec<Scope>,
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 3650, default = 90)]
    expires_in_days: u64,
}

impl NewToken {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let there = (fields.has("name"), fields.has("scopes"));
        let name = fields.line("name", 1..=80);
        let name = fields.need("name", there.0, name);
        let scopes = fields.words("scopes", &SCOPES);
        let scopes = fields.need("scopes", there.1, scopes);
        if scopes.as_ref().is_some_and(Vec::is_empty) {
            fields.error("scopes", "too_short", "Name at least one scope.");
        }
        let expires_in_days = fields.number("expiresInDays", DAYS).unwrap_or(DAYS_DEFAULT);
        fields.finish()?;
        // `finish` returns when one of these is missing.
        let (Some(name), Some(scopes)) = (name, scopes) else { return Err(Code::Invalid.into()) };
        Ok(Self { name, scopes, expires_in_days })
    }
}

/// All tokens.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<TokenView>>, Problem> {
    app.db(all).await.map(Json)
}

/// One token.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<TokenView>, Problem> {
    app.db(move |store| one(store, &id)).await.map(Json)
}

/// Makes a token.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: body::Json,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<MadeToken>), Problem> {
    let new = NewToken::read(body.fields()?)?;
    let secret = api_token()?;
    let now = Time::now();
    let token = Token {
        id: brookbox_vault::id()?,
        name: new.name,
        hash: TokenHash::of(&secret),
        scopes: new.scopes,
        user_id: caller.user.id.clone(),
        created_at: now,
        expires_at: now.after(Duration::from_secs(new.expires_in_days * DAY)),
        last_used: None,
    };
    let deed = Deed::TokenMade { name: &token.name }.event(Some(&caller.user.username));
    let added = token.clone();
    app.db(move |store| store.add_token(&added)).await?;
    app.note(deed).await;
    let view = view(token, caller.user.username);
    Ok((StatusCode::CREATED, [NO_STORE], Json(MadeToken { token: secret.expose_secret().to_owned(), view })))
}

/// Deletes a token: it is refused from then on.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let found = app
        .db(move |store| {
            let found = one(store, &id)?;
            store.delete_token(&found.id)?;
            Ok::<_, Problem>(found)
        })
        .await?;
    app.sockets.check();
    app.note(Deed::TokenDeleted { name: &found.name }.event(Some(&caller.user.username))).await;
    Ok(StatusCode::NO_CONTENT)
}

fn one(store: &Store, id: &str) -> Result<TokenView, Problem> {
    all(store)?.into_iter().find(|token| token.id == id).ok_or_else(|| Code::NotFound.into())
}

fn all(store: &Store) -> Result<Vec<TokenView>, Problem> {
    let users = store.users()?;
    let name = |id: &str| users.iter().find(|user| user.id == id).map(|user| user.username.clone());
    let tokens = store.tokens()?;
    Ok(tokens.into_iter().filter_map(|token| name(&token.user_id).map(|name| view(token, name))).collect())
}

fn view(token: Token, username: String) -> TokenView {
    TokenView {
        id: token.id,
        name: token.name,
        scopes: token.scopes,
        user_id: token.user_id,
        username,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used: token.last_used,
    }
}
