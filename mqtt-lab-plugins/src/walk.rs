//! A random walk that stays in its room.

use crate::setting;
use mqtt_lab_core::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A random walk between two bounds, drawn to its start.
#[derive(Debug)]
pub(crate) struct Walk {
    random: StdRng,
    value: f64,
    home: f64,
    step: f64,
    min: f64,
    max: f64,
}

impl Walk {
    /// Starts at `home`; one step is at most `step` wide. `names` are those of the three settings, for
    /// the error's text.
    pub(crate) fn new(
        seed: u64,
        home: f64,
        step: f64,
        (min, max): (f64, f64),
        names: [&str; 2],
    ) -> Result<Self> {
        let [home_name, step_name] = names;
        setting::within(home_name, home, min, max)?;
        setting::within(step_name, step, 0.0, max - min)?;
        Ok(Self { random: StdRng::seed_from_u64(seed), value: home, home, step, min, max })
    }

    /// The next value, rounded to `1 / per_unit`.
    pub(crate) fn next(&mut self, per_unit: f64) -> f64 {
        /// Part of the way home in each step: slow drifts, no sticking to a bound.
        const PULL: f64 = 0.02;
        let walked = self.value + self.random.random_range(-self.step..=self.step);
        let pulled = walked + (self.home - walked) * PULL;
        self.value = pulled.clamp(self.min, self.max);
        (self.value * per_unit).round() / per_unit
    }
}
