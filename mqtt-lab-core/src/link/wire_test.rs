use super::*;
use crate::frame::{self, Sender};
use crate::link::{Credentials, Version::V5, Version::V311};
use proptest::prelude::*;
use std::time::Duration;

fn connect(version: Version, config: &LinkConfig) -> Vec<u8> {
    let mut out = BytesMut::from(&b"left over"[..]);
    version.connect(Hello { config, clean: true, will: config.will.clone() }, &mut out).unwrap();
    out.to_vec()
}

fn config() -> LinkConfig {
    let mut config = LinkConfig::new("127.0.0.1:1883", "lamp");
    config.keep_alive = Duration::from_secs(10);
    config.session_expiry = Duration::from_secs(0x0102);
    config.max_packet_size = 0x0304;
    config.incoming_capacity = 0x0506;
    config.will = Some(Will { delay: Duration::from_secs(5), ..Will::new("w", "gone") });
    config
}

fn read(version: Version, bytes: &[u8]) -> Result<Packet, Malformed> {
    let frame = frame::take(&mut BytesMut::from(bytes), Sender::Broker, 1_000_000)?;
    version.read(&frame.expect("complete"))
}

#[test]
fn connect_of_3_1_1_carries_the_will_and_no_delay() {
    let expected = b"\x10\x19\0\x04MQTT\x04\x2E\0\x0A\0\x04lamp\0\x01w\0\x04gone";
    assert_eq!(connect(V311, &config()), expected);
}

#[test]
fn connect_of_5_carries_the_will_with_its_delay_and_what_the_queue_holds() {
    let mut expected = b"\x10\x2D\0\x04MQTT\x05\x2E\0\x0A".to_vec();
    expected.extend(b"\x0D\x11\0\0\x01\x02\x21\x05\x06\x27\0\0\x03\x04\0\x04lamp");
    expected.extend(b"\x05\x18\0\0\0\x05\0\x01w\0\x04gone");
    assert_eq!(connect(V5, &config()), expected);
}

#[test]
fn credentials_set_their_flags() {
    let mut config = config();
    config.will = None;
    config.credentials = Some(Credentials::new("u", "p"));
    assert_eq!(connect(V311, &config), b"\x10\x16\0\x04MQTT\x04\xC2\0\x0A\0\x04lamp\0\x01u\0\x01p");
}

