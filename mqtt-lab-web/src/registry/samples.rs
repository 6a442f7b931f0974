//! What an arriving sample means: its channel, its value, its time, whether it is new.

use mqtt_lab_core::link::{Incoming, Qos};
use mqtt_lab_wire::{
    BootId, Channel, Datatype, Meaning, Note, Received, SampleTime, Value, ValueError, Written,
    is_plausible_time, next_stamp,
};

use super::Registry;
use super::described::Rule;
use super::device::Device;
use super::remarks::WrongClock;
use crate::live::Fresh;
use crate::store::{DeviceId, Last, NewSample, NewSeries, ReceiveWindow, SeriesId, WhenMeasured};

/// Longer than any device lives, in milliseconds.
const MAX_UPTIME_MS: u64 = 253_402_300_799_999;

/// How a message arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// When, in microseconds since the Unix epoch.
    pub(crate) now_us: i64,
    /// On which connection.
    pub(crate) connection: u64,
    pub(crate) qos: Qos,
    /// It is a retained one, sent because we subscribed.
    pub(crate) retain: bool,
    /// Length of the payload.
    pub(crate) bytes: usize,
}

impl Arrival {
    pub(crate) fn of(message: &Incoming, now_us: i64, connection: u64) -> Self {
        let Incoming { qos, retain, payload, .. } = message;
        Self { now_us, connection, qos: *qos, retain: *retain, bytes: payload.len() }
    }
}

/// What to do with a sample.
#[derive(Debug)]
pub(crate) enum Step {
    /// The device is not known: open it and come again.
    OpenDevice,
    /// The series is not known: open it and come again.
    OpenSeries(NewSeries),
    /// The device was removed and speaks again: put it back and come again.
    Revive(DeviceId),
    /// Write it.
    Write(NewSample),
    /// Its sender says that it has no value.
    NoReading(DeviceId),
    /// It is an old retained one, delivered because we subscribed.
    Old,
    /// It is not usable.
    Refuse(String),
}

impl Registry {
    /// Checks a sample, notes it and shows it.
    pub(crate) fn take_sample(
        &self,
        (group, name, channel): (&str, &str, &str),
        sample: &Received<'_>,
        arrival: &Arrival,
    ) -> Step {
        let mut inner = self.lock();
        let (all_series, limits) = (inner.series, self.limits);
        let Some(device) = inner.get_mut(group, name) else { return Step::OpenDevice };
        let replayed = device.is_replay(channel, arrival);
        if device.removed {
            return if replayed { Step::Old } else { Step::Revive(device.id) };
        }
        let (datatype, meaning) = match device.read(channel, sample) {
            Ok(read) => read,
            Err(reason) => return Step::Refuse(reason),
        };
        let Some(value) = meaning.value.map(Value::from) else {
            let step = device.no_reading(channel, sample, arrival);
            drop(inner);
            self.hub.device(group, name);
            return step;
        };
        let known = device.channels.get(channel).and_then(|state| state.series_of(datatype));
        let Some(series) = known else {
            if device.series_count() >= limits.series_of_device || all_series >= limits.series {
                return Step::Refuse("there are too many series".to_owned());
            }
            return Step::OpenSeries(NewSeries {
                device: device.id,
                channel: channel.to_owned(),
                datatype,
                unit: device
                    .described(channel)
                    .and_then(|known| known.unit.as_ref().map(ToString::to_string)),
                now_us: arrival.now_us,
            });
        };
        let changed = device.remark(channel, sample.value, datatype, meaning.note);
        let (step, fresh) = device.note((channel, series), sample, value, arrival, replayed);
        // Repeated samples are not fresh.
        let new_senders = fresh.is_some() && !replayed && device.note_sender(sample, arrival.now_us);
        let senders = device.senders.text().filter(|_| new_senders);
        let clock = (device.id, device.clock.and_then(|clock| clock.ahead_us()));
        if sample.time.is_some() {
            inner.compare_clocks(clock, arrival.now_us);
        }
        drop(inner);
        if changed || new_senders {
            self.hub.device(group, name);
        }
        if let Some(text) = senders {
            tracing::warn!(device = format!("{group}/{name}"), "{text}");
        }
        if let Some(fresh) = fresh {
            self.hub.sample(series, fresh);
        }
        step
    }

    /// An object was usable as a whole: an earlier one that was not is history.
    pub(crate) fn take_usable(&self, (group, name, channel): (&str, &str, &str)) {
        let mut inner = self.lock();
        let Some(device) = inner.get_mut(group, name) else { return };
        let was_over = [device.refusals.is_over(channel), device.no_readings.is_over(channel)];
        drop(inner);
        if was_over.contains(&true) {
            self.hub.device(group, name);
        }
    }

