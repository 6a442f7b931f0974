//! Sensors and actuators as plugins, and the runtime that connects them by MQTT.
//!
//! - **Write a sensor or an actuator**: import the [`prelude`], implement [`Sensor`] or [`Actuator`],
//!   export it with [`export_plugin!`]. Nothing else is needed, and with `default-features = false`
//!   neither an MQTT client nor anything of the network is compiled.
//! - **Use it in any form**: compiled into a program, as a library that a TOML file names, or in a process
//!   of its own: [`plugin`].
//! - **Test it** without broker or waiting: [`testing::Bench`] (feature `testing`).
//! - **Run devices in a program of your own**: [`Lab`] (feature `runtime`, on by default), and
//!   [`broker::Broker`] (feature `broker`) where no broker is at hand.
//! - **Publish reliably** without the rest: [`link`].
//!
//! ```
//! use mqtt_lab_core::prelude::*;
//!
//! struct Dice;
//!
//! #[async_trait]
//! impl Sensor for Dice {
//!     fn describe(&self) -> Description {
//!         Description::sensor().channel(Channel::int("eyes").range(1.0, 6.0))
//!     }
//!     async fn read(&mut self) -> Result<Reading> {
//!         Ok(4.into()) // chosen by fair dice roll
//!     }
//! }
//! ```
//!
//! # Features
//!
//! | Feature | Gives | Default |
//! | --- | --- | --- |
//! | `runtime` | [`Lab`], [`link`], [`trial`], configuration of devices | yes |
//! | `plugins` | [`plugin::PluginLoader`]: libraries, scripts and other programs as plugins | yes |
//! | `broker` | [`broker`], an MQTT broker inside the program | no |
//! | `testing` | [`testing`], the test bench | no |

mod actor;
mod actuator;
mod description;
mod device;
mod error;
mod kind;
mod panicked;
pub mod plugin;
mod reading;
mod registry;
mod sample;
#[doc(hidden)]
pub mod schema;
mod sensor;
mod settings;

#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "runtime")]
mod changes;
#[cfg(feature = "runtime")]
pub mod config;
#[cfg(feature = "plugins")]
mod file_stamp;
#[cfg(feature = "runtime")]
mod frame;
#[cfg(feature = "runtime")]
mod lab;
#[cfg(feature = "runtime")]
pub mod link;
#[cfg(feature = "runtime")]
mod plan;
#[cfg(feature = "runtime")]
mod pull;
#[cfg(feature = "runtime")]
mod reason;
#[cfg(feature = "runtime")]
mod running;
#[cfg(feature = "runtime")]
mod runtime;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "runtime")]
mod text;
#[cfg(feature = "runtime")]
pub mod trial;
#[cfg(feature = "runtime")]
mod variables;

pub use actuator::Actuator;
#[cfg(feature = "runtime")]
pub use changes::Changes;
pub use description::{CheckError, Description};
pub use device::{Device, Interrupt};
pub use error::{Error, Result};
#[cfg(feature = "plugins")]
pub use file_stamp::FileStamp;
pub use kind::{IntoActuator, IntoSensor, Kind};
#[cfg(feature = "runtime")]
pub use lab::{BuildError, Lab, LabBuilder};
pub use mqtt_lab_wire::{
    Channel, Datatype, PayloadForm, PluginForm, PluginInfo, Qos, Role, State, Trigger, Value,
};
#[cfg(feature = "runtime")]
pub use pull::{NoSuchDevice, Pull};
pub use reading::Reading;
pub use registry::{KindTaken, Plugin, Registry};
#[cfg(feature = "runtime")]
pub use running::RunningLab;
/// The crate that makes a schema of a settings struct: `#[derive(JsonSchema)]` of the prelude.
pub use schemars;
pub use sensor::Sensor;
pub use settings::{CreateError, Settings};
#[cfg(feature = "runtime")]
pub use variables::{KeptVariable, MAX_VARIABLES, VARIABLES, VariableError, VariableMemory, Variables};

/// Everything a plugin needs: `use mqtt_lab_core::prelude::*;`.
///
/// # A plugin, step by step
///
/// **1. What it measures or does.** A struct holds what it needs from one reading to the next. Its fields can
/// be its settings: what stands below `[sensor.settings]` in the TOML file. Their doc comments are the help
/// that `mqtt-lab kinds` shows.
///
/// **2. [`Sensor`] or [`Actuator`].** `describe` says which [`Channel`]s there are, with datatype, unit and
/// range; `read` takes a measurement, `apply` carries out a command. A [`Reading`] holds one value, or one for
/// each channel; an error of any kind goes out by `?` and is shown on the dashboard ([`Error`]).
///
/// **3. [`export_plugin!`]** names the kind that a TOML block asks for.
///
/// ```
/// use mqtt_lab_core::prelude::*;
///
/// /// A tank that is being filled.
/// #[derive(Deserialize, JsonSchema)]
/// struct Tank {
///     /// Level at the start, in litres.
///     litres: f64,
///     /// What flows in from one reading to the next, in litres. The user changes it while it runs.
///     #[serde(default)]
///     inflow: f64,
/// }
///
/// #[async_trait]
/// impl Sensor for Tank {
///     fn describe(&self) -> Description {
///         Description::sensor()
///             .channel(Channel::float("level").unit("L").range(0.0, 1000.0))
///             .control(Channel::float("inflow").unit("L").range(-10.0, 10.0).initial(self.inflow))
///     }
///
///     async fn read(&mut self) -> Result<Reading> {
///         self.litres += self.inflow;
///         if self.litres > 1000.0 {
///             return Err(Error::new("the tank runs over"));
///         }
///         Ok(Reading::new().with("level", self.litres))
///     }
///
///     async fn set(&mut self, _channel: &str, value: Value) -> Result<()> {
///         // Checked before: it is a number from -10 to 10.
///         self.inflow = value.as_f64().unwrap_or_default();
///         Ok(())
///     }
/// }
///
/// export_plugin! { sensor "tank" => Tank }
/// # #[cfg(feature = "testing")]
/// # fn main() {
///
/// // 4. A test, without broker and waiting (feature `testing`).
/// let mut tank = mqtt_lab_core::testing::Bench::new(&plugin(), "tank", [("litres", 990.0)]);
/// tank.set("inflow", 6.0);
/// assert_eq!(tank.read().get("level"), Some(&Value::Float(996.0)));
/// assert_eq!(tank.try_read().unwrap_err().to_string(), "the tank runs over");
/// # }
/// # #[cfg(not(feature = "testing"))]
/// # fn main() {}
/// ```
///
/// **5. In a lab**: `plugin = "tank"` and `kind = "tank"` in a `[[sensor]]` table, where `tank` is the crate's
/// folder. `mqtt-lab new sensor NAME` makes such a crate.
pub mod prelude {
    pub use crate::{
        Actuator, Channel, Datatype, Description, Error, Kind, Plugin, Qos, Reading, Result, Sensor, Value,
        export_plugin,
    };
    pub use async_trait::async_trait;
    // `derive(JsonSchema)` looks for the crate under this name.
    pub use schemars::{self, JsonSchema};
    pub use serde::Deserialize;
}

/// The Rust in both READMEs compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../README.de.md")]
mod readme {}
