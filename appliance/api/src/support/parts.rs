//! What goes into a support file, part by part and field by field. What is not named here does not go in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use brookbox_relay::{DestinationStatus, InputStatus, Snapshot, TrackStatus};
use brookbox_store::{Broadcast, Destination, Event, Input, Role, Store, Time};
use serde_json::{Map, Value, json};

use super::guard::looks_like_key;
use super::pseudonyms::{Pseudonyms, interface, is_code, program};
use crate::app::App;
use crate::figures::{Of, Sample};
use crate::machine::Machine;
use crate::platforms::{self, CUSTOM};
use crate::resources::status::Status;

/// Most events and broadcasts.
const EVENTS: u32 = 5_000;
const BROADCASTS: u32 = 100;
/// Values of ten seconds: six hours.
const TENS: usize = 2_160;
/// Parameters of events that are numbers or codes.
const PARAMS: [&str; 14] = [
    "reason", "count", "minutes", "hours", "alarm", "role", "tries", "ms", "kind", "platform", "state", "status",
    "percent", "on",
];

/// A free text that is known to be harmless, unless it looks like a key all the same.
fn free(text: Option<&str>) -> Value {
    text.filter(|text| text.len() <= 80 && !looks_like_key(text)).map_or(Value::Null, Value::from)
}

/// The box and the machine it runs on.
pub(super) fn the_box(app: &App, machine: &Machine, store: &Store) -> Result<Value, brookbox_store::Error> {
    let people: BTreeMap<&str, usize> = Role::ALL
        .iter()
        .map(|role| Ok((role.as_str(), store.users()?.iter().filter(|user| user.role == *role).count())))
        .collect::<Result<_, brookbox_store::Error>>()?;
    let config = &app.config;
    let https = app.certificate().map(|certificate| {
        json!({"port": certificate.port, "expiresAt": certificate.expires_at, "selfSigned": certificate.self_signed})
    });
    let network = machine.network.iter().map(|one| {
        json!({
            "name": interface(&one.name), "up": one.up, "speedMbps": one.speed_mbps,
            "addresses": one.addresses.len(),
        })
    });
    Ok(json!({
        "version": config.version,
        "uptimeS": app.started.elapsed().as_secs(),
        "claimed": app.claimed(),
        "people": people,
        "tokens": store.tokens()?.len(),
        "watchLinks": store.watch_links(Time::now())?.len(),
        "page": config.web_dir.is_some(),
        "allowedHosts": config.allowed_hosts.len(),
        "claimFromLan": config.claim_from_lan,
        "variables": config.variable_names.len(),
        "rtmpPort": app.engine.rtmp().port(),
        "https": https,
        "machine": {
            "model": free(machine.model.as_deref()),
            "processors": machine.processors,
            "load": machine.load,
            "temperatureC": machine.temperature_c,
            "throttleC": machine.throttle_c,
            "throttled": machine.throttled,
            "undervoltage": machine.undervoltage,
            "memoryTotal": machine.memory_total,
            "memoryAvailable": machine.memory_available,
            "storageTotal": machine.storage.as_ref().map(|storage| storage.total),
            "storageFree": machine.storage.as_ref().map(|storage| storage.free),
            "clockSynchronized": machine.clock_synchronized,
            "network": network.collect::<Vec<_>>(),
        },
    }))
}

/// Inputs and destinations as they are set up.
pub(super) fn configuration(store: &Store, names: &Pseudonyms) -> Result<Value, brookbox_store::Error> {
    let inputs: Vec<_> = store.inputs()?.iter().map(|input| of_input(input, names)).collect();
    let destinations: Vec<_> = store.destinations()?.iter().map(|one| of_destination(one, names)).collect();
    Ok(json!({"inputs": inputs, "destinations": destinations}))
}

fn of_input(input: &Input, names: &Pseudonyms) -> Value {
    json!({
        "input": names.of("input", &input.id),
        "enabled": input.enabled,
        "allowPublic": input.allow_public,
        "bitrateLimitBps": input.limits.bitrate_bps,
        "sessionLimit": input.limits.sessions,
    })
}

