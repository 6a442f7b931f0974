//! `mqtt-lab plugin`: a plugin alone, without a lab.

mod check;
mod given;
mod table;
mod trial;

use crate::arguments::{CheckOptions, PluginCommand};
use crate::failure::Failure;
use crate::terminal::has_colors;
use mqtt_lab_core::config::Isolation;
use mqtt_lab_core::plugin::PluginSource;
use mqtt_lab_core::trial::TrialError;
use mqtt_lab_core::{CreateError, Kind, Plugin, PluginForm, Role};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Longest wait for an answer of a device, as in a lab that says nothing else.
const LIMIT: Duration = Duration::from_secs(10);

/// Does what one of the `plugin` commands asks for.
pub(crate) fn plugin(command: PluginCommand) -> Result<(), Failure> {
    match command {
        PluginCommand::Check(options) => in_runtime(check::check(&options)),
        PluginCommand::Run(options) => in_runtime(trial::run(&options)),
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

/// Runs a command that asks devices. What they log and print is shown on standard error.
fn in_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(has_colors()).log_internal_errors(false).with_target(false).without_time().init();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(&error, None))?;
    let outcome = runtime.block_on(command);
    // A device that hangs is not waited for.
    runtime.shutdown_background();
    outcome
}

/// The plugin of the command line.
async fn load(options: &CheckOptions) -> Result<Plugin, Failure> {
    let source = match options.source.as_slice() {
        [file] => PluginSource::Path(file.clone()),
        words => PluginSource::Command(words.iter().map(|word| word.display().to_string()).collect()),
    };
    let isolation = if options.process { Isolation::Process } else { Isolation::None };
    crate::config::load_plugin(&source, isolation).await.map_err(|error| {
        // The loader's own hint names this command.
        let hint = error.hint();
        Failure::in_config(&error, (!hint.contains("plugin check")).then(|| hint.to_owned()))
    })
}

/// The kinds of a plugin that are asked for: the named one, or all.
fn wanted<'a>(plugin: &'a Plugin, kind: Option<&str>) -> Result<Vec<&'a Kind>, Failure> {
    let wanted: Vec<_> = plugin.kinds().iter().filter(|k| kind.is_none_or(|kind| k.name() == kind)).collect();
    match (kind, wanted.is_empty()) {
        (Some(kind), true) => {
            let names: Vec<_> = plugin.kinds().iter().map(Kind::name).collect();
            let hint = format!("it offers: {}", names.join(", "));
            Err(Failure::config(format!("the plugin has no kind `{kind}`"), Some(hint)))
        }
        _ => Ok(wanted),
    }
}

/// Name, version and form, as a heading.
fn heading(plugin: &Plugin) -> String {
    let form = plugin.kinds().first().and_then(Kind::plugin).map(|info| info.form);
    let form = match form {
        Some(PluginForm::Library) => ", a library",
        Some(PluginForm::Process) => ", a process of its own",
        None => "",
    };
    format!("{} {}{form}", plugin.name(), plugin.version())
}

/// Writes a line; ends the program once nobody reads any more, as with `… | head`.
fn say(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

const fn article(role: Role) -> &'static str {
    match role {
        Role::Sensor => "a sensor",
        Role::Actuator => "an actuator",
        Role::Both => "sensor and actuator",
    }
}

/// A mistake of a device that could not be made, with a hint.
fn explained(kind: &Kind, error: &TrialError) -> (String, Option<String>) {
    let name = kind.name();
    let (path, message) = match error {
        TrialError::Create(CreateError::Setting { path, message }) => (path.join("."), message.clone()),
        // A missing key has no place of its own, and the border of a library carries places only.
        TrialError::Create(CreateError::Refused(error)) if missing(&error.to_string()).is_some() => {
            (String::new(), error.to_string())
        }
        TrialError::Hung(_) => {
            let hint = "it waits in its constructor or in `describe`; both must return at once";
            return (format!("kind `{name}`: {error}"), Some(hint.into()));
        }
        _ => return (format!("kind `{name}`: {error}"), None),
    };
    let key: Vec<_> =
        [path.as_str()].into_iter().chain(missing(&message)).filter(|part| !part.is_empty()).collect();
    let key = key.join(".");
    let hint = match missing(&message) {
        Some(_) => Some(format!("give it with `--set {key}=…`")),
        None => {
            options(kind).filter(|_| message.starts_with("unknown field") && !message.contains("expected"))
        }
    };
    (format!("kind `{name}`: `settings.{key}`: {message}"), hint)
}

/// The key that a message calls missing.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing ")?.split('`').nth(1)
}

fn options(kind: &Kind) -> Option<String> {
    let schema = kind.settings_schema();
    let keys: Vec<_> = schema["properties"].as_object()?.keys().map(|key| format!("`{key}`")).collect();
    (!keys.is_empty()).then(|| format!("there are: {}", keys.join(", ")))
}
