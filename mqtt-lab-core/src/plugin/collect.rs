//! What a call into a library yields: the other end of a `Sink`.

use super::abi::{self, Sink, Text};
use crate::panicked::caught;
use crate::{Channel, Description, Error, Qos, Reading, Result, Value};
use mqtt_lab_wire::{MAX_CHANNELS, Str};
use std::ffi::c_void;

/// Most values in one reading: what is above would only fill the memory.
const MAX_VALUES: usize = 4 * MAX_CHANNELS;

/// Longest document, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// Longest error text, in bytes.
const MAX_ERROR: usize = 4096;

/// Collects values, documents and errors of one call.
#[derive(Debug, Default)]
pub(crate) struct Collect<'a> {
    description: Option<&'a Description>,
    reading: Reading,
    pub(crate) document: String,
    /// In a box: a reading has none, and is moved the faster.
    trouble: Option<Box<Trouble>>,
}

#[derive(Debug, Default)]
struct Trouble {
    setting: String,
    message: String,
    /// What the plugin must not have handed over.
    wrong: Option<String>,
}

impl<'a> Collect<'a> {
    /// Knows the channels, so that their names need no copy.
    pub(crate) fn of(description: &'a Description) -> Self {
        Self { description: Some(description), ..Self::default() }
    }

    /// Where the plugin puts it. Valid as long as `self` is neither moved nor used.
    #[allow(clippy::cast_possible_truncation, reason = "a few bytes")]
    pub(crate) fn sink(&mut self) -> Sink {
        Sink {
            size: abi::size::<Sink>(),
            reserved: 0,
            ctx: std::ptr::from_mut(self).cast(),
            number,
            integer,
            boolean,
            text,
            qos,
            retain,
            document,
            error,
        }
    }

    /// The reading.
    #[inline]
    pub(crate) fn reading(self) -> Result<Reading> {
        match self.trouble {
            None => Ok(self.reading),
            Some(trouble) => trouble.wrong.map_or(Ok(self.reading), |wrong| Err(Error::new(wrong))),
        }
    }

    /// The way to the wrong setting, if it is one, and the error.
    pub(crate) fn error(self, code: i32) -> (Option<Vec<String>>, Error) {
        let Trouble { setting, message, .. } = *self.trouble.unwrap_or_default();
        let message = match code {
            _ if !message.is_empty() => message,
            abi::ERROR | abi::FATAL | abi::PANIC => "the plugin failed without saying why".into(),
            _ => format!("the plugin returned {code}, which means nothing"),
        };
        let error = Error::new(message);
        (way(&setting), if code == abi::ERROR { error } else { error.fatal() })
    }

    #[inline]
    fn add(&mut self, channel: &[u8], value: impl Into<Value>) {
        if self.reading.values().len() >= MAX_VALUES {
            return self.refuse(|| format!("the reading has more than {MAX_VALUES} values"));
        }
        self.reading.push(self.name(channel), value.into());
    }

    #[inline]
    fn name(&self, channel: &[u8]) -> Str {
        let same = |known: &&Channel| known.name.as_bytes() == channel;
        match self.description.and_then(|known| known.channels().iter().find(same)) {
            Some(Channel { name: Str::Borrowed(name), .. }) => Str::Borrowed(name),
            _ => copied(channel),
        }
    }

    /// The first of several counts.
    #[cold]
    fn refuse(&mut self, wrong: impl FnOnce() -> String) {
        self.trouble.get_or_insert_default().wrong.get_or_insert_with(wrong);
    }
}

#[cold]
fn copied(name: &[u8]) -> Str {
    String::from_utf8_lossy(name).into_owned().into()
}

/// A JSON Pointer (RFC 6901) as its parts; none for an empty one.
fn way(pointer: &str) -> Option<Vec<String>> {
    let parts = pointer.strip_prefix('/')?.split('/');
    Some(parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

/// A text of the plugin, cut to `limit`.
///
/// # Safety
///
/// As `Text::bytes`.
unsafe fn cut(text: Text, limit: usize) -> String {
    // SAFETY: the caller's promise.
    let bytes = unsafe { text.bytes() };
    String::from_utf8_lossy(&bytes[..bytes.len().min(limit)]).into_owned()
}

// SAFETY, for all functions of the sink: `ctx` is the `Collect` that made it and is borrowed by nobody
// else during the call into the plugin; texts are valid during the call.

/// Hands the collector to `take`. A panic may not leave a function of the sink: at the boundary it would
/// abort the program.
///
/// # Safety
///
/// As above.
#[inline]
unsafe fn collect(ctx: *mut c_void, take: impl FnOnce(&mut Collect<'_>)) {
    let collect: &mut Collect<'_> = unsafe { &mut *ctx.cast() };
    if let Err(text) = caught(|| take(collect)) {
        collect.refuse(|| format!("the lab could not take a value: {text}"));
    }
}

unsafe extern "C" fn number(ctx: *mut c_void, channel: Text, value: f64) {
    unsafe { collect(ctx, |collect| collect.add(channel.bytes(), value)) }
}

unsafe extern "C" fn integer(ctx: *mut c_void, channel: Text, value: i64) {
    unsafe { collect(ctx, |collect| collect.add(channel.bytes(), value)) }
}

unsafe extern "C" fn boolean(ctx: *mut c_void, channel: Text, value: u8) {
    unsafe { collect(ctx, |collect| collect.add(channel.bytes(), value != 0)) }
}

unsafe extern "C" fn text(ctx: *mut c_void, channel: Text, value: Text) {
    unsafe {
        collect(ctx, |collect| match std::str::from_utf8(value.bytes()) {
            Ok(text) => collect.add(channel.bytes(), text.to_owned()),
            Err(error) => {
                let (channel, at) = (channel.lossy(), error.valid_up_to());
                collect.refuse(|| format!("the text for channel `{channel}` is no UTF-8 from byte {at} on"));
            }
        });
    }
}

unsafe extern "C" fn qos(ctx: *mut c_void, qos: u8) {
    let take = |collect: &mut Collect<'_>| match Qos::from_level(qos) {
        Some(qos) => collect.reading = std::mem::take(&mut collect.reading).qos(qos),
        None => collect.refuse(|| format!("the reading asks for QoS {qos}; there are 0, 1 and 2")),
    };
    unsafe { collect(ctx, take) }
}

unsafe extern "C" fn retain(ctx: *mut c_void, retain: u8) {
    let take = |collect: &mut Collect<'_>| {
        collect.reading = std::mem::take(&mut collect.reading).retain(retain != 0);
    };
    unsafe { collect(ctx, take) }
}

unsafe extern "C" fn document(ctx: *mut c_void, json: Text) {
    unsafe { collect(ctx, |collect| collect.document = cut(json, MAX_DOCUMENT)) }
}

unsafe extern "C" fn error(ctx: *mut c_void, setting: Text, message: Text) {
    unsafe {
        collect(ctx, |collect| {
            let trouble = collect.trouble.get_or_insert_default();
            (trouble.setting, trouble.message) = (cut(setting, MAX_ERROR), cut(message, MAX_ERROR));
        });
    }
}
