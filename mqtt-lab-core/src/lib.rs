//! Sensors and actuators as plugins, and the runtime that connects them by MQTT.
//!
//! A **device** is a [`Sensor`], an [`Actuator`], or both. It knows no MQTT: the runtime gives it a connection and a last will
//! of its own, asks it once per interval, publishes what it says and hands commands to it. A **lab** is any number of devices;
//! **kinds** of devices come from **plugins**, which are crates, libraries, scripts or other programs.
//!
//! | You want to | Read |
//! | --- | --- |
//! | write a sensor or an actuator | [First sensor](#first-sensor), [First actuator](#first-actuator), [`prelude`] |
//! | test it | [Tests without a broker](#tests-without-a-broker), [`testing::Bench`] |
//! | run devices in a program of your own | [Own kinds](#own-kinds), [A lab of TOML or code](#a-lab-of-toml-or-code), [`Lab`] |
//! | load plugins that others wrote | [`plugin`] |
//! | have a broker inside the program | [The embedded broker](#the-embedded-broker), [`broker`] |
//! | publish reliably, and nothing else | [The link alone](#the-link-alone), [`link`] |
//! | let users set values that devices follow | [Variables](#variables), [`Variables`] |
//! | react to what goes wrong | [Errors](#errors) |
//!
//! # Features
//!
//! | Feature | Gives | Default | Includes |
//! | --- | --- | --- | --- |
//! | none | traits, [`Kind`], [`Registry`], [`export_plugin!`]: all that a plugin needs, without network and MQTT | always | |
//! | `runtime` | [`Lab`], [`link`], [`trial`], [`config`], [`Variables`] | yes | |
//! | `plugins` | [`plugin::PluginLoader`]: libraries, scripts and other programs as plugins | yes | `runtime` |
//! | `disk-spool` | [`link::DiskSpool`]: what a link accepted survives the process | no | `runtime` |
//! | `broker` | [`broker`], an MQTT broker inside the program | no | `runtime` |
//! | `testing` | [`testing`], the test bench | no | |
//!
//! A plugin's crate takes none and, for its tests, `testing`:
//!
//! ```toml
//! [dependencies]
//! mqtt-lab-core = { version = "0.1", default-features = false }
//! serde = { version = "1", features = ["derive"] }
//!
//! [dev-dependencies]
//! mqtt-lab-core = { version = "0.1", default-features = false, features = ["testing"] }
//! ```
//!
//! # First sensor
//!
//! The fields of the struct are its settings, what stands below `[sensor.settings]` in a TOML file. This is
//! `examples/first-sensor`, and all of it:
//!
//! ```
//! use mqtt_lab_core::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct FileSize {
//!     path: String,
//! }
//!
//! #[async_trait]
//! impl Sensor for FileSize {
//!     fn describe(&self) -> Description {
//!         Description::sensor().channel(Channel::int("size").unit("B"))
//!     }
//!
//!     async fn read(&mut self) -> Result<Reading> {
//!         let bytes = std::fs::metadata(&self.path)?.len();
//!         Ok(i64::try_from(bytes)?.into())
//!     }
//! }
//!
//! export_plugin! { sensor "file-size" => FileSize }
//! ```
//!
//! Several channels, control variables and events: [`Description`], [`Reading`] and the page of [`Sensor`], which has the
//! contract.
//!
//! # First actuator
//!
//! What `apply` returns is the new state. It is published, retained, and ends the *pending* of the command
//! (`examples/first-actuator`):
//!
//! ```
//! use mqtt_lab_core::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Note {
//!     path: String,
//! }
//!
//! #[async_trait]
//! impl Actuator for Note {
//!     fn describe(&self) -> Description {
//!         Description::actuator().output(Channel::text("text"))
//!     }
//!
//!     async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
//!         std::fs::write(&self.path, value.to_string())?;
//!         Ok(value.into())
//!     }
//! }
//!
//! export_plugin! { actuator "note" => Note }
//! ```
//!
//! # Tests without a broker
//!
//! [`testing::Bench`] (feature `testing`) does what the runtime does (construct of settings, check each value against the
//! description), with a clock that jumps: a `sleep` in the device returns at once.
//!
//! ```
//! # use mqtt_lab_core::prelude::*;
//! use mqtt_lab_core::testing::Bench;
//!
//! # #[derive(Deserialize)] struct Dial { position: i64 }
//! # #[async_trait] impl Actuator for Dial {
//! #     fn describe(&self) -> Description { Description::actuator().output(Channel::int("position").range(0.0, 10.0)) }
//! #     async fn apply(&mut self, _: &str, value: Value) -> Result<Reading> { Ok(value.into()) }
//! # }
//! # export_plugin! { actuator "dial" => |settings: Dial| settings }
//! # fn main() {
//! // An actuator of kind `dial` with a channel `position` from 0 to 10.
//! let mut dial = Bench::new(&plugin(), "dial", [("position", 3)]);
//! assert_eq!(dial.set("position", 7).get("position"), Some(&Value::Int(7)));
//! let refused = dial.try_set("position", 11).unwrap_err();
//! assert_eq!(refused.to_string(), "channel `position` does not take `11`: expected a number from 0 to 10");
//! # }
//! ```
//!
//! [`trial::Trial`] runs a device alone in real time, as `mqtt-lab plugin run` does.
//!
//! # Own kinds
//!
//! [`export_plugin!`] makes a function `plugin()`. Where a kind needs more than a name and a constructor, write that function
//! by hand: a [`Plugin`] is a list of [`Kind`]s.
//!
//! ```
//! use mqtt_lab_core::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     /// How many sides it has (2 to 100).
//!     sides: i64,
//!     /// Where the randomness begins.
//!     seed: u64,
//! }
//!
//! struct Dice {
//!     sides: i64,
//!     random: u64,
//! }
//!
//! impl Dice {
//!     /// What cannot be used is refused here; `read` never sees it.
//!     fn new(Settings { sides, seed }: Settings) -> Result<Self> {
//!         if !(2..=100).contains(&sides) {
//!             return Err(Error::new(format_args!("`sides` must be from 2 to 100, not {sides}")));
//!         }
//!         Ok(Self { sides, random: seed })
//!     }
//! }
//!
//! #[async_trait]
//! impl Sensor for Dice {
//!     fn describe(&self) -> Description {
//!         Description::sensor().channel(Channel::int("eyes").range(1.0, 100.0))
//!     }
//!
//!     async fn read(&mut self) -> Result<Reading> {
//!         // Knuth, MMIX.
//!         self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
//!         Ok((1 + i64::try_from(self.random >> 33)? % self.sides).into())
//!     }
//! }
//!
//! fn plugin() -> Plugin {
//!     // Never blocks, so thousands share the workers; the lab fills `seed` in where the file says none.
//!     let dice = Kind::sensor("dice", Dice::new).settings::<Settings>().cooperative().seeded();
//!     Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).kind(dice)
//! }
//! # let refused = mqtt_lab_core::testing::Bench::try_new(&plugin(), "dice", [("sides", 1), ("seed", 7)]).err().unwrap();
//! # assert_eq!(refused.to_string(), "`sides` must be from 2 to 100, not 1");
//! # let mut dice = mqtt_lab_core::testing::Bench::new(&plugin(), "dice", [("sides", 6), ("seed", 7)]);
//! # for _ in 0..100 { assert!((1.0..=6.0).contains(&dice.read().get("eyes").unwrap().as_f64().unwrap())); }
//! ```
//!
//! # A lab of TOML or code
//!
//! [`Lab::builder`] takes plugins and devices. A device is a [`config::DeviceConfig`], made in code or read from a TOML table;
//! which tables a file has is the program's own matter.
//!
//! ```
//! use mqtt_lab_core::config::{DeviceConfig, MqttConfig};
//! use mqtt_lab_core::{Lab, prelude::*};
//! # #[derive(Deserialize)] struct FileSize { path: String }
//! # #[async_trait] impl Sensor for FileSize {
//! #     fn describe(&self) -> Description { Description::sensor().channel(Channel::int("size").unit("B")) }
//! #     async fn read(&mut self) -> Result<Reading> { Ok(i64::try_from(std::fs::metadata(&self.path)?.len())?.into()) }
//! # }
//! # export_plugin! { sensor "file-size" => |settings: FileSize| settings }
//!
//! #[derive(Deserialize)]
//! struct File {
//!     mqtt: MqttConfig,
//!     sensor: Vec<DeviceConfig>,
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let file: File = toml::from_str(r#"
//!     [mqtt]
//!     brokers = ["127.0.0.1:1883"]
//!
//!     [[sensor]]
//!     kind = "file-size"
//!     id = "log"
//!     interval_s = 0.5
//!     qos = 2
//!     will = { topic = "alarm/log", payload = "nobody watches the log" }
//!     settings.path = "lab.log"
//! "#)?;
//! let mut notes = DeviceConfig::new("file-size").id("notes").setting("path", "notes.txt");
//! notes.qos = Some(Qos::AtMostOnce);
//!
//! let lab = Lab::builder().mqtt(file.mqtt).plugin(&plugin()).devices(file.sensor).device(notes).build()?;
//! assert_eq!(lab.devices().collect::<Vec<_>>(), ["demo/log", "demo/notes"]);
//! # Ok(())
//! # }
//! ```
//!
//! [`Lab::start`] makes a [`RunningLab`] of it, which goes over to a changed configuration while it runs
//! ([`RunningLab::apply`]), and stops in order, without last wills ([`RunningLab::stop`]).
//!
//! # The embedded broker
//!
//! [`broker::Broker`] (feature `broker`) speaks MQTT 3.1.1 and 5. It listens on loopback alone, unless
//! [`BrokerConfig`](broker::BrokerConfig) allows more and names users. Here is a whole lab in one program:
//!
//! ```
//! use mqtt_lab_core::broker::{Broker, BrokerConfig};
//! use mqtt_lab_core::{Lab, config::DeviceConfig, prelude::*};
//! use std::time::Duration;
//! # #[derive(Deserialize)] struct Fixed { celsius: f64 }
//! # #[async_trait] impl Sensor for Fixed {
//! #     fn describe(&self) -> Description { Description::sensor().channel(Channel::float("temperature").unit("°C")) }
//! #     async fn read(&mut self) -> Result<Reading> { Ok(self.celsius.into()) }
//! # }
//! # export_plugin! { sensor "fixed" => |settings: Fixed| settings }
//!
//! # #[tokio::main] async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! // Port 0: any free one.
//! let config = BrokerConfig { bind: ([127, 0, 0, 1], 0).into(), ..BrokerConfig::default() };
//! let broker = Broker::start(&config).await?;
//!
//! let device = DeviceConfig::new("fixed").id("kitchen").setting("celsius", 21.5);
//! let lab = Lab::builder().broker(broker.address()).plugin(&plugin()).device(device).build()?.start().await?;
//! assert!(lab.connected(Duration::from_secs(30)).await.is_empty(), "nobody is missing");
//!
//! let clients = broker.clients().all();
//! assert_eq!((clients.len(), clients[0].dropped), (1, 0));
//!
//! assert!(lab.stop().await.is_empty(), "everybody delivered everything");
//! broker.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Broker::clients`](broker::Broker::clients) looks at who is connected or has a session, what waits for whom, and what was
//! dropped. Without [`storage`](broker::BrokerConfig::storage) all of that is in memory and ends with the process. With a
//! folder there, nothing that the broker acknowledged is lost by a kill of the process: sessions, their messages and retained
//! messages are there again after the next start, QoS 2 stays exactly once, and wills that were not published yet are. A power
//! cut may take the last moment, because a write is not forced to the disk before its acknowledgement.
//!
//! # The link alone
//!
//! [`link::Link`] is one MQTT connection that survives faults. What it accepted at QoS 1 or 2, it delivers, through any number
//! of connections, and says so:
//!
//! ```
//! use mqtt_lab_core::link::{Link, LinkConfig, Publish, Will};
//! # use mqtt_lab_core::broker::{Broker, BrokerConfig};
//! use std::time::Duration;
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let broker = Broker::start(&BrokerConfig { bind: ([127, 0, 0, 1], 0).into(), ..BrokerConfig::default() }).await?;
//! # let address = broker.address().to_string();
//! let mut config = LinkConfig::new(address, "thermometer"); // such as "127.0.0.1:1883"
//! config.will = Some(Will::new("alarm/thermometer", "gone"));
//! let (link, _events) = Link::spawn(config)?;
//!
//! // Accepted: from here on it is the link's to deliver.
//! let delivery = link.publish(Publish::new("lab/demo/thermometer/temperature", "21.5")).await?;
//! // Acknowledged: from here on it is the broker's.
//! delivery.await?;
//!
//! link.close(Duration::from_secs(5)).await?;
//! # broker.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Variables
//!
//! A variable is a value that users set and any number of devices follow, by `inputs` of their table. The variables of a
//! group are one device, `variables`; each is a channel of it.
//!
//! ```
//! use mqtt_lab_core::config::{DeviceConfig, VariableConfig};
//! use mqtt_lab_core::{Lab, Variables, prelude::*};
//! # #[derive(Deserialize)] struct Heater {}
//! # #[async_trait] impl Actuator for Heater {
//! #     fn describe(&self) -> Description { Description::actuator().output(Channel::float("target").unit("°C")) }
//! #     async fn apply(&mut self, _: &str, value: Value) -> Result<Reading> { Ok(value.into()) }
//! # }
//! # export_plugin! { actuator "heater" => |settings: Heater| settings }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let mut target = VariableConfig::new("target", Datatype::Float, 21.0);
//! (target.unit, target.min, target.max) = (Some("°C".into()), Some(5.0), Some(30.0));
//! let variables = Variables::new().declare("demo", &[target]);
//!
//! let mut heater = DeviceConfig::new("heater");
//! heater.inputs.insert("target".into(), "demo/variables/target".into());
//! let lab = Lab::builder().broker("127.0.0.1:1883").plugin(&plugin()).variables(&variables).device(heater).build()?;
//! # assert_eq!(lab.devices().collect::<Vec<_>>(), ["demo/heater"]);
//! # Ok(())
//! # }
//! ```
//!
//! [`Variables::remembered`] keeps values, and variables that users made, over a restart, in whatever implements
//! [`VariableMemory`].
//!
//! # Errors
//!
//! One type per operation. Each says what was tried, on what; what it has a [`source`](std::error::Error::source) for is not
//! repeated in its text.
//!
//! | From | Comes | Means |
//! | --- | --- | --- |
//! | a device | [`Error`] | this reading is skipped, this command refused; a [fatal](Error::fatal) one: construct it anew |
//! | [`Kind::create`] | [`CreateError`] | a setting is wrong, and which; or the constructor refuses |
//! | [`Description::check`] and the like | [`CheckError`] | a value does not fit what was described |
//! | [`LabBuilder::build`], [`Lab::start`], [`RunningLab::apply`] | [`BuildError`] | nothing was started or changed; all mistakes at once |
//! | [`Link::spawn`](link::Link::spawn), [`Link::close`](link::Link::close) | [`LinkError`](link::LinkError) | the configuration is wrong; what could not be delivered in time |
//! | [`Link::publish`](link::Link::publish) | [`PublishError`](link::PublishError) | it was not accepted |
//! | [`Delivery`](link::Delivery) | [`DeliveryError`](link::DeliveryError) | it was accepted, and the broker refused it or the link ended |
//! | [`Broker::start`](broker::Broker::start) | [`BrokerError`](broker::BrokerError) | the address or the folder cannot be used |
//! | [`PluginLoader::load`](plugin::PluginLoader::load) | [`LoadError`](plugin::LoadError) | it is no plugin; its hint says what to do |
//! | [`Variables::create`] and the like | [`VariableError`] | everything is as it was |
//!
//! A lab tells all mistakes of its tables, each with the place of the table, the key and what to do, so that a program can
//! show where it stands in its file:
//!
//! ```
//! use mqtt_lab_core::config::DeviceConfig;
//! use mqtt_lab_core::{BuildError, Lab, prelude::*};
//! # struct Fixed;
//! # #[async_trait] impl Sensor for Fixed {
//! #     fn describe(&self) -> Description { Description::sensor().channel(Channel::float("temperature")) }
//! #     async fn read(&mut self) -> Result<Reading> { Ok(21.5.into()) }
//! # }
//! # #[derive(Deserialize)] struct None {}
//! # let plugin = Plugin::new("mine", "0.1.0").kind(Kind::sensor("thermometer", |_: None| Fixed));
//!
//! let devices = [DeviceConfig::new("thermomter"), DeviceConfig::new("thermometer").id("Küche")];
//! let built = Lab::builder().broker("127.0.0.1:1883").plugin(&plugin).devices(devices).build();
//! let Err(BuildError::Devices(problems)) = built else { panic!("both are wrong") };
//! assert_eq!((problems[0].device, problems[0].key.as_slice()), (0, &["kind".to_owned()][..]));
//! assert_eq!(problems[0].hint.as_deref(), Some("did you mean `thermometer`?"));
//! assert!(problems[1].message.starts_with("`Küche` cannot be part of a topic"));
//! ```

mod actor;
mod actuator;
mod description;
mod device;
mod error;
#[doc(hidden)]
pub mod failpoint;
mod kind;
mod panicked;
pub mod plugin;
mod reading;
mod registry;
mod sample;
#[doc(hidden)]
pub mod schema;
mod sensor;
mod settings;
mod text_file;

#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "runtime")]
mod changes;
#[cfg(feature = "runtime")]
pub mod config;
#[cfg(feature = "plugins")]
mod file_stamp;
#[cfg(feature = "runtime")]
mod frame;
#[cfg(feature = "runtime")]
mod identity;
#[cfg(feature = "runtime")]
mod lab;
#[cfg(feature = "runtime")]
pub mod link;
#[cfg(feature = "runtime")]
mod plan;
#[cfg(feature = "runtime")]
mod pull;
#[cfg(feature = "runtime")]
mod reason;
#[cfg(feature = "runtime")]
mod running;
#[cfg(feature = "runtime")]
mod runtime;
#[cfg(any(feature = "broker", feature = "disk-spool"))]
mod storage;
#[cfg(feature = "runtime")]
pub mod supervisor;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "runtime")]
mod text;
#[cfg(feature = "runtime")]
pub mod trial;
#[cfg(feature = "runtime")]
mod undelivered;
#[cfg(feature = "runtime")]
mod variables;
#[cfg(feature = "runtime")]
mod wiring;

