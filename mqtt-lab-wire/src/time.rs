//! Times as their senders write them.

/// 2000-01-01T00:00:00Z, in microseconds since the Unix epoch: earlier times are those of a clock that was never set.
pub const EARLIEST_US: i64 = 946_684_800_000_000;

/// How far ahead of the receiver's clock a time may lie, in microseconds.
pub const MAX_AHEAD_US: i64 = 60_000_000;

/// 2100-01-01T00:00:00Z, where the windows of the four units end.
const END_US: i64 = 4_102_444_800_000_000;

/// Powers of ten by which seconds, milliseconds, microseconds and nanoseconds become microseconds.
const UNITS: [i32; 4] = [0, 6, 3, -3];

/// Whether `t_us` can be when something was measured that is received at `now_us` (µs since the Unix epoch): not
/// before the year 2000 and not more than a minute ahead.
///
/// ```
/// let now_us = 1_732_375_200_000_000;
/// assert!(mqtt_lab_wire::is_plausible_time(now_us - 3_600_000_000, now_us));
/// assert!(!mqtt_lab_wire::is_plausible_time(1_000, now_us), "a time since boot");
/// ```
#[must_use]
pub const fn is_plausible_time(t_us: i64, now_us: i64) -> bool {
    t_us >= EARLIEST_US && t_us <= now_us.saturating_add(MAX_AHEAD_US)
}

/// Microseconds since the Unix epoch by a number in JSON's notation that is between the years 2000 and 2100 in seconds,
/// milliseconds, microseconds or nanoseconds; the four windows do not overlap. `None`: it is in none of them.
pub(crate) fn epoch_micros(number: &str) -> Option<i64> {
    let (mantissa, exponent) = read(number)?;
    UNITS.iter().find_map(|unit| {
        scaled(mantissa, exponent + unit).filter(|t_us| (EARLIEST_US..END_US).contains(t_us))
    })
}

/// As [`epoch_micros`]; a number in no window is taken as microseconds, as far as they reach.
pub(crate) fn unix_micros(number: &str) -> i64 {
    let beyond = if number.starts_with('-') { i64::MIN } else { i64::MAX };
    let micros = || read(number).and_then(|(mantissa, exponent)| scaled(mantissa, exponent));
    epoch_micros(number).or_else(micros).unwrap_or(beyond)
}

/// Mantissa and power of ten; digits that no time needs are dropped. `None`: negative.
fn read(number: &str) -> Option<(u64, i32)> {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i32 = exponent.parse().ok().filter(|exponent| (-40..=40).contains(exponent))?;
    let (mut mantissa, mut shift, mut behind_point) = (0_u64, 0, false);
    for byte in digits.bytes() {
        match byte {
            b'.' => behind_point = true,
            b'0'..=b'9' if mantissa >= u64::MAX / 10 => shift += i32::from(!behind_point),
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                shift -= i32::from(behind_point);
            }
            _ => return None,
        }
    }
    Some((mantissa, exponent + shift))
}

/// `mantissa` times ten to the power of `exponent`, rounded down; `None`: too large.
fn scaled(mantissa: u64, exponent: i32) -> Option<i64> {
    let power = 10_u64.checked_pow(exponent.unsigned_abs());
    let whole = match exponent {
        0.. => mantissa.checked_mul(power?)?,
        // Divided by more than any mantissa, nothing is left.
        _ => power.map_or(0, |power| mantissa / power),
    };
    i64::try_from(whole).ok()
}

/// How far stamps may be ahead of the clock while they still increase, in microseconds.
const MAX_STAMP_AHEAD_US: i64 = 2_000_000;

