//! What a plugin says of itself before any device is made, in every form the same JSON.

use crate::Plugin;
#[cfg(feature = "plugins")]
use crate::{CreateError, Description, Device, Error, Kind, device::OnlyActs};
use mqtt_lab_wire::Role;
use serde::{Deserialize, Serialize};

#[cfg(feature = "plugins")]
/// Most kinds that a plugin may offer.
const MAX_KINDS: usize = 1000;

/// Name, version and kinds of a plugin.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    pub(crate) kinds: Vec<KindManifest>,
}

/// What is known of a kind without an instance.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct KindManifest {
    pub(crate) name: String,
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) seeded: bool,
    /// The commented TOML block.
    #[serde(default)]
    pub(crate) sample: String,
    /// JSON Schema of the settings.
    #[serde(default)]
    pub(crate) settings: serde_json::Value,
}

impl Manifest {
    pub(crate) fn of(plugin: &Plugin) -> Self {
        let kinds = plugin.kinds().iter().map(|kind| KindManifest {
            name: kind.name().to_owned(),
            role: kind.role(),
            seeded: kind.is_seeded(),
            sample: kind.given_sample().to_owned(),
            settings: kind.settings_schema(),
        });
        Self { name: plugin.name().to_owned(), version: plugin.version().to_owned(), kinds: kinds.collect() }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(feature = "plugins")]
impl Manifest {
    /// Reads what a plugin answered.
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        let manifest: Self = serde_json::from_str(json)
            .map_err(|error| Error::new(format_args!("its manifest cannot be read: {error}")))?;
        if manifest.kinds.is_empty() || manifest.kinds.len() > MAX_KINDS {
            let kinds = manifest.kinds.len();
            return Err(Error::new(format_args!(
                "its manifest has {kinds} kinds, 1 to {MAX_KINDS} are allowed"
            )));
        }
        Ok(manifest)
    }
}

#[cfg(feature = "plugins")]
impl KindManifest {
    /// The kind, whose devices are made by `factory`.
    pub(crate) fn into_kind(
        self,
        factory: impl Fn(crate::Settings) -> crate::kind::Creating + Send + Sync + 'static,
    ) -> Kind {
        let (schema, acts) = (self.settings, self.role == Role::Actuator);
        let factory = move |settings| {
            let creating = factory(settings);
            if !acts {
                return creating;
            }
            let only_acts = |device| Box::new(OnlyActs(device)) as Box<dyn Device>;
            Box::pin(async move { creating.await.map(only_acts) }) as crate::kind::Creating
        };
        let kind =
            Kind::erased(&self.name, self.role, factory).schema(move || schema.clone()).sample(self.sample);
        if self.seeded { kind.seeded() } else { kind }
    }
}

/// The description that a plugin's device answered with.
#[cfg(feature = "plugins")]
pub(crate) fn description(parsed: serde_json::Result<Description>) -> Result<Description, CreateError> {
    parsed.map_err(|error| {
        CreateError::Refused(Error::new(format_args!("its description cannot be read: {error}")))
    })
}
