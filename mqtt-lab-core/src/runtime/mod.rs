//! One task and one MQTT connection per device.
//!
//! A sample's way: [`instance`] reads, [`sampler`] adds time and number, [`publisher`] hands it to the
//! link. A command's way: [`commands`] decodes and remembers, [`device_task`] has it applied.

mod commands;
mod controls;
mod device_task;
mod flood;
mod instance;
mod interrupt;
mod publisher;
mod sampler;
mod spec;

pub(crate) use device_task::DeviceTask;
pub(crate) use instance::{Instance, InstanceError};
pub(crate) use spec::DeviceSpec;

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch, by the system's clock.
fn unix_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
