#![doc = include_str!("README.md")]

use crate::faults::{Fault, Faults, Scale};
use crate::walk::Walk;
use mqtt_lab_core::prelude::*;

/// The range of the sensor, in °C.
const RANGE: (f64, f64) = (-40.0, 85.0);

/// A thermometer in a room.
#[derive(Debug)]
pub struct Temperature {
    walk: Walk,
    faults: Faults,
}

/// The `settings` of a thermometer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Temperature at the start and on average, in °C (-40 to 85).
    #[schemars(range(min = -40.0, max = 85.0))]
    pub start_celsius: f64,
    /// Largest change from one reading to the next, in K (0 to 125).
    #[schemars(range(min = 0.0, max = 125.0))]
    pub max_step_kelvin: f64,
    /// What is wrong with the sensor.
    pub fault: Fault,
    /// How far a fault falsifies the value, in K (0 to 125).
    #[schemars(range(min = 0.0, max = 125.0), extend("x-unit" = "K"))]
    pub fault_size: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { start_celsius: 21.0, max_step_kelvin: 0.2, fault: Fault::None, fault_size: 5.0, seed: 1 }
    }
}

impl Temperature {
    /// A thermometer with these settings.
    ///
    /// # Errors
    ///
    /// If the start is outside the sensor's range, or the step wider than it.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { start_celsius, max_step_kelvin, seed, .. } = settings;
        let walk =
            Walk::new(seed, start_celsius, max_step_kelvin, RANGE, ["start_celsius", "max_step_kelvin"])?;
        let scale = Scale { unit: "K", range: RANGE, per_unit: 100.0 };
        let faults = Faults::new(settings.fault, settings.fault_size, seed, scale)?;
        Ok(Self { walk, faults })
    }
}

#[async_trait]
impl Sensor for Temperature {
    fn describe(&self) -> Description {
        let (min, max) = RANGE;
        let channel = Channel::float("temperature").unit("°C").quantity("temperature").range(min, max);
        self.faults.describe(Description::sensor().channel(channel))
    }

    async fn read(&mut self) -> Result<Reading> {
        Ok(self.faults.reading(self.walk.next(100.0)))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        self.faults.set(channel, &value)
    }
}

/// `kind = "temperature"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("temperature", Temperature::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
