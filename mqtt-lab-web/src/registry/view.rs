//! Devices, commands and the lab as JSON.

use mqtt_lab_core::VARIABLES;
use mqtt_lab_wire::{
    Address, BootId, Channel, Datatype, Note, PayloadForm, PluginInfo, Qos, Role, State, Str, Trigger, Value,
    WillInfo,
};
use serde::Serialize;

use super::described::DescribedBy;
use super::device::{ChannelState, Device};
use super::remarks::{Remarks, WrongClock};
use crate::clock::Millis;
use crate::config::PublishLog;
use crate::store::{ChannelSettings, Command, CommandState, LifeCounts, SeriesId, StateCause, StateChange};

/// A device as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceView {
    group: String,
    id: String,
    name: Option<String>,
    label: Option<Str>,
    kind: Option<Str>,
    role: Option<Role>,
    hidden: bool,
    announced: bool,
    state: &'static str,
    state_since_ms: Option<Millis>,
    error: Option<String>,
    last_seen_ms: Option<Millis>,
    trigger: Option<Trigger>,
    payload: Option<PayloadForm>,
    version: Option<u8>,
    keep_alive_s: Option<u16>,
    downgrades: Option<Str>,
    will: Option<WillInfo>,
    plugin: Option<PluginInfo>,
    counts: CountsView,
    refusal: Option<String>,
    refusals: Remarks,
    no_readings: Remarks,
    clock: Option<WrongClock>,
    channels: Vec<ChannelView>,
}

#[derive(Debug, Serialize)]
struct CountsView {
    received: u64,
    stored: u64,
    duplicate: Option<u64>,
    refused: u64,
    lost: Option<u64>,
    no_reading: u64,
    wrong_clock: u64,
}

#[derive(Debug, Serialize)]
struct ChannelView {
    series: Option<SeriesId>,
    name: String,
    label: Option<Str>,
    datatype: Datatype,
    unit: Option<Str>,
    quantity: Option<Str>,
    min: Option<f64>,
    max: Option<f64>,
    step: Option<f64>,
    max_len: Option<u32>,
    choices: Option<Vec<Str>>,
    settable: bool,
    qos: Option<Qos>,
    retain: Option<bool>,
    value: Option<Value>,
    time_ms: Option<Millis>,
    bytes: Option<usize>,
    described_by: Option<DescribedBy>,
    /// What a person said of it.
    settings: Option<ChannelSettings>,
    /// Its last message had no value.
    no_reading: bool,
    note: Option<Note>,
    /// The datatype that a person is asked to give it: its texts are numbers.
    proposal: Option<Datatype>,
    /// Series of other datatypes that it had before.
    earlier: Vec<EarlierSeries>,
}

/// A series of another datatype that a channel had before.
#[derive(Debug, Serialize)]
struct EarlierSeries {
    series: SeriesId,
    datatype: Datatype,
}

/// Where a device lives, and how to learn how its messages entered the broker.
pub(crate) struct Place<'a> {
    pub(crate) root: &'a str,
    pub(crate) group: &'a str,
    pub(crate) device: &'a str,
    pub(crate) log: Option<&'a PublishLog>,
}

impl DeviceView {
    pub(crate) fn new(place: &Place<'_>, device: &Device) -> Self {
        let info = device.info.as_ref();
        let will = info.map(|info| info.will.clone().unwrap_or_else(|| default_will(place)));
        Self {
            group: place.group.to_owned(),
            id: place.device.to_owned(),
            name: device.name.clone(),
            label: info.and_then(|info| info.label.clone()),
            kind: info.and_then(|info| info.kind.clone()),
            role: info.and_then(|info| info.role),
            hidden: device.hidden,
            announced: info.is_some(),
            state: device.state.map_or("unknown", |change| change.state.as_str()),
            state_since_ms: device.state.map(|change| Millis(change.t_us)),
            error: device.shown_error(),
            last_seen_ms: device.last_seen_us.map(Millis),
            trigger: info.and_then(|info| info.trigger),
            payload: info.and_then(|info| info.payload),
            version: info.and_then(|info| info.version),
            keep_alive_s: info.and_then(|info| info.keep_alive_s),
            downgrades: info.and_then(|info| info.downgrades.clone()),
            will,
            plugin: info.and_then(|info| info.plugin.clone()),
            counts: CountsView {
                received: device.counts.received,
                stored: device.counts.stored,
                duplicate: device.counts.numbered.map(|known| known.duplicate),
                refused: device.counts.refused,
                lost: device.counts.numbered.map(|known| known.lost),
                no_reading: device.counts.no_reading,
                wrong_clock: device.counts.wrong_clock,
            },
            refusal: device.refusal.clone(),
            refusals: device.refusals.clone(),
            no_readings: device.no_readings.clone(),
            clock: device.clock,
            channels: channels(place, device),
        }
    }
}

impl DeviceView {
    /// Group and name.
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.group, &self.id)
    }
}

/// The declared channels in their order, then the others that spoke.
fn channels(place: &Place<'_>, device: &Device) -> Vec<ChannelView> {
    let declared = device.info.iter().flat_map(|info| &info.channels);
    let declared = declared.map(|channel| view(place, device, channel, device.channels.get(&*channel.name)));
    // A variable that is deleted has its history, and no place on the card any more.
    let holds_variables =
        device.info.as_ref().and_then(|info| info.kind.as_ref()).is_some_and(|kind| *kind == VARIABLES);
    let others = device.channels.iter().filter(|_| !holds_variables);
    let others = others.filter(|(name, _)| device.declared(name).is_none());
    let others = others.filter_map(|(name, state)| {
        device.described(name).map(|channel| view(place, device, &channel, Some(state)))
    });
    // One that a person described before its first message.
    let silent = device.settings.keys().filter(|name| !device.channels.contains_key(*name));
    let silent = silent.filter(|name| device.declared(name).is_none());
    let silent =
        silent.filter_map(|name| device.described(name).map(|channel| view(place, device, &channel, None)));
    declared.chain(others).chain(silent).collect()
}

