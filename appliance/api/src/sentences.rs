//! Events in words: one plain sentence for each code.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use brookbox_relay::{Event, EventCode};
use brookbox_store::{NewEvent, Role, Severity, Time};
use serde_json::{Map, Value};

use crate::{lookout, vitals};

/// An event of the engine's, with its sentence, ready to be stored.
pub(crate) fn from_engine(event: &Event) -> NewEvent {
    NewEvent {
        time: event.at.into(),
        code: event.code.as_str().to_owned(),
        severity: match event.code.severity() {
            brookbox_relay::Severity::Info => Severity::Info,
            brookbox_relay::Severity::Warning => Severity::Warning,
            brookbox_relay::Severity::Error => Severity::Error,
        },
        input: event.input.as_deref().map(str::to_owned),
        destination: event.destination.as_deref().map(str::to_owned),
        params: event.params.iter().map(|(&name, value)| (name.to_owned(), value.clone().into())).collect(),
        sentence: sentence(event.code, &event.params),
    }
}

fn sentence(code: EventCode, params: &BTreeMap<&'static str, String>) -> String {
    use EventCode as E;
    let or = |name: &str, otherwise: &'static str| params.get(name).map_or(otherwise, String::as_str).to_owned();
    let program = or("program", "A program");
    let name = or("name", "A destination");
    let from = params.get("peer").map(|peer| format!(" from {peer}")).unwrap_or_default();
    match code {
        E::PublisherStarted => format!("{program} sends a stream{from}."),
        E::PublisherLost if params.contains_key("reason") => "The stream stands still.".to_owned(),
        E::PublisherLost => "The stream stopped without a goodbye.".to_owned(),
        E::PublisherReturned => "The stream is back.".to_owned(),
        E::PublisherEnded => "The stream has ended.".to_owned(),
        E::PublisherRefused => {
            let times = match params.get("count").map(String::as_str) {
                None | Some("1") => String::new(),
                Some(count) => format!(" ({count} times)"),
            };
            format!("Something{from} was refused{times}: {}.", refusal(params.get("reason")))
        }
        E::PublisherActive => format!("A second program{from} used the key while the first one sends. It was refused."),
        E::PublisherLimit => match params.get("reason") {
            Some(reason) => format!("The stream{from} was closed: {}.", refusal(Some(reason))),
            None => format!("The stream{from} was closed: it passed a limit of its input."),
        },
        E::DestinationLive => format!("{name} receives the stream."),
        E::DestinationSlow => format!("The way to {name} is slow."),
        E::DestinationRecovered => format!("{name} keeps up again."),
        E::DestinationRetrying => format!("{name} is tried again: {}.", reason(params.get("reason"))),
        E::DestinationFailed => format!("{name} needs you: {}.", reason(params.get("reason"))),
        E::DestinationEnded => format!("{name} was ended."),
        E::BroadcastStarted => "Sending was started.".to_owned(),
        E::BroadcastStopped => "Sending was stopped.".to_owned(),
    }
}

/// Why somebody was refused, as half a sentence.
fn refusal(reason: Option<&String>) -> &str {
    match reason.map(String::as_str) {
        Some("bad_key") => "the stream key is wrong",
        Some("disabled") => "the input is switched off",
        Some("publisher_active") => "somebody else sends already",
        Some("limit" | "bitrate" | "sessions") => "it passed a limit",
        Some("public_address") => "it came from the internet",
        Some("blocked") => "its address is blocked",
        Some("protocol") => "it does not speak RTMP properly",
        Some(other) => other,
        None => "no reason was given",
    }
}

/// Why a destination is not live, as half a sentence.
fn reason(reason: Option<&String>) -> &str {
    match reason.map(String::as_str) {
        Some("bad_key") => "it refused the stream key",
        Some("not_started") => "it waits for a press on its own page",
        Some("refused") => "it refused the connection",
        Some("remote_closed") => "it closed the connection",
        Some("too_slow") => "the way there is too slow",
        Some("dns") => "its address was not found",
        Some("no_route") => "there is no way there",
        Some("timeout") => "it does not answer",
        Some("tls") => "no secure connection could be made",
        Some("tls_expired") => "its certificate has expired",
        Some("tls_name") => "its certificate is for another name",
        Some("tls_untrusted") => "its certificate is not trusted",
        Some("clock_wrong") => "the box's clock is wrong",
        Some("codec") => "it does not take this kind of video",
        Some("encoder_busy") => "the encoder has no room",
        Some("encoder_died") => "the encoder stopped",
        Some("address_not_allowed") => "its address is not allowed",
        Some(other) => other,
        None => "no reason was given",
    }
}

