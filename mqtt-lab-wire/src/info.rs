//! What a device says of itself on `$info`.

#[cfg(feature = "alloc")]
mod decode;

use crate::text::Text;
use crate::{BootId, Channel, PayloadForm, Qos, Str};
use core::fmt;

#[cfg(feature = "alloc")]
pub use decode::InfoError;

/// Most channels a description may have.
pub const MAX_CHANNELS: usize = 256;
/// Longest topic of a last will that a description may declare, in bytes.
pub const MAX_WILL_TOPIC_BYTES: usize = 1_024;
/// Longest payload of a last will that a description may declare, in bytes.
pub const MAX_WILL_PAYLOAD_BYTES: usize = 4_096;

/// The only schema there is.
const SCHEMA: u32 = 1;

/// The channels of a description.
#[cfg(feature = "alloc")]
pub type Channels = alloc::vec::Vec<Channel>;
/// The channels of a description.
#[cfg(not(feature = "alloc"))]
pub type Channels = &'static [Channel];

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Role {
    /// It measures.
    Sensor,
    /// It acts.
    Actuator,
    /// A board with a thermometer and a lamp.
    Both,
}

impl Role {
    /// The word that travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sensor => "sensor",
            Self::Actuator => "actuator",
            Self::Both => "both",
        }
    }
}

/// When a sensor measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Trigger {
    /// Once per interval.
    #[default]
    Interval,
    /// When something happens.
    Event,
}

impl Trigger {
    /// The word that travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interval => "interval",
            Self::Event => "event",
        }
    }
}

/// The last will a device gave the broker (MQTT 5.0 section 3.1.2.5).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize))]
pub struct WillInfo {
    /// Where the broker will publish it.
    pub topic: Str,
    /// What the broker will publish.
    pub payload: Str,
    /// With which QoS.
    pub qos: Qos,
    /// Whether it is retained.
    pub retain: bool,
    /// How long after the connection was lost, in seconds (MQTT 5).
    #[cfg_attr(feature = "alloc", serde(default))]
    pub delay_s: u32,
}

/// How a plugin is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PluginForm {
    /// A library in the lab's own process.
    Library,
    /// A process of its own.
    Process,
}

impl PluginForm {
    /// The word that travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Library => "library",
            Self::Process => "process",
        }
    }
}

/// The plugin a device came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize))]
pub struct PluginInfo {
    /// What it calls itself: `tank`.
    pub name: Str,
    /// The version it gives itself: `0.1.0`.
    pub version: Str,
    /// How it is loaded.
    pub form: PluginForm,
    /// How often this lab has loaded it; 2: reloaded once while the lab ran.
    pub loads: u32,
}

/// A device's description, retained on `$info`: chart and form without configuration.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Info {
    /// What it is; missing in a description that only lists channels.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub role: Option<Role>,
    /// The kind of device: `temperature`.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub kind: Option<Str>,
    /// What a person calls it.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub label: Option<Str>,
    /// The life this description belongs to.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub boot: Option<BootId>,
    /// When it measures.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub trigger: Option<Trigger>,
    /// How it writes samples.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub payload: Option<PayloadForm>,
    /// Its MQTT version: 4 is 3.1.1, 5 is 5.0 (the protocol level of CONNECT).
    #[cfg_attr(feature = "alloc", serde(default))]
    pub version: Option<u8>,
    /// Its keep-alive, in seconds.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub keep_alive_s: Option<u16>,
    /// QoS of its samples.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub qos: Option<Qos>,
    /// Whether its samples are retained.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub retain: Option<bool>,
    /// Its last will; missing: `lost` on `$state`, retained.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub will: Option<WillInfo>,
    /// What its broker gives it less than it was configured with, in words; missing: nothing.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub downgrades: Option<Str>,
    /// The plugin it came from; missing when its kind is compiled into the program. One that cannot be
    /// read, such as one of a form not known here, counts as missing.
    #[cfg_attr(feature = "alloc", serde(default, deserialize_with = "decode::plugin"))]
    pub plugin: Option<PluginInfo>,
    /// Its channels.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub channels: Channels,
}

