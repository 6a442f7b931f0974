//! A value as it was written, and what a channel means by it.

use super::printed::{self, Printed};
use crate::value::truth;
use crate::{Channel, Datatype, Text, ValueError, ValueRef, json};
use alloc::borrow::Cow;
use alloc::string::ToString as _;
use core::fmt::{self, Write as _};

/// Digits that a double holds in any case: a longer quoted number is a text, because ids look like that.
const SAFE_DIGITS: usize = 15;

/// Bytes in which all words and nearly all numbers fit.
const SHORT: usize = 400;

/// A value as it was written, before it is known what its channel takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Written<'a> {
    /// JSON's `null`.
    Null,
    /// JSON's `true` or `false`.
    Bool(bool),
    /// A number in JSON's notation.
    Number(&'a str),
    /// The inside of a JSON string.
    Quoted(Text<'a>),
    /// A payload that is the value itself.
    Bare(&'a str),
}

/// What a channel means by a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Meaning<'a> {
    /// The value, of the channel's datatype; `None`: the sender says that it has none.
    pub value: Option<ValueRef<'a>>,
    /// What whoever looks at it should know.
    pub note: Option<Note>,
}

/// What is remarkable about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// It was written with a decimal comma.
    DecimalComma,
    /// It has more digits than a double holds.
    LostDigits,
    /// A text that begins with a number: it was sent with its unit.
    NumberWithUnit,
}

impl<'a> Meaning<'a> {
    const NO_READING: Self = Self { value: None, note: None };

    const fn value(value: ValueRef<'a>) -> Self {
        Self { value: Some(value), note: None }
    }
}

impl<'a> Written<'a> {
    /// A bare payload; a JSON string is unpacked.
    pub(super) fn bare(text: &'a str) -> Self {
        let quoted = text.starts_with('"').then(|| json::read_string(text).ok()).flatten();
        quoted.map_or(Self::Bare(text), Self::Quoted)
    }

    /// `token` must be a scalar.
    pub(super) fn from_token(token: json::Token<'a>) -> Self {
        match token {
            json::Token::Bool(v) => Self::Bool(v),
            json::Token::Number(number) => Self::Number(number),
            json::Token::Text(text) => Self::Quoted(text),
            json::Token::Null | json::Token::Nested(_) => Self::Null,
        }
    }