fn view(place: &Place<'_>, device: &Device, channel: &Channel, state: Option<&ChannelState>) -> ChannelView {
    let present = state.filter(|state| state.series.first().is_some_and(|(of, _)| *of == channel.datatype));
    let last = present.and_then(|state| state.last.as_ref());
    let (qos, retain) = how_published(place, device, channel, state);
    let described_by = device.described_by(&channel.name);
    ChannelView {
        series: present.and_then(|state| state.series_of(channel.datatype)),
        name: channel.name.to_string(),
        label: channel.label.clone(),
        datatype: channel.datatype,
        unit: channel.unit.clone(),
        quantity: channel.quantity.clone(),
        min: channel.min,
        max: channel.max,
        step: channel.step,
        max_len: channel.max_len,
        choices: (!channel.choices.is_empty()).then(|| channel.choices.clone()),
        settable: channel.settable,
        qos,
        retain,
        value: last.map(|last| last.value.clone()),
        time_ms: last.map(|last| Millis(last.t_us)),
        bytes: present.and_then(|state| state.bytes),
        described_by,
        settings: device
            .settings
            .get(&*channel.name)
            .filter(|_| described_by == Some(DescribedBy::Person))
            .cloned(),
        no_reading: device.no_readings.is_present(&channel.name),
        note: present.and_then(|state| state.note),
        proposal: present
            .filter(|state| described_by != Some(DescribedBy::Device) && state.proposes_numbers())
            .map(|_| Datatype::Float),
        earlier: earlier(channel, state),
    }
}

fn earlier(channel: &Channel, state: Option<&ChannelState>) -> Vec<EarlierSeries> {
    let others = state.into_iter().flat_map(|state| &state.series);
    let others = others.filter(|(datatype, _)| *datatype != channel.datatype);
    others.map(|(datatype, series)| EarlierSeries { series: *series, datatype: *datatype }).collect()
}

/// QoS and retain as the publisher used them: by the broker's log, by what the subscriber can tell,
/// by the description; else unknown.
fn how_published(
    place: &Place<'_>,
    device: &Device,
    channel: &Channel,
    state: Option<&ChannelState>,
) -> (Option<Qos>, Option<bool>) {
    let topic = || address(place).channel(&channel.name).to_string();
    if let Some(seen) = place.log.and_then(|log| log(&topic())) {
        return (Some(seen.qos), Some(seen.retain));
    }
    let info = device.info.as_ref();
    let zero = state.is_some_and(|state| state.at_most_once).then_some(Qos::AtMostOnce);
    let qos = zero.or(channel.qos).or_else(|| info.and_then(|info| info.qos));
    let retain = channel.retain.or_else(|| info.and_then(|info| info.retain));
    (qos, retain)
}

fn address<'a>(place: &Place<'a>) -> Address<'a> {
    Address::of_foreign(place.root, place.group, place.device)
}

/// The will of a device that declares no other.
fn default_will(place: &Place<'_>) -> WillInfo {
    WillInfo {
        topic: address(place).state().to_string().into(),
        payload: State::Lost.as_str().into(),
        qos: Qos::AtLeastOnce,
        retain: true,
        delay_s: 0,
    }
}

/// A command as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct CommandView {
    id: String,
    group: String,
    device: String,
    channel: String,
    value: Value,
    state: CommandState,
    error: Option<String>,
    sent_ms: Millis,
    ended_ms: Option<Millis>,
}

impl From<Command> for CommandView {
    fn from(command: Command) -> Self {
        Self {
            id: command.id,
            group: command.group,
            device: command.device,
            channel: command.channel,
            value: command.value,
            state: command.state,
            error: command.error,
            sent_ms: Millis(command.sent_us),
            ended_ms: command.ended_us.map(Millis),
        }
    }
}

/// A row of a device's state history as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct StateView {
    time_ms: Millis,
    state: &'static str,
    cause: StateCause,
}

impl From<StateChange> for StateView {
    fn from(change: StateChange) -> Self {
        Self { time_ms: Millis(change.t_us), state: change.state.as_str(), cause: change.cause }
    }
}

/// What became of the samples of one life of a device, as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct LifeView {
    boot: BootId,
    began_ms: Millis,
    last_seen_ms: Millis,
    received: u64,
    stored: u64,
    duplicate: u64,
    refused: u64,
    lost: u64,
}

impl From<LifeCounts> for LifeView {
    fn from(life: LifeCounts) -> Self {
        Self {
            boot: life.boot,
            began_ms: Millis(life.began_us),
            last_seen_ms: Millis(life.updated_us),
            received: life.stored + life.found.duplicate,
            stored: life.stored,
            duplicate: life.found.duplicate,
            refused: life.refused,
            lost: life.found.lost,
        }
    }
}

/// A series as the API lists it.
#[derive(Debug, Serialize)]
pub(crate) struct SeriesView {
    pub(crate) id: SeriesId,
    pub(crate) group: String,
    pub(crate) device: String,
    pub(crate) channel: String,
    pub(crate) datatype: Datatype,
    pub(crate) unit: Option<String>,
}
