//! Kinds of events that somebody can be told of.

use serde_json::json;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};

/// Kinds, each with the events that belong to it. What stands nowhere is told to nobody: what people switch and change
/// they know themselves.
pub(crate) const KINDS: [(&str, &[&str]); 10] = [
    // A destination needs a person.
    ("destination_failed", &["destination_failed"]),
    // It mends itself, or has.
    ("destination_trouble", &["destination_retrying", "destination_slow", "destination_recovered"]),
    ("destination_live", &["destination_live", "destination_ended"]),
    // The stream is away and may come back.
    ("stream_lost", &["publisher_lost", "publisher_returned"]),
    ("stream", &["publisher_started", "publisher_ended", "broadcast_started", "broadcast_stopped"]),
    ("picture_and_sound", &["input_frozen", "input_moves", "input_silent", "input_sounds"]),
    ("refused", &["publisher_refused", "publisher_active", "publisher_limit"]),
    (
        "accounts",
        &[
            "claimed",
            "sign_in_refused",
            "signed_out_everywhere",
            "user_added",
            "user_changed",
            "user_deleted",
            "password_changed",
            "password_reset",
            "password_lost",
            "token_made",
            "key_read",
            "key_changed",
            "profile_exported",
        ],
    ),
    ("box", &["box_started", "profile_switched", "profile_undone"]),
    // Heat, power, disk and memory.
    (
        "box_trouble",
        &[
            "box_hot",
            "box_cooled",
            "box_undervoltage",
            "box_power_well",
            "disk_low",
            "disk_well",
            "memory_low",
            "memory_well",
        ],
    ),
];

/// What is told if nobody says otherwise.
pub(crate) const USUAL: [&str; 5] = ["destination_failed", "stream_lost", "picture_and_sound", "box", "box_trouble"];

/// The kind of an event, if there is one.
pub(crate) fn kind_of(code: &str) -> Option<&'static str> {
    KINDS.iter().find(|(_, codes)| codes.contains(&code)).map(|(kind, _)| *kind)
}

/// The words for kinds in requests.
pub(crate) fn words() -> Vec<(&'static str, &'static str)> {
    KINDS.iter().map(|(kind, _)| (*kind, *kind)).collect()
}

/// A list of kinds in the OpenAPI document.
pub(crate) fn schema() -> Schema {
    let kinds = KINDS.iter().map(|(kind, _)| *kind);
    let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds));
    ArrayBuilder::new().items(kind).into()
}

/// The same in a request, where it may be left out.
pub(crate) fn schema_in_request() -> Schema {
    let kinds = KINDS.iter().map(|(kind, _)| *kind);
    let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds));
    ArrayBuilder::new().items(kind).default(Some(json!(USUAL))).into()
}
