//! The packets of both protocol versions, on rumqttc's public packet types.
//!
//! rumqttc writes CONNECT, PUBLISH and SUBSCRIBE and reads PUBLISH and the properties of CONNACK.
//! The small packets are read and written here: rumqttc takes an unknown reason code, an empty
//! DISCONNECT and some more that MQTT allows for errors.

mod v311;
mod v5;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use super::inbox::Acknowledgement;
use super::outgoing::Ack;
use super::{LinkConfig, Properties, Publish, Qos, Subscription, Version, Will};
use crate::frame::{Frame, Malformed, variable_int};
use crate::reason;

pub(super) const PINGREQ: [u8; 2] = [0xC0, 0];

/// A message in the spool.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) expires: Option<Instant>,
    properties: Option<Box<Properties>>,
}

impl Message {
    /// The message expiry begins to run now.
    pub(super) fn new(publish: Publish) -> Self {
        let Publish { topic, payload, qos, retain, properties } = publish;
        let expiry = properties.as_ref().and_then(|properties| properties.message_expiry);
        // An expiry beyond the end of the clock is none.
        let expires = expiry.and_then(|expiry| Instant::now().checked_add(expiry));
        Self { topic: Bytes::from(topic), payload, qos, retain, expires, properties }
    }

    /// As it was published, with what is left of its life.
    #[cfg(feature = "disk-spool")]
    pub(super) fn publish(&self) -> Publish {
        let topic = String::from_utf8_lossy(&self.topic).into_owned();
        let mut properties = self.properties.as_deref().cloned().unwrap_or_default();
        let left = |expires: Instant| expires.saturating_duration_since(Instant::now());
        properties.message_expiry = self.expires.map(left);
        Publish::new(topic, self.payload.clone()).qos(self.qos).retain(self.retain).properties(properties)
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Instant::now())
    }
}

/// Flags and id with which a message is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) dup: bool,
    pub(super) qos: Qos,
    pub(super) retain: bool,
}

/// What a CONNECT says.
#[derive(Debug)]
pub(super) struct Hello<'a> {
    pub(super) config: &'a LinkConfig,
    pub(super) clean: bool,
    pub(super) will: Option<Will>,
}

/// What CONNACK says, with the defaults of the protocol for what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connack {
    /// MQTT 5 reason code, 0 for success.
    pub(super) code: u8,
    /// In the form of 3.1.1, though asked in 5.
    pub(super) old_form: bool,
    pub(super) session_present: bool,
    pub(super) receive_max: u16,
    pub(super) max_packet_size: u32,
    pub(super) max_qos: Qos,
    pub(super) retain_available: bool,
    pub(super) keep_alive_s: Option<u16>,
}

impl Connack {
    fn new(code: u8, session_present: bool) -> Self {
        Self {
            code,
            old_form: false,
            session_present,
            receive_max: u16::MAX,
            max_packet_size: u32::MAX,
            max_qos: Qos::ExactlyOnce,
            retain_available: true,
            keep_alive_s: None,
        }
    }
}

/// A packet from the broker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Connack(Connack),
    Publish { id: u16, duplicate: bool, publish: Publish },
    Ack { id: u16, ack: Ack },
    Pubrel { id: u16 },
    Suback { id: u16, codes: Vec<u8> },
    PingResp,
    Disconnect { code: u8 },
}

/// Packet type of PUBLISH, for a look at the first byte.
pub(super) const PUBLISH: u8 = 3;

impl Version {
    /// Writes CONNECT. Clears `out`: rumqttc patches the connect flags at an absolute index.
    pub(super) fn connect(self, hello: Hello<'_>, out: &mut BytesMut) -> Result<(), String> {
        out.clear();
        match self {
            Self::V311 => v311::connect(hello, out),
            Self::V5 => v5::connect(hello, out),
        }
    }

    /// Writes PUBLISH; false and nothing written if it is larger than `limit`.
    pub(super) fn publish(self, message: &Message, header: Header, limit: u32, out: &mut BytesMut) -> bool {
        let before = out.len();
        let written = match self {
            Self::V311 => v311::publish(message, header, limit, out),
            Self::V5 => v5::publish(message, header, limit, out),
        };
        if !written {
            out.truncate(before);
        }
        written
    }

    pub(super) fn subscribe(
        self,
        id: u16,
        subscriptions: &[Subscription],
        out: &mut BytesMut,
    ) -> Result<(), String> {
        match self {
            Self::V311 => v311::subscribe(id, subscriptions, out),
            Self::V5 => v5::subscribe(id, subscriptions, out),
        }
    }

    pub(super) fn pubrel(self, id: u16, known: bool, out: &mut BytesMut) {
        self.short(0x62, id, known, out);
    }

