//! The whole configuration file.

use crate::failure::Failure;
use crate::locate::{self, Step};
use crate::schema;
use crate::validate::{self, Mistake};
use mqtt_lab_core::broker::BrokerConfig;
use mqtt_lab_core::config::{DeviceConfig, Isolation, MqttConfig, PluginsConfig, Problem, SpoolConfig};
use mqtt_lab_core::plugin::{LoadError, PluginLoader, PluginSource};
use mqtt_lab_core::{BuildError, Lab, LabBuilder, Plugin, Role};
use mqtt_lab_web::{StoreConfig, WebConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use toml::de::DeTable;

/// The lab that runs without a file.
const DEFAULT: &str = include_str!("../config/default.toml");

/// A lab, as its TOML file describes it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Name, topics and seed.
    pub(crate) lab: LabTable,
    /// The broker inside this program.
    pub(crate) broker: BrokerConfig,
    /// How devices reach the broker.
    pub(crate) mqtt: MqttConfig,
    /// Where messages wait for the broker's acknowledgement.
    pub(crate) spool: SpoolConfig,
    /// The dashboard.
    pub(crate) web: WebConfig,
    /// Where samples are kept.
    pub(crate) store: StoreConfig,
    /// How plugins are loaded.
    pub(crate) plugins: PluginsConfig,
    /// What measures.
    pub(crate) sensor: Vec<DeviceConfig>,
    /// What acts.
    pub(crate) actuator: Vec<DeviceConfig>,
}

/// The `[lab]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LabTable {
    /// First level of all topics, of `a-z 0-9 -`; several with `/` between them.
    pub(crate) root: String,
    /// Group of devices that name none.
    pub(crate) group: String,
    /// What the seeds of simulated devices are made of: the same seed gives the same values.
    pub(crate) seed: u64,
}

impl Default for LabTable {
    fn default() -> Self {
        Self { root: "lab".into(), group: "demo".into(), seed: 1 }
    }
}

/// A configuration with the text it came from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    name: String,
    /// Where relative paths of plugins start.
    folder: PathBuf,
    text: String,
    pub(crate) config: Config,
    /// Where in the file the devices stand, if some of the file had to be left out.
    places: Option<Places>,
}

