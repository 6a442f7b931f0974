//! Notices another client with the same client id, and slows the reconnects down.
//!
//! A broker disconnects the older of two clients with one id (MQTT-3.1.4-3). If both reconnect at once, both are
//! disconnected several times per second. MQTT 5 has reason code 0x8E for it; brokers of 3.1.1, and mosquitto before
//! 2.1, just close the connection. Pure: the caller brings the time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;
use crate::reason;

/// A connection that the broker closed sooner than this was a short one.
const SHORT: Duration = Duration::from_secs(5);
/// So many short connections within [`WITHIN`] are no accident. Restarts of a broker cause fewer.
const MANY: usize = 4;
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
    /// The broker closes each connection soon after it was made.
    ShortConnections,
}

impl Evidence {
    /// What happens, and what to do.
    pub(super) fn describe(self, broker: &str, client_id: &str) -> String {
        match self {
            Self::ReasonCode => format!(
                "broker {broker}: another client uses the client id `{client_id}`, too; give one of them another \
                 client id"
            ),
            Self::ShortConnections => format!(
                "broker {broker} closes each connection within seconds: another client probably uses the client id \
                 `{client_id}`, too; give one of them another client id"
            ),
        }
    }
}

impl Contest {
    /// `longest_backoff`: the longest wait of a link without a contest.
    pub(super) fn new(longest_backoff: Duration) -> Self {
        Self { longest_wait: longest_backoff.saturating_mul(2), short: VecDeque::new(), state: State::Alone }
    }

    /// A connection that lasted for `lasted` has ended. Returns evidence when a contest is noticed.
    pub(super) fn lost(&mut self, failure: &Failure, lasted: Duration, now: Instant) -> Option<Evidence> {
        let evidence = match failure {
            Failure::Disconnected(reason::TAKEN_OVER) => Some(Evidence::ReasonCode),
            Failure::Closed | Failure::Lost(_) => self.count(lasted, now),
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

    fn count(&mut self, lasted: Duration, now: Instant) -> Option<Evidence> {
        if lasted >= SHORT {
            self.short.clear();
            return None;
        }
        self.short.push_back(now);
        while self.short.len() > MANY {
            self.short.pop_front();
        }
        let first = self.short.front().filter(|_| self.short.len() == MANY)?;
        (now - *first <= WITHIN).then_some(Evidence::ShortConnections)
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

    /// Connections of `lasted` with `pause` between them, closed without a reason. Returns when a contest was noticed.
    fn closed(lasted: Duration, pause: Duration) -> Option<Duration> {
        let (start, mut contest) = (Instant::now(), Contest::new(BACKOFF));
        let mut now = start;
        (0..20).find_map(|_| {
            now += lasted + pause;
            contest.lost(&Failure::Closed, lasted, now).map(|_| now - start)
        })
    }

    #[test]
    fn a_reason_code_is_enough() {
        let mut contest = Contest::new(BACKOFF);
        let taken_over = Failure::Disconnected(reason::TAKEN_OVER);
        let evidence = contest.lost(&taken_over, Duration::from_secs(3_600), Instant::now());
        assert_eq!(evidence, Some(Evidence::ReasonCode));
        assert_eq!(contest.lost(&taken_over, Duration::ZERO, Instant::now()), None, "it is known");
    }

    #[test]
    fn short_connections_are_noticed_within_ten_seconds() {
        let ms = Duration::from_millis;
        assert!(closed(ms(300), ms(300)).unwrap() < ms(10_000));
        assert!(closed(ms(1_500), ms(700)).unwrap() < ms(10_000));
        assert_eq!(closed(ms(6_000), ms(200)), None);
        assert_eq!(closed(ms(100), ms(10_000)), None, "a broker that is down most of the time");
    }

    #[test]
    fn a_broker_that_restarts_is_no_contest() {
        let (mut contest, now) = (Contest::new(BACKOFF), Instant::now());
        for _ in 0..20 {
            assert_eq!(contest.lost(&Failure::Closed, Duration::ZERO, now), None);
            contest.refused();
        }
        for _ in 0..20 {
            assert_eq!(contest.lost(&Failure::Unplugged, Duration::ZERO, now), None);
        }
    }

    #[test]
    fn waits_grow_to_a_minute_and_end_with_a_quiet_connection() {
        let mut contest = Contest::new(BACKOFF);
        assert_eq!((contest.wait(1.0), contest.ends_after()), (None, None));
        let waits: Vec<_> = (0..9)
            .map(|_| {
                contest.lost(&Failure::Disconnected(reason::TAKEN_OVER), SHORT, Instant::now());
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