impl Info {
    /// Writes the payload of `$info`.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn encode(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let mut object = Object::open(out)?;
        object.display("schema", Some(SCHEMA))?;
        object.word("role", self.role.map(Role::as_str))?;
        object.text("kind", self.kind.as_ref())?;
        object.text("label", self.label.as_ref())?;
        object.word("boot", self.boot.as_ref().map(BootId::as_str))?;
        object.word("trigger", self.trigger.map(Trigger::as_str))?;
        object.word("payload", self.payload.map(PayloadForm::as_str))?;
        object.display("version", self.version)?;
        object.display("keep_alive_s", self.keep_alive_s)?;
        object.display("qos", self.qos)?;
        object.display("retain", self.retain)?;
        if let Some(will) = &self.will {
            object.key("will")?;
            let mut inner = Object::open(object.out)?;
            inner.text("topic", Some(&will.topic))?;
            inner.text("payload", Some(&will.payload))?;
            inner.display("qos", Some(will.qos))?;
            inner.display("retain", Some(will.retain))?;
            inner.display("delay_s", Some(will.delay_s))?;
            inner.close()?;
        }
        object.text("downgrades", self.downgrades.as_ref())?;
        if let Some(plugin) = &self.plugin {
            object.key("plugin")?;
            let mut inner = Object::open(object.out)?;
            inner.text("name", Some(&plugin.name))?;
            inner.text("version", Some(&plugin.version))?;
            inner.word("form", Some(plugin.form.as_str()))?;
            inner.display("loads", Some(plugin.loads))?;
            inner.close()?;
        }
        object.key("channels")?;
        object.out.write_char('[')?;
        for (i, channel) in self.channels.iter().enumerate() {
            if i > 0 {
                object.out.write_char(',')?;
            }
            encode_channel(channel, object.out)?;
        }
        object.out.write_char(']')?;
        object.close()
    }
}

fn encode_channel(channel: &Channel, out: &mut impl fmt::Write) -> fmt::Result {
    let mut object = Object::open(out)?;
    object.text("name", Some(&channel.name))?;
    object.word("datatype", Some(channel.datatype.as_str()))?;
    object.text("unit", channel.unit.as_ref())?;
    object.text("quantity", channel.quantity.as_ref())?;
    object.text("label", channel.label.as_ref())?;
    for (key, number) in [("min", channel.min), ("max", channel.max), ("step", channel.step)] {
        object.display(key, number.map(crate::ValueRef::Float))?;
    }
    object.display("max_len", channel.max_len)?;
    if !channel.choices.is_empty() {
        object.key("choices")?;
        object.out.write_char('[')?;
        for (i, choice) in channel.choices.iter().enumerate() {
            if i > 0 {
                object.out.write_char(',')?;
            }
            Text::new(choice).write_json(object.out)?;
        }
        object.out.write_char(']')?;
    }
    object.display("settable", channel.settable.then_some(true))?;
    object.display("qos", channel.qos)?;
    object.display("retain", channel.retain)?;
    object.close()
}

/// Writes one JSON object; missing values are left out.
struct Object<'a, W> {
    out: &'a mut W,
    first: bool,
}

impl<'a, W: fmt::Write> Object<'a, W> {
    fn open(out: &'a mut W) -> Result<Self, fmt::Error> {
        out.write_char('{')?;
        Ok(Self { out, first: true })
    }

    fn close(self) -> fmt::Result {
        self.out.write_char('}')
    }

    fn key(&mut self, key: &str) -> fmt::Result {
        if !self.first {
            self.out.write_char(',')?;
        }
        self.first = false;
        write!(self.out, "\"{key}\":")
    }

    /// A number or truth value.
    fn display(&mut self, key: &str, value: Option<impl fmt::Display>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.key(key)?;
        write!(self.out, "{value}")
    }

    /// A word that needs no escapes.
    fn word(&mut self, key: &str, value: Option<&str>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.key(key)?;
        write!(self.out, "\"{value}\"")
    }

    fn text(&mut self, key: &str, value: Option<&Str>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.key(key)?;
        Text::new(value).write_json(self.out)
    }
}
