#![doc = include_str!("README.md")]

use mqtt_lab_core::prelude::*;

/// A lamp that is on or off.
#[derive(Debug)]
pub struct Led {
    on: bool,
}

/// The `settings` of a lamp.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether it is on at the start.
    pub on: bool,
}

impl Led {
    /// A lamp with these settings.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { on: settings.on }
    }
}

#[async_trait]
impl Actuator for Led {
    fn describe(&self) -> Description {
        Description::actuator().output(Channel::bool("on").initial(self.on))
    }

    async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
        self.on = value.as_bool().ok_or_else(|| Error::new("a lamp is on or off"))?;
        Ok(self.on.into())
    }
}

/// `kind = "led"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::actuator("led", Led::new).settings::<Settings>().sample(include_str!("sample.toml")).cooperative()
}
