//! The packets of clients, and those for clients, in both protocol versions.
//!
//! CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT and PUBLISH are read by rumqttc's packet types. What is
//! small, and PUBLISH on its way out, is written here: no copy of topic or payload for each subscriber.

mod connect;
mod read;
mod write;

use bytes::Bytes;

pub(super) use connect::{Connect, Refused, Will};
pub(super) use read::{Packet, read};
pub(super) use write::{Header, acknowledgement, answers, connack, disconnect, publish, short};

use crate::frame::Malformed;
use crate::reason;

/// Why a connection is given up: an MQTT 5 reason code, and what was wrong in words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} ({}, {code:#04x})", reason::text(*.code))]
pub(super) struct Wrong {
    pub(super) code: u8,
    pub(super) problem: String,
}

impl Wrong {
    pub(super) fn new(code: u8, problem: impl Into<String>) -> Self {
        Self { code, problem: problem.into() }
    }
}

impl From<Malformed> for Wrong {
    fn from(error: Malformed) -> Self {
        let code = match error {
            Malformed::TooLarge { .. } => reason::PACKET_TOO_LARGE,
            Malformed::Head(_) => reason::PROTOCOL_ERROR,
            Malformed::Length | Malformed::Content { .. } => reason::MALFORMED,
        };
        Self::new(code, error.to_string())
    }
}

/// Received bytes up to this number are copied, so that keeping them does not keep the read buffer.
const COPIED: usize = 1024;

fn detach(bytes: Bytes) -> Bytes {
    if bytes.len() <= COPIED { Bytes::copy_from_slice(&bytes) } else { bytes }
}
