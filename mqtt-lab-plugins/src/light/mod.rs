#![doc = include_str!("README.md")]

use crate::clock::Clock;
use crate::faults::{Fault, Faults, Scale};
use crate::setting;
use crate::walk::Walk;
use mqtt_lab_core::prelude::*;
use std::f64::consts::PI;

/// The range of the sensor, in lx.
const RANGE: (f64, f64) = (0.0, 150_000.0);

/// A light sensor at a window.
#[derive(Debug)]
pub struct Light {
    clear_lux: f64,
    day_s: f64,
    start_hour: f64,
    clock: Clock,
    cloud_percent: Walk,
    faults: Faults,
}

/// The `settings` of a light sensor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Illuminance at noon under a clear sky, in lx (1 to 150000): outdoors 100000, at a window 10000.
    #[schemars(range(min = 1.0, max = 150_000.0))]
    pub clear_lux: f64,
    /// Length of a simulated day, in seconds (1 to 604800).
    #[schemars(range(min = 1.0, max = 604_800.0))]
    pub day_s: f64,
    /// Hour of the day at the start (0 to 24).
    #[schemars(range(min = 0.0, max = 24.0))]
    pub start_hour: f64,
    /// Part of the sky that clouds cover at the start and on average, in % (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub cloud_percent: f64,
    /// Largest change of the clouds from one reading to the next, in percentage points (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub max_cloud_step_percent: f64,
    /// Time is rounded to this many seconds (0 to 60), so that the same seed gives the same values; 0: exact.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub time_step_s: f64,
    /// What is wrong with the sensor.
    pub fault: Fault,
    /// How far a fault falsifies the value, in lx (0 to 150000).
    #[schemars(range(min = 0.0, max = 150_000.0), extend("x-unit" = "lx"))]
    pub fault_size: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clear_lux: 10_000.0,
            day_s: 600.0,
            start_hour: 8.0,
            cloud_percent: 40.0,
            max_cloud_step_percent: 3.0,
            time_step_s: 0.1,
            fault: Fault::None,
            fault_size: 500.0,
            seed: 1,
        }
    }
}

impl Light {
    /// A light sensor with these settings.
    ///
    /// # Errors
    ///
    /// If a number is outside of the range that its setting names.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { clear_lux, day_s, start_hour, seed, .. } = settings;
        setting::within("clear_lux", clear_lux, 1.0, RANGE.1)?;
        setting::within("day_s", day_s, 1.0, 604_800.0)?;
        setting::within("start_hour", start_hour, 0.0, 24.0)?;
        let (home, step) = (settings.cloud_percent, settings.max_cloud_step_percent);
        let names = ["cloud_percent", "max_cloud_step_percent"];
        let cloud_percent = Walk::new(seed, home, step, (0.0, 100.0), names)?;
        let scale = Scale { unit: "lx", range: RANGE, per_unit: 1.0 };
        let faults = Faults::new(settings.fault, settings.fault_size, seed, scale)?;
        let clock = Clock::new(settings.time_step_s)?;
        Ok(Self { clear_lux, day_s, start_hour, clock, cloud_percent, faults })
    }

    /// Illuminance under a clear sky now, in lx; 0 at night.
    fn sun_lux(&mut self) -> f64 {
        let hour = self.start_hour + 24.0 * self.clock.seconds() / self.day_s;
        let height = (PI * (hour - 6.0) / 12.0).sin();
        self.clear_lux * height.max(0.0)
    }
}

/// Part of the light that clouds leave, where they cover `percent` of the sky.
fn left_by_clouds(percent: f64) -> f64 {
    1.0 - 0.75 * (percent / 100.0).powf(3.4)
}

#[async_trait]
impl Sensor for Light {
    fn describe(&self) -> Description {
        let (min, max) = RANGE;
        let channel = Channel::float("illuminance").unit("lx").quantity("illuminance").range(min, max);
        self.faults.describe(Description::sensor().channel(channel))
    }

    async fn read(&mut self) -> Result<Reading> {
        let lux = self.sun_lux() * left_by_clouds(self.cloud_percent.next(10.0));
        Ok(self.faults.reading(lux.round()))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        self.faults.set(channel, &value)
    }
}

/// `kind = "light"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("light", Light::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
