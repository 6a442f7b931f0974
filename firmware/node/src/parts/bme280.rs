//! A thermometer, hygrometer and barometer.

use crate::part::{Channels, Part, Readings};
use crate::{Channel, Fault, ValueRef};
use bme280::Error;
use bme280::i2c::BME280 as Driver;
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

/// A BME280 on an I²C bus.
///
/// Three channels: `temperature` from -40 to 85 °C, `humidity` from 0 to 100 % and `pressure` from 300 to
/// 1100 hPa. What is beyond the range of the chip is a fault.
#[derive(Debug)]
pub struct Bme280<I, D> {
    chip: Driver<I>,
    delay: D,
    /// Whether the chip has its settings; after a fault it may have been without power.
    is_set_up: bool,
}

impl<I: I2c, D: DelayNs> Bme280<I, D> {
    /// The chip at `address`, 0x76 or 0x77; it measures for some 40 ms, meanwhile `delay` waits.
    pub fn new(bus: I, address: u8, delay: D) -> Self {
        Self { chip: Driver::new(bus, address), delay, is_set_up: false }
    }

    fn measure(&mut self) -> Result<bme280::Measurements<I::Error>, Error<I::Error>> {
        if !self.is_set_up {
            self.chip.init(&mut self.delay)?;
            self.is_set_up = true;
        }
        self.chip.measure(&mut self.delay)
    }
}

impl<I: I2c, D: DelayNs> Part for Bme280<I, D> {
    fn describe(&self, channels: &mut Channels) {
        let temperature = Channel::float("temperature").unit("°C").quantity("temperature");
        channels.add(temperature.range(-40.0, 85.0));
        channels.add(Channel::float("humidity").unit("%").quantity("humidity").range(0.0, 100.0));
        channels.add(Channel::float("pressure").unit("hPa").quantity("pressure").range(300.0, 1100.0));
    }

    fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault> {
        let measured = self.measure();
        self.is_set_up &= measured.is_ok();
        let measured = measured.map_err(|error| match error {
            Error::Bus(error) => Fault::of_i2c(&error),
            Error::UnsupportedChip => Fault::Other("the chip at this address is no BME280"),
            _ => Fault::Other("the chip gave data that make no sense: check the length of its wires"),
        })?;
        readings.add("temperature", hundredths(measured.temperature))?;
        readings.add("humidity", hundredths(measured.humidity))?;
        readings.add("pressure", hundredths(measured.pressure / 100.0))
    }
}

/// As fine as the chip measures: more digits would be noise that travels.
fn hundredths(value: f32) -> ValueRef<'static> {
    let scaled = f64::from(value) * 100.0;
    #[allow(clippy::cast_possible_truncation, reason = "a wild value saturates, and is out of range")]
    let rounded = (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i64;
    if scaled.is_finite() {
        #[allow(clippy::cast_precision_loss, reason = "within 2^53, or out of range anyhow")]
        ValueRef::Float(rounded as f64 / 100.0)
    } else {
        ValueRef::Float(f64::NAN)
    }
}