impl Source {
    /// Reads a file, or the default lab.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else {
            return Self::parse("default lab".into(), PathBuf::from("."), DEFAULT.into());
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let hint = "`mqtt-lab run` without a file runs the default lab";
            Failure::config(format!("cannot read configuration file `{name}`: {error}"), Some(hint.into()))
        })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self::parse(name, folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf), text)
    }

    fn parse(name: String, folder: PathBuf, text: String) -> Result<Self, Failure> {
        let (document, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
            let told = errors.iter().map(|error| {
                let (line, column) = locate::line_and_column(&text, place(error));
                (format!("{name}:{line}:{column}: {}", error.message().replace('\n', ", ")), None)
            });
            return Err(Failure::mistakes(told.collect()));
        }
        let mistakes = validate::mistakes(document.get_ref(), &schema::schema());
        if !mistakes.is_empty() {
            return Err(everything_wrong(name, folder, text, &mistakes));
        }
        match toml::from_str(&text) {
            Ok(config) => Ok(Self { name, folder, text, config, places: None }),
            Err(error) => {
                let byte = error.span().map_or(0, |span| span.start);
                let (line, column) = locate::line_and_column(&text, byte);
                let key = locate::key_at(&text, byte).map_or(String::new(), |key| format!("`{key}`: "));
                let message = error.message().replace('\n', ", ");
                Err(Failure::config(format!("{name}:{line}:{column}: {key}{message}"), None))
            }
        }
    }

    /// This configuration with the devices of another one, and its text, in which their mistakes are found.
    pub(crate) fn with_devices_of(&self, other: Self) -> Self {
        let Config { sensor, actuator, .. } = other.config;
        let config = Config { sensor, actuator, ..self.config.clone() };
        Self { config, ..other }
    }

    /// Tables that differ from those the lab was started with, but for the devices.
    pub(crate) fn tables_that_need_a_restart(&self, started: &Self) -> Vec<String> {
        let tables = |source: &Self| {
            let table = source.text.parse::<toml::Table>().unwrap_or_default();
            table
                .into_iter()
                .filter(|(key, _)| key != "sensor" && key != "actuator")
                .collect::<BTreeMap<_, _>>()
        };
        let (now, before) = (tables(self), tables(started));
        let differ = now.keys().chain(before.keys()).filter(|key| now.get(*key) != before.get(*key));
        differ.map(|key| format!("[{key}]")).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether the broker inside this program is wanted.
    pub(crate) fn has_own_broker(&self) -> bool {
        self.config.broker.enabled && self.config.mqtt.brokers.is_empty()
    }

    /// What loads the plugins of this file.
    pub(crate) fn loader(&self) -> PluginLoader {
        plugin_loader(self.config.plugins.clone(), &self.folder)
    }

    /// The devices with everything they need, but the address of a broker inside this program.
    pub(crate) fn lab(&self) -> LabBuilder {
        let Config { lab, mqtt, sensor, actuator, .. } = &self.config;
        Lab::builder()
            .root(&lab.root)
            .group(&lab.group)
            .seed(lab.seed)
            .mqtt(mqtt.clone())
            .plugin(built_in())
            .devices(sensor.iter().chain(actuator).cloned())
    }

    /// Checks that no actuator stands under `[[sensor]]` and no sensor under `[[actuator]]`, and what
    /// other tables demand of each other.
    pub(crate) fn check_tables(&self) -> Result<(), Failure> {
        let mistakes = self.wrong_tables();
        if mistakes.is_empty() { Ok(()) } else { Err(told(mistakes)) }
    }

    fn wrong_tables(&self) -> Vec<Told> {
        let plugin = built_in();
        let mut mistakes = Vec::new();
        let tables = [(&self.config.sensor, Role::Actuator), (&self.config.actuator, Role::Sensor)];
        let mut device = 0;
        for (devices, wrong) in tables {
            for config in devices {
                // A plugin of its own may offer a kind of the same name.
                let mut built_in = plugin.kinds().iter().filter(|_| config.plugin.is_none());
                let kind = built_in.find(|kind| kind.name() == config.kind);
                if kind.is_some_and(|kind| kind.role() == wrong) {
                    let (is, table) =
                        (wrong.as_str(), if wrong == Role::Actuator { "actuator" } else { "sensor" });
                    let problem = format!("`{}` is an {is}", config.kind).replace("an sensor", "a sensor");
                    let (byte, message) = self.at(device, &["kind"], &problem);
                    mistakes.push((byte, message, Some(format!("write `[[{table}]]`"))));
                }
                device += 1;
            }
        }
        if !self.has_own_broker() && self.config.mqtt.brokers.is_empty() {
            let message = format!("{}: there is no broker: `broker.enabled` is false", self.name);
            mistakes.push((0, message, Some("name one in `mqtt.brokers`, as `host:port`".into())));
        }
        mistakes
    }

    /// Mistakes in the devices' tables, with file, line, column and key.
    pub(crate) fn explain(&self, error: &BuildError) -> Failure {
        let problems = match error {
            BuildError::Devices(problems) => problems,
            BuildError::Plugins(errors) => {
                let explain = |error: &LoadError| {
                    let byte =
                        locate::find(&self.text, &[Step::Key("plugins".into()), Step::Key("folder".into())]);
                    let (line, column) =
                        locate::line_and_column(&self.text, byte.map_or(0, |span| span.start));
                    let message = Failure::words_of(error);
                    (
                        format!("{}:{line}:{column}: `plugins.folder`: {message}", self.name),
                        Some(error.hint().into()),
                    )
                };
                return Failure::mistakes(errors.iter().map(explain).collect());
            }
            _ => return Failure::in_config(error, None),
        };
        told(problems.iter().map(|problem| self.told(problem)).collect())
    }

    fn told(&self, problem: &Problem) -> Told {
        let key: Vec<&str> = problem.key.iter().map(String::as_str).collect();
        let (byte, message) = self.at(problem.device, &key, &problem.message);
        (byte, message, problem.hint.clone())
    }

    /// What is wrong with the devices as far as that can be told without plugins.
    fn wrong_devices(&self) -> Vec<Told> {
        let builder =
            if self.has_own_broker() { self.lab().broker(self.config.broker.bind) } else { self.lab() };
        let Err(BuildError::Devices(problems)) = builder.build() else { return Vec::new() };
        let known = problems.iter().filter(|problem| problem.key != ["plugin"]);
        known.map(|problem| self.told(problem)).collect()
    }

    /// `file:line:column: key: message`, and the byte, for the device with an index over both tables.
    fn at(&self, device: usize, key: &[&str], message: &str) -> (usize, String) {
        let sensors = self.config.sensor.len();
        let (table, index) =
            if device < sensors { ("sensor", device) } else { ("actuator", device - sensors) };
        let place = self.places.as_ref().and_then(|places| places.get(table)?.get(index));
        let index = place.copied().unwrap_or(index);
        let way: Vec<_> = [Step::Key(table.into()), Step::Index(index)]
            .into_iter()
            .chain(key.iter().map(|key| Step::Key((*key).into())))
            .collect();
        let byte = locate::find(&self.text, &way).map_or(0, |span| span.start);
        let (line, column) = locate::line_and_column(&self.text, byte);
        let path: Vec<_> = [table].into_iter().chain(key.iter().copied()).collect();
        (byte, format!("{}:{line}:{column}: `{}`: {message}", self.name, path.join(".")))
    }
}