fn of_destination(destination: &Destination, names: &Pseudonyms) -> Value {
    let platform = platforms::platform(&destination.platform);
    let (input, output) = destination.output.split_once('/').unwrap_or((&destination.output, ""));
    json!({
        "destination": names.of("destination", &destination.id),
        "platform": platform.map_or(CUSTOM, |platform| &platform.id),
        "ownAddress": destination.url.as_deref().map(|url| address(url, names)),
        "backup": destination.backup_url.as_deref().map(|url| address(url, names)),
        "input": names.of("input", input),
        "output": if is_code(output) { output } else { "other" },
        "enabled": destination.enabled,
        "startMode": destination.start_mode,
        "retryForS": destination.retry_for_s,
        "hasLogin": destination.username.is_some(),
        "allowLocal": destination.allow_local,
    })
}

/// Of an address: how it is spoken to, and a pseudonym for where. The same host has the same one.
fn address(url: &str, names: &Pseudonyms) -> Value {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() => (host, port.parse::<u16>().ok()),
        _ => (authority, None),
    };
    let bare = host.trim_matches(['[', ']']);
    let host = bare.parse::<IpAddr>().map_or_else(|_| names.of("host", bare), |address| names.address(address));
    json!({"scheme": if is_code(scheme) { scheme } else { "other" }, "host": host, "port": port})
}

/// The live state.
pub(super) fn state(snapshot: &Snapshot, status: &Status, names: &Pseudonyms) -> Value {
    let inputs: Map<_, _> =
        snapshot.inputs.iter().map(|(id, input)| (names.of("input", id), of_input_status(id, input, status))).collect();
    let destinations: Map<_, _> = snapshot
        .destinations
        .iter()
        .map(|(id, destination)| (names.of("destination", id), of_destination_status(destination)))
        .collect();
    let refusals = snapshot.refusals.iter().map(|refusal| {
        json!({
            "address": names.peer(&refusal.address), "reason": refusal.reason, "count": refusal.count,
            "first": refusal.first, "last": refusal.last,
        })
    });
    json!({
        "time": Time::now(),
        "onAirSince": snapshot.on_air_since,
        "started": snapshot.broadcast.started,
        "stopped": snapshot.broadcast.stopped,
        "inputs": inputs,
        "destinations": destinations,
        "refusals": refusals.collect::<Vec<_>>(),
        "box": status.board(),
    })
}

fn of_input_status(id: &str, input: &InputStatus, status: &Status) -> Value {
    let session = input.session.as_ref().map(|session| {
        json!({
            "program": session.program.as_deref().map(program), "protocol": session.protocol, "since": session.since,
            "bytesReceived": session.bytes_received, "framesLost": session.frames_lost,
        })
    });
    json!({
        "state": input.state,
        "since": input.since,
        "session": session,
        "viewers": input.viewers,
        "tracks": input.tracks.iter().map(of_track).collect::<Vec<_>>(),
        "noticed": status.noticed(id),
    })
}

fn of_track(track: &TrackStatus) -> Value {
    json!({
        "kind": track.kind,
        "track": track.track,
        // Four letters, which a publisher chooses.
        "codec": free(Some(&track.codec)),
        "profile": free(track.profile.as_deref()),
        "width": track.width,
        "height": track.height,
        "fps": track.fps,
        "channels": track.channels,
        "sampleRate": track.sample_rate,
        "bitrateBps": track.bitrate_bps,
        "keyframeIntervalMs": track.keyframe_interval_ms,
        "bFrames": track.b_frames,
    })
}

fn of_destination_status(destination: &DestinationStatus) -> Value {
    json!({
        "enabled": destination.enabled,
        "state": destination.state,
        "confirmed": destination.confirmed,
        "since": destination.since,
        // The code alone: what a server said may hold anything.
        "reason": destination.reason.as_ref().map(|reason| reason.code),
        "nextTryAt": destination.next_try_at,
        "tries": destination.tries,
        "bitrateBps": destination.bitrate_bps,
        "rttMs": destination.rtt_ms,
        "queueMs": destination.queue_ms,
        "framesSent": destination.frames_sent,
        "framesDropped": destination.frames_dropped,
        "bytesSent": destination.bytes_sent,
    })
}

