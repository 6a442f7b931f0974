//! The values of other devices that a device follows.

use super::DeviceSpec;
use super::errors::InputName;
use bytes::Bytes;

/// How often a value is applied to new instances if applying it ends the device.
const ATTEMPTS: u8 = 2;

/// All inputs of a device, each with the last value that it received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    all: Vec<Input>,
}

/// A settable channel that follows a channel of another device.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    name: InputName,
    /// Topic of the channel that is followed.
    topic: String,
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
            last: None,
            overridden: false,
            attempts: 0,
        };
        Self { all: spec.config.inputs.iter().map(input).collect() }
    }

    /// Takes the values that the device before this one had received from the same topics.
    pub(crate) fn inherit(&mut self, before: &Self) {
        for input in &mut self.all {
            let same = before.all.iter().find(|old| old.name == input.name && old.topic == input.topic);
            if let Some(same) = same {
                input.clone_from(same);
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
            (input.last, input.overridden, input.attempts) = (Some(payload.clone()), false, 0);
            at
        };
        followers.map(receive).collect()
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
