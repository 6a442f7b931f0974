//! What a client sends after CONNECT.

use mqtt_lab_wire::Qos;
use rumqttc::mqttbytes::{self, v4};
use rumqttc::v5::mqttbytes::v5;

use super::super::filters::{RetainedOn, Subscription};
use super::super::message::{Extras, Message};
use super::{Wrong, detach};
use crate::frame::Frame;
use crate::link::Version;
use crate::reason;
use crate::text::topic_name;

/// A packet of a client.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Packet {
    Publish {
        id: u16,
        message: Message,
    },
    Puback {
        id: u16,
    },
    /// `failed`: the client will not have the message.
    Pubrec {
        id: u16,
        failed: bool,
    },
    Pubrel {
        id: u16,
    },
    Pubcomp {
        id: u16,
    },
    Subscribe {
        id: u16,
        filters: Vec<(String, Subscription)>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    PingReq,
    /// `with_will`: the will shall be published all the same.
    Disconnect {
        with_will: bool,
        expiry_s: Option<u32>,
    },
}

/// Reads a packet of a client that is connected.
pub(in super::super) fn read(version: Version, frame: &Frame) -> Result<Packet, Wrong> {
    match (frame.kind(), version) {
        (3, Version::V311) => read_publish_311(frame),
        (3, Version::V5) => read_publish_5(frame),
        (4, _) => read_id(frame).map(|(id, _)| Packet::Puback { id }),
        (5, _) => read_id(frame).map(|(id, code)| Packet::Pubrec { id, failed: code >= reason::FAILURE }),
        (6, _) => read_id(frame).map(|(id, _)| Packet::Pubrel { id }),
        (7, _) => read_id(frame).map(|(id, _)| Packet::Pubcomp { id }),
        (8, Version::V311) => read_subscribe_311(frame),
        (8, Version::V5) => read_subscribe_5(frame),
        (10, _) => read_unsubscribe(version, frame),
        (12, _) => Ok(Packet::PingReq),
        (14, _) => read_disconnect(version, frame),
        (1, _) => Err(Wrong::new(reason::PROTOCOL_ERROR, "a second CONNECT")),
        (kind, _) => Err(Wrong::new(reason::PROTOCOL_ERROR, format!("packet type {kind}"))),
    }
}

/// Packet id, and reason code, which may be left out for success. Properties are not read.
fn read_id(frame: &Frame) -> Result<(u16, u8), Wrong> {
    match frame.content() {
        [high, low, rest @ ..] => Ok((u16::from_be_bytes([*high, *low]), rest.first().copied().unwrap_or(0))),
        _ => Err(frame.malformed("too short").into()),
    }
}

pub(super) fn header_311(frame: &Frame) -> mqttbytes::FixedHeader {
    mqttbytes::FixedHeader::new(frame.head, frame.digits(), frame.content().len())
}

pub(super) fn header_5(frame: &Frame) -> v5::FixedHeader {
    v5::FixedHeader::new(frame.head, frame.digits(), frame.content().len())
}

pub(super) fn level(level: u8) -> Qos {
    Qos::from_level(level).unwrap_or_default()
}

fn read_publish_311(frame: &Frame) -> Result<Packet, Wrong> {
    let packet = v4::Publish::read(header_311(frame), frame.bytes.clone());
    let packet = packet.map_err(|error| frame.malformed(error))?;
    let message = Message {
        topic: packet.topic.into(),
        payload: detach(packet.payload),
        qos: level(packet.qos as u8),
        retain: packet.retain,
        expires_ms: None,
        extras: None,
    };
    checked(packet.pkid, message)
}

fn read_publish_5(frame: &Frame) -> Result<Packet, Wrong> {
    let packet = v5::Publish::read(header_5(frame), frame.bytes.clone());
    let packet = packet.map_err(|error| frame.malformed(error))?;
    let topic = String::from_utf8(packet.topic.to_vec()).map_err(|error| frame.malformed(error))?;
    let own = packet.properties.unwrap_or_default();
    if own.topic_alias.is_some() {
        return Err(Wrong::new(reason::TOPIC_ALIAS, "a topic alias, though none was offered"));
    }
    if !own.subscription_identifiers.is_empty() {
        return Err(Wrong::new(reason::PROTOCOL_ERROR, "a subscription identifier from a client"));
    }
    let life_s = own.message_expiry_interval;
    let extras = Extras {
        payload_format: own.payload_format_indicator,
        response_topic: own.response_topic,
        correlation_data: own.correlation_data.map(detach),
        content_type: own.content_type,
        user_properties: own.user_properties,
    };
    let mut message = Message {
        topic: topic.into(),
        payload: detach(packet.payload),
        qos: level(packet.qos as u8),
        retain: packet.retain,
        expires_ms: None,
        extras: extras.boxed(),
    };
    message.live(life_s);
    checked(packet.pkid, message)
}

