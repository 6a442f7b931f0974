//! A configuration of devices and variables: collected, checked, started.

use crate::config::{DeviceConfig, MqttConfig, Problem, nearest};
use crate::link::{Credentials, LinkError};
use crate::plan::Plan;
use crate::runtime::DeviceSpec;
use crate::supervisor::Supervisor;
use crate::{Identity, KindTaken, Plugin, Registry, RunningLab, Settings, Variables};
use mqtt_lab_wire::{TopicError, check_word};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A configuration of devices, checked and ready to start.
///
/// ```no_run
/// use mqtt_lab_core::{Lab, config::DeviceConfig, prelude::*};
/// # fn my_plugin() -> Plugin { Plugin::new("mine", "0.1.0") }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let lab = Lab::builder()
///     .broker("127.0.0.1:1883")
///     .plugin(&my_plugin())
///     .device(DeviceConfig::new("thermometer").id("kitchen"))
///     .build()?
///     .start()
///     .await?;
/// tokio::signal::ctrl_c().await?;
/// lab.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lab {
    pub(crate) specs: Vec<Arc<DeviceSpec>>,
}

/// Collects what a [`Lab`] is made of.
#[derive(Debug)]
pub struct LabBuilder {
    root: String,
    group: String,
    seed: u64,
    identity: Option<Identity>,
    upgrade: bool,
    mqtt: MqttConfig,
    credentials: Option<Credentials>,
    supervisor: Supervisor,
    #[cfg(feature = "disk-spool")]
    disk: Option<crate::link::DiskSpool>,
    registry: Registry,
    taken: Option<KindTaken>,
    devices: Vec<DeviceConfig>,
    variables: Option<Variables>,
    /// The plugins that devices name themselves, or why they cannot be loaded.
    #[cfg(feature = "plugins")]
    own_plugins: BTreeMap<
        (crate::plugin::PluginSource, Option<crate::config::Isolation>),
        Result<Plugin, crate::plugin::LoadError>,
    >,
}

