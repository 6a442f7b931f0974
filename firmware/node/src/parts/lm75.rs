//! A thermometer of the LM75 family.

use crate::part::{Channels, Part, Readings};
use crate::{Channel, Fault, ValueRef};
use embedded_hal::i2c::I2c;
use lm75::Lm75 as Driver;

/// The register that sets the resolution of a TMP105 and TMP75; an LM75 ignores these bits.
const CONFIGURATION: u8 = 0x01;

/// 12 bits, 0.0625 °C; at power-on a TMP105 has 9.
const TWELVE_BITS: u8 = 0x60;

/// A thermometer of the LM75 family (LM75, LM75A, TMP75, TMP105, PCT2075) on an I²C bus.
///
/// One channel, `temperature`, from -55 to 125 °C in steps of 0.125 °C.
#[derive(Debug)]
pub struct Lm75<I> {
    bus: I,
    address: u8,
    /// Whether the chip measures finely; after a fault it may have been without power.
    is_set_up: bool,
}

impl<I: I2c> Lm75<I> {
    /// The thermometer at `address`: 0x48 to 0x4f, by its pins A0 to A2.
    pub const fn new(bus: I, address: u8) -> Self {
        Self { bus, address, is_set_up: false }
    }

    fn measure(&mut self) -> Result<f32, Fault> {
        if !self.is_set_up {
            let set_up = self.bus.write(self.address, &[CONFIGURATION, TWELVE_BITS]);
            set_up.map_err(|error| Fault::of_i2c(&error))?;
            self.is_set_up = true;
        }
        let mut chip = Driver::new_pct2075(&mut self.bus, self.address);
        chip.read_temperature().map_err(|error| match error {
            lm75::Error::I2C(error) => Fault::of_i2c(&error),
            lm75::Error::InvalidInputData => Fault::Other("the driver refuses its settings"),
        })
    }
}

impl<I: I2c> Part for Lm75<I> {
    fn describe(&self, channels: &mut Channels) {
        let temperature = Channel::float("temperature").unit("°C").quantity("temperature");
        channels.add(temperature.range(-55.0, 125.0));
    }

    fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let celsius = self.measure();
        self.is_set_up &= celsius.is_ok();
        readings.add("temperature", ValueRef::Float(celsius?.into()))
    }
}
