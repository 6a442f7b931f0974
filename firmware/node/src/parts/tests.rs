//! The chips on a bus that answers, refuses, sticks and disturbs.

use super::*;
use crate::part::{Channels, Part, Readings};
use crate::{Fault, ValueRef};
use core::convert::Infallible;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{self, InputPin, OutputPin};
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use mqtt_lab_wire::ValueError;
use std::cell::{Cell, RefCell};
use std::string::ToString;
use std::vec::Vec;

/// What a transaction on the bus comes to: the bytes that are read, or a failure.
type Answer = Result<&'static [u8], ErrorKind>;

/// A bus on which everything happens as it is told, again and again for the last.
#[derive(Debug)]
struct Bus {
    answers: RefCell<Vec<Answer>>,
    /// The bytes that were written.
    written: RefCell<Vec<Vec<u8>>>,
}

impl Bus {
    fn new(answers: &[Answer]) -> Self {
        Self { answers: RefCell::new(answers.to_vec()), written: RefCell::default() }
    }

    fn then(&self, answer: Answer) {
        *self.answers.borrow_mut() = [answer].to_vec();
    }

    fn next(&self) -> Answer {
        let mut answers = self.answers.borrow_mut();
        if answers.len() > 1 { answers.remove(0) } else { answers[0] }
    }
}

impl ErrorType for &Bus {
    type Error = ErrorKind;
}

impl I2c for &Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        assert!([0x44, 0x48, 0x76].contains(&address), "nothing has the address {address:#x}");
        let bytes = self.next()?;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.written.borrow_mut().push(bytes.to_vec()),
                Operation::Read(place) => {
                    (0..)
                        .zip(place.iter_mut())
                        .for_each(|(at, byte): (usize, _)| *byte = bytes.get(at).copied().unwrap_or(0));
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}

const NACK: Answer = Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
const STUCK: Answer = Err(ErrorKind::Bus);

/// What a read comes to: the values in the order of the channels, or the fault.
fn read(part: &mut impl Part) -> Result<Vec<ValueRef<'static>>, Fault> {
    let mut channels = Channels::default();
    part.describe(&mut channels);
    let mut readings = Readings::new(channels.as_slice(), 0);
    part.read(&mut readings)?;
    Ok(readings.values().iter().map(|(_, value)| *value).collect())
}

fn float(value: f64) -> Result<Vec<ValueRef<'static>>, Fault> {
    Ok([ValueRef::Float(value)].to_vec())
}

#[test]
fn an_lm75_measures_below_zero_and_in_eighths() {
    for (bytes, celsius) in
        [(&[0x17, 0x80], 23.5), (&[0xf3, 0xc0], -12.25), (&[0x00, 0x20], 0.125), (&[0xc9, 0x00], -55.0)]
    {
        let bus = Bus::new(&[Ok(bytes)]);
        assert_eq!(read(&mut Lm75::new(&bus, 0x48)), float(celsius));
    }
}

#[test]
fn an_lm75_is_set_to_its_finest_steps_at_first_and_after_each_fault() {
    let bus = Bus::new(&[Ok(&[0x17, 0x80])]);
    let mut chip = Lm75::new(&bus, 0x48);
    let set_up = |bus: &Bus| bus.written.borrow().iter().filter(|bytes| bytes[..] == [1, 0x60]).count();
    read(&mut chip).expect("a value");
    read(&mut chip).expect("a value");
    assert_eq!(set_up(&bus), 1);
    bus.then(NACK);
    assert_eq!(read(&mut chip), Err(Fault::NoAnswer));
    bus.then(Ok(&[0x17, 0x80]));
    assert_eq!(read(&mut chip), float(23.5));
    assert_eq!(set_up(&bus), 2);
}

