//! One device, ready to be started: configuration with every default filled in.

use crate::config::{DeviceConfig, MqttConfig};
use crate::link::{Credentials, Will};
use crate::supervisor::Supervisor;
use crate::{Identity, Kind, Settings};
use mqtt_lab_wire::{Address, Info, Qos, State, Topic, WillInfo};
use std::time::Duration;

/// In what a device of a changed configuration differs from the running one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The same kind by name and nothing else, made anew: its plugin was loaded again. Or a kind whose devices
    /// take over with other settings.
    Reloaded,
    /// Another kind, or other settings of the kind: another device under the same name.
    Device,
    /// Only what the runtime does with the device.
    Options,
}

/// What a device task needs to know.
#[derive(Clone, Debug)]
pub(crate) struct DeviceSpec {
    /// Which table it came from, counted from 0.
    pub(crate) table: usize,
    pub(crate) root: String,
    /// Last part of the client id.
    pub(crate) identity: Identity,
    /// Whether brokers may keep a session under the client id of an earlier version.
    pub(crate) end_former_session: bool,
    pub(crate) group: String,
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) settings: Settings,
    /// The table of this device alone: no settings, `count` 1, `id` and `group` filled in.
    pub(crate) config: DeviceConfig,
    pub(crate) mqtt: MqttConfig,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) supervisor: Supervisor,
    #[cfg(feature = "disk-spool")]
    pub(crate) disk: Option<crate::link::DiskSpool>,
}

impl DeviceSpec {
    /// What is different in `new`, a device of the same name. Which table it came from does not count.
    pub(crate) fn difference(&self, new: &Self) -> Option<Difference> {
        let same_kind = self.kind.is_same_as(&new.kind);
        let same_settings = self.settings == new.settings;
        let same_device = self.kind.name() == new.kind.name() && same_settings;
        let same_options =
            self.config == new.config && self.mqtt == new.mqtt && self.credentials == new.credentials;
        if same_kind && same_options && !same_settings && new.kind.takes_over() {
            return Some(Difference::Reloaded);
        }
        match (same_device, same_kind, same_options) {
            (true, true, true) => None,
            (true, true, false) => Some(Difference::Options),
            (true, false, true) => Some(Difference::Reloaded),
            (true, false, false) | (false, _, _) => Some(Difference::Device),
        }
    }

    /// Whether messages that this device left with the broker may be wrong for `new`.
    pub(crate) fn leaves_other_messages_than(&self, new: &Self) -> bool {
        self.difference(new) != Some(Difference::Options)
            || self.config.retain != new.config.retain
            || self.config.channels != new.config.channels
    }

    pub(crate) fn address(&self) -> Address<'_> {
        // The names were checked when the lab was built.
        Address::of_foreign(&self.root, &self.group, &self.id)
    }

    /// The topic of a channel that one of `inputs` names.
    pub(crate) fn input_topic(&self, input: &str) -> String {
        Topic::of_channel(&self.root, input).to_string()
    }

    /// The topic on which the device describes itself to which a channel of `inputs` belongs.
    pub(crate) fn input_info(&self, input: &str) -> String {
        let mut names = input.splitn(3, '/');
        let (group, id) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
        Address::of_foreign(&self.root, group, id).info().to_string()
    }

    /// `group/id`, as people read it.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.group, self.id)
    }

    /// Whether its channels are the variables of its group.
    pub(crate) const fn holds_variables(&self) -> bool {
        self.kind.takes_over()
    }

    /// The configured client id, else `<root>_<group>_<device>_<word>`.
    pub(crate) fn client_id(&self) -> String {
        let default = || self.identity.client_id(&self.root, &self.group, &self.id);
        self.config.client_id.clone().unwrap_or_else(default)
    }

    /// The client id that version 0.1.0 gave this device.
    pub(crate) fn former_client_id(&self) -> String {
        format!("{}-{}-{}", self.root.replace('/', "-"), self.group, self.id)
    }

    /// The name under which the spool keeps messages of this device. It does not depend on the client id, so
    /// that what waits is delivered by whoever runs the device next in this folder.
    #[cfg(feature = "disk-spool")]
    pub(crate) fn spool_name(&self) -> String {
        format!("{}/{}/{}", self.root, self.group, self.id)
    }

    pub(crate) fn qos(&self) -> Qos {
        self.config.qos.unwrap_or(self.mqtt.qos)
    }

    pub(crate) fn keep_alive_s(&self) -> u16 {
        self.config.keep_alive_s.unwrap_or(self.mqtt.keep_alive_s)
    }

    pub(crate) fn read_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.config.read_timeout_s)
    }

    pub(crate) fn version(&self) -> crate::config::MqttVersion {
        self.config.version.unwrap_or(self.mqtt.version)
    }

    pub(crate) fn will(&self) -> Will {
        let config = &self.config.will;
        let topic = config.topic.clone().unwrap_or_else(|| self.address().state().to_string());
        let payload = config.payload.clone().unwrap_or_else(|| State::Lost.as_str().to_owned());
        let mut will = Will::new(topic, payload);
        will.qos = config.qos.unwrap_or(Qos::AtLeastOnce);
        will.retain = config.retain.unwrap_or(true);
        will.delay = Duration::from_secs(config.delay_s.into());
        will
    }

    /// The part of `$info` that does not depend on the running device.
    pub(crate) fn info(&self) -> Info {
        let will = self.will();
        let mut info = Info::default();
        info.role = Some(self.kind.role());
        info.kind = Some(self.kind.name().to_owned().into());
        info.plugin = self.kind.plugin().cloned();
        info.label = self.config.label.clone().map(Into::into);
        info.payload = Some(self.config.payload);
        info.version = Some(match self.version() {
            crate::config::MqttVersion::V311 => 4,
            crate::config::MqttVersion::V5 => 5,
        });
        info.keep_alive_s = Some(self.keep_alive_s());
        info.retain = Some(self.config.retain);
        info.will = Some(WillInfo {
            topic: will.topic.into(),
            payload: String::from_utf8_lossy(&will.payload).into_owned().into(),
            qos: will.qos,
            retain: will.retain,
            delay_s: self.config.will.delay_s,
        });
        info
    }
}
