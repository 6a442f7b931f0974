use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use mqtt_lab_wire::Qos;

use super::*;
use crate::broker::journal::Journal;
use crate::frame::{self, Sender};

const ROOM: usize = 1_000_000;
const BOUNDS: Bounds = Bounds { messages: 5, bytes: 10_000 };

fn to(receive_max: u16) -> Receiver {
    Receiver { version: Version::V311, receive_max, max_packet: 1_000 }
}

fn delivery(text: &str, qos: Qos) -> Delivery {
    let message = Message {
        topic: "t".into(),
        payload: text.to_owned().into(),
        qos,
        retain: false,
        expires_ms: None,
        extras: None,
    };
    Delivery { message: Arc::new(message), qos, retain: false, identifiers: Box::default(), ticket: None }
}

struct Bench {
    outbox: Outbox,
    journal: Journal,
}

impl Bench {
    fn new() -> Self {
        Self { outbox: Outbox::default(), journal: Journal::default() }
    }

    fn push(&mut self, text: &str, qos: Qos) -> bool {
        self.outbox.push(delivery(text, qos), BOUNDS, &mut self.journal.record(1, true))
    }

    fn fill(&mut self, to: Receiver) -> Vec<String> {
        let mut out = BytesMut::new();
        self.outbox.fill(to, ROOM, &mut out, &mut self.journal.record(1, true));
        told(out)
    }

    fn ack(&mut self, what: impl FnOnce(&mut Outbox, &mut Record<'_>)) {
        what(&mut self.outbox, &mut self.journal.record(1, true));
    }
}

/// `q1 #2 text`, with `dup` where it is set, or `pubrel #2`.
fn told(mut out: BytesMut) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(frame) = frame::take(&mut out, Sender::Broker, 10_000).unwrap() {
        let content = frame.content();
        if frame.kind() == 6 {
            told.push(format!("pubrel #{}", u16::from_be_bytes([content[0], content[1]])));
            continue;
        }
        let qos = (frame.head >> 1) & 3;
        let (id, text) = if qos > 0 { content[3..].split_at(2) } else { content[3..].split_at(0) };
        let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
        let dup = if frame.head & 8 == 0 { "" } else { "dup " };
        told.push(format!("{dup}q{qos} #{id} {}", String::from_utf8_lossy(text)));
    }
    told
}

#[test]
fn the_receive_maximum_is_kept_and_acks_open_the_window() {
    let mut bench = Bench::new();
    for text in ["a", "b", "c"] {
        assert!(bench.push(text, Qos::AtLeastOnce));
    }
    assert_eq!(bench.fill(to(2)), ["q1 #1 a", "q1 #2 b"]);
    assert!(bench.fill(to(2)).is_empty());
    bench.ack(|outbox, record| outbox.puback(2, record));
    assert_eq!(bench.fill(to(2)), ["q1 #3 c"]);
    bench.ack(|outbox, record| outbox.puback(7, record));
    assert_eq!(bench.outbox.len(), 2, "an acknowledgement of nothing changes nothing");
}

#[test]
fn what_was_under_way_comes_again_with_its_packet_identifier() {
    let mut bench = Bench::new();
    bench.push("a", Qos::AtLeastOnce);
    bench.push("b", Qos::ExactlyOnce);
    bench.push("c", Qos::AtMostOnce);
    assert_eq!(bench.fill(to(9)), ["q1 #1 a", "q2 #2 b", "q0 #0 c"]);
    bench.ack(|outbox, record| assert!(outbox.pubrec(2, record)));
    bench.push("d", Qos::AtMostOnce);
    bench.push("e", Qos::AtLeastOnce);
    bench.outbox.disconnected();
    assert_eq!(bench.fill(to(9)), ["dup q1 #1 a", "pubrel #2", "q1 #3 e"], "QoS 0 is gone");
    bench.ack(|outbox, record| outbox.pubcomp(2, record));
    bench.ack(|outbox, record| outbox.puback(1, record));
    bench.ack(|outbox, record| outbox.puback(3, record));
    assert_eq!((bench.outbox.len(), bench.outbox.bytes), (0, 0));
}

