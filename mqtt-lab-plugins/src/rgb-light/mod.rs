#![doc = include_str!("README.md")]

use mqtt_lab_core::prelude::*;

/// A lamp with a colour.
#[derive(Debug)]
pub struct RgbLight {
    on: bool,
    color: String,
}

/// The `settings` of a lamp with a colour.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether it is on at the start.
    pub on: bool,
    /// Colour at the start: `#rrggbb`, two hexadecimal digits each for red, green and blue.
    pub color: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { on: false, color: "#ffffff".into() }
    }
}

impl RgbLight {
    /// A lamp with these settings.
    ///
    /// # Errors
    ///
    /// If the colour is not `#rrggbb`.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { on, color } = settings;
        let checked = Channel::color("color").check(Value::from(color.as_str()).as_ref()).map(drop);
        checked.map_err(|error| Error::new(format_args!("`color = \"{color}\"`: {error}")))?;
        Ok(Self { on, color })
    }
}

#[async_trait]
impl Actuator for RgbLight {
    fn describe(&self) -> Description {
        Description::actuator()
            .output(Channel::bool("on").initial(self.on))
            .output(Channel::color("color").quantity("colour").initial(self.color.as_str()))
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        match (channel, &value) {
            ("on", Value::Bool(on)) => self.on = *on,
            ("color", Value::Text(color)) => self.color.clone_from(color),
            _ => return Err(Error::not_settable(channel)),
        }
        Ok(value.into())
    }
}

/// `kind = "rgb-light"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::actuator("rgb-light", RgbLight::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
}
