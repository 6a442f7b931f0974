//! A command to a channel, and its answer.

use crate::sample::{payload_text, trimmed};
use crate::time::{is_plausible_time, unix_micros};
use crate::{DecodeError, Text, ValueRef, json};
use core::fmt;

/// Longest command id, in bytes.
const MAX_ID_BYTES: usize = 64;

/// The payload of `…/<channel>/set`.
///
/// A bare value is applied as often as it arrives. One with an id is applied once per id, refused
/// when it is older than its life, and always answered on `…/result`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command<'a> {
    /// The value to take.
    pub value: ValueRef<'a>,
    /// What the sender knows it by, up to 64 bytes.
    pub id: Option<&'a str>,
    /// When it was sent, in microseconds since the Unix epoch.
    pub sent_us: Option<i64>,
    /// How long it may live, in milliseconds.
    pub ttl_ms: Option<u32>,
    /// The payload itself if it was a bare value.
    plain: Option<&'a str>,
}

impl<'a> Command<'a> {
    /// A command without id.
    #[must_use]
    pub const fn new(value: ValueRef<'a>) -> Self {
        Self { value, id: None, sent_us: None, ttl_ms: None, plain: None }
    }

    /// The same command, to be applied once and answered under `id`.
    #[must_use]
    pub const fn with_id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// The same command, refused `ttl_ms` milliseconds after `sent_us`.
    #[must_use]
    pub const fn expiring(mut self, sent_us: i64, ttl_ms: u32) -> Self {
        (self.sent_us, self.ttl_ms) = (Some(sent_us), Some(ttl_ms));
        self
    }

    /// When it was sent, in microseconds since the Unix epoch, if that can be at `now_us`: a time before the year 2000
    /// or more than a minute ahead is that of a wrong clock.
    #[must_use]
    pub fn plausibly_sent_us(&self, now_us: i64) -> Option<i64> {
        self.sent_us.filter(|sent_us| is_plausible_time(*sent_us, now_us))
    }

    /// Whether its life is over at `now_us` (microseconds since the Unix epoch), as far as its time tells.
    #[must_use]
    pub fn is_expired(&self, now_us: i64) -> bool {
        match (self.plausibly_sent_us(now_us), self.ttl_ms) {
            (Some(sent), Some(ttl)) => now_us.saturating_sub(sent) > i64::from(ttl) * 1000,
            _ => false,
        }
    }

    /// The value as a channel of `datatype` means it, as [`crate::Sample::value_for`].
    #[must_use]
    pub fn value_for(&self, datatype: crate::Datatype) -> ValueRef<'a> {
        self.value.meant_by(datatype, self.plain)
    }

    /// Writes the payload: a bare value where nothing else is known.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn encode(&self, out: &mut impl fmt::Write) -> fmt::Result {
        if self.id.is_none() && self.sent_us.is_none() && self.ttl_ms.is_none() {
            return self.value.write_plain(out);
        }
        out.write_str("{\"v\":")?;
        self.value.write_json(out)?;
        if let Some(id) = self.id {
            out.write_str(",\"id\":")?;
            Text::new(id).write_json(out)?;
        }
        if let Some(t) = self.sent_us {
            write!(out, ",\"t\":{t}")?;
        }
        if let Some(ttl) = self.ttl_ms {
            write!(out, ",\"ttl_ms\":{ttl}")?;
        }
        out.write_char('}')
    }

    /// Reads the payload of `…/set`.
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
        let (mut value, mut id, mut sent_us, mut ttl_ms) = (None, None, None, None);
        json::read_object(text, |key, token| {
            match key.as_plain() {
                Some("v") => value = Some(ValueRef::from_token(token)?),
                Some("id") => id = Some(command_id(token)?),
                Some("t") => sent_us = sent(token)?,
                Some("ttl_ms") => ttl_ms = Some(life(token)?),
                _ => {}
            }
            Ok(())
        })?;
        let value = value.ok_or(DecodeError::Missing("v"))?;
        Ok(Self { value, id, sent_us, ttl_ms, plain: None })
    }

    /// The id in a payload that [`Command::decode`] refuses: who waits for an answer is told so.
    #[must_use]
    pub fn id_in(payload: &'a [u8]) -> Option<&'a str> {
        let mut id = None;
        // Up to the place that cannot be read.
        let _ = json::read_object(trimmed(payload).ok()?, |key, token| {
            if key.as_plain() == Some("id") {
                id = command_id(token).ok();
            }
            Ok(())
        });
        id
    }
}

/// Microseconds since the Unix epoch.
fn sent(token: json::Token<'_>) -> Result<Option<i64>, DecodeError> {
    match token {
        json::Token::Null => Ok(None),
        json::Token::Number(number) => Ok(Some(unix_micros(number))),
        #[cfg(feature = "alloc")]
        json::Token::Text(text) => match crate::date::read(&text) {
            Some(crate::SampleTime::Unix(t_us)) => Ok(Some(t_us)),
            _ => Err(DecodeError::Field("t")),
        },
        _ => Err(DecodeError::Field("t")),
    }
}

fn life(token: json::Token<'_>) -> Result<u32, DecodeError> {
    token.whole().and_then(|ms| u32::try_from(ms).ok()).ok_or(DecodeError::Field("ttl_ms"))
}

fn command_id<'a>(token: json::Token<'a>) -> Result<&'a str, DecodeError> {
    let id = token.text().and_then(|text| text.as_plain());
    id.filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES).ok_or(DecodeError::Field("id"))
}

/// The payload of `…/<channel>/result`: what became of a command that carried an id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommandResult<'a> {
    /// The command's id.
    pub id: &'a str,
    /// The channel's value now, where it is known.
    pub value: Option<ValueRef<'a>>,
    /// Why the command was refused; `None`: it was applied.
    pub error: Option<Text<'a>>,
}

impl<'a> CommandResult<'a> {
    /// Writes `{"id":"c1","ok":true,"v":true}`.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn encode(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_str("{\"id\":")?;
        Text::new(self.id).write_json(out)?;
        write!(out, ",\"ok\":{}", self.error.is_none())?;
        if let Some(value) = self.value {
            out.write_str(",\"v\":")?;
            value.write_json(out)?;
        }
        if let Some(error) = self.error {
            out.write_str(",\"error\":")?;
            error.write_json(out)?;
        }
        out.write_char('}')
    }

    /// Reads the payload of `…/result`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for anything else than an object with `id` and `ok`.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let (mut id, mut ok, mut value, mut error) = (None, None, None, None);
        json::read_object(payload_text(payload)?, |key, token| {
            match key.as_plain() {
                Some("id") => id = Some(command_id(token)?),
                Some("ok") => {
                    ok = Some(matches!(token, json::Token::Bool(true)));
                    if !matches!(token, json::Token::Bool(_)) {
                        return Err(DecodeError::Field("ok"));
                    }
                }
                Some("v") if token != json::Token::Null => value = Some(ValueRef::from_token(token)?),
                Some("error") => error = token.text(),
                _ => {}
            }
            Ok(())
        })?;
        let id = id.ok_or(DecodeError::Missing("id"))?;
        let error = match ok.ok_or(DecodeError::Missing("ok"))? {
            true => None,
            false => Some(error.unwrap_or(Text::new(""))),
        };
        Ok(Self { id, value, error })
    }
}
