//! The words of the command line.

use crate::new::{Language, What};
use clap::{Args, Parser, Subcommand};
use mqtt_lab_core::config::bind_address;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Shows the configuration that holds, and where each value came from
    Config {
        /// The configuration file (TOML); without it the default lab
        file: Option<PathBuf>,
    },
    /// Prints the JSON Schema of configuration files, from which editors complete
    Schema,
    /// Prints every option of configuration files as Markdown: `docs/options.md`
    Options,
    /// Makes a plugin of your own to begin with: a sensor or an actuator
    New(NewOptions),
    /// Looks at a plugin without a lab
    #[command(subcommand)]
    Plugin(PluginCommand),
}

/// A new plugin.
#[derive(Debug, Args)]
pub(crate) struct NewOptions {
    /// What it shall be
    pub(crate) what: What,
    /// Its name, a word of `a-z 0-9 -` that begins with a letter
    pub(crate) name: String,
    /// Its language
    #[arg(long, value_enum, default_value = "rust")]
    pub(crate) lang: Language,
    /// The folder `mqtt-lab-core` that a plugin in Rust is built with, instead of that of this program
    #[arg(long, value_name = "PATH")]
    pub(crate) core: Option<PathBuf>,
    /// The folder to be made, instead of `./NAME`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

/// What can be done with a plugin alone.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Loads a plugin, constructs its devices and says what they are
    Check(CheckOptions),
    /// Shows a device's readings, and gives it commands, without lab and broker
    Run(TrialOptions),
    /// Runs one device of a library for a lab, by lines on standard input and output
    #[command(hide = true)]
    Host {
        /// The library
        file: PathBuf,
    },
}

/// A plugin, and how one of its devices is made.
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// A library, a crate's folder or a script; or a program with its arguments
    #[arg(required = true, value_name = "FILE")]
    pub(crate) source: Vec<PathBuf>,
    /// The kind, where the plugin offers several
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// A setting: a value as in TOML, else a text
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// In a process of its own
    #[arg(long)]
    pub(crate) process: bool,
}

/// A device on trial.
#[derive(Debug, Args)]
pub(crate) struct TrialOptions {
    #[command(flatten)]
    pub(crate) device: CheckOptions,
    /// A command for a settable channel
    #[arg(long, value_name = "CHANNEL=VALUE", value_parser = assignment)]
    pub(crate) send: Vec<(String, String)>,
    /// Time between two readings, in seconds (0.001 to 604800)
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// Ends after so many readings; without it Ctrl-C does
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("there is no `=` in it")?;
    if key.trim().is_empty() {
        return Err("there is nothing before the `=`".into());
    }
    Ok((key.trim().into(), value.trim().into()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.001..=604_800.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be from 0.001 to 604800".into())
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
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = bind_address)]
    pub(crate) web: Option<SocketAddr>,
    /// Where the broker listens, instead of `broker.bind`; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = bind_address)]
    pub(crate) broker: Option<SocketAddr>,
    /// The database file, instead of `store.url`
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}
