//! What the broker sends.

use bytes::{BufMut, BytesMut};
use mqtt_lab_wire::Qos;
use rumqttc::v5::mqttbytes::v5;

use super::super::message::Message;
use crate::link::Version;
use crate::reason;

/// With what a message is written for one subscriber.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Header<'a> {
    /// 0 at QoS 0.
    pub(in super::super) id: u16,
    pub(in super::super) dup: bool,
    pub(in super::super) qos: Qos,
    pub(in super::super) retain: bool,
    /// Subscription identifiers.
    pub(in super::super) identifiers: &'a [u32],
}

/// Writes PUBLISH; false and nothing written if it is larger than `limit` (MQTT-3.1.2-24).
pub(in super::super) fn publish(
    version: Version,
    message: &Message,
    header: Header<'_>,
    limit: u32,
    out: &mut BytesMut,
) -> bool {
    let properties = match version {
        Version::V311 => BytesMut::new(),
        Version::V5 => properties(message, header.identifiers),
    };
    let id_length = if header.qos == Qos::AtMostOnce { 0 } else { 2 };
    let remaining = 2 + message.topic.len() + id_length + properties.len() + message.payload.len();
    let (Ok(topic), Ok(size)) =
        (u16::try_from(message.topic.len()), u32::try_from(1 + digits(remaining) + remaining))
    else {
        return false;
    };
    if size > limit {
        return false;
    }
    out.reserve(1 + digits(remaining) + remaining);
    out.put_u8(0x30 | u8::from(header.dup) << 3 | header.qos.level() << 1 | u8::from(header.retain));
    put_length(remaining, out);
    out.put_u16(topic);
    out.put_slice(message.topic.as_bytes());
    if id_length > 0 {
        out.put_u16(header.id);
    }
    out.put_slice(&properties);
    out.put_slice(&message.payload);
    true
}

/// The properties of PUBLISH with their length.
fn properties(message: &Message, identifiers: &[u32]) -> BytesMut {
    let mut out = BytesMut::new();
    if message.extras.is_none() && message.expires_ms.is_none() && identifiers.is_empty() {
        out.put_u8(0);
        return out;
    }
    let extras = message.extras.as_deref().cloned().unwrap_or_default();
    let properties = v5::PublishProperties {
        payload_format_indicator: extras.payload_format,
        message_expiry_interval: message.seconds_left(),
        topic_alias: None,
        response_topic: extras.response_topic,
        correlation_data: extras.correlation_data,
        user_properties: extras.user_properties,
        subscription_identifiers: identifiers.iter().map(|id| *id as usize).collect(),
        content_type: extras.content_type,
    };
    // Fails only above the largest length, which a packet that came in cannot reach.
    if properties.write(&mut out).is_err() {
        out.clear();
        out.put_u8(0);
    }
    out
}

/// Writes CONNACK.
pub(in super::super) fn connack(
    version: Version,
    code: u8,
    session_present: bool,
    max_packet: u32,
    assigned_id: Option<&str>,
    out: &mut BytesMut,
) {
    let present = u8::from(session_present && code == 0);
    if version == Version::V311 {
        out.put_slice(&[0x20, 2, present, reason::to_connack_311(code)]);
        return;
    }
    let mut properties = BytesMut::new();
    if code == 0 {
        properties.put_u8(0x27);
        properties.put_u32(max_packet);
        if let Some(id) = assigned_id {
            properties.put_u8(0x12);
            put_string(id, &mut properties);
        }
    }
    out.put_u8(0x20);
    put_length(2 + digits(properties.len()) + properties.len(), out);
    out.put_slice(&[present, code]);
    put_length(properties.len(), out);
    out.put_slice(&properties);
}

/// Writes PUBACK, PUBREC, PUBREL or PUBCOMP, whose first byte is `head`.
pub(in super::super) fn acknowledgement(version: Version, head: u8, id: u16, code: u8, out: &mut BytesMut) {
    if version == Version::V311 || code == 0 {
        out.put_slice(&[head, 2]);
        out.put_u16(id);
    } else {
        out.put_slice(&[head, 3]);
        out.put_u16(id);
        out.put_u8(code);
    }
}

/// Writes SUBACK or UNSUBACK with an answer for each filter. UNSUBACK of 3.1.1 has none.
pub(in super::super) fn answers(version: Version, head: u8, id: u16, codes: &[u8], out: &mut BytesMut) {
    out.put_u8(head);
    match version {
        Version::V311 => {
            put_length(2 + codes.len(), out);
            out.put_u16(id);
        }
        Version::V5 => {
            put_length(3 + codes.len(), out);
            out.put_u16(id);
            out.put_u8(0);
        }
    }
    out.put_slice(codes);
}

/// Writes a packet of two bytes.
pub(in super::super) fn short(head: u8, out: &mut BytesMut) {
    out.put_slice(&[head, 0]);
}

/// Writes DISCONNECT, which a broker of 3.1.1 cannot send.
pub(in super::super) fn disconnect(version: Version, code: u8, out: &mut BytesMut) {
    if version == Version::V5 {
        out.put_slice(&[0xE0, 2, code, 0]);
    }
}

fn put_string(text: &str, out: &mut BytesMut) {
    out.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(text.as_bytes());
}

/// The bytes of a variable byte integer (MQTT 5.0 section 1.5.5).
fn digits(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

fn put_length(mut value: usize, out: &mut BytesMut) {
    loop {
        #[allow(clippy::cast_possible_truncation, reason = "seven bits")]
        let digit = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.put_u8(digit);
            return;
        }
        out.put_u8(digit | 0x80);
    }
}
