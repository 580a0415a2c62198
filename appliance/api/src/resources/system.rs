//! The box itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use brookbox_store::{Store, Time};
use brookbox_vault::KeyOrigin;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::{App, Certificate, blocking};
use crate::auth::Caller;
use crate::fields::Fields;
use crate::machine::{self, Machine};
use crate::notices::{self, NoticeView};
use crate::problem::Problem;
use crate::resources::setup::{self, LANGUAGES};
use crate::sentences::Deed;
use crate::{body, platforms};

/// How long it is shown that a lost password was replaced.
const RESET_SHOWN: Duration = Duration::from_secs(7 * 86_400);

/// The box itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct System {
    #[schema(example = "0.1.0")]
    version: String,
    /// Since the program was started, s.
    uptime_s: u64,
    #[schema(example = "river-street")]
    box_name: String,
    #[schema(example = "en")]
    language: String,
    /// When, from where and by whom the box was claimed, until that is dismissed.
    claim: Option<ClaimNotice>,
    /// When, from where and whose lost password was replaced, for 7 days.
    password_reset: Option<ClaimNotice>,
    /// Where publishers connect, as bound here.
    #[schema(example = "0.0.0.0:1935")]
    rtmp: String,
    /// The way in by HTTPS; `null`: there is none.
    https: Option<Certificate>,
    machine_key: KeyKept,
    /// What has to be known for as long as it is so.
    notices: Vec<NoticeView>,
}

/// What protects the key under which stored keys and passwords are sealed, against who holds the disk: `tpm` (this computer's
/// TPM seals it), `system` (it is a credential of systemd's), `file` (nothing: it lies beside the data).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum KeyKept {
    Tpm,
    System,
    File,
}

/// When, from where and by whom the box was claimed.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct ClaimNotice {
    #[schema(format = DateTime)]
    at: String,
    #[schema(example = "192.0.2.9")]
    address: String,
    #[schema(example = "mara")]
    username: String,
}

/// `PATCH /system`
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct SystemChange {
    /// Letters, digits and hyphens: the box answers to `NAME.local`.
    #[schema(value_type = String, required = false, max_length = 63, example = "river-street")]
    box_name: String,
    #[schema(value_type = String, required = false, example = "en", pattern = "^(en|de|es|fr|ja)$")]
    language: String,
}

/// A lost password that was replaced, as it is kept.
#[derive(Deserialize)]
struct Reset {
    at_ms: i64,
    notice: ClaimNotice,
}

impl Reset {
    /// What is shown of it, for a while. A clock that was set back does not end it.
    fn notice(self) -> Option<ClaimNotice> {
        (Time::now() < Time::from_ms(self.at_ms).after(RESET_SHOWN)).then_some(self.notice)
    }
}

struct Stored {
    box_name: String,
    language: String,
    claim: Option<ClaimNotice>,
    password_reset: Option<ClaimNotice>,
}

impl Stored {
    fn read(store: &Store) -> Result<Self, brookbox_store::Error> {
        Ok(Self {
            box_name: store.setting("boxName")?.unwrap_or_else(|| "brookbox".to_owned()),
            language: store.setting("language")?.unwrap_or_else(|| "en".to_owned()),
            claim: store.setting("claim")?,
            password_reset: store.setting::<Reset>(setup::RESET_SETTING)?.and_then(Reset::notice),
        })
    }
}

fn view(app: &App, stored: Stored) -> System {
    System {
        version: app.config.version.clone(),
        uptime_s: app.started.elapsed().as_secs(),
        box_name: stored.box_name,
        language: stored.language,
        claim: stored.claim,
        password_reset: stored.password_reset,
        rtmp: app.engine.rtmp().to_string(),
        https: app.certificate(),
        machine_key: match app.store.key_origin() {
            KeyOrigin::Tpm(_) => KeyKept::Tpm,
            KeyOrigin::Credential(_) => KeyKept::System,
            KeyOrigin::File(_) => KeyKept::File,
        },
        notices: notices::all(app),
    }
}

/// The box itself.
pub(crate) async fn get(State(app): State<App>) -> Result<Json<System>, Problem> {
    let stored = app.db(Stored::read).await?;
    Ok(Json(view(&app, stored)))
}

/// Changes its name or language.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Caller,
    body::Json(patch): body::Json,
) -> Result<Json<System>, Problem> {
    let _order = app.writes.lock().await;
    let now = app.db(Stored::read).await?;
    let known = json!({"boxName": now.box_name, "language": now.language});
    let SystemChange { box_name, language } = SystemChange::read(Fields::patched(known, patch, &[])?)?;
    let before = now.box_name.clone();
    let stored = Stored { box_name: box_name.clone(), language: language.clone(), ..now };
    app.db(move |store| {
        store.put_setting("boxName", &box_name)?;
        store.put_setting("language", &language)
    })
    .await?;
    app.set_box_name(&stored.box_name);
    if before != stored.box_name {
        let deed = Deed::BoxRenamed { from: &before, to: &stored.box_name };
        app.note(deed.event(Some(&caller.user.username))).await;
    }
    Ok(Json(view(&app, stored)))
}

impl SystemChange {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let box_name = setup::box_name(&mut fields, "boxName");
        let language = fields.word("language", &LANGUAGES);
        fields.finish()?;
        let box_name = box_name.unwrap_or_else(|| "brookbox".to_owned());
        Ok(Self { box_name, language: language.unwrap_or("en").to_owned() })
    }
}

/// Dismisses the notice of the claim.
pub(crate) async fn dismiss_claim(State(app): State<App>) -> Result<StatusCode, Problem> {
    app.db(|store| store.delete_setting("claim")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the system says of the machine.
pub(crate) async fn machine(State(app): State<App>) -> Result<Json<Machine>, Problem> {
    let looked = app.clone();
    blocking(move || Ok(machine::look(looked.store.path()))).await.map(Json)
}

/// All platforms that are known.
pub(crate) async fn platforms() -> Json<&'static [platforms::Platform]> {
    Json(&platforms::PLATFORMS)
}

/// The whole live state.
pub(crate) async fn status(State(app): State<App>) -> Json<Value> {
    Json(app.live.status(&app.engine.snapshot()))
}