/// Returns the stamp after `last_us` when the clock shows `now_us`: the present time, or the next free microsecond while
/// the clock is a little behind, as it is when it is corrected in small steps. A clock that was set back by more is
/// followed at once: the order within a boot comes from the number.
#[must_use]
pub const fn next_stamp(last_us: i64, now_us: i64) -> i64 {
    let ahead_us = last_us.saturating_sub(now_us);
    if ahead_us < 0 || ahead_us > MAX_STAMP_AHEAD_US { now_us } else { last_us + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_764_500_000_000_000;
    const SECOND: i64 = 1_000_000;

    #[test]
    fn each_unit_has_its_window() {
        for number in [
            "1732375200",
            "1732375200000",
            "1732375200000000",
            "1732375200000000000",
            "1732375200.0",
            "1.7323752e9",
            "1.7323752e+18",
            "1732375200000000000.75",
        ] {
            assert_eq!(epoch_micros(number), Some(1_732_375_200_000_000), "{number}");
        }
        assert_eq!(epoch_micros("1732375200.123456789"), Some(1_732_375_200_123_456));
        assert_eq!(epoch_micros("1732375200123.5"), Some(1_732_375_200_123_500));
        assert_eq!(epoch_micros("946684800"), Some(EARLIEST_US), "the first second of the year 2000");
        for number in ["0", "1000", "946684799", "4102444800", "99999999999", "-1732375200", "1e40", "1e400"]
        {
            assert_eq!(epoch_micros(number), None, "{number}");
        }
    }

    #[test]
    fn a_number_in_no_window_is_microseconds() {
        assert_eq!(unix_micros("1000"), 1_000);
        assert_eq!(unix_micros("12.75"), 12);
        assert_eq!(unix_micros("-5"), i64::MIN);
        assert_eq!(unix_micros("1e30"), i64::MAX);
        assert_eq!(unix_micros("1e-30"), 0);
        assert_eq!(unix_micros("99999999999999999999999"), i64::MAX);
    }

    #[test]
    fn a_time_is_plausible_from_the_year_2000_to_a_minute_ahead() {
        let now_us = 1_795_435_200_000_000;
        for (t_us, plausible) in [
            (EARLIEST_US - 1, false),
            (EARLIEST_US, true),
            (now_us + MAX_AHEAD_US, true),
            (now_us + MAX_AHEAD_US + 1, false),
            (i64::MIN, false),
        ] {
            assert_eq!(is_plausible_time(t_us, now_us), plausible, "{t_us}");
        }
    }

    #[test]
    fn a_running_clock_is_followed() {
        assert_eq!(next_stamp(0, NOW), NOW);
        assert_eq!(next_stamp(NOW - 1, NOW), NOW);
        assert_eq!(next_stamp(NOW, NOW + 3_600 * SECOND), NOW + 3_600 * SECOND, "set forward");
    }

    #[test]
    fn two_readings_in_one_microsecond_have_different_stamps() {
        assert_eq!(next_stamp(NOW, NOW), NOW + 1);
        assert_eq!(next_stamp(NOW + 1, NOW), NOW + 2);
    }

    #[test]
    fn a_clock_that_is_a_little_behind_is_waited_for() {
        assert_eq!(next_stamp(NOW, NOW - 2 * SECOND), NOW + 1);
        let mut last = NOW;
        for second in 0..3 {
            last = next_stamp(last, NOW - 2 * SECOND + second * SECOND);
        }
        assert_eq!(last, NOW + 3, "the clock has caught up");
        assert_eq!(next_stamp(last, NOW + SECOND), NOW + SECOND);
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_at_once() {
        let back = NOW - 3_600 * SECOND;
        assert_eq!(next_stamp(NOW, back), back);
        assert_eq!(next_stamp(back, back + SECOND), back + SECOND);
        assert_eq!(next_stamp(NOW, NOW - 2 * SECOND - 1), NOW - 2 * SECOND - 1);
    }

    #[test]
    fn stamps_grow_until_the_clock_is_set_back_by_more_than_two_seconds() {
        assert_eq!(next_stamp(0, 100), 100);
        assert_eq!(next_stamp(100, 100), 101);
        assert_eq!(next_stamp(2_000_000, 1_000), 2_000_001, "close enough to wait for the clock");
        assert_eq!(next_stamp(3_600_000_000, 5), 5);
    }
}
