//! What a student implements to add a sensor.

use crate::{Description, Error, Reading, Result, Value};
use async_trait::async_trait;

/// A source of measurements.
///
/// The runtime asks [`describe`](Sensor::describe) once, then calls [`read`](Sensor::read) once per
/// interval (set in the TOML file, changeable while it runs). It adds time and number, checks the
/// values against the description and publishes them with the configured QoS. A sensor knows no MQTT.
///
/// # Contract
///
/// - One task owns the sensor: its methods never overlap and need no lock.
/// - `read` of a polled sensor may wait, but not for ever: after its time limit (`read_timeout_s`) the
///   sensor is given up and constructed anew, and the dashboard says so.
/// - An **event sensor** ([`Description::on_event`]) waits in `read` until something happens. Its `read`
///   may be dropped at any `.await`, because a control variable changed, and is then called again:
///   keep what must survive in `self`, not in local variables across an `.await`.
///   `mqtt_lab_core::testing::Bench::cancel_everywhere` tests that.
/// - Blocking code is fine: a sensor has its own thread unless its kind is marked
///   [`cooperative`](crate::Kind::cooperative). But an event sensor waits for its event by `.await`: a device
///   that does nothing is asked every `read_timeout_s` for a sign of life, and one that does not give it
///   within that time is recreated. Wait for a blocking call by `tokio::task::spawn_blocking`.
///
/// # Traps
///
/// - NaN and infinity are no values: return an [`Error`] where there is nothing to measure.
/// - A value that was not described, or lies outside of its range, is not sent; the dashboard shows why.
/// - An event sensor whose `read` returns at once is asked a thousand times a second at most.
/// - A panic ends the device, not the lab. `exit`, `abort` and a segmentation fault end the lab, unless the
///   plugin has a process of its own: see [`plugin`](crate::plugin).
/// - In a library, background tasks (`tokio::spawn`) run only while the lab waits in `read` or has nothing
///   else to ask; a thread of your own runs always.
///
/// # Example
///
/// ```
/// use mqtt_lab_core::prelude::*;
///
/// struct Counter(u32);
///
/// #[async_trait]
/// impl Sensor for Counter {
///     fn describe(&self) -> Description {
///         Description::sensor().channel(Channel::int("count"))
///     }
///
///     async fn read(&mut self) -> Result<Reading> {
///         self.0 += 1;
///         Ok(self.0.into())
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sensor",
    note = "write `#[async_trait] impl Sensor for {Self}` with `describe` and `read`"
)]
pub trait Sensor: Send + 'static {
    /// The channels of this sensor and when it measures. Asked once, after construction.
    fn describe(&self) -> Description;

    /// Takes one measurement, in the units of [`describe`](Sensor::describe).
    ///
    /// # Errors
    ///
    /// An error is shown on the dashboard and skips this reading; a [fatal](Error::fatal) one, or five
    /// in a row, have the sensor constructed anew after a growing pause.
    async fn read(&mut self) -> Result<Reading>;

    /// Takes a new value for a control variable, already checked against the description.
    ///
    /// # Errors
    ///
    /// An error refuses the command; whoever sent it is told the text.
    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        let _ = value;
        Err(Error::not_settable(channel))
    }
}
