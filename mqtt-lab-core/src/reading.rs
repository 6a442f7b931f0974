//! The values of a device's channels at one instant.

use mqtt_lab_wire::{Qos, Str, Value};

/// The values of a device's channels at one instant.
///
/// A device with one channel returns the bare value: `Ok(21.5.into())`. One with several names them:
///
/// ```
/// # use mqtt_lab_core::prelude::*;
/// let reading = Reading::new().with("temperature", 21.5).with("humidity", 40);
/// let alarm = Reading::from(true).qos(Qos::ExactlyOnce);
/// ```
///
/// The runtime adds time and number, checks every value against the description and publishes each
/// as one message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    values: Values,
    qos: Option<Qos>,
    retain: Option<bool>,
}

impl Reading {
    /// A reading without values: nothing to publish.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Values::Many(Vec::new()), qos: None, retain: None }
    }

    /// Adds the value of a channel.
    #[must_use]
    pub fn with(mut self, channel: impl Into<Str>, value: impl Into<Value>) -> Self {
        self.push(channel.into(), value.into());
        self
    }

    #[inline]
    pub(crate) fn push(&mut self, channel: Str, value: Value) {
        if self.is_empty() {
            self.values = Values::One((channel, value));
        } else {
            self.push_more(channel, value);
        }
    }

    #[cold]
    fn push_more(&mut self, channel: Str, value: Value) {
        let mut values = match std::mem::take(&mut self.values) {
            Values::Many(values) => values,
            Values::One(first) => vec![first],
        };
        values.push((channel, value));
        self.values = Values::Many(values);
    }

    /// Publishes this reading with another QoS than configured.
    #[must_use]
    pub const fn qos(mut self, qos: Qos) -> Self {
        self.qos = Some(qos);
        self
    }

    /// Publishes this reading retained, or not, whatever is configured.
    #[must_use]
    pub const fn retain(mut self, retain: bool) -> Self {
        self.retain = Some(retain);
        self
    }

    /// The value of a channel; a bare value answers to every name.
    #[must_use]
    pub fn get(&self, channel: &str) -> Option<&Value> {
        let named = |(name, _): &&(Str, Value)| name == channel || name.is_empty();
        self.values.as_slice().iter().find(named).map(|(_, value)| value)
    }

    /// Channels and values; the name of a bare value is empty.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.values.as_slice().iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The QoS that overrides the configured one.
    #[must_use]
    pub const fn qos_override(&self) -> Option<Qos> {
        self.qos
    }

    /// The retain flag that overrides the configured one.
    #[must_use]
    pub const fn retain_override(&self) -> Option<bool> {
        self.retain
    }

    /// Whether there is nothing to publish.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.as_slice().is_empty()
    }
}

/// Most readings hold one value, and need no memory of their own then.
#[derive(Clone, Debug)]
enum Values {
    One((Str, Value)),
    Many(Vec<(Str, Value)>),
}

impl Values {
    const fn as_slice(&self) -> &[(Str, Value)] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values.as_slice(),
        }
    }
}

impl Default for Values {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<V: Into<Value>> From<V> for Reading {
    fn from(value: V) -> Self {
        Self { values: Values::One((Str::Borrowed(""), value.into())), ..Self::new() }
    }
}
