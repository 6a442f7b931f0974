//! When to ping, and when to take the broker for dead. Pure: the caller brings the time.

use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;

/// What the link has to say at a tick.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Situation {
    /// The broker owes an acknowledgement.
    pub(super) expects_ack: bool,
    /// The link does not read, because nobody takes its events: silence proves nothing.
    pub(super) deaf: bool,
}

/// The last PINGREQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    /// Something was read since.
    Answered,
    /// So many bytes are to be written until it is out, perhaps of a large message on a slow line.
    Queued(usize),
    /// It is on its way, and nothing was read since.
    Sent,
}

#[derive(Debug)]
pub(super) struct Watchdog {
    keep_alive: Duration,
    next: Instant,
    ping: Ping,
    /// Bytes were written since the last tick.
    writing: bool,
    /// The last acknowledgement, or part of a message written.
    progress: Instant,
}

impl Watchdog {
    /// `keep_alive` zero: never a tick.
    pub(super) fn new(keep_alive: Duration, now: Instant) -> Self {
        let next = now + keep_alive * 3 / 4;
        Self { keep_alive, next, ping: Ping::Answered, writing: false, progress: now }
    }

    pub(super) fn is_on(&self) -> bool {
        !self.keep_alive.is_zero()
    }

    /// When [`Watchdog::tick`] is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// The broker sent something, whatever it is.
    pub(super) fn heard(&mut self) {
        self.ping = Ping::Answered;
    }

    /// `count` bytes left the buffer. `message`: part of a message, not only of a ping.
    pub(super) fn wrote(&mut self, count: usize, message: bool, now: Instant) {
        self.writing = true;
        if let Ping::Queued(ahead) = self.ping {
            self.ping = if count < ahead { Ping::Queued(ahead - count) } else { Ping::Sent };
        }
        if message {
            self.progress = now;
        }
    }

    /// The broker acknowledged something.
    pub(super) fn progressed(&mut self, now: Instant) {
        self.progress = now;
    }

    /// At three quarters of the keep-alive a PINGREQ is to be written, whatever else was
    /// (MQTT-3.1.2-20); with it, the buffer holds `buffered` bytes.
    pub(super) fn tick(
        &mut self,
        situation: Situation,
        buffered: usize,
        now: Instant,
    ) -> Result<(), Failure> {
        let Situation { expects_ack, deaf } = situation;
        let silent = match self.ping {
            Ping::Answered => false,
            Ping::Queued(_) => !self.writing,
            Ping::Sent => true,
        };
        if silent && !deaf {
            return Err(Failure::Silent(self.keep_alive));
        }
        if !expects_ack || deaf {
            self.progress = now;
        }
        let limit = self.keep_alive * 2;
        if now - self.progress >= limit {
            return Err(Failure::Stalled(limit));
        }
        self.next = now + self.keep_alive * 3 / 4;
        self.ping = Ping::Queued(buffered);
        self.writing = false;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(20);
    const IDLE: Situation = Situation { expects_ack: false, deaf: false };
    const WAITING: Situation = Situation { expects_ack: true, deaf: false };
    const DEAF: Situation = Situation { expects_ack: true, deaf: true };

    fn watchdog() -> Watchdog {
        Watchdog::new(KEEP_ALIVE, Instant::now())
    }

    /// The next tick, whose ping is written at once.
    fn tick(watchdog: &mut Watchdog, situation: Situation) -> Result<(), Failure> {
        let now = watchdog.next();
        watchdog.tick(situation, 2, now)?;
        watchdog.wrote(2, false, now);
        Ok(())
    }

    #[test]
    fn a_ping_without_answer_ends_the_connection_before_twice_the_keep_alive() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(KEEP_ALIVE, start);
        tick(&mut watchdog, IDLE).unwrap();
        assert!(watchdog.next() - start < KEEP_ALIVE * 2);
        assert!(matches!(tick(&mut watchdog, IDLE), Err(Failure::Silent(_))));
    }

    #[test]
    fn messages_written_into_a_dead_network_do_not_hide_the_silence() {
        let mut watchdog = watchdog();
        tick(&mut watchdog, IDLE).unwrap();
        watchdog.wrote(1000, true, watchdog.next());
        assert!(matches!(tick(&mut watchdog, IDLE), Err(Failure::Silent(_))));
    }

    #[test]
    fn answered_pings_go_on_for_ever() {
        let mut watchdog = watchdog();
        for _ in 0..100 {
            tick(&mut watchdog, IDLE).unwrap();
            watchdog.heard();
        }
    }

    #[test]
    fn a_broker_that_pings_but_acknowledges_nothing_is_given_up() {
        let mut watchdog = watchdog();
        let mut ticks = 0;
        loop {
            watchdog.heard();
            match tick(&mut watchdog, WAITING) {
                Ok(()) => ticks += 1,
                Err(failure) => break assert!(matches!(failure, Failure::Stalled(_))),
            }
        }
        assert_eq!(ticks, 2, "ticks at 15 and 30 of 40 seconds");
    }

    #[test]
    fn its_own_deafness_is_not_the_brokers_silence() {
        let mut watchdog = watchdog();
        for _ in 0..100 {
            tick(&mut watchdog, DEAF).unwrap();
        }
    }

    #[test]
    fn a_ping_behind_a_large_message_on_a_slow_line_is_waited_for() {
        let mut watchdog = watchdog();
        for left in (1..100).rev() {
            let now = watchdog.next();
            watchdog.tick(WAITING, left * 1000, now).unwrap();
            watchdog.wrote(1000 - 2, true, now);
        }
        watchdog.tick(WAITING, 1000, watchdog.next()).unwrap();
        assert!(watchdog.tick(WAITING, 1000, watchdog.next()).is_err(), "nothing was written at all");
    }
}
