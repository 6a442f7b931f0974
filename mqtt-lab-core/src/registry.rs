//! Plugins and the kinds of devices they offer.

use crate::device::{OfActuator, OfBoth, OfSensor};
use crate::{Actuator, Device, Error, Result, Sensor};
use mqtt_lab_wire::Role;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The settings of one device, as they came from the `settings` table of its TOML block.
pub type Settings = serde_json::Map<String, serde_json::Value>;

type Factory = dyn Fn(Settings) -> Result<Box<dyn Device>, CreateError> + Send + Sync;

/// One kind of device: what a TOML block asks for with `kind = "…"`.
#[derive(Clone)]
pub struct Kind {
    name: String,
    role: Role,
    cooperative: bool,
    seeded: bool,
    sample: &'static str,
    factory: Arc<Factory>,
}

impl Kind {
    /// A kind of sensor. `new` takes the plugin's own settings struct and returns the sensor, or a
    /// `Result` of it.
    pub fn sensor<C: DeserializeOwned, R: IntoSensor>(
        name: &str,
        new: impl Fn(C) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, Role::Sensor, move |settings| Ok(Box::new(OfSensor(new(settings).into_sensor()?))))
    }

    /// A kind of actuator, as [`Kind::sensor`].
    pub fn actuator<C: DeserializeOwned, R: IntoActuator>(
        name: &str,
        new: impl Fn(C) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, Role::Actuator, move |settings| {
            Ok(Box::new(OfActuator(new(settings).into_actuator()?)))
        })
    }

    /// A kind of device that measures and acts, as [`Kind::sensor`].
    pub fn both<C: DeserializeOwned, R: IntoSensor<Sensor: Actuator>>(
        name: &str,
        new: impl Fn(C) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, Role::Both, move |settings| Ok(Box::new(OfBoth(new(settings).into_sensor()?))))
    }

    fn new<C: DeserializeOwned>(
        name: &str,
        role: Role,
        new: impl Fn(C) -> Result<Box<dyn Device>> + Send + Sync + 'static,
    ) -> Self {
        let factory = move |settings: Settings| {
            let settings = parse_settings(settings)?;
            new(settings).map_err(CreateError::Refused)
        };
        Self {
            name: name.into(),
            role,
            cooperative: false,
            seeded: false,
            sample: "",
            factory: Arc::new(factory),
        }
    }

    /// Promises that this kind never blocks its thread, so that thousands of devices share the
    /// runtime's workers. Without it every device has a thread of its own.
    #[must_use]
    pub const fn cooperative(mut self) -> Self {
        self.cooperative = true;
        self
    }

    /// Says that the settings have a number `seed`. Where the TOML block leaves it out, the runtime
    /// fills it from the lab's seed and the device's address: the same lab gives the same values.
    #[must_use]
    pub const fn seeded(mut self) -> Self {
        self.seeded = true;
        self
    }

    /// Sets the commented TOML block that `mqtt-lab kinds` shows.
    #[must_use]
    pub const fn sample(mut self, toml: &'static str) -> Self {
        self.sample = toml;
        self
    }

    /// The name that a TOML block asks for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sensor, actuator or both.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether devices of this kind share the runtime's workers.
    #[must_use]
    pub const fn is_cooperative(&self) -> bool {
        self.cooperative
    }

    /// Whether the settings have a number `seed`.
    #[must_use]
    pub const fn is_seeded(&self) -> bool {
        self.seeded
    }

    /// The commented TOML block, empty where the plugin gives none.
    #[must_use]
    pub const fn sample_toml(&self) -> &'static str {
        self.sample
    }

    /// Whether both are one and the same kind, made once and cloned since. A plugin that was loaded
    /// again makes other kinds of the same names.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.factory, &other.factory)
    }

    /// Constructs a device.
    ///
    /// # Errors
    ///
    /// [`CreateError`] when a setting is wrong or the constructor refuses.
    pub fn create(&self, settings: Settings) -> Result<Box<dyn Device>, CreateError> {
        (self.factory)(settings)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

fn parse_settings<C: DeserializeOwned>(settings: Settings) -> Result<C, CreateError> {
    let json = serde_json::Value::Object(settings);
    serde_path_to_error::deserialize(&json).map_err(|error| {
        let mut path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let message = error.inner().to_string();
        // Of an unknown field serde tells the name in the message only.
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        if let Some(key) = unknown {
            path.retain(|part| part != "?" && part != key);
            path.push(key.to_owned());
        }
        CreateError::Setting { path, message }
    })
}

/// What the constructor of a sensor may return: the sensor or a `Result` of it.
pub trait IntoSensor {
    /// The sensor.
    type Sensor: Sensor;

    /// The sensor, or why there is none.
    ///
    /// # Errors
    ///
    /// What the constructor returned.
    fn into_sensor(self) -> Result<Self::Sensor>;
}

impl<T: Sensor> IntoSensor for T {
    type Sensor = T;

    fn into_sensor(self) -> Result<T> {
        Ok(self)
    }
}

impl<T: Sensor> IntoSensor for Result<T> {
    type Sensor = T;

    fn into_sensor(self) -> Result<T> {
        self
    }
}

/// What the constructor of an actuator may return: the actuator or a `Result` of it.
pub trait IntoActuator {
    /// The actuator.
    type Actuator: Actuator;

    /// The actuator, or why there is none.
    ///
    /// # Errors
    ///
    /// What the constructor returned.
    fn into_actuator(self) -> Result<Self::Actuator>;
}

impl<T: Actuator> IntoActuator for T {
    type Actuator = T;

    fn into_actuator(self) -> Result<T> {
        Ok(self)
    }
}

impl<T: Actuator> IntoActuator for Result<T> {
    type Actuator = T;

    fn into_actuator(self) -> Result<T> {
        self
    }
}

/// Why a device could not be constructed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// A setting is unknown, missing or of the wrong type.
    Setting {
        /// The way to the key inside `settings`; empty when a key is missing at the top.
        path: Vec<String>,
        /// What is wrong.
        message: String,
    },
    /// The constructor refused.
    Refused(Error),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { message, .. } => f.write_str(message),
            Self::Refused(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CreateError {}

/// A crate's kinds of devices: what its `plugin()` returns.
#[derive(Clone, Debug)]
pub struct Plugin {
    name: String,
    version: String,
    kinds: Vec<Kind>,
}

impl Plugin {
    /// A plugin without kinds.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into(), kinds: Vec::new() }
    }

    /// Adds a kind.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plugin's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The kinds it offers.
    #[must_use]
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }
}

