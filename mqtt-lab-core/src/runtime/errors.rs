//! What is wrong with a device: one error per cause, and the success that ends it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// What failed. The first one of several is shown first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// There is no instance. Ends when one was constructed and has taken the control variables.
    Start,
    /// It gave no sign of life, or its task has panicked. Ends with the next sign of life.
    Liveness,
    /// A reading failed or was wrong. Ends with the next good one; of an event sensor also when it has waited
    /// for its next event for a while.
    Reading,
    /// The device failed on a command, or answered it wrongly. Ends with the next command or input that it
    /// applies.
    Setting,
    /// The source of an input is missing. Ends when it describes itself or sends a value.
    Source(InputName),
    /// The last value of an input was refused. Ends with the next value of the channel that is applied.
    Input(InputName),
    /// Commands were discarded. Ends with the next command that arrives.
    Discarded,
    /// Readings are late or too many. Ends with the next reading that is not.
    Pace,
    /// Another program runs the same device. Ends when it has ended.
    Twin,
    /// Another client uses the same client id. Ends when it has ended.
    ClientId,
}

/// A channel that follows a channel of another device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InputName {
    pub(crate) channel: String,
    /// The followed channel: `group/device/channel`.
    pub(crate) source: String,
}

impl InputName {
    /// The name of the followed channel.
    pub(crate) fn channel_of_source(&self) -> &str {
        self.source.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input `{}` from `{}`", self.channel, self.source)
    }
}

#[derive(Debug)]
struct Failure {
    text: String,
    in_a_row: u32,
}

/// The present errors of a device.
#[derive(Debug, Default)]
pub(crate) struct Errors(BTreeMap<Cause, Failure>);

impl Errors {
    /// Notes an error. Returns how often its cause has failed without a success in between.
    pub(crate) fn failed(&mut self, cause: Cause, text: &str) -> u32 {
        match self.0.entry(cause) {
            Entry::Vacant(entry) => {
                entry.insert(Failure { text: text.to_owned(), in_a_row: 1 });
                1
            }
            Entry::Occupied(mut entry) => {
                let failure = entry.get_mut();
                text.clone_into(&mut failure.text);
                failure.in_a_row = failure.in_a_row.saturating_add(1);
                failure.in_a_row
            }
        }
    }

    /// What was failing works.
    pub(crate) fn succeeded(&mut self, cause: &Cause) {
        self.0.remove(cause);
    }

    /// A value was applied to a channel, whoever sent it.
    pub(crate) fn applied(&mut self, channel: &str) {
        self.0.retain(|cause, _| match cause {
            Cause::Setting => false,
            Cause::Input(input) => input.channel != channel,
            _ => true,
        });
    }

    /// Whether there is an error of a cause.
    pub(crate) fn has(&self, cause: &Cause) -> bool {
        self.0.contains_key(cause)
    }

    /// Whether a source is reported as missing.
    pub(crate) fn misses_a_source(&self) -> bool {
        self.0.keys().any(|cause| matches!(cause, Cause::Source(_)))
    }

    /// A new instance begins to count from the start; what it shows stays until it succeeds.
    pub(crate) fn restarted(&mut self) {
        self.0.values_mut().for_each(|failure| failure.in_a_row = 0);
    }

    /// Another plugin has nothing to do with what went wrong in the old one.
    pub(crate) fn replaced(&mut self) {
        self.0.retain(|cause, _| {
            matches!(cause, Cause::Discarded | Cause::Source(_) | Cause::Twin | Cause::ClientId)
        });
    }

    /// All of them in words; empty if there is none.
    pub(crate) fn text(&self) -> String {
        let each = self.0.iter().map(|(cause, failure)| match cause {
            Cause::Input(input) | Cause::Source(input) => format!("{input}: {}", failure.text),
            _ => failure.text.clone(),
        });
        each.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(channel: &str) -> Cause {
        Cause::Input(InputName { channel: channel.into(), source: "demo/leader/level".into() })
    }

    #[test]
    fn each_error_ends_with_the_success_of_what_failed() {
        let mut errors = Errors::default();
        errors.failed(input("a"), "no number");
        errors.failed(Cause::Setting, "fuse blown");
        errors.failed(Cause::Reading, "wire broken");
        assert_eq!(errors.text(), "wire broken; fuse blown; input `a` from `demo/leader/level`: no number");
        errors.succeeded(&Cause::Reading);
        errors.applied("b");
        assert_eq!(errors.text(), "input `a` from `demo/leader/level`: no number");
        errors.applied("a");
        assert_eq!(errors.text(), "");
    }

    #[test]
    fn failures_in_a_row_are_counted_per_cause() {
        let mut errors = Errors::default();
        assert_eq!(errors.failed(Cause::Reading, "1"), 1);
        assert_eq!(errors.failed(Cause::Setting, "2"), 1);
        assert_eq!(errors.failed(Cause::Reading, "3"), 2);
        errors.restarted();
        assert_eq!(errors.failed(Cause::Reading, "4"), 1);
        assert_eq!(errors.text(), "4; 2");
        errors.succeeded(&Cause::Reading);
        assert_eq!(errors.failed(Cause::Reading, "5"), 1);
    }
}
