//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// "Full jitter" (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015): a random wait
/// between the lower bound and a limit that doubles with each failure, so that a thousand devices
/// do not come back in step.
#[derive(Debug)]
pub(super) struct Backoff {
    bounds: (Duration, Duration),
    limit: Duration,
}

impl Backoff {
    /// `bounds`: the shortest and the longest wait.
    pub(super) fn new(bounds: (Duration, Duration)) -> Self {
        let mut backoff = Self { bounds, limit: bounds.0 };
        backoff.reset();
        backoff
    }

    /// The connection was of use.
    pub(super) fn reset(&mut self) {
        self.limit = self.bounds.0.saturating_mul(2).min(self.bounds.1);
    }

    /// The next wait, for a random number from 0 to 1.
    pub(super) fn wait(&mut self, random: f64) -> Duration {
        let span = self.limit.saturating_sub(self.bounds.0);
        self.limit = self.limit.saturating_mul(2).min(self.bounds.1);
        self.bounds.0 + span.mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

    #[test]
    fn the_limit_doubles_up_to_the_upper_bound() {
        let mut backoff = Backoff::new(BOUNDS);
        let waits: Vec<_> = (0..5).map(|_| backoff.wait(1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 10, 10]);
        backoff.reset();
        assert_eq!(backoff.wait(1.0).as_secs(), 2);
    }

    #[test]
    fn a_wait_is_never_shorter_than_the_lower_bound() {
        let mut backoff = Backoff::new(BOUNDS);
        assert!((0..5).all(|_| backoff.wait(0.0) == BOUNDS.0));
        let mut equal = Backoff::new((BOUNDS.0, BOUNDS.0));
        assert_eq!(equal.wait(0.7), BOUNDS.0);
    }
}