#[test]
fn an_acknowledgement_of_the_wrong_kind_ends_nothing() {
    let mut bench = Bench::new();
    bench.push("a", Qos::AtLeastOnce);
    bench.push("b", Qos::ExactlyOnce);
    bench.fill(to(9));
    bench.ack(|outbox, record| assert!(!outbox.pubrec(1, record)));
    bench.ack(|outbox, record| outbox.puback(2, record));
    bench.ack(|outbox, record| outbox.pubcomp(2, record));
    assert_eq!(bench.outbox.len(), 2);
    bench.ack(|outbox, record| outbox.refused(2, record));
    assert_eq!(bench.outbox.len(), 1);
}

#[test]
fn above_its_bounds_the_oldest_that_was_not_sent_is_dropped_and_counted() {
    let mut bench = Bench::new();
    for text in ["a", "b"] {
        bench.push(text, Qos::AtLeastOnce);
    }
    assert_eq!(bench.fill(to(2)), ["q1 #1 a", "q1 #2 b"]);
    for text in ["c", "d", "e", "f", "g"] {
        assert!(bench.push(text, Qos::AtLeastOnce), "what is under way takes no room");
    }
    assert!(!bench.push("h", Qos::AtLeastOnce));
    assert!(!bench.push("i", Qos::AtMostOnce), "QoS 0 gives way to what is acknowledged");
    assert_eq!((bench.outbox.dropped(), bench.outbox.len()), (2, 7));
    bench.outbox.disconnected();
    assert!(!bench.push("j", Qos::AtLeastOnce));
    let came = ["dup q1 #1 a", "dup q1 #2 b", "q1 #5 e", "q1 #6 f", "q1 #7 g", "q1 #8 h", "q1 #9 j"];
    assert_eq!(bench.fill(to(9)), came);
    assert!(!bench.push(&"x".repeat(20_000), Qos::AtLeastOnce) || bench.outbox.bytes <= BOUNDS.bytes);
}

#[test]
fn what_a_client_cannot_take_or_is_too_old_counts_as_delivered() {
    let mut bench = Bench::new();
    bench.push(&"x".repeat(2_000), Qos::AtLeastOnce);
    let mut old = delivery("old", Qos::AtLeastOnce);
    Arc::get_mut(&mut old.message).unwrap().expires_ms = Some(1);
    bench.outbox.push(old, BOUNDS, &mut bench.journal.record(1, true));
    bench.push("a", Qos::AtLeastOnce);
    assert_eq!(bench.fill(to(9)), ["q1 #3 a"]);
    assert_eq!(bench.outbox.len(), 1);
}

#[test]
fn packet_identifiers_begin_anew_after_the_last_one() {
    let mut bench = Bench::new();
    bench.outbox = Outbox::restored(65_534, VecDeque::new());
    for text in ["a", "b", "c"] {
        bench.push(text, Qos::AtLeastOnce);
    }
    assert_eq!(bench.fill(to(9)), ["q1 #65535 a", "q1 #1 b", "q1 #2 c"]);
    bench.ack(|outbox, record| outbox.puback(1, record));
    bench.ack(|outbox, record| outbox.puback(65_535, record));
    bench.ack(|outbox, record| outbox.puback(2, record));
    assert_eq!(bench.outbox.len(), 0);
}

#[test]
fn an_identifier_under_way_is_not_given_out_again() {
    let mut bench = Bench::new();
    bench.push("a", Qos::AtLeastOnce);
    bench.fill(to(u16::MAX));
    bench.outbox.next += IDS - 1;
    bench.push("b", Qos::AtLeastOnce);
    assert!(bench.fill(to(u16::MAX)).is_empty(), "it would be #1 as well");
    bench.ack(|outbox, record| outbox.puback(1, record));
    assert_eq!(bench.fill(to(u16::MAX)), ["q1 #1 b"]);
}
