//! A thermometer and hygrometer of the SHT4x family.

use crate::part::{Channels, Part, Readings};
use crate::{Channel, Fault, ValueRef};
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use sht4x::{Error, Precision, Sht4x as Driver};

/// A thermometer and hygrometer of the SHT4x family (SHT40, SHT41, SHT45) at 0x44 on an I²C bus.
///
/// Two channels: `temperature` from -45 to 130 °C and `humidity` from 0 to 100 %. Each answer carries
/// checksums, so that a disturbed wire is a fault and no value.
#[derive(Debug)]
pub struct Sht4x<I, D> {
    chip: Driver<I, D>,
    delay: D,
}

impl<I: I2c, D: DelayNs> Sht4x<I, D> {
    /// The chip on `bus`; it measures for 8 ms, meanwhile `delay` waits.
    pub fn new(bus: I, delay: D) -> Self {
        Self { chip: Driver::new(bus), delay }
    }
}

impl<I: I2c, D: DelayNs> Part for Sht4x<I, D> {
    fn describe(&self, channels: &mut Channels) {
        let temperature = Channel::float("temperature").unit("°C").quantity("temperature");
        channels.add(temperature.range(-45.0, 130.0));
        channels.add(Channel::float("humidity").unit("%").quantity("humidity").range(0.0, 100.0));
    }

    fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let measured = self.chip.measure(Precision::High, &mut self.delay).map_err(|error| match error {
            Error::I2c(error) => Fault::of_i2c(&error),
            Error::Crc => Fault::Checksum,
            _ => Fault::Other("the chip gave an answer that its driver does not know"),
        })?;
        readings.add("temperature", thousandths(measured.temperature_milli_celsius()))?;
        // The formula goes a bit beyond both ends (data sheet, section 4.6).
        readings.add("humidity", thousandths(measured.humidity_milli_percent().clamp(0, 100_000)))
    }
}

fn thousandths(value: i32) -> ValueRef<'static> {
    ValueRef::Float(f64::from(value) / 1000.0)
}
