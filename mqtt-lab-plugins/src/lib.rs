//! The built-in sensors and actuators of mqtt-lab, one folder each.
//!
//! They know neither MQTT nor each other; each is written as a student's plugin would be.
//!
//! Features `serial` and `i2c` add the kinds of that name, for boards and sensor chips; off by default, because most
//! computers have none.

pub mod dimmer;
pub mod display;
pub mod faults;
pub mod heater;
pub mod host;
pub mod humidity;
#[cfg(feature = "i2c")]
pub mod i2c;
pub mod led;
pub mod light;
pub mod motion;
pub mod power;
pub mod rfid;
#[path = "rgb-light/mod.rs"]
pub mod rgb_light;
pub mod room;
#[cfg(feature = "serial")]
pub mod serial;
pub mod signal;
pub mod temperature;
pub mod thermostat;

mod chance;
mod clock;
mod setting;
mod walk;

use mqtt_lab_core::Plugin;

/// All built-in kinds.
#[must_use]
pub fn plugin() -> Plugin {
    let plugin = Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .kind(temperature::kind())
        .kind(humidity::kind())
        .kind(light::kind())
        .kind(power::kind())
        .kind(signal::kind())
        .kind(room::kind())
        .kind(motion::kind())
        .kind(rfid::kind())
        .kind(host::kind())
        .kind(led::kind())
        .kind(dimmer::kind())
        .kind(rgb_light::kind())
        .kind(heater::kind())
        .kind(thermostat::kind())
        .kind(display::kind());
    #[cfg(feature = "serial")]
    let plugin = plugin.kind(serial::kind());
    #[cfg(not(feature = "serial"))]
    let plugin = plugin.left_out("serial", "build the program with `--features serial`");
    #[cfg(feature = "i2c")]
    let plugin = plugin.kind(i2c::kind());
    #[cfg(not(feature = "i2c"))]
    let plugin = plugin.left_out("i2c", "build the program with `--features i2c`");
    plugin
}
