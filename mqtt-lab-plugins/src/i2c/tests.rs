//! The chips on a bus that does what a test wants.

use super::chip::Chip;
use super::fault::Fault;
use super::{I2c as Device, Settings};
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use mqtt_lab_core::prelude::*;

/// Answers of one chip, oldest first, or what goes wrong.
#[derive(Default)]
struct Mock {
    address: u8,
    answers: Vec<Result<Vec<u8>, ErrorKind>>,
    written: Vec<Vec<u8>>,
}

impl Mock {
    fn at(address: u8, answers: &[&[u8]]) -> Self {
        let answers = answers.iter().map(|bytes| Ok(bytes.to_vec())).collect();
        Self { address, answers, written: Vec::new() }
    }

    fn failing(address: u8, kind: ErrorKind) -> Self {
        Self { address, answers: vec![Err(kind)], written: Vec::new() }
    }
}

impl ErrorType for Mock {
    type Error = ErrorKind;
}

impl I2c for Mock {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        if address != self.address {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.written.push(bytes.to_vec()),
                Operation::Read(bytes) => bytes.copy_from_slice(&self.answers.remove(0)?),
            }
        }
        Ok(())
    }
}

struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _ns: u32) {}
}

fn measure(chip: Chip, mut bus: Mock) -> Result<Reading, Fault> {
    chip.measure(&mut bus, *chip.addresses().start(), &mut NoDelay)
}

#[track_caller]
fn celsius(chip: Chip, configuration: u8, raw: [u8; 2], expected: Result<f64, Fault>) {
    let measured = measure(chip, Mock::at(0x48, &[&[configuration], &[0x50, 0], &raw]));
    assert_eq!(measured, expected.map(Reading::from), "{chip:?}");
}

/// A word with its check sum (CRC-8, polynomial 0x31, start 0xff; SHT4x datasheet, 4.4).
fn word(raw: u16) -> [u8; 3] {
    let [high, low] = raw.to_be_bytes();
    let crc = [high, low].into_iter().fold(0xff_u8, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x31 })
    });
    [high, low, crc]
}

fn sht4x(temperature: u16, humidity: u16) -> Vec<u8> {
    [word(temperature), word(humidity)].concat()
}

#[test]
fn temperatures_are_those_of_the_datasheets() {
    celsius(Chip::Lm75, 0, [0x19, 0x80], Ok(25.5));
    celsius(Chip::Lm75, 0, [0xe7, 0x00], Ok(-25.0));
    celsius(Chip::Pct2075, 0, [0x19, 0x20], Ok(25.125));
    celsius(Chip::Tmp105, 0x60, [0x17, 0x80], Ok(23.5));
    celsius(Chip::Tmp105, 0x60, [0xff, 0xe0], Ok(-0.125));
    celsius(Chip::Tmp105, 0x60, [0x7d, 0x00], Ok(125.0));
}

#[test]
fn a_check_sum_is_that_of_the_datasheet() {
    assert_eq!(word(0xbeef), [0xbe, 0xef, 0x92]);
}

#[test]
fn an_sht4x_measures_temperature_and_humidity() {
    let reading = measure(Chip::Sht4x, Mock::at(0x44, &[&sht4x(0x6666, 0x6e98)])).expect("a reading");
    let value = |channel| reading.get(channel).and_then(Value::as_f64).expect("a number");
    assert!((value("temperature") - 25.0).abs() < 0.01, "{reading:?}");
    assert!((value("humidity") - 48.0).abs() < 0.01, "{reading:?}");
    let written = |chip: Chip, mut bus: Mock| {
        let _ = chip.measure(&mut bus, 0x44, &mut NoDelay);
        bus.written
    };
    assert_eq!(written(Chip::Sht4x, Mock::at(0x44, &[&sht4x(0, 0)])), [[0xfd]], "measure, high precision");
}

