//! What all connections share: the state behind its lock, and the thread that keeps it on disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::journal::Change;
use super::seen::SeenTopics;
use super::state::State;
use super::store::Store;
use super::users::Users;

/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Shared by every connection.
pub(super) struct Hub {
    state: Mutex<State>,
    /// Something was noted in the journal, or the broker stops.
    noted: Condvar,
    /// The number of the last change on disk.
    durable: watch::Sender<u64>,
    /// Something may be due earlier than before.
    due: Notify,
    pub(super) stop: watch::Sender<bool>,
    pub(super) users: Users,
    pub(super) seen: Arc<SeenTopics>,
    pub(super) max_packet: u32,
}

impl Hub {
    pub(super) fn new(state: State, users: Users, max_packet: u32) -> Self {
        Self {
            state: Mutex::new(state),
            noted: Condvar::new(),
            durable: watch::Sender::new(0),
            due: Notify::new(),
            stop: watch::Sender::new(false),
            users,
            seen: Arc::default(),
            max_packet,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the state. Nothing that follows from it may be sent before the change of the number that comes
    /// back is on disk.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> (T, u64) {
        let mut state = self.lock();
        let result = work(&mut state);
        let last = state.journal.last();
        if !state.journal.is_empty() {
            self.noted.notify_one();
        }
        (result, last)
    }

    /// Like [`with`](Self::with), for what can end a session or delay a will.
    pub(super) fn with_due<T>(&self, work: impl FnOnce(&mut State) -> T) -> (T, u64) {
        let result = self.with(work);
        self.due.notify_one();
        result
    }

    /// The number of the last change on disk, as it grows.
    pub(super) fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    /// Publishes delayed wills and ends sessions, until the broker stops.
    pub(super) async fn run_due(&self) {
        let mut stop = self.stop.subscribe();
        loop {
            let (next, _) = self.with(|state| state.tick(Instant::now()));
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.due.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Writes the journal, as long as the broker runs and then what is left. All changes since the last time
    /// go together: the busier the broker, the fewer writes for each message.
    pub(super) fn keep(&self, store: &Store) {
        while let Some((changes, last)) = self.next_changes() {
            let mut failures = 0_u64;
            while let Err(error) = store.write(&changes) {
                failures += 1;
                if failures.is_power_of_two() {
                    tracing::error!(%error, failures, "the broker cannot write its storage and acknowledges nothing");
                }
                if *self.stop.borrow() {
                    return;
                }
                std::thread::park_timeout(RETRY);
            }
            self.durable.send_replace(last);
        }
    }

    /// Waits for changes; `None` when the broker has stopped and all are written.
    fn next_changes(&self) -> Option<(Vec<Change>, u64)> {
        let mut state = self.lock();
        while state.journal.is_empty() {
            if *self.stop.borrow() {
                return None;
            }
            state = self.noted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(state.journal.take())
    }

    /// Lets connections and tasks end.
    pub(super) fn stop(&self) {
        // Under the lock, or the thread could look and fall asleep in between.
        let state = self.lock();
        self.stop.send_replace(true);
        self.noted.notify_all();
        drop(state);
    }
}
