//! A test bench for one device: no broker, no files, no waiting.

use crate::{Description, Device, Plugin, Reading, Result, Settings, Value};
use serde::Serialize;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Drives one device as the runtime would, with the clock under control: a `sleep` inside the device
/// returns at once and moves the clock ahead.
///
/// ```
/// use mqtt_lab_core::{prelude::*, testing::Bench};
/// # #[derive(serde::Deserialize)] struct Step { by: f64, #[serde(default)] at: f64 }
/// # #[async_trait] impl Sensor for Step {
/// #     fn describe(&self) -> Description { Description::sensor().channel(Channel::float("height").range(0.0, 10.0)) }
/// #     async fn read(&mut self) -> Result<Reading> { self.at += self.by; Ok(self.at.into()) }
/// # }
/// # export_plugin! { sensor "step" => |settings: Step| settings }
/// # fn main() {
/// let mut bench = Bench::new(&plugin(), "step", [("by", 4.0)]);
/// assert_eq!(bench.read().get("height"), Some(&Value::Float(4.0)));
/// bench.read();
/// let error = bench.try_read().unwrap_err();
/// assert_eq!(error.to_string(), "channel `height` does not take `12`: expected a number from 0 to 10");
/// # }
/// ```
pub struct Bench {
    device: Box<dyn Device>,
    description: Description,
    start: Instant,
    runtime: Runtime,
}

impl Bench {
    /// Constructs a device of `kind` from its settings: anything that serializes to a table.
    ///
    /// # Panics
    ///
    /// If there is no such kind, the settings are wrong, the constructor refuses or the description
    /// is not valid. The message says which.
    #[track_caller]
    pub fn new(plugin: &Plugin, kind: &str, settings: impl IntoSettings) -> Self {
        Self::try_new(plugin, kind, settings).unwrap_or_else(|error| panic!("{kind}: {error}"))
    }

    /// As [`Bench::new`], for tests of what must be refused.
    ///
    /// # Errors
    ///
    /// Why there is no such device.
    pub fn try_new(plugin: &Plugin, kind: &str, settings: impl IntoSettings) -> Result<Self> {
        let offered = || plugin.kinds().iter().map(crate::Kind::name).collect::<Vec<_>>().join(", ");
        let found = plugin.kinds().iter().find(|k| k.name() == kind);
        let found = found.ok_or_else(|| {
            crate::Error::new(format_args!("no kind `{kind}`; the plugin offers: {}", offered()))
        })?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let (device, start) = runtime.block_on(async {
            let settings = settings.into_settings()?;
            Ok::<_, crate::Error>((found.create(settings).await?, Instant::now()))
        })?;
        let description = device.describe();
        description.check()?;
        Ok(Self { device, description, start, runtime })
    }

    /// What the device described itself as, after construction.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// Reads once and checks the reading against the description.
    ///
    /// # Panics
    ///
    /// If the device errs or the reading does not fit the description.
    #[track_caller]
    pub fn read(&mut self) -> Reading {
        self.try_read().unwrap_or_else(|error| panic!("read: {error}"))
    }

    /// As [`Bench::read`], for tests of errors.
    ///
    /// # Errors
    ///
    /// The device's error, or what does not fit the description.
    pub fn try_read(&mut self) -> Result<Reading> {
        let reading = self.runtime.block_on(self.device.read())?;
        self.description.check_reading(&reading)?;
        Ok(reading)
    }

    /// Sends a command as a user would: checked against the description, then handed to `set` or
    /// `apply`. Returns the new state.
    ///
    /// # Panics
    ///
    /// If the value does not fit, or the device refuses.
    #[track_caller]
    pub fn set(&mut self, channel: &str, value: impl Into<Value>) -> Reading {
        self.try_set(channel, value).unwrap_or_else(|error| panic!("set `{channel}`: {error}"))
    }

    /// As [`Bench::set`], for tests of what must be refused.
    ///
    /// # Errors
    ///
    /// What does not fit, or the device's refusal.
    pub fn try_set(&mut self, channel: &str, value: impl Into<Value>) -> Result<Reading> {
        let value = self.description.check_command(channel, &value.into())?;
        let state = self.runtime.block_on(self.device.set(channel, value))?;
        self.description.check_reading(&state)?;
        Ok(state)
    }

    /// Time that went by for the device since it was constructed.
    pub fn elapsed(&self) -> Duration {
        let start = self.start;
        self.runtime.block_on(async move { start.elapsed() })
    }

    /// Lets time go by for the device without asking it anything: its background tasks run meanwhile.
    pub fn advance(&mut self, time: Duration) {
        // The clock is paused: a sleep returns at once and moves it ahead.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// Drops a `read` at its first, second, third … `.await` that waits, as a control change does to an
    /// event sensor, until one `read` runs through; returns that reading.
    ///
    /// # Panics
    ///
    /// If a `read` after a dropped one errs or does not fit the description.
    #[track_caller]
    pub fn cancel_everywhere(&mut self) -> Reading {
        for waits in 0..1000 {
            if let Some(reading) = self.runtime.block_on(read_until(&mut *self.device, waits)) {
                let reading = reading.unwrap_or_else(|error| panic!("read after {waits} cancels: {error}"));
                let checked = self.description.check_reading(&reading);
                checked.unwrap_or_else(|error| panic!("read after {waits} cancels: {error}"));
                return reading;
            }
        }
        panic!("`read` waited 1000 times and did not return")
    }
}

/// Polls `read` until it has waited `waits` times, then drops it.
async fn read_until(device: &mut dyn Device, waits: usize) -> Option<Result<Reading>> {
    let mut read = pin!(device.read());
    let mut waited = 0;
    poll_fn(|cx| match read.as_mut().poll(cx) {
        Poll::Ready(reading) => Poll::Ready(Some(reading)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("description", &self.description).finish_non_exhaustive()
    }
}

/// What [`Bench::new`] takes as settings: nothing (`()`), pairs, a map, or any struct that serializes
/// to a table.
pub trait IntoSettings {
    /// The settings as a table.
    ///
    /// # Errors
    ///
    /// If it does not serialize to a table.
    fn into_settings(self) -> Result<Settings>;
}

impl IntoSettings for () {
    fn into_settings(self) -> Result<Settings> {
        Ok(Settings::new())
    }
}

impl<V: Serialize, const N: usize> IntoSettings for [(&str, V); N] {
    fn into_settings(self) -> Result<Settings> {
        let pairs = self.into_iter().map(|(key, value)| Ok((key.to_owned(), serde_json::to_value(value)?)));
        pairs.collect()
    }
}

impl IntoSettings for serde_json::Value {
    fn into_settings(self) -> Result<Settings> {
        match self {
            Self::Object(map) => Ok(map),
            other => Err(crate::Error::new(format_args!("settings are a table, not `{other}`"))),
        }
    }
}

impl IntoSettings for Settings {
    fn into_settings(self) -> Result<Settings> {
        Ok(self)
    }
}
