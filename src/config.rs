//! The whole configuration.

mod environment;
pub(crate) mod layers;
mod paths;
pub(crate) mod shown;
mod syntax;
mod told;
mod verdict;

use crate::arguments::RunOptions;
use crate::failure::Failure;
use crate::locate::{self, Step};
use crate::run::override_with;
use layers::Layers;
use mqtt_lab_core::broker::BrokerConfig;
use mqtt_lab_core::config::{
    DeviceConfig, Isolation, MqttConfig, PluginsConfig, Problem, SpoolConfig, VariableConfig,
};
use mqtt_lab_core::plugin::{LoadError, PluginLoader, PluginSource};
use mqtt_lab_core::{BuildError, FileStamp, Lab, LabBuilder, Plugin, Role, Variables};
use mqtt_lab_web::{StoreConfig, WebConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
pub(crate) use told::{Told, told};

/// The lab that runs without a file.
const DEFAULT: &str = include_str!("../config/default.toml");

/// A lab, as its TOML file describes it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
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
    /// What users set, and devices follow.
    pub(crate) variable: Vec<VariableConfig>,
    /// Files that this one builds upon: what stands here wins over them, a later one over those before it; devices and
    /// variables add up. Relative paths start at the folder of this file.
    #[serde(skip_serializing)]
    pub(crate) include: Vec<PathBuf>,
}

/// The `[lab]` table.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LabTable {
    /// First level of all topics, of `a-z 0-9 -`; several with `/` between them.
    pub(crate) root: String,
    /// Group of devices and variables that name none.
    pub(crate) group: String,
    /// What the seeds of simulated devices are made of: the same seed gives the same values.
    pub(crate) seed: u64,
}

impl Default for LabTable {
    fn default() -> Self {
        Self { root: "lab".into(), group: "demo".into(), seed: 1 }
    }
}

/// A configuration with the files it came from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Where relative paths of plugins start.
    folder: PathBuf,
    pub(crate) layers: Layers,
    pub(crate) config: Config,
    /// The command line, which wins over all.
    options: RunOptions,
}

