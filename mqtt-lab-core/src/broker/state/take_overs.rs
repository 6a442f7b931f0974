//! Counts connections that another client with the same id took over, and notices when two clients do so in turn.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// So many take-overs of one id within [`WITHIN`] are a contest of two clients, not one that reconnects.
const MANY: usize = 4;
const WITHIN: Duration = Duration::from_secs(10);
/// A contest lasts as long as a link of ours may wait before it reconnects.
const LASTS: Duration = Duration::from_secs(75);
/// Time between two lines about one id. Two links of ours wait up to a minute.
const QUIET: Duration = Duration::from_secs(300);
/// Client ids that are watched at most.
const MOST: usize = 1_000;

#[derive(Debug, Default)]
pub(in super::super) struct TakeOvers {
    total: u64,
    recent: HashMap<Arc<str>, Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    /// The last take-overs, at most [`MANY`].
    times: VecDeque<Instant>,
    reported: Option<Instant>,
}

impl Recent {
    fn is_old(&self, now: Instant) -> bool {
        let reported = self.reported.is_some_and(|reported| now - reported < QUIET);
        !reported && self.times.back().is_none_or(|last| now - *last > WITHIN)
    }
}

impl TakeOvers {
    /// Counts a take-over. Returns whether a contest for this id is to be reported.
    pub(super) fn add(&mut self, client_id: &Arc<str>, now: Instant) -> bool {
        self.total += 1;
        if self.recent.len() >= MOST && !self.recent.contains_key(client_id) {
            self.recent.retain(|_, recent| !recent.is_old(now));
            if self.recent.len() >= MOST {
                return false;
            }
        }
        let recent = self.recent.entry(Arc::clone(client_id)).or_default();
        recent.times.push_back(now);
        if recent.times.len() > MANY {
            recent.times.pop_front();
        }
        let contest = recent.times.len() == MANY && recent.times.iter().all(|time| now - *time <= WITHIN);
        let known = recent.reported.is_some_and(|reported| now - reported < QUIET);
        if contest && !known {
            recent.reported = Some(now);
        }
        contest && !known
    }

    /// A client id that two clients use at present, and how many more there are.
    pub(in super::super) fn contested(&self, now: Instant) -> Option<(Arc<str>, usize)> {
        let lasts = |recent: &Recent| {
            let last = recent.times.back().is_some_and(|last| now - *last <= LASTS);
            last && recent.reported.is_some()
        };
        let mut ids: Vec<_> =
            self.recent.iter().filter(|(_, recent)| lasts(recent)).map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.first().map(|id| (Arc::clone(id), ids.len() - 1))
    }

    /// Take-overs since the start.
    pub(in super::super) const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contest_is_reported_once_in_a_while_and_a_reconnect_never() {
        let (mut all, start, id) = (TakeOvers::default(), Instant::now(), Arc::from("lamp"));
        let reported: Vec<_> =
            (0..8).map(|second| all.add(&id, start + Duration::from_secs(second))).collect();
        assert_eq!(reported, [false, false, false, true, false, false, false, false]);
        assert_eq!(all.contested(start + Duration::from_secs(8)), Some((Arc::clone(&id), 0)));
        assert_eq!(all.contested(start + Duration::from_secs(8) + LASTS), None);
        let other = Arc::from("a client that reconnects every 5 s");
        assert!(!(0..8).any(|n| all.add(&other, start + Duration::from_secs(5 * n))));
        let later = start + QUIET;
        let reported: Vec<_> =
            (4..8).map(|second| all.add(&id, later + Duration::from_secs(second))).collect();
        assert_eq!(reported, [false, false, false, true]);
        assert_eq!(all.total(), 20);
    }

    #[test]
    fn ids_are_bounded() {
        let (mut all, start) = (TakeOvers::default(), Instant::now());
        let ids = |from: usize| (from..from + MOST).map(|n| Arc::from(n.to_string()));
        assert!(!ids(0).chain(ids(MOST)).any(|id| all.add(&id, start)));
        assert_eq!(all.recent.len(), MOST);
        let later = start + WITHIN * 2;
        assert!(!all.add(&Arc::from("new"), later));
        assert_eq!(all.recent.len(), 1);
    }
}
