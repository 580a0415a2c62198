//! The claim: the box becomes somebody's.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use brookbox_store::{Claim, Role, Store, Time, User};
use brookbox_vault::{TokenHash, setup_code};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::{App, Certificate, blocking};
use crate::bridge;
use crate::fields::Fields;
use crate::handover::hand_over;
use crate::notices::{self, NoticeView};
use crate::problem::{Code, Problem};
use crate::resources::NO_STORE;
use crate::resources::me::{self, Me};
use crate::security::Connection;
use crate::sentences::Deed;
use crate::{auth, body, net, people};

/// Languages of the page.
pub(crate) const LANGUAGES: [(&str, &str); 5] = [("en", "en"), ("de", "de"), ("es", "es"), ("fr", "fr"), ("ja", "ja")];

/// Where it is kept that a lost password was replaced.
pub(crate) const RESET_SETTING: &str = "passwordReset";
/// Where the time zone is kept.
const ZONE_SETTING: &str = "timeZone";
/// How long a set-up code is good for.
const CODE_TIME: Duration = Duration::from_secs(30 * 60);
/// Where its hash is kept.
const CODE_SETTING: &str = "setupCode";
/// What guesses at the code are counted under; no user has a name with a line break.
const CODE_ACCOUNT: &str = "setup\ncode";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredCode {
    hash: [u8; 32],
    made_ms: i64,
}

/// Makes the one-time code with which a box may be claimed from another machine. It replaces the one before, is good for
/// 30 minutes and only while nobody has claimed the box. May run beside the daemon.
///
/// # Errors
/// [`brookbox_store::Error::AlreadyClaimed`]; those of writing.
pub fn make_setup_code(store: &Store) -> Result<SecretString, brookbox_store::Error> {
    if store.claimed()? {
        return Err(brookbox_store::Error::AlreadyClaimed);
    }
    let code = setup_code()?;
    let stored = StoredCode { hash: *TokenHash::of(&code).as_bytes(), made_ms: Time::now().as_ms() };
    store.put_setting(CODE_SETTING, &stored)?;
    Ok(code)
}

/// Whether the box is somebody's.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Setup {
    claimed: bool,
    /// What the box is called.
    box_name: Option<String>,
    /// Its language.
    language: Option<String>,
    /// Whether a set-up from where you are needs the code that `brookboxd setup-code` prints.
    code_needed: bool,
    /// The way in by HTTPS, to be compared with what the box's screen shows; `null`: there is none.
    https: Option<Certificate>,
    /// How long an owner may still set a new password without the old one (`POST /setup/password`), s; `null`: not now,
    /// or not from where you are.
    password_reset_left_s: Option<u64>,
    /// Why a box that was somebody's has to be set up again, and what else has to be known before; nothing once it is claimed.
    notices: Vec<NoticeView>,
}

/// `POST /setup`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewOwner {
    #[schema(min_length = 1, max_length = 64, example = "mara")]
    username: String,
    #[schema(value_type = String, min_length = 10, max_length = 128, write_only, example = "correct horse battery")]
    password: SecretString,
    /// Letters, digits and hyphens, as in a host name: the box answers to `NAME.local`.
    #[schema(value_type = Option<String>, max_length = 63, example = "river-street", default = "brookbox")]
    box_name: String,
    #[schema(value_type = Option<String>, example = "en", default = "en", pattern = "^(en|de|es|fr|ja)$")]
    language: String,
    /// As in the zone database. One that the box was given before stays.
    #[schema(value_type = Option<String>, example = "Europe/Berlin", max_length = 64)]
    time_zone: Option<String>,
    /// What `brookboxd setup-code` prints; needed where `codeNeeded` says so.
    #[schema(value_type = Option<String>, write_only)]
    code: Option<SecretString>,
}

impl NewOwner {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let username = people::username(&mut fields, "username");
        let password = people::new_password(&mut fields, "password", username.as_deref());
        let box_name = box_name(&mut fields, "boxName");
        let language = fields.word("language", &LANGUAGES);
        let time_zone = time_zone(&mut fields, "timeZone");
        let code = fields.secret("code");
        fields.finish()?;
        // `finish` returns when one of these is missing.
        let (Some(username), Some(password)) = (username, password) else { return Err(Code::Invalid.into()) };
        Ok(Self {
            username,
            password,
            box_name: box_name.unwrap_or_else(|| "brookbox".into()),
            language: language.unwrap_or("en").into(),
            time_zone,
            code,
        })
    }
}

