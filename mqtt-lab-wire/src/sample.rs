//! One channel's value as it travels.

use crate::{BootId, Datatype, DecodeError, ValueRef, json, time};
use core::fmt;

/// Largest payload of a sample or a command, in bytes: a text of [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES) fits in any
/// case, though JSON writes a byte in up to six.
pub const MAX_SAMPLE_BYTES: usize = 32 * 1024;

/// How a device writes its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PayloadForm {
    /// `{"v":21.5,"t":1732375200123456,"b":"k3f9","n":17}`: every loss and duplicate is countable.
    #[default]
    Json,
    /// `21.5`: the smallest packet; stamped on arrival, losses and duplicates are unknown.
    Plain,
}

impl PayloadForm {
    /// The word that travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Plain => "plain",
        }
    }
}

/// When a sample was measured, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleTime {
    /// `t`: microseconds since the Unix epoch.
    Unix(i64),
    /// `u`: milliseconds since the sender's boot, from a sender without a clock.
    SinceBoot(u64),
    /// A date without an offset from UTC: nobody knows in which time zone it was.
    NoOffset,
    /// What stands there is no time.
    Unreadable,
}

/// One channel's value with what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The value.
    pub value: ValueRef<'a>,
    /// When it was measured; `None`: stamped on arrival.
    pub time: Option<SampleTime>,
    /// The sender's life and the number of this sample in it, counted from 1 over all channels.
    pub number: Option<(BootId, u64)>,
    /// The payload itself if it was a bare value.
    plain: Option<&'a str>,
}

impl<'a> Sample<'a> {
    /// A sample of which only the value is known.
    #[must_use]
    pub const fn new(value: ValueRef<'a>) -> Self {
        Self { value, time: None, number: None, plain: None }
    }

    /// The same sample, measured at `time`.
    #[must_use]
    pub const fn at(mut self, time: SampleTime) -> Self {
        self.time = Some(time);
        self
    }

    /// The same sample, the `n`th of life `boot`.
    #[must_use]
    pub const fn numbered(mut self, boot: BootId, n: u64) -> Self {
        self.number = Some((boot, n));
        self
    }

    /// The value as a channel of `datatype` means it: the bare payload `007` is a text there, not a number.
    #[must_use]
    pub fn value_for(&self, datatype: Datatype) -> ValueRef<'a> {
        self.value.meant_by(datatype, self.plain)
    }

    /// Writes the payload. The plain form carries the value alone.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn encode(&self, form: PayloadForm, out: &mut impl fmt::Write) -> fmt::Result {
        if form == PayloadForm::Plain {
            return self.value.write_plain(out);
        }
        out.write_str("{\"v\":")?;
        self.value.write_json(out)?;
        match self.time {
            Some(SampleTime::Unix(t)) => write!(out, ",\"t\":{t}")?,
            Some(SampleTime::SinceBoot(u)) => write!(out, ",\"u\":{u}")?,
            Some(SampleTime::NoOffset | SampleTime::Unreadable) | None => {}
        }
        if let Some((boot, n)) = self.number {
            write!(out, ",\"b\":\"{boot}\",\"n\":{n}")?;
        }
        out.write_char('}')
    }

    /// Reads a payload of either form. Unknown fields are ignored.
    ///
    /// [`Message`](crate::Message) reads what foreign clients send, which is messier.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is empty, too long, no text, or JSON without a usable `v`.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let text = payload_text(payload)?;
        if !text.starts_with('{') {
            let value = ValueRef::from_plain(text)?;
            return Ok(Self { plain: Some(text), ..Self::new(value) });
        }
        let fields = Fields::read(text)?;
        let value = ValueRef::from_token(fields.value.ok_or(DecodeError::Missing("v"))?)?;
        Ok(Self { value, time: fields.time()?, number: fields.number()?, plain: None })
    }
}

/// The fields of an object that may be a sample, as they stand.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) value: Option<json::Token<'a>>,
    unix: Option<json::Token<'a>>,
    since_boot: Option<json::Token<'a>>,
    boot: Option<json::Token<'a>>,
    n: Option<json::Token<'a>>,
}

impl<'a> Fields<'a> {
    /// Reads an object.
    pub(crate) fn read(text: &'a str) -> Result<Self, DecodeError> {
        let mut fields = Self::default();
        json::read_object(text, |key, token| {
            let field = match key.as_plain() {
                Some("v") => &mut fields.value,
                Some("t") => &mut fields.unix,
                Some("u") => &mut fields.since_boot,
                Some("b") => &mut fields.boot,
                Some("n") => &mut fields.n,
                _ => return Ok(()),
            };
            *field = Some(token);
            Ok(())
        })?;
        Ok(fields)
    }

    pub(crate) fn time(&self) -> Result<Option<SampleTime>, DecodeError> {
        if let Some(u) = self.since_boot {
            return u.whole().map(|ms| Some(SampleTime::SinceBoot(ms))).ok_or(DecodeError::Field("u"));
        }
        Ok(self.unix.and_then(sample_time))
    }

    pub(crate) fn number(&self) -> Result<Option<(BootId, u64)>, DecodeError> {
        let boot = self.boot.map(BootId::from_token).transpose()?;
        let n = self.n.map(|n| n.whole().ok_or(DecodeError::Field("n"))).transpose()?;
        Ok(boot.zip(n))
    }
}

/// What stands in `t`; `null`: nothing.
fn sample_time(token: json::Token<'_>) -> Option<SampleTime> {
    match token {
        json::Token::Null => None,
        json::Token::Number(number) => Some(SampleTime::Unix(time::unix_micros(number))),
        #[cfg(feature = "alloc")]
        json::Token::Text(text) => Some(crate::date::read(&text).unwrap_or(SampleTime::Unreadable)),
        _ => Some(SampleTime::Unreadable),
    }
}

/// The payload as text, within bounds, without a byte-order mark and space around it.
pub(crate) fn payload_text(payload: &[u8]) -> Result<&str, DecodeError> {
    if payload.len() > MAX_SAMPLE_BYTES {
        return Err(DecodeError::TooLong(MAX_SAMPLE_BYTES));
    }
    let text = trimmed(payload)?;
    if text.is_empty() { Err(DecodeError::Empty) } else { Ok(text) }
}

/// The text in a payload, without a byte-order mark and space around it.
pub(crate) fn trimmed(payload: &[u8]) -> Result<&str, DecodeError> {
    let text = core::str::from_utf8(payload).map_err(|_| DecodeError::NotUtf8)?.trim_ascii();
    Ok(text.strip_prefix('\u{feff}').map_or(text, str::trim_ascii))
}
