//! What a device says: samples, states, description; and what it repeats on every connection.

use super::DeviceSpec;
use super::controls::Controls;
use super::sampler::Sampler;
use crate::link::Publish;
use crate::{Description, Reading};
use mqtt_lab_wire::{BootId, Channel, Info, Qos, State, Stats, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Longest text on `$error`, in characters.
const MAX_ERROR: usize = 300;

/// Makes the messages of one device. Holds what must be said again after a reconnect.
#[derive(Debug)]
pub(crate) struct Publisher {
    spec: Arc<DeviceSpec>,
    sampler: Sampler,
    pub(crate) controls: Controls,
    description: Arc<Description>,
    state: State,
    error: String,
    /// What the broker gives less than configured.
    downgrades: String,
    /// Last value and message of every channel that holds a state.
    held: BTreeMap<String, (Value, Publish)>,
    /// The other channels of which the broker keeps a sample.
    kept: BTreeSet<String>,
}

impl Publisher {
    pub(crate) fn new(spec: Arc<DeviceSpec>, description: Option<&Description>) -> Self {
        let description = Arc::new(description.cloned().unwrap_or_default());
        let controls = Controls::new(&spec, description.trigger());
        let mut publisher = Self {
            sampler: Sampler::new(spec.config.payload),
            spec,
            controls,
            description,
            state: State::Init,
            error: String::new(),
            downgrades: String::new(),
            held: BTreeMap::new(),
            kept: BTreeSet::new(),
        };
        for (channel, value) in publisher.initial() {
            publisher.hold(&channel, &value);
        }
        publisher
    }

    /// Takes over a device that was constructed anew, perhaps by a plugin that was loaded again, and
    /// was told what is [`carried`](Self::carried). Returns what brings the broker in line: the values
    /// that are new, and empty messages for channels that keep nothing there any more.
    pub(crate) fn adopt(&mut self, spec: Arc<DeviceSpec>, description: &Description) -> Vec<Publish> {
        let carried = self.carried(description);
        self.spec = spec;
        self.controls.adapt(&self.spec, description.trigger());
        if *self.description != *description {
            self.description = Arc::new(description.clone());
        }
        let mut values: BTreeMap<String, Value> = self.initial().collect();
        values.extend(carried);
        let held = std::mem::take(&mut self.held);
        let (held, obsolete): (BTreeMap<_, _>, _) =
            held.into_iter().partition(|(name, _)| values.contains_key(name));
        self.held = held;
        let mut messages: Vec<_> = obsolete.into_values().filter_map(|(_, held)| clearing(&held)).collect();
        messages.extend(self.clear_kept(|described| !described));
        messages.extend(values.iter().filter_map(|(name, value)| self.hold(name, value)));
        messages
    }

    /// Clears the kept samples of those channels for which `which`, told whether the device still
    /// describes the channel, is true.
    fn clear_kept(&mut self, which: impl Fn(bool) -> bool) -> Vec<Publish> {
        let kept = std::mem::take(&mut self.kept);
        let (gone, kept): (BTreeSet<_>, _) =
            kept.into_iter().partition(|name| which(self.description.find(name).is_some()));
        self.kept = kept;
        gone.iter().map(|name| cleared(self.spec.address().channel(name).to_string())).collect()
    }

    /// Clears what the broker keeps of the device's channels, perhaps from an earlier life.
    pub(crate) fn clear_channels(&mut self) -> Vec<Publish> {
        let channels = self.description.channels().iter();
        let retained = channels.filter(|channel| self.retains(channel.name.as_ref(), Some(channel)));
        let retained = retained.map(|channel| channel.name.to_string());
        let unheld: Vec<_> = retained.filter(|name| !self.held.contains_key(name)).collect();
        self.kept.extend(unheld);
        let held = std::mem::take(&mut self.held);
        let mut messages: Vec<_> = held.into_values().filter_map(|(_, held)| clearing(&held)).collect();
        messages.extend(self.clear_kept(|_| true));
        messages
    }

    /// Clears everything that the broker keeps of the device; `$info`, by which listeners know it, last.
    pub(crate) fn clear_all(&mut self) -> Vec<Publish> {
        let mut messages = self.clear_channels();
        let address = self.spec.address();
        let own = [address.error().to_string(), address.state().to_string(), address.info().to_string()];
        messages.extend(own.map(cleared));
        messages
    }

    /// The boot id of this run.
    pub(crate) const fn boot(&self) -> BootId {
        self.sampler.boot()
    }

    pub(crate) const fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// Initial values of channels, and the present ones of the framework's controls.
    fn initial(&self) -> impl Iterator<Item = (String, Value)> + use<> {
        let initial = self.description.channels().iter();
        let initial = initial.filter_map(|c| Some((c.name.to_string(), c.initial.clone()?)));
        let own = self.controls.values().into_iter().map(|(name, value)| (name.to_owned(), value));
        initial.chain(own).collect::<Vec<_>>().into_iter()
    }

    /// Publishes the state of a settable channel if it changed.
    pub(crate) fn hold(&mut self, channel: &str, value: &Value) -> Option<Publish> {
        if self.held.get(channel).is_some_and(|(held, _)| held == value) {
            return None;
        }
        let instant = self.sampler.instant();
        let declared = self.description.find(channel).cloned();
        let message = self.sample(channel, declared.as_ref(), value, instant, &Reading::new());
        self.held.insert(channel.to_owned(), (value.clone(), message.clone()));
        Some(message)
    }

    /// The messages of a checked reading: measurements always, states when they changed.
    pub(crate) fn reading(&mut self, reading: &Reading) -> Result<Vec<Publish>, crate::CheckError> {
        let checked = self.description.check_reading(reading)?;
        let checked: Vec<_> = checked.into_iter().map(|(channel, value)| (channel.clone(), value)).collect();
        let instant = self.sampler.instant();
        let mut messages = Vec::with_capacity(checked.len());
        for (channel, value) in checked {
            if channel.settable && reading.qos_override().is_none() {
                messages.extend(self.hold(&channel.name, &value));
            } else {
                let message = self.sample(&channel.name, Some(&channel), &value, instant, reading);
                if message.retain && !self.kept.contains(channel.name.as_ref() as &str) {
                    self.kept.insert(channel.name.to_string());
                }
                messages.push(message);
            }
        }
        Ok(messages)
    }

    /// QoS and retain: the reading's own, else the channel's in the configuration, else the channel's
    /// in the description, else the device's. A state is retained and not sent at QoS 0.
    fn sample(
        &mut self,
        name: &str,
        channel: Option<&Channel>,
        value: &Value,
        instant: i64,
        reading: &Reading,
    ) -> Publish {
        let configured = self.spec.config.channels.get(name);
        let state = channel.is_none_or(|channel| channel.settable);
        let device_qos = if state { self.controls.qos.max(Qos::AtLeastOnce) } else { self.controls.qos };
        let qos = reading.qos_override().or_else(|| configured.and_then(|c| c.qos));
        let qos = qos.or_else(|| channel.and_then(|c| c.qos)).unwrap_or(device_qos);
        let retain = reading.retain_override().unwrap_or_else(|| self.retains(name, channel));
        let topic = self.spec.address().channel(name).to_string();
        Publish::new(topic, self.sampler.payload(value, instant)).qos(qos).retain(retain)
    }

    /// Whether the broker keeps the samples of a channel that say nothing else themselves.
    fn retains(&self, name: &str, channel: Option<&Channel>) -> bool {
        let configured = self.spec.config.channels.get(name).and_then(|configured| configured.retain);
        let state = channel.is_none_or(|channel| channel.settable);
        configured.or_else(|| channel?.retain).unwrap_or(state || self.spec.config.retain)
    }

    /// Changes the state; the message, if it is another one than before.
    pub(crate) fn enter(&mut self, state: State) -> Option<Publish> {
        if self.state == state {
            return None;
        }
        self.state = state;
        Some(self.state_message())
    }

    fn state_message(&self) -> Publish {
        Publish::new(self.spec.address().state().to_string(), self.state.as_str()).retain(true)
    }

    /// Changes the error text (empty: none); the message, if it is another one than before.
    pub(crate) fn say(&mut self, error: &str) -> Option<Publish> {
        let error: String =
            error.chars().take(MAX_ERROR).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if self.error == error {
            return None;
        }
        self.error = error;
        Some(self.error_message())
    }

    fn error_message(&self) -> Publish {
        Publish::new(self.spec.address().error().to_string(), self.error.clone()).retain(true)
    }

    pub(crate) fn stats(&self) -> Publish {
        let stats = Stats { boot: self.sampler.boot(), sent: self.sampler.sent() };
        let mut payload = String::new();
        stats.encode(&mut payload).expect("writing to a String cannot fail");
        Publish::new(self.spec.address().stats().to_string(), payload)
    }

    /// Notes what the broker gives less than configured; false: as before.
    pub(crate) fn lowered(&mut self, downgrades: &[String]) -> bool {
        let downgrades = downgrades.join("; ");
        let new = self.downgrades != downgrades;
        self.downgrades = downgrades;
        new
    }

    pub(crate) fn info(&self) -> Publish {
        let mut info: Info = self.spec.info();
        info.label = info.label.or_else(|| self.description.given_label().cloned());
        info.boot = Some(self.sampler.boot());
        info.trigger = Some(self.description.trigger());
        info.qos = Some(self.controls.qos);
        info.downgrades = (!self.downgrades.is_empty()).then(|| self.downgrades.clone().into());
        info.channels =
            self.description.channels().iter().map(|channel| self.as_configured(channel)).collect();
        info.channels.extend(self.controls.channels());
        let mut payload = String::new();
        info.encode(&mut payload).expect("writing to a String cannot fail");
        // It is kept for the next connection as long as the device lives.
        payload.shrink_to_fit();
        Publish::new(self.spec.address().info().to_string(), payload).retain(true)
    }

    fn as_configured(&self, channel: &Channel) -> Channel {
        let mut channel = channel.clone();
        if let Some(configured) = self.spec.config.channels.get(channel.name.as_ref() as &str) {
            channel.qos = configured.qos.or(channel.qos);
            channel.retain = configured.retain.or(channel.retain);
        }
        channel
    }

    /// What is said first on every connection: description, state, error, held values.
    pub(crate) fn birth(&self) -> Vec<Publish> {
        let mut birth = vec![self.info(), self.state_message()];
        // Also the empty text: it clears what an earlier life may have left at the broker.
        birth.push(self.error_message());
        birth.extend(self.held.values().map(|(_, message)| message.clone()));
        birth
    }

    /// Values that a device constructed anew has to be told: those that differ from the initial ones
    /// of the present device and fit the new one.
    pub(crate) fn carried(&self, new: &Description) -> Vec<(String, Value)> {
        let settable = self.description.channels().iter().filter(|channel| channel.settable);
        let changed = settable.filter_map(|channel| {
            let name: &str = channel.name.as_ref();
            let (value, _) = self.held.get(name)?;
            let value = (channel.initial.as_ref() != Some(value)).then_some(value)?;
            Some((name.to_owned(), new.check_command(name, value).ok()?))
        });
        changed.collect()
    }

    /// The topic of answers to commands for `channel`.
    pub(crate) fn result_topic(&self, channel: &str) -> String {
        self.spec.address().result(channel).to_string()
    }

    /// The channel a command means, one of the framework's included.
    pub(crate) fn find(&self, channel: &str) -> Option<Channel> {
        let own = || self.controls.channels().into_iter().find(|own: &Channel| own.name == channel);
        self.description.find(channel).cloned().or_else(own)
    }
}

/// What takes a topic's retained message back.
fn cleared(topic: String) -> Publish {
    Publish::new(topic, "").retain(true)
}

fn clearing(message: &Publish) -> Option<Publish> {
    message.retain.then(|| cleared(message.topic.clone()))
}
