//! The chips: what they measure, and what shows that an answer is theirs.
//!
//! Generic over the bus, so that a test's bus serves as well.

use super::fault::Fault;
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use lm75::Lm75;
use mqtt_lab_core::prelude::*;
use serde::Serialize;
use sht4x::{Precision, Sht4x};

/// A chip of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Chip {
    /// LM75 and its many copies: temperature, 9 bits.
    Lm75,
    /// TMP105: temperature, prepared for 12 bits.
    Tmp105,
    /// PCT2075: temperature, 11 bits.
    Pct2075,
    /// SHT40, SHT41, SHT45: temperature and humidity, with a check sum.
    Sht4x,
}

/// Register of an LM75 that holds its configuration.
const CONFIGURATION: u8 = 1;

/// Register of an LM75 that holds the alarm's temperature: 80 °C, where nobody changed it.
const ALARM: u8 = 3;

/// TMP105: 12 bits instead of 9.
const TWELVE_BITS: u8 = 0x60;

/// The configuration's bits that nothing changes; the others are thresholds and an alarm pin.
const RESERVED: u8 = 0xe0;

/// What humidity may lie outside of 0 to 100 %, in %.
const TOLERANCE: f64 = 2.0;

impl Chip {
    /// The word in the settings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lm75 => "lm75",
            Self::Tmp105 => "tmp105",
            Self::Pct2075 => "pct2075",
            Self::Sht4x => "sht4x",
        }
    }

    /// The addresses it can have; the first is the usual one.
    pub(super) const fn addresses(self) -> std::ops::RangeInclusive<u8> {
        match self {
            Self::Lm75 | Self::Tmp105 | Self::Pct2075 => 0x48..=0x4f,
            Self::Sht4x => 0x44..=0x46,
        }
    }

    /// What it measures.
    pub(super) fn describe(self) -> Description {
        let (lowest, highest) = self.celsius();
        let temperature = Channel::float("temperature").unit("°C").quantity("temperature");
        let sensor = Description::sensor().channel(temperature.range(lowest, highest));
        match self {
            Self::Lm75 | Self::Tmp105 | Self::Pct2075 => sensor,
            Self::Sht4x => {
                sensor.channel(Channel::float("humidity").unit("%").quantity("humidity").range(0.0, 100.0))
            }
        }
    }

    /// What it can measure, in °C.
    const fn celsius(self) -> (f64, f64) {
        match self {
            Self::Lm75 | Self::Tmp105 | Self::Pct2075 => (-55.0, 125.0),
            Self::Sht4x => (-40.0, 125.0),
        }
    }

    /// Prepares it after power-on.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub(super) fn prepare<B: I2c>(self, bus: &mut B, address: u8) -> Result<(), Fault> {
        match self {
            Self::Tmp105 => Ok(bus.write(address, &[CONFIGURATION, TWELVE_BITS])?),
            Self::Lm75 | Self::Pct2075 | Self::Sht4x => Ok(()),
        }
    }

    /// Takes one measurement.
    ///
    /// # Errors
    ///
    /// If the chip does not answer, or what comes cannot be its measurement.
    pub(super) fn measure<B: I2c, D: DelayNs>(
        self,
        bus: &mut B,
        address: u8,
        delay: &mut D,
    ) -> Result<Reading, Fault> {
        if self == Self::Sht4x {
            return self.measure_sht4x(bus, address, delay);
        }
        self.is_there(bus, address)?;
        let celsius = match self {
            Self::Lm75 => Lm75::new(bus, address).read_temperature(),
            _ => Lm75::new_pct2075(bus, address).read_temperature(),
        };
        let celsius = celsius.map_err(|error| match error {
            lm75::Error::I2C(error) => error.into(),
            // Of thresholds only.
            lm75::Error::InvalidInputData => Fault::Other("the driver refused".into()),
        })?;
        Ok(self.plausible(celsius.into())?.into())
    }

    /// Without a check sum, two registers tell the chip from a wire that hangs high or low.
    fn is_there<B: I2c>(self, bus: &mut B, address: u8) -> Result<(), Fault> {
        let expected = if self == Self::Tmp105 { TWELVE_BITS } else { 0 };
        let mut configuration = [0];
        bus.write_read(address, &[CONFIGURATION], &mut configuration)?;
        if configuration[0] & RESERVED != expected {
            return Err(Fault::Strange { register: CONFIGURATION, value: configuration[0] });
        }
        let mut alarm = [0; 2];
        bus.write_read(address, &[ALARM], &mut alarm)?;
        if alarm == [0, 0] {
            return Err(Fault::Strange { register: ALARM, value: 0 });
        }
        Ok(())
    }

    fn measure_sht4x<B: I2c, D: DelayNs>(
        self,
        bus: &mut B,
        address: u8,
        delay: &mut D,
    ) -> Result<Reading, Fault> {
        let address = match address {
            0x45 => sht4x::Address::Address0x45,
            0x46 => sht4x::Address::Address0x46,
            _ => sht4x::Address::Address0x44,
        };
        let measured = Sht4x::new_with_address(bus, address).measure(Precision::High, delay);
        let measured = measured.map_err(|error| match error {
            sht4x::Error::I2c(error) => error.into(),
            sht4x::Error::Crc => Fault::CheckSum,
            _ => Fault::Other("the driver knows no more".into()),
        })?;
        let percent = f64::from(measured.humidity_milli_percent()) / 1000.0;
        if !(-TOLERANCE..=100.0 + TOLERANCE).contains(&percent) {
            return Err(Fault::Implausible { value: percent, unit: "%" });
        }
        let celsius = self.plausible(f64::from(measured.temperature_milli_celsius()) / 1000.0)?;
        Ok(Reading::new().with("temperature", celsius).with("humidity", percent.clamp(0.0, 100.0)))
    }

    fn plausible(self, celsius: f64) -> Result<f64, Fault> {
        let (lowest, highest) = self.celsius();
        if (lowest..=highest).contains(&celsius) {
            return Ok(celsius);
        }
        Err(Fault::Implausible { value: celsius, unit: "°C" })
    }
}
