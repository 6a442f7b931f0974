//! The serial console: UART0 (CMSDK APB UART).

use crate::register::Register;
use core::fmt::{self, Write};

const DATA: Register = Register::at(0x4000_4000);
const STATE: Register = Register::at(0x4000_4004);
const CTRL: Register = Register::at(0x4000_4008);
const BAUDDIV: Register = Register::at(0x4000_4010);

const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;
const TX_AND_RX: u32 = 3;

/// 115,200 baud from 25 MHz.
const DIVIDER: u32 = 217;

pub(crate) fn init() {
    BAUDDIV.write(DIVIDER);
    CTRL.write(TX_AND_RX);
}

/// Writes a line.
pub(crate) fn log(line: fmt::Arguments<'_>) {
    // The console takes every byte.
    let _ = writeln!(Console, "{line}");
}

/// The next byte that was typed.
pub(crate) fn typed() -> Option<u8> {
    (STATE.read() & RX_FULL != 0).then(|| DATA.read().to_le_bytes()[0])
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while STATE.read() & TX_FULL != 0 {}
            DATA.write(byte.into());
        }
        Ok(())
    }
}
