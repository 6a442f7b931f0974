//! Slows down whoever guesses the token, before it is looked at.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Peer, Rarely};

/// The first wrong try of an address delays its next one for this long, each further one twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// Longest delay between two tries of an address.
const LAST_DELAY: Duration = Duration::from_secs(4);
/// A try that would have to wait longer is refused.
const MAX_WAIT: Duration = Duration::from_secs(8);
/// Wrong tries are forgotten after so long without another one.
const MEMORY: Duration = Duration::from_secs(120);
/// Addresses that are remembered; one more takes the place of the one that was wrong the longest time ago.
const MAX_PEERS: usize = 4_096;
/// Time between two tries of all other addresses together while there are wrong ones: who has many addresses does not
/// guess faster.
const SPACING_OF_ALL: Duration = Duration::from_millis(20);

/// The wrong tries of every address.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    table: Mutex<Table>,
    log: Rarely,
}

#[derive(Debug, Default)]
struct Table {
    peers: HashMap<Peer, Wrong>,
    /// When the next try of a foreign address may be judged.
    next_of_all: Option<Instant>,
}

#[derive(Debug)]
struct Wrong {
    /// Wrong tries, and those that wait: each counts as wrong until it is known to be right, or many at once would all
    /// wait as short as the first.
    count: u32,
    last: Instant,
    /// When the next try may be judged.
    next: Instant,
}

impl Tries {
    /// Waits until a try of `peer` may be judged. Tries of one address wait for each other. [`Tries::was_right`] or
    /// [`Tries::was_wrong`] must follow.
    ///
    /// # Errors
    ///
    /// How long to wait before another try, if too many are waiting.
    pub(crate) async fn wait(&self, peer: Peer) -> Result<(), Duration> {
        let at = self.lock().reserve(peer, Instant::now())?;
        if let Some(at) = at {
            sleep_until(at).await;
        }
        Ok(())
    }

    /// The try was right after all: it delays nobody.
    pub(crate) fn was_right(&self, peer: Peer) {
        self.lock().was_right(peer);
    }

    /// Logs a wrong try.
    pub(crate) fn was_wrong(&self, peer: Peer) {
        self.lock().was_wrong(peer, Instant::now());
        if let Some(count) = self.log.count() {
            tracing::warn!(address = %peer, count, "wrong tokens since the last such line; the last one came from this address");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// When a try may be judged; `None`: now.
    fn reserve(&mut self, peer: Peer, now: Instant) -> Result<Option<Instant>, Duration> {
        if self.peers.get(&peer).is_some_and(|wrong| now - wrong.last >= MEMORY) {
            self.peers.remove(&peer);
        }
        let next = self.peers.get(&peer).map_or(now, |wrong| wrong.next);
        let next_of_all = self.next_of_all.filter(|_| !peer.is_own_computer());
        let at = now.max(next).max(next_of_all.unwrap_or(now));
        if at - now > MAX_WAIT {
            return Err(at - now);
        }
        if next_of_all.is_some_and(|next| next > now) {
            self.next_of_all = next_of_all.map(|next| next + SPACING_OF_ALL);
        }
        self.make_room(peer);
        let wrong = self.peers.entry(peer).or_insert(Wrong { count: 0, last: now, next: now });
        wrong.count = wrong.count.saturating_add(1);
        (wrong.last, wrong.next) = (now, at + delay(wrong.count));
        Ok((at > now).then_some(at))
    }

    fn make_room(&mut self, peer: Peer) {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) {
            let oldest = self.peers.iter().min_by_key(|(_, wrong)| wrong.last).map(|(peer, _)| *peer);
            oldest.map(|oldest| self.peers.remove(&oldest));
        }
    }

    fn was_right(&mut self, peer: Peer) {
        let Some(wrong) = self.peers.get_mut(&peer) else { return };
        wrong.next -= delay(wrong.count);
        wrong.count = wrong.count.saturating_sub(1);
        if wrong.count == 0 {
            self.peers.remove(&peer);
        }
    }

    fn was_wrong(&mut self, peer: Peer, now: Instant) {
        if !peer.is_own_computer() {
            self.next_of_all = Some(self.next_of_all.unwrap_or(now).max(now + SPACING_OF_ALL));
        }
        if let Some(wrong) = self.peers.get_mut(&peer) {
            wrong.last = now;
        }
    }
}

fn delay(count: u32) -> Duration {
    FIRST_DELAY.saturating_mul(1 << count.saturating_sub(1).min(10)).min(LAST_DELAY)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;

    fn peer(n: u32) -> Peer {
        Peer::of(IpAddr::V4(Ipv4Addr::from(0xC000_0200 + n)))
    }

    #[tokio::test(start_paused = true)]
    async fn each_wrong_try_delays_the_next_one_up_to_a_bound() {
        let tries = Tries::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            let begin = Instant::now();
            assert_eq!(tries.wait(peer(1)).await, Ok(()));
            waits.push(begin.elapsed().as_millis());
            tries.was_wrong(peer(1));
        }
        // A millisecond is what the timer rounds up.
        let expected = [0, 250, 500, 1_000, 2_000, 4_000, 4_000, 4_000];
        assert!(waits.iter().zip(expected).all(|(wait, expected)| wait.abs_diff(expected) <= 1), "{waits:?}");
        assert_eq!(tries.wait(peer(2)).await, Ok(()));
        advance(MEMORY).await;
        let begin = Instant::now();
        assert_eq!(tries.wait(peer(1)).await, Ok(()));
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn tries_at_once_wait_for_each_other() {
        let tries = Arc::new(Tries::default());
        let begin = Instant::now();
        let waiting = (0..100).map(|_| {
            let tries = Arc::clone(&tries);
            tokio::spawn(async move {
                let answer = tries.wait(peer(1)).await;
                tries.was_wrong(peer(1));
                answer.is_ok()
            })
        });
        let mut judged = 0;
        for waiting in waiting.collect::<Vec<_>>() {
            judged += u32::from(waiting.await.is_ok_and(|judged| judged));
        }
        // At 0, 0.25, 0.75, 1.75, 3.75 and 7.75 s.
        assert!(judged <= 6, "{judged} within {:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_do_not_guess_faster_and_the_own_computer_does_not_wait_for_them() {
        let tries = Tries::default();
        let begin = Instant::now();
        for n in 0..500 {
            assert_eq!(tries.wait(peer(n)).await, Ok(()));
            tries.was_wrong(peer(n));
        }
        assert!(begin.elapsed() >= SPACING_OF_ALL * 499, "{:?}", begin.elapsed());
        let begin = Instant::now();
        assert_eq!(tries.wait(Peer::OWN_COMPUTER).await, Ok(()));
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_class_that_logs_in_at_once_is_not_delayed() {
        let tries = Tries::default();
        let begin = Instant::now();
        for _ in 0..40 {
            assert_eq!(tries.wait(peer(1)).await, Ok(()));
            tries.was_right(peer(1));
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert!(tries.lock().peers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded() {
        let tries = Tries::default();
        for n in 0..10_000 {
            let _ = tries.lock().reserve(peer(n), Instant::now());
        }
        assert_eq!(tries.lock().peers.len(), MAX_PEERS);
    }
}