pub use actuator::Actuator;
#[cfg(feature = "runtime")]
pub use changes::Changes;
pub use description::{CheckError, Description};
pub use device::{Device, Interrupt, Remains};
pub use error::{Error, Result};
#[cfg(feature = "plugins")]
pub use file_stamp::FileStamp;
#[cfg(feature = "runtime")]
pub use identity::{Identity, IdentityError};
pub use kind::{IntoActuator, IntoSensor, Kind};
#[cfg(feature = "runtime")]
pub use lab::{BuildError, Lab, LabBuilder};
pub use mqtt_lab_wire::{
    Channel, Datatype, PayloadForm, PluginForm, PluginInfo, Qos, Role, State, Trigger, Value,
};
#[cfg(feature = "runtime")]
#[cfg(feature = "runtime")]
pub use pull::{NoSuchDevice, Pull};
pub use reading::Reading;
pub use registry::{KindTaken, Plugin, Registry};
#[cfg(feature = "runtime")]
pub use running::RunningLab;
/// The crate that makes a schema of a settings struct: `#[derive(JsonSchema)]` of the prelude.
pub use schemars;
pub use sensor::Sensor;
pub use settings::{CreateError, Settings};
pub use text_file::{NotUtf8, read_text};
#[cfg(feature = "runtime")]
pub use undelivered::Undelivered;
#[cfg(feature = "runtime")]
pub use variables::{KeptVariable, MAX_VARIABLES, VARIABLES, VariableError, VariableMemory, Variables};

