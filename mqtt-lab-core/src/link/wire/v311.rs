//! MQTT 3.1.1.

use bytes::BytesMut;
use rumqttc::mqttbytes::{FixedHeader, QoS, v4};

use super::super::seconds;
use super::super::{Publish, Qos, Subscription};
use super::{Header, Hello, Message, Packet, detach};
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
    let mut packet = v4::Connect::new(&config.client_id);
    packet.keep_alive = seconds::keep_alive(config);
    packet.clean_session = hello.clean;
    packet.login = config.credentials.as_ref().map(|login| v4::Login::new(&login.user, &login.password));
    packet.last_will = hello.will.map(|will| v4::LastWill {
        topic: will.topic,
        message: will.payload,
        qos: level(will.qos),
        retain: will.retain,
    });
    packet.write(out).map(drop).map_err(|error| error.to_string())
}

pub(super) fn publish(message: &Message, header: Header, limit: u32, out: &mut BytesMut) -> bool {
    let topic = String::from_utf8_lossy(&message.topic).into_owned();
    let mut packet = v4::Publish::from_bytes(topic, level(header.qos), message.payload.clone());
    // The id first: size() leaves two bytes out while it is 0.
    (packet.pkid, packet.dup, packet.retain) = (header.id, header.dup, header.retain);
    u32::try_from(packet.size()).is_ok_and(|size| size <= limit) && packet.write(out).is_ok()
}

pub(super) fn subscribe(id: u16, subscriptions: &[Subscription], out: &mut BytesMut) -> Result<(), String> {
    let filter = |subscription: &Subscription| {
        v4::SubscribeFilter::new(subscription.filter.clone(), level(subscription.qos))
    };
    let mut packet = v4::Subscribe::new_many(subscriptions.iter().map(filter));
    packet.pkid = id;
    packet.write(out).map(drop).map_err(|error| error.to_string())
}

pub(super) fn read_publish(frame: &Frame) -> Result<Packet, Malformed> {
    let header = FixedHeader::new(frame.head, frame.digits(), frame.content().len());
    let packet = v4::Publish::read(header, frame.bytes.clone()).map_err(|error| frame.malformed(error))?;
    let publish = Publish {
        topic: packet.topic,
        payload: detach(packet.payload),
        qos: Qos::from_level(packet.qos as u8).unwrap_or_default(),
        retain: packet.retain,
        properties: None,
    };
    Ok(Packet::Publish { id: packet.pkid, duplicate: packet.dup, publish })
}
