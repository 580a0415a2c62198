//! The state that everybody sees.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock::rfc3339;
use crate::engine::Engine;
use crate::{DestinationState, InputStatus, OutputStatus, Snapshot};

impl Engine {
    pub(crate) fn publish_snapshot(&self) {
        let snapshot = self.snapshot();
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    fn snapshot(&self) -> Snapshot {
        let now = self.context.clock.now();
        let (inputs, destinations) = (self.inputs.borrow(), self.destinations.borrow());
        let (blocked, wall) = (self.blocked.borrow(), SystemTime::now());
        let blocked_until = |address| {
            let left = blocked.left(address, now)?;
            wall.checked_add(Duration::from_millis(left))
        };
        let mut snapshot = Snapshot {
            broadcast: self.broadcast.get(),
            refusals: self.refusals.borrow().list(blocked_until),
            ..Snapshot::default()
        };
        for (id, slot) in inputs.iter() {
            let programme = slot.programme.as_ref().map(|p| p.borrow());
            let lost = programme.as_ref().map_or(0, |p| p.frames_lost());
            let session = slot.session.as_ref().map(|s| s.status(lost));
            snapshot.sessions.extend(session.clone());
            let viewers = self.viewers.borrow();
            let watching = || viewers.values().filter(|viewer| viewer.input() == id);
            snapshot.sessions.extend(watching().map(|viewer| viewer.status()));
            let viewers = u32::try_from(watching().count()).unwrap_or(u32::MAX);
            let tracks = programme.as_ref().map_or_else(Vec::new, |p| p.tracks(now));
            let since = rfc3339(slot.state.1);
            snapshot.inputs.insert(id.clone(), InputStatus { state: slot.state.0, since, session, viewers, tracks });
            let (log_bytes, log_ms) = programme.map_or((0, 0), |p| (p.log.bytes() as u64, p.log.span_ms()));
            let output = OutputStatus { input: id.clone(), kind: "passthrough", log_bytes, log_ms };
            snapshot.outputs.insert(format!("{id}/passthrough").into(), output);
        }
        let mut on_air: Option<SystemTime> = None;
        let mut sending = false;
        for (id, slot) in destinations.iter() {
            let (view, wish) = (slot.view.borrow(), slot.wish.borrow());
            sending |= wish.programme.is_some();
            if matches!(view.state(), DestinationState::Live | DestinationState::Slow) {
                on_air = Some(on_air.map_or(view.since(), |t| t.min(view.since())));
            }
            snapshot.destinations.insert(id.clone(), view.status(&wish.config));
        }
        // Neither a destination that reconnects nor one that is switched off and on begins the broadcast anew.
        let goes_on = !snapshot.broadcast.stopped && inputs.values().any(|slot| slot.programme.is_some());
        let since = if sending || goes_on { self.on_air_since.get().or(on_air) } else { None };
        self.on_air_since.set(since);
        snapshot.on_air_since = since.map(rfc3339);
        snapshot
    }
}