/// Makes `plugin()` from the sensors and actuators of a crate.
///
/// ```
/// use mqtt_lab_core::prelude::*;
///
/// #[derive(serde::Deserialize)]
/// struct Thermometer { celsius: f64 }
///
/// #[async_trait]
/// impl Sensor for Thermometer {
///     fn describe(&self) -> Description {
///         Description::sensor().channel(Channel::float("temperature").unit("°C"))
///     }
///     async fn read(&mut self) -> Result<Reading> {
///         Ok(self.celsius.into())
///     }
/// }
///
/// export_plugin! { sensor "thermometer" => |settings: Thermometer| settings }
/// # fn main() { assert_eq!(plugin().kinds()[0].name(), "thermometer"); }
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($($role:ident $name:literal => $new:expr),+ $(,)?) => {
        /// The kinds of devices that this crate offers.
        #[must_use]
        pub fn plugin() -> $crate::Plugin {
            $crate::Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                $(.kind($crate::Kind::$role($name, $new)))+
        }
    };
}

/// All kinds a lab knows.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    kinds: BTreeMap<String, (Kind, String)>,
}

impl Registry {
    /// A registry that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the kinds of a plugin.
    ///
    /// # Errors
    ///
    /// [`KindTaken`] when another plugin offers a kind of the same name; then none is added.
    pub fn add(&mut self, plugin: &Plugin) -> Result<(), KindTaken> {
        for kind in plugin.kinds() {
            if let Some((_, by)) = self.kinds.get(kind.name()) {
                let (kind, by) = (kind.name().to_owned(), by.clone());
                return Err(KindTaken { kind, by, plugin: plugin.name().to_owned() });
            }
        }
        for kind in plugin.kinds() {
            self.kinds.insert(kind.name().to_owned(), (kind.clone(), plugin.name().to_owned()));
        }
        Ok(())
    }

    /// The kind of a name.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<&Kind> {
        self.kinds.get(kind).map(|(kind, _)| kind)
    }

    /// Every kind with the plugin that offers it, sorted by name.
    pub fn kinds(&self) -> impl Iterator<Item = (&Kind, &str)> {
        self.kinds.values().map(|(kind, plugin)| (kind, plugin.as_str()))
    }
}

/// Two plugins offer a kind of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindTaken {
    /// The name.
    pub kind: String,
    /// The plugin that has it.
    pub by: String,
    /// The plugin that wanted it.
    pub plugin: String,
}

impl fmt::Display for KindTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, by, plugin } = self;
        write!(f, "plugin `{plugin}` offers the kind `{kind}`, which plugin `{by}` already offers")
    }
}

impl std::error::Error for KindTaken {}
