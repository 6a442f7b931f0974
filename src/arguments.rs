//! The words of the command line.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Sensors, MQTT and a live dashboard in one program, made for teaching.
#[derive(Debug, Parser)]
#[command(name = "mqtt-lab", version, about, after_help = "Without a command, `run` starts the default lab.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a lab: broker, devices, storage and dashboard
    Run(RunOptions),
    /// Checks a configuration file and starts nothing
    Check {
        /// The configuration file (TOML)
        file: PathBuf,
    },
    /// Lists the kinds of devices, or shows the options of one
    Kinds {
        /// The kind to show
        kind: Option<String>,
        /// A plugin whose kinds are shown: a library, a crate's folder or a script
        #[arg(long, value_name = "FILE")]
        plugin: Option<PathBuf>,
    },
    /// Looks at a plugin without a lab
    #[command(subcommand)]
    Plugin(PluginCommand),
}

/// What can be done with a plugin alone.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Runs one device of a library for a lab, by lines on standard input and output
    #[command(hide = true)]
    Host {
        /// The library
        file: PathBuf,
    },
}

impl Default for Command {
    fn default() -> Self {
        Self::Run(RunOptions::default())
    }
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunOptions {
    /// The configuration file (TOML); without it the default lab runs
    pub(crate) file: Option<PathBuf>,
    /// Where the dashboard is served, instead of `web.bind`; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) web: Option<SocketAddr>,
    /// Where the broker listens, instead of `broker.bind`; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) broker: Option<SocketAddr>,
    /// The database file, instead of `store.url`
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}
