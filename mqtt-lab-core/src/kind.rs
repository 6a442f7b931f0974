//! Kinds of devices, and what their constructors may return.

use crate::device::{OfActuator, OfBoth, OfSensor};
use crate::settings::{CreateError, Settings, parse};
use crate::{Actuator, Device, Result, Sensor, sample};
use mqtt_lab_wire::{PluginInfo, Role};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// A device that is being constructed.
pub(crate) type Creating = Pin<Box<dyn Future<Output = Result<Box<dyn Device>, CreateError>> + Send>>;

type Factory = dyn Fn(Settings) -> Creating + Send + Sync;
type Schema = dyn Fn() -> serde_json::Value + Send + Sync;

/// One kind of device: what a TOML block asks for with `kind = "…"`.
#[derive(Clone)]
pub struct Kind {
    name: String,
    role: Role,
    cooperative: bool,
    seeded: bool,
    #[cfg_attr(not(feature = "runtime"), allow(dead_code, reason = "the runtime asks for it"))]
    takes_over: bool,
    sample: Cow<'static, str>,
    plugin: Option<Arc<PluginInfo>>,
    schema: Arc<Schema>,
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
        let new = Arc::new(new);
        Self::erased(name, role, move |settings| {
            let new = Arc::clone(&new);
            Box::pin(async move {
                let settings = parse(settings)?;
                new(settings).map_err(CreateError::Refused)
            })
        })
    }

    /// A kind whose devices are made by `factory`, wherever they live.
    pub(crate) fn erased(
        name: &str,
        role: Role,
        factory: impl Fn(Settings) -> Creating + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            role,
            cooperative: false,
            seeded: false,
            takes_over: false,
            sample: Cow::Borrowed(""),
            plugin: None,
            schema: Arc::new(|| serde_json::Value::Null),
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

    /// Says that a device with other settings takes over from the running one, connection and all, as one
    /// whose plugin was loaded again does.
    #[cfg(feature = "runtime")]
    #[must_use]
    pub(crate) const fn taking_over(mut self) -> Self {
        self.takes_over = true;
        self
    }

    /// Whether a device with other settings takes over from the running one.
    #[cfg(feature = "runtime")]
    pub(crate) const fn takes_over(&self) -> bool {
        self.takes_over
    }

    /// Sets the commented TOML block that `mqtt-lab kinds` shows. Without it the block is made of the
    /// settings struct: its fields, their doc comments and defaults.
    #[must_use]
    pub fn sample(mut self, toml: impl Into<Cow<'static, str>>) -> Self {
        self.sample = toml.into();
        self
    }

    /// Says which plugin it was loaded from.
    #[cfg(feature = "plugins")]
    pub(crate) fn came_from(mut self, plugin: &Arc<PluginInfo>) -> Self {
        self.plugin = Some(Arc::clone(plugin));
        self
    }

    /// The plugin it was loaded from; none for a kind that is compiled into the program.
    #[must_use]
    pub fn plugin(&self) -> Option<&PluginInfo> {
        self.plugin.as_deref()
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

    /// The commented TOML block that asks for this kind, with every option.
    #[must_use]
    pub fn sample_toml(&self) -> Cow<'_, str> {
        if self.sample.is_empty() {
            return sample::block(&self.name, self.role, &self.settings_schema()).into();
        }
        Cow::Borrowed(&self.sample)
    }

    /// The sample that the plugin itself gave; empty where there is none.
    pub(crate) fn given_sample(&self) -> &str {
        &self.sample
    }

    /// Says what settings there are, by a JSON Schema: what `mqtt-lab kinds` tells of them. `export_plugin!`
    /// does this where the settings struct derives `JsonSchema`.
    #[must_use]
    pub fn schema(mut self, schema: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        self.schema = Arc::new(schema);
        self
    }

    /// As [`Kind::schema`], by the schema of the settings struct.
    #[must_use]
    pub fn settings<C: schemars::JsonSchema>(self) -> Self {
        self.schema(|| schemars::schema_for!(C).to_value())
    }

    /// The JSON Schema (draft 2020-12) of the settings; null where it is not known.
    #[must_use]
    pub fn settings_schema(&self) -> serde_json::Value {
        (self.schema)()
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
    pub async fn create(&self, settings: Settings) -> Result<Box<dyn Device>, CreateError> {
        (self.factory)(settings).await
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
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
