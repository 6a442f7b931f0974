//! What all connections share: the state behind its lock, and the thread that keeps it on disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::journal::Change;
use super::keeper::Next;
use super::seen::SeenTopics;
use super::state::State;
use super::users::Users;

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

    /// Waits for changes, at most for `limit`.
    pub(super) fn next_changes(&self, limit: Duration) -> Next {
        let state = self.lock();
        let waits = |state: &mut State| state.journal.is_empty() && !*self.stop.borrow();
        let waited = self.noted.wait_timeout_while(state, limit, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !state.journal.is_empty() {
            let (changes, last) = state.journal.take();
            return Next::Changes(changes, last);
        }
        if *self.stop.borrow() { Next::Stopped } else { Next::Nothing }
    }

    /// Everything that belongs on disk, and the number of the last change in it.
    pub(super) fn everything(&self) -> (Vec<Change>, u64) {
        self.lock().everything()
    }

    /// The number of the last change that was taken from the journal.
    pub(super) fn written(&self) -> u64 {
        *self.durable.borrow()
    }

    /// All changes up to this number are on disk.
    pub(super) fn set_durable(&self, last: u64) {
        self.durable.send_replace(last);
    }

    /// Returns once the broker stops.
    pub(super) async fn stopped(&self) {
        // The sender lives as long as this hub.
        let _ = self.stop.subscribe().wait_for(|stopping| *stopping).await;
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
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
