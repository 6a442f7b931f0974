//! How long to wait before the next attempt to connect.

use embassy_time::Duration;

const FIRST_MS: u64 = 250;
const LONGEST_MS: u64 = 15_000;

/// Twice as long after each failure, each time a random part of it: thirty boards that lost their access
/// point do not come back in the same instant.
#[derive(Debug)]
pub(crate) struct Backoff {
    limit_ms: u64,
    random: u64,
}

impl Backoff {
    pub(crate) const fn new(random: u64) -> Self {
        // A generator of this family must not begin with 0.
        Self { limit_ms: FIRST_MS, random: random | 1 }
    }

    /// The connection stands: the next wait is short again.
    pub(crate) const fn reset(&mut self) {
        self.limit_ms = FIRST_MS;
    }

    /// The time to wait now, from half the limit to the limit.
    pub(crate) const fn next(&mut self) -> Duration {
        let half = self.limit_ms / 2;
        self.limit_ms = if self.limit_ms * 2 > LONGEST_MS { LONGEST_MS } else { self.limit_ms * 2 };
        // xorshift64 (Marsaglia 2003, "Xorshift RNGs").
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        Duration::from_millis(half + self.random % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_begins_anew() {
        let mut backoff = Backoff::new(7);
        let mut limit = FIRST_MS;
        for _ in 0..10 {
            let wait = backoff.next().as_millis();
            assert!((limit / 2..=limit).contains(&wait), "{wait} of {limit}");
            limit = (limit * 2).min(LONGEST_MS);
        }
        backoff.reset();
        assert!(backoff.next().as_millis() <= FIRST_MS);
    }
}
