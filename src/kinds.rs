//! `mqtt-lab kinds`.

use crate::failure::Failure;
use mqtt_lab_core::{Kind, Role};

/// Lists all kinds, or shows the options of one as a TOML block.
pub(crate) fn kinds(kind: Option<&str>) -> Result<(), Failure> {
    let plugin = mqtt_lab_plugins::plugin();
    let Some(name) = kind else {
        for kind in plugin.kinds() {
            println!("{:12} {}", kind.name(), role(kind));
        }
        println!("\n`mqtt-lab kinds KIND` shows the options of one.");
        return Ok(());
    };
    let Some(kind) = plugin.kinds().iter().find(|kind| kind.name() == name) else {
        let names: Vec<_> = plugin.kinds().iter().map(Kind::name).collect();
        let hint = format!("the kinds are: {}", names.join(", "));
        return Err(Failure::config(format!("there is no kind `{name}`"), Some(hint)));
    };
    print!("{}", kind.sample_toml());
    Ok(())
}

const fn role(kind: &Kind) -> &'static str {
    match kind.role() {
        Role::Sensor => "sensor",
        Role::Actuator => "actuator",
        Role::Both => "sensor and actuator",
    }
}
