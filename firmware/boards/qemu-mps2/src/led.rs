//! User LED 0 (FPGAIO).

use crate::register::Register;
use core::convert::Infallible;
use embedded_hal::digital::{ErrorType, OutputPin};

const LEDS: Register = Register::at(0x4002_8000);

/// User LED 0.
pub(crate) struct Led;

impl ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        LEDS.write(0);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        LEDS.write(1);
        Ok(())
    }
}