/// Why a lab cannot be built or changed. Nothing was started, and nothing is different from before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two plugins offer a kind of the same name.
    #[error(transparent)]
    KindTaken(#[from] KindTaken),
    /// The root or the group cannot be part of a topic.
    #[error("the lab's {what} `{word}` cannot be part of a topic")]
    Word {
        /// `root` or `group`.
        what: &'static str,
        /// The word.
        word: String,
        /// What a word must be.
        source: TopicError,
    },
    /// Nothing says at which address a broker is.
    #[error("the lab has no broker: `LabBuilder::broker` or `mqtt.brokers` names one")]
    NoBroker,
    /// The devices' tables have mistakes: all of them.
    #[error("{}", list(.0))]
    Devices(Vec<Problem>),
    /// Files in the folder of plugins cannot be loaded: all of them.
    #[cfg(feature = "plugins")]
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plugins(Vec<crate::plugin::LoadError>),
    /// A device's connection cannot be set up.
    #[error("device `{device}` cannot connect")]
    Link {
        /// `group/id`.
        device: String,
        /// Why.
        source: LinkError,
    },
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Lab {
    /// A builder with root `lab`, group `demo`, no broker and no devices.
    #[must_use]
    pub fn builder() -> LabBuilder {
        LabBuilder {
            root: "lab".into(),
            group: "demo".into(),
            seed: 1,
            identity: None,
            upgrade: false,
            mqtt: MqttConfig::default(),
            credentials: None,
            supervisor: Supervisor::default(),
            #[cfg(feature = "disk-spool")]
            disk: None,
            registry: Registry::new(),
            taken: None,
            devices: Vec::new(),
            variables: None,
            #[cfg(feature = "plugins")]
            own_plugins: BTreeMap::new(),
        }
    }

    /// `group/id` of every device, in the order of the tables; those that hold the variables are left out.
    pub fn devices(&self) -> impl Iterator<Item = String> {
        self.specs.iter().filter(|spec| !spec.holds_variables()).map(|spec| spec.name())
    }

    /// Constructs every device once, to find wrong settings, channel names and inputs, and ends it again. Returns what
    /// is suspicious and may be meant, such as an input whose source is no device of this lab.
    ///
    /// # Errors
    ///
    /// [`BuildError::Devices`] with all mistakes.
    pub async fn check(&self) -> Result<Vec<Problem>, BuildError> {
        let plan = Plan::new(std::iter::empty(), self.specs.clone()).check().await?.check_inputs()?;
        Ok(plan.warnings)
    }

    /// Constructs and connects every device. Returns as soon as all of them run; the connections are
    /// made in the background and again whenever they are lost.
    ///
    /// # Errors
    ///
    /// [`BuildError::Devices`] with all mistakes in settings; nothing runs then. A device that panics
    /// or hangs is no mistake of the configuration: it is shown with its error and tried again.
    pub async fn start(self) -> Result<RunningLab, BuildError> {
        let mut lab = RunningLab::default();
        lab.apply(self).await?;
        Ok(lab)
    }
}

impl LabBuilder {
    /// Sets the first level of all topics (default `lab`); it may have several (`university/lab`).
    #[must_use]
    pub fn root(mut self, root: impl Into<String>) -> Self {
        self.root = root.into();
        self
    }

    /// Sets the group of devices that name none (default `demo`).
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// Sets what the seeds of simulated devices are made of (default 1).
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the word at the end of every client id, by which brokers tell this lab from others (default: a random
    /// one, the same for all labs of this process).
    ///
    /// Keep the word with the lab's data, as [`Identity::in_folder`] does: a broker then recognizes the devices
    /// after a restart. Two labs of one process that have the same devices and broker need different words.
    #[must_use]
    pub fn identity(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    /// Ends the sessions that brokers keep for these devices under the client ids of version 0.1.0
    /// (`<root>-<group>-<device>`). Call it at the first start after an upgrade only: another lab may still use
    /// such an id.
    #[must_use]
    pub const fn end_former_sessions(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// Sets how devices reach the broker.
    #[must_use]
    pub fn mqtt(mut self, mqtt: MqttConfig) -> Self {
        self.credentials = mqtt.credentials().or(self.credentials);
        self.mqtt = mqtt;
        self
    }

    /// Sets who is told when a task of a device or of its link has panicked. The task goes on: it loses neither its
    /// connection's session nor what it has accepted.
    #[must_use]
    pub fn supervisor(mut self, supervisor: &Supervisor) -> Self {
        self.supervisor = supervisor.clone();
        self
    }

    /// Keeps what devices publish at QoS 1 and 2 on disk as well until the broker has it, but for those
    /// with `on_disk = false`.
    #[cfg(feature = "disk-spool")]
    #[must_use]
    pub fn disk_spool(mut self, disk: crate::link::DiskSpool) -> Self {
        self.disk = Some(disk);
        self
    }

    /// Adds a broker address, `host:port`, tried after those before it.
    #[must_use]
    pub fn broker(mut self, address: impl fmt::Display) -> Self {
        self.mqtt.brokers.push(address.to_string());
        self
    }

    /// Sets what the devices log in with.
    #[must_use]
    pub fn credentials(mut self, credentials: Option<Credentials>) -> Self {
        self.credentials = credentials.or(self.credentials);
        self
    }

    /// Adds the kinds of a plugin.
    #[must_use]
    pub fn plugin(mut self, plugin: &Plugin) -> Self {
        if let Err(taken) = self.registry.add(plugin) {
            self.taken.get_or_insert(taken);
        }
        self
    }

    /// Adds a device, or `count` of them.
    #[must_use]
    pub fn device(mut self, device: DeviceConfig) -> Self {
        self.devices.push(device);
        self
    }

    /// Adds devices, as [`device`](Self::device) each.
    #[must_use]
    pub fn devices(mut self, devices: impl IntoIterator<Item = DeviceConfig>) -> Self {
        self.devices.extend(devices);
        self
    }

    /// Sets the variables, in the place of those before.
    #[must_use]
    pub fn variables(mut self, variables: &Variables) -> Self {
        self.variables = Some(variables.clone());
        self
    }

    /// The group of devices and variables that name none.
    pub(crate) fn default_group(&self) -> &str {
        &self.group
    }

    /// How many tables of devices there are.
    pub(crate) const fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// Loads the plugins that the devices name, and those of the loader's folder. What cannot be loaded is
    /// a mistake that [`build`](Self::build) reports with the device that wanted it.
    ///
    /// # Errors
    ///
    /// [`BuildError::Plugins`] when a file in the folder cannot be loaded.
    #[cfg(feature = "plugins")]
    pub async fn load_plugins(
        mut self,
        loader: &mut crate::plugin::PluginLoader,
    ) -> Result<Self, BuildError> {
        let mut failed = Vec::new();
        for loaded in loader.load_folder().await {
            match loaded {
                Ok(plugin) => self = self.plugin(&plugin),
                Err(error) => failed.push(error),
            }
        }
        if !failed.is_empty() {
            return Err(BuildError::Plugins(failed));
        }
        for device in &self.devices {
            let Some(source) = device.plugin.as_ref().filter(|source| !source.is_empty()) else { continue };
            let key = (source.clone(), device.isolation);
            if let std::collections::btree_map::Entry::Vacant(place) = self.own_plugins.entry(key) {
                place.insert(loader.load(source, device.isolation).await);
            }
        }
        Ok(self)
    }

    /// Checks everything that can be checked without constructing a device.
    ///
    /// # Errors
    ///
    /// [`BuildError`] with all mistakes in the devices' tables.
    pub fn build(self) -> Result<Lab, BuildError> {
        if let Some(taken) = self.taken {
            return Err(taken.into());
        }
        for word in self.root.split('/') {
            let word_error = |source| BuildError::Word { what: "root", word: self.root.clone(), source };
            check_word(word).map_err(word_error)?;
        }
        let word_error = |source| BuildError::Word { what: "group", word: self.group.clone(), source };
        check_word(&self.group).map_err(word_error)?;
        if self.mqtt.brokers.is_empty() {
            return Err(BuildError::NoBroker);
        }
        let mut problems = Vec::new();
        let mut specs = Vec::new();
        let mut taken = BTreeMap::new();
        let mut client_ids = ClientIds::default();
        for (table, device) in self.devices.iter().enumerate() {
            let wrong = device.check(table);
            let usable = wrong.is_empty();
            problems.extend(wrong);
            // Whatever else is wrong with it, its name is taken.
            let kind = self.kind_of(table, device).map_err(|problem| problems.push(problem)).ok();
            if !usable {
                continue;
            }
            let group = device.group.as_ref().unwrap_or(&self.group);
            for (id, client_id) in device.ids().into_iter().zip(device.client_ids()) {
                if let Err(error) = check_word(&id) {
                    // An unknown kind is told already.
                    if kind.is_some() || device.id.is_some() {
                        problems.push(unusable_id(table, device, &id, error));
                    }
                    // Those with the next numbers are as wrong.
                    break;
                } else if taken.insert((group.clone(), id.clone()), table).is_none() {
                    let Some(kind) = kind else { continue };
                    let mut spec = self.spec(table, device, group, id, kind);
                    spec.config.client_id = client_id;
                    problems.extend(client_ids.problem(&spec));
                    specs.push(Arc::new(spec));
                } else {
                    let message = format!("there is already a device `{id}` in group `{group}`");
                    let hint = "give one of them another `id` or `group`";
                    problems.push(Problem::new(table, &["id"], message).hint(hint));
                }
            }
        }
        if let Some(variables) = &self.variables {
            problems.extend(variables.problems(self.devices.len(), &taken));
            for spec in variables.specs(&self, self.devices.len()) {
                problems.extend(client_ids.problem(&spec));
                specs.push(Arc::new(spec));
            }
        }
        if problems.is_empty() { Ok(Lab { specs }) } else { Err(BuildError::Devices(problems)) }
    }

    pub(crate) fn spec(
        &self,
        table: usize,
        device: &DeviceConfig,
        group: &str,
        id: String,
        kind: &crate::Kind,
    ) -> DeviceSpec {
        let mut settings = device.settings.clone();
        if kind.is_seeded() && !settings.contains_key("seed") {
            settings.insert("seed".into(), seed(self.seed, group, &id).into());
        }
        // As if each device had a table of its own: a change of `count` is none of the other devices.
        let mut config = DeviceConfig { settings: Settings::new(), count: 1, ..device.clone() };
        (config.id, config.group) = (Some(id.clone()), Some(group.to_owned()));
        DeviceSpec {
            table,
            root: self.root.clone(),
            identity: self.identity.clone().unwrap_or_else(|| process_identity().clone()),
            end_former_session: self.upgrade,
            group: group.to_owned(),
            id,
            kind: kind.clone(),
            settings,
            config,
            mqtt: self.mqtt.clone(),
            credentials: self.credentials.clone(),
            supervisor: self.supervisor.clone(),
            #[cfg(feature = "disk-spool")]
            disk: self.disk.clone().filter(|_| device.on_disk),
        }
    }

    /// The kind that a device asks for: of its own plugin if it names one, else of all that are known.
    fn kind_of(&self, table: usize, device: &DeviceConfig) -> Result<&crate::Kind, Problem> {
        #[cfg(feature = "plugins")]
        if let Some(source) = &device.plugin {
            let plugin = self.own_plugins.get(&(source.clone(), device.isolation));
            return match plugin {
                _ if source.is_empty() => {
                    let hint = "write a path, or a list with a program and its arguments";
                    Err(Problem::new(table, &["plugin"], "it names no plugin").hint(hint))
                }
                Some(Ok(plugin)) => {
                    let mut kinds = plugin.kinds().iter();
                    let kind = kinds.find(|kind| kind.name() == device.kind);
                    kind.ok_or_else(|| unknown_kind(table, &device.kind, plugin.kinds().iter()))
                }
                Some(Err(error)) => {
                    let message = crate::Error::with_causes(error);
                    Err(Problem::new(table, &["plugin"], message).hint(error.hint()))
                }
                None => {
                    let message = format!("plugin `{source}` was not loaded");
                    let hint = "call `LabBuilder::load_plugins` before `build`";
                    Err(Problem::new(table, &["plugin"], message).hint(hint))
                }
            };
        }
        if let Some(kind) = self.registry.find(&device.kind) {
            return Ok(kind);
        }
        if let Some(what_to_do) = self.registry.how_to_get(&device.kind) {
            let message = format!("this program was built without the kind `{}`", device.kind);
            return Err(Problem::new(table, &["kind"], message).hint(what_to_do));
        }
        Err(unknown_kind(table, &device.kind, self.registry.kinds().map(|(kind, _)| kind)))
    }
}

/// An id that no topic can have: the kind, if the table has none, or the numbers of `count` make it too long.
fn unusable_id(table: usize, device: &DeviceConfig, id: &str, error: TopicError) -> Problem {
    let problem = Problem::new(table, &["id"], format!("`{id}` cannot be part of a topic: {error}"));
    if device.id.is_none() {
        return problem.hint("without `id` the kind is the name; add a line `id = \"…\"`");
    }
    problem.hint("with `count` each device has a number behind its id; choose a shorter one")
}

/// The word of labs that were given none.
fn process_identity() -> &'static Identity {
    static PROCESS: OnceLock<Identity> = OnceLock::new();
    PROCESS.get_or_init(Identity::random)
}

/// The client ids of a lab with the device and the table that has each, to find one that is used twice.
#[derive(Default)]
struct ClientIds(BTreeMap<String, (String, usize, bool)>);

impl ClientIds {
    /// Notes the client id of a device. Returns a problem if another device has the same one.
    fn problem(&mut self, spec: &DeviceSpec) -> Option<Problem> {
        let (id, chosen) = (spec.client_id(), spec.config.client_id.is_some());
        let other = self.0.insert(id.clone(), (spec.name(), spec.table, chosen));
        let (other, other_table, other_chosen) = other?;
        // Two default ones are equal for devices of one name only, which has its own problem.
        let (table, owner) = match (chosen, other_chosen) {
            (true, _) => (spec.table, other),
            (false, true) => (other_table, spec.name()),
            (false, false) => return None,
        };
        let message = format!("device `{owner}` has the client id `{id}`, too");
        let hint = "choose another one: a broker disconnects the older of two clients with one id";
        Some(Problem::new(table, &["client_id"], message).hint(hint))
    }
}

fn unknown_kind<'a>(table: usize, kind: &str, known: impl Iterator<Item = &'a crate::Kind>) -> Problem {
    let kinds: Vec<_> = known.map(crate::Kind::name).collect();
    let problem = Problem::new(table, &["kind"], format!("there is no kind `{kind}`"));
    match nearest(kind, kinds.iter().copied()) {
        Some(known) => problem.hint(format!("did you mean `{known}`?")),
        _ if kinds.len() == 1 => problem.hint(format!("the only kind is: {}", kinds.concat())),
        _ => problem.hint(format!("the kinds are: {}", kinds.join(", "))),
    }
}

/// A seed of its own for every device; the same lab gives the same ones (FNV-1a).
fn seed(lab: u64, group: &str, id: &str) -> u64 {
    let text = lab.to_le_bytes().into_iter().chain(group.bytes()).chain([b'/']).chain(id.bytes());
    let hash = text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // TOML and JSON carry 53 bits without loss.
    hash >> 11
}
