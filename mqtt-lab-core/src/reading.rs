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
    values: Vec<(Str, Value)>,
    qos: Option<Qos>,
    retain: Option<bool>,
}

impl Reading {
    /// A reading without values: nothing to publish.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Vec::new(), qos: None, retain: None }
    }

    /// Adds the value of a channel.
    #[must_use]
    pub fn with(mut self, channel: impl Into<Str>, value: impl Into<Value>) -> Self {
        self.values.push((channel.into(), value.into()));
        self
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
        self.values.iter().find(|(name, _)| name == channel || name.is_empty()).map(|(_, value)| value)
    }

    /// Channels and values; the name of a bare value is empty.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_ref(), value))
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
        self.values.is_empty()
    }
}

impl<V: Into<Value>> From<V> for Reading {
    fn from(value: V) -> Self {
        Self { values: vec![(Str::Borrowed(""), value.into())], ..Self::new() }
    }
}
