//! Events of an attack: counted always, logged at most once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const SPACING: Duration = Duration::from_secs(60);

/// Decides when to log, so that an attack does not fill the disk with its own log.
#[derive(Debug, Default)]
pub(crate) struct Rarely(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    unsaid: u64,
}

impl Rarely {
    /// Counts an event. Returns how many there were since the last one that was logged, this one included, if it is
    /// time to log.
    pub(crate) fn count(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.unsaid += 1;
        let now = Instant::now();
        if state.last.is_some_and(|last| now - last < SPACING) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_logged_once_a_minute_with_a_count() {
        let events = Rarely::default();
        assert_eq!(events.count(), Some(1));
        for _ in 0..41 {
            assert_eq!(events.count(), None);
        }
        tokio::time::advance(SPACING).await;
        assert_eq!(events.count(), Some(42));
    }
}
