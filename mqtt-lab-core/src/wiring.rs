//! What devices follow by `inputs`: whether it exists, and whether its values fit.

use crate::Description;
use crate::config::{Problem, nearest};
use crate::runtime::DeviceSpec;
use crate::variables::VARIABLES;
use mqtt_lab_wire::{Channel, Datatype};
use std::collections::{BTreeMap, BTreeSet};

/// A device with its description; `None` if it could not be constructed for now.
pub(crate) type Known<'a> = (&'a DeviceSpec, Option<&'a Description>);

/// What is wrong with the inputs of a lab.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What can never work.
    pub(crate) errors: Vec<Problem>,
    /// What may be meant, and is suspicious.
    pub(crate) warnings: Vec<Problem>,
}

/// Checks the inputs of all devices of a lab.
pub(crate) fn check(devices: &[Known<'_>]) -> Findings {
    let lab = Wiring::of(devices);
    let mut findings = Findings::default();
    for (spec, description) in devices {
        for (channel, source) in &spec.config.inputs {
            let own = description.and_then(|description| description.find(channel));
            let Some(finding) = lab.problem(source, own) else { continue };
            let (problem, to) = match finding {
                Finding::Error(message, hint) => ((message, hint), &mut findings.errors),
                Finding::Warning(message, hint) => ((message, hint), &mut findings.warnings),
            };
            to.push(Problem::new(spec.table, &["inputs", channel], problem.0).hint(problem.1));
        }
    }
    findings.warnings.extend(lab.cycles());
    // With `count`, all devices of a table have the same mistakes.
    findings.errors.dedup();
    findings.warnings.dedup();
    findings
}

/// Returns what existing channels cannot follow of each other: what a change of a variable may not do to a running lab.
pub(crate) fn misfits(devices: &[Known<'_>]) -> Vec<Problem> {
    let lab = Wiring::of(devices);
    let mut problems = Vec::new();
    for (spec, description) in devices {
        for (channel, source) in &spec.config.inputs {
            let own = description.and_then(|description| description.find(channel));
            if let (Some(own), Some(leader)) = (own, lab.leader(source))
                && !can_follow(own, leader)
            {
                let (message, hint) = misfit(source, own, leader);
                let message = format!("device `{}`: {message}", spec.name());
                problems.push(Problem::new(spec.table, &["inputs", channel], message).hint(hint));
            }
        }
    }
    problems
}

fn misfit(source: &str, own: &Channel, leader: &Channel) -> (String, String) {
    let described = |channel: &Channel| {
        let range = match (channel.min, channel.max) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        };
        format!("`{}`{range}", channel.datatype)
    };
    let message =
        format!("`{source}` sends {}, and `{}` takes {}", described(leader), own.name, described(own));
    (message, format!("follow a channel whose values are {}", described(own)))
}

enum Finding {
    Error(String, String),
    Warning(String, String),
}

struct Wiring<'a> {
    devices: BTreeMap<String, Known<'a>>,
}

