//! A task that can be called again, and the pause before that.

use std::time::Duration;

use async_trait::async_trait;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// A long-lived task whose state survives its failures.
///
/// # Contract
///
/// `run` may be called again on the same value after it returned an error or panicked, at whatever await that was. What
/// must not be lost meanwhile is kept in `self`, not in a local variable.
#[async_trait]
pub trait Work: Send {
    /// Works until there is nothing left to do.
    ///
    /// # Errors
    ///
    /// Why it cannot go on at present; it is called again.
    async fn run(&mut self) -> Result<(), String>;
}

/// A task without a state of its own, made anew for every run.
#[derive(Debug)]
pub struct Again<F>(pub F);

#[async_trait]
impl<F, T> Work for Again<F>
where
    F: FnMut() -> T + Send,
    T: Future<Output = ()> + Send,
{
    async fn run(&mut self) -> Result<(), String> {
        (self.0)().await;
        Ok(())
    }
}

/// The pause before a task is called again: doubled each time, short again after a run that was longer than the pause
/// may be.
#[derive(Default)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn after(&mut self, run: Duration) -> Duration {
        self.0 =
            if run > LAST_PAUSE || self.0.is_zero() { FIRST_PAUSE } else { (self.0 * 2).min(LAST_PAUSE) };
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_thirty_seconds_and_is_short_again_after_a_long_run() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..12).map(|_| backoff.after(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses[..4], [50, 100, 200, 400]);
        assert_eq!(pauses[11], 30_000);
        assert_eq!(backoff.after(Duration::from_secs(31)), FIRST_PAUSE);
    }
}
