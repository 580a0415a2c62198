//! What waits to be told to one server: bounded, in order, a few at a time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::notify::client::Outcome;
use crate::notify::message::Told;

/// Most events that wait; the oldest go first, and are counted.
const WAITING: usize = 64;
/// Most events of one message.
const TOGETHER: usize = 20;
/// What follows within this time is told together.
const GATHER: Duration = Duration::from_millis(500);
/// Pause after a message, so that a flood of events is no flood of messages.
const PAUSE: Duration = Duration::from_secs(5);
/// Waiting times after failures; after the last of them the message is given up.
const BACKOFF_S: [u64; 8] = [5, 15, 45, 120, 300, 600, 600, 600];

/// One line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: VecDeque<Told>,
    /// Of them, how many are being sent.
    sent: usize,
    left_out: u32,
    /// Of them, how many the message says that is being sent.
    said: u32,
    /// When the next message is due, once something waits.
    next: Option<Instant>,
    failures: usize,
}

impl Line {
    /// Something more is to be told.
    pub(crate) fn push(&mut self, told: Told, now: Instant) {
        if self.waiting.len() >= WAITING {
            // What is being sent is not taken out from under it.
            self.waiting.remove(self.sent);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.waiting.push_back(told);
        self.next.get_or_insert(now + GATHER);
    }

    /// Events that wait, those that are being sent among them.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a message is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        self.sent > 0
    }

    /// When there is something to do, if there is.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next.filter(|_| !self.is_busy() && !self.waiting.is_empty())
    }

    /// The events of the next message and how many were left out before them, if one is due.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(Vec<Told>, u32)> {
        self.due().filter(|due| *due <= now)?;
        let events: Vec<_> = self.waiting.iter().take(TOGETHER).cloned().collect();
        (self.sent, self.said) = (events.len(), self.left_out);
        Some((events, self.left_out))
    }

    /// What waits after a failure need not wait any longer.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if self.failures > 0 && !self.is_busy() {
            self.next = self.next.map(|next| next.min(now));
        }
    }

    /// A message has ended like this. Says whether it is news that this server cannot be told.
    pub(crate) fn settle(&mut self, outcome: &Outcome, now: Instant) -> bool {
        let sent = std::mem::take(&mut self.sent);
        let gives_up = !outcome.is_worth_another_try() || self.failures >= BACKOFF_S.len();
        if outcome.is_taken() || gives_up {
            self.waiting.drain(..sent.min(self.waiting.len()));
        }
        if outcome.is_taken() {
            self.left_out -= self.said.min(self.left_out);
            self.failures = 0;
            self.next = Some(now + PAUSE);
            return false;
        }
        let wait = BACKOFF_S.get(self.failures).or(BACKOFF_S.last()).copied().unwrap_or_default();
        let wait = Duration::from_secs(wait).max(outcome.wait.unwrap_or_default());
        self.next = Some(now + wait);
        self.failures += 1;
        self.failures == 1
    }
}

#[cfg(test)]
mod tests {
    use brookbox_store::{NewEvent, Severity, Time};

    use super::*;
    use crate::notify::client::Delivery;

    fn told(id: i64) -> Told {
        let event = NewEvent {
            time: Time::from_ms(0),
            code: "box_started".into(),
            severity: Severity::Info,
            input: None,
            destination: None,
            params: serde_json::Map::new(),
            sentence: String::new(),
        };
        Told { id, event }
    }

    fn outcome(result: Delivery, status: Option<u16>) -> Outcome {
        Outcome { result, status, said: None, wait: None }
    }

    fn ids(events: &[Told]) -> Vec<i64> {
        events.iter().map(|told| told.id).collect()
    }

    #[test]
    fn what_comes_together_is_told_together_and_the_rest_after_a_pause() {
        let (mut line, now) = (Line::default(), Instant::now());
        (0..25).for_each(|id| line.push(told(id), now));
        assert_eq!(line.due(), Some(now + GATHER));
        assert!(line.take(now).is_none());
        let (events, left_out) = line.take(now + GATHER).unwrap();
        assert_eq!((ids(&events), left_out), ((0..20).collect(), 0));
        assert!(line.due().is_none() && line.take(now + PAUSE).is_none(), "one at a time");
        line.push(told(25), now);
        assert!(!line.settle(&outcome(Delivery::Taken, Some(200)), now));
        assert_eq!(line.due(), Some(now + PAUSE));
        assert_eq!(ids(&line.take(now + PAUSE).unwrap().0), [20, 21, 22, 23, 24, 25]);
        line.settle(&outcome(Delivery::Taken, Some(200)), now);
        assert_eq!((line.waiting(), line.due()), (0, None));
    }

    #[test]
    fn a_failure_is_tried_again_later_and_later_and_then_given_up() {
        let (mut line, mut now) = (Line::default(), Instant::now());
        let broken = outcome(Delivery::NoAnswer, None);
        line.push(told(1), now);
        now += GATHER;
        assert_eq!(ids(&line.take(now).unwrap().0), [1]);
        assert!(line.settle(&broken, now), "the first failure is news");
        for wait in &BACKOFF_S {
            assert_eq!(line.due(), Some(now + Duration::from_secs(*wait)));
            now += Duration::from_secs(*wait);
            assert_eq!(ids(&line.take(now).unwrap().0), [1], "the same again");
            assert!(!line.settle(&broken, now));
        }
        assert_eq!(line.waiting(), 0, "given up");
    }

    #[test]
    fn a_no_is_a_no_and_a_wish_to_wait_is_heard() {
        let (mut line, now) = (Line::default(), Instant::now());
        line.push(told(1), now);
        line.take(now + GATHER).unwrap();
        assert!(line.settle(&outcome(Delivery::Refused, Some(404)), now));
        assert_eq!(line.waiting(), 0);
        line.push(told(2), now);
        let due = line.due().unwrap();
        line.take(due).unwrap();
        let wait = Some(Duration::from_secs(99));
        line.settle(&Outcome { wait, ..outcome(Delivery::Refused, Some(429)) }, due);
        assert_eq!((line.waiting(), line.due()), (1, Some(due + Duration::from_secs(99))));
    }

    #[test]
    fn what_was_mended_is_tried_at_once() {
        let (mut line, now) = (Line::default(), Instant::now());
        line.push(told(1), now);
        line.hurry(now);
        assert_eq!(line.due(), Some(now + GATHER), "nothing has failed");
        line.take(now + GATHER).unwrap();
        line.settle(&outcome(Delivery::NoAnswer, None), now);
        line.hurry(now);
        assert_eq!(line.due(), Some(now));
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let (mut line, now) = (Line::default(), Instant::now());
        (0..70).for_each(|id| line.push(told(id), now));
        let (events, left_out) = line.take(now + GATHER).unwrap();
        assert_eq!((line.waiting(), ids(&events)[0], left_out), (WAITING, 6, 6));
        line.push(told(70), now);
        line.settle(&outcome(Delivery::Taken, Some(200)), now);
        let (events, left_out) = line.take(now + PAUSE).unwrap();
        assert_eq!((ids(&events)[0], left_out), (27, 1));
    }
}
