//! A pin that is on or off.

use crate::part::{Channels, Part, Readings};
use crate::{Channel, Fault, ValueRef};
use embedded_hal::digital::OutputPin;

/// A pin that is on or off: a LED, a relay.
///
/// One settable channel of truth values. Off at the start.
#[derive(Debug)]
pub struct Output<P> {
    name: &'static str,
    pin: P,
    /// Unknown until the pin was set for the first time.
    on: Option<bool>,
}

impl<P: OutputPin> Output<P> {
    /// The output `name` on `pin`, which is high when it is on.
    pub const fn new(name: &'static str, pin: P) -> Self {
        Self { name, pin, on: None }
    }

    fn set(&mut self, on: bool) -> Result<bool, Fault> {
        self.pin.set_state(on.into()).map_err(|_| Fault::Other("the pin cannot be set"))?;
        self.on = Some(on);
        Ok(on)
    }
}

impl<P: OutputPin> Part for Output<P> {
    fn describe(&self, channels: &mut Channels) {
        channels.add(Channel::bool(self.name).settable());
    }

    fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let on = match self.on {
            Some(on) => on,
            None => self.set(false)?,
        };
        readings.add(self.name, ValueRef::Bool(on))
    }

    fn apply(&mut self, _: &str, value: ValueRef<'_>) -> Result<ValueRef<'static>, Fault> {
        let ValueRef::Bool(on) = value else { return Err(Fault::Channel) };
        self.set(on).map(ValueRef::Bool)
    }
}