/// An event of this moment that needs no more than a code, a few values and a sentence.
pub(crate) fn plain<const N: usize>(
    code: &str,
    severity: Severity,
    params: [(&str, Value); N],
    sentence: impl Into<String>,
) -> NewEvent {
    NewEvent {
        time: Time::now(),
        code: code.to_owned(),
        severity,
        input: None,
        destination: None,
        params: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        sentence: sentence.into(),
    }
}

/// What people did through the API.
#[derive(Clone, Debug)]
pub(crate) enum Deed<'a> {
    Claimed {
        username: &'a str,
        address: IpAddr,
    },
    GuessingPassword {
        username: Option<&'a str>,
        address: IpAddr,
        failures: u32,
    },
    KeyRead {
        input: &'a str,
        name: &'a str,
    },
    KeyChanged {
        input: &'a str,
        name: &'a str,
    },
    TokenMade {
        name: &'a str,
    },
    TokenDeleted {
        name: &'a str,
    },
    UserAdded {
        username: &'a str,
        role: Role,
    },
    UserChanged {
        username: &'a str,
        role: Role,
    },
    UserDeleted {
        username: &'a str,
    },
    PasswordChanged {
        username: &'a str,
    },
    PasswordReset {
        username: &'a str,
    },
    PasswordLost {
        username: &'a str,
        address: IpAddr,
    },
    SignedOutEverywhere {
        username: &'a str,
    },
    AddressBlocked {
        address: IpAddr,
        time: Duration,
    },
    AddressUnblocked {
        address: IpAddr,
    },
    SwitchedOn {
        destination: &'a str,
        name: &'a str,
    },
    SwitchedOff {
        destination: &'a str,
        name: &'a str,
    },
    DestinationAdded {
        destination: &'a str,
        name: &'a str,
    },
    DestinationChanged {
        destination: &'a str,
        name: &'a str,
    },
    DestinationDeleted {
        destination: &'a str,
        name: &'a str,
    },
    InputAdded {
        input: &'a str,
        name: &'a str,
    },
    InputChanged {
        input: &'a str,
        name: &'a str,
    },
    InputDeleted {
        input: &'a str,
        name: &'a str,
    },
    ObsSetUp {
        input: &'a str,
        name: &'a str,
        address: IpAddr,
    },
    ObsPutBack {
        input: &'a str,
        address: IpAddr,
    },
    /// The box itself noticed it.
    Noticed {
        input: &'a str,
        alarm: &'a str,
        is_on: bool,
    },
    /// The box noticed something about the machine it runs on.
    BoxNoticed {
        alarm: &'a str,
        is_on: bool,
    },
    /// The box got another address.
    AddressChanged {
        from: Ipv4Addr,
        to: Ipv4Addr,
    },
    BoxRenamed {
        from: &'a str,
        to: &'a str,
    },
    WatchLinkMade {
        input: &'a str,
        name: &'a str,
        hours: u64,
    },
    WatchLinkDeleted {
        input: &'a str,
        name: &'a str,
    },
    InstallBegun {
        disk: &'a str,
        serial: &'a str,
    },
    SshOn {
        keys: usize,
    },
    Installed,
    InstallFailed {
        disk: &'a str,
    },
}

