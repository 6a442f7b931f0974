//! A push button.

use crate::part::{Channels, Part, Readings};
use crate::{Channel, Fault, ValueRef};
use embedded_hal::digital::InputPin;

/// A push button between a pin with pull-up and ground.
///
/// One channel of truth values, true while pressed, sent when it changes. It is asked 50 times a second, and
/// believed when it says the same twice: shorter is bouncing.
#[derive(Debug)]
pub struct Button<P> {
    name: &'static str,
    pin: P,
    /// What the pin said last, and what was told last.
    seen: bool,
    told: Option<bool>,
}

impl<P: InputPin> Button<P> {
    /// The button `name` on `pin`, which is low while it is pressed.
    pub const fn new(name: &'static str, pin: P) -> Self {
        Self { name, pin, seen: false, told: None }
    }

    fn is_pressed(&mut self) -> Result<bool, Fault> {
        self.pin.is_low().map_err(|_| Fault::Other("the pin cannot be read"))
    }
}

impl<P: InputPin> Part for Button<P> {
    fn describe(&self, channels: &mut Channels) {
        channels.add(Channel::bool(self.name));
    }

    fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let pressed = self.is_pressed()?;
        self.told = Some(pressed);
        readings.add(self.name, ValueRef::Bool(pressed))
    }

    fn has_event(&mut self) -> Option<bool> {
        let Ok(pressed) = self.is_pressed() else { return Some(self.told.take().is_some()) };
        let settled = pressed == self.seen;
        self.seen = pressed;
        Some(settled && self.told != Some(pressed))
    }
}
