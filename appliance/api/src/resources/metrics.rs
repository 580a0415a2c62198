//! Figures for a monitoring system, in the OpenMetrics text format. Things are named by their ids, never by anything that
//! people or publishers wrote.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use brookbox_relay::{DestinationState, InputState, Snapshot};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::problem::{Code, Problem};

const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfInput {
    input: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTrack {
    input: String,
    kind: &'static str,
    track: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDestination {
    destination: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    id: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStatus {
    status: &'static str,
}

/// All figures.
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("brookbox");
    of_the_box(&mut registry, &app);
    let snapshot = app.engine.snapshot();
    of_inputs(&mut registry, &snapshot);
    of_destinations(&mut registry, &snapshot);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| Code::Internal)?;
    Ok(([(header::CONTENT_TYPE, TYPE)], text).into_response())
}

fn of_the_box(registry: &mut Registry, app: &App) {
    let build = Info::new(vec![("version", app.config.version.clone())]);
    registry.register("build", "The program", build);
    let uptime = Gauge::<i64>::default();
    uptime.set(whole(app.started.elapsed().as_secs()));
    registry.register_with_unit("uptime", "Time since the program was started", Unit::Seconds, uptime);
    let answers = Family::<OfStatus, Counter>::default();
    for (status, count) in app.counters.answers() {
        answers.get_or_create(&OfStatus { status }).inc_by(count);
    }
    registry.register("http_answers", "Answers to HTTP requests", answers);
    let refused = Counter::<u64>::default();
    refused.inc_by(app.counters.refused_sign_ins.load(Ordering::Relaxed));
    registry.register("sign_ins_refused", "Wrong passwords and set-up codes", refused);
    let connections = Gauge::<i64>::default();
    connections.set(whole(app.counters.connections.load(Ordering::Relaxed)));
    registry.register("http_connections", "HTTP connections open now", connections);
    let sockets = Gauge::<i64>::default();
    sockets.set(whole(app.sockets.count() as u64));
    registry.register("live_sockets", "Live sockets open now", sockets);
}

fn of_inputs(registry: &mut Registry, snapshot: &Snapshot) {
    let states = Family::<InState, Gauge>::default();
    let received = Family::<OfInput, Counter>::default();
    let bitrates = Family::<OfTrack, Gauge>::default();
    let viewers = Family::<OfInput, Gauge>::default();
    for (id, input) in &snapshot.inputs {
        for (state, name) in INPUT_STATES {
            let label = InState { id: id.to_string(), state: name };
            states.get_or_create(&label).set(i64::from(input.state == state));
        }
        if let Some(session) = &input.session {
            received.get_or_create(&OfInput { input: id.to_string() }).inc_by(session.bytes_received);
        }
        viewers.get_or_create(&OfInput { input: id.to_string() }).set(i64::from(input.viewers));
        for track in &input.tracks {
            let label = OfTrack { input: id.to_string(), kind: track.kind, track: track.track };
            bitrates.get_or_create(&label).set(whole(track.bitrate_bps));
        }
    }
    registry.register("input_state", "1 for the state that the input is in", states);
    registry.register("input_viewers", "Who watches the input now", viewers);
    registry.register("input_received_bytes", "Received from the publisher in its session", received);
    registry.register("input_track_bitrate_bps", "Bit/s of a track, 5 s mean", bitrates);
}

fn of_destinations(registry: &mut Registry, snapshot: &Snapshot) {
    let states = Family::<InState, Gauge>::default();
    let sent = Family::<OfDestination, Counter>::default();
    let frames = Family::<OfDestination, Counter>::default();
    let dropped = Family::<OfDestination, Counter>::default();
    let bitrates = Family::<OfDestination, Gauge>::default();
    let round_trips = Family::<OfDestination, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
    let queues = Family::<OfDestination, Gauge>::default();
    let tries = Family::<OfDestination, Gauge>::default();
    for (id, destination) in &snapshot.destinations {
        for (state, name) in DESTINATION_STATES {
            let label = InState { id: id.to_string(), state: name };
            states.get_or_create(&label).set(i64::from(destination.state == state));
        }
        let label = OfDestination { destination: id.to_string() };
        sent.get_or_create(&label).inc_by(destination.bytes_sent);
        frames.get_or_create(&label).inc_by(destination.frames_sent);
        dropped.get_or_create(&label).inc_by(destination.frames_dropped);
        tries.get_or_create(&label).set(i64::from(destination.tries));
        // What was not measured is left out, and is not 0.
        if let Some(bitrate) = destination.bitrate_bps {
            bitrates.get_or_create(&label).set(whole(bitrate));
        }
        if let Some(round_trip) = destination.rtt_ms {
            round_trips.get_or_create(&label).set(round_trip / 1000.0);
        }
        if let Some(queue) = destination.queue_ms {
            queues.get_or_create(&label).set(whole(queue));
        }
    }
    registry.register("destination_state", "1 for the state that the destination is in", states);
    registry.register("destination_sent_bytes", "Sent since it went on", sent);
    registry.register("destination_sent_frames", "Frames sent since it went on", frames);
    registry.register("destination_dropped_frames", "Frames thrown away here since it went on", dropped);
    registry.register("destination_tries", "Tries since the last healthy minute", tries);
    registry.register("destination_bitrate_bps", "Bit/s acknowledged, 5 s mean", bitrates);
    registry.register("destination_round_trip_seconds", "Smoothed round trip", round_trips);
    registry.register("destination_queue_ms", "Age of the oldest video frame not acknowledged", queues);
}

const INPUT_STATES: [(InputState, &str); 4] = [
    (InputState::None, "none"),
    (InputState::Connecting, "connecting"),
    (InputState::Receiving, "receiving"),
    (InputState::Lost, "lost"),
];

const DESTINATION_STATES: [(DestinationState, &str); 7] = [
    (DestinationState::Off, "off"),
    (DestinationState::Waiting, "waiting"),
    (DestinationState::Connecting, "connecting"),
    (DestinationState::Live, "live"),
    (DestinationState::Slow, "slow"),
    (DestinationState::Retrying, "retrying"),
    (DestinationState::Failed, "failed"),
];

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
