//! Whom the box tells what happens.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use brookbox_store::{Notification, Store, TellBy, Time};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::fields::Fields;
use crate::notify::address::{Address, Rules};
use crate::notify::client::Outcome;
use crate::notify::{Notifier, Shown, kinds};
use crate::problem::{Code, Problem};
use crate::resources::setup::LANGUAGES;
use crate::security::Connection;
use crate::sentences::plain;
use crate::target::Refused;

const SERVICES: [(&str, TellBy); 2] = [("webhook", TellBy::Webhook), ("ntfy", TellBy::Ntfy)];
/// Longest token, in bytes.
const TOKEN_BYTES: usize = 512;

/// Whom the box tells what happens.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotificationView {
    id: String,
    #[schema(example = "My phone")]
    name: String,
    #[schema(schema_with = crate::openapi::service)]
    service: TellBy,
    /// Scheme and host of the address. The rest is a secret with most services and is never read back.
    #[schema(example = "https://ntfy.sh/…")]
    address: String,
    /// Whether there is a token.
    has_token: bool,
    /// Kinds of events that are told.
    #[schema(schema_with = kinds::schema)]
    kinds: Vec<String>,
    /// Language of the texts.
    #[schema(example = "en")]
    language: String,
    /// The person's switch.
    enabled: bool,
    /// Whether it may be inside the own network.
    allow_local: bool,
    /// How many events wait to be told.
    waiting: usize,
    /// The last try since the box's start, a test too; `null`: there was none.
    last: Option<LastTry>,
}

/// A try to tell somebody something.
#[derive(Serialize, ToSchema)]
pub(crate) struct LastTry {
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// Whether the server took it.
    taken: bool,
    /// `taken`; `answered_no` with its status; `moved`: it sends on to another address, where nothing is sent; `no_answer`;
    /// `not_http`; or, without a connection, a destination's reason: `dns`, `timeout`, `tls_untrusted` …
    #[schema(example = "answered_no")]
    code: &'static str,
    /// The HTTP status, if there was one.
    #[schema(example = 404)]
    status: Option<u16>,
    /// One plain sentence, with what the server said.
    #[schema(example = "ntfy.sh answered 403 Forbidden: forbidden")]
    sentence: String,
}

impl LastTry {
    fn new(at: Time, outcome: &Outcome, host: &str) -> Self {
        let sentence = outcome.sentence(host);
        Self { at, taken: outcome.is_taken(), code: outcome.code(), status: outcome.status, sentence }
    }
}

impl NotificationView {
    fn new(notification: &Notification, notifier: &Notifier) -> Self {
        let address = Address::parse(notification.url.expose_secret());
        let Shown { last, waiting } = notifier.shown(&notification.id);
        let host = address.as_ref().map(|address| address.host.clone()).unwrap_or_default();
        Self {
            last: last.map(|(at, outcome)| LastTry::new(at, &outcome, &host)),
            waiting,
            id: notification.id.clone(),
            name: notification.name.clone(),
            service: notification.service,
            address: address.map(|address| address.shown()).unwrap_or_default(),
            has_token: notification.token.is_some(),
            kinds: notification.kinds.clone(),
            language: notification.language.clone(),
            enabled: notification.enabled,
            allow_local: notification.allow_local,
        }
    }
}

/// `POST /notifications`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewNotification {
    /// Without one, the host's name.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 80, example = "My phone")]
    name: Option<String>,
    #[schema(schema_with = crate::openapi::service)]
    service: TellBy,
    /// The webhook's address, or the topic's on an ntfy server. Never read back.
    #[schema(value_type = String, write_only, max_length = 1024, example = "https://ntfy.sh/river-street-7Q2x")]
    url: Option<SecretString>,
    /// Sent as `Authorization: Bearer`. Never read back; an address on another host forgets it.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 512)]
    token: Option<SecretString>,
    #[schema(required = false, schema_with = kinds::schema_in_request)]
    kinds: Vec<String>,
    /// Language of the texts; without one, the box's.
    #[schema(value_type = Option<String>, example = "en", pattern = "^(en|de|es|fr|ja)$")]
    language: Option<String>,
    #[schema(value_type = Option<bool>, default = true)]
    enabled: bool,
    /// Whether it may be inside the own network.
    #[schema(value_type = Option<bool>, default = false)]
    allow_local: bool,
}

