//! All devices of the lab as they are known now: written by ingest, read by the API and the live hub.

mod boots;
mod clocks;
mod described;
mod device;
mod remarks;
mod samples;
mod senders;
mod states;
mod view;
mod weight;
mod wills;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mqtt_lab_wire::{Channel, Info, MAX_CHANNELS};

use crate::config::PublishLog;
use crate::live::Hub;
use crate::store::{ChannelSettings, Counts, DeviceId, Generation, SavedSeries, SeriesId, Snapshot};
use clocks::Clocks;
pub(crate) use clocks::Suspicion;
pub(crate) use described::DescribedBy;
use device::{ChannelState, Device};
pub(crate) use samples::{Arrival, Step};
pub(crate) use states::{Refusal, Word};
use view::Place;
pub(crate) use view::{CommandView, DeviceView, LifeView, SeriesView, StateView};
use weight::weight;
use wills::Wills;

/// Most devices of a lab, most series of a device and of a lab. What comes above is refused and counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) devices: usize,
    pub(crate) series_of_device: usize,
    pub(crate) series: usize,
    /// Memory of all descriptions together, in bytes.
    pub(crate) descriptions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { devices: 20_000, series_of_device: 256, series: 100_000, descriptions: 64 << 20 }
    }
}

/// Devices shown again each second although nothing but their count of samples grew.
const GROWN_PER_TICK: usize = 100;

/// All devices as they are known now.
pub(crate) struct Registry {
    root: String,
    limits: Limits,
    log: Option<PublishLog>,
    pub(crate) hub: Arc<Hub>,
    inner: Mutex<Inner>,
    generation: AtomicU64,
}

#[derive(Default)]
struct Inner {
    /// By group, then by name: the order in which they are shown.
    groups: BTreeMap<String, BTreeMap<String, Device>>,
    keys: HashMap<DeviceId, (String, String)>,
    series: usize,
    /// Memory of all descriptions, in bytes.
    descriptions: usize,
    wills: Wills,
    /// Devices whose counts are to be shown again: losses soon, mere growth when there is time.
    changed: BTreeSet<DeviceId>,
    grown: BTreeSet<DeviceId>,
    clocks: Clocks,
}

/// What a command needs to know of the channel it goes to.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) device: DeviceId,
    pub(crate) announced: bool,
    pub(crate) channel: Option<Channel>,
}

/// What is known of a channel.
#[derive(Debug)]
pub(crate) struct KnownChannel {
    pub(crate) device: DeviceId,
    pub(crate) described_by: Option<DescribedBy>,
    pub(crate) settings: ChannelSettings,
    /// Whether one more channel of the device may be described.
    pub(crate) more: bool,
}

impl Registry {
    pub(crate) fn new(root: String, log: Option<PublishLog>, hub: Arc<Hub>, snapshot: Snapshot) -> Self {
        Self {
            root,
            limits: Limits::default(),
            log,
            hub,
            inner: Mutex::new(Inner::from(snapshot)),
            generation: AtomicU64::new(0),
        }
    }

    /// Forgets everything in favour of another database, and sends the pages the new list.
    pub(crate) fn replace(&self, snapshot: Snapshot, generation: Generation) {
        let mut inner = self.lock();
        *inner = Inner::from(snapshot);
        self.generation.store(generation, Ordering::Release);
        drop(inner);
        self.hub.reset();
    }

    /// The database whose ids are in here.
    pub(crate) fn generation(&self) -> Generation {
        self.generation.load(Ordering::Acquire)
    }

    /// `group/id` of a device.
    pub(crate) fn name(&self, id: DeviceId) -> Option<String> {
        self.lock().keys.get(&id).map(|(group, name)| format!("{group}/{name}"))
    }

    /// The channel that a series belongs to.
    pub(crate) fn channel_of(&self, device: DeviceId, series: SeriesId) -> Option<String> {
        let mut inner = self.lock();
        let device = inner.by_id(device)?;
        let holds = |(_, state): &(&String, &ChannelState)| state.series.iter().any(|(_, id)| *id == series);
        device.channels.iter().find(holds).map(|(name, _)| name.clone())
    }