/// Everything a plugin needs: `use mqtt_lab_core::prelude::*;`.
///
/// # A plugin, step by step
///
/// **1. What it measures or does.** A struct holds what it needs from one reading to the next. Its fields can
/// be its settings: what stands below `[sensor.settings]` in the TOML file. Their doc comments are the help
/// that `mqtt-lab kinds` shows.
///
/// **2. [`Sensor`] or [`Actuator`].** `describe` says which [`Channel`]s there are, with datatype, unit and
/// range; `read` takes a measurement, `apply` carries out a command. A [`Reading`] holds one value, or one for
/// each channel; an error of any kind goes out by `?` and is shown on the dashboard ([`Error`]).
///
/// **3. [`export_plugin!`]** names the kind that a TOML block asks for.
///
/// ```
/// use mqtt_lab_core::prelude::*;
///
/// /// A tank that is being filled.
/// #[derive(Deserialize, JsonSchema)]
/// struct Tank {
///     /// Level at the start, in litres.
///     litres: f64,
///     /// What flows in from one reading to the next, in litres. The user changes it while it runs.
///     #[serde(default)]
///     inflow: f64,
/// }
///
/// #[async_trait]
/// impl Sensor for Tank {
///     fn describe(&self) -> Description {
///         Description::sensor()
///             .channel(Channel::float("level").unit("L").range(0.0, 1000.0))
///             .control(Channel::float("inflow").unit("L").range(-10.0, 10.0).initial(self.inflow))
///     }
///
///     async fn read(&mut self) -> Result<Reading> {
///         self.litres += self.inflow;
///         if self.litres > 1000.0 {
///             return Err(Error::new("the tank runs over"));
///         }
///         Ok(Reading::new().with("level", self.litres))
///     }
///
///     async fn set(&mut self, _channel: &str, value: Value) -> Result<()> {
///         // Checked before: it is a number from -10 to 10.
///         self.inflow = value.as_f64().unwrap_or_default();
///         Ok(())
///     }
/// }
///
/// export_plugin! { sensor "tank" => Tank }
/// # #[cfg(feature = "testing")]
/// # fn main() {
///
/// // 4. A test, without broker and waiting (feature `testing`).
/// let mut tank = mqtt_lab_core::testing::Bench::new(&plugin(), "tank", [("litres", 990.0)]);
/// tank.set("inflow", 6.0);
/// assert_eq!(tank.read().get("level"), Some(&Value::Float(996.0)));
/// assert_eq!(tank.try_read().unwrap_err().to_string(), "the tank runs over");
/// # }
/// # #[cfg(not(feature = "testing"))]
/// # fn main() {}
/// ```
///
/// **5. In a lab**: `plugin = "tank"` and `kind = "tank"` in a `[[sensor]]` table, where `tank` is the crate's
/// folder. `mqtt-lab new sensor NAME` makes such a crate.
pub mod prelude {
    pub use crate::{
        Actuator, Channel, Datatype, Description, Error, Kind, Plugin, Qos, Reading, Result, Sensor, Value,
        export_plugin,
    };
    pub use async_trait::async_trait;
    // `derive(JsonSchema)` looks for the crate under this name.
    pub use schemars::{self, JsonSchema};
    pub use serde::Deserialize;
}

/// The Rust in both READMEs compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../README.de.md")]
mod readme {}
