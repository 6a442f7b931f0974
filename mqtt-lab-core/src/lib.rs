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
//! | `runtime` | [`Lab`], [`link`], configuration of devices | yes |
//! | `broker` | [`broker`], an MQTT broker inside the program | no |
//! | `testing` | [`testing`], the test bench | no |

mod actuator;
mod description;
mod device;
mod error;
mod reading;
mod registry;
mod sensor;

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

pub use actuator::Actuator;
#[cfg(feature = "runtime")]
pub use changes::Changes;
pub use description::{CheckError, Description};
pub use device::Device;
pub use error::{Error, Result};
#[cfg(feature = "runtime")]
pub use lab::{BuildError, Lab, LabBuilder};
pub use mqtt_lab_wire::{Channel, Datatype, PayloadForm, Qos, Role, State, Trigger, Value};
pub use reading::Reading;
pub use registry::{CreateError, IntoActuator, IntoSensor, Kind, KindTaken, Plugin, Registry, Settings};
#[cfg(feature = "runtime")]
pub use running::RunningLab;
pub use sensor::Sensor;

/// Everything a plugin needs: `use mqtt_lab_core::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Actuator, Channel, Datatype, Description, Error, Kind, Plugin, Qos, Reading, Result, Sensor, Value,
        export_plugin,
    };
    pub use async_trait::async_trait;
}

/// The Rust in both READMEs compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../README.de.md")]
mod readme {}
