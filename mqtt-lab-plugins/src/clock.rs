//! Time as a simulated sensor sees it.

use crate::setting;
use mqtt_lab_core::prelude::*;
use tokio::time::Instant;

/// Seconds since the first reading, rounded: no timer is exact, and two runs with the same seed shall give the same
/// values all the same.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Option<Instant>,
    step_s: f64,
}

impl Clock {
    /// A clock that knows steps of `step_s` seconds (0 to 60); 0: it is not rounded.
    pub(crate) fn new(step_s: f64) -> Result<Self> {
        setting::within("time_step_s", step_s, 0.0, 60.0)?;
        Ok(Self { start: None, step_s })
    }

    /// The next time that is asked for is 0.
    pub(crate) const fn restart(&mut self) {
        self.start = None;
    }

    /// Seconds since this was asked first.
    pub(crate) fn seconds(&mut self) -> f64 {
        let now = Instant::now();
        let exact = (now - *self.start.get_or_insert(now)).as_secs_f64();
        if self.step_s > 0.0 { (exact / self.step_s).round() * self.step_s } else { exact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_late_reading_has_the_time_of_a_punctual_one() {
        let mut clock = Clock::new(0.1).expect("a valid step");
        assert!(clock.seconds().abs() < 1e-9);
        tokio::time::advance(Duration::from_millis(1_049)).await;
        assert!((clock.seconds() - 1.0).abs() < 1e-9);
        let mut exact = Clock::new(0.0).expect("a valid step");
        exact.seconds();
        tokio::time::advance(Duration::from_millis(49)).await;
        assert!((exact.seconds() - 0.049).abs() < 1e-9);
        let error = Clock::new(-1.0).expect_err("no such step").to_string();
        assert_eq!(error, "`time_step_s = -1` must be from 0 to 60");
    }
}
