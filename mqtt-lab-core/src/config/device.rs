//! The `[[sensor]]` and `[[actuator]]` tables.

use super::{MqttVersion, Problem};
use crate::Settings;
use crate::link::SpoolPolicy;
use mqtt_lab_wire::{MAX_WILL_PAYLOAD_BYTES, MAX_WILL_TOPIC_BYTES, PayloadForm, Qos, check_word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most devices that one table may ask for.
pub const MAX_COUNT: u32 = 20_000;

/// Longest label, in characters: it travels in the device's description.
const MAX_LABEL: usize = 1000;

/// Longest client id that one may choose, in bytes.
const MAX_CLIENT_ID: usize = 256;

/// A `[[sensor]]` or `[[actuator]]` table: one device, or `count` of them.
///
/// ```
/// # use mqtt_lab_core::config::DeviceConfig;
/// let mut kitchen = DeviceConfig::new("temperature").id("kitchen").group("home");
/// kitchen.interval_s = 0.5;
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// What the device is: one of the kinds that `mqtt-lab kinds` lists.
    pub kind: String,
    /// Where the kind comes from when it is not compiled into the program: a crate's folder, a library, a
    /// script, or a list with a program and its arguments. Paths start at the folder of this file.
    #[cfg(feature = "plugins")]
    pub plugin: Option<crate::plugin::PluginSource>,
    /// Whether the plugin runs in a process of its own: `"none"` or `"process"`. Default: that of
    /// `[plugins]`.
    #[cfg(feature = "plugins")]
    pub isolation: Option<super::Isolation>,
    /// Name of the device in its topic, of `a-z 0-9 -`. Default: the kind.
    pub id: Option<String>,
    /// Group of the device, the second level of its topic. Default: the lab's.
    pub group: Option<String>,
    /// MQTT client id, used as it is (1 to 256 bytes); with `count`, `-1`, `-2` … are added. Default:
    /// `<root>_<group>_<device>_<word>`, where the word is random and kept with the lab's data.
    pub client_id: Option<String>,
    /// What a person calls it.
    pub label: Option<String>,
    /// How many such devices; with more than one, `-1`, `-2` … are added to the id.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = MAX_COUNT))]
    pub count: u32,
    /// Time between two readings, in seconds (0.001 to 604800). Event sensors have none.
    #[serde(default = "interval_s")]
    #[schemars(range(min = 0.001, max = 604_800.0))]
    pub interval_s: f64,
    /// Time after which a reading or a command counts as hung, in seconds (0.01 to 86400).
    #[serde(default = "read_timeout_s")]
    #[schemars(range(min = 0.01, max = 86_400.0))]
    pub read_timeout_s: f64,
    /// QoS of the samples: 0, 1 or 2. Default: that of `[mqtt]`.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::qos")]
    pub qos: Option<Qos>,
    /// Whether the broker keeps the last sample for those who subscribe later.
    #[serde(default)]
    pub retain: bool,
    /// Form of the samples: `"json"` (countable) or `"plain"` (smallest).
    #[serde(default)]
    #[schemars(schema_with = "super::schema::payload")]
    pub payload: PayloadForm,
    /// MQTT version of the device's connection. Default: that of `[mqtt]`.
    pub version: Option<MqttVersion>,
    /// Longest silence of the device, in seconds (5 to 65535). Default: that of `[mqtt]`.
    #[schemars(range(min = 5))]
    pub keep_alive_s: Option<u16>,
    /// Most messages that wait for the broker's acknowledgement (1 to 1000000).
    #[serde(default = "spool_messages")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub spool_messages: usize,
    /// What happens to a message for which there is no room: `"block"` (the device waits and measures less
    /// often), `"drop-oldest"` or `"error"` (the new one is dropped); what is dropped is counted.
    #[serde(default)]
    pub when_full: SpoolPolicy,
    /// Whether they are kept in the folder of `[spool]`, if there is one (default: true).
    #[serde(default = "on_disk")]
    pub on_disk: bool,
    /// The device's last will.
    #[serde(default)]
    pub will: WillConfig,
    /// What differs for single channels.
    #[serde(default)]
    pub channels: BTreeMap<String, ChannelConfig>,
    /// Control variables that follow a channel of another device:
    /// `inputs.power = "demo/heater/power"` (group/device/channel).
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// The settings of the kind itself.
    #[serde(default)]
    pub settings: Settings,
}

const fn one() -> u32 {
    1
}

const fn interval_s() -> f64 {
    1.0
}

const fn spool_messages() -> usize {
    10_000
}

const fn on_disk() -> bool {
    true
}

const fn read_timeout_s() -> f64 {
    10.0
}