    pub(super) fn acknowledge(self, acknowledgement: Acknowledgement, out: &mut BytesMut) {
        match acknowledgement {
            Acknowledgement::Puback(id) => self.short(0x40, id, true, out),
            Acknowledgement::Pubrec(id) => self.short(0x50, id, true, out),
            Acknowledgement::Pubcomp { id, known } => self.short(0x70, id, known, out),
        }
    }

    /// A packet of an id, in MQTT 5 with "packet identifier not found" unless `known`.
    fn short(self, head: u8, id: u16, known: bool, out: &mut BytesMut) {
        if known || self == Self::V311 {
            out.put_slice(&[head, 2]);
            out.put_u16(id);
        } else {
            out.put_slice(&[head, 3]);
            out.put_u16(id);
            out.put_u8(reason::ID_NOT_FOUND);
        }
    }

    /// Writes a normal DISCONNECT. `end_session`: the broker need not keep the session (MQTT 5).
    pub(super) fn disconnect(self, end_session: bool, out: &mut BytesMut) {
        match (self, end_session) {
            // Reason, length of the properties, Session Expiry Interval 0.
            (Self::V5, true) => out.put_slice(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0]),
            (Self::V5, false) | (Self::V311, _) => out.put_slice(&[0xE0, 0]),
        }
    }

    /// Reads a packet of a broker.
    pub(super) fn read(self, frame: &Frame) -> Result<Packet, Malformed> {
        match (frame.kind(), self) {
            (2, _) => self.read_connack(frame).map(Packet::Connack),
            (PUBLISH, Self::V311) => v311::read_publish(frame),
            (PUBLISH, Self::V5) => v5::read_publish(frame),
            (4, _) => read_id(frame).map(|(id, code)| Packet::Ack { id, ack: Ack::Puback(code) }),
            (5, _) => read_id(frame).map(|(id, code)| Packet::Ack { id, ack: Ack::Pubrec(code) }),
            (6, _) => read_id(frame).map(|(id, _)| Packet::Pubrel { id }),
            (7, _) => read_id(frame).map(|(id, _)| Packet::Ack { id, ack: Ack::Pubcomp }),
            (9, _) => self.read_suback(frame),
            (13, _) => Ok(Packet::PingResp),
            (14, Self::V5) => Ok(Packet::Disconnect { code: frame.content().first().copied().unwrap_or(0) }),
            _ => Err(Malformed::Head(frame.head)),
        }
    }

    fn read_connack(self, frame: &Frame) -> Result<Connack, Malformed> {
        let &[flags, code, ref properties @ ..] = frame.content() else {
            return Err(frame.malformed("too short"));
        };
        let session_present = flags & 1 == 1;
        match self {
            Self::V311 => Ok(Connack::new(reason::from_connack_311(code), session_present)),
            Self::V5 if code >= reason::FAILURE => Ok(Connack::new(code, false)),
            // A broker that knows only 3.1.1 answers in that form, which has no properties.
            Self::V5 if properties.is_empty() => Ok(Connack {
                old_form: true,
                ..Connack::new(reason::from_connack_311(code), session_present)
            }),
            Self::V5 if code != 0 => Err(frame.malformed(format_args!("reason code {code:#04x}"))),
            Self::V5 => v5::read_connack(frame, session_present),
        }
    }

    fn read_suback(self, frame: &Frame) -> Result<Packet, Malformed> {
        let (id, rest) = split_id(frame)?;
        let skip = match self {
            Self::V311 => 0,
            Self::V5 => variable_int(rest)?.map_or(usize::MAX, |(length, digits)| length + digits),
        };
        let codes = rest.get(skip..).ok_or_else(|| frame.malformed("too short"))?.to_vec();
        Ok(Packet::Suback { id, codes })
    }
}

/// The packet id that a packet begins with, and what follows it.
fn split_id(frame: &Frame) -> Result<(u16, &[u8]), Malformed> {
    match frame.content() {
        [high, low, rest @ ..] => Ok((u16::from_be_bytes([*high, *low]), rest)),
        _ => Err(frame.malformed("too short")),
    }
}

/// Packet id and reason code, which may be left out for success. Properties are not read.
fn read_id(frame: &Frame) -> Result<(u16, u8), Malformed> {
    split_id(frame).map(|(id, rest)| (id, rest.first().copied().unwrap_or(0)))
}

/// Received payloads up to this size are copied, so that keeping one does not keep the read buffer.
const COPIED: usize = 1024;

fn detach(payload: Bytes) -> Bytes {
    if payload.len() <= COPIED { Bytes::copy_from_slice(&payload) } else { payload }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
#[path = "wire_test.rs"]
mod tests;