    /// Whether the channel is described as one of texts: it takes everything as it stands.
    pub(crate) fn takes_texts(&self, (group, name, channel): (&str, &str, &str)) -> bool {
        let inner = self.lock();
        let rule = inner.get(group, name).map(|device| device.rule(channel));
        matches!(rule, Some(Rule::Described(channel)) if channel.datatype == Datatype::Text)
    }

    /// Whether an empty message on the channel takes a retained state back, as devices do that describe themselves.
    pub(crate) fn keeps_retained(&self, (group, name, channel): (&str, &str, &str)) -> bool {
        let inner = self.lock();
        let Some(device) = inner.get(group, name) else { return false };
        let Some(info) = device.info.as_ref() else { return false };
        channel.starts_with('$')
            || device.declared(channel).is_none_or(|declared| declared.settable)
            || device.declared(channel).and_then(|declared| declared.retain).or(info.retain) == Some(true)
    }

    /// An empty message, which is no value on any channel.
    pub(crate) fn take_empty(&self, (group, name, channel): (&str, &str, &str), arrival: &Arrival) -> Step {
        let mut inner = self.lock();
        let Some(device) = inner.get_mut(group, name) else { return Step::OpenDevice };
        if device.removed {
            return Step::Old;
        }
        let step = device.no_reading(channel, &Received::new(Written::Bare("")), arrival);
        drop(inner);
        self.hub.device(group, name);
        step
    }
}

