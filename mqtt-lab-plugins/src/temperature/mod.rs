#![doc = include_str!("README.md")]

use crate::walk::Walk;
use mqtt_lab_core::prelude::*;

/// The range of the sensor, in °C.
const RANGE: (f64, f64) = (-40.0, 85.0);

/// A thermometer in a room.
#[derive(Debug)]
pub struct Temperature(Walk);

/// The `settings` of a thermometer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Temperature at the start and on average, in °C (-40 to 85).
    pub start_celsius: f64,
    /// Largest change from one reading to the next, in K.
    pub max_step_kelvin: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { start_celsius: 21.0, max_step_kelvin: 0.2, seed: 1 }
    }
}

impl Temperature {
    /// A thermometer with these settings.
    ///
    /// # Errors
    ///
    /// If the start is outside the sensor's range, or the step wider than it.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { start_celsius, max_step_kelvin, seed } = settings;
        Walk::new(seed, start_celsius, max_step_kelvin, RANGE, ["start_celsius", "max_step_kelvin"]).map(Self)
    }
}

#[async_trait]
impl Sensor for Temperature {
    fn describe(&self) -> Description {
        let (min, max) = RANGE;
        let channel = Channel::float("temperature").unit("°C").quantity("temperature").range(min, max);
        Description::sensor().channel(channel)
    }

    async fn read(&mut self) -> Result<Reading> {
        Ok(self.0.next(100.0).into())
    }
}

/// `kind = "temperature"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("temperature", Temperature::new).sample(include_str!("sample.toml")).cooperative().seeded()
}
