//! Who may hold how many connections, or pages, at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Peer;

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) total: usize,
    /// For one address. It does not count for the lab's own computer.
    pub(crate) per_address: usize,
    /// Those of `total` that only the lab's own computer gets.
    pub(crate) reserved: usize,
}

/// Places that visitors share. When all are taken, one more visitor takes the place of the address that has most, so
/// that nobody can lock the others out.
#[derive(Debug)]
pub(crate) struct Places {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    taken: HashMap<u64, Taken>,
    counts: HashMap<Peer, usize>,
}

#[derive(Debug)]
struct Taken {
    peer: Peer,
    used: Instant,
    evicted: Arc<Notify>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
    evicted: Arc<Notify>,
    places: Arc<Places>,
}

/// No place is free for this address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Places {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, inner: Mutex::default() })
    }

    /// Takes a place for `peer`.
    pub(crate) fn enter(self: &Arc<Self>, peer: Peer) -> Result<Place, Full> {
        let mut inner = self.lock();
        let own = inner.counts.get(&peer).copied().unwrap_or(0);
        if !peer.is_own_computer() {
            if own >= self.limits.per_address {
                return Err(Full);
            }
            let own_computer = inner.counts.get(&Peer::OWN_COMPUTER).copied().unwrap_or(0);
            let foreign = inner.taken.len() - own_computer;
            let free = self.limits.total.saturating_sub(own_computer.max(self.limits.reserved));
            if foreign >= free && !inner.evict(own) {
                return Err(Full);
            }
        } else if inner.taken.len() >= self.limits.total && !inner.evict(0) {
            return Err(Full);
        }
        inner.next_id += 1;
        let (id, evicted) = (inner.next_id, Arc::new(Notify::new()));
        inner.taken.insert(id, Taken { peer, used: Instant::now(), evicted: Arc::clone(&evicted) });
        *inner.counts.entry(peer).or_default() += 1;
        drop(inner);
        Ok(Place { id, evicted, places: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Frees the place that was unused the longest of the address that has most of them, if those are more than
    /// `own + 1`; else two visitors would take each other's places for ever.
    fn evict(&mut self, own: usize) -> bool {
        let foreign = self.counts.iter().filter(|(peer, _)| !peer.is_own_computer());
        let Some((peer, _)) = foreign.max_by_key(|(_, count)| **count).filter(|(_, count)| **count > own + 1)
        else {
            return false;
        };
        let of_peer = self.taken.iter().filter(|(_, taken)| taken.peer == *peer);
        let Some(id) = of_peer.min_by_key(|(_, taken)| taken.used).map(|(id, _)| *id) else { return false };
        self.leave(id);
        true
    }

    fn leave(&mut self, id: u64) {
        let Some(taken) = self.taken.remove(&id) else { return };
        taken.evicted.notify_one();
        if let Some(count) = self.counts.get_mut(&taken.peer) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&taken.peer);
            }
        }
    }
}

impl Place {
    /// The place is in use now.
    pub(crate) fn touch(&self) {
        if let Some(taken) = self.places.lock().taken.get_mut(&self.id) {
            taken.used = Instant::now();
        }
    }

    /// Waits until another visitor has got the place.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().leave(self.id);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const LIMITS: Limits = Limits { total: 10, per_address: 6, reserved: 2 };

    fn peer(n: u8) -> Peer {
        Peer::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)))
    }

    #[tokio::test]
    async fn one_address_gets_no_more_than_its_share() {
        let places = Places::new(LIMITS);
        let held: Vec<_> = (0..6).map(|_| places.enter(peer(1)).unwrap()).collect();
        assert_eq!(places.enter(peer(1)).unwrap_err(), Full);
        assert!(places.enter(peer(2)).is_ok());
        drop(held);
        assert!(places.enter(peer(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_visitor_takes_the_idle_place_of_the_greediest() {
        let places = Places::new(LIMITS);
        let greedy: Vec<_> = (0..6).map(|_| places.enter(peer(1)).unwrap()).collect();
        let other: Vec<_> = (0..2).map(|_| places.enter(peer(2)).unwrap()).collect();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        greedy[0].touch();
        let mut honest = vec![places.enter(peer(3)).unwrap()];
        let evicted = greedy.iter().skip(1).map(|place| Box::pin(place.evicted()));
        tokio::time::timeout(std::time::Duration::from_secs(1), futures_util::future::select_all(evicted))
            .await
            .unwrap();
        honest.extend((0..2).map(|_| places.enter(peer(3)).unwrap()));
        assert_eq!(places.lock().counts[&peer(1)], 3);
        assert_eq!(places.enter(peer(3)).unwrap_err(), Full, "all have the same now");
        drop((greedy, other, honest));
        assert!(places.lock().taken.is_empty() && places.lock().counts.is_empty());
    }

    #[tokio::test]
    async fn the_own_computer_always_gets_in_and_is_never_evicted() {
        let places = Places::new(LIMITS);
        let crowd: Vec<_> = (0..8).map(|n| places.enter(peer(n)).unwrap()).collect();
        assert_eq!(places.enter(peer(100)).unwrap_err(), Full);
        let own: Vec<_> = (0..2).map(|_| places.enter(Peer::OWN_COMPUTER).unwrap()).collect();
        assert_eq!(places.enter(Peer::OWN_COMPUTER).unwrap_err(), Full, "nobody has more than one");
        drop(crowd);
        let many: Vec<_> = (0..8).map(|_| places.enter(Peer::OWN_COMPUTER).unwrap()).collect();
        assert_eq!(places.enter(peer(1)).unwrap_err(), Full);
        drop((own, many));
    }
}
