//! What measuring and sending both work on.

use crate::answer::Answer;
use crate::memory::Notes;
use crate::part::{Part, Readings};
use crate::ring::{Entry, Ring};
use crate::{Channel, Fault, MAX_CHANNELS, Qos, Settings, ValueRef};
use core::fmt;
use minimq::Op;
use mqtt_lab_wire::State;

/// The control variables that every node has, behind the channels of its parts.
pub(crate) const INTERVAL: &str = "$interval";
pub(crate) const QOS: &str = "$qos";
pub(crate) const PAUSED: &str = "$paused";

/// Shortest and longest interval, in seconds.
pub(crate) const INTERVAL_S: (f64, f64) = (0.1, 3600.0);

/// What measuring and sending both work on. Never borrowed across an await.
pub(crate) struct Shared<'a, const SAMPLES: usize> {
    parts: &'a mut [&'a mut (dyn Part + 'a)],
    channels: &'static [Channel],
    /// The part of each channel.
    owners: heapless::Vec<u8, MAX_CHANNELS>,
    pub(crate) ring: &'a mut Ring<SAMPLES>,
    pub(crate) notes: &'a mut Notes,
    pub(crate) interval_ms: u32,
    pub(crate) qos: Qos,
    pub(crate) paused: bool,
    /// Number of the last sample.
    pub(crate) numbered: u32,
    /// What must be said before samples.
    pub(crate) info_due: bool,
    pub(crate) state_due: Option<State>,
    pub(crate) error_due: bool,
    pub(crate) stats_due: bool,
    log: fn(fmt::Arguments<'_>),
}

impl<'a, const SAMPLES: usize> Shared<'a, SAMPLES> {
    /// `owners` holds the part of each of `channels`, the control variables left out.
    pub(crate) fn new(
        settings: &Settings<'_>,
        parts: &'a mut [&'a mut (dyn Part + 'a)],
        channels: &'static [Channel],
        owners: heapless::Vec<u8, MAX_CHANNELS>,
        ring: &'a mut Ring<SAMPLES>,
        notes: &'a mut Notes,
    ) -> Self {
        notes.fill();
        Self {
            parts,
            channels,
            owners,
            ring,
            notes,
            interval_ms: settings.interval_ms,
            qos: settings.qos,
            paused: false,
            numbered: 0,
            info_due: false,
            state_due: None,
            error_due: false,
            stats_due: false,
            log: settings.log,
        }
    }

    pub(crate) const fn channels(&self) -> &'static [Channel] {
        self.channels
    }

    /// The channels of a part: the first one's number, and how many.
    fn channels_of(&self, part: usize) -> (usize, usize) {
        let is_its = |owner: &&u8| usize::from(**owner) == part;
        let first = self.owners.iter().position(|owner| is_its(&owner)).unwrap_or(self.owners.len());
        (first, self.owners.iter().filter(is_its).count())
    }

    /// Whether a part has something to tell before the next interval.
    pub(crate) fn has_events(&mut self) -> bool {
        self.parts.iter_mut().any(|part| part.has_event().is_some())
    }

    /// Reads the parts: all, or those to which something happened. Samples of one reading share a time.
    pub(crate) fn read(&mut self, only_events: bool, now_ms: u64) {
        for at in 0..self.parts.len() {
            if only_events && self.parts[at].has_event() != Some(true) {
                continue;
            }
            let (first, count) = self.channels_of(at);
            let mut readings = Readings::new(&self.channels[first..first + count], first);
            let fault = self.parts[at].read(&mut readings).err();
            // What was read before a fault is good.
            for (channel, value) in readings.values() {
                self.take(*channel, *value, now_ms);
            }
            self.note_fault(at, fault);
        }
    }

    fn note_fault(&mut self, part: usize, fault: Option<Fault>) {
        if self.notes.faults[part] == fault {
            return;
        }
        self.notes.faults[part] = fault;
        self.error_due = true;
        if let Some(fault) = fault {
            (self.log)(format_args!("{}: {fault}", self.part_name(part)));
        }
    }

    fn part_name(&self, part: usize) -> &'static str {
        self.channels.get(self.channels_of(part).0).map_or("", |channel| channel.name)
    }

    /// Writes what is wrong with the device; nothing when all is well.
    pub(crate) fn write_error(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let faulty =
            self.notes.faults.iter().enumerate().find_map(|(part, fault)| Some((part, fault.as_ref()?)));
        faulty.map_or(Ok(()), |(part, fault)| write!(out, "{}: {fault}", self.part_name(part)))
    }

    /// Takes a value: measurements always, states when they changed.
    pub(crate) fn take(&mut self, channel: u8, value: ValueRef<'static>, now_ms: u64) {
        let at = usize::from(channel);
        let state = self.channels[at].settable;
        if state && self.notes.held[at] == Some(value) {
            return;
        }
        if state {
            self.notes.held[at] = Some(value);
        }
        self.push(channel, state, value, now_ms);
    }

    fn push(&mut self, channel: u8, state: bool, value: ValueRef<'static>, now_ms: u64) {
        self.numbered += 1;
        let entry = Entry { channel, state, value, since_boot_ms: now_ms, number: self.numbered, sent: None };
        if !self.ring.push(entry) {
            (self.log)(format_args!("memory full: {} samples dropped", self.ring.dropped()));
        }
    }

    /// Sends all states again: the broker does not know this session.
    pub(crate) fn repeat_states(&mut self, now_ms: u64) {
        for (channel, held) in (0u8..).zip(self.notes.held.clone()) {
            if let Some(value) = held {
                self.push(channel, true, value, now_ms);
            }
        }
    }

    /// Takes the present values of the control variables.
    pub(crate) fn take_controls(&mut self, now_ms: u64) {
        let seconds = f64::from(self.interval_ms) / 1000.0;
        let values = [
            (INTERVAL, ValueRef::Float(seconds)),
            (QOS, ValueRef::Int(self.qos.level().into())),
            (PAUSED, ValueRef::Bool(self.paused)),
        ];
        for (name, value) in values {
            if let Some(channel) = (0u8..).zip(self.channels).find(|(_, c)| c.name == name) {
                self.take(channel.0, value, now_ms);
            }
        }
    }

    /// Lets a part, or the node itself, take a value that was checked, and returns the new state.
    pub(crate) fn apply(
        &mut self,
        channel: usize,
        value: ValueRef<'_>,
        now_ms: u64,
    ) -> Result<Option<ValueRef<'static>>, Fault> {
        if let Some(owner) = self.owners.get(channel) {
            let new = self.parts[usize::from(*owner)].apply(self.channels[channel].name, value)?;
            #[allow(clippy::cast_possible_truncation, reason = "at most MAX_CHANNELS")]
            self.take(channel as u8, new, now_ms);
            return Ok(Some(new));
        }
        match (self.channels[channel].name, value) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within INTERVAL_S")]
            (INTERVAL, ValueRef::Float(seconds)) => self.interval_ms = (seconds * 1000.0) as u32,
            (QOS, ValueRef::Int(level)) => {
                self.qos = u8::try_from(level).ok().and_then(Qos::from_level).unwrap_or(self.qos);
            }
            (PAUSED, ValueRef::Bool(paused)) => self.paused = paused,
            _ => return Err(Fault::Channel),
        }
        self.take_controls(now_ms);
        Ok(self.notes.held[channel])
    }

    /// Keeps an answer until it can be sent.
    pub(crate) fn answer(&mut self, answer: Answer) {
        if self.notes.answers.is_full() {
            (self.log)(format_args!("too many commands at once: one stays unanswered"));
            self.notes.answers.pop_front();
        }
        // There is room now.
        let _ = self.notes.answers.push_back(answer);
    }

    /// QoS and retain of a sample: its channel's own, else the device's. A state is retained and goes at
    /// QoS 1 at least.
    pub(crate) fn delivery(&self, entry: &Entry) -> (Qos, bool) {
        let channel = &self.channels[usize::from(entry.channel)];
        let device = if entry.state { self.qos.max(Qos::AtLeastOnce) } else { self.qos };
        (channel.qos.unwrap_or(device), channel.retain.unwrap_or(entry.state))
    }

    /// Takes what must be sent next. It comes back by [`Shared::sent`] or [`Shared::not_sent`]; meanwhile
    /// newer facts of the same kind may become due.
    pub(crate) fn take_next(&mut self) -> Option<Next> {
        if core::mem::take(&mut self.info_due) {
            return Some(Next::Info);
        }
        if let Some(answer) = self.notes.answers.pop_front() {
            return Some(Next::Answer(answer));
        }
        // The last word of a life is that it is over.
        let last = self.state_due == Some(State::Disconnected);
        if let Some(state) = self.state_due.take_if(|_| !last || !self.stats_due) {
            return Some(Next::State(state));
        }
        if !last && core::mem::take(&mut self.error_due) {
            return Some(Next::Error);
        }
        if core::mem::take(&mut self.stats_due) {
            return Some(Next::Stats);
        }
        self.ring.next().map(Next::Sample)
    }

    /// A message is on its way.
    pub(crate) fn sent(&mut self, next: Next, op: Option<Op>) {
        match next {
            Next::Sample(entry) => self.ring.sent(entry.number, op),
            Next::Answer(answer) => {
                if let Some(rest) = answer.rest() {
                    self.answer(rest);
                }
            }
            Next::Info | Next::State(_) | Next::Error | Next::Stats => {}
        }
    }

    /// A message must be sent later.
    pub(crate) fn not_sent(&mut self, next: Next) {
        match next {
            Next::Info => self.info_due = true,
            Next::State(state) => self.state_due = self.state_due.or(Some(state)),
            Next::Error => self.error_due = true,
            Next::Stats => self.stats_due = true,
            Next::Answer(answer) => self.answer(answer),
            // It has not left its place.
            Next::Sample(_) => {}
        }
    }
}

/// A message that must be sent.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nowhere to allocate")]
pub(crate) enum Next {
    Info,
    State(State),
    Error,
    Stats,
    Answer(Answer),
    Sample(Entry),
}

#[cfg(test)]
#[path = "shared_test.rs"]
mod tests;
