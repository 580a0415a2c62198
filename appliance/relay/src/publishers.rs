//! What the engine does when publishers come, go or are refused.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::SystemTime;

use crate::engine::{Engine, STOPPED_MS, input_of};
use crate::ingest::{self, Closing, Session};
use crate::log::Retention;
use crate::programme::{Life, Programme, Shared};
use crate::{BroadcastState, DestinationState, EventCode, Id, Input, InputState};

/// How a publisher went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As the protocol has it.
    Proper,
    /// Its connection was lost.
    Lost,
    /// The box closed it.
    Closed(Closing),
}

impl Engine {
    pub(crate) fn active_session(&self, input: &Id) -> Option<Rc<Session>> {
        self.inputs.borrow().get(input)?.session.clone()
    }

    pub(crate) fn new_session_id(&self) -> Id {
        let number = self.sessions.get() + 1;
        self.sessions.set(number);
        format!("s{number}").into()
    }

    /// A publisher was let in: it begins a programme, or goes on with one.
    pub(crate) fn publisher_started(&self, session: &Rc<Session>) -> Shared {
        let now = self.context.clock.now();
        let mut inputs = self.inputs.borrow_mut();
        let limits = self.settings.limits;
        let retention = Retention { ms: u64::from(limits.log_seconds) * 1000, bytes: limits.log_bytes };
        let Some(slot) = inputs.get_mut(&session.input) else {
            // The input was removed this very moment: nobody will read it.
            session.close(Closing::Unwanted);
            return Programme::new(retention, now);
        };
        slot.session = Some(session.clone());
        let held = slot.programme.as_ref().filter(|p| p.borrow().life != Life::Ended).cloned();
        let code = if held.is_some() { EventCode::PublisherReturned } else { EventCode::PublisherStarted };
        let programme = match held {
            Some(programme) => {
                programme.borrow_mut().resume();
                programme
            }
            None => slot.programme.insert(Programme::new(retention, now)).clone(),
        };
        slot.state = (InputState::Connecting, SystemTime::now());
        let name = slot.config.name.clone();
        drop(inputs);
        let mut event = ingest::event(code, Some(&session.input), session.peer);
        event.params.insert("name", name);
        self.context.report(event);
        if code == EventCode::PublisherStarted {
            // *Stop sending* holds as long as anything of that broadcast is there, also over a restart of the box.
            let others = self.inputs.borrow().values().any(|s| s.programme.is_some() && s.config.id != session.input);
            let broadcast = self.broadcast.get();
            if broadcast.stopped && !others && now > self.resumes_until.get() {
                self.set_broadcast(BroadcastState { stopped: false, ..broadcast });
            }
        } else {
            self.nudge_failed(&session.input);
        }
        self.context.touch();
        programme
    }

    /// The publisher's first frame is there: destinations begin.
    pub(crate) fn programme_begun(&self, input: &Id) {
        if let Some(slot) = self.inputs.borrow_mut().get_mut(input) {
            slot.state = (InputState::Receiving, SystemTime::now());
        }
        self.recompute(Some(input));
    }

    /// A publisher's connection has ended.
    pub(crate) fn publisher_gone(&self, session: &Rc<Session>, programme: &Shared, ending: Ending) {
        let now = self.context.clock.now();
        let ends = !matches!(ending, Ending::Lost | Ending::Closed(Closing::Replaced | Closing::Silent));
        {
            let mut inputs = self.inputs.borrow_mut();
            let slot = inputs.get_mut(&session.input);
            let Some(slot) = slot.filter(|s| s.session.as_ref().is_some_and(|a| Rc::ptr_eq(a, session))) else {
                return; // another one has taken over
            };
            slot.session = None;
            if ends {
                slot.programme = None;
                slot.state = (InputState::None, SystemTime::now());
            } else {
                programme.borrow_mut().hold(now);
                slot.state = (InputState::Lost, SystemTime::now());
            }
        }
        let code = match ending {
            Ending::Closed(Closing::Limit) => EventCode::PublisherLimit,
            _ if ends => EventCode::PublisherEnded,
            _ => EventCode::PublisherLost,
        };
        self.context.report(ingest::event(code, Some(&session.input), session.peer));
        if ends {
            self.programme_ended(programme, ending);
        }
        self.context.touch();
    }

    /// The end of a programme is the end of its broadcast.
    pub(crate) fn programme_ended(&self, programme: &Shared, ending: Ending) {
        let now = self.context.clock.now();
        Programme::end(programme, now);
        let others = self.inputs.borrow().values().any(|s| s.programme.is_some());
        if !others {
            self.on_air_since.set(None);
            if ending == Ending::Lost && self.broadcast.get().stopped {
                self.resumes_until.set(now + STOPPED_MS);
            } else {
                self.set_broadcast(BroadcastState::default());
            }
        }
        self.recompute(None);
    }

    fn nudge_failed(&self, input: &Id) {
        for slot in self.destinations.borrow().values() {
            let failed = slot.view.borrow().state() == DestinationState::Failed;
            if failed && input_of(&slot.wish.borrow().config.output) == &**input {
                slot.wish.send_modify(|wish| wish.nudge += 1);
            }
        }
    }

    pub(crate) fn publisher_active(&self, peer: SocketAddr, input: &Input) {
        self.note_refusal(peer, "publisher_active", Some(&input.id), EventCode::PublisherActive);
    }

    pub(crate) fn refused(&self, peer: SocketAddr, reason: &'static str, input: Option<&Id>) {
        self.note_refusal(peer, reason, input, EventCode::PublisherRefused);
    }

    fn note_refusal(&self, peer: SocketAddr, reason: &'static str, input: Option<&Id>, code: EventCode) {
        let told = self.refusals.borrow_mut().note(peer.ip(), reason, self.context.clock.now());
        self.refusals_changed.set(true);
        // What a person has blocked is listed, and no news.
        if let Some(count) = told.filter(|_| reason != "blocked") {
            let mut event = ingest::event(code, input, peer);
            event.params.insert("reason", reason.to_owned());
            event.params.insert("count", count.to_string());
            self.context.report(event);
            self.context.touch();
        }
    }

    pub(crate) fn is_blocked(&self, address: IpAddr) -> bool {
        self.blocked.borrow().left(address, self.context.clock.now()).is_some()
    }
}
