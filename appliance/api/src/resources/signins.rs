//! Who is signed in where.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse, Response};
use brookbox_store::{Role, SignIn, Store, Time, User};
use brookbox_vault::TokenHash;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{self, Caller};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::security::Connection;
use crate::sentences::Deed;

/// A person's sign-in on one device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInView {
    id: String,
    user_id: String,
    username: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    last_used: Time,
    /// Where it was made from.
    #[schema(example = "192.0.2.9")]
    address: String,
    /// What the browser called itself.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

/// One's own sign-ins; for an owner, everybody's.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<SignInView>>, Problem> {
    app.db(move |store| visible(store, &caller)).await.map(Json)
}

/// One of them.
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SignInView>, Problem> {
    app.db(move |store| one(store, &caller, &id)).await.map(Json)
}

/// Ends one of them.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.db(move |store| {
        let found = one(store, &caller, &id)?;
        Ok::<_, Problem>(store.delete_sign_in(&found.user_id, &found.id)?)
    })
    .await?;
    app.sockets.check();
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of one's own sign-ins; the one that asks may stay.
pub(crate) async fn delete_all(
    State(app): State<App>,
    connection: Connection,
    caller: Caller,
    mut query: Query,
) -> Result<Response, Problem> {
    let stays = query.word("keep", &[("current", true)]).unwrap_or(false);
    query.finish()?;
    let own = caller.in_person()?.id_hash;
    sign_out_everywhere(&app, &caller.user, &caller, stays.then_some(own)).await?;
    let cookie = (!stays).then(|| AppendHeaders([auth::clear_session(connection.secure)]));
    Ok((StatusCode::NO_CONTENT, cookie, ()).into_response())
}

/// Ends all sign-ins of a user, or all but one, and says who did it.
pub(crate) async fn sign_out_everywhere(
    app: &App,
    user: &User,
    caller: &Caller,
    keep: Option<TokenHash>,
) -> Result<(), Problem> {
    let id = user.id.clone();
    app.db(move |store| store.sign_out_everywhere(&id, keep.as_ref())).await?;
    app.sockets.check();
    app.note(Deed::SignedOutEverywhere { username: &user.username }.event(Some(&caller.user.username))).await;
    Ok(())
}

fn one(store: &Store, caller: &Caller, id: &str) -> Result<SignInView, Problem> {
    visible(store, caller)?.into_iter().find(|sign_in| sign_in.id == id).ok_or_else(|| Code::NotFound.into())
}

fn visible(store: &Store, caller: &Caller) -> Result<Vec<SignInView>, Problem> {
    let users = if caller.role() == Some(Role::Owner) { store.users()? } else { vec![caller.user.clone()] };
    let own = caller.sign_in().map(|sign_in| sign_in.id.as_str());
    let mut views = Vec::new();
    for user in users {
        views.extend(store.sign_ins(&user.id, Time::now())?.into_iter().map(|sign_in| view(sign_in, &user, own)));
    }
    Ok(views)
}

fn view(sign_in: SignIn, user: &User, own: Option<&str>) -> SignInView {
    SignInView {
        current: own == Some(sign_in.id.as_str()),
        id: sign_in.id,
        user_id: sign_in.user_id,
        username: user.username.clone(),
        created_at: sign_in.created_at,
        last_used: sign_in.last_used,
        address: sign_in.address,
        user_agent: sign_in.user_agent,
    }
}
