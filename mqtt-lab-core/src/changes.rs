//! What became of the devices when the configuration changed.

use crate::config::Problem;
use std::fmt;

/// What [`RunningLab::apply`](crate::RunningLab::apply) did, by `group/id`, in the order of the tables
/// (those that stopped: sorted).
///
/// Shown in words: `2 devices restarted, 1 added`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Devices that are new.
    pub started: Vec<String>,
    /// Devices that are gone.
    pub stopped: Vec<String>,
    /// Devices whose kind, settings or options are different: stopped, then started again.
    pub restarted: Vec<String>,
    /// Devices whose plugin was loaded again, exchanged without a new connection.
    pub swapped: Vec<String>,
    /// Devices that hold other variables now, exchanged without a new connection.
    pub varied: Vec<String>,
    /// Devices whose plugin was loaded again, but could not be used, and why. The old one runs on.
    pub kept_old: Vec<(String, String)>,
    /// How many devices stayed as they were.
    pub unchanged: usize,
    /// What is suspicious about the inputs of the devices: a source outside of this lab, a circle.
    pub warnings: Vec<Problem>,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.restarted.len(), "restarted"),
            (self.started.len(), "added"),
            (self.stopped.len(), "removed"),
            (self.swapped.len(), "swapped"),
            (self.varied.len(), "with other variables"),
            (self.kept_old.len(), "kept with the old plugin"),
        ];
        let mut counts = counts.iter().filter(|(count, _)| *count > 0);
        let Some((count, what)) = counts.next() else { return f.write_str("nothing changed") };
        write!(f, "{count} {} {what}", if *count == 1 { "device" } else { "devices" })?;
        counts.try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(changes: &Changes, words: &str) {
        assert_eq!(changes.to_string(), words);
    }

    #[test]
    fn changes_are_told_in_words() {
        let devices = |count| vec!["demo/x".to_owned(); count];
        check(&Changes { unchanged: 7, ..Changes::default() }, "nothing changed");
        check(
            &Changes { started: devices(1), restarted: devices(2), ..Changes::default() },
            "2 devices restarted, 1 added",
        );
        check(&Changes { varied: devices(1), ..Changes::default() }, "1 device with other variables");
        let kept_old = vec![("demo/x".into(), "no such wire".into())];
        check(
            &Changes { stopped: devices(1), swapped: devices(3), kept_old, ..Changes::default() },
            "1 device removed, 3 swapped, 1 kept with the old plugin",
        );
    }
}
