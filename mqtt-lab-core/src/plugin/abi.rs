//! The C ABI, version 1: the types of `include/mqtt_lab_plugin.h`, and nothing else.
//!
//! Who changes anything here makes another version. Adding a field at the end of a structure with a
//! `size` is no other version: each side looks at `size` before it uses what came later.

use std::ffi::c_void;

/// The version of the ABI, apart from that of the product.
pub const ABI: u32 = 1;

/// The first bytes of a [`PluginV1`], so that a wrong pointer is noticed: `mqttlab` and a zero.
pub const MAGIC: u64 = u64::from_le_bytes(*b"mqttlab\0");

/// How the one exported symbol of a plugin begins; the crate's name follows, so that two plugins can be
/// linked into one program.
pub const SYMBOL: &str = "mqtt_lab_plugin_v1__";

/// The call did what it should.
pub const OK: i32 = 0;
/// Nothing to tell within the time that was given.
pub const PENDING: i32 = 1;
/// The device erred; `Sink::error` has said how. It is asked again.
pub const ERROR: i32 = -1;
/// The device erred and must be constructed anew.
pub const FATAL: i32 = -2;
/// The device panicked (for languages that have such a thing) and is of no use any more.
pub const PANIC: i32 = -3;

/// A text: UTF-8, `len` bytes, not terminated. Valid only during the call that hands it over.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The first byte; may be null when `len` is 0.
    pub ptr: *const u8,
    /// How many bytes there are from `ptr` on.
    pub len: usize,
}

/// A value for a settable channel.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// Which field holds it: 0 `number`, 1 `integer`, 2 `boolean`, 3 `text`.
    pub datatype: u32,
    /// 0 or 1.
    pub boolean: u32,
    /// A whole number.
    pub integer: i64,
    /// A number.
    pub number: f64,
    /// A text, a choice or a colour.
    pub text: Text,
}

/// Where a plugin puts what a call yields. Channels may be empty texts: the device's only channel.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// Bytes of this structure.
    pub size: u32,
    /// Always 0.
    pub reserved: u32,
    /// To be handed to each of the functions.
    pub ctx: *mut c_void,
    /// Adds the value of a float channel.
    pub number: unsafe extern "C" fn(*mut c_void, channel: Text, value: f64),
    /// Adds the value of an int channel.
    pub integer: unsafe extern "C" fn(*mut c_void, channel: Text, value: i64),
    /// Adds the value of a bool channel: 0 or 1.
    pub boolean: unsafe extern "C" fn(*mut c_void, channel: Text, value: u8),
    /// Adds the value of a text, choice or color channel.
    pub text: unsafe extern "C" fn(*mut c_void, channel: Text, value: Text),
    /// Publishes this reading with another QoS than configured: 0, 1 or 2.
    pub qos: unsafe extern "C" fn(*mut c_void, qos: u8),
    /// Publishes this reading retained (1) or not (0), whatever is configured.
    pub retain: unsafe extern "C" fn(*mut c_void, retain: u8),
    /// The JSON that `manifest` and `create` answer with.
    pub document: unsafe extern "C" fn(*mut c_void, json: Text),
    /// What went wrong. `setting` is empty, or the JSON Pointer (RFC 6901) of the wrong setting.
    pub error: unsafe extern "C" fn(*mut c_void, setting: Text, message: Text),
}

/// What the host offers to a plugin. Valid until the program ends; any thread may use it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Bytes of this structure.
    pub size: u32,
    /// What is worth logging: 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub max_level: u32,
    /// A line of log. `file` may be empty, `line` 0.
    pub log: unsafe extern "C" fn(level: u32, target: Text, message: Text, file: Text, line: u32),
    /// A number of the settings: 1 and `*out` is set, 0 there is none of that name, -1 it is no number.
    pub setting_number: unsafe extern "C" fn(settings: Text, key: Text, out: *mut f64) -> i32,
    /// A truth value of the settings, as `setting_number`; `*out` is 0 or 1.
    pub setting_boolean: unsafe extern "C" fn(settings: Text, key: Text, out: *mut u8) -> i32,
    /// A text of the settings, as `setting_number`; at most `capacity` bytes go to `out`, `*len` is set to
    /// the length of the whole text. Not terminated.
    pub setting_text: unsafe extern "C" fn(
        settings: Text,
        key: Text,
        out: *mut u8,
        capacity: usize,
        len: *mut usize,
    ) -> i32,
}

