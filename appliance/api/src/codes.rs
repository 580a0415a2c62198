//! Codes that may stand in what the API tells, in one place: whoever puts them into words can know all of them.

/// Of events: the engine's, the machine's, and what people do.
pub(crate) const EVENTS: [&str; 72] = [
    "box_started",
    "box_hot",
    "box_cooled",
    "box_undervoltage",
    "box_power_well",
    "disk_low",
    "disk_well",
    "memory_low",
    "memory_well",
    "address_changed",
    "box_renamed",
    "install_begun",
    "install_failed",
    "installed",
    "ssh_on",
    "publisher_started",
    "publisher_lost",
    "publisher_returned",
    "publisher_ended",
    "publisher_refused",
    "publisher_active",
    "publisher_limit",
    "destination_live",
    "destination_slow",
    "destination_recovered",
    "destination_retrying",
    "destination_failed",
    "destination_ended",
    "broadcast_started",
    "broadcast_stopped",
    "input_frozen",
    "input_moves",
    "input_silent",
    "input_sounds",
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
    "token_deleted",
    "key_read",
    "key_changed",
    "address_blocked",
    "address_unblocked",
    "destination_added",
    "destination_changed",
    "destination_deleted",
    "destination_switched_on",
    "destination_switched_off",
    "input_added",
    "input_changed",
    "input_deleted",
    "obs_set_up",
    "obs_put_back",
    "watch_link_made",
    "watch_link_deleted",
    "notification_added",
    "notification_changed",
    "notification_deleted",
    "notification_failed",
    "profile_saved",
    "profile_deleted",
    "profile_switched",
    "profile_undone",
    "profile_restored",
    "profile_exported",
    "profile_imported",
];

/// Of what could be better about a stream.
pub(crate) const ADVICE: [&str; 10] = [
    "clock_drift",
    "keyframe_interval",
    "keyframe_interval_platform",
    "fps_unsteady",
    "fps_platform",
    "b_frames_platform",
    "video_bitrate_platform",
    "video_bitrate_size_platform",
    "audio_bitrate_platform",
    "no_audio_platform",
];

/// Of what is worth a look about a destination.
pub(crate) const WARNINGS: [&str; 1] = [DUPLICATE_KEY];
pub(crate) const DUPLICATE_KEY: &str = "duplicate_key";

/// Of why a publisher was refused.
pub(crate) const REFUSALS: [&str; 7] =
    ["bad_key", "disabled", "publisher_active", "limit", "public_address", "blocked", "protocol"];

#[cfg(test)]
mod tests {
    use brookbox_relay::EventCode;

    use super::*;

    #[test]
    fn the_engine_reports_nothing_else() {
        for code in EventCode::ALL {
            assert!(EVENTS.contains(&code.as_str()), "{}", code.as_str());
        }
    }
}
