//! One connection after the other per client id: the end of the old one is told before the new one speaks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Longest wait for the end of the connection before. It ends at once unless its client reads no more.
const LIMIT: Duration = Duration::from_secs(2);

/// Connections in the order in which they were accepted, mostly one; each with who waits for its end.
type Queue = VecDeque<Option<oneshot::Sender<()>>>;

/// The connections of every client id.
///
/// A broker that ends the old connection of a client and serves the new one side by side may publish
/// the will of the old one *behind* what the new one says: a device that is back would stay lost.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: Mutex<HashMap<Arc<str>, Queue>>,
}

impl Turns {
    /// A connection was accepted. Waits until the one before has ended, its will included.
    pub(super) async fn begin(&self, client: Arc<str>) {
        let Some(turn) = self.queue(client) else { return };
        // Too late or dropped, nobody is before us any more.
        let _ = timeout(LIMIT, turn).await;
    }

    fn queue(&self, client: Arc<str>) -> Option<oneshot::Receiver<()>> {
        let mut queues = self.lock();
        let queue = queues.entry(client).or_default();
        let turn = queue.back_mut().map(|before| {
            let (told, turn) = oneshot::channel();
            *before = Some(told);
            turn
        });
        queue.push_back(None);
        turn
    }

    /// The oldest connection of a client has ended, and its will is published.
    pub(super) fn end(&self, client: &str) {
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(client) else { return };
        if let Some(Some(next)) = queue.pop_front() {
            // It may have given up.
            let _ = next.send(());
        }
        if queue.is_empty() {
            queues.remove(client);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_connection_waits_for_the_one_before_it() {
        let turns = Turns::default();
        let client: Arc<str> = "lamp".into();
        turns.begin(Arc::clone(&client)).await;
        let mut second = turns.queue(Arc::clone(&client)).unwrap();
        let mut third = turns.queue(Arc::clone(&client)).unwrap();
        assert!(turns.queue("other".into()).is_none());
        turns.end(&client);
        assert!(second.try_recv().is_ok() && third.try_recv().is_err());
        turns.end(&client);
        assert!(third.try_recv().is_ok());
        turns.end(&client);
        assert!(turns.queue(client).is_none(), "nothing is remembered of those that ended");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_end_is_not_waited_for_for_ever() {
        let turns = Turns::default();
        turns.begin("lamp".into()).await;
        turns.begin("lamp".into()).await;
    }
}
