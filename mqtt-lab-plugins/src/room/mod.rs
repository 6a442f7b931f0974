#![doc = include_str!("README.md")]

mod model;

use crate::faults::{Fault, Faults, Scale};
use crate::{chance, setting};
use model::Model;
use mqtt_lab_core::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;

/// The range of the thermometer, in °C.
const RANGE: (f64, f64) = (-50.0, 150.0);
/// Temperatures outside, in °C.
const OUTSIDE: (f64, f64) = (-50.0, 60.0);
/// Largest power, in W.
const MAX_WATTS: f64 = 100_000.0;

/// A room that is heated.
#[derive(Debug)]
pub struct Room {
    model: Model,
    noise_kelvin: f64,
    random: StdRng,
    faults: Faults,
}

/// The `settings` of a room.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Temperature at the start, in °C (-50 to 150).
    #[schemars(range(min = -50.0, max = 150.0))]
    pub start_celsius: f64,
    /// Heat that warms the room by one kelvin, in J/K (1 to 1e9).
    #[schemars(range(min = 1.0, max = 1e9))]
    pub capacity_joules_per_kelvin: f64,
    /// Heat flow to the outside per kelvin of difference, in W/K (0.01 to 1e6).
    #[schemars(range(min = 0.01, max = 1e6))]
    pub loss_watts_per_kelvin: f64,
    /// Temperature outside at the start, in °C (-50 to 60).
    #[schemars(range(min = -50.0, max = 60.0))]
    pub outside_celsius: f64,
    /// Power of the heating at the start, in W (-100000 to 100000).
    #[schemars(range(min = -100_000.0, max = 100_000.0))]
    pub power_watts: f64,
    /// Power of sun, people and devices at the start, in W (-100000 to 100000).
    #[schemars(range(min = -100_000.0, max = 100_000.0))]
    pub other_power_watts: f64,
    /// Standard deviation of the thermometer, in K (0 to 10).
    #[schemars(range(min = 0.0, max = 10.0))]
    pub noise_kelvin: f64,
    /// What is wrong with the thermometer.
    pub fault: Fault,
    /// How far a fault falsifies the value, in K (0 to 200).
    #[schemars(range(min = 0.0, max = 200.0), extend("x-unit" = "K"))]
    pub fault_size: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start_celsius: 15.0,
            capacity_joules_per_kelvin: 20_000.0,
            loss_watts_per_kelvin: 50.0,
            outside_celsius: 5.0,
            power_watts: 0.0,
            other_power_watts: 0.0,
            noise_kelvin: 0.02,
            fault: Fault::None,
            fault_size: 2.0,
            seed: 1,
        }
    }
}

impl Room {
    /// A room with these settings.
    ///
    /// # Errors
    ///
    /// If a number is outside of the range that its setting names.
    pub fn new(settings: Settings) -> Result<Self> {
        let model = Model {
            capacity: settings.capacity_joules_per_kelvin,
            loss: settings.loss_watts_per_kelvin,
            outside: settings.outside_celsius,
            power: settings.power_watts,
            other_power: settings.other_power_watts,
            celsius: settings.start_celsius,
            known_at: Instant::now(),
        };
        setting::within("start_celsius", model.celsius, RANGE.0, RANGE.1)?;
        setting::within("capacity_joules_per_kelvin", model.capacity, 1.0, 1e9)?;
        setting::within("loss_watts_per_kelvin", model.loss, 0.01, 1e6)?;
        setting::within("outside_celsius", model.outside, OUTSIDE.0, OUTSIDE.1)?;
        setting::within("power_watts", model.power, -MAX_WATTS, MAX_WATTS)?;
        setting::within("other_power_watts", model.other_power, -MAX_WATTS, MAX_WATTS)?;
        let Settings { noise_kelvin, seed, .. } = settings;
        setting::within("noise_kelvin", noise_kelvin, 0.0, 10.0)?;
        let scale = Scale { unit: "K", range: RANGE, per_unit: 100.0 };
        let faults = Faults::new(settings.fault, settings.fault_size, seed, scale)?;
        Ok(Self { model, noise_kelvin, random: StdRng::seed_from_u64(seed), faults })
    }

    /// What the thermometer shows, in °C, rounded to 0.01 K.
    fn measure(&mut self) -> f64 {
        let celsius = self.model.celsius + self.noise_kelvin * chance::normal(&mut self.random);
        ((celsius * 100.0).round() / 100.0).clamp(RANGE.0, RANGE.1)
    }
}

#[async_trait]
impl Sensor for Room {
    fn describe(&self) -> Description {
        let celsius = |name: &'static str| Channel::float(name).unit("°C").quantity("temperature");
        let watts = |name: &'static str| {
            Channel::float(name).unit("W").quantity("power").range(-MAX_WATTS, MAX_WATTS)
        };
        let description = Description::sensor()
            .channel(celsius("temperature").range(RANGE.0, RANGE.1))
            .control(watts("power").initial(self.model.power))
            .control(watts("other-power").initial(self.model.other_power))
            .control(celsius("outside").range(OUTSIDE.0, OUTSIDE.1).initial(self.model.outside));
        self.faults.describe(description)
    }

    async fn read(&mut self) -> Result<Reading> {
        self.model.advance();
        let measured = self.measure();
        Ok(self.faults.reading(measured))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        // Until now the old values held.
        self.model.advance();
        match (channel, &value) {
            ("power", Value::Float(watts)) => self.model.power = *watts,
            ("other-power", Value::Float(watts)) => self.model.other_power = *watts,
            ("outside", Value::Float(celsius)) => self.model.outside = *celsius,
            _ => self.faults.set(channel, &value)?,
        }
        Ok(())
    }
}

/// `kind = "room"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("room", Room::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
