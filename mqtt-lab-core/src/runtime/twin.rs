//! Notices another program that runs the same device: it publishes on the same topics.
//!
//! Every device describes itself on `$info`, with the boot id of its run. A description with another boot id that
//! arrives live comes from another program. Each of the two repeats its own, so that the other one notices it as well.

use crate::link::{Incoming, Version};
use mqtt_lab_wire::{BootId, Info};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two repetitions of the device's own description.
const REPEAT: Duration = Duration::from_secs(30);

/// Without a description for so long, the other program has ended. It repeats its own every [`REPEAT`].
const GONE: Duration = Duration::from_secs(70);

/// Knows whether another program runs the same device. Pure: the caller brings the time.
#[derive(Debug)]
pub(crate) struct Twin {
    /// Topic on which the device describes itself.
    topic: String,
    /// Boot id of this run.
    boot: BootId,
    /// A description of this run has come back from the broker.
    echoed: bool,
    /// The other program's boot id, and when it was last received.
    other: Option<(BootId, Instant)>,
    /// When the device's own description was last repeated.
    repeated: Option<Instant>,
}

/// What is to be done at [`Twin::due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Publish the device's own description again.
    Repeat,
    /// The other program has ended.
    Forget,
    /// Nothing any more.
    Nothing,
}

impl Twin {
    /// `topic` is the device's `$info`, `boot` the boot id of this run.
    pub(crate) const fn new(topic: String, boot: BootId) -> Self {
        Self { topic, boot, echoed: false, other: None, repeated: None }
    }

    /// Whether a message on `topic` is a description of the device.
    pub(crate) fn describes(&self, topic: &str) -> bool {
        self.topic == topic
    }

    /// Takes a description of the device, received in `version`. Returns whether another program sent it.
    pub(crate) fn received(&mut self, message: &Incoming, version: Version, now: Instant) -> bool {
        let boot = || Info::decode(&message.payload).ok().and_then(|info| info.boot);
        // A retained one is from before the subscription, perhaps from an earlier run of this program.
        if message.retain {
            return false;
        }
        let Some(boot) = boot() else { return false };
        if boot == self.boot {
            self.echoed = true;
            return false;
        }
        // 3.1.1 has no No Local: what an earlier run left in the spool comes back. The link sends it before this
        // run's own description.
        if version == Version::V311 && !self.echoed {
            return false;
        }
        self.other = Some((boot, now));
        true
    }

    /// What the device shows while another program runs it.
    pub(crate) fn error(&self) -> Option<String> {
        let (boot, _) = self.other?;
        Some(format!(
            "another program runs this device, too, and publishes on the same topics (boot id `{boot}`); give one \
             of the two labs another `[lab] group`"
        ))
    }

    /// When the next [`act`](Self::act) is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (_, received) = self.other?;
        let repeat = self.repeated.map_or(received, |repeated| repeated + REPEAT);
        Some(repeat.min(received + GONE))
    }

    /// What is to be done now.
    pub(crate) fn act(&mut self, now: Instant) -> Act {
        let Some((_, received)) = self.other else { return Act::Nothing };
        if now >= received + GONE {
            self.other = None;
            return Act::Forget;
        }
        if self.repeated.is_some_and(|repeated| now < repeated + REPEAT) {
            return Act::Nothing;
        }
        self.repeated = Some(now);
        Act::Repeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn twin() -> Twin {
        Twin::new("lab/demo/lamp/$info".into(), "own".parse().expect("a boot id"))
    }

    fn description(boot: &str, retain: bool) -> Incoming {
        let payload = format!(r#"{{"schema":1,"boot":"{boot}","channels":[]}}"#);
        let mut message = Incoming::detached("lab/demo/lamp/$info", payload);
        message.retain = retain;
        message
    }

    #[test]
    fn only_a_live_description_of_another_boot_is_another_program() {
        let (mut twin, now) = (twin(), Instant::now());
        assert!(!twin.received(&description("old", true), Version::V5, now), "retained");
        assert!(!twin.received(&description("own", false), Version::V5, now));
        assert!(!twin.received(&Incoming::detached("lab/demo/lamp/$info", ""), Version::V5, now), "cleared");
        assert_eq!((twin.due(), twin.error()), (None, None));
        assert!(twin.received(&description("other", false), Version::V5, now));
        assert!(twin.error().is_some_and(|text| text.contains("`other`") && text.contains("`[lab] group`")));
    }

    #[test]
    fn in_3_1_1_what_an_earlier_run_left_in_the_spool_is_no_other_program() {
        let (mut twin, now) = (twin(), Instant::now());
        assert!(!twin.received(&description("earlier", false), Version::V311, now));
        assert!(!twin.received(&description("own", false), Version::V311, now));
        assert!(twin.received(&description("other", false), Version::V311, now));
    }

    #[test]
    fn two_programs_keep_each_other_informed_and_forget_one_that_ended() {
        let (mut twin, start) = (twin(), Instant::now());
        assert!(twin.received(&description("other", false), Version::V5, start));
        assert_eq!(twin.due(), Some(start));
        assert_eq!(twin.act(start), Act::Repeat, "at once");
        let soon = start + SECOND;
        assert!(twin.received(&description("other", false), Version::V5, soon));
        assert_eq!(twin.act(soon), Act::Nothing, "at most once in 30 s");
        assert_eq!(twin.due(), Some(start + REPEAT));
        assert_eq!(twin.act(start + REPEAT), Act::Repeat);
        assert_eq!(twin.act(start + REPEAT * 2), Act::Repeat);
        assert_eq!(twin.due(), Some(soon + GONE));
        assert_eq!(twin.act(soon + GONE), Act::Forget);
        assert_eq!((twin.due(), twin.error()), (None, None));
    }
}
