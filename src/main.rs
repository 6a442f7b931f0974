//! Sensors, MQTT and a live dashboard in one program: the command line of mqtt-lab.
//!
//! Composition only: which part starts with which configuration, in which order they start and stop.

mod arguments;
mod check;
mod clients;
mod config;
mod failure;
mod follow;
mod identity;
mod kinds;
mod locate;
mod losses;
mod new;
mod open_files;
mod options;
mod plugin;
mod plugs;
mod private_files;
mod run;
mod running;
mod schema;
mod signals;
mod terminal;
mod validate;
mod variables;

use arguments::{Arguments, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command.unwrap_or_default() {
        Command::Run(options) => run::run(&options),
        Command::Check { file } => check::check(&file),
        Command::Kinds { kind, plugin } => kinds::kinds(kind.as_deref(), plugin.as_deref()),
        Command::Config { file } => config::shown::print(file.as_deref()),
        Command::Schema => schema::print(),
        Command::Options => options::print(),
        Command::New(options) => new::new(&options),
        Command::Plugin(command) => plugin::plugin(command),
    };
    let code = outcome.map_or_else(Failure::report, |()| ExitCode::SUCCESS);
    mqtt_lab_core::plugin::wait_for_processes();
    code
}
