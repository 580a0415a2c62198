//! Between what is stored and the engine.

use std::time::Duration;

use brookbox_relay as relay;
use brookbox_relay::{Ended, Handle, Report, Reports};
use brookbox_store::{Destination, Input, StartMode, Store};

use crate::platforms;
use crate::sentences;

/// Most reports that are stored in one go.
const BATCH: usize = 64;

/// Something went wrong between the store and the engine.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] brookbox_store::Error),
    /// The engine has ended.
    #[error(transparent)]
    Engine(#[from] Ended),
    /// The thread that read the store died.
    #[error("the store's reader died")]
    Reader,
}

/// Tells the engine all inputs and, once the box is claimed, all destinations.
///
/// # Errors
/// The store cannot be read, or the engine has ended.
pub async fn sync(store: &Store, engine: &Handle) -> Result<(), SyncError> {
    let store = store.clone();
    let read = tokio::task::spawn_blocking(move || {
        let destinations = if store.claimed()? { store.destinations()? } else { Vec::new() };
        Ok::<_, brookbox_store::Error>((store.inputs()?, destinations))
    });
    let (inputs, destinations) = read.await.map_err(|_| SyncError::Reader)??;
    for input in &inputs {
        engine.put_input(input_for_engine(input)).await?;
    }
    for destination in &destinations {
        engine.put_destination(destination_for_engine(destination)).await?;
    }
    Ok(())
}

/// Stores what the engine reports: events with their sentences, and the state of the broadcast at once. Ends with the
/// engine. What cannot be stored is told in the log; the engine does not wait for a full disk.
pub async fn run_reports(store: Store, mut reports: Reports) {
    let mut batch = Vec::with_capacity(BATCH);
    while reports.recv_many(&mut batch, BATCH).await > 0 {
        let batch = std::mem::take(&mut batch);
        let store = store.clone();
        let stored = tokio::task::spawn_blocking(move || keep(&store, &batch)).await;
        match stored {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what the engine reported was not stored"),
            Err(error) => tracing::error!(%error, "storing what the engine reported did not end well"),
        }
    }
}

fn keep(store: &Store, batch: &[Report]) -> Result<(), brookbox_store::Error> {
    // Of several states only the last counts. It goes first: a restart must not undo a press.
    let state = batch.iter().rev().find_map(|report| match report {
        Report::Broadcast(state) => Some(state),
        Report::Event(_) => None,
    });
    let kept = state.map_or(Ok(()), |state| store.put_broadcast(state));
    let events: Vec<_> = batch
        .iter()
        .filter_map(|report| match report {
            Report::Event(event) => Some(sentences::from_engine(event)),
            Report::Broadcast(_) => None,
        })
        .collect();
    if !events.is_empty() {
        store.append_events(&events)?;
    }
    kept
}

/// An input as the engine takes it.
pub(crate) fn input_for_engine(input: &Input) -> relay::Input {
    relay::Input {
        id: input.id.as_str().into(),
        name: input.name.clone(),
        enabled: input.enabled,
        key: input.key.clone(),
        limits: relay::InputLimits { bitrate_bps: input.limits.bitrate_bps, sessions: input.limits.sessions },
        allow_public: input.allow_public,
    }
}

/// A destination as the engine takes it. One without an address, which the API does not let be stored, is off.
pub(crate) fn destination_for_engine(destination: &Destination) -> relay::Destination {
    let platform = platforms::platform(&destination.platform);
    let fixed = platform.and_then(|platform| platform.url.clone());
    // The platform's own backup address belongs to its own address.
    let fixed_backup = platform.and_then(|platform| platform.backup_url.clone()).filter(|_| destination.url.is_none());
    let url = destination.url.clone().or(fixed);
    relay::Destination {
        id: destination.id.as_str().into(),
        name: destination.name.clone(),
        platform: destination.platform.as_str().into(),
        enabled: destination.enabled && url.is_some(),
        url: url.unwrap_or_default(),
        backup_url: destination.backup_url.clone().or(fixed_backup),
        key: destination.key.clone(),
        login: destination
            .username
            .clone()
            .zip(destination.password.clone())
            .map(|(username, password)| relay::Login { username, password }),
        output: destination.output.as_str().into(),
        start_mode: match destination.start_mode {
            StartMode::WithStream => relay::StartMode::WithStream,
            StartMode::Manual => relay::StartMode::Manual,
        },
        retry_for: destination.retry_for_s.map(|seconds| Duration::from_secs(seconds.into())),
        allow_local: destination.allow_local,
        platform_facts: platform.map(platforms::Platform::facts).unwrap_or_default(),
    }
}
