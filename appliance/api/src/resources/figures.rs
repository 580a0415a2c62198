//! Figures for graphs.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use brookbox_store::Time;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::figures::{Of, SECONDS, Sample, TENS};
use crate::problem::Problem;
use crate::query::Query;

const LIMIT_DEFAULT: usize = 300;

/// Figures at equal distances, the oldest first; the last one is of `until`. A `null` was not measured. Of many inputs and
/// destinations at once there may be fewer values than were asked for, 50 000 moments in all; of one there are all.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FiguresView {
    /// Seconds from one value to the next: 1 or 10.
    step_s: u32,
    /// Of when the last values are; of ten seconds their end.
    #[schema(value_type = String, format = DateTime)]
    until: Time,
    /// The most that all destinations together acknowledged, mean of ten seconds, on the last seven days; bit/s.
    upload_best_bps: Option<u64>,
    /// The machine; `null` where it says nothing of itself, or something else was asked for.
    board: Option<BoardFigures>,
    /// By input id.
    inputs: BTreeMap<String, InputFigures>,
    /// By destination id.
    destinations: BTreeMap<String, DestinationFigures>,
}

/// The machine's figures, taken every ten seconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BoardFigures {
    /// Mean number of programs that wanted to run, over one minute.
    load: Vec<Option<f64>>,
    /// The hottest thermal zone, °C.
    temperature_c: Vec<Option<f64>>,
}

/// An input's figures.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InputFigures {
    /// Bit/s of all tracks.
    bitrate_bps: Vec<Option<u64>>,
    /// Timestamp gaps in video, as frames.
    frames_lost: Vec<Option<u64>>,
}

/// A destination's figures.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DestinationFigures {
    /// Bit/s acknowledged.
    bitrate_bps: Vec<Option<u64>>,
    /// Smoothed round trip, ms.
    rtt_ms: Vec<Option<f64>>,
    /// Age of the oldest video frame that was not acknowledged, ms; of ten seconds the longest.
    queue_ms: Vec<Option<u64>>,
    /// Frames left out.
    frames_dropped: Vec<Option<u64>>,
}

/// `?stepS=&limit=&input=&destination=`
pub(crate) async fn get(State(app): State<App>, mut query: Query) -> Result<Response, Problem> {
    let coarse = query.word("stepS", &[("1", false), ("10", true)]).unwrap_or(false);
    let limit = query.number("limit", 1..=if coarse { TENS } else { SECONDS }).unwrap_or(LIMIT_DEFAULT);
    let (input, destination) = (query.text("input"), query.text("destination"));
    query.finish()?;
    body::long(&app, move |app| {
        let newest = app.figures.newest(coarse, limit, |of| match of {
            _ if input.is_none() && destination.is_none() => true,
            Of::Board => false,
            Of::Input(id) => input.as_ref() == Some(id),
            Of::Destination(id) => destination.as_ref() == Some(id),
        });
        let (mut board, mut inputs, mut destinations) = (None, BTreeMap::new(), BTreeMap::new());
        for (of, samples) in newest.series {
            match of {
                Of::Board => board = Some(of_board(&samples)),
                Of::Input(id) => _ = inputs.insert(id, of_input(&samples)),
                Of::Destination(id) => _ = destinations.insert(id, of_destination(&samples)),
            }
        }
        let step_s = if coarse { 10 } else { 1 };
        let upload_best_bps = app.upload.best();
        Ok(FiguresView { step_s, until: newest.until, upload_best_bps, board, inputs, destinations })
    })
    .await
}

fn of_board(samples: &[Sample]) -> BoardFigures {
    BoardFigures {
        load: samples.iter().map(|sample| sample.load()).collect(),
        temperature_c: samples.iter().map(|sample| sample.temperature_c()).collect(),
    }
}

fn of_input(samples: &[Sample]) -> InputFigures {
    InputFigures {
        bitrate_bps: samples.iter().map(|sample| sample.bitrate_bps()).collect(),
        frames_lost: samples.iter().map(|sample| sample.frames_dropped()).collect(),
    }
}

fn of_destination(samples: &[Sample]) -> DestinationFigures {
    DestinationFigures {
        bitrate_bps: samples.iter().map(|sample| sample.bitrate_bps()).collect(),
        rtt_ms: samples.iter().map(|sample| sample.rtt_ms()).collect(),
        queue_ms: samples.iter().map(|sample| sample.queue_ms()).collect(),
        frames_dropped: samples.iter().map(|sample| sample.frames_dropped()).collect(),
    }
}
