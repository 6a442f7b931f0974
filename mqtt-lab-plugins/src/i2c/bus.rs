//! A bus of Linux.

use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use linux_embedded_hal::{I2CError, I2cdev};
use mqtt_lab_core::{Error, Result};
use std::io;

/// Remote I/O error: what the Raspberry Pi's bus says when nobody answers.
const EREMOTEIO: i32 = 121;

/// Timer expired: what it says when a chip holds the clock.
const ETIMEDOUT: i32 = 110;

/// An open bus.
pub(super) struct Bus(I2cdev);

/// What went wrong there; its `Debug` is for people.
pub(super) struct BusFault(I2CError);

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}

impl Bus {
    /// Opens a bus.
    ///
    /// # Errors
    ///
    /// Says what was tried, and what to do.
    pub(super) fn open(path: &str) -> Result<Self> {
        I2cdev::new(path).map(Self).map_err(|error| refused(path, &error.into()))
    }
}

impl ErrorType for Bus {
    type Error = BusFault;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusFault> {
        self.0.transaction(address, operations).map_err(BusFault)
    }
}

impl embedded_hal::i2c::Error for BusFault {
    fn kind(&self) -> ErrorKind {
        match number(&self.0) {
            Some(EREMOTEIO) => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
            Some(ETIMEDOUT) => ErrorKind::Bus,
            _ => self.0.kind(),
        }
    }
}

impl std::fmt::Debug for BusFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

fn number(error: &I2CError) -> Option<i32> {
    use linux_embedded_hal::i2cdev::linux::LinuxI2CError;
    match error.inner() {
        LinuxI2CError::Errno(number) => Some(*number),
        LinuxI2CError::Io(error) => error.raw_os_error(),
    }
}

fn refused(path: &str, error: &io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => {
            "switch I²C on (Raspberry Pi: `sudo raspi-config`, Interface Options), or correct `bus`: `ls /dev/i2c-*` \
             shows which there are"
        }
        io::ErrorKind::PermissionDenied => {
            "add yourself to its group (`sudo usermod -aG i2c $USER`) and log in again"
        }
        _ => "is it an I²C bus?",
    };
    Error::new(format_args!("cannot open bus `{path}`: {error}: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_embedded_hal::i2cdev::linux::LinuxI2CError;

    #[test]
    fn what_is_not_there_or_not_allowed_or_no_bus_says_what_to_do() {
        let error = Bus::open("/dev/no-such-bus").map(drop).unwrap_err().to_string();
        assert!(error.starts_with("cannot open bus `/dev/no-such-bus`: No such file"), "{error}");
        assert!(error.contains("raspi-config"), "{error}");
        let error = refused("/dev/i2c-1", &io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(error.contains("usermod -aG i2c"), "{error}");
        let error = Bus::open("/dev/null").map(drop).unwrap_err().to_string();
        assert!(error.ends_with("is it an I²C bus?"), "{error}");
    }

    #[test]
    fn what_linux_says_when_nobody_answers_is_understood() {
        use embedded_hal::i2c::Error as _;
        let kind = |number| BusFault(LinuxI2CError::Errno(number).into()).kind();
        // ENXIO, and EREMOTEIO of the Raspberry Pi.
        for number in [6, EREMOTEIO] {
            assert!(matches!(kind(number), ErrorKind::NoAcknowledge(_)), "{number}");
        }
        for number in [5, ETIMEDOUT] {
            assert_eq!(kind(number), ErrorKind::Bus, "{number}");
        }
    }
}
