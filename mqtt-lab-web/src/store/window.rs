//! Which numbers of one life of a device have arrived.

use std::fmt;

/// Most separate stretches that a window remembers; the oldest gaps then count as lost for good.
pub const MAX_RANGES: usize = 1_000;

/// The numbers of the samples that arrived in one life of a device: knows every duplicate, and every
/// loss between the first number that counts and the last known to be sent. The first that counts is 1 in
/// a life that was heard of [from its beginning](ReceiveWindow::whole), else the first that arrived.
///
/// ```
/// # use mqtt_lab_web::store::ReceiveWindow;
/// let mut window = ReceiveWindow::default();
/// assert!(window.insert(7) && window.insert(9) && !window.insert(7));
/// assert_eq!(window.lost(), 1); // 8
/// window.say_sent(12);
/// assert_eq!(window.lost(), 4); // 8, 10, 11, 12
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiveWindow {
    /// Received stretches, both ends included, ascending, apart by at least one missing number.
    ranges: Vec<(u64, u64)>,
    /// Numbers within `ranges` that never arrived.
    given_up: u64,
    /// The highest number the sender said it sent.
    sent: u64,
    /// When the sender booted, where it has no clock (µs since the Unix epoch).
    pub epoch_us: Option<i64>,
    /// What is added to the sender's times in microseconds, where its clock is wrong.
    pub clock_offset_us: Option<i64>,
    /// The life was heard of from its beginning: what is missing before the first number that arrived
    /// is lost, too.
    pub whole: bool,
}

impl ReceiveWindow {
    /// Notes that `n` arrived. False: it had arrived before (or was given up). Appending is O(1).
    pub fn insert(&mut self, n: u64) -> bool {
        let next = self.ranges.partition_point(|(_, to)| *to < n);
        if self.ranges.get(next).is_some_and(|(from, _)| *from <= n) {
            return false;
        }
        let joins_left = next > 0 && self.ranges[next - 1].1 + 1 == n;
        let joins_right = self.ranges.get(next).is_some_and(|(from, _)| n + 1 == *from);
        match (joins_left, joins_right) {
            (true, true) => {
                self.ranges[next - 1].1 = self.ranges[next].1;
                self.ranges.remove(next);
            }
            (true, false) => self.ranges[next - 1].1 = n,
            (false, true) => self.ranges[next].0 = n,
            (false, false) => self.ranges.insert(next, (n, n)),
        }
        self.bound();
        true
    }

    /// Whether `n` arrived.
    #[must_use]
    pub fn contains(&self, n: u64) -> bool {
        let next = self.ranges.partition_point(|(_, to)| *to < n);
        self.ranges.get(next).is_some_and(|(from, _)| *from <= n)
    }

    /// Notes that the sender has sent the numbers up to `sent`.
    pub fn say_sent(&mut self, sent: u64) {
        self.sent = self.sent.max(sent);
    }

    /// How many numbers are missing between the first that counts and the last known to be sent.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let arrived = self.ranges.first().map(|(first, _)| *first);
        // Samples count from 1, but a foreign sender may begin with 0.
        let from = if self.whole { Some(arrived.map_or(1, |first| first.min(1))) } else { arrived };
        let Some(from) = from else { return 0 };
        let last = self.ranges.last().map_or(0, |(_, last)| *last).max(self.sent);
        (last + 1).saturating_sub(from) - self.covered() + self.given_up
    }

    /// How many different numbers arrived.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.covered() - self.given_up
    }

    fn covered(&self) -> u64 {
        self.ranges.iter().map(|(from, to)| to - from + 1).sum()
    }

    /// Whether nothing has arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Numbers that never arrived and are not waited for.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// The highest number the sender said it sent; 0 if it never did.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// A window with ranges as [`fmt::Display`] wrote them; `None` for another text.
    #[must_use]
    pub fn parse(ranges: &str, given_up: u64, sent: u64) -> Option<Self> {
        let mut window = Self { given_up, sent, ..Self::default() };
        for range in ranges.split(',').filter(|range| !range.is_empty()) {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            let apart = window.ranges.last().is_none_or(|(_, last): &(u64, u64)| *last < from);
            if !apart || from > to || to > MAX_NUMBER {
                return None;
            }
            window.ranges.push((from, to));
        }
        Some(window)
    }

    fn bound(&mut self) {
        if self.ranges.len() > MAX_RANGES {
            let (from, to) = self.ranges.remove(0);
            self.given_up += self.ranges[0].0 - to - 1;
            self.ranges[0].0 = from;
        }
    }
}

