//! Times in words: RFC 3339.

use crate::{SampleTime, Text};
use alloc::string::ToString as _;
use jiff::{Timestamp, civil::DateTime};

/// Longest date that is read, in bytes.
const MAX_BYTES: usize = 64;

/// The time that a text holds: of RFC 3339, with an offset or [without](SampleTime::NoOffset). `None`: it is no date.
pub(crate) fn read(text: &Text<'_>) -> Option<SampleTime> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let text = text.to_string();
    match text.trim().parse::<Timestamp>() {
        Ok(time) => Some(SampleTime::Unix(time.as_microsecond())),
        // A day alone would be read as its midnight.
        Err(_) if text.contains(':') => text.trim().parse::<DateTime>().ok().map(|_| SampleTime::NoOffset),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_with_an_offset_is_a_time() {
        let time = |text| read(&Text::new(text));
        let expected = Some(SampleTime::Unix(1_796_029_200_000_000));
        for text in ["2026-11-30T10:00:00+01:00", "2026-11-30T09:00:00Z", "2026-11-30 09:00:00.000Z"] {
            assert_eq!(time(text), expected, "{text}");
        }
        assert_eq!(time("2026-11-30T10:00:00"), Some(SampleTime::NoOffset));
        for text in ["2026-11-30", "10:00", "yesterday", "", "21.5", "2026-13-30T10:00:00Z"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
