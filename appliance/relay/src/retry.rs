//! When a destination is tried again. Time is passed in; nothing here waits.

use std::time::Duration;

use crate::ReasonCode;

/// Waiting times between tries; the last one repeats. Each is spread by ± 20 %.
const DELAYS_S: [u64; 7] = [1, 2, 4, 8, 15, 30, 60];
/// This long live, and the count of failures starts anew.
pub(crate) const HEALTHY: Duration = Duration::from_secs(60);
/// After this many failures in a row the backup address takes turns.
const FAILURES_BEFORE_BACKUP: u32 = 3;
/// Hanging up silently between `publish` and its answer, this often running, means that the key is refused.
const SILENT_REFUSALS: u32 = 2;

/// What comes after an ended connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again after this time.
    After(Duration),
    /// A person has to act.
    Failed,
}

/// Counts the failures of one destination.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retry {
    failures: u32,
    silent_refusals: u32,
    /// Engine ms of the first failure in the row.
    since: Option<u64>,
}

impl Retry {
    /// Tries that failed in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the backup address is tried now, if there is one: in turns once the first address has failed often.
    pub(crate) fn use_backup(&self) -> bool {
        self.failures >= FAILURES_BEFORE_BACKUP && (self.failures - FAILURES_BEFORE_BACKUP).is_multiple_of(2)
    }

    /// The server hung up between our `publish` and its answer; says whether that now means a refused key.
    pub(crate) fn silent_refusal(&mut self) -> bool {
        self.silent_refusals += 1;
        self.silent_refusals >= SILENT_REFUSALS
    }

    /// The server answered our `publish`: whatever comes now is not about the key.
    pub(crate) fn accepted(&mut self) {
        self.silent_refusals = 0;
    }

    /// The connection ended at `now` after `live` of health. `jitter` is uniform in 0..=255.
    pub(crate) fn ended(
        &mut self,
        reason: ReasonCode,
        live: Duration,
        now: u64,
        retry_for: Option<Duration>,
        jitter: u8,
    ) -> Next {
        if live >= HEALTHY {
            *self = Self::default();
        } else if !live.is_zero() {
            // Time in which it was live is not time of trying.
            self.since = None;
        }
        self.failures += 1;
        let since = *self.since.get_or_insert(now);
        if is_final(reason) {
            return Next::Failed;
        }
        let index = usize::try_from(self.failures - 1).unwrap_or(usize::MAX).min(DELAYS_S.len() - 1);
        let delay = DELAYS_S.get(index).copied().unwrap_or(60) * 1000;
        // 0.8 … 1.2 of it
        let delay = delay * (800 + u64::from(jitter) * 400 / 255) / 1000;
        let out_of_time =
            retry_for.is_some_and(|limit| u128::from(now - since) + u128::from(delay) > limit.as_millis());
        if out_of_time { Next::Failed } else { Next::After(Duration::from_millis(delay)) }
    }
}

/// Reasons that trying again cannot mend.
fn is_final(reason: ReasonCode) -> bool {
    use ReasonCode::{AddressNotAllowed, BadKey, Codec, EncoderDied};
    matches!(reason, BadKey | AddressNotAllowed | Codec | EncoderDied)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(1);

    fn delays(retry: &mut Retry, n: usize) -> Vec<u128> {
        (0..n)
            .map(|_| match retry.ended(ReasonCode::RemoteClosed, SHORT, 0, None, 127) {
                Next::After(d) => (d.as_millis() + 500) / 1000,
                Next::Failed => panic!("tried without end"),
            })
            .collect()
    }

    #[test]
    fn waits_grow_and_start_anew_after_a_healthy_minute() {
        let mut retry = Retry::default();
        assert_eq!(delays(&mut retry, 9), [1, 2, 4, 8, 15, 30, 60, 60, 60]);
        retry.ended(ReasonCode::Timeout, HEALTHY, 0, None, 127);
        assert_eq!(retry.failures(), 1);
    }

    #[test]
    fn jitter_is_a_fifth_each_way() {
        let first = |jitter| Retry::default().ended(ReasonCode::Dns, SHORT, 0, None, jitter);
        assert_eq!(first(0), Next::After(Duration::from_millis(800)));
        assert_eq!(first(255), Next::After(Duration::from_millis(1200)));
    }

    #[test]
    fn backup_takes_turns_after_three_failures() {
        let mut retry = Retry::default();
        let mut used = Vec::new();
        for _ in 0..8 {
            used.push(retry.use_backup());
            retry.ended(ReasonCode::Timeout, SHORT, 0, None, 0);
        }
        assert_eq!(used, [false, false, false, true, false, true, false, true]);
    }

    #[test]
    fn some_reasons_are_final() {
        for reason in [ReasonCode::BadKey, ReasonCode::AddressNotAllowed, ReasonCode::Codec] {
            assert_eq!(Retry::default().ended(reason, SHORT, 0, None, 0), Next::Failed);
        }
    }

    #[test]
    fn retrying_ends_when_its_time_is_over() {
        let mut retry = Retry::default();
        let limit = Some(Duration::from_secs(10));
        assert!(matches!(retry.ended(ReasonCode::Timeout, Duration::ZERO, 0, limit, 127), Next::After(_)));
        assert!(matches!(retry.ended(ReasonCode::Timeout, Duration::ZERO, 7_000, limit, 127), Next::After(_)));
        assert_eq!(retry.ended(ReasonCode::Timeout, Duration::ZERO, 9_000, limit, 127), Next::Failed);
    }

    #[test]
    fn time_of_trying_begins_after_it_was_live() {
        let mut retry = Retry::default();
        let limit = Some(Duration::from_secs(10));
        assert!(matches!(retry.ended(ReasonCode::Timeout, Duration::ZERO, 0, limit, 127), Next::After(_)));
        let live = Duration::from_secs(40);
        assert!(matches!(retry.ended(ReasonCode::RemoteClosed, live, 41_000, limit, 127), Next::After(_)));
        assert!(matches!(retry.ended(ReasonCode::Timeout, Duration::ZERO, 45_000, limit, 127), Next::After(_)));
        assert_eq!(retry.ended(ReasonCode::Timeout, Duration::ZERO, 50_000, limit, 127), Next::Failed);
    }

    #[test]
    fn hanging_up_twice_at_publish_is_a_refused_key() {
        let mut retry = Retry::default();
        assert!(!retry.silent_refusal());
        assert!(retry.silent_refusal());
        retry.accepted();
        assert!(!retry.silent_refusal());
    }
}
