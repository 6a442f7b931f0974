//! Why a part could not read or obey.

use core::fmt;
use embedded_hal::i2c;
use mqtt_lab_wire::ValueError;

/// Why a part could not read or obey. Reported on `$error` or as the answer to a command, never as a value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing acknowledges at the part's address.
    NoAnswer,
    /// The bus itself fails: stuck, or another master won it.
    Bus,
    /// The answer's checksum is wrong.
    Checksum,
    /// The part answered with what its channel cannot carry, such as a value out of range.
    Value(ValueError),
    /// Another channel than the part has described.
    Channel,
    /// Anything else, in words.
    Other(&'static str),
}

impl Fault {
    /// The fault behind an error of an I²C bus.
    #[must_use]
    pub fn of_i2c(error: &impl i2c::Error) -> Self {
        match error.kind() {
            i2c::ErrorKind::NoAcknowledge(_) => Self::NoAnswer,
            _ => Self::Bus,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("it does not answer: check its power, wires and address"),
            Self::Bus => f.write_str("the bus does not work: check SDA, SCL and their pull-up resistors"),
            Self::Checksum => {
                f.write_str("the checksum of its answer is wrong: check the length of its wires")
            }
            Self::Value(error) => write!(f, "it gave a wrong value: {error}"),
            Self::Channel => f.write_str("it named a channel that it has not described"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for Fault {}
