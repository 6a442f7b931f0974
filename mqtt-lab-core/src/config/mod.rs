//! Configuration of devices, variables and their way to the broker: the TOML tables `[[sensor]]`,
//! `[[actuator]]`, `[[variable]]`, `[mqtt]` and `[spool]`.
//!
//! The field docs are the reference. Unknown keys are errors.

mod address;
mod device;
mod mqtt;
mod nearest;
mod option_problem;
#[cfg(feature = "plugins")]
mod plugins;
mod problem;
mod schema;
mod spool;
mod variable;

pub use address::{AddressError, bind_address, check_broker_address, check_page_address};
pub use device::{ChannelConfig, DeviceConfig, MAX_COUNT, WillConfig};
pub use mqtt::{MqttConfig, MqttVersion};
pub use nearest::nearest;
pub use option_problem::OptionProblem;
#[cfg(feature = "plugins")]
pub use plugins::{Isolation, PluginsConfig};
pub use problem::Problem;
pub use spool::SpoolConfig;
pub use variable::VariableConfig;
