//! What a switch to a profile would change, row by row.

use brookbox_relay::{DestinationState, Snapshot};
use brookbox_store::{Destination, Input, Profile, StartMode};
use brookbox_vault::same;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::target;

/// What becomes of one destination.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileRow {
    /// The destination's id.
    pub(crate) destination: String,
    /// Its name in the profile, or now if the profile does not know it.
    #[schema(example = "Club")]
    pub(crate) name: String,
    /// A platform's id, or `custom`.
    #[schema(example = "custom")]
    platform: String,
    pub(crate) change: Change,
    /// Whether a connection that there is now ends or is made anew.
    interrupts: bool,
    /// What differs; of an added destination nothing, all of it is new.
    fields: Vec<FieldChange>,
    /// Why this row is left as it is; `null`: it can be switched.
    pub(crate) problem: Option<String>,
    /// What to know besides: that an address in the own network will not be reached before an owner allows it.
    note: Option<String>,
    /// Whether it was done. Of a comparison never.
    pub(crate) done: bool,
    /// As it is to be.
    #[serde(skip)]
    pub(crate) wanted: Destination,
}

/// What becomes of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Change {
    /// It is not there now.
    Add,
    /// Some of its fields differ.
    #[serde(rename = "change")]
    Edit,
    /// The profile does not know it: it is switched off.
    Off,
    /// It stays as it is.
    Same,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct FieldChange {
    /// As in `PATCH /destinations/{id}`; `key` and `password` too, whose values are their hints and whether there is one.
    #[schema(example = "enabled")]
    field: &'static str,
    /// What it is.
    #[schema(schema_with = crate::openapi::any)]
    now: Value,
    /// What it would be.
    #[schema(schema_with = crate::openapi::any)]
    then: Value,
}

/// Fields whose change makes a connection anew.
const CONNECTION: [&str; 8] = ["platform", "url", "backupUrl", "key", "username", "password", "output", "allowLocal"];

/// All rows: first those of the profile in its order, then those that it does not know. `snapshot` says what is connected.
/// Only who `may_allow` gets more of what is in the own network.
pub(crate) fn rows(
    profile: &Profile,
    now: &[Destination],
    inputs: &[Input],
    snapshot: &Snapshot,
    may_allow: bool,
) -> Vec<ProfileRow> {
    let connected = |id: &str| {
        use DestinationState as S;
        let state = snapshot.destinations.get(id).map(|destination| destination.state);
        matches!(state, Some(S::Connecting | S::Live | S::Slow | S::Retrying))
    };
    let of_profile = profile.destinations.iter().map(|stored| {
        let there = now.iter().find(|there| there.id == stored.id);
        let mut wanted = stored.clone();
        if !may_allow {
            allow_no_more(&mut wanted, there);
        }
        let fields = there.map(|there| differences(there, &wanted)).unwrap_or_default();
        let change = match there {
            None => Change::Add,
            Some(_) if fields.is_empty() => Change::Same,
            Some(_) => Change::Edit,
        };
        let ends = |field: &FieldChange| match field.field {
            // A sound check that stays private begins: nobody has pressed *Start sending*.
            "startMode" => wanted.start_mode == StartMode::Manual && !snapshot.broadcast.started,
            field => CONNECTION.contains(&field) || field == "enabled",
        };
        let input_is_there = inputs.iter().any(|input| input.id == wanted.input());
        let locked_out = !wanted.allow_local
            && [&wanted.url, &wanted.backup_url].into_iter().flatten().any(|url| target::is_local(url));
        ProfileRow {
            destination: wanted.id.clone(),
            name: wanted.name.clone(),
            platform: wanted.platform.clone(),
            change,
            interrupts: connected(&wanted.id) && fields.iter().any(ends),
            fields,
            problem: (!input_is_there)
                .then(|| format!("It takes the output {}, and there is no such input.", wanted.output)),
            note: locked_out.then(|| "Its address is in the own network, which an owner has to allow.".to_owned()),
            done: false,
            wanted,
        }
    });
    let unknown = now.iter().filter(|there| profile.destinations.iter().all(|known| known.id != there.id));
    let unknown = unknown.map(|there| {
        let wanted = Destination { enabled: false, ..there.clone() };
        let fields = differences(there, &wanted);
        ProfileRow {
            destination: there.id.clone(),
            name: there.name.clone(),
            platform: there.platform.clone(),
            change: if there.enabled { Change::Off } else { Change::Same },
            interrupts: connected(&there.id) && there.enabled,
            fields,
            problem: None,
            note: None,
            done: false,
            wanted,
        }
    });
    of_profile.chain(unknown).collect()
}

/// What only an owner may allow stays as it is now.
pub(crate) fn allow_no_more(wanted: &mut Destination, now: Option<&Destination>) {
    wanted.allow_local &= now.is_some_and(|now| now.allow_local);
}

fn differences(now: &Destination, then: &Destination) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    let mut compare = |field, now: Value, then: Value, differs: bool| {
        if differs {
            fields.push(FieldChange { field, now, then });
        }
    };
    let plain = [
        ("name", json!(now.name), json!(then.name)),
        ("platform", json!(now.platform), json!(then.platform)),
        ("url", json!(now.url), json!(then.url)),
        ("backupUrl", json!(now.backup_url), json!(then.backup_url)),
        ("output", json!(now.output), json!(then.output)),
        ("enabled", json!(now.enabled), json!(then.enabled)),
        ("startMode", json!(now.start_mode), json!(then.start_mode)),
        ("retryForS", json!(now.retry_for_s), json!(then.retry_for_s)),
        ("username", json!(now.username), json!(then.username)),
        ("allowLocal", json!(now.allow_local), json!(then.allow_local)),
        ("position", json!(now.position), json!(then.position)),
    ];
    for (field, now, then) in plain {
        let differs = now != then;
        compare(field, now, then, differs);
    }
    compare("key", json!(now.key_hint()), json!(then.key_hint()), !same(&now.key, &then.key));
    let has = |password: &Option<SecretString>| json!(password.is_some());
    let differs = match (&now.password, &then.password) {
        (Some(now), Some(then)) => !same(now, then),
        (None, None) => false,
        _ => true,
    };
    compare("password", has(&now.password), has(&then.password), differs);
    fields
}
