//! People who may sign in.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use brookbox_store::{Role, Store, Time, User};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::access::ROLES;
use crate::app::App;
use crate::auth::Caller;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::resources::me::forget_devices;
use crate::resources::signins::sign_out_everywhere;
use crate::sentences::Deed;
use crate::{body, openapi, people};

/// Somebody who may sign in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserView {
    id: String,
    #[schema(example = "mara")]
    username: String,
    #[schema(schema_with = openapi::role)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When a sign-in of theirs was last used.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen: Option<Time>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            role: user.role,
            created_at: user.created_at,
            last_seen: user.last_seen,
        }
    }
}

/// `POST /users`
#[derive(ToSchema)]
pub(crate) struct NewUser {
    #[schema(min_length = 1, max_length = 64, example = "jonas")]
    username: String,
    #[schema(value_type = String, min_length = 10, max_length = 128, write_only)]
    password: SecretString,
    #[schema(schema_with = openapi::role)]
    role: Role,
}

/// `PATCH /users/{id}`
#[derive(ToSchema)]
pub(crate) struct UserChange {
    #[schema(min_length = 1, max_length = 64)]
    username: String,
    /// A new role ends all sign-ins of theirs.
    #[schema(schema_with = openapi::role)]
    role: Role,
}

/// `POST /users/{id}/reset`
#[derive(ToSchema)]
pub(crate) struct Reset {
    #[schema(value_type = String, min_length = 10, max_length = 128, write_only)]
    #[expect(dead_code, reason = "for the document; what is read goes straight into the hash")]
    password: SecretString,
}

impl NewUser {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let username = people::username(&mut fields, "username");
        let password = people::new_password(&mut fields, "password", username.as_deref());
        let role = role(&mut fields);
        fields.finish()?;
        match (username, password, role) {
            (Some(username), Some(password), Some(role)) => Ok(Self { username, password, role }),
            // `finish` returns when one of these is missing.
            _ => Err(Code::Invalid.into()),
        }
    }
}

impl UserChange {
    fn read(mut fields: Fields, user: &User) -> Result<Self, Problem> {
        let now = UserView::from(user.clone());
        fields.read_only("id", &json!(now.id));
        fields.read_only("createdAt", &json!(now.created_at));
        fields.read_only("lastSeen", &json!(now.last_seen));
        let username = people::username(&mut fields, "username");
        let role = role(&mut fields);
        fields.finish()?;
        match (username, role) {
            (Some(username), Some(role)) => Ok(Self { username, role }),
            // `finish` returns when one of these is missing.
            _ => Err(Code::Invalid.into()),
        }
    }
}

fn role(fields: &mut Fields) -> Option<Role> {
    let there = fields.has("role");
    let role = fields.word("role", &ROLES);
    fields.need("role", there, role)
}

/// All users.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<UserView>>, Problem> {
    let users = app.db(Store::users).await?;
    Ok(Json(users.into_iter().map(Into::into).collect()))
}

/// One user.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<UserView>, Problem> {
    let user = app.db(move |store| store.user(&id)).await?;
    Ok(Json(user.into()))
}

/// Lets somebody in.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: body::Json,
) -> Result<(StatusCode, Json<UserView>), Problem> {
    let new = NewUser::read(body.fields()?)?;
    let user = User {
        id: brookbox_vault::id()?,
        username: new.username,
        role: new.role,
        password_hash: people::hash(&app, new.password).await?,
        created_at: Time::now(),
        last_seen: None,
    };
    let added = user.clone();
    app.db(move |store| store.add_user(&added)).await?;
    let deed = Deed::UserAdded { username: &user.username, role: user.role };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Changes a name or a role.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(patch): body::Json,
) -> Result<Json<UserView>, Problem> {
    let user = app
        .db(move |store| {
            store.update_user(&id, |user| {
                let now = json!({"username": user.username, "role": user.role});
                let change = UserChange::read(Fields::patched(now, patch, &[])?, user)?;
                (user.username, user.role) = (change.username, change.role);
                Ok::<_, Problem>(())
            })
        })
        .await?;
    app.sockets.check();
    let deed = Deed::UserChanged { username: &user.username, role: user.role };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(Json(user.into()))
}

/// Gives somebody a new password, which ends all sign-ins of theirs.
pub(crate) async fn reset(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: body::Json,
) -> Result<Json<UserView>, Problem> {
    let found = id.clone();
    let user = app.db(move |store| store.user(&found)).await?;
    let mut fields = body.fields()?;
    let password = people::new_password(&mut fields, "password", Some(&user.username));
    fields.finish()?;
    // `finish` returns when it is missing.
    let Some(password) = password else { return Err(Code::Invalid.into()) };
    let hash = people::hash(&app, password).await?;
    app.db(move |store| store.change_password(&id, &hash, None, Time::now())).await?;
    app.sockets.check();
    forget_devices(&app, &user.id).await;
    app.note(Deed::PasswordReset { username: &user.username }.event(Some(&caller.user.username))).await;
    Ok(Json(user.into()))
}

/// Ends all sign-ins of somebody. What they are asked for next is their password.
pub(crate) async fn sign_out(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let user = app.db(move |store| store.user(&id)).await?;
    sign_out_everywhere(&app, &user, &caller, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes somebody with all sign-ins and tokens of theirs.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let user = app
        .db(move |store| {
            let user = store.user(&id)?;
            store.delete_user(&id)?;
            Ok::<_, brookbox_store::Error>(user)
        })
        .await?;
    app.sockets.check();
    forget_devices(&app, &user.id).await;
    app.note(Deed::UserDeleted { username: &user.username }.event(Some(&caller.user.username))).await;
    Ok(StatusCode::NO_CONTENT)
}
