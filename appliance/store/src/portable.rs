//! A destination with its secrets as JSON: what a profile keeps, and what an exported file holds. To be kept and sent
//! encrypted only.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::settings::to_json;
use crate::{Destination, StartMode};

/// The text is no destination, or no profile. Says where and not what: the text near an error may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a destination, or not a profile: wrong at line {line}, column {column}")]
pub struct Error {
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column() }
    }
}

/// One destination, as `{"id":…,"name":…,"key":…,…}`.
///
/// # Errors
/// [`crate::Error::Value`], never in practice: every destination has a form in JSON.
pub fn write(destination: &Destination) -> Result<SecretString, crate::Error> {
    to_json("destination", &Row::from(destination)).map(Into::into)
}

/// One destination. Its fields are as they were written: whether they make sense is for the reader to check.
///
/// # Errors
/// The text is no destination.
pub fn read(text: &str) -> Result<Destination, Error> {
    Ok(serde_json::from_str::<Row>(text)?.into())
}

/// A profile's name and destinations, as `{"name":…,"destinations":[…]}`.
///
/// # Errors
/// As [`write`].
pub fn write_profile(name: &str, destinations: &[Destination]) -> Result<SecretString, crate::Error> {
    let profile = File { name: name.to_owned(), destinations: destinations.iter().map(Row::from).collect() };
    to_json("profile", &profile).map(Into::into)
}

/// A profile's name and destinations, as [`read`].
///
/// # Errors
/// The text is no profile.
pub fn read_profile(text: &str) -> Result<(String, Vec<Destination>), Error> {
    let File { name, destinations } = serde_json::from_str(text)?;
    Ok((name, destinations.into_iter().map(Into::into).collect()))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    destinations: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    platform: String,
    url: Option<String>,
    backup_url: Option<String>,
    key: Zeroizing<String>,
    output: String,
    enabled: bool,
    start_mode: StartMode,
    retry_for_s: Option<u32>,
    username: Option<String>,
    password: Option<Zeroizing<String>>,
    allow_local: bool,
    position: u32,
}

impl From<&Destination> for Row {
    fn from(destination: &Destination) -> Self {
        let open = |secret: &SecretString| Zeroizing::new(secret.expose_secret().to_owned());
        Self {
            id: destination.id.clone(),
            name: destination.name.clone(),
            platform: destination.platform.clone(),
            url: destination.url.clone(),
            backup_url: destination.backup_url.clone(),
            key: open(&destination.key),
            output: destination.output.clone(),
            enabled: destination.enabled,
            start_mode: destination.start_mode,
            retry_for_s: destination.retry_for_s,
            username: destination.username.clone(),
            password: destination.password.as_ref().map(open),
            allow_local: destination.allow_local,
            position: destination.position.try_into().unwrap_or_default(),
        }
    }
}

impl From<Row> for Destination {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            platform: row.platform,
            url: row.url,
            backup_url: row.backup_url,
            key: row.key.as_str().into(),
            output: row.output,
            enabled: row.enabled,
            start_mode: row.start_mode,
            retry_for_s: row.retry_for_s,
            username: row.username,
            password: row.password.map(|password| password.as_str().into()),
            allow_local: row.allow_local,
            position: row.position.into(),
        }
    }
}
