//! What stands in the TOML file.

use mqtt_lab_core::prelude::*;
use serde::Serialize;
use std::time::Duration;

/// The `settings` of a board on a serial port.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the board is: `/dev/ttyACM0` or `/dev/ttyUSB0` on Linux, `COM3` on Windows.
    pub port: String,
    /// Speed in baud, as in the board's `Serial.begin` (300 to 4000000).
    #[serde(default = "baud")]
    #[schemars(range(min = 300, max = 4000000), extend("x-unit" = "Bd"))]
    pub baud: u32,
    /// How long a command waits for the board's first line after the port was opened, in seconds (0 to 60):
    /// opening restarts many boards.
    #[serde(default = "boot_s")]
    #[schemars(range(min = 0.0, max = 60.0))]
    pub boot_s: f64,
    /// How long the board may take to confirm a command, in seconds (0.01 to 60).
    #[serde(default = "answer_s")]
    #[schemars(range(min = 0.01, max = 60.0))]
    pub answer_s: f64,
    /// What the board prints.
    pub channels: Vec<ChannelSettings>,
}

/// One name that the board prints.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    /// The name in the lines, of `a-z 0-9 -`.
    pub name: String,
    /// What the values are.
    #[serde(default)]
    pub datatype: ChannelType,
    /// Unit as SI writes it.
    pub unit: Option<String>,
    /// What is measured, such as `temperature`.
    pub quantity: Option<String>,
    /// Lowest and highest value; anything else is an error.
    pub range: Option<[f64; 2]>,
    /// Whether the board takes `name value` lines to set it.
    #[serde(default)]
    pub settable: bool,
}

/// What the values of a channel are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelType {
    /// Numbers.
    #[default]
    Float,
    /// Whole numbers.
    Int,
    /// `1` and `0`, or `true` and `false`.
    Bool,
    /// The rest of the line.
    Text,
}

const fn baud() -> u32 {
    115_200
}

const fn boot_s() -> f64 {
    2.0
}

const fn answer_s() -> f64 {
    2.0
}

impl Settings {
    /// Checks what is in here.
    ///
    /// # Errors
    ///
    /// Names the setting and what it may be.
    pub(super) fn check(&self) -> Result<()> {
        if self.port.is_empty() {
            return Err(Error::new("`port` is empty: name the board's port, such as \"/dev/ttyACM0\""));
        }
        if !(300..=4_000_000).contains(&self.baud) {
            return Err(Error::new(format_args!("`baud = {}` must be from 300 to 4000000", self.baud)));
        }
        if !(0.0..=60.0).contains(&self.boot_s) {
            return Err(Error::new(format_args!("`boot_s = {}` must be from 0 to 60 seconds", self.boot_s)));
        }
        if !(0.01..=60.0).contains(&self.answer_s) {
            let answer_s = self.answer_s;
            return Err(Error::new(format_args!("`answer_s = {answer_s}` must be from 0.01 to 60 seconds")));
        }
        if self.channels.is_empty() {
            return Err(Error::new("`channels` is empty: say what the board prints"));
        }
        Ok(())
    }

    /// See [`Settings::boot_s`].
    pub(super) fn boot(&self) -> Duration {
        Duration::from_secs_f64(self.boot_s)
    }

    /// See [`Settings::answer_s`].
    pub(super) fn answer(&self) -> Duration {
        Duration::from_secs_f64(self.answer_s)
    }
}

impl ChannelSettings {
    /// The channel as the lab knows it.
    pub(super) fn channel(&self) -> Channel {
        let name = self.name.clone();
        let mut channel = match self.datatype {
            ChannelType::Float => Channel::float(name),
            ChannelType::Int => Channel::int(name),
            ChannelType::Bool => Channel::bool(name),
            // A command must fit into a line.
            ChannelType::Text => Channel::text(name).max_len(160),
        };
        channel.unit = self.unit.clone().map(Into::into);
        channel.quantity = self.quantity.clone().map(Into::into);
        channel.settable = self.settable;
        match self.range {
            Some([min, max]) => channel.range(min, max),
            None => channel,
        }
    }
}
