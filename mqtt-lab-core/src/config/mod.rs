//! Configuration of devices, variables and their way to the broker: the TOML tables `[[sensor]]`,
//! `[[actuator]]`, `[[variable]]`, `[mqtt]` and `[spool]`.
//!
//! The field docs are the reference. Unknown keys are errors.

mod device;
mod mqtt;
mod nearest;
#[cfg(feature = "plugins")]
mod plugins;
mod problem;
mod schema;
mod spool;
mod variable;

pub use device::{ChannelConfig, DeviceConfig, MAX_COUNT, WillConfig};
pub use mqtt::{MqttConfig, MqttVersion};
pub use nearest::nearest;
#[cfg(feature = "plugins")]
pub use plugins::{Isolation, PluginsConfig};
pub use problem::Problem;
pub use spool::SpoolConfig;
pub use variable::VariableConfig;
