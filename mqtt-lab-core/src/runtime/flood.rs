//! Notices an event sensor whose events come faster than they are taken.

use std::time::Duration;

/// Readings after which it is judged anew.
const WINDOW: u32 = 1000;

/// Judges whole windows of readings, so that a busy computer does not change the verdict.
#[derive(Debug, Default)]
pub(super) struct Flood {
    readings: u32,
    at_once: u32,
    waited: Duration,
    flooded: bool,
}

impl Flood {
    /// Counts a reading that came `waited` after it was asked for. `gap` is the time between two
    /// questions: what comes sooner than that was there already. True: it begins to be a flood.
    pub(super) fn count(&mut self, waited: Duration, gap: Duration) -> bool {
        self.readings += 1;
        self.at_once += u32::from(waited < gap);
        self.waited += waited;
        if self.readings < WINDOW {
            return false;
        }
        // Long pauses between bursts are no flood.
        let flooded = self.at_once > WINDOW / 2 && self.waited < 5 * gap * WINDOW;
        let begins = flooded && !self.flooded;
        *self = Self { flooded, ..Self::default() };
        begins
    }

    /// Whether the last window was one.
    pub(super) const fn is_on(&self) -> bool {
        self.flooded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_millis(1);

    fn after(waits_us: impl IntoIterator<Item = u64>) -> (u32, bool) {
        let mut flood = Flood::default();
        let begins = waits_us.into_iter().map(|wait| flood.count(Duration::from_micros(wait), GAP));
        (begins.map(u32::from).sum(), flood.is_on())
    }

    #[test]
    fn events_that_were_there_already_are_a_flood_and_told_once() {
        assert_eq!(after([50; 5000]), (1, true));
        assert_eq!(after((0..5000).map(|i| if i % 3 == 0 { 4000 } else { 50 })), (1, true), "busy computer");
    }

    #[test]
    fn less_than_a_thousand_a_second_is_none() {
        assert_eq!(after([1_700; 5000]), (0, false));
        let bursts = (0..5000).map(|i| if i % 100 == 0 { 1_000_000 } else { 50 });
        assert_eq!(after(bursts), (0, false));
    }

    #[test]
    fn it_ends() {
        assert_eq!(after([50; 1000].into_iter().chain([2_000; 1000])), (1, false));
    }
}
