//! Bytes that a client, or whoever says to be one, sends to the embedded broker: no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| mqtt_lab_core::broker::fuzzing::from_a_client(bytes));