impl<'a> Wiring<'a> {
    fn of(devices: &[Known<'a>]) -> Self {
        Self { devices: devices.iter().map(|known| (known.0.name(), *known)).collect() }
    }

    /// What is wrong with one source, which `own` follows.
    fn problem(&self, source: &str, own: Option<&Channel>) -> Option<Finding> {
        let (device, channel) = split(source)?;
        let Some((_, description)) = self.devices.get(&device) else {
            return Some(self.unknown_device(&device, source));
        };
        // It panics or hangs: nobody knows its channels yet.
        let description = (*description)?;
        let Some(leader) = description.find(channel) else {
            return Some(self.unknown_channel(&device, channel, description));
        };
        let own = own?;
        (!can_follow(own, leader)).then(|| {
            let (message, hint) = misfit(source, own, leader);
            let fitting = description.channels().iter().find(|other| can_follow(own, other));
            let hint = fitting.map_or(hint, |other| format!("`{device}/{}` has values that fit", other.name));
            Finding::Error(message, hint)
        })
    }

    /// The channel that an input names, if it is known.
    fn leader(&self, source: &str) -> Option<&Channel> {
        let (device, channel) = split(source)?;
        self.devices.get(&device)?.1?.find(channel)
    }

    fn unknown_device(&self, device: &str, source: &str) -> Finding {
        if let Some(near) = self.near(device) {
            let message = format!("there is no device `{device}`");
            return Finding::Error(message, format!("did you mean `{near}`?"));
        }
        if device.ends_with(&format!("/{VARIABLES}")) {
            let message = format!("no variable `{source}` stands in this file");
            return Finding::Warning(message, "declare it as `[[variable]]`, or make it in the page".into());
        }
        let message = format!("`{device}` is no device of this lab");
        let hint = "that is right if another program or board publishes it at this broker".to_owned();
        Finding::Warning(message, hint)
    }

    /// A device of the same group whose name is like it, or one of that very name in a group that is like it.
    fn near(&self, device: &str) -> Option<String> {
        let (group, id) = device.split_once('/')?;
        let others = || self.devices.values().map(|(spec, _)| (spec.group.as_str(), spec.id.as_str()));
        if id != VARIABLES
            && let Some(near) = nearest(id, others().filter(|other| other.0 == group).map(|other| other.1))
        {
            return Some(format!("{group}/{near}"));
        }
        let near = nearest(group, others().filter(|other| other.1 == id).map(|other| other.0))?;
        Some(format!("{near}/{id}"))
    }

    fn unknown_channel(&self, device: &str, channel: &str, description: &Description) -> Finding {
        let names: Vec<&str> = description.channels().iter().map(|known| known.name.as_ref()).collect();
        let near = nearest(channel, names.iter().copied());
        let is_variable = device.ends_with(&format!("/{VARIABLES}"));
        let hint = match near {
            Some(near) => format!("did you mean `{device}/{near}`?"),
            None => format!("`{device}` has the channels: {}", names.join(", ")),
        };
        if !is_variable {
            return Finding::Error(format!("`{device}` has no channel `{channel}`"), hint);
        }
        match near {
            Some(_) => Finding::Error(format!("there is no variable `{channel}`"), hint),
            // People make variables in the page, too.
            None => Finding::Warning(
                format!("no variable `{device}/{channel}` stands in this file"),
                "declare it as `[[variable]]`, or make it in the page".into(),
            ),
        }
    }

    /// Settable channels that follow each other in a circle. A control loop is none: what it measures is not what it
    /// sets.
    fn cycles(&self) -> Vec<Problem> {
        let mut told = BTreeSet::new();
        let mut problems = Vec::new();
        for (name, (spec, _)) in &self.devices {
            for channel in spec.config.inputs.keys() {
                let start = format!("{name}/{channel}");
                let Some(circle) = self.circle(&start) else { continue };
                if !circle.iter().any(|place| told.contains(place)) {
                    let way = circle.iter().chain(circle.first()).map(|place| format!("`{place}`"));
                    let message = format!("it follows itself: {}", way.collect::<Vec<_>>().join(" ← "));
                    let problem = Problem::new(spec.table, &["inputs", channel], message);
                    problems.push(problem.hint("one of them must follow something else, or nothing"));
                }
                told.extend(circle);
            }
        }
        problems
    }

    /// The channels from `start` back to it.
    fn circle(&self, start: &str) -> Option<Vec<String>> {
        let mut way = vec![start.to_owned()];
        loop {
            let (device, channel) = split(way.last()?)?;
            let next = self.devices.get(&device)?.0.config.inputs.get(channel)?;
            if next == start {
                return Some(way);
            }
            if way.contains(next) {
                return None;
            }
            way.push(next.clone());
        }
    }
}

/// `group/device` and the channel.
fn split(source: &str) -> Option<(String, &str)> {
    let mut levels = source.splitn(3, '/');
    let (group, device, channel) = (levels.next()?, levels.next()?, levels.next()?);
    Some((format!("{group}/{device}"), channel))
}

/// Whether some value of `leader` is one of `own`: those that never are make an input useless.
fn can_follow(own: &Channel, leader: &Channel) -> bool {
    use Datatype::{Bool, Choice, Color, Float, Int, Text};
    match (own.datatype, leader.datatype) {
        // A text may look like a number, a truth value, a color or a choice. A text takes all.
        (Text, _) | (_, Text) => true,
        (Choice, Choice) => leader.choices.iter().any(|choice| own.choices.contains(choice)),
        (Choice, _) => false,
        (Color, leader) => leader == Color,
        (_, Color) => false,
        (Float | Int, Choice) => leader.choices.iter().any(|choice| choice.parse::<f64>().is_ok()),
        (Bool, Choice) => leader.choices.iter().any(|choice| TRUTH.contains(&choice.to_lowercase().as_str())),
        (Float | Int, Float | Int) => overlap(own, leader),
        (Bool, Float | Int | Bool) => true,
        (Float | Int, Bool) => false,
    }
}

/// Words that a channel of truth values takes.
const TRUTH: [&str; 4] = ["true", "false", "on", "off"];

/// Whether their ranges have a number in common.
fn overlap(own: &Channel, leader: &Channel) -> bool {
    let below = |end: Option<f64>, start: Option<f64>| matches!((end, start), (Some(end), Some(start)) if end < start);
    !below(own.max, leader.min) && !below(leader.max, own.min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: Channel, leader: Channel, expected: bool) {
        assert_eq!(can_follow(&own, &leader), expected, "{own:?} follows {leader:?}");
    }

    #[test]
    fn a_channel_follows_what_can_be_a_value_of_it() {
        check(Channel::float("a"), Channel::int("b"), true);
        check(Channel::float("a"), Channel::bool("b"), false);
        check(Channel::int("a"), Channel::text("b"), true);
        check(Channel::bool("a"), Channel::int("b"), true);
        check(Channel::color("a"), Channel::float("b"), false);
        check(Channel::text("a"), Channel::color("b"), true);
        check(Channel::float("a").range(0.0, 1.0), Channel::float("b").range(5.0, 9.0), false);
        check(Channel::float("a").range(0.0, 1.0), Channel::float("b").range(1.0, 9.0), true);
    }
}