/// The newest events, the newest first.
pub(super) fn events(store: &Store, names: &Pseudonyms) -> Result<Value, brookbox_store::Error> {
    let mut found = Vec::new();
    let mut before = None;
    while found.len() < EVENTS as usize {
        let page = store.events(before, brookbox_store::MOST_EVENTS_AT_ONCE)?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        found.extend(page.iter().map(|event| of_event(event, names)));
    }
    Ok(found.into())
}

/// The sentence stays out: it holds names.
fn of_event(event: &Event, names: &Pseudonyms) -> Value {
    let mut params = Map::new();
    for (name, value) in &event.params {
        let text = value.as_str().unwrap_or_default();
        let told = match name.as_str() {
            name if PARAMS.contains(&name) && (value.is_number() || value.is_boolean()) => value.clone(),
            name if PARAMS.contains(&name) && (is_code(text) || text.parse::<f64>().is_ok()) => text.into(),
            "username" | "by" => names.of("person", text).into(),
            "address" | "peer" => names.peer(text).map_or(Value::Null, Value::from),
            "program" => program(text).into(),
            _ => continue,
        };
        params.insert(name.clone(), told);
    }
    json!({
        "id": event.id,
        "time": event.time,
        "code": if is_code(&event.code) { event.code.as_str() } else { "other" },
        "severity": event.severity,
        "input": event.input.as_deref().map(|id| names.of("input", id)),
        "destination": event.destination.as_deref().map(|id| names.of("destination", id)),
        "params": params,
    })
}

/// Broadcasts of the past.
pub(super) fn broadcasts(store: &Store, names: &Pseudonyms) -> Result<Value, brookbox_store::Error> {
    Ok(store.broadcasts(None, BROADCASTS)?.iter().map(|one| of_broadcast(one, names)).collect())
}

fn of_broadcast(broadcast: &Broadcast, names: &Pseudonyms) -> Value {
    let legs = broadcast.legs.iter().map(|leg| {
        let troubles = leg.troubles.iter().map(|trouble| {
            let reason = trouble.reason.as_deref().filter(|reason| is_code(reason));
            json!({"time": Time::from_ms(trouble.at_ms), "state": trouble.state, "reason": reason})
        });
        json!({
            "destination": names.of("destination", &leg.destination),
            "platform": platforms::platform(&leg.platform).map_or(CUSTOM, |platform| &platform.id),
            "from": Time::from_ms(leg.from_ms),
            "until": Time::from_ms(leg.until_ms),
            "onAirMs": leg.live_ms,
            "framesDropped": leg.frames_dropped,
            "troubleCount": leg.trouble_count,
            "troubles": troubles.collect::<Vec<_>>(),
        })
    });
    json!({
        "startedAt": broadcast.started_at,
        "endedAt": broadcast.ended_at,
        "destinations": legs.collect::<Vec<_>>(),
    })
}

/// Figures for graphs: the last minutes by the second, the last hours by ten seconds.
pub(super) fn figures(app: &App, names: &Pseudonyms) -> Value {
    let of = |coarse, limit| -> (Time, Map<String, Value>) {
        let newest = app.figures.newest(coarse, limit, |_| true);
        let all = newest.series.into_iter().map(|(of, samples)| match of {
            Of::Board => {
                let load: Vec<_> = samples.iter().map(|sample| sample.load()).collect();
                let temperature: Vec<_> = samples.iter().map(|sample| sample.temperature_c()).collect();
                ("board".to_owned(), json!({ "load": load, "temperatureC": temperature }))
            }
            Of::Input(id) => (names.of("input", &id), series(&samples)),
            Of::Destination(id) => (names.of("destination", &id), series(&samples)),
        });
        (newest.until, all.collect())
    };
    let (until, by_second) = of(false, crate::figures::SECONDS);
    let (_, by_ten) = of(true, TENS);
    json!({ "until": until, "bySecond": by_second, "byTenSeconds": by_ten })
}

fn series(samples: &[Sample]) -> Value {
    json!({
        "bitrateBps": samples.iter().map(|sample| sample.bitrate_bps()).collect::<Vec<_>>(),
        "queueMs": samples.iter().map(|sample| sample.queue_ms()).collect::<Vec<_>>(),
        "rttMs": samples.iter().map(|sample| sample.rtt_ms()).collect::<Vec<_>>(),
        "frames": samples.iter().map(|sample| sample.frames_dropped()).collect::<Vec<_>>(),
    })
}