fn checked(id: u16, message: Message) -> Result<Packet, Wrong> {
    let response = message.extras.as_ref().and_then(|extras| extras.response_topic.as_deref());
    for topic in [Some(&*message.topic), response].into_iter().flatten() {
        topic_name(topic).map_err(|problem| {
            let topic: String = topic.chars().take(64).collect();
            Wrong::new(reason::TOPIC_NAME, format!("topic `{topic}` {problem}"))
        })?;
    }
    Ok(Packet::Publish { id, message })
}

fn read_subscribe_311(frame: &Frame) -> Result<Packet, Wrong> {
    let packet = v4::Subscribe::read(header_311(frame), frame.bytes.clone());
    let packet = packet.map_err(|error| frame.malformed(error))?;
    let filters = packet.filters.into_iter().map(|filter| {
        let subscription = Subscription { qos: level(filter.qos as u8), ..Subscription::default() };
        (filter.path, subscription)
    });
    subscribe(packet.pkid, filters.collect())
}

fn read_subscribe_5(frame: &Frame) -> Result<Packet, Wrong> {
    let packet = v5::Subscribe::read(header_5(frame), frame.bytes.clone());
    let packet = packet.map_err(|error| frame.malformed(error))?;
    let identifier = packet.properties.and_then(|properties| properties.id);
    if identifier == Some(0) {
        return Err(Wrong::new(reason::PROTOCOL_ERROR, "a subscription identifier of 0"));
    }
    let identifier = identifier.and_then(|id| u32::try_from(id).ok());
    let filters = packet.filters.into_iter().map(|filter| {
        let retained = match filter.retain_forward_rule {
            v5::RetainForwardRule::OnEverySubscribe => RetainedOn::EverySubscribe,
            v5::RetainForwardRule::OnNewSubscribe => RetainedOn::NewSubscription,
            v5::RetainForwardRule::Never => RetainedOn::Never,
        };
        let subscription = Subscription {
            qos: level(filter.qos as u8),
            no_local: filter.nolocal,
            retain_as_published: filter.preserve_retain,
            retained,
            identifier,
        };
        (filter.path, subscription)
    });
    subscribe(packet.pkid, filters.collect())
}

fn subscribe(id: u16, filters: Vec<(String, Subscription)>) -> Result<Packet, Wrong> {
    if id == 0 || filters.is_empty() {
        return Err(Wrong::new(reason::PROTOCOL_ERROR, "SUBSCRIBE without packet id or filter"));
    }
    Ok(Packet::Subscribe { id, filters })
}

fn read_unsubscribe(version: Version, frame: &Frame) -> Result<Packet, Wrong> {
    let (id, filters) = match version {
        Version::V311 => v4::Unsubscribe::read(header_311(frame), frame.bytes.clone())
            .map(|packet| (packet.pkid, packet.topics))
            .map_err(|error| frame.malformed(error))?,
        Version::V5 => v5::Unsubscribe::read(header_5(frame), frame.bytes.clone())
            .map(|packet| (packet.pkid, packet.filters))
            .map_err(|error| frame.malformed(error))?,
    };
    if id == 0 || filters.is_empty() {
        return Err(Wrong::new(reason::PROTOCOL_ERROR, "UNSUBSCRIBE without packet id or filter"));
    }
    Ok(Packet::Unsubscribe { id, filters })
}

/// DISCONNECT with will (MQTT 5.0 section 3.14.2.1).
const WITH_WILL: u8 = 4;

fn read_disconnect(version: Version, frame: &Frame) -> Result<Packet, Wrong> {
    let code = frame.content().first().copied().unwrap_or(0);
    // rumqttc takes a DISCONNECT without properties for an incomplete one.
    let expiry_s = if version == Version::V5 && frame.content().len() > 1 {
        let packet = v5::Disconnect::read(header_5(frame), frame.bytes.clone());
        let packet = packet.map_err(|error| frame.malformed(error))?;
        packet.properties.and_then(|properties| properties.session_expiry_interval)
    } else {
        None
    };
    // Every reason but 0 leaves the will in place (MQTT-3.14.4-3).
    Ok(Packet::Disconnect { with_will: code == WITH_WILL || code >= reason::FAILURE, expiry_s })
}