    /// What a described channel means by it.
    ///
    /// # Errors
    ///
    /// [`ValueError`] says what the channel takes.
    pub fn for_channel(self, channel: &Channel) -> Result<Meaning<'a>, ValueError> {
        let meaning = match channel.datatype {
            Datatype::Text | Datatype::Choice => self.as_word()?,
            Datatype::Color if self.is_no_value() => Meaning::NO_READING,
            Datatype::Color => self.as_word()?,
            Datatype::Bool => self.as_truth()?,
            Datatype::Int | Datatype::Float => self.as_number(channel.datatype)?,
        };
        let value = meaning.value.map(|value| channel.check(value)).transpose()?;
        Ok(Meaning { value, ..meaning })
    }

    /// What it is on a channel that nobody described, whose present series has the datatype `present`; the datatype of
    /// `value` is that of the series it belongs to, whole numbers being floats.
    ///
    /// # Errors
    ///
    /// [`ValueError`] where a series of numbers gets something else, and for what is no value at all.
    pub fn for_undescribed(self, present: Option<Datatype>) -> Result<(Datatype, Meaning<'a>), ValueError> {
        let text =
            || self.for_channel(&Channel::text("")).map(|meaning| (Datatype::Text, self.noted(meaning)));
        match present {
            Some(number @ (Datatype::Float | Datatype::Int)) => {
                Ok((number, self.for_channel(&Channel::new("", number))?))
            }
            _ if self.is_no_value() => Ok((present.unwrap_or(Datatype::Float), Meaning::NO_READING)),
            Some(Datatype::Bool) => match self.as_truth() {
                Ok(meaning) => Ok((Datatype::Bool, meaning)),
                Err(_) => text(),
            },
            Some(Datatype::Text | Datatype::Choice | Datatype::Color) => text(),
            None => match self.guess() {
                Datatype::Float => Ok((Datatype::Float, self.for_channel(&Channel::float(""))?)),
                Datatype::Bool => Ok((Datatype::Bool, self.as_truth()?)),
                _ => text(),
            },
        }
    }

    /// Whether it would be a number on a channel that nobody described.
    #[must_use]
    pub fn looks_like_a_number(self) -> bool {
        self.for_channel(&Channel::float("")).is_ok_and(|meaning| meaning.value.is_some())
            && self.guess() == Datatype::Float
    }

    fn guess(self) -> Datatype {
        match self {
            Self::Null | Self::Number(_) => Datatype::Float,
            Self::Bool(_) => Datatype::Bool,
            Self::Quoted(_) | Self::Bare(_) => {
                let text = self.short_text();
                let quoted = matches!(self, Self::Quoted(_));
                let id = |number: &Printed| {
                    number.leading_zero || (quoted && number.whole && number.digits > SAFE_DIGITS)
                };
                if truth(&text).is_some() {
                    Datatype::Bool
                } else if printed::number(&text).is_some_and(|number| !id(&number)) {
                    Datatype::Float
                } else {
                    Datatype::Text
                }
            }
        }
    }

    fn is_no_value(self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) | Self::Number(_) => false,
            Self::Quoted(_) | Self::Bare(_) => printed::is_no_value(&self.short_text()),
        }
    }

    /// The text without space around it, if a word or a number can be as long.
    fn short_text(&self) -> Cow<'a, str> {
        match self {
            Self::Null => Cow::Borrowed("null"),
            Self::Bool(v) => Cow::Borrowed(if *v { "true" } else { "false" }),
            Self::Number(text) | Self::Bare(text) => Cow::Borrowed(text),
            Self::Quoted(text) => match text.as_plain() {
                Some(text) => Cow::Borrowed(text.trim_ascii()),
                None if text.len() <= SHORT => Cow::Owned(text.to_string().trim_ascii().into()),
                // Neither a word nor a number.
                None => Cow::Borrowed("\\"),
            },
        }
    }

    fn as_word(self) -> Result<Meaning<'a>, ValueError> {
        let value = match self {
            Self::Null => return Ok(Meaning::NO_READING),
            Self::Bool(v) => ValueRef::text(if v { "true" } else { "false" }),
            Self::Number(text) => ValueRef::text(text),
            Self::Quoted(text) => ValueRef::Text(text),
            Self::Bare(text) => {
                let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
                if text.contains(forbidden) {
                    return Err(ValueError::ControlCharacter);
                }
                ValueRef::text(text)
            }
        };
        Ok(Meaning::value(value))
    }

    fn as_truth(self) -> Result<Meaning<'a>, ValueError> {
        let text = match self {
            _ if self.is_no_value() => return Ok(Meaning::NO_READING),
            Self::Bool(v) => return Ok(Meaning::value(ValueRef::Bool(v))),
            other => other.short_text(),
        };
        let value = match &*text {
            "1" => true,
            "0" => false,
            word => truth(word).ok_or(ValueError::Datatype(Datatype::Bool))?,
        };
        Ok(Meaning::value(ValueRef::Bool(value)))
    }

    fn as_number(self, datatype: Datatype) -> Result<Meaning<'a>, ValueError> {
        // No word for "no value" is a number, and nearly all are numbers.
        let Some(number) = printed::number(&self.short_text()) else {
            let nothing = self.is_no_value().then_some(Meaning::NO_READING);
            return nothing.ok_or(ValueError::Datatype(datatype));
        };
        if number.value.is_infinite() {
            return Err(ValueError::TooLarge);
        }
        if datatype == Datatype::Int && number.fraction {
            return Err(ValueError::Datatype(datatype));
        }
        if datatype == Datatype::Int && number.digits_lost {
            return Err(ValueError::IntRange);
        }
        let note = match number {
            Printed { digits_lost: true, .. } => Some(Note::LostDigits),
            Printed { comma: true, .. } => Some(Note::DecimalComma),
            _ => None,
        };
        Ok(Meaning { value: Some(ValueRef::Float(number.value)), note })
    }

    /// Notes a text that is a number with something behind it: `21.5 C`.
    fn noted(self, meaning: Meaning<'a>) -> Meaning<'a> {
        let text = self.short_text();
        let digits = text
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b','))
            .count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let is_unit = !unit.is_empty()
            && unit.chars().count() <= 8
            && !unit.contains(|c: char| c.is_ascii_digit() || c.is_whitespace());
        let with_unit = is_unit && printed::number(number).is_some_and(|number| !number.leading_zero);
        Meaning { note: with_unit.then_some(Note::NumberWithUnit), ..meaning }
    }
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Number(text) | Self::Bare(text) => f.write_str(text),
            Self::Quoted(text) => text.chars().try_for_each(|c| f.write_char(c)),
        }
    }
}