/// A mistake in words: the byte where it stands, message and hint.
type Told = (usize, String, Option<String>);

/// Of each table of devices, the places in the file of those that are left.
type Places = BTreeMap<String, Vec<usize>>;

/// In the order in which they stand in the file.
fn told(mut mistakes: Vec<Told>) -> Failure {
    mistakes.sort_by_key(|(byte, ..)| *byte);
    Failure::mistakes(mistakes.into_iter().map(|(_, message, hint)| (message, hint)).collect())
}

/// What the schema refuses, and what is wrong with the rest of the file.
fn everything_wrong(name: String, folder: PathBuf, text: String, mistakes: &[Mistake]) -> Failure {
    let mut all: Vec<Told> = mistakes
        .iter()
        .map(|mistake| {
            let (line, column) = locate::line_and_column(&text, mistake.byte);
            let path: Vec<&str> = mistake.way.iter().filter_map(Step::key).collect();
            let key = if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) };
            let message = format!("{name}:{line}:{column}: {key}{}", mistake.message);
            (mistake.byte, message, mistake.hint.clone())
        })
        .collect();
    if let Some((config, places)) = without(&text, mistakes) {
        let rest = Source { name, folder, text, config, places: Some(places) };
        all.extend(rest.wrong_tables());
        all.extend(rest.wrong_devices());
    }
    told(all)
}

/// The configuration without what is wrong in it, as far as there is one.
fn without(text: &str, mistakes: &[Mistake]) -> Option<(Config, Places)> {
    let mut document: toml::Table = text.parse().ok()?;
    // Where a device lacks its kind, it is left out below.
    let devices = |way: &[Step]| matches!(way, [Step::Key(table), Step::Index(_)] if table == "sensor" || table == "actuator");
    for mistake in mistakes.iter().filter(|mistake| !devices(&mistake.way)) {
        locate::remove(&mut document, &mistake.way);
    }
    let mut places = Places::new();
    for name in ["sensor", "actuator"] {
        let Some(toml::Value::Array(devices)) = document.get_mut(name) else { continue };
        let has_kind = |device: &toml::Value| device.get("kind").is_some();
        let kept = devices.iter().enumerate().filter(|(_, device)| has_kind(device));
        places.insert(name.into(), kept.map(|(place, _)| place).collect());
        devices.retain(has_kind);
    }
    Some((document.try_into().ok()?, places))
}

/// One plugin without a lab; paths start at the working folder.
pub(crate) async fn load_plugin(source: &PluginSource, isolation: Isolation) -> Result<Plugin, LoadError> {
    plugin_loader(PluginsConfig::default(), Path::new("")).load(source, Some(isolation)).await
}

/// What loads plugins. A library that shall have a process of its own is run by this program again.
fn plugin_loader(config: PluginsConfig, folder: &Path) -> PluginLoader {
    let loader = PluginLoader::new(config, folder);
    match std::env::current_exe() {
        Ok(program) => loader.host([program.into_os_string(), "plugin".into(), "host".into()]),
        Err(_) => loader,
    }
}

/// The kinds that are compiled in; made once, or a lab would take them for reloaded ones.
pub(crate) fn built_in() -> &'static Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(mqtt_lab_plugins::plugin)
}
