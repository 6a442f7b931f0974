//! Panics of devices: their text, and how one goes on where it is meant to be seen.

use std::any::Any;

/// What a caught panic says.
pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

/// Goes on as the panic of a device that lives elsewhere and has told it there already.
#[cfg(feature = "plugins")]
pub(crate) fn goes_on(text: impl std::fmt::Display) -> ! {
    std::panic::resume_unwind(Box::new(text.to_string()))
}
