//! What the host offers to libraries: log, and the settings for those without a JSON reader.

use super::abi::{Host, Text};
use crate::panicked::caught;
use serde_json::Value;
use std::sync::OnceLock;
use tracing::level_filters::LevelFilter;

/// The one table; it lives as long as the program.
#[allow(clippy::cast_possible_truncation, reason = "a few bytes")]
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host {
        size: super::abi::size::<Host>(),
        max_level: match LevelFilter::current().into_level() {
            // A plugin's process has no log of its own: the lab decides.
            None if super::log::goes_to_lines() => 4,
            None => 0,
            Some(level) => super::guest_log::number(level),
        },
        log,
        setting_number,
        setting_boolean,
        setting_text,
    })
}

const FOUND: i32 = 1;
const ABSENT: i32 = 0;
const WRONG_TYPE: i32 = -1;

// SAFETY, for all of them: texts and `out` are valid during the call, by the ABI.
//
// No panic may leave them: at the boundary it would abort the program.

unsafe extern "C" fn log(level: u32, target: Text, message: Text, file: Text, line: u32) {
    // There is nobody to report a failure to: this is the log.
    let _ = caught(|| {
        let (target, message, file) = unsafe { (target.lossy(), message.lossy(), file.lossy()) };
        super::log::forward(level, &target, &message, &file, line);
    });
}

unsafe extern "C" fn setting_number(settings: Text, key: Text, out: *mut f64) -> i32 {
    found(|| match unsafe { setting(settings, key) } {
        Some(Value::Number(number)) => {
            unsafe { *out = number.as_f64().unwrap_or_default() };
            FOUND
        }
        other => without(other.as_ref()),
    })
}

unsafe extern "C" fn setting_boolean(settings: Text, key: Text, out: *mut u8) -> i32 {
    found(|| match unsafe { setting(settings, key) } {
        Some(Value::Bool(boolean)) => {
            unsafe { *out = boolean.into() };
            FOUND
        }
        other => without(other.as_ref()),
    })
}

unsafe extern "C" fn setting_text(
    settings: Text,
    key: Text,
    out: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> i32 {
    found(|| match unsafe { setting(settings, key) } {
        Some(Value::String(text)) => {
            unsafe {
                std::ptr::copy_nonoverlapping(text.as_ptr(), out, text.len().min(capacity));
                *len = text.len();
            }
            FOUND
        }
        other => without(other.as_ref()),
    })
}

/// The answer to a question for a setting; one that panics has found nothing of use.
fn found(look: impl FnOnce() -> i32) -> i32 {
    caught(look).unwrap_or(WRONG_TYPE)
}

const fn without(found: Option<&Value>) -> i32 {
    if found.is_some() { WRONG_TYPE } else { ABSENT }
}

unsafe fn setting(settings: Text, key: Text) -> Option<Value> {
    let (settings, key) = unsafe { (settings.bytes(), key.lossy()) };
    let mut settings: crate::Settings = serde_json::from_slice(settings).ok()?;
    settings.remove(&key)
}