/// What a plugin offers: returned by its one exported function, valid until the program ends.
///
/// All calls for one instance come from one thread, one at a time; only `wake` may come from any thread
/// at any time between `create` and `destroy`. Nobody frees memory of the other side.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PluginV1 {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`ABI`].
    pub abi: u32,
    /// Bytes of this structure.
    pub size: u32,
    /// For people: compiler, language, library.
    pub built_with: Text,
    /// Answers with the manifest: name, version and kinds, as JSON.
    pub manifest: unsafe extern "C" fn(*const Sink) -> i32,
    /// Constructs a device of `kind` from `settings` (a JSON object), answers with its description as JSON
    /// and sets `*instance`.
    pub create: unsafe extern "C" fn(
        *const Host,
        kind: Text,
        settings: Text,
        *const Sink,
        instance: *mut *mut c_void,
    ) -> i32,
    /// Takes a measurement, or waits for the event, for at most `wait_ms`; then [`PENDING`].
    pub read: unsafe extern "C" fn(*mut c_void, wait_ms: u32, *const Sink) -> i32,
    /// Takes a value for a settable channel and answers with the new state, by default the value itself.
    pub set: unsafe extern "C" fn(*mut c_void, channel: Text, *const Value, *const Sink) -> i32,
    /// Ends the instance.
    pub destroy: unsafe extern "C" fn(*mut c_void),
    /// May be null: lets background work go on for at most `wait_ms`.
    pub idle: Option<unsafe extern "C" fn(*mut c_void, wait_ms: u32)>,
    /// May be null: ends a running `read` with [`PENDING`], or `idle`, early, also one that begins a moment
    /// later: a wake must not get lost. Any thread.
    pub wake: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the structure is never written after it was handed over, and its functions say themselves
// from which thread they may be called.
unsafe impl Sync for PluginV1 {}
// SAFETY: as above.
unsafe impl Send for PluginV1 {}

/// What a structure's `size` says.
pub(crate) const fn size<T>() -> u32 {
    assert!(size_of::<T>() <= u32::MAX as usize, "structures of the ABI are small");
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    let size = size_of::<T>() as u32;
    size
}

impl Text {
    /// A text that lives as long as the borrow.
    pub(crate) const fn of(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// `ptr` must be valid for `len` bytes during `'a`.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // No text is longer than half of the memory; a slice of that length would end the program.
        if self.ptr.is_null() || self.len == 0 || isize::try_from(self.len).is_err() {
            return &[];
        }
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }

    /// The text; bytes that are no UTF-8 are replaced.
    ///
    /// # Safety
    ///
    /// As [`Text::bytes`].
    pub(crate) unsafe fn lossy(self) -> String {
        // SAFETY: the caller's promise.
        String::from_utf8_lossy(unsafe { self.bytes() }).into_owned()
    }
}

impl Value {
    /// A value that lives as long as the borrow.
    #[cfg(feature = "plugins")]
    pub(crate) fn of(value: &crate::Value) -> Self {
        let mut handed = Self { datatype: 0, boolean: 0, integer: 0, number: 0.0, text: Text::of("") };
        match value {
            crate::Value::Float(number) => handed.number = *number,
            crate::Value::Int(integer) => (handed.datatype, handed.integer) = (1, *integer),
            crate::Value::Bool(boolean) => (handed.datatype, handed.boolean) = (2, (*boolean).into()),
            crate::Value::Text(text) => (handed.datatype, handed.text) = (3, Text::of(text)),
        }
        handed
    }
}
