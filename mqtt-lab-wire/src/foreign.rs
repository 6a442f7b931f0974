//! Payloads of foreign clients, which nobody configured for the lab.
//!
//! The rules are those of `docs/payloads.md`. [`Message`] tells a sample from an object, [`Members`] takes an object
//! apart, [`Written`] finds out what a channel means by a value.

mod members;
mod printed;
mod written;

use crate::sample::{Fields, payload_text};
use crate::{BootId, DecodeError, SampleTime, json};
use core::fmt;

pub use members::{Members, Refused};
pub use written::{Meaning, Note, Written};

/// A finite number, as it may be printed.
pub(crate) fn number(text: &str) -> Option<f64> {
    printed::number(text).map(|number| number.value).filter(|value| value.is_finite())
}

/// A payload on a channel's or a device's topic, whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Message<'a> {
    /// Nothing but space.
    Empty,
    /// A bare value, or an object with `v`.
    Sample(Received<'a>),
    /// Another object: each member is a channel.
    Object(&'a str),
    /// It looks like JSON, and there is no value in it. A channel of texts takes it as it stands.
    NoSample(&'a str, Malformed),
}

/// One channel's value with what its sender says of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Received<'a> {
    /// The value, as it was written.
    pub value: Written<'a>,
    /// When it was measured; `None`: stamped on arrival.
    pub time: Option<SampleTime>,
    /// The sender's life and the number of this sample in it.
    pub number: Option<(BootId, u64)>,
}

impl<'a> Received<'a> {
    /// A value of which nothing else is known.
    #[must_use]
    pub const fn new(value: Written<'a>) -> Self {
        Self { value, time: None, number: None }
    }
}

impl<'a> Message<'a> {
    /// Reads a payload: a byte-order mark, space and line ends around it do not count.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is too long or no UTF-8 text, or when the sender numbers its samples in a way that cannot
    /// be understood.
    ///
    /// ```
    /// use mqtt_lab_wire::{Message, Received, Written};
    /// assert_eq!(Message::read(b"21,5\r\n"), Ok(Message::Sample(Received::new(Written::Bare("21,5")))));
    /// assert_eq!(Message::read(br#"{"humidity":40}"#), Ok(Message::Object(r#"{"humidity":40}"#)));
    /// ```
    pub fn read(payload: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read_as(payload, Self::of_channel)
    }

    /// Reads a payload on a device's own topic: there `v` is a channel like any other, and a bare value has none.
    ///
    /// # Errors
    ///
    /// As [`Message::read`].
    pub fn read_reading(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let object = |text, _| Ok(Self::Object(text));
        Ok(match Self::read_as(payload, object)? {
            Self::Sample(_) => Self::NoSample(payload_text(payload)?, Malformed::NoChannel),
            other => other,
        })
    }

    fn read_as(
        payload: &'a [u8],
        object: fn(&'a str, Fields<'a>) -> Result<Self, DecodeError>,
    ) -> Result<Self, DecodeError> {
        let text = match payload_text(payload) {
            Err(DecodeError::Empty) => return Ok(Self::Empty),
            text => text?,
        };
        match text.as_bytes().first() {
            Some(b'{') => match Fields::read(text) {
                Ok(fields) => object(text, fields),
                Err(error) => Ok(Self::NoSample(text, Malformed::of(text, error))),
            },
            Some(b'[') if json::read_array(text, |_| Ok(())).is_ok() => {
                Ok(Self::NoSample(text, Malformed::Array))
            }
            _ => Ok(Self::Sample(Received::new(Written::bare(text)))),
        }
    }

    fn of_channel(text: &'a str, fields: Fields<'a>) -> Result<Self, DecodeError> {
        match fields.value {
            None | Some(json::Token::Nested(_)) => Ok(Self::Object(text)),
            Some(value) => Ok(Self::Sample(Received {
                value: Written::from_token(value),
                time: fields.time()?,
                number: fields.number()?,
            })),
        }
    }
}

/// Why something that looks like JSON holds no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// An array alone: nothing says what its elements are.
    Array,
    /// A bare value on a device's own topic: nothing says what it is.
    NoChannel,
    /// It cannot be read.
    NotJson(DecodeError),
    /// It is written with single quotes, as Python prints a `dict`.
    SingleQuotes(usize),
}

impl Malformed {
    fn of(text: &str, error: DecodeError) -> Self {
        match error {
            DecodeError::NotJson(at) if text.as_bytes().get(at) == Some(&b'\'') => Self::SingleQuotes(at),
            other => Self::NotJson(other),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array => f.write_str(
                "an array alone does not say what its values are: send an object such as {\"temperature\":21.5}",
            ),
            Self::NoChannel => f.write_str(
                "a bare value on a device's own topic does not say what it is: publish it one level below, on a \
                 channel, or send an object such as {\"temperature\":21.5}",
            ),
            Self::NotJson(error) => write!(f, "{error}"),
            Self::SingleQuotes(at) => {
                write!(
                    f,
                    "the payload is not valid JSON at byte {at}: JSON needs double quotes (in Python, use json.dumps)"
                )
            }
        }
    }
}