impl Deed<'_> {
    fn destination(&self) -> Option<&str> {
        match *self {
            Self::SwitchedOn { destination, .. }
            | Self::SwitchedOff { destination, .. }
            | Self::DestinationAdded { destination, .. }
            | Self::DestinationChanged { destination, .. }
            | Self::DestinationDeleted { destination, .. } => Some(destination),
            _ => None,
        }
    }

    /// As an event of this moment, by `who`.
    pub(crate) fn event(&self, who: Option<&str>) -> NewEvent {
        let by = who.unwrap_or("Somebody");
        let mut params = Map::new();
        let mut put = |name: &str, value: Value| {
            params.insert(name.to_owned(), value);
        };
        let (code, severity, input, sentence) = match *self {
            Self::Claimed { username, address } => {
                put("username", username.into());
                put("address", address.to_string().into());
                ("claimed", Severity::Info, None, format!("{username} set up this box from {address}."))
            }
            Self::GuessingPassword { username, address, failures } => {
                put("address", address.to_string().into());
                put("count", failures.into());
                let whose = match username {
                    Some(username) => {
                        put("username", username.into());
                        format!("{username}'s password")
                    }
                    None => "a password".to_owned(),
                };
                let sentence = format!("Something at {address} got {whose} wrong {failures} times in a row.");
                ("sign_in_refused", Severity::Warning, None, sentence)
            }
            Self::KeyRead { input, name } => {
                put("name", name.into());
                ("key_read", Severity::Info, Some(input), format!("{by} looked at the stream key of {name}."))
            }
            Self::KeyChanged { input, name } => {
                put("name", name.into());
                ("key_changed", Severity::Info, Some(input), format!("{by} changed the stream key of {name}."))
            }
            Self::TokenMade { name } => {
                put("name", name.into());
                ("token_made", Severity::Info, None, format!("{by} made the API token {name}."))
            }
            Self::TokenDeleted { name } => {
                put("name", name.into());
                ("token_deleted", Severity::Info, None, format!("{by} deleted the API token {name}."))
            }
            Self::UserAdded { username, role } => {
                put("username", username.into());
                put("role", role.as_str().into());
                ("user_added", Severity::Info, None, format!("{by} let {username} in as {role}."))
            }
            Self::UserChanged { username, role } => {
                put("username", username.into());
                put("role", role.as_str().into());
                ("user_changed", Severity::Info, None, format!("{by} changed the account of {username}, now {role}."))
            }
            Self::UserDeleted { username } => {
                put("username", username.into());
                ("user_deleted", Severity::Info, None, format!("{by} deleted the account of {username}."))
            }
            Self::PasswordChanged { username } => {
                put("username", username.into());
                ("password_changed", Severity::Info, None, format!("{username} changed their password."))
            }
            Self::PasswordReset { username } => {
                put("username", username.into());
                ("password_reset", Severity::Warning, None, format!("{by} gave {username} a new password."))
            }
            Self::PasswordLost { username, address } => {
                put("username", username.into());
                put("address", address.to_string().into());
                let sentence =
                    format!("The lost password of {username} was replaced from {address}. Every sign-in has ended.");
                ("password_lost", Severity::Warning, None, sentence)
            }
            Self::SignedOutEverywhere { username } => {
                put("username", username.into());
                let sentence = format!("{by} ended all sign-ins of {username}.");
                ("signed_out_everywhere", Severity::Info, None, sentence)
            }
            Self::AddressBlocked { address, time } => {
                let minutes = time.as_secs().div_ceil(60);
                put("address", address.to_string().into());
                put("minutes", minutes.into());
                ("address_blocked", Severity::Info, None, format!("{by} blocked {address} for {minutes} min."))
            }
            Self::SwitchedOn { name, .. } => {
                put("name", name.into());
                ("destination_switched_on", Severity::Info, None, format!("{by} switched {name} on."))
            }
            Self::SwitchedOff { name, .. } => {
                put("name", name.into());
                ("destination_switched_off", Severity::Info, None, format!("{by} switched {name} off."))
            }
            Self::DestinationAdded { name, .. } => {
                put("name", name.into());
                ("destination_added", Severity::Info, None, format!("{by} added {name}."))
            }
            Self::DestinationChanged { name, .. } => {
                put("name", name.into());
                ("destination_changed", Severity::Info, None, format!("{by} changed {name}."))
            }
            Self::DestinationDeleted { name, .. } => {
                put("name", name.into());
                ("destination_deleted", Severity::Info, None, format!("{by} deleted {name}."))
            }
            Self::InputAdded { input, name } => {
                put("name", name.into());
                ("input_added", Severity::Info, Some(input), format!("{by} added the input {name}."))
            }
            Self::InputChanged { input, name } => {
                put("name", name.into());
                ("input_changed", Severity::Info, Some(input), format!("{by} changed the input {name}."))
            }
            Self::InputDeleted { input, name } => {
                put("name", name.into());
                ("input_deleted", Severity::Info, Some(input), format!("{by} deleted the input {name}."))
            }
            Self::ObsSetUp { input, name, address } => {
                put("name", name.into());
                put("address", address.to_string().into());
                ("obs_set_up", Severity::Info, Some(input), format!("{by} set up OBS at {address} to send to {name}."))
            }
            Self::ObsPutBack { input, address } => {
                put("address", address.to_string().into());
                ("obs_put_back", Severity::Info, Some(input), format!("{by} put OBS at {address} back."))
            }
            Self::Noticed { input, alarm, is_on } => {
                put("alarm", alarm.into());
                let (code, sentence) = match (alarm, is_on) {
                    (lookout::FROZEN, true) => ("input_frozen", "The picture stands still."),
                    (lookout::FROZEN, false) => ("input_moves", "The picture moves again."),
                    (_, true) => ("input_silent", "There is no sound."),
                    (_, false) => ("input_sounds", "There is sound again."),
                };
                let severity = if is_on { Severity::Warning } else { Severity::Info };
                (code, severity, Some(input), sentence.to_owned())
            }
            Self::BoxNoticed { alarm, is_on } => {
                put("alarm", alarm.into());
                let (code, sentence) = vitals::words(alarm, is_on);
                let severity = if is_on { Severity::Warning } else { Severity::Info };
                (code, severity, None, sentence.to_owned())
            }
            Self::AddressChanged { from, to } => {
                put("from", from.to_string().into());
                put("to", to.to_string().into());
                let sentence = format!(
                    "The box's address is {to} now, no longer {from}. Programs that send to the old one need the new one."
                );
                ("address_changed", Severity::Warning, None, sentence)
            }
            Self::BoxRenamed { from, to } => {
                put("from", from.into());
                put("to", to.into());
                let sentence =
                    format!("{by} renamed the box to {to}. Programs that send to {from}.local need {to}.local.");
                ("box_renamed", Severity::Info, None, sentence)
            }
            Self::WatchLinkMade { input, name, hours } => {
                put("name", name.into());
                put("hours", hours.into());
                let sentence = format!("{by} made the watch link {name}, good for {hours} h.");
                ("watch_link_made", Severity::Info, Some(input), sentence)
            }
            Self::WatchLinkDeleted { input, name } => {
                put("name", name.into());
                ("watch_link_deleted", Severity::Info, Some(input), format!("{by} ended the watch link {name}."))
            }
            Self::InstallBegun { disk, serial } => {
                put("name", disk.into());
                put("serial", serial.into());
                ("install_begun", Severity::Warning, None, format!("{by} has the box install itself on {disk}."))
            }
            Self::SshOn { keys } => {
                put("count", keys.into());
                ("ssh_on", Severity::Warning, None, format!("SSH is on: {keys} keys may sign in as root."))
            }
            Self::Installed => {
                ("installed", Severity::Info, None, "The box was installed on a disk of its computer.".to_owned())
            }
            Self::InstallFailed { disk } => {
                put("name", disk.into());
                ("install_failed", Severity::Error, None, format!("The box could not be installed on {disk}."))
            }
            Self::AddressUnblocked { address } => {
                put("address", address.to_string().into());
                ("address_unblocked", Severity::Info, None, format!("{by} no longer blocks {address}."))
            }
        };
        if let Some(who) = who {
            params.insert("by".to_owned(), who.into());
        }
        NewEvent {
            time: Time::now(),
            code: code.to_owned(),
            severity,
            input: input.map(str::to_owned),
            destination: self.destination().map(str::to_owned),
            params,
            sentence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_hold_what_is_known_and_read_well_without() {
        let mut event = Event {
            at: std::time::SystemTime::UNIX_EPOCH,
            code: EventCode::DestinationRetrying,
            input: None,
            destination: Some("d".into()),
            params: [("name", "Club".to_owned()), ("reason", "timeout".to_owned())].into(),
        };
        assert_eq!(from_engine(&event).sentence, "Club is tried again: it does not answer.");
        event.code = EventCode::PublisherRefused;
        event.params = [("peer", "192.0.2.9".into()), ("reason", "bad_key".into()), ("count", "3".into())].into();
        assert_eq!(
            from_engine(&event).sentence,
            "Something from 192.0.2.9 was refused (3 times): the stream key is wrong."
        );
        event.params = BTreeMap::new();
        for code in [
            EventCode::PublisherStarted,
            EventCode::PublisherLost,
            EventCode::PublisherReturned,
            EventCode::PublisherEnded,
            EventCode::PublisherRefused,
            EventCode::PublisherActive,
            EventCode::PublisherLimit,
            EventCode::DestinationLive,
            EventCode::DestinationSlow,
            EventCode::DestinationRecovered,
            EventCode::DestinationRetrying,
            EventCode::DestinationFailed,
            EventCode::DestinationEnded,
            EventCode::BroadcastStarted,
            EventCode::BroadcastStopped,
        ] {
            event.code = code;
            let sentence = from_engine(&event).sentence;
            assert!(sentence.ends_with('.') && !sentence.contains("  ") && sentence.len() > 10, "{sentence}");
        }
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        use brookbox_relay::ReasonCode as R;
        for code in [
            R::BadKey,
            R::NotStarted,
            R::Refused,
            R::RemoteClosed,
            R::TooSlow,
            R::Dns,
            R::NoRoute,
            R::Timeout,
            R::Tls,
            R::TlsExpired,
            R::TlsName,
            R::TlsUntrusted,
            R::ClockWrong,
            R::Codec,
            R::EncoderBusy,
            R::EncoderDied,
            R::AddressNotAllowed,
        ] {
            let code = code.as_str().to_owned();
            assert_ne!(reason(Some(&code)), code);
        }
    }
}
