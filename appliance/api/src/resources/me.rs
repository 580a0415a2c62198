//! Oneself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use brookbox_store::{Role, Scope, SignIn, Time, User};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, blocking};
use crate::auth::{Caller, PASSWORD_RECENT};
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::security::Connection;
use crate::sentences::Deed;
use crate::{body, devices, openapi, people};

/// Who asks, and what they may do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Me {
    /// The user's id.
    id: String,
    #[schema(example = "mara")]
    username: String,
    /// What this sign-in or token may do; `null`: a token for metrics only.
    #[schema(schema_with = openapi::nullable_role)]
    role: Option<Role>,
    /// The sign-in's id in `/signins`; `null` for a token.
    sign_in: Option<String>,
    /// The token's scopes; `null` for a sign-in.
    #[schema(schema_with = openapi::nullable_scopes)]
    scopes: Option<Vec<Scope>>,
    /// Until when the password counts as just entered; `null`: it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    recent_password_until: Option<Time>,
}

impl Me {
    /// Somebody who is signed in.
    pub(crate) fn in_person(user: &User, sign_in: &SignIn) -> Self {
        let until = sign_in.password_entered_at.after(PASSWORD_RECENT);
        Self {
            id: user.id.clone(),
            username: user.username.clone(),
            role: Some(user.role),
            sign_in: Some(sign_in.id.clone()),
            scopes: None,
            recent_password_until: (Time::now() < until).then_some(until),
        }
    }
}

/// Says who asks.
pub(crate) async fn get(caller: Caller) -> Json<Me> {
    Json(match caller.sign_in() {
        Some(sign_in) => Me::in_person(&caller.user, sign_in),
        None => Me {
            id: caller.user.id.clone(),
            username: caller.user.username.clone(),
            role: caller.role(),
            sign_in: None,
            scopes: caller.token().map(|token| token.scopes.clone()),
            recent_password_until: None,
        },
    })
}

/// `POST /me/confirm`
#[derive(ToSchema)]
pub(crate) struct Confirm {
    #[schema(value_type = String, write_only)]
    #[expect(dead_code, reason = "for the document; what is read goes straight into the check")]
    password: SecretString,
}

/// Enters the password again.
pub(crate) async fn confirm(
    State(app): State<App>,
    connection: Connection,
    caller: Caller,
    body: body::Json,
) -> Result<Json<Me>, Problem> {
    let mut fields = body.fields()?;
    let password = current(&mut fields, "password");
    fields.finish()?;
    let sign_in = caller.in_person()?.clone();
    check(&app, connection, &caller, password).await?;
    let (hash, now) = (sign_in.id_hash, Time::now());
    app.db(move |store| store.password_entered(&hash, now)).await?;
    Ok(Json(Me::in_person(&caller.user, &SignIn { password_entered_at: now, ..sign_in })))
}

/// `POST /me/password`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct PasswordChange {
    /// The password so far.
    #[schema(value_type = String, write_only)]
    #[expect(dead_code, reason = "for the document; what is read goes straight into the check")]
    current_password: SecretString,
    #[schema(value_type = String, write_only, min_length = 10, max_length = 128)]
    #[expect(dead_code, reason = "for the document; what is read goes straight into the hash")]
    new_password: SecretString,
}

/// Changes one's own password, which ends all other sign-ins of one's own.
pub(crate) async fn password(
    State(app): State<App>,
    connection: Connection,
    caller: Caller,
    body: body::Json,
) -> Result<StatusCode, Problem> {
    let mut fields = body.fields()?;
    let current = current(&mut fields, "currentPassword");
    let new = people::new_password(&mut fields, "newPassword", Some(&caller.user.username));
    fields.finish()?;
    // `finish` returns when it is missing.
    let Some(new) = new else { return Err(Code::Invalid.into()) };
    let keep = caller.in_person()?.id_hash;
    check(&app, connection, &caller, current).await?;
    let hash = people::hash(&app, new).await?;
    let id = caller.user.id.clone();
    app.db(move |store| store.change_password(&id, &hash, Some(&keep), Time::now())).await?;
    app.sockets.check();
    forget_devices(&app, &caller.user.id).await;
    app.note(Deed::PasswordChanged { username: &caller.user.username }.event(Some(&caller.user.username))).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Devices known by the old password count like any other address again.
pub(crate) async fn forget_devices(app: &App, user_id: &str) {
    let (shared, user_id) = (Arc::clone(app), user_id.to_owned());
    if let Err(problem) = blocking(move || devices::forget(&shared, &user_id)).await {
        tracing::warn!(problem = problem.code().as_str(), "a user's devices were not forgotten");
    }
}

/// The password so far, whatever its length.
fn current(fields: &mut Fields, name: &str) -> SecretString {
    let there = fields.has(name);
    let password = fields.secret(name);
    fields.need(name, there, password).unwrap_or_default()
}

/// Checks the caller's own password. Guesses are counted for this very sign-in, so that no stranger's stand in its way.
async fn check(app: &App, connection: Connection, caller: &Caller, password: SecretString) -> Result<(), Problem> {
    let sign_in = caller.in_person()?.id_hash;
    let attempt = app.guesses.begin(&caller.user.username, connection.address(), Some(sign_in))?;
    people::verify(app, attempt, Some(&caller.user), password, connection).await
}
