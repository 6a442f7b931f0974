//! What devices say of themselves: state, description, error; and their last wills.

use mqtt_lab_wire::{Info, State};

use super::device::Device;
use super::weight::weight;
use super::{Inner, Registry};
use crate::store::{DeviceId, StateCause, StateChange, Write};

/// Longest `$error` text shown, in characters.
const MAX_ERROR_CHARS: usize = 512;

/// A word on `$state`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) state: State,
    /// It is an old one, sent because we subscribed.
    pub(crate) replayed: bool,
    /// The first since the broker was restarted. Wills since that instant (µs since the Unix epoch)
    /// were the broker's own doing.
    pub(crate) restart_us: Option<i64>,
}

/// A message that was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal<'a> {
    /// The channel; empty: the device's own topic.
    pub(crate) channel: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) reason: &'a str,
    /// It is a retained one, sent because we subscribed.
    pub(crate) retained: bool,
}

impl Registry {
    /// Notes the word on `$state`.
    pub(crate) fn take_state(&self, id: DeviceId, word: Word, now_us: i64) -> Vec<Write> {
        let Word { state: said, replayed, restart_us } = word;
        let mut writes = Vec::new();
        let mut inner = self.lock();
        let Some(device) = inner.by_id(id) else { return writes };
        let gone = matches!(said, State::Lost | State::Disconnected);
        if device.removed {
            if replayed || gone {
                return writes;
            }
            device.removed = false;
            writes.push(Write::Info { device: id, info: None, removed: false });
        }
        let known = device.announced_state == Some(said);
        if !known {
            device.announced_state = Some(said);
            writes.push(Write::Said { device: id, state: Some(said), error: device.error.clone() });
        }
        if !replayed && said != State::Lost {
            device.last_seen_us = Some(now_us);
        }
        let cause = match said {
            State::Lost => StateCause::Will,
            State::Disconnected => StateCause::Orderly,
            _ if restart_us.is_some_and(|since_us| device.was_cut_off(since_us)) => StateCause::BrokerRestart,
            State::Init | State::Ready | State::Sleeping => StateCause::Announced,
        };
        // Repeated by the broker, it does not take back what a will on another topic has told since.
        if !(replayed && known && device.state.is_some()) {
            writes.extend(inner.change_state(id, said, cause, now_us));
        }
        self.show(inner.keys.get(&id).cloned(), !writes.is_empty());
        writes
    }

    /// Devices whose declared last will is this message become lost. It is not one that the broker only
    /// repeats, because they may be back since. `None`: it is nobody's will.
    pub(crate) fn take_wills(&self, topic: &str, payload: &[u8], now_us: i64) -> Option<Vec<Write>> {
        let mut inner = self.lock();
        let fired = inner.wills.fired(topic, payload)?;
        let mut writes = Vec::new();
        for id in fired.iter().copied() {
            let change = inner.change_state(id, State::Lost, StateCause::Will, now_us);
            self.show(inner.keys.get(&id).cloned(), change.is_some());
            writes.extend(change);
        }
        (!fired.is_empty()).then_some(writes)
    }

    /// Whether a device's declared last will goes to this topic.
    pub(crate) fn is_will_topic(&self, topic: &str) -> bool {
        self.lock().wills.are_on(topic)
    }

