//! One device as it is known now.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mqtt_lab_wire::{Channel, Datatype, Info, State, Value};

use super::boots::Boots;
use super::senders::Senders;
use crate::store::{Counts, DeviceId, Last, SavedDevice, SavedSeries, SeriesId, StateChange};

/// A device, with all that the page shows of it.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) name: Option<String>,
    pub(crate) hidden: bool,
    /// Its description was taken back; it is not listed until it speaks again.
    pub(crate) removed: bool,
    pub(crate) info: Option<Info>,
    pub(crate) state: Option<StateChange>,
    pub(crate) announced_state: Option<State>,
    pub(crate) error: Option<String>,
    pub(crate) counts: Counts,
    pub(crate) refusal: Option<String>,
    pub(crate) last_seen_us: Option<i64>,
    /// What arrived of its latest runs.
    pub(crate) boots: Boots,
    /// Whether several senders take turns.
    pub(crate) senders: Senders,
    /// Channels that have a series.
    pub(crate) channels: BTreeMap<String, ChannelState>,
}

/// What is known of a channel beyond its description.
#[derive(Debug)]
pub(crate) struct ChannelState {
    /// Its series, one per datatype it ever had; the present one is first.
    pub(crate) series: Vec<(Datatype, SeriesId)>,
    pub(crate) unit: Option<String>,
    pub(crate) last: Option<Last>,
    /// Length of the last payload.
    pub(crate) bytes: Option<usize>,
    /// The last sample came at QoS 0, so it was published at QoS 0.
    pub(crate) at_most_once: bool,
    /// The last time given on arrival.
    pub(crate) stamped_us: i64,
    /// The connection on which the last message came.
    pub(crate) connection: u64,
}

impl Device {
    pub(crate) fn new(id: DeviceId) -> Self {
        Self {
            id,
            name: None,
            hidden: false,
            removed: false,
            info: None,
            state: None,
            announced_state: None,
            error: None,
            counts: Counts::default(),
            refusal: None,
            last_seen_us: None,
            boots: Boots::default(),
            senders: Senders::default(),
            channels: BTreeMap::new(),
        }
    }

    pub(crate) fn from_saved(saved: SavedDevice) -> (String, String, Self) {
        let device = Self {
            id: saved.id,
            name: saved.name,
            hidden: saved.hidden,
            removed: saved.removed,
            info: saved.info,
            state: saved.state,
            announced_state: saved.announced_state,
            error: saved.error,
            counts: saved.counts,
            refusal: saved.refusal,
            last_seen_us: saved.last_seen_us,
            boots: Boots::of(saved.life),
            senders: Senders::default(),
            channels: BTreeMap::new(),
        };
        (saved.group, saved.device, device)
    }

    /// Adds a series; the channel takes its newest sample over if its datatype is the present one.
    pub(crate) fn add_series(&mut self, saved: SavedSeries) {
        let wanted = self.declared(&saved.channel).map(|channel| channel.datatype);
        let state = self.channels.entry(saved.channel).or_insert_with(|| ChannelState {
            series: Vec::new(),
            unit: None,
            last: None,
            bytes: None,
            at_most_once: false,
            stamped_us: 0,
            connection: 0,
        });
        let newer = match (&saved.last, &state.last) {
            (Some(new), Some(old)) => new.t_us > old.t_us,
            (new, _) => new.is_some() || state.series.is_empty(),
        };
        let present = state.series.is_empty() || wanted.map_or(newer, |wanted| wanted == saved.datatype);
        state.series.retain(|(_, id)| *id != saved.id);
        if present {
            state.series.insert(0, (saved.datatype, saved.id));
            state.unit = saved.unit;
            state.last = saved.last;
        } else {
            state.series.push((saved.datatype, saved.id));
        }
    }

    /// What is wrong with it, in its own words and those of the senders.
    pub(crate) fn shown_error(&self) -> Option<String> {
        match (self.error.clone(), self.senders.text()) {
            // A device of this kind says so itself.
            (Some(own), Some(_)) if own.contains("another program runs this device") => Some(own),
            (Some(own), Some(senders)) => Some(format!("{own}; {senders}")),
            (own, senders) => own.or(senders),
        }
    }

    /// How many series it has.
    pub(crate) fn series_count(&self) -> usize {
        self.channels.values().map(|channel| channel.series.len()).sum()
    }

    /// The channel as its device describes it.
    pub(crate) fn declared(&self, channel: &str) -> Option<&Channel> {
        self.info.as_ref()?.channels.iter().find(|declared| declared.name == channel)
    }

    /// The channel as described by the device, by the framework, or by its first value.
    pub(crate) fn described(&self, channel: &str) -> Option<Cow<'_, Channel>> {
        if let Some(declared) = self.declared(channel) {
            return Some(Cow::Borrowed(declared));
        }
        if let Some(own) = control_variable(channel) {
            return Some(Cow::Owned(own));
        }
        let state = self.channels.get(channel)?;
        let (datatype, _) = state.series.first()?;
        let mut described = Channel::new(channel.to_owned(), *datatype);
        described.unit = state.unit.clone().map(Into::into);
        Some(Cow::Owned(described))
    }

    /// Puts the series that the description asks for first.
    pub(crate) fn follow_description(&mut self) {
        let Some(info) = &self.info else { return };
        for declared in &info.channels {
            let Some(state) = self.channels.get_mut(declared.name.as_ref()) else { continue };
            let Some(at) = state.series.iter().position(|(datatype, _)| *datatype == declared.datatype)
            else {
                continue;
            };
            if at > 0 {
                state.series.swap(0, at);
                state.last = None;
            }
        }
    }
}

impl ChannelState {
    /// The series for values of `datatype`.
    pub(crate) fn series_of(&self, datatype: Datatype) -> Option<SeriesId> {
        self.series.iter().find(|(of, _)| *of == datatype).map(|(_, id)| *id)
    }
}

/// The datatype of the first value of a channel that nobody declared.
pub(crate) fn guess(value: &Value) -> Datatype {
    match value {
        Value::Bool(_) => Datatype::Bool,
        Value::Int(_) | Value::Float(_) => Datatype::Float,
        Value::Text(_) => Datatype::Text,
    }
}

/// The control variables that the framework gives every sensor, where the device does not describe them.
fn control_variable(channel: &str) -> Option<Channel> {
    let name = channel.to_owned();
    Some(match channel {
        "$interval" => Channel::float(name).unit("s").settable(),
        "$qos" => Channel::int(name).range(0.0, 2.0).settable(),
        "$paused" => Channel::bool(name).settable(),
        _ => return None,
    })
}
