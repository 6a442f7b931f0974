//! Senders whose clocks are ahead of the lab's: if several agree, it is the lab's that is wrong.

use std::collections::HashMap;

use crate::store::DeviceId;

/// Senders that are remembered; of more than these nothing new is learned.
const MAX_SENDERS: usize = 1_000;
/// How long a sender is believed after its last message, in microseconds.
const MEMORY_US: i64 = 300_000_000;
/// How far the clocks of two senders that agree may be apart, in microseconds.
const AGREEMENT_US: i64 = 10_000_000;
/// Senders that must agree.
const SEVERAL: usize = 2;

/// How far ahead each sender is.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    ahead: HashMap<DeviceId, Ahead>,
}

#[derive(Clone, Copy, Debug)]
struct Ahead {
    by_us: i64,
    seen_us: i64,
}

/// Several senders whose clocks agree against the lab's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suspicion {
    /// How many they are.
    pub(crate) senders: usize,
    /// How far the lab's clock is behind them, in microseconds.
    pub(crate) behind_us: i64,
}

impl Clocks {
    /// A sender's clock is ahead.
    pub(super) fn ahead(&mut self, sender: DeviceId, by_us: i64, seen_us: i64) {
        if self.ahead.len() < MAX_SENDERS || self.ahead.contains_key(&sender) {
            self.ahead.insert(sender, Ahead { by_us, seen_us });
        }
    }

    /// A sender's clock agrees with the lab's.
    pub(super) fn agrees(&mut self, sender: DeviceId) {
        // Nearly always there is nobody.
        if !self.ahead.is_empty() {
            self.ahead.remove(&sender);
        }
    }

    /// Whether several agree against the lab at `now_us`.
    pub(super) fn suspicion(&mut self, now_us: i64) -> Option<Suspicion> {
        self.ahead.retain(|_, ahead| (now_us - ahead.seen_us).abs() <= MEMORY_US);
        let mut all: Vec<i64> = self.ahead.values().map(|ahead| ahead.by_us).collect();
        all.sort_unstable();
        let agree =
            |from: usize| all[from..].iter().take_while(|by| **by - all[from] <= AGREEMENT_US).count();
        let (from, senders) =
            (0..all.len()).map(|from| (from, agree(from))).max_by_key(|(_, senders)| *senders)?;
        (senders >= SEVERAL).then(|| Suspicion { senders, behind_us: all[from + senders / 2] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const SECOND: i64 = 1_000_000;

    fn clocks(ahead: &[(i64, i64)]) -> Clocks {
        let mut clocks = Clocks::default();
        for (sender, by_us) in ahead {
            clocks.ahead(DeviceId(*sender), *by_us, 0);
        }
        clocks
    }

    #[test]
    fn one_sender_is_wrong_and_several_that_agree_are_right() {
        assert_eq!(clocks(&[(1, HOUR)]).suspicion(0), None);
        assert_eq!(clocks(&[(1, HOUR), (2, 2 * HOUR)]).suspicion(0), None, "each is wrong in its own way");
        let found =
            clocks(&[(1, 24 * HOUR), (2, HOUR), (3, HOUR + SECOND), (4, HOUR + 2 * SECOND)]).suspicion(0);
        assert_eq!(found, Some(Suspicion { senders: 3, behind_us: HOUR + SECOND }));
    }

    #[test]
    fn a_suspicion_ends_when_the_clocks_agree_or_nothing_more_is_heard() {
        let mut clocks = clocks(&[(1, HOUR), (2, HOUR)]);
        assert!(clocks.suspicion(MEMORY_US).is_some());
        clocks.agrees(DeviceId(1));
        assert_eq!(clocks.suspicion(0), None);
        clocks.ahead(DeviceId(1), HOUR, 0);
        assert_eq!(clocks.suspicion(MEMORY_US + 1), None);
    }

    #[test]
    fn a_crowd_is_bounded() {
        let mut clocks = Clocks::default();
        (0..2 * MAX_SENDERS as i64).for_each(|sender| clocks.ahead(DeviceId(sender), HOUR, 0));
        assert_eq!(clocks.suspicion(0).map(|found| found.senders), Some(MAX_SENDERS));
    }
}
