//! Bytes that a broker, or whoever says to be one, sends to a link: no panic, and the link's state machines
//! take them or give the connection up.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| mqtt_lab_core::link::fuzzing::from_a_broker(bytes));
