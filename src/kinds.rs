//! `mqtt-lab kinds`.

use crate::config::{built_in, load_plugin};
use crate::failure::Failure;
use crate::terminal::print;
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
        let kinds = plugin.kinds().iter();
        let kinds: String = kinds.map(|kind| format!("{:12} {}\n", kind.name(), role(kind))).collect();
        return print(&format!("{kinds}\n`mqtt-lab kinds KIND` shows the options of one.\n"));
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
    print(&format!("{}{}", kind.sample_toml(), crate::options::of_kind(kind)))
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
