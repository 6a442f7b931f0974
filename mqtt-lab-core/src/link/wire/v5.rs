//! MQTT 5.0.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::{QoS, v5};
use tokio::time::Instant;

use super::super::seconds;
use super::super::{Properties, Publish, Qos, Subscription, Will};
use super::{Connack, Header, Hello, Message, Packet, detach};
use crate::frame::{Frame, Malformed};

fn level(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

pub(super) fn connect(hello: Hello<'_>, out: &mut BytesMut) -> Result<(), String> {
    let config = hello.config;
    let mut properties = v5::ConnectProperties::new();
    properties.session_expiry_interval = Some(seconds::session_expiry(config));
    properties.max_packet_size = Some(config.max_packet_size);
    // What is not acknowledged fits into the queue of events: reading need never stop for QoS 1 and 2.
    properties.receive_maximum = Some(u16::try_from(config.incoming_capacity).unwrap_or(u16::MAX));
    let packet = v5::Connect {
        keep_alive: seconds::keep_alive(config),
        client_id: config.client_id.clone(),
        clean_start: hello.clean,
        properties: Some(properties),
    };
    let login = config.credentials.as_ref().map(|login| v5::Login::new(&login.user, &login.password));
    packet.write(&hello.will.map(last_will), &login, out).map(drop).map_err(|error| error.to_string())
}

fn last_will(will: Will) -> v5::LastWill {
    let delay = seconds::whole(will.delay);
    let properties = (delay > 0).then(|| v5::LastWillProperties {
        delay_interval: Some(delay),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    });
    v5::LastWill {
        topic: Bytes::from(will.topic),
        message: will.payload,
        qos: level(will.qos),
        retain: will.retain,
        properties,
    }
}

pub(super) fn publish(message: &Message, header: Header, limit: u32, out: &mut BytesMut) -> bool {
    let packet = v5::Publish {
        dup: header.dup,
        qos: level(header.qos),
        retain: header.retain,
        topic: message.topic.clone(),
        // Before size(), which leaves two bytes out while it is 0.
        pkid: header.id,
        payload: message.payload.clone(),
        properties: message.properties.as_deref().map(|own| write_properties(own, message.expires)),
    };
    u32::try_from(packet.size()).is_ok_and(|size| size <= limit) && packet.write(out).is_ok()
}

/// `expires`: what is left of the message expiry travels.
fn write_properties(own: &Properties, expires: Option<Instant>) -> v5::PublishProperties {
    let left = expires.map(|expires| seconds::whole(expires.saturating_duration_since(Instant::now())));
    v5::PublishProperties {
        message_expiry_interval: left.map(|seconds| seconds.max(1)),
        response_topic: own.response_topic.clone(),
        correlation_data: own.correlation_data.clone(),
        user_properties: own.user_properties.clone(),
        content_type: own.content_type.clone(),
        ..v5::PublishProperties::default()
    }
}

pub(super) fn subscribe(id: u16, subscriptions: &[Subscription], out: &mut BytesMut) -> Result<(), String> {
    let filter = |subscription: &Subscription| v5::Filter {
        nolocal: subscription.no_local,
        preserve_retain: subscription.retain_as_published,
        ..v5::Filter::new(subscription.filter.clone(), level(subscription.qos))
    };
    let mut packet = v5::Subscribe::new_many(subscriptions.iter().map(filter), None);
    packet.pkid = id;
    packet.write(out).map(drop).map_err(|error| error.to_string())
}

pub(super) fn read_publish(frame: &Frame) -> Result<Packet, Malformed> {
    let packet = v5::Publish::read(header(frame), frame.bytes.clone());
    let packet = packet.map_err(|error| frame.malformed(error))?;
    let topic = String::from_utf8(packet.topic.to_vec()).map_err(|error| frame.malformed(error))?;
    if topic.is_empty() {
        return Err(frame.malformed("topic alias, though none was offered"));
    }
    let properties = packet.properties.unwrap_or_default();
    if properties.subscription_identifiers.len() > 1 {
        // rumqttc reads them into the payload; this client gave none out (MQTT-3.3.4-6).
        return Err(frame.malformed("subscription identifiers that were never given"));
    }
    let publish = Publish {
        topic,
        payload: detach(packet.payload),
        qos: Qos::from_level(packet.qos as u8).unwrap_or_default(),
        retain: packet.retain,
        properties: None,
    };
    let publish = publish.properties(read_properties(properties));
    Ok(Packet::Publish { id: packet.pkid, duplicate: packet.dup, publish })
}

fn read_properties(theirs: v5::PublishProperties) -> Properties {
    Properties {
        message_expiry: theirs.message_expiry_interval.map(|s| Duration::from_secs(s.into())),
        response_topic: theirs.response_topic,
        correlation_data: theirs.correlation_data.map(detach),
        content_type: theirs.content_type,
        user_properties: theirs.user_properties,
    }
}

pub(super) fn read_connack(frame: &Frame, session_present: bool) -> Result<Connack, Malformed> {
    let packet = v5::ConnAck::read(header(frame), frame.bytes.clone());
    let packet = packet.map_err(|error| frame.malformed(error))?;
    let defaults = Connack::new(0, session_present);
    let Some(theirs) = packet.properties else { return Ok(defaults) };
    Ok(Connack {
        receive_max: theirs.receive_max.unwrap_or(defaults.receive_max),
        max_packet_size: theirs.max_packet_size.unwrap_or(defaults.max_packet_size),
        max_qos: theirs.max_qos.and_then(Qos::from_level).unwrap_or(defaults.max_qos),
        retain_available: theirs.retain_available != Some(0),
        keep_alive_s: theirs.server_keep_alive,
        ..defaults
    })
}

fn header(frame: &Frame) -> v5::FixedHeader {
    v5::FixedHeader::new(frame.head, frame.digits(), frame.content().len())
}
