//! Floats as decimal text.
//!
//! Hosts use the standard library. It is exact for every number, and 25 KB large: without an allocator, as
//! on a board of a few dozen KB, [`compact`] takes its place, which is exact for what sensors measure.

use core::fmt;

/// Reads a number in JSON's notation.
#[cfg(feature = "alloc")]
pub(crate) fn read(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Writes a number from 1e-5 to 1e15 or its negative.
#[cfg(feature = "alloc")]
pub(crate) fn write(v: f64, out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "{v}")
}

/// Writes a finite number with an exponent.
#[cfg(feature = "alloc")]
pub(crate) fn write_exponent(v: f64, out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "{v:e}")
}

#[cfg(not(feature = "alloc"))]
pub(crate) use compact::{read, write, write_exponent};

/// Exact for up to 15 digits and exponents within ±22 (W. Clinger, PLDI 1990, section 4); beyond that the last
/// of 17 digits may be wrong.
#[cfg(any(test, not(feature = "alloc")))]
mod compact {
    use super::fmt;

    /// Powers of ten that a double holds exactly.
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19, 1e20, 1e21, 1e22,
    ];

    /// Whole numbers up to here are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    /// Beyond this every double is zero or infinite.
    const LARGEST_EXPONENT: i32 = 400;

    pub(crate) fn read(text: &str) -> Option<f64> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent_of(exponent)),
            None => (text, 0),
        };
        let (mut mantissa, mut shift, mut behind_point) = (0_u64, 0, false);
        for byte in digits.bytes() {
            match byte {
                b'.' => behind_point = true,
                // What a double cannot tell apart is dropped.
                b'0'..=b'9' if mantissa > u64::MAX / 10 - 1 => shift += i32::from(!behind_point),
                b'0'..=b'9' => {
                    mantissa = mantissa * 10 + u64::from(byte - b'0');
                    shift -= i32::from(behind_point);
                }
                _ => {}
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "that is the rounding")]
        let size = scale(mantissa as f64, exponent + shift);
        Some(if text.starts_with('-') { -size } else { size })
    }

    /// An exponent beyond all numbers stays beyond them.
    fn exponent_of(text: &str) -> i32 {
        let digits = text.trim_start_matches(['+', '-']);
        let size = digits.bytes().fold(0, |sum, digit| (sum * 10 + i32::from(digit - b'0')).min(100_000));
        if text.starts_with('-') { -size } else { size }
    }

    fn scale(mut v: f64, exponent: i32) -> f64 {
        let mut left = exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).unsigned_abs() as usize;
        while left > 0 {
            let step = left.min(POWERS.len() - 1);
            v = if exponent < 0 { v / POWERS[step] } else { v * POWERS[step] };
            left -= step;
        }
        v
    }

    pub(crate) fn write(v: f64, out: &mut dyn fmt::Write) -> fmt::Result {
        if v < 0.0 {
            out.write_char('-')?;
        }
        let size = v.abs();
        let whole = |places: usize| {
            let scaled = size * POWERS[places] + 0.5;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1e17")]
            (scaled < 1e17).then_some(scaled as u64)
        };
        // The fewest places from which the number comes back.
        #[allow(clippy::cast_precision_loss, reason = "up to 2^53 there is none, and more is not taken")]
        let comes_back = |places: &usize| {
            let whole = whole(*places).map(|whole| whole as f64);
            whole.is_some_and(|whole| whole <= EXACT && whole / POWERS[*places] == size)
        };
        let places = (0..=19).find(comes_back);
        let places = places.or_else(|| (0..=19).rev().find(|places| whole(*places).is_some())).unwrap_or(0);
        write_whole(whole(places).unwrap_or(u64::MAX), places, out)
    }

    /// Writes `whole` with the point before its last `places` digits.
    fn write_whole(whole: u64, places: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        let power = (0..places).fold(1_u64, |power, _| power * 10);
        write!(out, "{}", whole / power)?;
        let mut rest = whole % power;
        let mut places = places;
        while places > 0 && rest.is_multiple_of(10) {
            (rest, places) = (rest / 10, places - 1);
        }
        if places == 0 { Ok(()) } else { write!(out, ".{rest:0places$}") }
    }

    pub(crate) fn write_exponent(v: f64, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut exponent = 0;
        while scale(v.abs(), -exponent) >= 10.0 {
            exponent += 1;
        }
        while scale(v.abs(), -exponent) < 1.0 {
            exponent -= 1;
        }
        write(scale(v, -exponent), out)?;
        write!(out, "e{exponent}")
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use proptest::prelude::*;
        use std::format;
        use std::string::String;

        fn written(v: f64) -> String {
            let mut text = String::new();
            write(v, &mut text).expect("a String takes everything");
            text
        }

        proptest! {
            /// What sensors measure: a whole number of thousandths, or of any power of ten up to 15 digits.
            #[test]
            fn numbers_of_fifteen_digits_are_as_the_standard_library_writes_and_reads_them(
                whole in -999_999_999_999_999_i64..=999_999_999_999_999,
                places in 0_usize..=15,
            ) {
                #[allow(clippy::cast_precision_loss)]
                let v = whole as f64 / POWERS[places];
                prop_assume!(v == 0.0 || (1e-5..1e15).contains(&v.abs()));
                let expected = if v == 0.0 { String::from("0") } else { format!("{v}") };
                prop_assert_eq!(written(v), expected);
                prop_assert_eq!(read(&format!("{v}")), Some(v));
            }

            #[test]
            fn the_floats_of_drivers_come_back(v in -1e6_f32..1e6) {
                prop_assume!(v.abs() >= 1e-5);
                let v = f64::from(v);
                prop_assert!((read(&written(v)).expect("a number") - v).abs() <= v.abs() * 1e-15);
            }

            #[test]
            fn any_number_is_read_and_written_to_fifteen_digits(v in proptest::num::f64::NORMAL) {
                let error = |text: &str| (read(text).expect("a number") / v - 1.0).abs();
                let standard = format!("{v:e}");
                prop_assert!(error(&standard) < 1e-14);
                let mut text = String::new();
                write_exponent(v, &mut text).expect("a String takes everything");
                prop_assert!(error(&text) < 1e-13, "{} for {:e}", text, v);
                let parsed: f64 = text.parse().expect("in JSON's notation");
                prop_assert!((parsed / v - 1.0).abs() < 1e-13);
            }
        }

        #[test]
        fn exponents_beyond_all_numbers_are_zero_or_infinite() {
            assert_eq!(read("1e99999999999999999999"), Some(f64::INFINITY));
            assert_eq!(read("-1e-99999999999999999999"), Some(-0.0));
            assert_eq!(read("184467440737095516159999"), Some(184_467_440_737_095_516_159_999.0));
        }
    }
}
