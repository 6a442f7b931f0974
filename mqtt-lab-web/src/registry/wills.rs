//! Last wills on topics of their own.

use std::collections::HashMap;

use mqtt_lab_wire::WillInfo;

use super::device::Device;
use crate::store::DeviceId;

/// Which devices' wills are published on which topic. A change of one device costs nothing for the others: a client may
/// describe many devices again and again.
#[derive(Debug, Default)]
pub(super) struct Wills {
    /// Topic to device to payload.
    by_topic: HashMap<String, HashMap<DeviceId, String>>,
}

impl Wills {
    pub(super) fn of<'a>(devices: impl Iterator<Item = &'a Device>) -> Self {
        let mut wills = Self::default();
        for device in devices {
            wills.replace(device.id, None, device.info.as_ref().and_then(|info| info.will.as_ref()));
        }
        wills
    }

    /// A device declares `new` in the place of `old`.
    pub(super) fn replace(&mut self, device: DeviceId, old: Option<&WillInfo>, new: Option<&WillInfo>) {
        if old == new {
            return;
        }
        if let Some(old) = old
            && let Some(devices) = self.by_topic.get_mut(&*old.topic)
        {
            devices.remove(&device);
            if devices.is_empty() {
                self.by_topic.remove(&*old.topic);
            }
        }
        if let Some(new) = new {
            let devices = self.by_topic.entry(new.topic.to_string()).or_default();
            devices.insert(device, new.payload.to_string());
        }
    }

    /// Whether a will is published on `topic`.
    pub(super) fn are_on(&self, topic: &str) -> bool {
        self.by_topic.contains_key(topic)
    }

    /// The devices whose will is this message, in the order of their ids; `None` if no will is published on `topic`.
    pub(super) fn fired(&self, topic: &str, payload: &[u8]) -> Option<Vec<DeviceId>> {
        let devices = self.by_topic.get(topic)?;
        let fired = devices.iter().filter(|(_, will)| will.as_bytes() == payload);
        let mut fired: Vec<_> = fired.map(|(device, _)| *device).collect();
        fired.sort();
        Some(fired)
    }
}