    #[cfg(test)]
    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// First level of the lab's topics.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere must not take the whole page down: what stands here is still of use.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of a known device, removed ones too.
    pub(crate) fn device_id(&self, group: &str, device: &str) -> Option<DeviceId> {
        self.lock().get(group, device).map(|device| device.id)
    }

    /// The id of a device that is listed.
    pub(crate) fn listed_id(&self, group: &str, device: &str) -> Option<DeviceId> {
        self.lock().get(group, device).filter(|device| !device.removed).map(|device| device.id)
    }

    /// Whether one more device is accepted.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().keys.len() < self.limits.devices
    }

    /// Whether a description is accepted beside those of the other devices.
    pub(crate) fn has_room_for(&self, id: DeviceId, info: &Info) -> bool {
        let mut inner = self.lock();
        let old = inner.by_id(id).map_or(0, |device| weight(device.info.as_ref()));
        let new = weight(Some(info));
        new <= old || inner.descriptions - old + new <= self.limits.descriptions
    }

    /// Adds a device that the store has just opened.
    pub(crate) fn add_device(&self, group: &str, name: &str, id: DeviceId) {
        let mut inner = self.lock();
        inner.keys.insert(id, (group.to_owned(), name.to_owned()));
        let devices = inner.groups.entry(group.to_owned()).or_default();
        devices.entry(name.to_owned()).or_insert_with(|| Device::new(id));
        drop(inner);
        self.hub.device(group, name);
    }

    /// Adds a series that the store has just opened.
    pub(crate) fn add_series(&self, series: SavedSeries) {
        let mut inner = self.lock();
        let key = inner.keys.get(&series.device).cloned();
        inner.add_series(series);
        drop(inner);
        if let Some((group, name)) = key {
            self.hub.device(&group, &name);
        }
    }

    /// Takes new counts over; the page sees them with the next tick.
    pub(crate) fn set_counts(&self, counts: &[(DeviceId, Counts)]) {
        let mut inner = self.lock();
        for (id, counts) in counts {
            let Some(device) = inner.by_id(*id) else { continue };
            let old = std::mem::replace(&mut device.counts, *counts);
            let only_grown = Counts { received: old.received, stored: old.stored, ..*counts } == old;
            if only_grown {
                inner.grown.insert(*id)
            } else {
                inner.changed.insert(*id)
            };
        }
    }

    /// Marks the devices whose counts changed; called once a second.
    pub(crate) fn show_counts(&self) {
        let mut inner = self.lock();
        let changed = std::mem::take(&mut inner.changed);
        let grown: Vec<_> = inner.grown.iter().copied().take(GROWN_PER_TICK).collect();
        for id in &grown {
            inner.grown.remove(id);
        }
        let shown = changed.into_iter().chain(grown);
        let keys: Vec<_> = shown.filter_map(|id| inner.keys.get(&id).cloned()).collect();
        drop(inner);
        for (group, name) in keys {
            self.hub.device(&group, &name);
        }
    }

    /// Losses of all devices together.
    pub(crate) fn lost(&self) -> u64 {
        let inner = self.lock();
        let counts = inner.devices().filter_map(|(_, _, device)| device.counts.numbered);
        counts.fold(0, |sum, known| sum.saturating_add(known.lost))
    }

    /// How many devices are in each state.
    pub(crate) fn census(&self) -> BTreeMap<&'static str, usize> {
        let mut census = BTreeMap::new();
        for (_, _, device) in self.lock().listed() {
            *census.entry(device.state.map_or("unknown", |change| change.state.as_str())).or_insert(0) += 1;
        }
        census
    }

    /// Every listed device, by group and name.
    pub(crate) fn views(&self) -> Vec<DeviceView> {
        self.lock().listed().map(|(group, name, device)| self.view_of(group, name, device)).collect()
    }

    /// Up to `most` listed devices behind `key` (group and name), by group and name.
    pub(crate) fn views_after(&self, key: Option<(&str, &str)>, most: usize) -> Vec<DeviceView> {
        let inner = self.lock();
        let after = inner.devices_after(key).filter(|(_, _, device)| !device.removed);
        after.take(most).map(|(group, name, device)| self.view_of(group, name, device)).collect()
    }

    /// One listed device.
    pub(crate) fn view(&self, group: &str, name: &str) -> Option<DeviceView> {
        let inner = self.lock();
        let device = inner.get(group, name).filter(|device| !device.removed)?;
        Some(self.view_of(group, name, device))
    }

    fn view_of(&self, group: &str, device: &str, known: &Device) -> DeviceView {
        DeviceView::new(&Place { root: &self.root, group, device, log: self.log.as_ref() }, known)
    }

    /// Every series of the listed devices, by id.
    pub(crate) fn series(&self) -> Vec<SeriesView> {
        let inner = self.lock();
        let mut all = Vec::new();
        for (group, name, device) in inner.listed() {
            for (channel, state) in &device.channels {
                let described = device.described(channel).and_then(|channel| channel.unit.clone());
                let unit = described.map(String::from).or_else(|| state.unit.clone());
                all.extend(state.series.iter().map(|(datatype, id)| SeriesView {
                    id: *id,
                    group: group.to_owned(),
                    device: name.to_owned(),
                    channel: channel.clone(),
                    datatype: *datatype,
                    unit: unit.clone(),
                }));
            }
        }
        all.sort_by_key(|series| series.id);
        all
    }

    /// The present series of all devices that are not hidden, if they have a sample since `from_us`.
    pub(crate) fn recent_series(&self, from_us: i64) -> Vec<SavedSeries> {
        let inner = self.lock();
        let shown = inner.listed().filter(|(_, _, device)| !device.hidden);
        let mut recent = Vec::new();
        for (_, _, device) in shown {
            for (channel, state) in &device.channels {
                let fresh = state.last.as_ref().is_some_and(|last| last.t_us >= from_us);
                let Some((datatype, id)) = state.series.first().filter(|_| fresh) else { continue };
                recent.push(SavedSeries {
                    id: *id,
                    device: device.id,
                    channel: channel.clone(),
                    datatype: *datatype,
                    unit: None,
                    last: None,
                });
            }
        }
        recent
    }

    /// What a person set: name and hidden; `None` when there is no such device.
    pub(crate) fn shown(&self, group: &str, name: &str) -> Option<(DeviceId, Option<String>, bool)> {
        let inner = self.lock();
        let device = inner.get(group, name).filter(|device| !device.removed)?;
        Some((device.id, device.name.clone(), device.hidden))
    }

    /// Takes over what a person set.
    pub(crate) fn set_shown(&self, group: &str, name: &str, given: Option<String>, hidden: bool) {
        if let Some(device) = self.lock().get_mut(group, name) {
            (device.name, device.hidden) = (given, hidden);
        }
        self.hub.device(group, name);
    }

    /// Who described a channel and what a person said of it; `None`: there is no such device.
    pub(crate) fn channel_settings(&self, group: &str, name: &str, channel: &str) -> Option<KnownChannel> {
        let inner = self.lock();
        let device = inner.get(group, name).filter(|device| !device.removed)?;
        Some(KnownChannel {
            device: device.id,
            described_by: device.described_by(channel),
            settings: device.settings.get(channel).cloned().unwrap_or_default(),
            more: device.settings.len() < MAX_CHANNELS,
        })
    }

    /// Takes over what a person said of a channel.
    pub(crate) fn set_channel(&self, group: &str, name: &str, channel: &str, settings: ChannelSettings) {
        if let Some(device) = self.lock().get_mut(group, name) {
            match settings.is_empty() {
                true => drop(device.settings.remove(channel)),
                false => drop(device.settings.insert(channel.to_owned(), settings)),
            }
            device.follow_description();
            if let Some(state) = device.channels.get_mut(channel) {
                state.numbers = 0;
            }
        }
        self.hub.device(group, name);
    }

    /// Several senders whose clocks agree against the lab's.
    pub(crate) fn suspicion(&self, now_us: i64) -> Option<Suspicion> {
        self.lock().clocks.suspicion(now_us)
    }

    /// What a command to this channel must know.
    pub(crate) fn target(&self, group: &str, name: &str, channel: &str) -> Option<Target> {
        let inner = self.lock();
        let device = inner.get(group, name).filter(|device| !device.removed)?;
        let declared = device.declared(channel).cloned();
        let own = channel.starts_with('$').then(|| device.described(channel).map(|own| own.into_owned()));
        let channel = declared.or_else(|| own.flatten());
        Some(Target { device: device.id, announced: device.info.is_some(), channel })
    }
}

