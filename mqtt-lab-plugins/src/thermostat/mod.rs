#![doc = include_str!("README.md")]

mod controller;

pub use controller::Mode;

use crate::setting;
use controller::Controller;
use mqtt_lab_core::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

/// Set-points, in °C.
const SETPOINT: (f64, f64) = (5.0, 35.0);
/// Temperatures that are taken, in °C.
const TEMPERATURE: (f64, f64) = (-50.0, 150.0);
/// Largest hysteresis, in K.
const MAX_HYSTERESIS: f64 = 10.0;
/// Largest factor, in %/K or %/(K·s).
const MAX_FACTOR: f64 = 10_000.0;

/// A thermostat.
#[derive(Debug)]
pub struct Thermostat {
    setpoint: f64,
    /// The measured temperature, in °C, and when it came.
    measured: Option<(f64, Instant)>,
    stale_after: Duration,
    controller: Controller,
    /// When the output was calculated last.
    last: Option<Instant>,
}

/// The `settings` of a thermostat.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Temperature that is wanted at the start, in °C (5 to 35).
    #[schemars(range(min = 5.0, max = 35.0))]
    pub setpoint_celsius: f64,
    /// How the output is calculated at the start.
    pub mode: Mode,
    /// Width between switching on and off in mode two-point, in K (0 to 10).
    #[schemars(range(min = 0.0, max = 10.0))]
    pub hysteresis_kelvin: f64,
    /// Output per kelvin of difference in mode pi, in %/K (0 to 10000).
    #[schemars(range(min = 0.0, max = 10_000.0), extend("x-unit" = "%/K"))]
    pub kp: f64,
    /// Output per kelvin of difference and second in mode pi, in %/(K·s) (0 to 10000).
    #[schemars(range(min = 0.0, max = 10_000.0), extend("x-unit" = "%/(K·s)"))]
    pub ki: f64,
    /// Age from which a temperature does not count any more, in seconds (1 to 86400).
    #[schemars(range(min = 1.0, max = 86_400.0))]
    pub stale_after_s: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            setpoint_celsius: 20.0,
            mode: Mode::Pi,
            hysteresis_kelvin: 0.4,
            kp: 30.0,
            ki: 0.1,
            stale_after_s: 60.0,
        }
    }
}

impl Thermostat {
    /// A thermostat with these settings.
    ///
    /// # Errors
    ///
    /// If a number is outside of the range that its setting names.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings {
            setpoint_celsius: setpoint,
            mode,
            hysteresis_kelvin: hysteresis,
            kp,
            ki,
            stale_after_s,
        } = settings;
        setting::within("setpoint_celsius", setpoint, SETPOINT.0, SETPOINT.1)?;
        setting::within("hysteresis_kelvin", hysteresis, 0.0, MAX_HYSTERESIS)?;
        setting::within("kp", kp, 0.0, MAX_FACTOR)?;
        setting::within("ki", ki, 0.0, MAX_FACTOR)?;
        setting::within("stale_after_s", stale_after_s, 1.0, 86_400.0)?;
        let controller = Controller { mode, hysteresis, kp, ki, integral: 0.0, output: 0.0 };
        let stale_after = Duration::from_secs_f64(stale_after_s);
        Ok(Self { setpoint, measured: None, stale_after, controller, last: None })
    }

    /// The output now, in %.
    fn output(&mut self) -> f64 {
        let now = Instant::now();
        let fresh = self.measured.filter(|(_, came)| now - *came <= self.stale_after);
        let Some((celsius, _)) = fresh else {
            self.controller.reset();
            self.last = None;
            return 0.0;
        };
        let seconds = self.last.map_or(0.0, |last| (now - last).as_secs_f64());
        self.last = Some(now);
        self.controller.next(self.setpoint - celsius, seconds)
    }
}

#[async_trait]
impl Sensor for Thermostat {
    fn describe(&self) -> Description {
        let (min, max) = TEMPERATURE;
        Description::sensor()
            .channel(Channel::float("output").unit("%").range(0.0, 100.0))
            .control(Channel::float("temperature").unit("°C").quantity("temperature").range(min, max))
    }

    async fn read(&mut self) -> Result<Reading> {
        let percent = (self.output() * 10.0).round() / 10.0;
        Ok(Reading::new().with("output", percent))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        let ("temperature", Value::Float(celsius)) = (channel, &value) else {
            return Err(Error::not_settable(channel));
        };
        self.measured = Some((*celsius, Instant::now()));
        Ok(())
    }
}

#[async_trait]
impl Actuator for Thermostat {
    fn describe(&self) -> Description {
        let Controller { mode, hysteresis, kp, ki, .. } = &self.controller;
        let words = Mode::ALL.map(|(word, _)| word.into());
        let (min, max) = SETPOINT;
        let setpoint =
            Channel::float("setpoint").unit("°C").quantity("temperature").range(min, max).step(0.5);
        let width = Channel::float("hysteresis").unit("K").range(0.0, MAX_HYSTERESIS);
        let factor =
            |name: &'static str, unit: &'static str| Channel::float(name).unit(unit).range(0.0, MAX_FACTOR);
        Description::actuator()
            .output(setpoint.initial(self.setpoint))
            .output(Channel::choice("mode", words).initial(mode.word()))
            .output(width.initial(*hysteresis))
            .output(factor("kp", "%/K").initial(*kp))
            .output(factor("ki", "%/(K·s)").initial(*ki))
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        let controller = &mut self.controller;
        match (channel, &value) {
            ("setpoint", Value::Float(celsius)) => self.setpoint = *celsius,
            ("hysteresis", Value::Float(kelvin)) => controller.hysteresis = *kelvin,
            ("kp", Value::Float(factor)) => controller.kp = *factor,
            ("ki", Value::Float(factor)) => controller.ki = *factor,
            ("mode", Value::Text(word)) => {
                let chosen = Mode::ALL.iter().find(|(known, _)| known == word);
                let (_, mode) =
                    chosen.ok_or_else(|| Error::new(format_args!("there is no mode `{word}`")))?;
                controller.mode = *mode;
            }
            _ => return Err(Error::not_settable(channel)),
        }
        Ok(value.into())
    }
}

/// `kind = "thermostat"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::both("thermostat", Thermostat::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
}
