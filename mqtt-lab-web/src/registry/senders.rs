//! Notices that two senders publish samples of one device: their boot ids take turns.

use mqtt_lab_wire::BootId;

/// Boot ids that come back within this time take turns, in microseconds.
const TURN_US: i64 = 15_000_000;
/// So many returns are no accident: one may follow a restart, when the rest of the run before is delivered late.
const RETURNS: usize = 3;
/// Without a turn for so long there is one sender again, in microseconds.
const ALONE_US: i64 = 60_000_000;
/// Boot ids remembered.
const MOST: usize = 3;

/// The latest senders of a device's samples. Pure: the caller brings the time.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    /// The latest boot ids and when each sent last, the present one first.
    latest: Vec<(BootId, i64)>,
    /// When the last boot ids came back.
    returns: Vec<i64>,
    /// The two that take turns.
    several: Option<(BootId, BootId)>,
}

impl Senders {
    /// Notes a sample that is neither retained nor repeated. Returns whether [`text`](Self::text) is another one now.
    pub(crate) fn note(&mut self, boot: BootId, now_us: i64) -> bool {
        let before = self.several.is_some();
        let known = self.latest.iter().position(|(of, _)| *of == boot);
        if known == Some(0) {
            self.latest[0].1 = now_us;
        } else {
            let back = known.is_some_and(|at| now_us - self.latest[at].1 <= TURN_US);
            known.map(|at| self.latest.remove(at));
            self.latest.insert(0, (boot, now_us));
            self.latest.truncate(MOST);
            if back {
                self.came_back(now_us);
            }
        }
        if self.returns.last().is_none_or(|last| now_us - last > ALONE_US) {
            self.several = None;
        }
        self.several.is_some() != before
    }

    fn came_back(&mut self, now_us: i64) {
        self.returns.push(now_us);
        if self.returns.len() > RETURNS {
            self.returns.remove(0);
        }
        let recent = self.returns.iter().all(|at| now_us - at <= TURN_US);
        if let [(present, _), (other, _), ..] = self.latest[..]
            && recent
            && self.returns.len() == RETURNS
            && self.several.is_none()
        {
            self.several = Some((present, other));
        }
    }

    /// What the page shows: that there are two, and what to do.
    pub(crate) fn text(&self) -> Option<String> {
        let (one, other) = self.several?;
        Some(format!(
            "two senders publish on the topics of this device (boot ids `{one}` and `{other}`); give one of the two \
             labs another `[lab] group`, or one of two boards another name"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// Notes one sample per letter, `step_us` apart; after which samples the text changed.
    fn changes(boots: &str, step_us: i64) -> Vec<usize> {
        let mut senders = Senders::default();
        let each = boots.chars().zip(0..).filter(|(boot, at)| {
            let boot = boot.to_string().parse().expect("a boot id");
            senders.note(boot, at * step_us)
        });
        each.map(|(_, at)| usize::try_from(at).expect("small")).collect()
    }

    #[test]
    fn boots_that_take_turns_are_two_senders() {
        assert_eq!(changes("ababa", SECOND), [4]);
        assert_eq!(changes("aabbaabbaa", SECOND), [8]);
        assert_eq!(changes("abcabc", SECOND), [5], "three");
        assert_eq!(changes("abababab", 5 * SECOND), [4]);
    }

    #[test]
    fn a_restart_is_not() {
        assert_eq!(changes("aaabbb", SECOND), [0; 0]);
        assert_eq!(changes("aaabbabbb", SECOND), [0; 0], "the rest of the run before comes late");
        assert_eq!(
            changes("abcdefgh", SECOND / 100),
            [0; 0],
            "a restart after the other, stored up by the broker"
        );
        assert_eq!(changes("abababab", 20 * SECOND), [0; 0], "restored again and again");
    }

    #[test]
    fn one_that_is_alone_again_is_one_sender() {
        let alone = format!("ababa{}", "a".repeat(70));
        assert_eq!(changes(&alone, SECOND), [4, 65]);
        let mut senders = Senders::default();
        let boot = |text: &str| text.parse().expect("a boot id");
        for (at, of) in ["a", "b", "a", "b", "a"].into_iter().enumerate() {
            senders.note(boot(of), i64::try_from(at).expect("small"));
        }
        assert!(senders.text().is_some_and(|text| text.contains("`a` and `b`")));
    }
}
