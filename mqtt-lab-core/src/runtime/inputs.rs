//! The values of other devices that a device follows.

use super::DeviceSpec;
use super::errors::InputName;
use super::source::Source;
use bytes::Bytes;
use mqtt_lab_wire::{Datatype, Sample, Value};
use std::time::Duration;
use tokio::time::Instant;

/// Time after the connection in which a source describes itself or sends a value; the broker keeps descriptions.
const FIRST: Duration = Duration::from_secs(5);

/// Time in which a source that was removed may come back: a changed device clears its channels, too.
const GRACE: Duration = Duration::from_secs(2);

/// Longest part of a value that is shown, in characters.
const SHOWN: usize = 40;

/// How often a value is applied to new instances if applying it ends the device.
const ATTEMPTS: u8 = 2;

/// All inputs of a device, each with the last value that it received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    all: Vec<Input>,
    /// When sources that are missing are reported.
    due: Option<Instant>,
}

/// A settable channel that follows a channel of another device.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    name: InputName,
    /// Topic of the channel that is followed.
    topic: String,
    /// Topic on which the followed device describes itself.
    info: String,
    source: Source,
    /// The last payload that had a value; `None` until one was received.
    last: Option<Bytes>,
    /// A command has set the channel since.
    overridden: bool,
    /// How often `last` was applied without success.
    attempts: u8,
}

impl Inputs {
    pub(crate) fn new(spec: &DeviceSpec) -> Self {
        let input = |(channel, source): (&String, &String)| Input {
            name: InputName { channel: channel.clone(), source: source.clone() },
            topic: spec.input_topic(source),
            info: spec.input_info(source),
            source: Source::default(),
            last: None,
            overridden: false,
            attempts: 0,
        };
        Self { all: spec.config.inputs.iter().map(input).collect(), due: None }
    }

    /// Takes the values that the device before this one had received from the same topics.
    pub(crate) fn inherit(&mut self, before: &Self) {
        for input in &mut self.all {
            let same = before.all.iter().find(|old| old.name == input.name && old.topic == input.topic);
            if let Some(same) = same {
                *input = Input { source: Source::default(), ..same.clone() };
            }
        }
    }

    /// Whether a message on `topic` is a value to follow.
    pub(crate) fn follows(&self, topic: &str) -> bool {
        self.all.iter().any(|input| input.topic == topic)
    }

    /// Remembers a value and returns the inputs that follow it.
    pub(crate) fn received(&mut self, topic: &str, payload: &Bytes) -> Vec<usize> {
        let followers = self.all.iter_mut().enumerate().filter(|(_, input)| input.topic == topic);
        let receive = |(at, input): (usize, &mut Input)| {
            input.source.sent();
            (input.last, input.overridden, input.attempts) = (Some(payload.clone()), false, 0);
            at
        };
        followers.map(receive).collect()
    }

    /// Topics to subscribe to.
    pub(crate) fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<_> = self.all.iter().flat_map(|input| [&input.topic, &input.info]).collect();
        topics.sort_unstable();
        topics.dedup();
        topics.into_iter().map(String::as_str).collect()
    }

    /// Whether a message on `topic` describes a source.
    pub(crate) fn describes(&self, topic: &str) -> bool {
        self.all.iter().any(|input| input.info == topic)
    }

    /// A source has described itself; with an empty payload it was removed.
    pub(crate) fn described(&mut self, topic: &str, payload: &[u8]) {
        for input in self.all.iter_mut().filter(|input| input.info == topic) {
            input.source.described(input.name.channel_of_source(), payload);
        }
        self.check_after(GRACE);
    }

    /// The retained value of a source was cleared.
    pub(crate) fn cleared(&mut self, topic: &str) {
        self.all.iter_mut().filter(|input| input.topic == topic).for_each(|input| input.source.cleared());
        self.check_after(GRACE);
    }

    /// The device is connected. Without a session, a removal may have been missed.
    pub(crate) fn connected(&mut self, session_present: bool) {
        if !session_present {
            self.all.iter_mut().for_each(|input| input.source.lapsed());
        }
        if !self.all.is_empty() {
            self.check_after(FIRST);
        }
    }

    fn check_after(&mut self, time: Duration) {
        self.due = self.due.max(Some(Instant::now() + time));
    }

    /// When [`Inputs::missing`] is to be reported.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It was reported.
    pub(crate) fn reported(&mut self) {
        self.due = None;
    }

    /// What is wrong with the source of each input; `None`: nothing.
    pub(crate) fn missing(&self) -> Vec<(InputName, Option<String>)> {
        let problem = |input: &Input| {
            let problem = input.source.problem()?;
            Some(match &input.last {
                Some(last) => format!("{problem}; the last value {} stays", shown(last)),
                None => format!("{problem}; no value was received"),
            })
        };
        self.all.iter().map(|input| (input.name.clone(), problem(input))).collect()
    }

    /// A command has set `channel`: the last value of its input is out of date.
    pub(crate) fn overridden(&mut self, channel: &str) {
        let inputs = self.all.iter_mut().filter(|input| input.name.channel == channel);
        inputs.for_each(|input| input.overridden = true);
    }

    /// The inputs whose last value a new instance has to be given. A value that ended the device twice is
    /// left out, so that the device does not fail for ever.
    pub(crate) fn to_restore(&self) -> Vec<usize> {
        let current = |input: &Input| !input.overridden && input.last.is_some() && input.attempts < ATTEMPTS;
        let current = self.all.iter().enumerate().filter(|(_, input)| current(input));
        current.map(|(at, _)| at).collect()
    }

    /// Values that ended an instance are worth another attempt.
    pub(crate) fn retry(&mut self) {
        self.all.iter_mut().for_each(|input| input.attempts = 0);
    }

    /// The name and the last payload of an input, which is about to be applied.
    pub(crate) fn attempt(&mut self, at: usize) -> Option<(InputName, Bytes)> {
        let input = self.all.get_mut(at)?;
        input.attempts = input.attempts.saturating_add(1);
        Some((input.name.clone(), input.last.clone()?))
    }

    /// The device has survived the last value of an input.
    pub(crate) fn survived(&mut self, at: usize) {
        if let Some(input) = self.all.get_mut(at) {
            input.attempts = 0;
        }
    }
}

/// A value as people read it.
fn shown(payload: &[u8]) -> String {
    let sample =
        Sample::decode(payload).map(|sample| Value::from(sample.value_for(Datatype::Float)).to_string());
    let text = sample.unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned());
    let short: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("`{short}`")
}
