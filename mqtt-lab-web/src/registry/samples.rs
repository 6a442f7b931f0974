//! What an arriving sample means: its channel, its value, its time, whether it is new.

use std::borrow::Cow;

use mqtt_lab_core::link::{Incoming, Qos};
use mqtt_lab_wire::{Channel, Datatype, Sample, SampleTime, Value};

use super::Registry;
use super::device::{Device, guess};
use crate::live::Fresh;
use crate::store::{DeviceId, Last, NewSample, NewSeries, ReceiveWindow, SeriesId, WhenMeasured};

/// The end of the year 9999: later times are mistakes.
const LAST_US: i64 = 253_402_300_799_999_999;

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
    /// It is an old retained one, delivered because we subscribed.
    Old,
    /// It is not usable.
    Refuse(DeviceId, String),
}

impl Registry {
    /// Checks a sample, notes it and shows it.
    pub(crate) fn take_sample(
        &self,
        (group, name, channel): (&str, &str, &str),
        sample: Result<&Sample<'_>, &str>,
        arrival: &Arrival,
    ) -> Step {
        let mut inner = self.lock();
        let (all_series, limits) = (inner.series, self.limits);
        let Some(device) = inner.get_mut(group, name) else { return Step::OpenDevice };
        let replayed = device.is_replay(channel, arrival);
        if device.removed {
            return if replayed { Step::Old } else { Step::Revive(device.id) };
        }
        let checked = sample.map_err(str::to_owned).and_then(|s| Ok((s, check(device, channel, s)?)));
        let (sample, (datatype, value)) = match checked {
            Ok(checked) => checked,
            Err(reason) => return Step::Refuse(device.id, reason),
        };
        let known = device.channels.get(channel).and_then(|state| state.series_of(datatype));
        let Some(series) = known else {
            if device.series_count() >= limits.series_of_device || all_series >= limits.series {
                return Step::Refuse(device.id, "there are too many series".to_owned());
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
        let (step, fresh) = device.note((channel, series), sample, value, arrival, replayed);
        drop(inner);
        if let Some(fresh) = fresh {
            self.hub.sample(series, fresh);
        }
        step
    }
}

/// The channel's datatype, and the value as the channel means it.
fn check(device: &Device, channel: &str, sample: &Sample<'_>) -> Result<(Datatype, Value), String> {
    let described = device
        .described(channel)
        .unwrap_or_else(|| Cow::Owned(Channel::new(channel.to_owned(), guess(&Value::from(sample.value)))));
    let value = sample.value_for(described.datatype);
    let value = described.check(value).map_err(|error| error.to_string())?;
    match sample.time {
        Some(SampleTime::Unix(t_us)) if t_us > LAST_US => {
            return Err("the time `t` is after the year 9999".to_owned());
        }
        Some(SampleTime::SinceBoot(ms)) if ms > LAST_US.unsigned_abs() / 1_000 => {
            return Err("the time `u` is longer than any device lives".to_owned());
        }
        _ => {}
    }
    Ok((described.datatype, Value::from(value)))
}

impl Device {
    /// Whether the message is an old retained one, sent because we subscribed: the first of its channel
    /// on this connection.
    fn is_replay(&self, channel: &str, arrival: &Arrival) -> bool {
        let seen = self.channels.get(channel).is_some_and(|state| state.connection == arrival.connection);
        arrival.retain && !seen
    }

    fn note(
        &mut self,
        (channel, series): (&str, SeriesId),
        sample: &Sample<'_>,
        value: Value,
        arrival: &Arrival,
        replayed: bool,
    ) -> (Step, Option<Fresh>) {
        let repeated = self.note_number(sample, replayed);
        let boot_us = self.boot_us(sample, arrival, replayed);
        let Some(state) = self.channels.get_mut(channel) else { return (Step::Old, None) };
        state.connection = arrival.connection;
        let unknown = sample.number.is_none() && sample.time.is_none();
        let same = state.last.as_ref().is_some_and(|last| last.value == value);
        if replayed && (repeated || (unknown && same)) {
            return (Step::Old, None);
        }
        let when = match sample.time {
            Some(SampleTime::Unix(t_us)) => WhenMeasured::Known(t_us),
            Some(SampleTime::SinceBoot(ms)) if sample.number.is_some() => {
                WhenMeasured::SinceBoot { ms, arrived_us: arrival.now_us, fresh: !replayed }
            }
            Some(SampleTime::SinceBoot(_)) | None => {
                state.stamped_us = arrival.now_us.max(state.stamped_us + 1);
                WhenMeasured::Stamped(state.stamped_us)
            }
        };
        let t_us = match when {
            WhenMeasured::Known(t_us) | WhenMeasured::Stamped(t_us) => t_us,
            WhenMeasured::SinceBoot { ms, .. } => boot_us.saturating_add(micros(ms)),
            WhenMeasured::WrongClock { arrived_us, .. } => arrived_us,
        };
        let mut fresh = None;
        if !repeated {
            state.bytes = Some(arrival.bytes);
            state.at_most_once = arrival.qos == Qos::AtMostOnce;
            state.last = Some(Last { t_us, value: value.clone() });
            fresh = Some(Fresh { t_us, value: value.clone(), bytes: arrival.bytes });
        }
        if !replayed {
            self.last_seen_us = Some(arrival.now_us);
        }
        let number = sample.number;
        let new = NewSample {
            device: self.id,
            series,
            value,
            when,
            wrong_clock: false,
            number,
            arrived_us: arrival.now_us,
        };
        (Step::Write(new), fresh)
    }

    /// Notes the number in the window of the present life; true: it came before.
    fn note_number(&mut self, sample: &Sample<'_>, replayed: bool) -> bool {
        let Some((boot, n)) = sample.number else { return false };
        match &mut self.life {
            Some((present, window)) if *present == boot => !window.insert(n),
            // An old retained sample does not end the present life.
            Some(_) if replayed => false,
            life => {
                let mut window = ReceiveWindow::default();
                window.insert(n);
                *life = Some((boot, window));
                false
            }
        }
    }

    /// When the sender without a clock booted, as the store will compute it.
    fn boot_us(&mut self, sample: &Sample<'_>, arrival: &Arrival, replayed: bool) -> i64 {
        let Some(SampleTime::SinceBoot(ms)) = sample.time else { return 0 };
        let now = arrival.now_us.saturating_sub(micros(ms));
        let present = sample.number.map(|(boot, _)| boot);
        let Some((_, window)) = self.life.as_mut().filter(|(boot, _)| Some(*boot) == present) else {
            return now;
        };
        if replayed { window.epoch_us.unwrap_or(now) } else { *window.epoch_us.get_or_insert(now) }
    }
}

fn micros(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000)
}
