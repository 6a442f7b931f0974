//! What a board is made of.

use crate::{Fault, MAX_CHANNELS};
use mqtt_lab_wire::{Channel, ValueRef};

/// A sensor, an actuator or both: one chip, one pin.
///
/// Its methods return at once or after the few milliseconds that a chip needs to measure: meanwhile the
/// node does nothing else.
pub trait Part {
    /// Adds the part's channels, once, at the start.
    fn describe(&self, channels: &mut Channels);

    /// Reads what there is to read now. An actuator tells its state, which is sent when it changed.
    ///
    /// # Errors
    ///
    /// A [`Fault`], which the node reports in the device's name until a later read succeeds.
    fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault>;

    /// Takes a value, which has the channel's datatype and is in its range, and returns the new state.
    ///
    /// # Errors
    ///
    /// A [`Fault`]: the command is answered with it.
    fn apply(&mut self, _channel: &str, _value: ValueRef<'_>) -> Result<ValueRef<'static>, Fault> {
        Err(Fault::Channel)
    }

    /// Whether something has happened that must be read now, not at the next interval. Asked 50 times a
    /// second of parts that return `Some`.
    fn has_event(&mut self) -> Option<bool> {
        None
    }
}

/// The channels of all parts, at most [`MAX_CHANNELS`].
#[derive(Debug, Default)]
pub struct Channels {
    all: heapless::Vec<Channel, MAX_CHANNELS>,
    /// Whether there was no room for one.
    pub(crate) overflow: bool,
}

impl Channels {
    pub(crate) const fn new() -> Self {
        Self { all: heapless::Vec::new(), overflow: false }
    }

    /// Adds a channel. One too many makes [`crate::Node::new`] fail.
    pub fn add(&mut self, channel: Channel) {
        self.overflow |= self.all.push(channel).is_err();
    }

    pub(crate) fn as_slice(&self) -> &[Channel] {
        &self.all
    }
}

/// What one part has read, checked against its channels.
#[derive(Debug)]
pub struct Readings<'a> {
    channels: &'a [Channel],
    /// Where the part's channels begin among all.
    first: usize,
    values: heapless::Vec<(u8, ValueRef<'static>), MAX_CHANNELS>,
}

impl<'a> Readings<'a> {
    /// For the part whose channels are `channels`, of which `first` is the number of the first.
    pub(crate) const fn new(channels: &'a [Channel], first: usize) -> Self {
        Self { channels, first, values: heapless::Vec::new() }
    }

    /// Adds the value of a channel.
    ///
    /// # Errors
    ///
    /// [`Fault::Value`] when it has another datatype or is out of range, NaN included; [`Fault::Channel`]
    /// when the part has no such channel.
    pub fn add(&mut self, channel: &str, value: ValueRef<'static>) -> Result<(), Fault> {
        let at = self.channels.iter().position(|c| c.name == channel).ok_or(Fault::Channel)?;
        let value = self.channels[at].check(value).map_err(Fault::Value)?;
        let number = u8::try_from(self.first + at).map_err(|_| Fault::Channel)?;
        self.values.push((number, value)).map_err(|_| Fault::Channel)
    }

    /// The values with the numbers of their channels among all.
    pub(crate) fn values(&self) -> &[(u8, ValueRef<'static>)] {
        &self.values
    }
}
