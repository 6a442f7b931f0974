//! What a student's code returns when something went wrong.

use std::fmt;

/// An error of a sensor or actuator, in words for the dashboard.
///
/// Every [`std::error::Error`] converts into it, so `?` works on anything:
///
/// ```
/// use mqtt_lab_core::prelude::*;
///
/// fn celsius(line: &str) -> Result<f64> {
///     let raw: f64 = line.trim().parse()?;
///     if raw == 85.0 {
///         return Err(Error::new("the sensor answers with its power-on value"));
///     }
///     Ok(raw)
/// }
/// assert_eq!(celsius("warm").unwrap_err().to_string(), "invalid float literal");
/// ```
///
/// An error skips this reading and keeps the schedule; a [fatal](Error::fatal) one has the device
/// constructed anew, after a growing pause.
// Like anyhow's: no `std::error::Error` itself, which is what allows the conversion from all others.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    fatal: bool,
}

/// A result of a sensor or actuator.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says `message`.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), fatal: false }
    }

    /// An error that says what `error` says, with all its causes.
    #[must_use]
    pub fn with_causes(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message = format!("{message}: {inner}");
            cause = inner.source();
        }
        Self { message, fatal: false }
    }

    /// The same error, after which the device must be constructed anew.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// Whether the device must be constructed anew.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        self.fatal
    }

    /// The answer to a command for a channel that takes none.
    #[must_use]
    pub fn not_settable(channel: &str) -> Self {
        Self::new(format_args!("`{channel}` takes no commands"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::with_causes(&error)
    }
}
