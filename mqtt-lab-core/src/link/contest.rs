//! Notices another client with the same client id, and slows the reconnects down.
//!
//! A broker disconnects the older of two clients with one id (MQTT-3.1.4-3). If both reconnect at once, both are
//! disconnected several times per second. MQTT 5 has reason code 0x8E for it; brokers of 3.1.1, and mosquitto before
//! 2.1, just close the connection, as a failing network does. A [witness](super::witness) tells which it was. Pure: the
//! caller brings the time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;
use crate::reason;

/// A connection that the broker closed sooner than this was a short one.
pub(super) const SHORT: Duration = Duration::from_secs(5);
/// After so many short connections within [`WITHIN`], the next one has a witness.
const MANY: usize = 3;
const WITHIN: Duration = Duration::from_secs(10);
/// Upper end of the first wait in a contest; it doubles with each lost connection.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A connection that lasts so long ends a contest. Longer than the longest wait of the other client, if that waits
/// as we do.
const QUIET: Duration = Duration::from_secs(150);

/// What is known about another client with the same client id.
#[derive(Debug)]
pub(super) struct Contest {
    longest_wait: Duration,
    /// When short connections ended.
    short: VecDeque<Instant>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Alone,
    /// `wait` is the upper end of the next wait.
    Contested {
        wait: Duration,
    },
}

/// How sure it is that there is another client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The broker says so.
    ReasonCode,
    /// The broker closes the connections with this client id soon after they were made, and others not.
    Alone,
}

impl Evidence {
    /// What happens, and what to do.
    pub(super) fn describe(self, broker: &str, client_id: &str) -> String {
        match self {
            Self::ReasonCode => format!(
                "broker {broker}: another client uses the client id `{client_id}`, too; give one of them another \
                 client id"
            ),
            Self::Alone => format!(
                "broker {broker} closes each connection with the client id `{client_id}` within seconds, and no other: \
                 another client uses it, too; give one of them another client id"
            ),
        }
    }
}

impl Contest {
    /// `longest_backoff`: the longest wait of a link without a contest.
    pub(super) fn new(longest_backoff: Duration) -> Self {
        Self { longest_wait: longest_backoff.saturating_mul(2), short: VecDeque::new(), state: State::Alone }
    }

    /// A connection that lasted for `lasted` has ended; `alone`: a witness beside it did not. Returns evidence when a
    /// contest is noticed.
    pub(super) fn lost(
        &mut self,
        failure: &Failure,
        lasted: Duration,
        alone: bool,
        now: Instant,
    ) -> Option<Evidence> {
        let evidence = match failure {
            Failure::Disconnected(reason::TAKEN_OVER) => Some(Evidence::ReasonCode),
            Failure::Closed | Failure::Lost(_) => {
                self.count(lasted, now);
                (alone && lasted < SHORT).then_some(Evidence::Alone)
            }
            // Our own decision, or the broker named another reason.
            _ => return None,
        };
        match self.state {
            State::Contested { wait } => {
                let wait = wait.saturating_mul(2).min(self.longest_wait);
                self.state = State::Contested { wait };
                None
            }
            State::Alone => {
                evidence?;
                self.state = State::Contested { wait: FIRST_WAIT.min(self.longest_wait) };
                evidence
            }
        }
    }

    fn count(&mut self, lasted: Duration, now: Instant) {
        if lasted >= SHORT {
            self.short.clear();
            return;
        }
        self.short.push_back(now);
        while self.short.len() > MANY {
            self.short.pop_front();
        }
    }

    /// Whether the next connection is to have a witness.
    pub(super) fn is_suspected(&self) -> bool {
        let (Some(first), Some(last)) = (self.short.front(), self.short.back()) else { return false };
        self.state == State::Alone && self.short.len() == MANY && *last - *first <= WITHIN
    }

    /// The broker could not be reached: it has other troubles.
    pub(super) fn refused(&mut self) {
        self.short.clear();
    }

    /// The wait before the next attempt, for a random number from 0 to 1; `None` without a contest.
    pub(super) fn wait(&self, random: f64) -> Option<Duration> {
        match self.state {
            State::Alone => None,
            State::Contested { wait } => Some(wait.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)),
        }
    }

    /// How long a new connection must last to end the contest; `None` without a contest.
    pub(super) fn ends_after(&self) -> Option<Duration> {
        (self.state != State::Alone).then_some(QUIET)
    }

    /// The present connection has lasted long enough.
    pub(super) fn end(&mut self) {
        self.short.clear();
        self.state = State::Alone;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const BACKOFF: Duration = Duration::from_secs(30);

    /// Connections of `lasted` with `pause` between them, closed without a reason and, if there was a witness, `alone`.
    /// Returns when a contest was noticed.
    fn closed(lasted: Duration, pause: Duration, alone: bool) -> Option<Duration> {
        let (start, mut contest) = (Instant::now(), Contest::new(BACKOFF));
        let mut now = start;
        (0..20).find_map(|_| {
            now += lasted + pause;
            let witness = contest.is_suspected();
            contest.lost(&Failure::Closed, lasted, witness && alone, now).map(|_| now - start)
        })
    }

    #[test]
    fn a_reason_code_is_enough() {
        let mut contest = Contest::new(BACKOFF);
        let taken_over = Failure::Disconnected(reason::TAKEN_OVER);
        let mut lost = |lasted| contest.lost(&taken_over, lasted, false, Instant::now());
        assert_eq!(lost(Duration::from_secs(3_600)), Some(Evidence::ReasonCode));
        assert_eq!(lost(Duration::ZERO), None, "it is known");
    }

    #[test]
    fn short_connections_are_noticed_within_ten_seconds() {
        let ms = Duration::from_millis;
        assert!(closed(ms(300), ms(300), true).unwrap() < ms(10_000));
        assert!(closed(ms(1_500), ms(700), true).unwrap() < ms(10_000));
        assert_eq!(closed(ms(6_000), ms(200), true), None);
        assert_eq!(closed(ms(100), ms(10_000), true), None, "a broker that is down most of the time");
    }

    #[test]
    fn a_network_that_fails_again_and_again_is_no_contest() {
        let ms = Duration::from_millis;
        assert_eq!(closed(ms(300), ms(300), false), None);
        let (mut contest, now) = (Contest::new(BACKOFF), Instant::now());
        for failure in [Failure::Closed, Failure::Unplugged, Failure::Closed, Failure::Closed] {
            assert_eq!(contest.lost(&failure, Duration::ZERO, false, now), None);
        }
        assert!(contest.is_suspected());
        contest.refused();
        assert!(!contest.is_suspected(), "the broker has ended");
    }

    #[test]
    fn waits_grow_to_a_minute_and_end_with_a_quiet_connection() {
        let mut contest = Contest::new(BACKOFF);
        assert_eq!((contest.wait(1.0), contest.ends_after()), (None, None));
        let waits: Vec<_> = (0..9)
            .map(|_| {
                contest.lost(&Failure::Disconnected(reason::TAKEN_OVER), SHORT, false, Instant::now());
                contest.wait(1.0).unwrap().as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(contest.wait(0.0).unwrap().as_secs(), 30);
        assert!(contest.ends_after().unwrap() > Duration::from_secs(120));
        contest.end();
        assert_eq!(contest.wait(1.0), None);
    }
}
