//! Devices from which somebody has signed in before: their guesses are counted for themselves.

use std::sync::PoisonError;

use brookbox_store::{Store, Time};
use brookbox_vault::TokenHash;
use serde::{Deserialize, Serialize};

use crate::app::Shared;
use crate::problem::Problem;

/// Most devices remembered; the one that signed in longest ago is forgotten first.
const MOST: usize = 256;
const SETTING: &str = "devices";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    /// SHA-256 of the cookie.
    hash: [u8; 32],
    user_id: String,
    last_ms: i64,
}

/// Whether this user has signed in from this device.
pub(crate) fn is_known(store: &Store, hash: &TokenHash, user_id: &str) -> Result<bool, Problem> {
    let devices: Vec<Device> = store.setting(SETTING)?.unwrap_or_default();
    Ok(devices.iter().any(|device| device.user_id == user_id && TokenHash::from_bytes(device.hash) == *hash))
}

/// Remembers that this user has signed in from this device.
pub(crate) fn remember(shared: &Shared, hash: &TokenHash, user_id: &str, now: Time) -> Result<(), Problem> {
    // Read, changed and written back: by one at a time.
    let _one = shared.devices.lock().unwrap_or_else(PoisonError::into_inner);
    let mut devices: Vec<Device> = shared.store.setting(SETTING)?.unwrap_or_default();
    devices.retain(|device| device.user_id != user_id || TokenHash::from_bytes(device.hash) != *hash);
    devices.push(Device { hash: *hash.as_bytes(), user_id: user_id.to_owned(), last_ms: now.as_ms() });
    devices.sort_by_key(|device| std::cmp::Reverse(device.last_ms));
    devices.truncate(MOST);
    Ok(shared.store.put_setting(SETTING, &devices)?)
}

/// Forgets a user's devices: their password was changed or they are gone.
pub(crate) fn forget(shared: &Shared, user_id: &str) -> Result<(), Problem> {
    let _one = shared.devices.lock().unwrap_or_else(PoisonError::into_inner);
    let mut devices: Vec<Device> = shared.store.setting(SETTING)?.unwrap_or_default();
    devices.retain(|device| device.user_id != user_id);
    Ok(shared.store.put_setting(SETTING, &devices)?)
}