#[test]
fn a_chip_that_is_not_there_and_a_bus_that_sticks_are_faults() {
    for (answer, fault) in [(NACK, Fault::NoAnswer), (STUCK, Fault::Bus)] {
        let bus = Bus::new(&[answer]);
        assert_eq!(read(&mut Lm75::new(&bus, 0x48)), Err(fault));
        assert_eq!(read(&mut Sht4x::new(&bus, NoDelay)), Err(fault));
        assert_eq!(read(&mut Bme280::new(&bus, 0x76, NoDelay)), Err(fault));
    }
}

#[test]
fn a_temperature_that_the_chip_cannot_have_is_a_fault() {
    let bus = Bus::new(&[Ok(&[0x7f, 0xe0])]);
    let fault = read(&mut Lm75::new(&bus, 0x48)).expect_err("127.875 °C is beyond the LM75");
    assert_eq!(fault, Fault::Value(ValueError::Range { min: Some(-55.0), max: Some(125.0) }));
    assert_eq!(fault.to_string(), "it gave a wrong value: expected a number from -55 to 125");
}

#[test]
fn an_sht4x_checks_what_it_reads() {
    // The example of the data sheet, section 4.4: 0xBEEF has the checksum 0x92.
    let good = Bus::new(&[Ok(&[0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92])]);
    let Ok(values) = read(&mut Sht4x::new(&good, NoDelay)) else { panic!("the checksums are right") };
    // -45 + 175 · 0xBEEF / 65535, and -6 + 125 · 0xBEEF / 65535.
    // The driver calculates in fixed point.
    for (value, expected) in values.iter().zip([85.523, 87.231]) {
        assert!((value.as_f64().expect("a number") - expected).abs() < 0.005, "{value} for {expected}");
    }
    for bytes in [&[0xbe, 0xef, 0x93, 0xbe, 0xef, 0x92], &[0xbe, 0xef, 0x92, 0xbf, 0xef, 0x92]] {
        let disturbed = Bus::new(&[Ok(bytes)]);
        assert_eq!(read(&mut Sht4x::new(&disturbed, NoDelay)), Err(Fault::Checksum));
    }
}

#[test]
fn another_chip_at_the_address_is_a_fault() {
    let bus = Bus::new(&[Ok(&[0x61])]);
    let fault = read(&mut Bme280::new(&bus, 0x76, NoDelay));
    assert_eq!(fault, Err(Fault::Other("the chip at this address is no BME280")));
}

/// A pin whose level can be seen and set from outside.
#[derive(Debug)]
struct Pin(Cell<bool>);

impl digital::ErrorType for &Pin {
    type Error = Infallible;
}

impl OutputPin for &Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.set(true);
        Ok(())
    }
}

impl InputPin for &Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.get())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.get())
    }
}

#[test]
fn an_output_obeys_and_tells_its_state() {
    let pin = Pin(Cell::new(true));
    let mut led = Output::new("led", &pin);
    assert_eq!(read(&mut led), Ok([ValueRef::Bool(false)].to_vec()));
    assert!(!pin.0.get(), "off at the start, whatever it was before");
    assert_eq!(led.apply("led", ValueRef::Bool(true)), Ok(ValueRef::Bool(true)));
    assert!(pin.0.get());
    assert_eq!(read(&mut led), Ok([ValueRef::Bool(true)].to_vec()));
}

#[test]
fn a_button_tells_each_change_once_and_no_bouncing() {
    let pin = Pin(Cell::new(true));
    let mut button = Button::new("button", &pin);
    assert_eq!(read(&mut button), Ok([ValueRef::Bool(false)].to_vec()));
    assert_eq!([button.has_event(), button.has_event()], [Some(false); 2]);
    pin.0.set(false);
    assert_eq!(button.has_event(), Some(false), "seen once may be bouncing");
    assert_eq!(button.has_event(), Some(true));
    assert_eq!(read(&mut button), Ok([ValueRef::Bool(true)].to_vec()));
    assert_eq!(button.has_event(), Some(false), "told");
    pin.0.set(true);
    button.has_event();
    pin.0.set(false);
    assert_eq!([button.has_event(), button.has_event()], [Some(false); 2], "it bounced");
}
