use super::Acknowledgement::{Puback, Pubcomp, Pubrec};
use super::*;
use Qos::{AtLeastOnce, AtMostOnce, ExactlyOnce};

fn inbox() -> Inbox {
    let mut inbox = Inbox::default();
    inbox.connected(false);
    inbox
}

#[track_caller]
fn deliver(inbox: &mut Inbox, qos: Qos, id: u16) -> Ticket {
    match inbox.publish(qos, id) {
        Ok(Arrival::Deliver(Some(ticket))) => ticket,
        other => panic!("{other:?}"),
    }
}

fn written(inbox: &mut Inbox) -> Vec<Acknowledgement> {
    std::iter::from_fn(|| inbox.poll()).collect()
}

#[test]
fn nothing_is_acknowledged_before_the_application_did() {
    let mut inbox = inbox();
    let ticket = deliver(&mut inbox, AtLeastOnce, 7);
    assert_eq!(written(&mut inbox), []);
    assert!(inbox.ack(ticket));
    assert_eq!(written(&mut inbox), [Puback(7)]);
    assert!(!inbox.ack(ticket), "a second ack changes nothing");
    assert_eq!(written(&mut inbox), []);
}

#[test]
fn acknowledgements_leave_in_order_of_arrival() {
    let mut inbox = inbox();
    let first = deliver(&mut inbox, AtLeastOnce, 1);
    let second = deliver(&mut inbox, ExactlyOnce, 2);
    let third = deliver(&mut inbox, AtLeastOnce, 3);
    assert!(!inbox.ack(third));
    assert!(!inbox.ack(second));
    assert!(inbox.ack(first));
    assert_eq!(written(&mut inbox), [Puback(1), Pubrec(2), Puback(3)]);
}

#[test]
fn qos_0_needs_no_ticket() {
    assert_eq!(inbox().publish(AtMostOnce, 0), Ok(Arrival::Deliver(None)));
}

#[test]
fn qos_2_is_handed_out_once_per_id_until_released() {
    let mut inbox = inbox();
    let ticket = deliver(&mut inbox, ExactlyOnce, 5);
    assert_eq!(inbox.publish(ExactlyOnce, 5), Ok(Arrival::Duplicate), "in the application's hands");
    inbox.ack(ticket);
    assert_eq!(written(&mut inbox), [Pubrec(5)]);
    assert_eq!(inbox.publish(ExactlyOnce, 5), Ok(Arrival::Duplicate));
    assert_eq!(written(&mut inbox), [Pubrec(5)]);
    inbox.release(5);
    assert_eq!(written(&mut inbox), [Pubcomp { id: 5, known: true }]);
    deliver(&mut inbox, ExactlyOnce, 5);
}

#[test]
fn qos_2_stays_exactly_once_across_a_cut() {
    let mut inbox = inbox();
    let ticket = deliver(&mut inbox, ExactlyOnce, 5);
    inbox.ack(ticket);
    // The connection is cut before PUBREC arrives.
    inbox.connected(true);
    assert_eq!(written(&mut inbox), []);
    assert_eq!(inbox.publish(ExactlyOnce, 5), Ok(Arrival::Duplicate));
    assert_eq!(written(&mut inbox), [Pubrec(5)]);
    // It is cut again before PUBCOMP arrives.
    inbox.release(5);
    inbox.connected(true);
    inbox.release(5);
    assert_eq!(written(&mut inbox), [Pubcomp { id: 5, known: false }]);
}

#[test]
fn at_qos_1_what_was_not_acknowledged_is_handed_out_again() {
    let mut inbox = inbox();
    let stale = deliver(&mut inbox, AtLeastOnce, 5);
    inbox.connected(true);
    let again = deliver(&mut inbox, AtLeastOnce, 5);
    assert!(!inbox.ack(stale), "an earlier connection's ack does nothing");
    assert!(inbox.ack(again));
    assert_eq!(written(&mut inbox), [Puback(5)]);
}

#[test]
fn at_qos_2_what_the_application_holds_does_not_come_again() {
    let mut inbox = inbox();
    let early = deliver(&mut inbox, ExactlyOnce, 5);
    let late = deliver(&mut inbox, ExactlyOnce, 6);
    inbox.connected(true);
    // Acknowledged before the broker repeats it, and after.
    assert!(!inbox.ack(early));
    assert_eq!(inbox.publish(ExactlyOnce, 5), Ok(Arrival::Duplicate));
    assert_eq!(inbox.publish(ExactlyOnce, 6), Ok(Arrival::Duplicate));
    assert_eq!(inbox.publish(ExactlyOnce, 6), Ok(Arrival::Duplicate), "even twice");
    assert_eq!(written(&mut inbox), [Pubrec(5)]);
    assert!(inbox.ack(late));
    assert_eq!(written(&mut inbox), [Pubrec(6)]);
}

#[test]
fn at_qos_2_what_the_application_dropped_comes_again() {
    let mut inbox = inbox();
    let dropped = deliver(&mut inbox, ExactlyOnce, 5);
    inbox.forget(dropped);
    assert_eq!(written(&mut inbox), []);
    inbox.connected(true);
    let again = deliver(&mut inbox, ExactlyOnce, 5);
    assert!(!inbox.ack(dropped));
    assert!(inbox.ack(again));
    inbox.forget(again);
    assert_eq!(inbox.publish(ExactlyOnce, 5), Ok(Arrival::Duplicate), "acknowledged is acknowledged");
}

#[test]
fn a_lost_session_forgets_the_ids() {
    let mut inbox = inbox();
    let ticket = deliver(&mut inbox, ExactlyOnce, 5);
    inbox.ack(ticket);
    let held = deliver(&mut inbox, ExactlyOnce, 6);
    inbox.connected(false);
    deliver(&mut inbox, ExactlyOnce, 5);
    let other = deliver(&mut inbox, ExactlyOnce, 6);
    assert!(!inbox.ack(held), "another message under the same id");
    inbox.forget(held);
    assert!(!inbox.ack(other), "waits for id 5");
}

#[test]
fn a_duplicate_keeps_its_place_in_the_order() {
    let mut inbox = inbox();
    let done = deliver(&mut inbox, ExactlyOnce, 5);
    inbox.ack(done);
    inbox.connected(true);
    let first = deliver(&mut inbox, ExactlyOnce, 4);
    assert_eq!(inbox.publish(ExactlyOnce, 5), Ok(Arrival::Duplicate));
    assert_eq!(written(&mut inbox), []);
    inbox.ack(first);
    assert_eq!(written(&mut inbox), [Pubrec(4), Pubrec(5)]);
}

#[test]
fn a_broker_cannot_make_it_grow_without_end() {
    let mut inbox = inbox();
    for _ in 0..u16::MAX {
        inbox.publish(AtLeastOnce, 1).unwrap();
    }
    assert_eq!(inbox.publish(AtLeastOnce, 1), Err(Overflow));
}
