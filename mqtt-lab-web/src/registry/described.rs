//! What is known of a channel: from its device, from the framework, from a person, or from its values.

use std::borrow::Cow;

use mqtt_lab_wire::{Channel, Datatype};
use serde::Serialize;

use super::device::Device;
use crate::store::ChannelSettings;

/// Who described a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DescribedBy {
    /// The device itself, on `$info`.
    Device,
    /// The framework: `$interval` and its like.
    Framework,
    /// A person, on the page.
    Person,
}

/// What decides how a value is read.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives on the stack while one value is read")]
pub(crate) enum Rule<'a> {
    /// The channel's description.
    Described(Cow<'a, Channel>),
    /// Nobody described its datatype: its present series, if it has one.
    Undescribed(Option<Datatype>),
}

impl Device {
    /// The channel as the device describes it.
    pub(crate) fn declared(&self, channel: &str) -> Option<&Channel> {
        self.info.as_ref()?.channels.iter().find(|declared| declared.name == channel)
    }

    /// Who described the channel; `None`: nobody.
    pub(crate) fn described_by(&self, channel: &str) -> Option<DescribedBy> {
        if self.declared(channel).is_some() {
            Some(DescribedBy::Device)
        } else if control_variable(channel).is_some() {
            Some(DescribedBy::Framework)
        } else {
            self.settings.contains_key(channel).then_some(DescribedBy::Person)
        }
    }

    /// How a value of the channel is read.
    pub(crate) fn rule(&self, channel: &str) -> Rule<'_> {
        if let Some(declared) = self.declared(channel) {
            return Rule::Described(Cow::Borrowed(declared));
        }
        let own = control_variable(channel).or_else(|| self.set_by_a_person(channel));
        own.map_or_else(|| Rule::Undescribed(self.present(channel)), |own| Rule::Described(Cow::Owned(own)))
    }

    /// The channel as anybody described it, else by its first value.
    pub(crate) fn described(&self, channel: &str) -> Option<Cow<'_, Channel>> {
        match self.rule(channel) {
            Rule::Described(described) => Some(described),
            Rule::Undescribed(present) => Some(Cow::Owned(self.with_settings(channel, present?))),
        }
    }

    /// The channel if a person set its datatype.
    fn set_by_a_person(&self, channel: &str) -> Option<Channel> {
        Some(self.with_settings(channel, self.settings.get(channel)?.datatype?))
    }

    /// The channel with the unit of its series and what a person set.
    fn with_settings(&self, channel: &str, datatype: Datatype) -> Channel {
        let mut described = Channel::new(channel.to_owned(), datatype);
        described.unit = self.channels.get(channel).and_then(|state| state.unit.clone()).map(Into::into);
        if let Some(settings) = self.settings.get(channel) {
            settings.apply(&mut described);
        }
        described
    }

    /// The datatype of the present series.
    fn present(&self, channel: &str) -> Option<Datatype> {
        self.channels.get(channel)?.series.first().map(|(datatype, _)| *datatype)
    }
}

impl ChannelSettings {
    fn apply(&self, channel: &mut Channel) {
        if let Some(unit) = &self.unit {
            channel.unit = Some(unit.clone().into());
        }
        channel.quantity = self.quantity.clone().map(Into::into);
        channel.label = self.label.clone().map(Into::into);
        channel.choices = self.choices.iter().map(|choice| choice.clone().into()).collect();
    }
}

/// The control variables that the framework gives every sensor, where the device does not describe them.
fn control_variable(channel: &str) -> Option<Channel> {
    // Asked for each sample of a channel that its device does not describe: nearly always it is none.
    if !channel.starts_with('$') {
        return None;
    }
    let name = channel.to_owned();
    Some(match channel {
        "$interval" => Channel::float(name).unit("s").settable(),
        "$qos" => Channel::int(name).range(0.0, 2.0).settable(),
        "$paused" => Channel::bool(name).settable(),
        _ => return None,
    })
}
