//! One value, borrowed and owned.

use crate::{Datatype, DecodeError, Text, decimal, json};
use core::fmt;

/// Largest integer a sample carries: 2^53, exact in JSON, in a double and in SQL.
const MAX_INT: i64 = 1 << 53;

/// One value as it travels, without an allocator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// A finite number.
    Float(f64),
    /// A whole number within ±2^53.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A text, a choice or a colour.
    Text(Text<'a>),
}

impl<'a> ValueRef<'a> {
    /// A text value.
    #[must_use]
    pub const fn text(text: &'a str) -> Self {
        Self::Text(Text::new(text))
    }

    /// The number, for floats and integers.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "integers are within 2^53, which a double holds exactly")]
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(v) => Some(*v),
            Self::Int(v) => Some(*v as f64),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }

    /// What a channel of `datatype` means by it: where texts are declared, the bare payload `plain` is one
    /// even if it looks like a number; where truth values are, `ON` is one; on a host a number may be printed in
    /// any way.
    pub(crate) fn meant_by(self, datatype: Datatype, plain: Option<&'a str>) -> Self {
        match (plain, self) {
            (Some(plain), Self::Float(_) | Self::Int(_) | Self::Bool(_)) if datatype.is_textual() => {
                Self::text(plain)
            }
            (_, Self::Text(text)) if datatype == Datatype::Bool => {
                text.as_plain().and_then(truth).map_or(self, Self::Bool)
            }
            #[cfg(feature = "alloc")]
            (_, Self::Text(text)) if matches!(datatype, Datatype::Float | Datatype::Int) => {
                text.as_plain().and_then(crate::foreign::number).map_or(self, Self::Float)
            }
            _ => self,
        }
    }

    /// Reads a number in JSON's notation: whole ones as integers, others as floats.
    pub(crate) fn from_number(text: &str) -> Result<Self, DecodeError> {
        if !text.contains(['.', 'e', 'E']) {
            let whole = text.parse::<i64>().ok().filter(|v| (-MAX_INT..=MAX_INT).contains(v));
            return whole.map(Self::Int).ok_or(DecodeError::NumberRange);
        }
        let float = decimal::read(text).filter(|v| v.is_finite());
        float.map(Self::Float).ok_or(DecodeError::NumberRange)
    }

    /// The value behind a key.
    pub(crate) fn from_token(token: json::Token<'a>) -> Result<Self, DecodeError> {
        match token {
            json::Token::Bool(v) => Ok(Self::Bool(v)),
            json::Token::Number(n) => Self::from_number(n),
            json::Token::Text(text) => Ok(Self::Text(text)),
            json::Token::Null | json::Token::Nested(_) => Err(DecodeError::Field("v")),
        }
    }

    /// Reads a bare value: `true`, `false`, a number, a JSON string, else the text as it stands.
    pub(crate) fn from_plain(text: &'a str) -> Result<Self, DecodeError> {
        match text {
            "" => Err(DecodeError::Empty),
            "true" => Ok(Self::Bool(true)),
            "false" => Ok(Self::Bool(false)),
            _ if json::is_number(text) => Self::from_number(text),
            _ if text.starts_with('"') => json::read_string(text).map(Self::Text),
            _ if text.contains(char::is_control) => Err(DecodeError::ControlCharacter),
            _ => Ok(Self::text(text)),
        }
    }

    /// Writes the value as JSON.
    pub(crate) fn write_json(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Float(v) => write_float(*v, out),
            Self::Int(v) => write!(out, "{v}"),
            Self::Bool(v) => write!(out, "{v}"),
            Self::Text(text) => text.write_json(out),
        }
    }

    /// Writes the bare value; a text that could be mistaken for something else goes as a JSON string.
    pub(crate) fn write_plain(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Text(text) if !needs_quotes(text) => write!(out, "{text}"),
            other => other.write_json(out),
        }
    }
}

/// `true`, `false`, `on` and `off` in any case.
pub(crate) fn truth(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") || is("on") { Some(true) } else { (is("false") || is("off")).then_some(false) }
}

