//! How many samples a device has sent.

use crate::sample::trimmed;
use crate::{BootId, DecodeError, json};
use core::fmt;

/// The payload of `$stats`: makes the loss of the last samples countable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The life it speaks of.
    pub boot: BootId,
    /// Number of the last sample sent in this life; samples count from 1.
    pub sent: u64,
}

impl Stats {
    /// Writes `{"b":"k3f9","sent":17}`.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn encode(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "{{\"b\":\"{}\",\"sent\":{}}}", self.boot, self.sent)
    }

    /// Reads the payload of `$stats`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for anything else than an object with `b` and `sent`.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let (mut boot, mut sent) = (None, None);
        json::read_object(trimmed(payload)?, |key, token| {
            if key == *"b" {
                boot = Some(BootId::from_token(token)?);
            } else if key == *"sent" {
                sent = Some(token.whole().ok_or(DecodeError::Field("sent"))?);
            }
            Ok(())
        })?;
        Ok(Self {
            boot: boot.ok_or(DecodeError::Missing("b"))?,
            sent: sent.ok_or(DecodeError::Missing("sent"))?,
        })
    }
}

impl BootId {
    pub(crate) fn from_token(token: json::Token<'_>) -> Result<Self, DecodeError> {
        let text = token.text().and_then(|text| text.as_plain());
        text.and_then(|text| text.parse().ok()).ok_or(DecodeError::Field("b"))
    }
}
