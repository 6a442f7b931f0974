//! Slows down a client that publishes faster than the lab stores, so that the others' messages do not queue behind its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Messages of one client that may wait for the paced receiver before the client is read from no further. A commit of
/// the storage takes some 30 ms: one client may still publish some eight thousand messages in a second.
const MOST_WAITING: usize = 250;
/// A receiver that takes nothing for so long is no longer waited for: control loops go on while a database stands still.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many messages of one connection wait for the paced receiver.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waiting: AtomicUsize,
    /// The receiver does not move.
    stuck: AtomicBool,
    moved: Notify,
}

/// One message that waits; dropped with its place in the queue.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Pace>);

impl Pace {
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Ticket(Arc::clone(self))
    }

    /// Whether the client may be read from.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < MOST_WAITING || self.stuck.load(Ordering::Relaxed)
    }

    /// Waits until there may be room again.
    pub(super) async fn moved(&self) {
        if timeout(PATIENCE, self.moved.notified()).await.is_err() {
            self.stuck.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.stuck.store(false, Ordering::Relaxed);
        self.0.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_waits_for_a_receiver_that_moves_and_not_for_one_that_stands_still() {
        let pace = Arc::new(Pace::default());
        let mut tickets: Vec<_> = (0..MOST_WAITING).map(|_| pace.ticket()).collect();
        assert!(!pace.has_room());
        tickets.pop();
        pace.moved().await;
        assert!(pace.has_room());
        tickets.push(pace.ticket());
        let begin = Instant::now();
        while !pace.has_room() {
            pace.moved().await;
        }
        assert_eq!(begin.elapsed(), PATIENCE);
        tickets.push(pace.ticket());
        tickets.pop();
        assert!(!pace.has_room(), "it moves again");
    }
}