#[test]
fn a_publish_is_read_as_it_was_written() {
    let properties = Properties {
        message_expiry: None,
        response_topic: Some("answer".into()),
        correlation_data: Some(Bytes::from_static(b"\0\x01")),
        content_type: Some("text/plain".into()),
        user_properties: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
    };
    for (version, properties) in [(V5, properties), (V311, Properties::default())] {
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
            let sent = Publish::new("lab/x", "21.5").qos(qos).retain(true).properties(properties.clone());
            let id = u16::from(qos.level()) * 300;
            let header = Header { id, dup: id > 0, qos, retain: true };
            let mut out = BytesMut::new();
            assert!(version.publish(&Message::new(sent.clone()), header, 1000, &mut out));
            let expected = Packet::Publish { id, duplicate: id > 0, publish: sent };
            assert_eq!(read(version, &out), Ok(expected));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_expiry_travels() {
    let properties = Properties { message_expiry: Some(Duration::from_secs(10)), ..Properties::default() };
    let message = Message::new(Publish::new("t", "x").properties(properties));
    tokio::time::advance(Duration::from_millis(3_500)).await;
    let mut out = BytesMut::new();
    let header = Header { id: 1, dup: false, qos: Qos::AtLeastOnce, retain: false };
    assert!(!message.is_expired() && V5.publish(&message, header, 100, &mut out));
    let Ok(Packet::Publish { publish, .. }) = read(V5, &out) else { panic!("{out:?}") };
    assert_eq!(publish.properties.unwrap().message_expiry, Some(Duration::from_secs(7)));
    tokio::time::advance(Duration::from_secs(7)).await;
    assert!(message.is_expired());
}

#[test]
fn a_packet_over_the_limit_leaves_no_trace() {
    for (version, size) in [(V311, 12), (V5, 13)] {
        let message = Message::new(Publish::new("t", "12345"));
        let header = Header { id: 1, dup: false, qos: Qos::AtLeastOnce, retain: false };
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(!version.publish(&message, header, size - 1, &mut out));
        assert_eq!(&out[..], b"before");
        assert!(version.publish(&message, header, size, &mut out));
        assert_eq!(out.len() - 6, usize::try_from(size).unwrap());
    }
}

#[test]
fn a_3_1_1_connack_for_a_5_client_is_recognized() {
    let Ok(Packet::Connack(connack)) = read(V5, &[0x20, 2, 0, 1]) else { panic!() };
    assert!(connack.old_form);
    assert_eq!(connack.code, reason::UNSUPPORTED_VERSION);
    let Ok(Packet::Connack(connack)) = read(V5, &[0x20, 2, 0, 0x84]) else { panic!() };
    assert_eq!(connack.code, reason::UNSUPPORTED_VERSION);
    let Ok(Packet::Connack(connack)) = read(V311, &[0x20, 2, 1, 4]) else { panic!() };
    assert_eq!((connack.code, connack.session_present), (reason::BAD_LOGIN, true));
}

#[test]
fn connack_tells_the_brokers_limits() {
    let bytes = [0x20, 18, 1, 0, 15, 0x21, 0, 20, 0x24, 1, 0x25, 0, 0x27, 0, 0, 4, 0, 0x13, 0, 7];
    let Ok(Packet::Connack(connack)) = read(V5, &bytes) else { panic!("{:?}", read(V5, &bytes)) };
    assert_eq!((connack.receive_max, connack.max_packet_size, connack.keep_alive_s), (20, 1024, Some(7)));
    assert_eq!((connack.max_qos, connack.retain_available), (Qos::AtLeastOnce, false));
    assert!(connack.session_present);
}

#[test]
fn short_forms_of_mqtt_5_are_read() {
    assert_eq!(read(V5, &[0xE0, 0]), Ok(Packet::Disconnect { code: 0 }));
    assert_eq!(read(V5, &[0xE0, 1, 0x8E]), Ok(Packet::Disconnect { code: 0x8E }));
    assert_eq!(read(V5, &[0x40, 2, 0, 9]), Ok(Packet::Ack { id: 9, ack: Ack::Puback(0) }));
    assert_eq!(read(V5, &[0x40, 3, 0, 9, 0xEE]), Ok(Packet::Ack { id: 9, ack: Ack::Puback(0xEE) }));
    assert_eq!(read(V5, &[0x50, 4, 0, 9, 0x10, 0]), Ok(Packet::Ack { id: 9, ack: Ack::Pubrec(0x10) }));
    assert_eq!(read(V5, &[0x90, 5, 0, 3, 0, 1, 0x87]), Ok(Packet::Suback { id: 3, codes: vec![1, 0x87] }));
    assert_eq!(read(V311, &[0x90, 4, 0, 3, 2, 0x80]), Ok(Packet::Suback { id: 3, codes: vec![2, 0x80] }));
}

#[test]
fn malformed_packets_are_errors() {
    let bad: [&[u8]; 9] = [
        &[0x20, 1, 0],                         // CONNACK without code
        &[0x20, 3, 0, 0, 9],                   // CONNACK that promises properties
        &[0x30, 3, 0, 9, b't'],                // topic longer than the packet
        &[0x32, 3, 0, 1, b't'],                // QoS 1 without id
        &[0x36, 8, 0, 1, b't', 0, 1, 0, 0, 0], // QoS 3
        &[0x30, 3, 0, 0, 0],                   // empty topic
        &[0x30, 4, 0, 1, 0xFF, 0],             // not UTF-8
        &[0x40, 1, 0],                         // half an id
        &[0xF0, 0],                            // AUTH, never asked for
    ];
    for bytes in bad {
        assert!(read(V5, bytes).is_err(), "{bytes:02X?}");
    }
}

#[test]
fn disconnect_ends_the_session_in_mqtt_5() {
    let written = |version: Version, end| {
        let mut out = BytesMut::new();
        version.disconnect(end, &mut out);
        out.to_vec()
    };
    assert_eq!(written(V5, true), [0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0]);
    assert_eq!(written(V5, false), [0xE0, 0]);
    assert_eq!(written(V311, true), [0xE0, 0]);
}

proptest! {
    #[test]
    fn no_bytes_from_a_broker_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), head in any::<u8>()) {
        let length = u8::try_from(bytes.len() & 0x7F).unwrap();
        let framed = [&[head, length][..], &bytes[..usize::from(length)]].concat();
        for version in [V311, V5] {
            let mut stream = BytesMut::from(&framed[..]);
            while let Ok(Some(frame)) = frame::take(&mut stream, Sender::Broker, 1_000) {
                let _ = version.read(&frame);
            }
        }
    }
}
