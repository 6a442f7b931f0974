//! Why a payload was refused.

use core::fmt;

/// Why bytes from the network are not what their topic promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// Nothing in it.
    Empty,
    /// More bytes than the limit (in bytes).
    TooLong(usize),
    /// Not UTF-8.
    NotUtf8,
    /// Begins like JSON and is not (position in bytes).
    NotJson(usize),
    /// Nested deeper than any description needs.
    TooDeep,
    /// A required field is missing.
    Missing(&'static str),
    /// A field holds something else than it must.
    Field(&'static str),
    /// A number beyond what a sample can carry: floats are finite, integers within ±2^53.
    NumberRange,
    /// A control character in a plain text.
    ControlCharacter,
    /// A word that is none of the known ones.
    UnknownWord,
}

#[cfg(feature = "alloc")]
impl DecodeError {
    /// The same error, its position counted in `whole`, of which `part` is a part.
    pub(crate) fn within(self, whole: &str, part: &str) -> Self {
        match self {
            Self::NotJson(at) => {
                let offset = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
                Self::NotJson(at + offset)
            }
            other => other,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the payload is empty"),
            Self::TooLong(limit) => write!(f, "the payload is longer than {limit} bytes"),
            Self::NotUtf8 => f.write_str("the payload is not UTF-8 text"),
            Self::NotJson(at) => write!(f, "the payload is not valid JSON at byte {at}"),
            Self::TooDeep => f.write_str("the payload is nested too deeply"),
            Self::Missing(field) => write!(f, "the field `{field}` is missing"),
            Self::Field(field) => write!(f, "the field `{field}` holds something else than it must"),
            Self::NumberRange => {
                f.write_str("the number is out of range (floats are finite, integers within 2^53)")
            }
            Self::ControlCharacter => f.write_str("the text holds a control character"),
            Self::UnknownWord => f.write_str("the word is none of the known ones"),
        }
    }
}

impl core::error::Error for DecodeError {}
