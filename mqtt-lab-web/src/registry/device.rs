//! One device as it is known now.

use std::collections::BTreeMap;

use mqtt_lab_wire::{Datatype, Info, Note, State};

use super::boots::Boots;
use super::described::Rule;
use super::remarks::{Remarks, WrongClock};
use super::senders::Senders;
use crate::store::{
    ChannelSettings, Counts, DeviceId, Last, SavedDevice, SavedSeries, SeriesId, StateChange,
};

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
    /// What a person said of its channels.
    pub(crate) settings: BTreeMap<String, ChannelSettings>,
    /// Messages that were not usable, and those without a value.
    pub(crate) refusals: Remarks,
    pub(crate) no_readings: Remarks,
    /// What was counted before this start: retained messages of that kind are shown again, and not counted again.
    pub(crate) counted_before: CountedBefore,
    /// Its last time, if that cannot be right.
    pub(crate) clock: Option<WrongClock>,
}

/// Messages that an earlier run counted, as far as the database tells.
#[derive(Debug, Default)]
pub(crate) struct CountedBefore {
    pub(crate) no_reading: bool,
    /// Why the last refused one was refused.
    pub(crate) refusal: Option<String>,
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
    /// The connection on which the last retained message came.
    pub(crate) retained_connection: u64,
    /// What is remarkable about the last value.
    pub(crate) note: Option<Note>,
    /// Texts in a row that are numbers.
    pub(crate) numbers: u32,
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
            settings: BTreeMap::new(),
            refusals: Remarks::default(),
            no_readings: Remarks::default(),
            counted_before: CountedBefore::default(),
            clock: None,
        }
    }

    pub(crate) fn from_saved(saved: SavedDevice) -> (String, String, Self) {
        let device = Self {
            name: saved.name,
            hidden: saved.hidden,
            removed: saved.removed,
            info: saved.info,
            state: saved.state,
            announced_state: saved.announced_state,
            error: saved.error,
            counts: saved.counts,
            counted_before: CountedBefore {
                no_reading: saved.counts.no_reading > 0,
                refusal: saved.refusal.clone(),
            },
            refusal: saved.refusal,
            last_seen_us: saved.last_seen_us,
            boots: Boots::of(saved.life),
            settings: saved.settings,
            ..Self::new(saved.id)
        };
        (saved.group, saved.device, device)
    }

    /// Adds a series; the channel takes its newest sample over if its datatype is the present one.
    pub(crate) fn add_series(&mut self, saved: SavedSeries) {
        let wanted = match self.rule(&saved.channel) {
            Rule::Described(channel) => Some(channel.datatype),
            Rule::Undescribed(present) => texts_follow_truth_values(present, saved.datatype),
        };
        let state = self.channels.entry(saved.channel).or_insert_with(|| ChannelState {
            series: Vec::new(),
            unit: None,
            last: None,
            bytes: None,
            at_most_once: false,
            stamped_us: 0,
            retained_connection: 0,
            note: None,
            numbers: 0,
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

    /// Puts the series that the descriptions ask for first; without one, as after a restart.
    pub(crate) fn follow_description(&mut self) {
        let wanted = |name: &String| match self.rule(name) {
            Rule::Described(channel) => Some((name.clone(), channel.datatype)),
            Rule::Undescribed(present) => {
                let mut others = self.channels.get(name)?.series.iter().skip(1);
                let texts = others.find_map(|(datatype, _)| texts_follow_truth_values(present, *datatype));
                texts.map(|datatype| (name.clone(), datatype))
            }
        };
        let wanted: Vec<_> = self.channels.keys().filter_map(wanted).collect();
        for (name, datatype) in wanted {
            let Some(state) = self.channels.get_mut(&name) else { continue };
            let at = state.series.iter().position(|(of, _)| *of == datatype);
            if let Some(at) = at.filter(|at| *at > 0) {
                state.series.swap(0, at);
                state.last = None;
            }
        }
    }
}

/// Numbers in a row after which a channel of texts is proposed to become one of numbers.
const NUMBERS_IN_A_ROW: u32 = 3;

impl ChannelState {
    /// Whether its texts are numbers, time and again.
    pub(crate) fn proposes_numbers(&self) -> bool {
        self.numbers >= NUMBERS_IN_A_ROW
    }

    /// The series for values of `datatype`.
    pub(crate) fn series_of(&self, datatype: Datatype) -> Option<SeriesId> {
        self.series.iter().find(|(of, _)| *of == datatype).map(|(_, id)| *id)
    }
}

/// The datatype of an undescribed channel that has series of two: a word that is no truth value has made it one of
/// texts. `None`: the newest sample tells.
fn texts_follow_truth_values(present: Option<Datatype>, new: Datatype) -> Option<Datatype> {
    match (present?, new) {
        (Datatype::Bool, Datatype::Text) | (Datatype::Text, Datatype::Bool) => Some(Datatype::Text),
        _ => None,
    }
}
