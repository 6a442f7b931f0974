//! What the fuzzer in `fuzz/` calls; not part of the library.

use bytes::BytesMut;

use super::inbox::Inbox;
use super::outgoing::{Outgoing, Session};
use super::wire::Packet;
use super::{Qos, Version};
use crate::frame::{self, Sender};

/// A connection of either version with messages under way, whose broker sends these bytes.
pub fn from_a_broker(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let version = if choice & 1 == 0 { Version::V311 } else { Version::V5 };
    let mut outgoing = Outgoing::new(10);
    let session = Session { same: choice & 2 == 0, receive_max: 20, qos2_max: 5, max_qos: Qos::ExactlyOnce };
    outgoing.connected(session, [(Qos::AtLeastOnce, 100)]);
    for number in 0..12_u32 {
        let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][number as usize % 3];
        outgoing.publish(number, qos, number);
    }
    while outgoing.poll().is_some() {}
    let (mut inbox, mut done) = (Inbox::default(), Vec::new());
    inbox.connected(choice & 4 == 0);
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = frame::take(&mut stream, Sender::Broker, 10_000) {
        let Ok(packet) = version.read(&frame) else { return };
        let taken = match packet {
            Packet::Ack { id, ack } => outgoing.ack(id, ack).is_ok(),
            Packet::Publish { id, publish, .. } => inbox.publish(publish.qos, id).is_ok(),
            Packet::Pubrel { id } => {
                inbox.release(id);
                true
            }
            _ => true,
        };
        if !taken {
            return;
        }
        while outgoing.poll().is_some() {}
        while inbox.poll().is_some() {}
        outgoing.take_done(&mut done);
    }
    assert!(done.len() <= 12, "each message ends once");
}