impl From<Snapshot> for Inner {
    fn from(snapshot: Snapshot) -> Self {
        let mut inner = Self::default();
        for saved in snapshot.devices {
            let (group, name, device) = Device::from_saved(saved);
            inner.keys.insert(device.id, (group.clone(), name.clone()));
            inner.groups.entry(group).or_default().insert(name, device);
        }
        for series in snapshot.series {
            inner.add_series(series);
        }
        inner.descriptions = inner.devices().map(|(_, _, device)| weight(device.info.as_ref())).sum();
        inner.wills = Wills::of(inner.listed().map(|(_, _, device)| device));
        inner
    }
}

impl Inner {
    fn get(&self, group: &str, name: &str) -> Option<&Device> {
        self.groups.get(group)?.get(name)
    }

    fn get_mut(&mut self, group: &str, name: &str) -> Option<&mut Device> {
        self.groups.get_mut(group)?.get_mut(name)
    }

    fn by_id(&mut self, id: DeviceId) -> Option<&mut Device> {
        let (group, name) = self.keys.get(&id)?;
        self.groups.get_mut(group)?.get_mut(name)
    }

    fn compare_clocks(&mut self, (sender, ahead_us): (DeviceId, Option<i64>), now_us: i64) {
        match ahead_us {
            Some(by_us) => self.clocks.ahead(sender, by_us, now_us),
            None => self.clocks.agrees(sender),
        }
    }

