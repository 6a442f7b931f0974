//! Whether the broker itself was away, which is another story than a device that was.

use std::collections::HashSet;

use mqtt_lab_wire::State;

use crate::registry::Word;
use crate::store::DeviceId;

/// A broker that stops in order may publish every will before it closes our connection: those of so
/// many microseconds before are its own doing.
const LAST_WORDS_US: i64 = 5_000_000;

/// What ingest knows of the ends of its broker.
///
/// From our own connection alone a restart of the broker looks like a cut. But a broker that has ended
/// does not listen any more, and one without persistence has forgotten our session when it is back.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// The broker runs in this program and began with it.
    own: bool,
    connected_before: bool,
    lost_us: i64,
    /// Nobody listened when the connection was lost.
    ended: bool,
    /// The broker was restarted before this connection. Wills since then were its own doing.
    since_us: Option<i64>,
    /// It has forgotten everything: what it retains was said after the restart.
    forgot: bool,
    /// Devices that came back after the restart.
    back: HashSet<DeviceId>,
}

impl Restarts {
    pub(super) fn of_own_broker(own: bool) -> Self {
        Self { own, ..Self::default() }
    }

    /// Our connection was lost; `listens`: somebody still takes connections at the broker's address.
    pub(super) fn lost(&mut self, listens: bool, now_us: i64) {
        (self.ended, self.lost_us) = (!listens, now_us);
    }

    /// A connection was made; `session_present`: the broker went on with our session.
    pub(super) fn connected(&mut self, session_present: bool, now_us: i64) {
        let forgot = self.connected_before && !session_present;
        let restarted = if self.connected_before { self.ended || forgot } else { self.own };
        let end_us = if self.connected_before { self.lost_us - LAST_WORDS_US } else { now_us };
        self.since_us = restarted.then_some(end_us);
        self.forgot = restarted && !session_present;
        (self.connected_before, self.ended) = (true, false);
        self.back.clear();
    }

    /// What a device says of its state. `repeated`: it was retained, and is sent because we subscribed.
    pub(super) fn hear(&mut self, device: DeviceId, state: State, repeated: bool) -> Word {
        let replayed = repeated && !self.forgot;
        let alive = !matches!(state, State::Lost | State::Disconnected);
        let back = alive && !replayed && self.since_us.is_some() && self.back.insert(device);
        Word { state, replayed, restart_us: self.since_us.filter(|_| back) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMP: DeviceId = DeviceId(1);
    const SECOND: i64 = 1_000_000;

    /// The restart that a device's `ready` is taken to follow.
    fn ready(restarts: &mut Restarts, repeated: bool) -> Option<i64> {
        restarts.hear(LAMP, State::Ready, repeated).restart_us
    }

    #[test]
    fn our_own_cut_is_no_restart() {
        let mut restarts = Restarts::default();
        restarts.connected(false, 0);
        assert_eq!(ready(&mut restarts, false), None);
        restarts.lost(true, 10 * SECOND);
        restarts.connected(true, 20 * SECOND);
        assert_eq!(ready(&mut restarts, false), None);
    }

    #[test]
    fn a_broker_that_did_not_listen_was_restarted() {
        let mut restarts = Restarts::default();
        restarts.connected(false, 0);
        restarts.lost(false, 10 * SECOND);
        restarts.connected(true, 20 * SECOND);
        assert_eq!(ready(&mut restarts, true), None, "it is retained from before");
        assert_eq!(ready(&mut restarts, false), Some(5 * SECOND));
        assert_eq!(ready(&mut restarts, false), None, "it is back already");
        restarts.lost(true, 30 * SECOND);
        restarts.connected(true, 40 * SECOND);
        assert_eq!(ready(&mut restarts, false), None, "that was the connection before");
    }

    #[test]
    fn what_a_broker_retains_that_forgot_us_is_new() {
        let mut restarts = Restarts::default();
        restarts.connected(false, 0);
        restarts.lost(true, 10 * SECOND);
        restarts.connected(false, 20 * SECOND);
        assert_eq!(ready(&mut restarts, true), Some(5 * SECOND));
    }

    #[test]
    fn the_broker_of_this_program_began_with_it() {
        let mut restarts = Restarts::of_own_broker(true);
        restarts.connected(false, 7 * SECOND);
        assert_eq!(restarts.hear(LAMP, State::Disconnected, false).restart_us, None);
        assert_eq!(ready(&mut restarts, false), Some(7 * SECOND));
    }
}
