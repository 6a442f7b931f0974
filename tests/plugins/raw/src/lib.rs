//! A plugin that speaks the C ABI by hand, as one in C would, and not always well: its kinds are its faults.

#![allow(unsafe_code, reason = "it is the other side of the C ABI")]

use mqtt_lab_core::plugin::abi::{self, Host, PluginV1, Sink, Text, Value};
use std::ffi::c_void;
use std::ptr::from_ref;
use std::sync::atomic::{AtomicUsize, Ordering};

const MANIFEST: &str = r#"{"name":"raw-plugin","version":"0.0.1","kinds":[
    {"name":"counter","role":"sensor"},{"name":"text","role":"sensor"},{"name":"error","role":"sensor"},
    {"name":"code","role":"sensor"},{"name":"qos","role":"sensor"},{"name":"values","role":"sensor"},
    {"name":"description","role":"sensor"},{"name":"silent","role":"sensor"},{"name":"setting","role":"sensor"}]}"#;

const DESCRIPTION: &str =
    r#"{"channels":[{"name":"value","datatype":"float"},{"name":"note","datatype":"text"}]}"#;

const fn text(text: &str) -> Text {
    Text { ptr: text.as_ptr(), len: text.len() }
}

const NOT_UTF8: Text = Text { ptr: b"caf\xe9".as_ptr(), len: 4 };

static TABLE: PluginV1 = PluginV1 {
    magic: abi::MAGIC,
    abi: abi::ABI,
    size: size_of::<PluginV1>() as u32,
    built_with: text("by hand"),
    manifest,
    create,
    read,
    set,
    destroy,
    idle: None,
    wake: None,
};

/// As an instance of a kind.
struct Instance {
    kind: Vec<u8>,
    count: AtomicUsize,
}

// SAFETY, for all of them: the lab keeps the contract of the ABI.

unsafe extern "C" fn manifest(sink: *const Sink) -> i32 {
    unsafe { ((*sink).document)((*sink).ctx, text(MANIFEST)) };
    abi::OK
}

unsafe extern "C" fn create(
    _host: *const Host,
    kind: Text,
    _settings: Text,
    sink: *const Sink,
    instance: *mut *mut c_void,
) -> i32 {
    unsafe {
        let kind = std::slice::from_raw_parts(kind.ptr, kind.len).to_vec();
        match kind.as_slice() {
            b"setting" => {
                ((*sink).error)((*sink).ctx, text("/line/a~1b"), text("must be even"));
                return abi::ERROR;
            }
            b"description" => ((*sink).document)((*sink).ctx, text("{\"channels\":[{\"name\":1}]}")),
            _ => ((*sink).document)((*sink).ctx, text(DESCRIPTION)),
        }
        *instance = Box::into_raw(Box::new(Instance { kind, count: AtomicUsize::new(0) })).cast();
    }
    abi::OK
}

unsafe extern "C" fn read(instance: *mut c_void, _wait_ms: u32, sink: *const Sink) -> i32 {
    unsafe {
        let instance = &*instance.cast::<Instance>();
        let (sink, ctx) = (&*sink, (*sink).ctx);
        let count = instance.count.fetch_add(1, Ordering::Relaxed) + 1;
        match instance.kind.as_slice() {
            b"text" => (sink.text)(ctx, text("note"), NOT_UTF8),
            b"error" => {
                (sink.error)(ctx, text(""), NOT_UTF8);
                return abi::ERROR;
            }
            b"silent" => return abi::ERROR,
            b"code" => return 7,
            b"qos" => (sink.qos)(ctx, 3),
            b"values" => (0..10_000).for_each(|_| (sink.number)(ctx, text("value"), 1.0)),
            _ => (sink.number)(ctx, text("value"), count as f64),
        }
    }
    abi::OK
}

unsafe extern "C" fn set(_: *mut c_void, _channel: Text, _value: *const Value, _sink: *const Sink) -> i32 {
    abi::OK
}

unsafe extern "C" fn destroy(instance: *mut c_void) {
    drop(unsafe { Box::from_raw(instance.cast::<Instance>()) });
}

/// A table that was changed: a larger one, one of another ABI, no table at all.
#[repr(C)]
struct Larger {
    table: PluginV1,
    newer: [usize; 4],
}

/// The byte after which the test writes what this library shall be.
static VARIANT: [u8; 20] = *b"raw-plugin-variant:0";

/// The one function.
#[unsafe(export_name = "mqtt_lab_plugin_v1__raw_plugin")]
extern "C" fn entry() -> *const PluginV1 {
    // Read as it stands in the file, which the test has changed.
    let variant = unsafe { from_ref(&VARIANT[19]).read_volatile() };
    let leak = |table: PluginV1| Box::leak(Box::new(table)) as *const PluginV1;
    match variant {
        b'1' => {
            let size = size_of::<Larger>() as u32;
            from_ref(Box::leak(Box::new(Larger { table: PluginV1 { size, ..TABLE }, newer: [1; 4] }))).cast()
        }
        b'2' => leak(PluginV1 { abi: 2, ..TABLE }),
        b'3' => leak(PluginV1 { size: 64, ..TABLE }),
        b'4' => leak(PluginV1 { magic: 0, ..TABLE }),
        b'5' => std::ptr::null(),
        // A C plugin whose author forgot a function: the pointer is null.
        b'6' => {
            let table = Box::leak(Box::new([0_usize; size_of::<PluginV1>() / size_of::<usize>()]));
            let table: *mut PluginV1 = table.as_mut_ptr().cast();
            unsafe {
                table.write(TABLE);
                let read = std::mem::offset_of!(PluginV1, read);
                table.cast::<u8>().add(read).cast::<usize>().write(0);
            }
            table
        }
        b'7' => {
            #[expect(clippy::disallowed_methods, reason = "blocking is the fault")]
            std::thread::sleep(std::time::Duration::from_secs(3600));
            std::ptr::null()
        }
        b'8' => std::process::exit(3),
        b'9' => std::process::abort(),
        _ => &raw const TABLE,
    }
}
