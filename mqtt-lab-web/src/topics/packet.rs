//! How long a PUBLISH packet is, and of what.

use mqtt_lab_core::link::{Properties, Qos, Version};
use serde::Serialize;

/// The parts of a PUBLISH packet in bytes, as a publisher writes it (MQTT 5.0 and 3.1.1, section 3.3),
/// without topic alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PacketBytes {
    /// Type and flags, and the remaining length in 1 to 4 bytes.
    pub(crate) fixed_header: usize,
    /// The topic with its length in 2 bytes.
    pub(crate) topic: usize,
    /// 2 at QoS 1 and 2, else there is none.
    pub(crate) packet_id: usize,
    /// MQTT 5: the properties with their length; 1 when there are none. 3.1.1: 0.
    pub(crate) properties: usize,
    pub(crate) payload: usize,
    pub(crate) total: usize,
}

impl PacketBytes {
    /// The packet of a message with a topic and a payload of so many bytes; `properties` without the
    /// length before them.
    pub(crate) fn new(topic: usize, payload: usize, properties: usize, qos: Qos, version: Version) -> Self {
        let topic = 2 + topic;
        let packet_id = if qos == Qos::AtMostOnce { 0 } else { 2 };
        let properties = match version {
            Version::V5 => variable_byte_integer(properties) + properties,
            Version::V311 => 0,
        };
        let remaining = topic + packet_id + properties + payload;
        let fixed_header = 1 + variable_byte_integer(remaining);
        Self { fixed_header, topic, packet_id, properties, payload, total: fixed_header + remaining }
    }
}

/// Bytes of a variable byte integer: seven bits in each (MQTT 5.0 section 1.5.5).
const fn variable_byte_integer(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// User properties that the embedded broker adds on the way, and takes out of what a client publishes.
const ADDED_BY_BROKER: [&str; 2] = ["x-mqtt-sender", "x-mqtt-client-id"];

/// Bytes of the properties that the link hands on (MQTT 5.0 section 3.3.2.3): an identifier each; a
/// life has 4 bytes, a string its length in 2. Without those that no publisher sent.
pub(super) fn properties_bytes(properties: &Properties) -> usize {
    let string = |length: usize| 1 + 2 + length;
    let own = properties.user_properties.iter().filter(|(name, _)| !ADDED_BY_BROKER.contains(&name.as_str()));
    let user = own.map(|(name, value)| string(name.len()) + 2 + value.len());
    properties.message_expiry.map_or(0, |_| 1 + 4)
        + properties.response_topic.as_ref().map_or(0, |topic| string(topic.len()))
        + properties.correlation_data.as_ref().map_or(0, |data| string(data.len()))
        + properties.content_type.as_ref().map_or(0, |text| string(text.len()))
        + user.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(packet: PacketBytes, parts: [usize; 6]) {
        let [fixed_header, topic, packet_id, properties, payload, total] = parts;
        assert_eq!(packet, PacketBytes { fixed_header, topic, packet_id, properties, payload, total });
    }

    #[test]
    fn the_parts_of_a_packet_follow_section_3_3() {
        let new = PacketBytes::new;
        check(new(3, 4, 0, Qos::AtMostOnce, Version::V311), [2, 5, 0, 0, 4, 11]);
        check(new(3, 4, 0, Qos::AtLeastOnce, Version::V311), [2, 5, 2, 0, 4, 13]);
        check(new(3, 4, 0, Qos::ExactlyOnce, Version::V5), [2, 5, 2, 1, 4, 14]);
        check(new(3, 4, 130, Qos::AtMostOnce, Version::V5), [3, 5, 0, 132, 4, 144]);
    }

    #[test]
    fn the_remaining_length_takes_one_to_four_bytes() {
        for (payload, fixed_header) in
            [(124, 2), (125, 3), (16_380, 3), (16_381, 4), (2_097_148, 4), (2_097_149, 5)]
        {
            let packet = PacketBytes::new(1, payload, 0, Qos::AtMostOnce, Version::V311);
            assert_eq!(packet.fixed_header, fixed_header, "{payload}");
        }
    }

    #[test]
    fn each_property_has_its_length() {
        let properties = Properties {
            message_expiry: Some(Duration::from_secs(5)),
            response_topic: Some("a/b".to_owned()),
            correlation_data: Some("id".into()),
            content_type: Some("t".to_owned()),
            user_properties: vec![
                ("k".to_owned(), "vv".to_owned()),
                ("x-mqtt-client-id".to_owned(), "lab-demo-lamp".to_owned()),
            ],
        };
        assert_eq!(properties_bytes(&properties), 5 + 6 + 5 + 4 + 8);
        assert_eq!(properties_bytes(&Properties::default()), 0);
    }
}
