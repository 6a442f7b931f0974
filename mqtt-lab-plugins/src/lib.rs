//! The built-in sensors and actuators of mqtt-lab, one folder each.
//!
//! They know neither MQTT nor each other; each is written as a student's plugin would be.

pub mod dimmer;
pub mod host;
pub mod humidity;
pub mod led;
pub mod motion;
pub mod temperature;

mod walk;

use mqtt_lab_core::Plugin;

/// All built-in kinds.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .kind(temperature::kind())
        .kind(humidity::kind())
        .kind(motion::kind())
        .kind(host::kind())
        .kind(led::kind())
        .kind(dimmer::kind())
}
