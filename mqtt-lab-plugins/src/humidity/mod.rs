#![doc = include_str!("README.md")]

use crate::faults::{Fault, Faults, Scale};
use crate::walk::Walk;
use mqtt_lab_core::prelude::*;

/// Relative humidity, in %.
const RANGE: (f64, f64) = (0.0, 100.0);

/// A hygrometer in a room.
#[derive(Debug)]
pub struct Humidity {
    walk: Walk,
    faults: Faults,
}

/// The `settings` of a hygrometer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Relative humidity at the start and on average, in % (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub start_percent: f64,
    /// Largest change from one reading to the next, in percentage points (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub max_step_percent: f64,
    /// What is wrong with the sensor.
    pub fault: Fault,
    /// How far a fault falsifies the value, in percentage points (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0), extend("x-unit" = "%"))]
    pub fault_size: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { start_percent: 45.0, max_step_percent: 0.5, fault: Fault::None, fault_size: 10.0, seed: 1 }
    }
}

impl Humidity {
    /// A hygrometer with these settings.
    ///
    /// # Errors
    ///
    /// If the start or the step is not from 0 to 100.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { start_percent, max_step_percent, seed, .. } = settings;
        let walk =
            Walk::new(seed, start_percent, max_step_percent, RANGE, ["start_percent", "max_step_percent"])?;
        let scale = Scale { unit: "%", range: RANGE, per_unit: 10.0 };
        let faults = Faults::new(settings.fault, settings.fault_size, seed, scale)?;
        Ok(Self { walk, faults })
    }
}

#[async_trait]
impl Sensor for Humidity {
    fn describe(&self) -> Description {
        let (min, max) = RANGE;
        let channel = Channel::float("humidity").unit("%").quantity("relative humidity").range(min, max);
        self.faults.describe(Description::sensor().channel(channel))
    }

    async fn read(&mut self) -> Result<Reading> {
        Ok(self.faults.reading(self.walk.next(10.0)))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        self.faults.set(channel, &value)
    }
}

/// `kind = "humidity"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("humidity", Humidity::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
