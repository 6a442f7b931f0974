//! Values as people and devices print them.

use alloc::borrow::Cow;

/// A number, as it was printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Printed {
    /// The nearest double.
    pub(super) value: f64,
    /// It has a decimal comma.
    pub(super) comma: bool,
    /// The double is another number.
    pub(super) digits_lost: bool,
    /// It has no point, comma or exponent.
    pub(super) whole: bool,
    /// It has digits other than 0 behind the point, and no exponent.
    pub(super) fraction: bool,
    /// It begins with a zero before another digit, as ids do.
    pub(super) leading_zero: bool,
    /// How many digits are before the exponent.
    pub(super) digits: usize,
}

/// Words for "no value", in any case: those of printf, JSON, Python and Home Assistant.
const NO_VALUE: [&str; 4] = ["null", "none", "unavailable", "unknown"];

/// What printf makes of a number that is none.
const NO_NUMBER: [&str; 3] = ["nan", "inf", "infinity"];

/// Whether the text says that there is no value.
pub(super) fn is_no_value(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // `nan(ind)` and its like.
    let name =
        unsigned.split_once('(').filter(|(_, rest)| rest.ends_with(')')).map_or(unsigned, |(name, _)| name);
    text.is_empty()
        || NO_VALUE.iter().any(|word| text.eq_ignore_ascii_case(word))
        || NO_NUMBER.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Reads a number with a sign, a point or a single comma, and an exponent; a digit may be missing before or behind the
/// point. `None`: it is no number. It may be infinite: beyond what a double holds.
pub(super) fn number(text: &str) -> Option<Printed> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let separators = mantissa.bytes().filter(|byte| matches!(byte, b'.' | b',')).count();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || separators > 1 || digits + separators != mantissa.len() {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    let comma = mantissa.contains(',');
    let in_rust = if comma { Cow::Owned(text.replace(',', ".")) } else { Cow::Borrowed(text) };
    let value: f64 = in_rust.parse().ok()?;
    let whole = separators == 0 && exponent.is_none();
    let vanished = value == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    Some(Printed {
        value,
        comma,
        digits_lost: vanished || (whole && !is_exact(text, value)),
        whole,
        fraction: exponent.is_none()
            && mantissa
                .split(['.', ','])
                .nth(1)
                .is_some_and(|behind| behind.bytes().any(|byte| byte != b'0')),
        leading_zero: separators == 0 && mantissa.len() > 1 && mantissa.starts_with('0'),
        digits,
    })
}

/// Whether a double is the whole number that was printed.
#[allow(clippy::cast_possible_truncation, reason = "a cast to an integer saturates")]
fn is_exact(text: &str, value: f64) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    // More than an i128 holds is never exact to its last digit, as far as anyone cares.
    digits.parse::<i128>().is_ok_and(|whole| value as i128 == whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_is_printed() {
        for (text, value) in [
            ("21.5", 21.5),
            ("+21.5", 21.5),
            ("-.5", -0.5),
            ("21.", 21.0),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            ("21,5", 21.5),
            (",5", 0.5),
            ("1,234", 1.234),
            ("021.5", 21.5),
            ("1.e2", 100.0),
            ("00", 0.0),
        ] {
            assert_eq!(number(text).map(|printed| printed.value), Some(value), "{text}");
        }
        for text in [
            "", ".", "-", "+", "e3", "1e", "1e+", "1,234.5", "1,2,3", "0x1F", "21.5 C", "1 000", "--1",
            "1.2.3", "nan", "inf", "infinity", "1_000", "½", "٣", "1e5.0",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_double_cannot_hold_is_told() {
        let lost = |text| number(text).map(|printed| printed.digits_lost);
        assert_eq!(lost("9007199254740992"), Some(false));
        assert_eq!(lost("9007199254740993"), Some(true));
        assert_eq!(lost("1e-400"), Some(true));
        assert_eq!(lost("0e-400"), Some(false));
        assert!(number("1e400").is_some_and(|printed| printed.value.is_infinite()));
    }

    #[test]
    fn words_for_no_value_have_any_case() {
        for word in [
            "nan",
            "NaN",
            "-nan",
            "+INF",
            "-Infinity",
            "nan(ind)",
            "-nan(snan)",
            "",
            "NULL",
            "None",
            "Unknown",
        ] {
            assert!(is_no_value(word), "{word}");
        }
        for word in ["n/a", "nano", "info", "-none", "0", "nan(", "unknown sensor"] {
            assert!(!is_no_value(word), "{word}");
        }
    }
}
