//! Checks of settings, in words that name the setting.

use mqtt_lab_core::prelude::*;
use std::ops::RangeInclusive;

/// Refuses a number outside of `min` to `max`, and NaN.
pub(crate) fn within(name: &str, value: f64, min: f64, max: f64) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::new(format_args!("`{name} = {value}` must be from {min} to {max}")))
}

/// Refuses a text whose length in bytes is outside of `bytes`.
pub(crate) fn length(name: &str, text: &str, bytes: RangeInclusive<usize>) -> Result<()> {
    if bytes.contains(&text.len()) {
        return Ok(());
    }
    let (min, max) = bytes.into_inner();
    let n = text.len();
    Err(Error::new(format_args!("`{name}` has {n} bytes of text, it must have from {min} to {max}")))
}
