//! The C ABI, version 1, in numbers: whoever changes one of them breaks every plugin that exists.
//!
//! New fields go to the end of a structure with a `size`; then only its last line here grows, and
//! whoever reads the new field looks at `size` before.

#![cfg(target_pointer_width = "64")]

use mqtt_lab_core::plugin::abi::{self, Host, PluginV1, Sink, Text, Value};
use std::mem::{align_of, offset_of};

macro_rules! layout {
    ($type:ident of $size:literal: $($field:ident $at:literal),+) => {
        $(assert_eq!(offset_of!($type, $field), $at, concat!(stringify!($type), ".", stringify!($field)));)+
        assert_eq!((size_of::<$type>(), align_of::<$type>()), ($size, 8), stringify!($type));
    };
}

#[test]
fn every_field_is_where_it_always_was() {
    layout!(Text of 16: ptr 0, len 8);
    layout!(Value of 40: datatype 0, boolean 4, integer 8, number 16, text 24);
    layout!(Sink of 80: size 0, reserved 4, ctx 8, number 16, integer 24, boolean 32, text 40, qos 48, retain 56,
        document 64, error 72);
    layout!(Host of 40: size 0, max_level 4, log 8, setting_number 16, setting_boolean 24, setting_text 32);
    layout!(PluginV1 of 88: magic 0, abi 8, size 12, built_with 16, manifest 32, create 40, read 48, set 56,
        destroy 64, idle 72, wake 80);
}

#[test]
fn every_number_is_what_it_always_was() {
    assert_eq!((abi::ABI, abi::MAGIC, abi::SYMBOL), (1, 0x0062_616c_7474_716d, "mqtt_lab_plugin_v1__"));
    assert_eq!([abi::OK, abi::PENDING, abi::ERROR, abi::FATAL, abi::PANIC], [0, 1, -1, -2, -3]);
}
