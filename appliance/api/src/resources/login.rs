//! Signing in and out.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use secrecy::SecretString;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{self, Caller};
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::resources::NO_STORE;
use crate::resources::me::Me;
use crate::security::Connection;
use crate::{body, devices, people};

/// `POST /login`
#[derive(ToSchema)]
pub(crate) struct Login {
    #[schema(example = "mara")]
    username: String,
    #[schema(value_type = String, write_only)]
    password: SecretString,
}

impl Login {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let there = (fields.has("username"), fields.has("password"));
        let (username, password) = (fields.string("username"), fields.secret("password"));
        let username = fields.need("username", there.0, username);
        let password = fields.need("password", there.1, password);
        fields.finish()?;
        // `finish` returns when one of these is missing.
        let (Some(username), Some(password)) = (username, password) else { return Err(Code::Invalid.into()) };
        Ok(Self { username, password })
    }
}

/// Signs in.
pub(crate) async fn login(
    State(app): State<App>,
    connection: Connection,
    headers: HeaderMap,
    body: body::Json,
) -> Result<Response, Problem> {
    let Login { username, password } = Login::read(body.fields()?)?;
    let device = auth::device_hash(&headers, connection.secure);
    let name = username.clone();
    let (user, known) = app
        .db(move |store| {
            let user = store.user_by_name(&name)?;
            let known = match (&user, &device) {
                (Some(user), Some(device)) => devices::is_known(store, device, &user.id)?,
                _ => false,
            };
            Ok::<_, Problem>((user, known))
        })
        .await?;
    let attempt = app.guesses.begin(&username, connection.address(), device.filter(|_| known))?;
    people::verify(&app, attempt, user.as_ref(), password, connection).await?;
    let Some(user) = user else { return Err(Code::WrongPassword.into()) };

    let (sign_in, secret) = people::new_sign_in(&user.id, connection, &headers)?;
    let added = sign_in.clone();
    app.db(move |store| store.add_sign_in(&added)).await?;
    let device = people::remember_device(&app, &user.id, connection, &headers).await;
    let device = device.map(|device| AppendHeaders([auth::set_device(&device, connection.secure)]));
    let session = AppendHeaders([auth::set_session(&secret, connection.secure)]);
    Ok(([NO_STORE], session, device, Json(Me::in_person(&user, &sign_in))).into_response())
}

/// Signs out.
pub(crate) async fn logout(
    State(app): State<App>,
    connection: Connection,
    caller: Caller,
) -> Result<Response, Problem> {
    let hash = caller.in_person()?.id_hash;
    app.db(move |store| store.sign_out(&hash)).await?;
    app.sockets.check();
    Ok((StatusCode::NO_CONTENT, AppendHeaders([auth::clear_session(connection.secure)])).into_response())
}