    fn devices(&self) -> impl Iterator<Item = (&str, &str, &Device)> {
        self.groups.iter().flat_map(|(group, devices)| {
            devices.iter().map(move |(name, device)| (group.as_str(), name.as_str(), device))
        })
    }

    /// Devices behind `key`, as [`Inner::devices`].
    fn devices_after(&self, key: Option<(&str, &str)>) -> impl Iterator<Item = (&str, &str, &Device)> {
        let (group, name) = key.unzip();
        let behind = |key: Option<&str>| key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.to_owned()));
        let rest_of_group = group.and_then(|group| self.groups.get_key_value(group));
        let rest_of_group = rest_of_group.into_iter().flat_map(move |(group, devices)| {
            devices
                .range((behind(name), Bound::Unbounded))
                .map(move |(name, device)| (group.as_str(), name.as_str(), device))
        });
        let others = self.groups.range((behind(group), Bound::Unbounded)).flat_map(|(group, devices)| {
            devices.iter().map(move |(name, device)| (group.as_str(), name.as_str(), device))
        });
        rest_of_group.chain(others)
    }

    fn listed(&self) -> impl Iterator<Item = (&str, &str, &Device)> {
        self.devices().filter(|(_, _, device)| !device.removed)
    }

    fn add_series(&mut self, series: SavedSeries) {
        let Some(device) = self.by_id(series.device) else { return };
        let before = device.series_count();
        device.add_series(series);
        let added = device.series_count() - before;
        self.series += added;
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("root", &self.root).finish_non_exhaustive()
    }
}
