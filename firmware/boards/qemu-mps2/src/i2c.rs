//! The I²C bus of the Arduino shield connector (SBCon): two open-drain lines, moved bit by bit.

use crate::register::Register;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

/// Writing ones here lets lines go up; reading shows them.
const SET: Register = Register::at(0x4002_a000);
/// Writing ones here pulls lines down.
const CLEAR: Register = Register::at(0x4002_a004);

const SCL: u32 = 1;
const SDA: u32 = 2;

/// Cycles of a quarter of a bit: some 100 kHz at 25 MHz.
const QUARTER: u32 = 60;

/// The bus.
pub(crate) struct Bus;

impl Bus {
    fn up(lines: u32) {
        SET.write(lines);
        cortex_m::asm::delay(QUARTER);
    }

    fn down(lines: u32) {
        CLEAR.write(lines);
        cortex_m::asm::delay(QUARTER);
    }

    fn sda() -> bool {
        SET.read() & SDA != 0
    }

    fn start() {
        Self::up(SDA);
        Self::up(SCL);
        Self::down(SDA);
        Self::down(SCL);
    }

    fn stop() {
        Self::down(SDA);
        Self::up(SCL);
        Self::up(SDA);
    }

    fn put_bit(bit: bool) {
        if bit {
            Self::up(SDA)
        } else {
            Self::down(SDA)
        }
        Self::up(SCL);
        Self::down(SCL);
    }

    fn get_bit() -> bool {
        Self::up(SCL);
        let bit = Self::sda();
        Self::down(SCL);
        bit
    }

    /// Sends a byte; whether it was acknowledged.
    fn put(byte: u8) -> bool {
        (0..8).rev().for_each(|bit| Self::put_bit(byte >> bit & 1 != 0));
        Self::up(SDA);
        !Self::get_bit()
    }

    /// Receives a byte; `more` acknowledges it.
    fn get(more: bool) -> u8 {
        Self::up(SDA);
        let byte = (0..8).fold(0, |byte, _| byte << 1 | u8::from(Self::get_bit()));
        Self::put_bit(!more);
        byte
    }

    fn address(address: u8, read: bool) -> Result<(), ErrorKind> {
        Self::start();
        let acknowledged = Self::put(address << 1 | u8::from(read));
        acknowledged.then_some(()).ok_or(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address))
    }

    fn operate(operation: &mut Operation<'_>, more_reads: bool) -> Result<(), ErrorKind> {
        match operation {
            Operation::Write(bytes) => {
                let acknowledged = bytes.iter().all(|byte| Self::put(*byte));
                acknowledged.then_some(()).ok_or(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data))
            }
            Operation::Read(bytes) => {
                let last = bytes.len().saturating_sub(1);
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = Self::get(at < last || more_reads);
                }
                Ok(())
            }
        }
    }

    fn run(address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let mut direction = None;
        for at in 0..operations.len() {
            let read = matches!(operations[at], Operation::Read(_));
            if direction.replace(read) != Some(read) {
                Self::address(address, read)?;
            }
            let more_reads = matches!(operations.get(at + 1), Some(Operation::Read(_)));
            Self::operate(&mut operations[at], more_reads)?;
        }
        Ok(())
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let done = Self::run(address, operations);
        Self::stop();
        done
    }
}
