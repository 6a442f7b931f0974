#![doc = include_str!("README.md")]

use crate::setting;
use mqtt_lab_core::prelude::*;

/// A lamp with a brightness.
#[derive(Debug)]
pub struct Dimmer {
    percent: f64,
}

/// The `settings` of a dimmer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Brightness at the start, in % (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub brightness_percent: f64,
}

impl Dimmer {
    /// A dimmer with these settings.
    ///
    /// # Errors
    ///
    /// If the brightness is not from 0 to 100 %.
    pub fn new(settings: Settings) -> Result<Self> {
        let percent = settings.brightness_percent;
        setting::within("brightness_percent", percent, 0.0, 100.0)?;
        Ok(Self { percent })
    }
}

#[async_trait]
impl Actuator for Dimmer {
    fn describe(&self) -> Description {
        let brightness = Channel::float("brightness").unit("%").range(0.0, 100.0).step(1.0);
        Description::actuator().output(brightness.quantity("brightness").initial(self.percent))
    }

    async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
        self.percent = value.as_f64().ok_or_else(|| Error::new("a brightness is a number"))?;
        Ok(self.percent.into())
    }
}

/// `kind = "dimmer"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::actuator("dimmer", Dimmer::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
}