#[test]
fn a_wrong_check_sum_is_never_a_value() {
    let whole = sht4x(0x6666, 0x6e98);
    for bit in 0..whole.len() * 8 {
        let mut answer = whole.clone();
        answer[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(measure(Chip::Sht4x, Mock::at(0x44, &[&answer])), Err(Fault::CheckSum), "bit {bit}");
    }
}

#[test]
fn a_stuck_bus_is_never_a_value() {
    for chip in [Chip::Lm75, Chip::Tmp105, Chip::Pct2075] {
        let fault = Fault::Strange { register: 1, value: 0xff };
        celsius(chip, 0xff, [0xff, 0xff], Err(fault));
    }
    let low: &[&[u8]] = &[&[0], &[0, 0], &[0, 0]];
    assert_eq!(measure(Chip::Lm75, Mock::at(0x48, low)), Err(Fault::Strange { register: 3, value: 0 }));
    for stuck in [0x00, 0xff] {
        let answer = [stuck; 6];
        assert_eq!(measure(Chip::Sht4x, Mock::at(0x44, &[&answer])), Err(Fault::CheckSum));
    }
    // It holds 9 bits: its supply was interrupted.
    celsius(Chip::Tmp105, 0, [0x17, 0x80], Err(Fault::Strange { register: 1, value: 0 }));
}

#[test]
fn what_a_chip_cannot_measure_is_never_a_value() {
    celsius(Chip::Lm75, 0, [0x80, 0x00], Err(Fault::Implausible { value: -128.0, unit: "°C" }));
    celsius(Chip::Lm75, 0, [0x7f, 0x80], Err(Fault::Implausible { value: 127.5, unit: "°C" }));
    // -45 °C; and 119 %, with a temperature that is good.
    for (temperature, humidity) in [(0, 0x6e98), (0x6666, 0xffff)] {
        let measured = measure(Chip::Sht4x, Mock::at(0x44, &[&sht4x(temperature, humidity)]));
        assert!(matches!(measured, Err(Fault::Implausible { .. })), "{measured:?}");
    }
}

#[test]
fn humidity_just_beyond_its_end_is_the_end() {
    // -6 + 125 * raw / 65535: -1 % and 101 %.
    for (raw, expected) in [(2621, 0.0), (56_098, 100.0)] {
        let reading = measure(Chip::Sht4x, Mock::at(0x44, &[&sht4x(0x6666, raw)])).expect("a reading");
        assert_eq!(reading.get("humidity"), Some(&Value::Float(expected)));
    }
}

#[test]
fn what_the_bus_says_is_told_as_a_fault() {
    let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown);
    for chip in [Chip::Lm75, Chip::Tmp105, Chip::Pct2075, Chip::Sht4x] {
        let address = *chip.addresses().start();
        assert_eq!(measure(chip, Mock::default()), Err(Fault::Silent), "{chip:?}");
        for (kind, fault) in [
            (nobody, Fault::Silent),
            (ErrorKind::Bus, Fault::Bus),
            (ErrorKind::ArbitrationLoss, Fault::Bus),
            (ErrorKind::Overrun, Fault::Other("Overrun".into())),
        ] {
            assert_eq!(measure(chip, Mock::failing(address, kind)), Err(fault), "{chip:?}");
        }
    }
}

#[test]
fn a_tmp105_is_prepared_for_12_bits() {
    let mut bus = Mock::at(0x49, &[]);
    assert_eq!(Chip::Tmp105.prepare(&mut bus, 0x49), Ok(()));
    assert_eq!(bus.written, [[1, 0x60]]);
    assert_eq!(Chip::Tmp105.prepare(&mut Mock::default(), 0x49), Err(Fault::Silent));
}

#[test]
fn every_fault_names_chip_address_and_bus() {
    let faults = [
        (Fault::Silent, "`i2cdetect`"),
        (Fault::Bus, "pull-up"),
        (Fault::CheckSum, "wrong check sum"),
        (Fault::Strange { register: 1, value: 0xff }, "holds 0xff"),
        (Fault::Implausible { value: -128.0, unit: "°C" }, "answers -128 °C"),
        (Fault::Other("Overrun".into()), "Overrun"),
    ];
    for (fault, part) in faults {
        let error = fault.at("/dev/i2c-1", 0x4a, "lm75").to_string();
        assert!(error.contains("`lm75` at address 0x4a of `/dev/i2c-1`") && error.contains(part), "{error}");
        // Longer ones are cut on their way to the page.
        assert!(error.chars().count() <= 300, "{error}");
    }
}

#[test]
fn an_address_that_the_chip_cannot_have_is_refused() {
    let settings = |chip, address| Settings { chip, bus: super::bus(), address: Some(address) };
    let error = Device::new(settings(Chip::Sht4x, 0x48)).unwrap_err();
    assert_eq!(error.to_string(), "`address = 0x48` must be from 0x44 to 0x46: those a `sht4x` can have");
    assert!(Device::new(settings(Chip::Lm75, 0x4f)).is_ok());
}
