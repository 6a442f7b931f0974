//! What a student implements to add an actuator.

use crate::{Description, Reading, Result, Value};
use async_trait::async_trait;

/// Something that acts: a lamp, a motor, a display.
///
/// # Contract
///
/// - One task owns the actuator: its methods never overlap and need no lock.
/// - A command reaches [`apply`](Actuator::apply) only with a value of the channel's datatype and
///   range, and once per command id although MQTT may deliver it twice.
/// - The state that `apply` returns is published, retained, when it changed; the dashboard shows a
///   command as pending until then.
///
/// # Traps
///
/// - The state that counts is the one that `apply` returns, not the one that was asked for: a lamp that is
///   broken says so by an error, a motor at its stop by the position where it is.
/// - `apply` that outlasts `read_timeout_s` counts as hung: start what takes longer, and report its end as a
///   sensor does (a kind may be [`both`](crate::Kind::both)).
/// - After a failure the actuator is constructed anew and told the values that the user had set last.
///
/// # Example
///
/// ```
/// use mqtt_lab_core::prelude::*;
///
/// struct Lamp;
///
/// #[async_trait]
/// impl Actuator for Lamp {
///     fn describe(&self) -> Description {
///         Description::actuator().output(Channel::bool("on").initial(false))
///     }
///
///     async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
///         // Switch the lamp here.
///         Ok(value.into())
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an actuator",
    note = "write `#[async_trait] impl Actuator for {Self}` with `describe` and `apply`"
)]
pub trait Actuator: Send + 'static {
    /// The channels of this actuator. Asked once, after construction.
    fn describe(&self) -> Description;

    /// Carries out a command and returns the new state: of the channel, or of all that changed.
    ///
    /// # Errors
    ///
    /// An error refuses the command; whoever sent it is told the text. A [fatal](crate::Error::fatal)
    /// one has the actuator constructed anew.
    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading>;
}