impl Source {
    /// Reads a file with what it includes, or the default lab.
    ///
    /// # Errors
    ///
    /// All mistakes that can be found without constructing a device.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        Self::read_for(&RunOptions { file: file.map(Path::to_path_buf), ..RunOptions::default() })
    }

    /// The same, with the other options of the command line.
    pub(crate) fn read_for(options: &RunOptions) -> Result<Self, Failure> {
        let (source, mistakes) = Self::judge(options)?;
        if mistakes.is_empty() { Ok(source) } else { Err(told(mistakes)) }
    }

    /// Reads a file and tells what is wrong with it.
    ///
    /// # Errors
    ///
    /// A file that cannot be read at all, or is no TOML.
    pub(crate) fn judge(options: &RunOptions) -> Result<(Self, Vec<Told>), Failure> {
        let mut layers = match options.file.as_deref() {
            Some(path) => Layers::read(path)?,
            None => Layers::built_in("default lab", DEFAULT)?,
        };
        let folder = options.file.as_deref().and_then(Path::parent);
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let mut config = match layers.table.clone().try_into() {
            Ok(config) => config,
            Err(error) => {
                layers.mistakes.push(refused(&layers, &error));
                return Err(told(layers.mistakes));
            }
        };
        override_with(&mut config, options);
        let source = Self { folder, layers, config, options: options.clone() };
        let mut mistakes = source.wrong_tables();
        mistakes.extend(source.wrong_options());
        if !source.layers.mistakes.is_empty() {
            mistakes.extend(source.wrong_devices());
            mistakes.extend(source.layers.mistakes.iter().cloned());
        }
        Ok((source, mistakes))
    }

    /// Reads and checks the file of a running lab on a thread of its own, because a file system may hang. The stamp is
    /// from before the file was read.
    pub(crate) async fn read_apart(options: RunOptions) -> (Option<FileStamp>, Result<Self, Failure>) {
        let read = tokio::task::spawn_blocking(move || {
            let stamp = options.file.as_deref().and_then(FileStamp::of);
            (stamp, Self::read_for(&options))
        });
        match read.await {
            Ok(read) => read,
            Err(error) => (None, Err(Failure::internal(format!("reading the configuration ended: {error}")))),
        }
    }

    /// This configuration with the devices and variables of another one, and its text, in which their mistakes
    /// are found.
    pub(crate) fn with_devices_of(&self, other: Self) -> Self {
        let Config { sensor, actuator, variable, .. } = other.config;
        let config = Config { sensor, actuator, variable, ..self.config.clone() };
        Self { config, ..other }
    }

    /// Tables that differ from those the lab was started with, but for the devices and variables.
    pub(crate) fn tables_that_need_a_restart(&self, started: &Self) -> Vec<String> {
        let (now, before) = (&self.layers.table, &started.layers.table);
        let keys: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
        let others = keys.into_iter().filter(|key| !layers::LISTS.contains(&key.as_str()));
        others.filter(|key| now.get(*key) != before.get(*key)).map(|key| format!("[{key}]")).collect()
    }

    /// Whether the broker inside this program is wanted.
    pub(crate) fn has_own_broker(&self) -> bool {
        self.config.broker.enabled && self.config.mqtt.brokers.is_empty()
    }

    /// The folder of plugins, if it is none.
    pub(crate) fn missing_plugins(&self) -> Option<PathBuf> {
        let path = self.config.plugins.folder.as_ref()?;
        let folder = self.folder.join(path);
        (path.as_os_str().is_empty() || !folder.is_dir()).then_some(folder)
    }

    /// What loads the plugins of this file.
    pub(crate) fn loader(&self) -> PluginLoader {
        plugin_loader(self.config.plugins.clone(), &self.folder)
    }

    /// The devices with everything they need, but the address of a broker inside this program.
    pub(crate) fn lab(&self) -> LabBuilder {
        let Config { sensor, actuator, .. } = &self.config;
        let lab = self.empty_lab().plugin(built_in()).devices(sensor.iter().chain(actuator).cloned());
        lab.variables(&self.variables(&Variables::new()))
    }

    /// The same without devices and variables.
    pub(crate) fn empty_lab(&self) -> LabBuilder {
        let Config { lab, mqtt, .. } = &self.config;
        Lab::builder().root(&lab.root).group(&lab.group).seed(lab.seed).mqtt(mqtt.clone())
    }

    /// The variables of this configuration beside those that users made.
    pub(crate) fn variables(&self, known: &Variables) -> Variables {
        known.declare(&self.config.lab.group, &self.config.variable)
    }

    /// The same, with the address that a broker inside this program would have: to be checked, not run.
    pub(crate) fn lab_to_check(&self) -> LabBuilder {
        if !self.has_own_broker() {
            return self.lab();
        }
        let mut address = self.config.broker.bind;
        if address.port() == 0 {
            // The system will choose one: any port does for a check.
            address.set_port(1883);
        }
        self.lab().broker(address)
    }

    /// Checks the devices and their plugins, but for what only a constructed device tells.
    pub(crate) async fn build(&self, loader: &mut PluginLoader) -> Result<(), Failure> {
        let explain = |error| self.explain(&error);
        let lab = self.lab_to_check().load_plugins(loader).await.map_err(explain)?;
        lab.build().map(drop).map_err(explain)
    }

    /// Actuators under `[[sensor]]`, sensors under `[[actuator]]`, and a lab without a broker.
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
            let way = ["broker", "enabled"].map(|key| Step::Key(key.into()));
            let (byte, place) = self.layers.place_of(&way);
            let message =
                format!("{place}: `broker.enabled`: there is no broker: this program's own is switched off");
            mistakes.push((byte, message, Some("name one in `mqtt.brokers`, as `host:port`".into())));
        }
        mistakes
    }

    /// Mistakes in the devices' tables, with file, line, column and key.
    pub(crate) fn explain(&self, error: &BuildError) -> Failure {
        let problems = match error {
            BuildError::Devices(problems) => problems,
            BuildError::Plugins(errors) => {
                let way = [Step::Key("plugins".into()), Step::Key("folder".into())];
                let file = self.layers.files.iter().find(|file| locate::find(&file.text, &way).is_some());
                let file = file.unwrap_or(&self.layers.files[0]);
                let place = file.at(locate::find(&file.text, &way).map_or(0, |span| span.start));
                let explain = |error: &LoadError| {
                    let message = Failure::words_of(error);
                    (format!("{place}: `plugins.folder`: {message}"), Some(error.hint().into()))
                };
                return Failure::mistakes(errors.iter().map(explain).collect());
            }
            _ => return Failure::in_config(error, None),
        };
        told(problems.iter().map(|problem| self.told(problem)).collect())
    }

    /// A problem with the place of its device or variable.
    pub(crate) fn told(&self, problem: &Problem) -> Told {
        let key: Vec<&str> = problem.key.iter().map(String::as_str).collect();
        let (byte, message) = self.at(problem.device, &key, &problem.message);
        (byte, message, problem.hint.clone())
    }

    /// What is wrong with the devices as far as that can be told without plugins.
    fn wrong_devices(&self) -> Vec<Told> {
        let Err(BuildError::Devices(problems)) = self.lab_to_check().build() else { return Vec::new() };
        let known = problems.iter().filter(|problem| problem.key != ["plugin"]);
        known.map(|problem| self.told(problem)).collect()
    }

    /// `file:line:column: key: message`, and the byte, for the device or variable with an index over all tables.
    fn at(&self, device: usize, key: &[&str], message: &str) -> (usize, String) {
        let (sensors, actuators) = (self.config.sensor.len(), self.config.actuator.len());
        let (table, index) = match device {
            _ if device < sensors => ("sensor", device),
            _ if device < sensors + actuators => ("actuator", device - sensors),
            _ => ("variable", device - sensors - actuators),
        };
        let places = self.layers.places.get(table).and_then(|places| places.get(index));
        let (file, index) = places.copied().unwrap_or_default();
        let file = &self.layers.files[file];
        let way: Vec<_> = [Step::Key(table.into()), Step::Index(index)]
            .into_iter()
            .chain(key.iter().map(|key| Step::Key((*key).into())))
            .collect();
        let byte = locate::find(&file.text, &way).map_or(0, |span| span.start);
        let path: Vec<_> = [table].into_iter().chain(key.iter().copied()).collect();
        (byte, format!("{}: `{}`: {message}", file.at(byte), path.join(".")))
    }
}

/// What the schema takes and the structs do not, such as an address that is none.
fn refused(layers: &Layers, error: &toml::de::Error) -> Told {
    let place = layers.files.iter().find_map(|file| {
        let error = toml::from_str::<Config>(&file.text).err()?;
        Some((file, error.span()?.start))
    });
    let message = error.message().replace('\n', ", ");
    let Some((file, byte)) = place else { return (0, message, None) };
    let key = locate::key_at(&file.text, byte).map_or(String::new(), |key| format!("`{key}`: "));
    (byte, format!("{}: {key}{message}", file.at(byte)), None)
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
