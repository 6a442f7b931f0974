//! A sensor node of an `mqtt-lab` for microcontrollers, without `std` and without an allocator.
//!
//! A board brings a network and its parts; the node does the rest: it announces itself, so that the
//! dashboard needs no configuration, keeps its state and last will at the broker, measures at its interval
//! whether or not there is a network, keeps what it measured through an outage, and obeys commands.
//!
//! | What | Type |
//! | --- | --- |
//! | a sensor, an actuator or both, behind `embedded-hal` 1.0 | [`Part`], [`parts`] |
//! | what a part has read | [`Readings`], [`ValueRef`] |
//! | why it could not | [`Fault`], reported on `$error` and never sent as a value |
//! | who the device is and where it belongs | [`Settings`] |
//! | the way to the broker | [`Network`]; the module `tcp` is one for `embassy-net` (feature `tcp`) |
//! | all memory that it needs | [`Memory`] |
//! | all of it at work | [`Node`] |
//!
//! A part of one's own takes a few lines:
//!
//! ```
//! use mqtt_lab_node::{Channel, Channels, Fault, Part, Readings, ValueRef};
//!
//! struct Battery;
//!
//! impl Part for Battery {
//!     fn describe(&self, channels: &mut Channels) {
//!         channels.add(Channel::float("battery").unit("V").quantity("voltage").range(0.0, 5.0));
//!     }
//!
//!     fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault> {
//!         readings.add("battery", ValueRef::Float(3.7))
//!     }
//! }
//! ```
//!
//! What is promised: at QoS 1 and 2 a sample reaches the broker unless it is pushed out of the full
//! [`Memory`] or the board loses its power. It carries the boot id, a number and the milliseconds since the
//! boot at which it was measured, so that the lab counts every loss and every repetition.
//!
//! MQTT 5 (the client library speaks nothing else). Times since the boot come from `embassy-time`.
#![no_std]

#[cfg(test)]
extern crate std;

mod answer;
mod backoff;
mod cursor;
mod fault;
mod identity;
mod memory;
mod network;
mod node;
mod part;
pub mod parts;
mod ring;
mod sampling;
mod serving;
mod settings;
mod shared;
#[cfg(feature = "tcp")]
pub mod tcp;
mod told;

pub use fault::Fault;
pub use memory::{MAX_CHANNELS, Memory};
pub use mqtt_lab_wire::{Channel, Qos, Text, ValueRef};
pub use network::Network;
pub use node::Node;
pub use part::{Channels, Part, Readings};
pub use settings::{Settings, SetupError};