/// The box's name: a label of a host name (RFC 1123).
pub(crate) fn box_name(fields: &mut Fields, name: &str) -> Option<String> {
    let text = fields.line(name, 1..=63)?;
    let good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good && !text.starts_with('-') && !text.ends_with('-') {
        return Some(text);
    }
    fields.error(name, "characters", "Use letters, digits and hyphens, with a letter or digit at both ends.");
    None
}

/// A name as in the zone database. Whether there is such a zone, the system says.
fn time_zone(fields: &mut Fields, name: &str) -> Option<String> {
    let text = fields.line(name, 1..=64)?;
    let is_name = |part: &str| {
        let mut letters = part.bytes();
        letters.next().is_some_and(|first| first.is_ascii_alphanumeric())
            && letters.all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    if text.split('/').all(is_name) {
        return Some(text);
    }
    fields.error(name, "characters", "Say it as in the zone database: Europe/Berlin.");
    None
}

/// Says whether the box is somebody's.
pub(crate) async fn get(
    State(app): State<App>,
    connection: Connection,
    headers: HeaderMap,
) -> Result<Json<Setup>, Problem> {
    let (box_name, language) =
        app.db(|store| Ok::<_, brookbox_store::Error>((store.setting("boxName")?, store.setting("language")?))).await?;
    let claimed = app.claimed();
    let left = app.reset_left().filter(|_| claimed && is_near(connection, &headers));
    let password_reset_left_s = left.map(|left| left.as_secs());
    let code_needed = !claimed && !may_claim(&app, connection, &headers);
    let notices = if claimed { Vec::new() } else { notices::all(&app) };
    Ok(Json(Setup {
        claimed,
        box_name,
        language,
        code_needed,
        https: app.certificate(),
        password_reset_left_s,
        notices,
    }))
}

/// Claims the box, once.
pub(crate) async fn post(
    State(app): State<App>,
    connection: Connection,
    headers: HeaderMap,
    body: body::Json,
) -> Result<Response, Problem> {
    if app.claimed() {
        return Err(Code::AlreadyClaimed.into());
    }
    let new = NewOwner::read(body.fields()?)?;
    if let Some(code) = new.code.clone() {
        check_code(&app, connection, code).await?;
    } else if !may_claim(&app, connection, &headers) {
        return Err(Code::SetupCodeNeeded.into());
    }
    let now = Time::now();
    let owner = User {
        id: brookbox_vault::id()?,
        username: new.username,
        role: Role::Owner,
        password_hash: people::hash(&app, new.password).await?,
        created_at: now,
        last_seen: Some(now),
    };
    let (sign_in, secret) = people::new_sign_in(&owner.id, connection, &headers)?;
    let mut settings = vec![
        ("boxName".into(), new.box_name.clone().into()),
        ("language".into(), new.language.into()),
        ("claim".into(), json!({"at": now, "address": connection.address(), "username": owner.username})),
    ];
    let known: Option<String> = app.db(|store| store.setting(ZONE_SETTING)).await?;
    let time_zone = new.time_zone.filter(|_| known.is_none());
    settings.extend(time_zone.clone().map(|zone| (ZONE_SETTING.into(), zone.into())));
    let claim = Claim { owner: owner.clone(), sign_in: Some(sign_in.clone()), settings };
    // The store lets one claim through, whoever else tries at the same moment.
    let claimed = app.db(move |store| store.claim(&claim)).await;
    if claimed.as_ref().err().is_none_or(|problem| problem.code() == Code::AlreadyClaimed) {
        app.set_claimed();
    }
    claimed?;
    app.set_box_name(&new.box_name);
    if let Some(zone) = time_zone {
        hand_over_zone(&app, zone).await;
    }
    app.note(Deed::Claimed { username: &owner.username, address: connection.address() }.event(None)).await;
    settle(&app).await;
    let device = people::remember_device(&app, &owner.id, connection, &headers).await;
    let device = device.map(|device| auth::set_device(&device, connection.secure));
    let me = Me::in_person(&owner, &sign_in);
    let session = auth::set_session(&secret, connection.secure);
    Ok((
        StatusCode::CREATED,
        [NO_STORE],
        AppendHeaders([session]),
        device.map(|device| AppendHeaders([device])),
        Json(me),
    )
        .into_response())
}

/// The system sets its clock's zone, where there is one that does.
async fn hand_over_zone(app: &App, zone: String) {
    let Some(folder) = app.config.system_dir.clone() else { return };
    let handed = blocking(move || Ok(hand_over(&folder, "timezone", &format!("{zone}\n")))).await;
    if let Ok(Err(error)) = handed {
        tracing::warn!(%error, "the time zone was not handed over");
    }
}

/// `POST /setup/password`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct LostPassword {
    /// Which owner; not needed where there is one.
    #[schema(value_type = Option<String>, example = "mara")]
    username: Option<String>,
    #[schema(value_type = String, min_length = 10, max_length = 128, write_only)]
    password: SecretString,
}

