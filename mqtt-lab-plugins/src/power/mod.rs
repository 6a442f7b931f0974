#![doc = include_str!("README.md")]

use crate::clock::Clock;
use crate::faults::{Fault, Faults, Scale};
use crate::{chance, setting};
use mqtt_lab_core::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// The range of the meter, in W.
const RANGE: (f64, f64) = (0.0, 150_000.0);
/// Largest load, in W.
const MAX_LOAD: f64 = 100_000.0;
/// Joules in a kilowatt hour.
const JOULES_PER_KWH: f64 = 3.6e6;

/// A power meter.
#[derive(Debug)]
pub struct Power {
    load_watts: f64,
    standby_watts: f64,
    noise_percent: f64,
    clock: Clock,
    /// Up to when the energy is summed up, in seconds since the first reading.
    summed_s: f64,
    joules: f64,
    random: StdRng,
    faults: Faults,
}

/// The `settings` of a power meter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Power of what is plugged in at the start, in W (0 to 100000).
    #[schemars(range(min = 0.0, max = 100_000.0))]
    pub load_watts: f64,
    /// Power that the meter itself takes, in W (0 to 1000).
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub standby_watts: f64,
    /// Standard deviation of the measurement, in % of the power (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub noise_percent: f64,
    /// Time is rounded to this many seconds (0 to 60), so that the same seed gives the same values; 0: exact.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub time_step_s: f64,
    /// What is wrong with the sensor.
    pub fault: Fault,
    /// How far a fault falsifies the power, in W (0 to 150000).
    #[schemars(range(min = 0.0, max = 150_000.0), extend("x-unit" = "W"))]
    pub fault_size: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            load_watts: 60.0,
            standby_watts: 1.5,
            noise_percent: 0.5,
            time_step_s: 0.1,
            fault: Fault::None,
            fault_size: 50.0,
            seed: 1,
        }
    }
}

impl Power {
    /// A power meter with these settings.
    ///
    /// # Errors
    ///
    /// If a number is outside of the range that its setting names.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { load_watts, standby_watts, noise_percent, seed, .. } = settings;
        setting::within("load_watts", load_watts, 0.0, MAX_LOAD)?;
        setting::within("standby_watts", standby_watts, 0.0, 1_000.0)?;
        setting::within("noise_percent", noise_percent, 0.0, 100.0)?;
        let scale = Scale { unit: "W", range: RANGE, per_unit: 10.0 };
        Ok(Self {
            load_watts,
            standby_watts,
            noise_percent,
            clock: Clock::new(settings.time_step_s)?,
            summed_s: 0.0,
            joules: 0.0,
            random: StdRng::seed_from_u64(seed),
            faults: Faults::new(settings.fault, settings.fault_size, seed, scale)?,
        })
    }

    /// True power now, in W.
    fn watts(&self) -> f64 {
        self.load_watts + self.standby_watts
    }

    /// Sums the energy up to now; the power was the present one since the last time.
    fn sum_up(&mut self) {
        let now_s = self.clock.seconds();
        self.joules += self.watts() * (now_s - self.summed_s);
        self.summed_s = now_s;
    }

    /// The power as the meter sees it, in W, rounded to 0.1 W.
    fn measure(&mut self) -> f64 {
        let noise = self.noise_percent / 100.0 * chance::normal(&mut self.random);
        let watts = self.watts() * (1.0 + noise);
        ((watts * 10.0).round() / 10.0).clamp(RANGE.0, RANGE.1)
    }
}

#[async_trait]
impl Sensor for Power {
    fn describe(&self) -> Description {
        let (min, max) = RANGE;
        let load = Channel::float("load").unit("W").quantity("power").range(0.0, MAX_LOAD);
        let description = Description::sensor()
            .channel(Channel::float("power").unit("W").quantity("power").range(min, max))
            .channel(Channel::float("energy").unit("kWh").quantity("energy").range(0.0, 1e9))
            .control(load.initial(self.load_watts));
        self.faults.describe(description)
    }

    async fn read(&mut self) -> Result<Reading> {
        self.sum_up();
        let measured = self.measure();
        let kilowatt_hours = (self.joules / JOULES_PER_KWH * 1e4).round() / 1e4;
        let reading = Reading::new().with("energy", kilowatt_hours);
        Ok(match self.faults.apply(measured) {
            Some(watts) => reading.with("power", watts),
            None => reading,
        })
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        match (channel, &value) {
            ("load", Value::Float(watts)) => {
                // Until now it was the old load.
                self.sum_up();
                self.load_watts = *watts;
                Ok(())
            }
            _ => self.faults.set(channel, &value),
        }
    }
}

/// `kind = "power"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("power", Power::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
