#![doc = include_str!("README.md")]

use crate::setting;
use mqtt_lab_core::prelude::*;

/// A heater with a level.
#[derive(Debug)]
pub struct Heater {
    rated_watts: f64,
    level_percent: f64,
    on: bool,
}

/// The `settings` of a heater.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Power at a level of 100 %, in W (1 to 100000).
    #[schemars(range(min = 1.0, max = 100_000.0))]
    pub rated_watts: f64,
    /// Level at the start, in % of the rated power (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub level_percent: f64,
    /// Whether it is on at the start.
    pub on: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rated_watts: 2000.0, level_percent: 0.0, on: true }
    }
}

impl Heater {
    /// A heater with these settings.
    ///
    /// # Errors
    ///
    /// If the rated power is not from 1 to 100 000 W, or the level not from 0 to 100 %.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { rated_watts, level_percent, on } = settings;
        setting::within("rated_watts", rated_watts, 1.0, 100_000.0)?;
        setting::within("level_percent", level_percent, 0.0, 100.0)?;
        Ok(Self { rated_watts, level_percent, on })
    }

    /// Power that it takes now, in W, rounded to 0.1 W.
    fn watts(&self) -> f64 {
        let watts = if self.on { self.rated_watts * self.level_percent / 100.0 } else { 0.0 };
        (watts * 10.0).round() / 10.0
    }
}

#[async_trait]
impl Sensor for Heater {
    fn describe(&self) -> Description {
        let power = Channel::float("power").unit("W").quantity("power").range(0.0, self.rated_watts);
        // Kept by the broker: a room that starts later knows at once how it is heated.
        Description::sensor().channel(power.retain(true))
    }

    async fn read(&mut self) -> Result<Reading> {
        Ok(Reading::new().with("power", self.watts()))
    }
}

#[async_trait]
impl Actuator for Heater {
    fn describe(&self) -> Description {
        let level = Channel::float("level").unit("%").range(0.0, 100.0).step(1.0).initial(self.level_percent);
        Description::actuator().output(Channel::bool("on").initial(self.on)).output(level)
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        match (channel, &value) {
            ("on", Value::Bool(on)) => self.on = *on,
            ("level", Value::Float(percent)) => self.level_percent = *percent,
            _ => return Err(Error::not_settable(channel)),
        }
        Ok(Reading::new().with(channel.to_owned(), value).with("power", self.watts()))
    }
}

/// `kind = "heater"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::both("heater", Heater::new).settings::<Settings>().sample(include_str!("sample.toml")).cooperative()
}
