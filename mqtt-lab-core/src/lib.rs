//! Sensors and actuators as plugins, and the runtime that connects them by MQTT.
//!
//! - **Write a sensor or an actuator**: import the [`prelude`], implement [`Sensor`] or [`Actuator`],
//!   export it with [`export_plugin!`]. Nothing else is needed, and with `default-features = false`
//!   neither an MQTT client nor anything of the network is compiled.
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
//! | `broker` | [`broker`], an MQTT broker inside the program | no |
//! | `testing` | [`testing`], the test bench | no |

mod actor;
mod actuator;
mod description;
mod device;
mod error;
mod kind;
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
#[cfg(feature = "runtime")]
mod lab;
#[cfg(feature = "runtime")]
pub mod link;
#[cfg(feature = "runtime")]
mod plan;
#[cfg(feature = "runtime")]
mod running;
#[cfg(feature = "runtime")]
mod runtime;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "runtime")]
pub mod trial;

pub use actuator::Actuator;
#[cfg(feature = "runtime")]
pub use changes::Changes;
pub use description::{CheckError, Description};
pub use device::{Device, Interrupt};
pub use error::{Error, Result};
pub use kind::{IntoActuator, IntoSensor, Kind};
#[cfg(feature = "runtime")]
pub use lab::{BuildError, Lab, LabBuilder};
pub use mqtt_lab_wire::{
    Channel, Datatype, PayloadForm, PluginForm, PluginInfo, Qos, Role, State, Trigger, Value,
};
pub use reading::Reading;
pub use registry::{KindTaken, Plugin, Registry};
#[cfg(feature = "runtime")]
pub use running::RunningLab;
/// The crate that makes a schema of a settings struct: `#[derive(JsonSchema)]` of the prelude.
pub use schemars;
pub use sensor::Sensor;
pub use settings::{CreateError, Settings};

/// Everything a plugin needs: `use mqtt_lab_core::prelude::*;`.
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
