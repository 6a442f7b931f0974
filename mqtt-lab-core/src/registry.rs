//! Plugins and what they offer.

use crate::Kind;
use std::collections::BTreeMap;
use std::fmt;

/// A crate's kinds of devices: what its `plugin()` returns.
#[derive(Clone, Debug)]
pub struct Plugin {
    name: String,
    version: String,
    kinds: Vec<Kind>,
    left_out: Vec<(String, String)>,
}

impl Plugin {
    /// A plugin without kinds.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into(), kinds: Vec::new(), left_out: Vec::new() }
    }

    /// Adds a kind; the names of a plugin's kinds must differ, and from those of other plugins ([`Registry::add`]).
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Says that it was compiled without a kind, and what to do to get it: who asks for that kind is told so.
    #[must_use]
    pub fn left_out(mut self, kind: &str, what_to_do: &str) -> Self {
        self.left_out.push((kind.into(), what_to_do.into()));
        self
    }

    /// What to do to get a kind that it was compiled without.
    #[must_use]
    pub fn how_to_get(&self, kind: &str) -> Option<&str> {
        self.left_out.iter().find(|(name, _)| name == kind).map(|(_, what_to_do)| what_to_do.as_str())
    }

    /// Says how it was loaded, to all its kinds.
    #[cfg(feature = "plugins")]
    pub(crate) fn came_from(mut self, info: &mqtt_lab_wire::PluginInfo) -> Self {
        let info = std::sync::Arc::new(info.clone());
        self.kinds = self.kinds.into_iter().map(|kind| kind.came_from(&info)).collect();
        self
    }

    /// The plugin's name: that of its crate, or of its script.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plugin's version, as its crate or script says it.
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

/// Exports the sensors and actuators of a crate: `plugin()` for programs that compile it in, and the one
/// symbol by which a lab finds it in a library (`crate-type = ["cdylib", "rlib"]`).
///
/// Each line is `sensor`, `actuator` or `both`, the kind's name, and what makes a device of its settings: the
/// name of a type that is its own settings, or a constructor such as `Tank::new` or `|settings: Config| …`.
///
/// ```
/// use mqtt_lab_core::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
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
/// export_plugin! { sensor "thermometer" => Thermometer }
/// # fn main() { assert_eq!(plugin().kinds()[0].name(), "thermometer"); }
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($($kinds:tt)+) => {
        /// The kinds of devices that this crate offers.
        #[must_use]
        pub fn plugin() -> $crate::Plugin {
            let plugin = $crate::Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
            $crate::__add_kinds!(plugin; $($kinds)+)
        }

        #[cfg(panic = "abort")]
        compile_error!("a plugin needs `panic = \"unwind\"`: remove `panic = \"abort\"` from the profile");

        #[allow(unsafe_code)]
        const _: () = {
            // The crate's name is part of the symbol, so that two plugins can be linked into one program.
            // SAFETY: nobody else exports a symbol of this name.
            #[unsafe(export_name = concat!("mqtt_lab_plugin_v1__", env!("CARGO_CRATE_NAME")))]
            extern "C" fn entry() -> *const $crate::plugin::abi::PluginV1 {
                $crate::plugin::entry(plugin)
            }
        };
    };
}

/// The lines of `export_plugin!`, one after the other: a single word is a type that is its own settings,
/// anything else a constructor.
#[doc(hidden)]
#[macro_export]
macro_rules! __add_kinds {
    ($plugin:expr;) => { $plugin };
    ($plugin:expr; $role:ident $name:literal => $type:ident $(, $($more:tt)*)?) => {
        $crate::__add_kinds!($plugin; $role $name => (|device: $type| device) $(, $($more)*)?)
    };
    ($plugin:expr; $role:ident $name:literal => $new:expr $(, $($more:tt)*)?) => {{
        let plugin = $plugin;
        let kind = {
            use $crate::schema::{Documented as _, Undocumented as _};
            let new = $new;
            let schema = (&$crate::schema::SettingsOf::constructor(&new)).schema();
            $crate::Kind::$role($name, new).schema(schema)
        };
        $crate::__add_kinds!(plugin.kind(kind); $($($more)*)?)
    }};
}

/// All kinds a lab knows.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    kinds: BTreeMap<String, (Kind, String)>,
    left_out: BTreeMap<String, String>,
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
        self.left_out.extend(plugin.left_out.iter().cloned());
        Ok(())
    }

    /// The kind of a name.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<&Kind> {
        self.kinds.get(kind).map(|(kind, _)| kind)
    }

    /// What to do to get a kind that one of its plugins was compiled without.
    #[must_use]
    pub fn how_to_get(&self, kind: &str) -> Option<&str> {
        self.left_out.get(kind).map(String::as_str)
    }

    /// Every kind with the plugin that offers it, sorted by name.
    pub fn kinds(&self) -> impl Iterator<Item = (&Kind, &str)> {
        self.kinds.values().map(|(kind, plugin)| (kind, plugin.as_str()))
    }
}

/// Two plugins offer a kind of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindTaken {
    /// The name that both plugins offer.
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
