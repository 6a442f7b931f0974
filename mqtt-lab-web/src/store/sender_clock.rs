//! When a sample was measured whose sender has no clock, or a wrong one.

use mqtt_lab_wire::is_plausible_time;

use super::ReceiveWindow;

impl ReceiveWindow {
    /// Returns when a sample was measured, `ms` after its sender's boot. The first sample of a boot fixes when that
    /// was, unless it is not `fresh` (a retained one, which is old).
    pub fn since_boot(&mut self, ms: u64, arrived_us: i64, fresh: bool) -> i64 {
        let since_us = i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000);
        let epoch_us = self.epoch_us.unwrap_or_else(|| arrived_us.saturating_sub(since_us));
        if fresh {
            self.epoch_us = Some(epoch_us);
        }
        epoch_us.saturating_add(since_us)
    }

    /// Returns when a sample was measured at `t_us` by a wrong clock. The first one fixes by how much it is wrong, so
    /// that a redelivery gets the same time; a later one fixes it anew if the clock was set meanwhile.
    pub fn by_wrong_clock(&mut self, t_us: i64, arrived_us: i64, fresh: bool) -> i64 {
        let corrected = self.clock_offset_us.and_then(|offset| t_us.checked_add(offset));
        if let Some(corrected) = corrected.filter(|corrected| is_plausible_time(*corrected, arrived_us)) {
            return corrected;
        }
        if fresh {
            self.clock_offset_us = arrived_us.checked_sub(t_us);
        }
        arrived_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_435_200_000_000;
    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_wrong_clock_is_corrected_by_its_first_sample() {
        let mut window = ReceiveWindow::default();
        assert_eq!(window.by_wrong_clock(5 * SECOND, NOON, true), NOON);
        // It comes 7 s late.
        assert_eq!(window.by_wrong_clock(6 * SECOND, NOON + 8 * SECOND, true), NOON + SECOND);
    }

    #[test]
    fn a_retained_sample_corrects_nothing_but_is_corrected() {
        let mut window = ReceiveWindow::default();
        assert_eq!(window.by_wrong_clock(5 * SECOND, NOON, false), NOON);
        assert_eq!(window.clock_offset_us, None);
        assert_eq!(window.by_wrong_clock(65 * SECOND, NOON, true), NOON);
        assert_eq!(window.by_wrong_clock(5 * SECOND, NOON, false), NOON - 60 * SECOND);
    }

    #[test]
    fn a_clock_that_was_set_meanwhile_is_corrected_anew() {
        let mut window = ReceiveWindow::default();
        assert_eq!(window.by_wrong_clock(0, NOON, true), NOON);
        let far = NOON + 1_000_000 * SECOND;
        assert_eq!(window.by_wrong_clock(far, NOON + SECOND, true), NOON + SECOND);
        assert_eq!(window.by_wrong_clock(far + SECOND, NOON + 3 * SECOND, true), NOON + 2 * SECOND);
    }

    #[test]
    fn the_most_absurd_times_do_not_overflow() {
        let mut window = ReceiveWindow::default();
        for t_us in [i64::MIN, i64::MAX, i64::MIN, -1] {
            assert_eq!(window.by_wrong_clock(t_us, NOON, true), NOON, "{t_us}");
        }
    }
}