impl DeviceConfig {
    /// A device of `kind` with every option at its default.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            #[cfg(feature = "plugins")]
            plugin: None,
            #[cfg(feature = "plugins")]
            isolation: None,
            id: None,
            group: None,
            client_id: None,
            label: None,
            count: one(),
            interval_s: interval_s(),
            read_timeout_s: read_timeout_s(),
            qos: None,
            retain: false,
            payload: PayloadForm::default(),
            version: None,
            keep_alive_s: None,
            spool_messages: spool_messages(),
            when_full: SpoolPolicy::default(),
            on_disk: on_disk(),
            will: WillConfig::default(),
            channels: BTreeMap::new(),
            inputs: BTreeMap::new(),
            settings: Settings::new(),
        }
    }

    /// Sets the id: its level of the topic, of `a-z 0-9 -`; by default it is the kind.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the group, the second level of its topic; by default it is that of the lab.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Sets one of the kind's own settings.
    #[must_use]
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.settings.insert(key.into(), value.into());
        self
    }

    /// The ids of the devices that this table asks for.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let id = self.id.as_ref().unwrap_or(&self.kind);
        self.numbered(id).collect()
    }

    /// The client ids of the devices that this table asks for; `None` for those that have the default one.
    pub(crate) fn client_ids(&self) -> Vec<Option<String>> {
        match &self.client_id {
            Some(id) => self.numbered(id).map(Some).collect(),
            None => vec![None; self.count as usize],
        }
    }

    /// `word` for one device; for several, the word with the number of each.
    fn numbered<'a>(&self, word: &'a str) -> impl Iterator<Item = String> + use<'a> {
        let one = self.count == 1;
        (1..=self.count).map(move |i| if one { word.to_owned() } else { format!("{word}-{i}") })
    }

    /// What is wrong with the options themselves, whatever kinds exist.
    pub(crate) fn check(&self, device: usize) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &[&str], message: String| problems.push(Problem::new(device, key, message));
        for (key, word) in [("id", &self.id), ("group", &self.group)] {
            match word.as_deref().map(|word| (word, check_word(word))) {
                Some((word, Err(error))) => {
                    wrong(&[key], format!("`{word}` cannot be part of a topic: {error}"));
                }
                Some((word, Ok(()))) if word.starts_with('$') => {
                    wrong(&[key], format!("`{word}` begins with `$`, which marks the framework's own names"));
                }
                _ => {}
            }
        }
        if let Some(id) = &self.client_id
            && let Some(longest) = self.numbered(id).last()
            && let Err(problem) = check_client_id(id).and_then(|()| check_client_id(&longest))
        {
            let short: String = id.chars().filter(|c| !c.is_control()).take(40).collect();
            wrong(&["client_id"], format!("`{short}` {problem}"));
        }
        if self.label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL) {
            wrong(&["label"], format!("it is longer than {MAX_LABEL} characters"));
        }
        if !(1..=MAX_COUNT).contains(&self.count) {
            wrong(&["count"], format!("`{}` must be from 1 to {MAX_COUNT}", self.count));
        }
        if !(0.001..=604_800.0).contains(&self.interval_s) {
            wrong(&["interval_s"], format!("`{}` must be from 0.001 to 604800 seconds", self.interval_s));
        }
        if !(0.01..=86_400.0).contains(&self.read_timeout_s) {
            wrong(
                &["read_timeout_s"],
                format!("`{}` must be from 0.01 to 86400 seconds", self.read_timeout_s),
            );
        }
        if !(1..=1_000_000).contains(&self.spool_messages) {
            wrong(&["spool_messages"], format!("`{}` must be from 1 to 1000000", self.spool_messages));
        }
        if let Some(keep_alive @ 0..5) = self.keep_alive_s {
            wrong(&["keep_alive_s"], format!("`{keep_alive}` must be from 5 to 65535 seconds"));
        }
        if let Some(topic) = &self.will.topic
            && let Err(problem) = will_topic(topic)
        {
            let topic: String = topic.chars().filter(|c| !c.is_control()).take(60).collect();
            wrong(&["will", "topic"], format!("`{topic}` {problem}"));
        }
        if self.will.payload.as_ref().is_some_and(|payload| payload.len() > MAX_WILL_PAYLOAD_BYTES) {
            wrong(&["will", "payload"], format!("the payload is longer than {MAX_WILL_PAYLOAD_BYTES} bytes"));
        }
        if self.when_full == SpoolPolicy::DropOldest && self.spool_messages == 1 {
            wrong(&["spool_messages"], "`1` must be at least 2 with `when_full = \"drop-oldest\"`".into());
        }
        for (channel, topic) in &self.inputs {
            let levels = topic.split('/').filter(|level| !level.is_empty()).count();
            if levels != topic.split('/').count() || levels < 3 || topic.contains(['+', '#', '\0']) {
                wrong(&["inputs", channel], format!("`{topic}` must be `group/device/channel`"));
            }
        }
        problems
    }
}

/// Checks a client id. MQTT allows more (MQTT-3.1.3-5); brokers and people who read a log do not.
fn check_client_id(id: &str) -> Result<(), String> {
    crate::text::text(id)?;
    if id.contains(char::is_control) {
        return Err("contains a control character".into());
    }
    if id.len() > MAX_CLIENT_ID {
        return Err(format!("is longer than {MAX_CLIENT_ID} bytes"));
    }
    Ok(())
}

/// The `will` of a device: what the broker publishes when the device is gone without a goodbye.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WillConfig {
    /// Full topic. Default: the device's `$state`.
    pub topic: Option<String>,
    /// Payload. Default: `lost`.
    pub payload: Option<String>,
    /// QoS: 0, 1 (default) or 2.
    #[schemars(schema_with = "super::schema::qos")]
    pub qos: Option<Qos>,
    /// Whether it is retained (default: true).
    pub retain: Option<bool>,
    /// How long the broker waits after the connection was lost, in seconds (MQTT 5 only). A device
    /// that is back within that time leaves no will.
    pub delay_s: u32,
}

/// What differs for one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelConfig {
    /// QoS of its samples: 0, 1 or 2.
    #[schemars(schema_with = "super::schema::qos")]
    pub qos: Option<Qos>,
    /// Whether the broker keeps its last sample.
    pub retain: Option<bool>,
}

/// Checks the topic of a last will, which must also fit into the device's description.
fn will_topic(topic: &str) -> Result<(), String> {
    if topic.len() > MAX_WILL_TOPIC_BYTES {
        return Err(format!("… is longer than {MAX_WILL_TOPIC_BYTES} bytes"));
    }
    if crate::text::topic_name(topic).is_err() {
        return Err("cannot be published to: no `+`, `#` or empty topic".into());
    }
    if topic.starts_with('$') {
        return Err("cannot be published to: topics that begin with `$` belong to the broker".into());
    }
    Ok(())
}