impl Device {
    /// The datatype of the channel, and what the channel means by the value.
    fn read<'a>(&self, channel: &str, sample: &Received<'a>) -> Result<(Datatype, Meaning<'a>), String> {
        let refused = |error, described: Option<&Channel>| reason(error, described, sample.value);
        let read = match self.rule(channel) {
            Rule::Described(described) => {
                let meaning = sample.value.for_channel(&described);
                let meaning = meaning.map_err(|error| refused(error, Some(&described)))?;
                (described.datatype, meaning)
            }
            Rule::Undescribed(present) => {
                sample.value.for_undescribed(present).map_err(|error| refused(error, None))?
            }
        };
        match sample.time {
            Some(SampleTime::SinceBoot(ms)) if ms > MAX_UPTIME_MS => {
                Err("the time `u` is longer than any device lives".to_owned())
            }
            _ => Ok(read),
        }
    }

    /// Whether the message is an old retained one, sent because we subscribed: the first retained one of its channel
    /// on this connection. What the broker kept for our session may have come before it.
    fn is_replay(&self, channel: &str, arrival: &Arrival) -> bool {
        let state = self.channels.get(channel);
        arrival.retain && state.is_none_or(|state| state.retained_connection != arrival.connection)
    }

    /// Notes a message without a value. An old retained one is shown, but it was counted when it came first.
    fn no_reading(&mut self, channel: &str, sample: &Received<'_>, arrival: &Arrival) -> Step {
        if arrival.retain && self.no_readings.is_present(channel) {
            return Step::Old;
        }
        if self.note_number(sample.number, arrival.retain) {
            return Step::NoReading(self.id);
        }
        self.refusals.is_over(channel);
        self.no_readings.add(channel, &sample.value.to_string(), "", arrival.now_us);
        if !arrival.retain {
            self.last_seen_us = Some(arrival.now_us);
        } else if self.counted_before.no_reading {
            return Step::Old;
        }
        Step::NoReading(self.id)
    }

    /// Notes what is remarkable about a value; true: that changed.
    fn remark(&mut self, channel: &str, value: Written<'_>, datatype: Datatype, note: Option<Note>) -> bool {
        let mut changed = !self.no_readings.is_empty() && self.no_readings.is_over(channel);
        changed |= !self.refusals.is_empty() && self.refusals.is_over(channel);
        if let Some(state) = self.channels.get_mut(channel) {
            changed |= std::mem::replace(&mut state.note, note) != note;
            let before = state.proposes_numbers();
            let is_number = datatype == Datatype::Text && value.looks_like_a_number();
            state.numbers = if is_number { state.numbers.saturating_add(1) } else { 0 };
            changed |= before != state.proposes_numbers();
        }
        changed
    }

    fn note(
        &mut self,
        (channel, series): (&str, SeriesId),
        sample: &Received<'_>,
        value: Value,
        arrival: &Arrival,
        replayed: bool,
    ) -> (Step, Option<Fresh>) {
        let now_us = arrival.now_us;
        let number = sample.number.filter(|_| !(replayed && self.is_from_before(sample)));
        let repeated = self.note_number(number, replayed);
        let wrong = sample.time.and_then(|time| WrongClock::of(time, now_us));
        if !replayed && sample.time.is_some() {
            self.clock = wrong;
        }
        let Some(state) = self.channels.get_mut(channel) else { return (Step::Old, None) };
        if arrival.retain {
            state.retained_connection = arrival.connection;
        }
        let unknown = number.is_none() && (sample.time.is_none() || wrong.is_some());
        let same = state.last.as_ref().is_some_and(|last| last.value == value);
        // Without a count, a retained sample is the one that is known by its time.
        let at_known_time = match sample.time {
            Some(SampleTime::Unix(t_us)) if wrong.is_none() => {
                state.last.as_ref().is_some_and(|last| last.t_us == t_us)
            }
            _ => unknown,
        };
        if replayed && (repeated || (same && number.is_none() && at_known_time)) {
            return (Step::Old, None);
        }
        let when = match sample.time {
            Some(SampleTime::Unix(t_us)) if is_plausible_time(t_us, now_us) => WhenMeasured::Known(t_us),
            Some(SampleTime::Unix(t_us)) if number.is_some() => {
                WhenMeasured::WrongClock { t_us, arrived_us: now_us, fresh: !replayed }
            }
            Some(SampleTime::SinceBoot(ms)) if number.is_some() => {
                WhenMeasured::SinceBoot { ms, arrived_us: now_us, fresh: !replayed }
            }
            Some(_) | None => {
                state.stamped_us = next_stamp(state.stamped_us, now_us);
                WhenMeasured::Stamped(state.stamped_us)
            }
        };
        let t_us = self.measured_us(when, number);
        let mut fresh = None;
        if !repeated && let Some(state) = self.channels.get_mut(channel) {
            state.bytes = Some(arrival.bytes);
            state.at_most_once = arrival.qos == Qos::AtMostOnce;
            let newer = |last: &Last| t_us >= last.t_us || last.t_us > now_us;
            if state.last.as_ref().is_none_or(newer) {
                state.last = Some(Last { t_us, value: value.clone() });
            }
            fresh = Some(Fresh { t_us, value: value.clone(), bytes: arrival.bytes });
        }
        if !replayed {
            self.last_seen_us = Some(now_us);
        }
        let new = NewSample {
            device: self.id,
            series,
            value,
            when,
            wrong_clock: wrong.is_some_and(|wrong| wrong.counts()),
            number,
            arrived_us: now_us,
        };
        (Step::Write(new), fresh)
    }

    /// Notes the number in the window of its boot; true: it came before.
    fn note_number(&mut self, number: Option<(BootId, u64)>, replayed: bool) -> bool {
        number.is_some_and(|(boot, n)| self.boots.repeats(boot, n, replayed))
    }

    /// Whether a retained sample is from before this lab listened. It has a value, but its number begins no count:
    /// what is missing until the next one was not sent to this lab.
    fn is_from_before(&self, sample: &Received<'_>) -> bool {
        let known_time = matches!(sample.time, Some(SampleTime::Unix(_)));
        known_time && sample.number.is_some_and(|(boot, n)| self.boots.is_from_before(boot, n))
    }

    /// Notes who sent a sample; true: there are several now, or no longer.
    fn note_sender(&mut self, sample: &Received<'_>, now_us: i64) -> bool {
        sample.number.is_some_and(|(boot, _)| self.senders.note(boot, now_us))
    }

    /// When the sample was measured, as the store will compute it.
    fn measured_us(&mut self, when: WhenMeasured, number: Option<(BootId, u64)>) -> i64 {
        let mut unknown = ReceiveWindow::default();
        let window = number.and_then(|(boot, _)| self.boots.window(boot)).unwrap_or(&mut unknown);
        match when {
            WhenMeasured::Known(t_us) | WhenMeasured::Stamped(t_us) => t_us,
            WhenMeasured::SinceBoot { ms, arrived_us, fresh } => window.since_boot(ms, arrived_us, fresh),
            WhenMeasured::WrongClock { t_us, arrived_us, fresh } => {
                window.by_wrong_clock(t_us, arrived_us, fresh)
            }
        }
    }
}

/// Why a value was refused: what was expected, and what came.
pub(super) fn reason(error: ValueError, described: Option<&Channel>, value: Written<'_>) -> String {
    const MAX_CHARS: usize = 40;
    let expected = match (error, described) {
        (ValueError::NotAChoice, Some(channel)) if channel.choices.is_empty() => {
            "the description lists no choices".to_owned()
        }
        (ValueError::NotAChoice, Some(channel)) => {
            let choices: Vec<_> = channel.choices.iter().map(|choice| format!("`{choice}`")).collect();
            format!("expected one of {}", choices.join(", "))
        }
        (error, _) => error.to_string(),
    };
    let mut came: String =
        value.to_string().chars().filter(|c| !c.is_control()).take(MAX_CHARS + 1).collect();
    if came.chars().count() > MAX_CHARS {
        came = came.chars().take(MAX_CHARS).chain(['…']).collect();
    }
    format!("{expected}, not `{came}`")
}
