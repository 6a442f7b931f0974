//! What can go wrong on a bus, in words.

use embedded_hal::i2c::{Error as BusError, ErrorKind};
use mqtt_lab_core::Error;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// Nobody answers at the address, or not to the end.
    Silent,
    /// A wire hangs, or another computer speaks.
    Bus,
    /// The check sum is wrong.
    CheckSum,
    /// A register holds what the chip never has there.
    Strange { register: u8, value: u8 },
    /// The chip cannot measure this.
    Implausible { value: f64, unit: &'static str },
    /// What the driver says.
    Other(String),
}

impl<E: BusError> From<E> for Fault {
    fn from(error: E) -> Self {
        match error.kind() {
            ErrorKind::NoAcknowledge(_) => Self::Silent,
            ErrorKind::Bus | ErrorKind::ArbitrationLoss => Self::Bus,
            _ => Self::Other(format!("{error:?}")),
        }
    }
}

impl Fault {
    /// The error of a chip at an address of a bus: what was tried, and what to do.
    pub(super) fn at(&self, bus: &str, address: u8, chip: &str) -> Error {
        let place = format!("`{chip}` at address {address:#04x} of `{bus}`");
        match self {
            Self::Silent => Error::new(format_args!(
                "no answer from {place}: check supply, SDA and SCL, and the address (`i2cdetect` lists those that \
                 answer)"
            )),
            Self::Bus => Error::new(format_args!(
                "the bus hangs while asking {place}: is SDA or SCL short-circuited, or a pull-up resistor missing? \
                 Switching the chip off and on frees a bus that it holds"
            )),
            Self::CheckSum => Error::new(format_args!(
                "wrong check sum from {place}: wires too long or loose, or another chip?"
            )),
            Self::Strange { register, value } => Error::new(format_args!(
                "register {register} of {place} holds {value:#04x}, which is not that chip's: another chip, a stuck \
                 wire, or its supply was interrupted"
            )),
            Self::Implausible { value, unit } => Error::new(format_args!(
                "{place} answers {value} {unit}, which it cannot measure: check the wires, or is it another chip?"
            )),
            Self::Other(error) => Error::new(format_args!("asking {place}: {error}")),
        }
    }
}
