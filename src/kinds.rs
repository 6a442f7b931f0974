//! `mqtt-lab kinds`.

use crate::config::{built_in, load_plugin};
use crate::failure::Failure;
use mqtt_lab_core::config::Isolation;
use mqtt_lab_core::plugin::PluginSource;
use mqtt_lab_core::{Kind, Plugin, Role};
use std::path::Path;

/// Lists all kinds, or shows the options of one as a TOML block.
pub(crate) fn kinds(kind: Option<&str>, file: Option<&Path>) -> Result<(), Failure> {
    let plugin = match file {
        Some(file) => load(file)?,
        None => built_in().clone(),
    };
    let Some(name) = kind else {
        for kind in plugin.kinds() {
            println!("{:12} {}", kind.name(), role(kind));
        }
        println!("\n`mqtt-lab kinds KIND` shows the options of one.");
        return Ok(());
    };
    let Some(kind) = plugin.kinds().iter().find(|kind| kind.name() == name) else {
        if let Some(what_to_do) = plugin.how_to_get(name) {
            let problem = format!("this program was built without the kind `{name}`");
            return Err(Failure::config(problem, Some(what_to_do.to_owned())));
        }
        let names: Vec<_> = plugin.kinds().iter().map(Kind::name).collect();
        let hint = format!("the kinds are: {}", names.join(", "));
        return Err(Failure::config(format!("there is no kind `{name}`"), Some(hint)));
    };
    print!("{}", kind.sample_toml());
    crate::options::print_kind(kind);
    Ok(())
}

fn load(file: &Path) -> Result<Plugin, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(&error, None))?;
    let loaded = runtime.block_on(load_plugin(&PluginSource::Path(file.into()), Isolation::None));
    loaded.map_err(|error| Failure::in_config(&error, Some(error.hint().to_owned())))
}

const fn role(kind: &Kind) -> &'static str {
    match kind.role() {
        Role::Sensor => "sensor",
        Role::Actuator => "actuator",
        Role::Both => "sensor and actuator",
    }
}
