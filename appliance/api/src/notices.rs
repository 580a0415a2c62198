//! What other parts of the system want a person to know, for as long as it is so (`brookbox_board::notices`).

use brookbox_board::Notice;
use brookbox_store::Store;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::sentences::Deed;

/// The notice that SSH is on.
const SSH_ON: &str = "ssh-on";
/// Where it is kept that an event has told so.
const SSH_TOLD: &str = "sshOn";

/// A line that stands for as long as something is so.
#[derive(Serialize, ToSchema)]
pub(crate) struct NoticeView {
    /// Stable.
    #[schema(example = "ssh-on")]
    code: String,
    /// In English.
    #[schema(example = "SSH is on: these keys may sign in as root.")]
    sentence: String,
    /// What belongs to it: of `ssh-on` the fingerprints of the keys.
    #[schema(example = json!(["SHA256:… mara@desk"]))]
    details: Vec<String>,
}

impl From<Notice> for NoticeView {
    fn from(Notice { code, sentence, details }: Notice) -> Self {
        Self { code, sentence, details }
    }
}

/// All that stand now.
pub(crate) fn all(app: &Shared) -> Vec<NoticeView> {
    read(app).into_iter().map(Into::into).collect()
}

/// Leaves an event when SSH was switched on, once.
pub(crate) async fn look(app: &App) {
    if app.config.notices.is_none() {
        return;
    }
    let looked = app.clone();
    let turned = app.db(move |store| turned(&looked, store)).await;
    if let Ok(Some(keys)) = turned {
        app.note(Deed::SshOn { keys }.event(None)).await;
    }
}

/// How many keys there are if SSH was switched on since it was last asked.
fn turned(app: &Shared, store: &Store) -> Result<Option<usize>, brookbox_store::Error> {
    let now = read(app).into_iter().find(|notice| notice.code == SSH_ON);
    let told = store.setting(SSH_TOLD)?.unwrap_or(false);
    if now.is_some() != told {
        store.put_setting(SSH_TOLD, &now.is_some())?;
    }
    Ok(now.filter(|_| !told).map(|notice| notice.details.len()))
}

fn read(app: &Shared) -> Vec<Notice> {
    app.config.notices.as_deref().map(brookbox_board::notices).unwrap_or_default()
}