    /// Takes a description over, or its end (`None`: the device leaves the list).
    pub(crate) fn take_info(&self, id: DeviceId, info: Option<Info>, now_us: Option<i64>) -> Vec<Write> {
        let mut inner = self.lock();
        let Some(device) = inner.by_id(id) else { return Vec::new() };
        let removed = info.is_none();
        if device.info == info && device.removed == removed {
            return Vec::new();
        }
        let old = std::mem::replace(&mut device.info, info.clone());
        device.removed = removed;
        device.last_seen_us = now_us.or(device.last_seen_us);
        let (old_weight, new_weight) = (weight(old.as_ref()), weight(info.as_ref()));
        let (old_will, new_will) =
            (old.and_then(|old| old.will), info.as_ref().and_then(|info| info.will.clone()));
        let mut writes = vec![Write::Info { device: id, info: info.map(Box::new), removed }];
        if removed {
            // It begins anew when it speaks again.
            (device.announced_state, device.error) = (None, None);
            writes.push(Write::Said { device: id, state: None, error: None });
        }
        device.follow_description();
        inner.descriptions = (inner.descriptions + new_weight).saturating_sub(old_weight);
        inner.wills.replace(id, old_will.as_ref(), new_will.as_ref());
        let key = inner.keys.get(&id).cloned();
        drop(inner);
        match key {
            Some((group, name)) if removed => self.hub.removed(&group, &name),
            key => self.show(key, true),
        }
        writes
    }

    /// Puts a removed device back: it speaks again, without description.
    pub(crate) fn revive(&self, id: DeviceId) -> Vec<Write> {
        let mut inner = self.lock();
        let Some(device) = inner.by_id(id).filter(|device| device.removed) else { return Vec::new() };
        device.removed = false;
        self.show(inner.keys.get(&id).cloned(), true);
        vec![Write::Info { device: id, info: None, removed: false }]
    }

    /// Notes what is wrong with a device, in its own words; empty: nothing.
    pub(crate) fn take_error(&self, id: DeviceId, text: &str) -> Vec<Write> {
        let text: String = text.chars().take(MAX_ERROR_CHARS).collect();
        let error = Some(text).filter(|text| !text.is_empty());
        let mut inner = self.lock();
        let Some(device) = inner.by_id(id).filter(|device| !device.removed) else { return Vec::new() };
        if device.error == error {
            return Vec::new();
        }
        device.error.clone_from(&error);
        let state = device.announced_state;
        self.show(inner.keys.get(&id).cloned(), true);
        vec![Write::Said { device: id, state, error }]
    }

    /// Notes why a message was refused. False: an old retained one, which was refused before.
    pub(crate) fn take_refusal(&self, id: DeviceId, refusal: &Refusal<'_>, now_us: i64) -> bool {
        let Refusal { channel, payload, reason, retained } = *refusal;
        let mut inner = self.lock();
        let Some(device) = inner.by_id(id) else { return true };
        if retained && device.refusals.knows(channel, reason) {
            return false;
        }
        device.refusals.is_over(channel);
        device.no_readings.is_over(channel);
        device.refusal = Some(reason.to_owned());
        device.refusals.add(channel, &String::from_utf8_lossy(payload), reason, now_us);
        if !retained {
            device.last_seen_us = Some(now_us);
        }
        let counted = retained && device.counted_before.refusal.as_deref() == Some(reason);
        self.show(inner.keys.get(&id).cloned(), true);
        !counted
    }

    fn show(&self, key: Option<(String, String)>, changed: bool) {
        if let Some((group, name)) = key.filter(|_| changed) {
            self.hub.device(&group, &name);
        }
    }
}

impl Device {
    /// Whether the end of the broker at `since_us` is what took it away: it was there until then, and its
    /// will, if it fired, fired then.
    fn was_cut_off(&self, since_us: i64) -> bool {
        self.state.is_some_and(|present| match present.state {
            State::Init | State::Ready | State::Sleeping => true,
            State::Lost => present.t_us >= since_us,
            State::Disconnected => false,
        })
    }
}

impl Inner {
    /// Moves a device into a state; nothing when it is there already, unless it has come back to it.
    fn change_state(&mut self, id: DeviceId, state: State, cause: StateCause, now_us: i64) -> Option<Write> {
        let device = self.by_id(id)?;
        let back = cause == StateCause::BrokerRestart;
        if !back && device.state.is_some_and(|present| present.state == state) {
            return None;
        }
        let change = StateChange { t_us: now_us, state, cause };
        device.state = Some(change);
        Some(Write::State { device: id, change })
    }
}
