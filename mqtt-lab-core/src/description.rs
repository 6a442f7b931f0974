//! What a device says of itself.

use crate::{Reading, Value};
use mqtt_lab_wire::{Channel, MAX_CHANNELS, Part, Str, Topic, Trigger, ValueError, check_word};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The channels of a device and when it measures.
///
/// ```
/// # use mqtt_lab_core::prelude::*;
/// let weather = Description::sensor()
///     .channel(Channel::float("temperature").unit("°C").range(-40.0, 85.0))
///     .channel(Channel::float("humidity").unit("%").range(0.0, 100.0))
///     .control(Channel::bool("heating").initial(false));
/// let lamp = Description::actuator().output(Channel::bool("on").initial(false));
/// ```
///
/// As JSON, which is how plugins in other languages describe their devices, it is
/// `{"channels":[{"name":"on","datatype":"bool","settable":true,"initial":false}],"trigger":"interval"}`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    #[serde(with = "initials")]
    channels: Vec<Channel>,
    #[serde(default)]
    trigger: Trigger,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<Str>,
}

/// Channels with their initial values, which `$info` has no room for.
mod initials {
    use crate::{Channel, Value};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    struct WithInitial {
        #[serde(flatten)]
        channel: Channel,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial: Option<Scalar>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(untagged)]
    enum Scalar {
        Bool(bool),
        Int(i64),
        Float(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(channels: &[Channel], to: S) -> Result<S::Ok, S::Error> {
        let scalar = |value: &Value| match value {
            Value::Bool(v) => Scalar::Bool(*v),
            Value::Int(v) => Scalar::Int(*v),
            Value::Float(v) => Scalar::Float(*v),
            Value::Text(v) => Scalar::Text(v.to_string()),
        };
        let with = |channel: &Channel| WithInitial {
            channel: channel.clone(),
            initial: channel.initial.as_ref().map(scalar),
        };
        to.collect_seq(channels.iter().map(with))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Channel>, D::Error> {
        let with = Vec::<WithInitial>::deserialize(from)?;
        Ok(with
            .into_iter()
            .map(|WithInitial { mut channel, initial }| {
                channel.initial = initial.map(|scalar| match scalar {
                    Scalar::Bool(v) => Value::Bool(v),
                    Scalar::Int(v) => Value::Int(v),
                    Scalar::Float(v) => Value::Float(v),
                    Scalar::Text(v) => Value::Text(v),
                });
                channel
            })
            .collect())
    }
}

impl Description {
    /// The description of a sensor that is read once per interval.
    #[must_use]
    pub fn sensor() -> Self {
        Self::default()
    }

    /// The description of an actuator.
    #[must_use]
    pub fn actuator() -> Self {
        Self::default()
    }

    /// Adds a channel that is measured; names must differ ([`check`](Self::check)).
    #[must_use]
    pub fn channel(mut self, channel: Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// Adds a control variable: a channel of a sensor that the user sets, handed to `Sensor::set`.
    #[must_use]
    pub fn control(self, channel: Channel) -> Self {
        self.channel(channel.settable())
    }

    /// Adds an output: a channel of an actuator that takes commands, handed to `Actuator::apply`.
    #[must_use]
    pub fn output(self, channel: Channel) -> Self {
        self.channel(channel.settable())
    }

    /// Makes it an event sensor: `read` waits for the event instead of being asked once per interval.
    #[must_use]
    pub fn on_event(mut self) -> Self {
        self.trigger = Trigger::Event;
        self
    }

    /// Says what a person calls the device.
    #[must_use]
    pub fn label(mut self, label: impl Into<Str>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same description with other channels.
    #[cfg(feature = "plugins")]
    pub(crate) fn map_channels(mut self, change: impl FnMut(Channel) -> Channel) -> Self {
        self.channels = self.channels.into_iter().map(change).collect();
        self
    }

    /// The channels, in the order in which they were added.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// When it measures: once per interval, or when something happens.
    #[must_use]
    pub const fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// What a person calls it.
    #[must_use]
    pub fn given_label(&self) -> Option<&Str> {
        self.label.as_ref()
    }

    /// The channel of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// Both descriptions in one; the trigger is the first one's.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.channels.extend(other.channels);
        self.label = self.label.or(other.label);
        self
    }

    /// Checks names, ranges and number of the channels.
    ///
    /// # Errors
    ///
    /// [`CheckError`] names the channel and what is wrong with it.
    pub fn check(&self) -> Result<(), CheckError> {
        if self.channels.len() > MAX_CHANNELS {
            return Err(CheckError::TooManyChannels(self.channels.len()));
        }
        for (i, channel) in self.channels.iter().enumerate() {
            let name = channel.name.to_string();
            // `set` and `result` would read as commands to the device itself.
            let topic = format!("r/g/d/{name}");
            let usable = matches!(Topic::parse("r", &topic), Ok(t) if t.part == Part::Sample(&name));
            if check_word(&name).is_err() || name.starts_with('$') || !usable {
                return Err(CheckError::ChannelName(name));
            }
            if self.channels[..i].iter().any(|other| other.name == channel.name) {
                return Err(CheckError::ChannelTwice(name));
            }
            if channel.min.zip(channel.max).is_some_and(|(min, max)| min > max) {
                return Err(CheckError::EmptyRange(name));
            }
            if let Some(initial) = &channel.initial {
                let checked = channel.check(initial.as_ref());
                checked.map_err(|error| CheckError::value(channel, initial, error))?;
            }
        }
        Ok(())
    }

    /// Checks a reading: every channel declared, every value of its datatype and in its range. Returns
    /// the values in the channels' datatypes.
    ///
    /// # Errors
    ///
    /// [`CheckError`] names the channel, the value and what the channel takes.
    pub fn check_reading(&self, reading: &Reading) -> Result<Vec<(&Channel, Value)>, CheckError> {
        reading.values().map(|(name, value)| self.check_value(name, value)).collect()
    }

    fn check_value(&self, name: &str, value: &Value) -> Result<(&Channel, Value), CheckError> {
        let channel = match (name, self.channels.as_slice()) {
            ("", [only]) => only,
            ("", several) => {
                // A control variable is no measurement: a bare value means the only other channel.
                let mut measured = several.iter().filter(|channel| !channel.settable);
                match (measured.next(), measured.next()) {
                    (Some(only), None) => only,
                    _ => return Err(CheckError::BareValue(several.len())),
                }
            }
            _ => self.find(name).ok_or_else(|| self.undeclared(name))?,
        };
        let checked = channel.check(value.as_ref());
        let checked = checked.map_err(|error| CheckError::value(channel, value, error))?;
        Ok((channel, checked.into()))
    }

    /// Checks a command: the channel takes commands, the value fits it. Returns the value in the
    /// channel's datatype.
    ///
    /// # Errors
    ///
    /// [`CheckError`] names the channel, the value and what the channel takes.
    pub fn check_command(&self, name: &str, value: &Value) -> Result<Value, CheckError> {
        let channel = self.find(name).filter(|channel| channel.settable);
        let channel = channel.ok_or_else(|| self.not_settable(name))?;
        let checked = channel.check(value.as_ref());
        checked.map(Value::from).map_err(|error| CheckError::value(channel, value, error))
    }

    fn not_settable(&self, name: &str) -> CheckError {
        let settable = self.channels.iter().filter(|channel| channel.settable);
        let settable: Vec<_> = settable.map(|channel| channel.name.as_ref()).collect();
        CheckError::NotSettable { channel: name.into(), settable: settable.join(", ") }
    }

    fn undeclared(&self, name: &str) -> CheckError {
        let declared: Vec<_> = self.channels.iter().map(|channel| channel.name.as_ref()).collect();
        CheckError::Undeclared { channel: name.into(), declared: declared.join(", ") }
    }
}

/// Why a description or a reading is not what it must be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CheckError {
    /// More channels than a description may have.
    TooManyChannels(usize),
    /// A channel's name has other characters than `a-z 0-9 -`.
    ChannelName(String),
    /// A channel is declared twice.
    ChannelTwice(String),
    /// A channel's lowest value is above its highest.
    EmptyRange(String),
    /// A reading holds a value of a channel that the description lacks.
    Undeclared {
        /// The channel in the reading.
        channel: String,
        /// The channels of the description.
        declared: String,
    },
    /// A command to a channel that takes none.
    NotSettable {
        /// The channel in the command.
        channel: String,
        /// The channels that take commands.
        settable: String,
    },
    /// A bare value from a device with several channels, or none.
    BareValue(usize),
    /// A value that its channel does not take.
    Value {
        /// The channel.
        channel: String,
        /// The value.
        value: String,
        /// What the channel takes.
        source: ValueError,
    },
}

impl CheckError {
    pub(crate) fn value(channel: &Channel, value: &Value, source: ValueError) -> Self {
        let number = matches!(value, Value::Float(_) | Value::Int(_));
        let mut value: String = value.to_string().chars().take(80).collect();
        if let Some(unit) = channel.unit.as_ref().filter(|_| number) {
            value = format!("{value} {unit}");
        }
        Self::Value { channel: channel.name.to_string(), value, source }
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyChannels(n) => {
                write!(f, "the description has {n} channels, at most {MAX_CHANNELS} are allowed")
            }
            Self::ChannelName(name) => write!(
                f,
                "the channel name `{name}` must have 1 to 64 of the characters `a-z`, `0-9` and `-`, and not be \
                 `set` or `result`"
            ),
            Self::ChannelTwice(name) => write!(f, "the channel `{name}` is described twice"),
            Self::EmptyRange(name) => write!(f, "the range of channel `{name}` ends below its start"),
            Self::Undeclared { channel, declared } => {
                write!(f, "the reading has a channel `{channel}`, the description has: {declared}")
            }
            Self::NotSettable { channel, settable } if settable.is_empty() => {
                write!(f, "`{channel}` takes no commands, nor does any other channel of this device")
            }
            Self::NotSettable { channel, settable } => {
                write!(f, "`{channel}` takes no commands; these channels do: {settable}")
            }
            Self::BareValue(n) => {
                write!(
                    f,
                    "a bare value needs exactly one channel, the description has {n}: use `Reading::with`"
                )
            }
            Self::Value { channel, value, source } => {
                write!(f, "channel `{channel}` does not take `{value}`: {source}")
            }
        }
    }
}

impl std::error::Error for CheckError {}
