//! Gives a device's samples their time and number.

use super::unix_micros;
use mqtt_lab_wire::{BootId, PayloadForm, Sample, SampleTime, Value};

/// Counts the samples of one life of a device and stamps them.
#[derive(Debug)]
pub(crate) struct Sampler {
    form: PayloadForm,
    boot: BootId,
    sent: u64,
    last_us: i64,
}

impl Sampler {
    pub(crate) fn new(form: PayloadForm) -> Self {
        Self { form, boot: BootId::from_random(rand::random()), sent: 0, last_us: 0 }
    }

    pub(crate) const fn boot(&self) -> BootId {
        self.boot
    }

    /// Number of the last sample.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// The instant of a reading, in microseconds since the Unix epoch.
    pub(crate) fn instant(&mut self) -> i64 {
        self.last_us = stamp(unix_micros(), self.last_us);
        self.last_us
    }

    /// The payload of the next sample.
    pub(crate) fn payload(&mut self, value: &Value, measured_us: i64) -> String {
        self.sent += 1;
        let sample =
            Sample::new(value.as_ref()).at(SampleTime::Unix(measured_us)).numbered(self.boot, self.sent);
        let mut payload = String::with_capacity(64);
        sample.encode(self.form, &mut payload).expect("writing to a String cannot fail");
        payload
    }
}

/// The clock may be so far behind the last stamp while stamps still increase, in microseconds.
const PATIENCE_US: i64 = 2_000_000;

/// The stamp after `last_us` when the clock says `now_us`: the present time, or the next free microsecond while the
/// clock is a little behind, as it is when it is corrected in small steps. A clock that was set back by more is
/// followed at once: the order within a boot comes from the number.
const fn stamp(now_us: i64, last_us: i64) -> i64 {
    let behind_us = last_us.saturating_sub(now_us);
    if behind_us < 0 || behind_us > PATIENCE_US { now_us } else { last_us + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_764_500_000_000_000;
    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_running_clock_is_followed() {
        assert_eq!(stamp(NOW, 0), NOW);
        assert_eq!(stamp(NOW, NOW - 1), NOW);
        assert_eq!(stamp(NOW + 3_600 * SECOND, NOW), NOW + 3_600 * SECOND, "set forward");
    }

    #[test]
    fn two_readings_in_one_microsecond_have_different_stamps() {
        assert_eq!(stamp(NOW, NOW), NOW + 1);
        assert_eq!(stamp(NOW, NOW + 1), NOW + 2);
    }

    #[test]
    fn a_clock_that_is_a_little_behind_is_waited_for() {
        assert_eq!(stamp(NOW - 2 * SECOND, NOW), NOW + 1);
        let mut last = NOW;
        for second in 0..3 {
            last = stamp(NOW - 2 * SECOND + second * SECOND, last);
        }
        assert_eq!(last, NOW + 3, "the clock has caught up");
        assert_eq!(stamp(NOW + SECOND, last), NOW + SECOND);
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_at_once() {
        let back = NOW - 3_600 * SECOND;
        assert_eq!(stamp(back, NOW), back);
        assert_eq!(stamp(back + SECOND, back), back + SECOND);
        assert_eq!(stamp(NOW - 2 * SECOND - 1, NOW), NOW - 2 * SECOND - 1);
    }
}
