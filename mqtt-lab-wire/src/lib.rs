//! What travels in an `mqtt-lab`: topics, samples, commands and descriptions.
//!
//! One small crate that a server, a browser's gateway and a microcontroller share: it knows no
//! clock, no file, no network and, with `default-features = false`, no allocator.
//!
//! | Topic | Payload | Type |
//! | --- | --- | --- |
//! | `<root>/<group>/<device>/<channel>` | `21.5` or `{"v":21.5,"t":…,"b":"k3f9","n":17}` | [`Sample`] |
//! | `<root>/<group>/<device>` | `{"temperature":21.5,"humidity":40}`, from a foreign client | [`Members`] |
//! | `…/<channel>/set` | `true` or `{"v":true,"id":"c1","t":…,"ttl_ms":5000}` | [`Command`] |
//! | `…/<channel>/result` | `{"id":"c1","ok":true,"v":true}` | [`CommandResult`] |
//! | `…/<device>/$state` | `init`, `ready`, `sleeping`, `disconnected`, `lost` | [`State`] |
//! | `…/<device>/$info` | the device's description, retained | [`Info`] |
//! | `…/<device>/$stats` | `{"b":"k3f9","sent":17}` | [`Stats`] |
//! | `…/<device>/$error` | what is wrong with the device, in words; empty when nothing | text |
//!
//! Topic strings are made and read only by [`Address`] and [`Topic`].
//!
//! ```
//! use mqtt_lab_wire::{Address, PayloadForm, Sample, Topic, ValueRef, Part};
//!
//! let thermometer = Address::new("lab", "demo", "thermometer")?;
//! assert_eq!(thermometer.channel("temperature").to_string(), "lab/demo/thermometer/temperature");
//!
//! let mut payload = String::new();
//! Sample::new(ValueRef::Float(21.5)).numbered("k3f9".parse()?, 17).encode(PayloadForm::Json, &mut payload)?;
//! assert_eq!(payload, r#"{"v":21.5,"b":"k3f9","n":17}"#);
//! assert_eq!(Sample::decode(payload.as_bytes())?.value, ValueRef::Float(21.5));
//!
//! let topic = Topic::parse("lab", "lab/demo/thermometer/temperature")?;
//! assert_eq!((topic.device, topic.part), ("thermometer", Part::Sample("temperature")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod boot;
mod channel;
mod command;
mod datatype;
#[cfg(feature = "alloc")]
mod date;
mod decimal;
mod decode_error;
#[cfg(feature = "alloc")]
mod foreign;
mod info;
mod json;
mod qos;
mod sample;
mod state;
mod stats;
mod text;
mod time;
mod topic;
mod value;

pub use boot::{BootId, BootIdError};
pub use channel::{Channel, Choices, MAX_TEXT_BYTES, ValueError};
pub use command::{Command, CommandResult};
pub use datatype::Datatype;
pub use decode_error::DecodeError;
#[cfg(feature = "alloc")]
pub use foreign::{Meaning, Members, Message, Note, Received, Refused, Written};
#[cfg(feature = "alloc")]
pub use info::InfoError;
pub use info::{
    Channels, Info, MAX_CHANNELS, MAX_WILL_PAYLOAD_BYTES, MAX_WILL_TOPIC_BYTES, PluginForm, PluginInfo, Role,
    Trigger, WillInfo,
};
pub use qos::Qos;
pub use sample::{MAX_SAMPLE_BYTES, PayloadForm, Sample, SampleTime};
pub use state::State;
pub use stats::Stats;
pub use text::Text;
pub use time::{EARLIEST_US, MAX_AHEAD_US, is_plausible_time, next_stamp};
pub use topic::{Address, MAX_WORD_BYTES, Part, Topic, TopicError, TopicName, check_word};
#[cfg(feature = "alloc")]
pub use value::Value;
pub use value::ValueRef;

/// The words of a description: borrowed for ever on a board, borrowed or owned on a host.
#[cfg(feature = "alloc")]
pub type Str = alloc::borrow::Cow<'static, str>;
/// The words of a description: borrowed for ever on a board, borrowed or owned on a host.
#[cfg(not(feature = "alloc"))]
pub type Str = &'static str;
