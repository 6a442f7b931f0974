//! One task and one MQTT connection per device.
//!
//! A sample's way: [`instance`] reads, [`sampler`] adds time and number, [`publisher`] hands it to the
//! link. A command's way: [`commands`] decodes and remembers, [`device_task`] has it applied.

mod commands;
mod construct;
mod controls;
mod device_log;
mod device_task;
mod errors;
mod flood;
mod handle;
mod inputs;
mod instance;
mod interrupt;
mod liveness;
mod publisher;
mod sampler;
mod source;
mod spec;
mod twin;

pub(crate) use construct::{CONSTRUCTING, construct, problems_of, some_at_a_time, unknown_names};
pub(crate) use device_task::DeviceTask;
pub(crate) use handle::{Birth, DeviceHandle, Face, Leave, ended};
pub(crate) use instance::{Instance, InstanceError, Start};
pub(crate) use spec::{DeviceSpec, Difference};

use handle::{Ears, Heard, Swap};

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch, by the system's clock.
fn unix_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
