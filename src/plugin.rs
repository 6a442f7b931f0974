//! `mqtt-lab plugin`: a plugin alone, without a lab.

use crate::arguments::PluginCommand;
use crate::failure::Failure;
use std::path::Path;

/// Does what one of the `plugin` commands asks for.
pub(crate) fn plugin(command: PluginCommand) -> Result<(), Failure> {
    match command {
        PluginCommand::Host { file } => host(&file),
    }
}

#[cfg(unix)]
fn host(file: &Path) -> Result<(), Failure> {
    mqtt_lab_core::plugin::host(file).map_err(|error| Failure::of(&error, None))
}

#[cfg(not(unix))]
fn host(_: &Path) -> Result<(), Failure> {
    Err(Failure::config("a library cannot run in a process of its own on this system yet", None))
}