impl NewNotification {
    /// Reads all fields. `now` is what is changed: what it keeps secret need not be sent again.
    fn read(mut fields: Fields, now: Option<&Notification>, connection: Connection) -> Result<Self, Problem> {
        let there = (fields.has("service"), fields.has("url"));
        let service = fields.word("service", &SERVICES);
        let service = fields.need("service", there.0, service);
        let allow_local = fields.flag("allowLocal").unwrap_or(false);
        let url = fields.secret("url");
        if now.is_none() {
            fields.need("url", there.1, url.as_ref());
        }
        let rules = Rules { allow_local, local: connection.local };
        if let (Some(url), Some(service)) = (url.as_ref().or(now.map(|now| &now.url)), service) {
            match Address::parse(url.expose_secret()).and_then(|address| address.check(service, rules)) {
                Ok(()) => {}
                Err(Refused::Wrong((code, message))) => fields.error("url", code, message),
                Err(Refused::NotAllowed(message)) => fields.error_with(Code::AddressNotAllowed, "url", message),
            }
        }
        let token = fields.secret("token");
        let is_token =
            |token: &str| (1..=TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.as_ref().is_some_and(|token| !is_token(token.expose_secret())) {
            fields.error("token", "characters", "Use 1 to 512 letters, digits and signs, without spaces.");
        }
        let name = fields.line("name", 1..=80);
        let kinds = if fields.has("kinds") { fields.words("kinds", &kinds::words()) } else { None };
        let language = fields.word("language", &LANGUAGES).map(str::to_owned);
        let enabled = fields.flag("enabled").unwrap_or(true);
        fields.finish()?;
        // `finish` returns when it is missing.
        let Some(service) = service else { return Err(Code::Invalid.into()) };
        let kinds = kinds.unwrap_or_else(|| kinds::USUAL.to_vec()).into_iter().map(str::to_owned).collect();
        Ok(Self { name, service, url, token, kinds, language, enabled, allow_local })
    }

    /// Puts everything in place. What was not sent and is not known stays.
    fn apply(self, to: &mut Notification) {
        let origin = |url: &SecretString| Address::parse(url.expose_secret()).map(|address| address.origin()).ok();
        if let Some(url) = self.url {
            // A token goes nowhere that it was not meant for.
            if origin(&url) != origin(&to.url) {
                to.token = None;
            }
            to.url = url;
        }
        if let Some(token) = self.token {
            to.token = Some(token);
        }
        let host = || Address::parse(to.url.expose_secret()).map(|address| address.host).unwrap_or_default();
        to.name = self.name.unwrap_or_else(host);
        to.service = self.service;
        to.kinds = self.kinds;
        if let Some(language) = self.language {
            to.language = language;
        }
        to.enabled = self.enabled;
        to.allow_local = self.allow_local;
    }
}

/// What a merge patch works on: everything but the secrets, which a patch can only replace, or take away.
fn patchable(notification: &Notification) -> Value {
    json!({
        "name": notification.name,
        "service": notification.service,
        "kinds": notification.kinds,
        "language": notification.language,
        "enabled": notification.enabled,
        "allowLocal": notification.allow_local,
    })
}

/// All notifications.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<NotificationView>>, Problem> {
    let all = app.db(Store::notifications).await?;
    Ok(Json(all.iter().map(|one| NotificationView::new(one, &app.notifier)).collect()))
}

/// One notification.
pub(crate) async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<NotificationView>, Problem> {
    let notification = app.db(move |store| store.notification(&id)).await?;
    Ok(Json(NotificationView::new(&notification, &app.notifier)))
}

/// Adds a notification.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    body: body::Json,
) -> Result<(StatusCode, Json<NotificationView>), Problem> {
    let new = NewNotification::read(body.fields()?, None, connection)?;
    let id = brookbox_vault::id()?;
    let added = app
        .db(move |store| {
            let mut notification = Notification {
                id,
                name: String::new(),
                service: new.service,
                url: SecretString::default(),
                token: None,
                kinds: Vec::new(),
                language: store.setting("language")?.unwrap_or_else(|| "en".to_owned()),
                enabled: false,
                allow_local: false,
                created_at: Time::now(),
            };
            new.apply(&mut notification);
            store.add_notification(&notification)?;
            Ok::<_, brookbox_store::Error>(notification)
        })
        .await?;
    note(&app, &caller, "notification_added", &added.name, |by, name| format!("{by} has the box tell {name}.")).await;
    Ok((StatusCode::CREATED, Json(NotificationView::new(&added, &app.notifier))))
}

/// Changes a notification.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    Path(id): Path<String>,
    body::Json(patch): body::Json,
) -> Result<Json<NotificationView>, Problem> {
    let shared = app.clone();
    let changed = app
        .db(move |store| {
            store.update_notification(&id, |notification| {
                let forget = patch.get("token").is_some_and(Value::is_null);
                let view = NotificationView::new(notification, &shared.notifier);
                let mut fields = Fields::patched(patchable(notification), patch, &["token"])?;
                fields.read_only("id", &json!(view.id));
                fields.read_only("address", &json!(view.address));
                fields.read_only("hasToken", &json!(view.has_token));
                for figure in ["waiting", "last"] {
                    fields.ignore(figure);
                }
                let change = NewNotification::read(fields, Some(notification), connection)?;
                change.apply(notification);
                if forget {
                    notification.token = None;
                }
                Ok::<_, Problem>(())
            })
        })
        .await?;
    app.notifier.hurry();
    let say = |by: &str, name: &str| format!("{by} changed what the box tells {name}.");
    note(&app, &caller, "notification_changed", &changed.name, say).await;
    Ok(Json(NotificationView::new(&changed, &app.notifier)))
}

/// Deletes a notification.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.notifier.forget(&id);
    let name = app
        .db(move |store| {
            let name = store.notification(&id)?.name;
            store.delete_notification(&id).map(|()| name)
        })
        .await?;
    let say = |by: &str, name: &str| format!("{by} has the box tell {name} nothing more.");
    note(&app, &caller, "notification_deleted", &name, say).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test, whatever the switch says, and answers with what became of it.
pub(crate) async fn test(State(app): State<App>, Path(id): Path<String>) -> Result<Json<LastTry>, Problem> {
    let notification = app.db(move |store| store.notification(&id)).await?;
    let host = Address::parse(notification.url.expose_secret()).map(|address| address.host).unwrap_or_default();
    let outcome = app.notifier.test(&app, notification).await?;
    Ok(Json(LastTry::new(Time::now(), &outcome, &host)))
}

async fn note(app: &App, caller: &Caller, code: &str, name: &str, say: impl FnOnce(&str, &str) -> String) {
    let by = caller.user.username.as_str();
    let params = [("name", name.into()), ("by", by.into())];
    app.note(plain(code, brookbox_store::Severity::Info, params, say(by, name))).await;
}
