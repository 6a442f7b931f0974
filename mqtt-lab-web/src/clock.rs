//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// Now, in microseconds since the Unix epoch.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// How long stamps may run ahead of a clock that was set back, in microseconds.
const MAX_STAMP_AHEAD_US: i64 = 2_000_000;

/// The stamp after `last_us` at `now_us`: later, as long as that is close to the clock. A clock that was set back is
/// followed.
pub(crate) fn next_stamp(last_us: i64, now_us: i64) -> i64 {
    let next_us = now_us.max(last_us.saturating_add(1));
    if next_us - now_us > MAX_STAMP_AHEAD_US { now_us } else { next_us }
}

/// An instant in microseconds since the Unix epoch that travels as milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Millis(pub(crate) i64);

impl Serialize for Millis {
    #[allow(clippy::cast_precision_loss, reason = "a double holds microseconds exactly until the year 2255")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1_000 == 0 {
            serializer.serialize_i64(self.0 / 1_000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1_000.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_grow_until_the_clock_is_set_back_by_more_than_two_seconds() {
        assert_eq!(next_stamp(0, 100), 100);
        assert_eq!(next_stamp(100, 100), 101);
        assert_eq!(next_stamp(2_000_000, 1_000), 2_000_001, "close enough to wait for the clock");
        assert_eq!(next_stamp(3_600_000_000, 5), 5);
    }
}