/// Whose password is new.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewPassword {
    #[schema(example = "mara")]
    username: String,
}

/// Gives an owner a new password without the old one, for a while after somebody with a hand on the box has asked for it.
/// Ends every sign-in and token.
pub(crate) async fn password(
    State(app): State<App>,
    connection: Connection,
    headers: HeaderMap,
    body: body::Json,
) -> Result<Response, Problem> {
    if app.reset_left().is_none() || !is_near(connection, &headers) {
        return Err(Code::ResetClosed.into());
    }
    let new = LostPassword::read(body.fields()?)?;
    let name = new.username;
    let owner = app
        .db(move |store| {
            let owners = store.users()?.into_iter().filter(|user| user.role == Role::Owner);
            let mut owners = owners
                .filter(|user| name.as_ref().is_none_or(|name| name.to_lowercase() == user.username.to_lowercase()));
            let first = owners.next();
            let alone = owners.next().is_none();
            Ok::<_, brookbox_store::Error>(first.filter(|_| alone))
        })
        .await?;
    let unknown = || {
        Problem::new(Code::NotFound).detail("Say in `username` which owner: there are several, or none of this name.")
    };
    let owner = owner.ok_or_else(unknown)?;
    let hash = people::hash(&app, new.password).await?;
    let taken = app.take_reset().ok_or(Code::ResetClosed)?;
    let (id, username, address) = (owner.id.clone(), owner.username.clone(), connection.address());
    let now = Time::now();
    let notice = json!({"at": now, "address": address, "username": username});
    let kept = json!({"at_ms": now.as_ms(), "notice": notice});
    let set = app.db(move |store| {
        // First what warns, then what is warned of.
        store.put_setting(RESET_SETTING, &kept)?;
        store.reset_password(&id, &hash)
    });
    if let Err(problem) = set.await {
        // Nothing has happened: on a full disk there is another try.
        app.give_back_reset(taken);
        return Err(problem);
    }
    app.sockets.check();
    me::forget_devices(&app, &owner.id).await;
    app.note(Deed::PasswordLost { username: &username, address }.event(None)).await;
    Ok(([NO_STORE], Json(NewPassword { username })).into_response())
}

impl LostPassword {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let username = fields.line("username", people::USERNAME_LENGTH);
        let password = people::new_password(&mut fields, "password", username.as_deref());
        fields.finish()?;
        // `finish` returns when it is missing.
        let Some(password) = password else { return Err(Code::Invalid.into()) };
        Ok(Self { username, password })
    }
}

/// Whether somebody asks from the local network, or on this machine.
fn is_near(connection: Connection, headers: &HeaderMap) -> bool {
    let address = connection.address();
    auth::is_from_this_machine(headers, connection) || (net::is_home(address) && net::is_on_link(address))
}

/// What follows a claim. The box is claimed, whatever becomes of this: it is done again at the next start.
async fn settle(app: &App) {
    if let Err(problem) = app.db(|store| store.delete_setting(CODE_SETTING)).await {
        tracing::warn!(problem = problem.code().as_str(), "the used set-up code was not deleted");
    }
    if let Err(error) = bridge::sync(&app.store, &app.engine).await {
        tracing::error!(%error, "the engine was not told what there is");
    }
}

/// Whether the box may be claimed from here without a code.
fn may_claim(app: &App, connection: Connection, headers: &HeaderMap) -> bool {
    // A proxy on this machine speaks for whoever asks it.
    auth::is_from_this_machine(headers, connection) || (app.config.claim_from_lan && is_near(connection, headers))
}

async fn check_code(app: &App, connection: Connection, code: SecretString) -> Result<(), Problem> {
    let attempt = app.guesses.begin(CODE_ACCOUNT, connection.address(), None)?;
    let stored: Option<StoredCode> = app.db(|store| store.setting(CODE_SETTING)).await?;
    let now = Time::now();
    let good = stored.is_some_and(|stored| {
        let made = Time::from_ms(stored.made_ms);
        // One from the future was made before the clock was set: its age is not known.
        made <= now && now < made.after(CODE_TIME) && TokenHash::from_bytes(stored.hash) == TokenHash::of(&typed(&code))
    });
    if good {
        attempt.right();
        return Ok(());
    }
    people::wrong(app, attempt, None, connection).await;
    Err(Code::SetupCodeWrong.into())
}

/// A code as people type it: in any case, with or without its hyphens.
fn typed(code: &SecretString) -> SecretString {
    let letters =
        code.expose_secret().chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase());
    let mut text = String::new();
    for (at, letter) in letters.enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    text.into()
}
