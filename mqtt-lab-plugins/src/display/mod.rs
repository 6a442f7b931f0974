#![doc = include_str!("README.md")]

use crate::setting;
use mqtt_lab_core::prelude::*;

/// A line of text.
#[derive(Debug)]
pub struct Display {
    settings: Settings,
}

/// The `settings` of a display.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Text at the start.
    pub text: String,
    /// Longest text, in bytes (1 to 256). A letter of the English alphabet is one byte, an umlaut two.
    #[schemars(range(min = 1, max = 256))]
    pub max_bytes: u32,
    /// Decimals of a number (0 to 6).
    #[schemars(range(min = 0, max = 6))]
    pub decimals: u8,
    /// What stands behind a number, such as "°C".
    pub unit: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { text: String::new(), max_bytes: 32, decimals: 1, unit: String::new() }
    }
}

impl Display {
    /// A display with these settings.
    ///
    /// # Errors
    ///
    /// If the line is not from 1 to 256 bytes long, text or unit are longer than the line, or there are more than 6
    /// decimals.
    pub fn new(settings: Settings) -> Result<Self> {
        let max_bytes = settings.max_bytes;
        setting::within("max_bytes", max_bytes.into(), 1.0, 256.0)?;
        setting::length("text", &settings.text, 0..=max_bytes as usize)?;
        setting::length("unit", &settings.unit, 0..=max_bytes as usize)?;
        setting::within("decimals", settings.decimals.into(), 0.0, 6.0)?;
        Ok(Self { settings })
    }

    /// How a number looks.
    fn line(&self, number: f64) -> Result<String> {
        let Settings { max_bytes, decimals, unit, .. } = &self.settings;
        let digits = format!("{number:.*}", usize::from(*decimals));
        let line = if unit.is_empty() { digits } else { format!("{digits} {unit}") };
        if line.len() > *max_bytes as usize {
            return Err(Error::new(format_args!(
                "`{line}` is longer than the display, which has {max_bytes} bytes"
            )));
        }
        Ok(line)
    }
}

#[async_trait]
impl Actuator for Display {
    fn describe(&self) -> Description {
        let Settings { text, max_bytes, unit, .. } = &self.settings;
        let number = Channel::float("number");
        let number = if unit.is_empty() { number } else { number.unit(unit.clone()) };
        Description::actuator()
            .output(Channel::text("text").max_len(*max_bytes).initial(text.as_str()))
            .output(number)
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        match (channel, value) {
            ("text", value @ Value::Text(_)) => Ok(value.into()),
            ("number", Value::Float(number)) => {
                Ok(Reading::new().with("number", number).with("text", self.line(number)?))
            }
            _ => Err(Error::not_settable(channel)),
        }
    }
}

/// `kind = "display"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::actuator("display", Display::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
}