fn needs_quotes(text: &Text<'_>) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return true };
    let last = chars.last().unwrap_or(first);
    matches!(first, '{' | '"')
        || first.is_whitespace()
        || last.is_whitespace()
        || text.chars().any(char::is_control)
        || is_long_number(text)
}

/// What looks like a number and may be beyond the range of numbers, such as the digits of a card: bare, it
/// would be refused.
fn is_long_number(text: &Text<'_>) -> bool {
    let digits = text.chars().all(|c| matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
    digits && (text.len() > 15 || text.chars().any(|c| matches!(c, 'e' | 'E')))
}

/// As short as it is exact; very large and very small numbers with an exponent.
fn write_float(v: f64, out: &mut impl fmt::Write) -> fmt::Result {
    let size = v.abs();
    if size == 0.0 {
        out.write_char('0')
    } else if !(1e-5..1e15).contains(&size) {
        decimal::write_exponent(v, out)
    } else {
        decimal::write(v, out)
    }
}

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text}"),
            other => other.write_json(f),
        }
    }
}

#[cfg(feature = "alloc")]
pub use owned::Value;

#[cfg(feature = "alloc")]
mod owned {
    use super::ValueRef;
    use crate::Text;
    use alloc::string::{String, ToString};
    use core::fmt;

    /// One value of a channel.
    ///
    /// A choice and a colour (`#rrggbb`) are texts. Numbers and texts convert into it:
    ///
    /// ```
    /// # use mqtt_lab_wire::Value;
    /// assert_eq!(Value::from(21.5), Value::Float(21.5));
    /// assert_eq!(Value::from("on").as_str(), Some("on"));
    /// ```
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(untagged)]
    // A tag as wide as a value: moved as whole words, not byte by byte.
    #[repr(u64)]
    pub enum Value {
        /// True or false.
        Bool(bool),
        /// A whole number within ±2^53.
        Int(i64),
        /// A finite number.
        Float(f64),
        /// A text, a choice or a colour.
        Text(String),
    }

    impl Value {
        /// The number, for floats and integers.
        #[must_use]
        pub fn as_f64(&self) -> Option<f64> {
            self.as_ref().as_f64()
        }

        /// The whole number, for integers.
        #[must_use]
        pub const fn as_i64(&self) -> Option<i64> {
            match self {
                Self::Int(v) => Some(*v),
                Self::Bool(_) | Self::Float(_) | Self::Text(_) => None,
            }
        }

        /// The truth value.
        #[must_use]
        pub const fn as_bool(&self) -> Option<bool> {
            match self {
                Self::Bool(v) => Some(*v),
                Self::Int(_) | Self::Float(_) | Self::Text(_) => None,
            }
        }

        /// The text, for texts, choices and colours.
        #[must_use]
        pub fn as_str(&self) -> Option<&str> {
            match self {
                Self::Text(v) => Some(v),
                Self::Bool(_) | Self::Int(_) | Self::Float(_) => None,
            }
        }

        /// The same value, borrowed.
        #[must_use]
        pub fn as_ref(&self) -> ValueRef<'_> {
            match self {
                Self::Float(v) => ValueRef::Float(*v),
                Self::Int(v) => ValueRef::Int(*v),
                Self::Bool(v) => ValueRef::Bool(*v),
                Self::Text(v) => ValueRef::Text(Text::new(v)),
            }
        }
    }

    impl fmt::Display for Value {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.as_ref().fmt(f)
        }
    }

    impl From<ValueRef<'_>> for Value {
        fn from(value: ValueRef<'_>) -> Self {
            match value {
                ValueRef::Float(v) => Self::Float(v),
                ValueRef::Int(v) => Self::Int(v),
                ValueRef::Bool(v) => Self::Bool(v),
                ValueRef::Text(v) => Self::Text(v.to_string()),
            }
        }
    }

    macro_rules! from {
        ($variant:ident: $($source:ty),+) => {$(
            impl From<$source> for Value {
                fn from(value: $source) -> Self {
                    Self::$variant(value.into())
                }
            }
        )+};
    }
    from!(Float: f64, f32);
    from!(Int: i64, i32, i16, i8, u32, u16, u8);
    from!(Bool: bool);
    from!(Text: String, &str);
}