/// Numbers are within `i64`, as the wire reads them and SQL holds them.
const MAX_NUMBER: u64 = i64::MAX as u64;

impl fmt::Display for ReceiveWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (from, to)) in self.ranges.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if from == to { write!(f, "{comma}{from}")? } else { write!(f, "{comma}{from}-{to}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_order_are_one_range() {
        let mut window = ReceiveWindow::default();
        assert!((1..=1000).all(|n| window.insert(n)));
        assert_eq!((window.to_string().as_str(), window.lost()), ("1-1000", 0));
    }

    #[test]
    fn a_late_number_is_no_longer_lost() {
        let mut window = ReceiveWindow::default();
        for n in [1, 2, 5] {
            window.insert(n);
        }
        assert_eq!(window.lost(), 2);
        assert!(window.insert(4) && window.insert(3) && !window.insert(3));
        assert_eq!((window.to_string().as_str(), window.lost()), ("1-5", 0));
    }

    #[test]
    fn the_tail_is_known_from_what_was_sent() {
        let mut window = ReceiveWindow::default();
        window.insert(10);
        window.say_sent(13);
        assert_eq!(window.lost(), 3);
        window.insert(13);
        assert_eq!(window.lost(), 2);
    }

    #[test]
    fn nothing_is_lost_of_a_life_nobody_heard_of() {
        let mut window = ReceiveWindow::default();
        window.say_sent(100);
        assert_eq!(window.lost(), 0);
    }

    #[test]
    fn the_head_of_a_life_heard_of_from_its_beginning_is_known() {
        let mut window = ReceiveWindow { whole: true, ..ReceiveWindow::default() };
        assert_eq!(window.lost(), 0);
        window.say_sent(3);
        assert_eq!(window.lost(), 3, "all that was sent");
        window.insert(5);
        assert_eq!((window.lost(), window.arrived()), (4, 1));
        window.insert(0);
        assert_eq!((window.lost(), window.arrived()), (4, 2), "a sender that begins with 0");
    }

    #[test]
    fn the_oldest_gaps_are_given_up() {
        let mut window = ReceiveWindow::default();
        let last = 2 * (MAX_RANGES as u64 + 10);
        for n in (2..=last).step_by(2) {
            window.insert(n);
        }
        assert_eq!(window.lost(), last / 2 - 1);
        assert!(!window.insert(3), "3 was given up");
        assert!(window.insert(last - 1), "the newest gap is still open");
        assert_eq!((window.lost(), window.arrived()), (last / 2 - 2, last / 2 + 1));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let mut window = ReceiveWindow::default();
        assert!(window.insert(0) && window.insert(MAX_NUMBER));
        assert_eq!(window.lost(), MAX_NUMBER - 1);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set(numbers in prop::collection::vec(0_u64..200, 0..300)) {
            let (mut window, mut set) = (ReceiveWindow::default(), BTreeSet::new());
            for n in numbers {
                prop_assert_eq!(window.insert(n), set.insert(n));
            }
            let span = set.first().zip(set.last()).map_or(0, |(first, last)| last - first + 1);
            prop_assert_eq!(window.lost(), span - set.len() as u64);
            let again = ReceiveWindow::parse(&window.to_string(), 0, 0);
            prop_assert_eq!(again, Some(window));
        }
    }
}
