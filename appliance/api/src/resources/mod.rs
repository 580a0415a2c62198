//! One module for each resource.

pub(crate) mod alarms;
pub(crate) mod broadcast;
pub(crate) mod broadcasts;
pub(crate) mod destinations;
pub(crate) mod events;
pub(crate) mod figures;
pub(crate) mod health;
pub(crate) mod inputs;
pub(crate) mod install;
pub(crate) mod jobs;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod me;
pub(crate) mod metrics;
pub(crate) mod notifications;
pub(crate) mod obs;
pub(crate) mod outputs;
pub(crate) mod play;
pub(crate) mod profiles;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod signins;
pub(crate) mod status;
pub(crate) mod support;
pub(crate) mod system;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod watch_links;

use axum::http::{HeaderName, HeaderValue, header};

/// For answers that hold a secret.
pub(crate) const NO_STORE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
