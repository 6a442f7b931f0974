//! What a session has yet to get: messages that wait, and those under way.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use mqtt_lab_wire::Qos;

use super::journal::Record;
use super::message::Message;
use super::pace::Ticket;
use super::wire;
use crate::link::Version;

/// A message for one session.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) message: Arc<Message>,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    /// Subscription identifiers.
    pub(super) identifiers: Box<[u32]>,
    /// Slows its sender down until it is dropped.
    #[expect(dead_code, reason = "it only lives as long as the delivery")]
    pub(super) ticket: Option<Arc<Ticket>>,
}

/// How far a message of QoS 1 or 2 came.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// Not acknowledged; `sent`: it was sent once.
    Message { delivery: Delivery, sent: bool },
    /// QoS 2 between PUBREC and PUBCOMP.
    Released,
}

/// How much waits for one session at most, beside what is under way. Above it QoS 0 is dropped, and at QoS 1 and
/// 2 the oldest that was not sent yet: a client that reads no more must not stop the others. What is dropped is
/// counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// To whom is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver {
    pub(super) version: Version,
    pub(super) receive_max: u16,
    pub(super) max_packet: u32,
}

/// The queue of a session.
///
/// Every message of QoS 1 and 2 has a place, counted from 1 for as long as the session lives, and its
/// packet identifier follows from the place. So it is the same on every connection and after a restart
/// of the broker, as MQTT-4.4.0-1 asks, and nothing has to be written when it is sent.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Place 0: QoS 0.
    waiting: VecDeque<(u64, Entry)>,
    /// So many of them, at the front, were sent on an earlier connection.
    again: usize,
    /// In the order of the places.
    under_way: VecDeque<(u64, Entry)>,
    next: u64,
    /// The last place that was sent.
    sent: u64,
    bytes: usize,
    dropped: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::restored(0, VecDeque::new())
    }
}

/// Packet identifiers there are.
const IDS: u64 = 65_535;

fn id_of(place: u64) -> u16 {
    u16::try_from((place - 1) % IDS + 1).unwrap_or(u16::MAX)
}

impl Outbox {
    /// What was kept of a session, whose last place sent was `sent`.
    pub(super) fn restored(sent: u64, waiting: VecDeque<(u64, Entry)>) -> Self {
        let last = waiting.back().map_or(0, |(place, _)| *place);
        let bytes = waiting.iter().map(|(_, entry)| entry.size()).sum();
        let again = waiting.iter().filter(|(_, entry)| !entry.is_fresh()).count();
        let next = last.max(sent) + 1;
        Self { waiting, again, under_way: VecDeque::new(), next, sent, bytes, dropped: 0 }
    }

    /// Messages that wait or are under way.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.under_way.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a message. False: something was dropped for want of room.
    pub(super) fn push(&mut self, delivery: Delivery, bounds: Bounds, record: &mut Record<'_>) -> bool {
        let full = self.waiting.len() - self.again >= bounds.messages
            || (self.bytes + delivery.message.size() > bounds.bytes && self.len() > 0);
        if full && (delivery.qos == Qos::AtMostOnce || !self.drop_oldest(record)) {
            self.dropped += 1;
            return false;
        }
        let place = if delivery.qos == Qos::AtMostOnce { 0 } else { self.next };
        if place > 0 {
            record.queue(place, &delivery);
            self.next += 1;
        }
        self.bytes += delivery.message.size();
        self.waiting.push_back((place, Entry::Message { delivery, sent: false }));
        !full
    }

    /// False: all of it was sent already.
    fn drop_oldest(&mut self, record: &mut Record<'_>) -> bool {
        let Some((place, entry)) = self.waiting.remove(self.again) else { return false };
        self.forget(place, &entry, record);
        self.dropped += 1;
        true
    }

    fn forget(&mut self, place: u64, entry: &Entry, record: &mut Record<'_>) {
        self.bytes = self.bytes.saturating_sub(entry.size());
        if place > 0 {
            record.unqueue(place);
        }
    }

    /// Writes what may be sent now, about `room` bytes of it. True: there is more for when that is gone.
    pub(super) fn fill(
        &mut self,
        to: Receiver,
        room: usize,
        out: &mut BytesMut,
        record: &mut Record<'_>,
    ) -> bool {
        let (end, before) = (out.len() + room, self.sent);
        let mut more = false;
        while let Some(&(place, _)) = self.waiting.front() {
            if place > 0 && !self.window_is_open(place, to.receive_max) {
                break;
            }
            if out.len() >= end {
                more = true;
                break;
            }
            if let Some((_, entry)) = self.waiting.pop_front() {
                self.again = self.again.saturating_sub(1);
                self.send(place, entry, to, out, record);
            }
        }
        if self.sent != before {
            record.sent(self.sent);
        }
        more
    }

    /// The client's receive maximum (MQTT-3.3.4-9), and no two messages with one packet identifier.
    fn window_is_open(&self, place: u64, receive_max: u16) -> bool {
        self.under_way.len() < usize::from(receive_max)
            && self.under_way.front().is_none_or(|(first, _)| place - first < IDS)
    }

    fn send(&mut self, place: u64, entry: Entry, to: Receiver, out: &mut BytesMut, record: &mut Record<'_>) {
        let Entry::Message { delivery, sent } = entry else {
            wire::acknowledgement(to.version, PUBREL, id_of(place), 0, out);
            self.under_way.push_back((place, Entry::Released));
            return;
        };
        let header = wire::Header {
            id: if place > 0 { id_of(place) } else { 0 },
            dup: sent,
            qos: delivery.qos,
            retain: delivery.retain,
            identifiers: &delivery.identifiers,
        };
        // An expired message, or one that is too large for this client, counts as delivered
        // (MQTT-3.3.2-5, MQTT-3.1.2-25).
        let written = !delivery.message.is_expired()
            && wire::publish(to.version, &delivery.message, header, to.max_packet, out);
        let entry = Entry::Message { delivery, sent: true };
        if written && place > 0 {
            self.sent = self.sent.max(place);
            self.under_way.push_back((place, entry));
        } else {
            self.forget(place, &entry, record);
        }
    }

    fn find(&self, id: u16) -> Option<usize> {
        let first = self.under_way.front()?.0;
        let ahead = (u64::from(id) + IDS - u64::from(id_of(first))) % IDS;
        self.under_way.binary_search_by_key(&(first + ahead), |(place, _)| *place).ok()
    }

    fn end(&mut self, at: usize, record: &mut Record<'_>) {
        if let Some((place, entry)) = self.under_way.remove(at) {
            self.forget(place, &entry, record);
        }
    }

    /// A PUBACK. One of a message that nobody knows is ignored.
    pub(super) fn puback(&mut self, id: u16, record: &mut Record<'_>) {
        if let Some(at) = self.find(id)
            && matches!(&self.under_way[at].1, Entry::Message { delivery, .. } if delivery.qos == Qos::AtLeastOnce)
        {
            self.end(at, record);
        }
    }

    /// A PUBREC. True: PUBREL is due with success, false: with "packet identifier not found".
    pub(super) fn pubrec(&mut self, id: u16, record: &mut Record<'_>) -> bool {
        let Some(at) = self.find(id) else { return false };
        let (place, entry) = &mut self.under_way[at];
        if let Entry::Message { delivery, .. } = entry {
            if delivery.qos != Qos::ExactlyOnce {
                return false;
            }
            self.bytes = self.bytes.saturating_sub(delivery.message.size());
            *entry = Entry::Released;
            record.release(*place);
        }
        true
    }

    /// A PUBREC with which the client refuses the message, which ends it (MQTT 5.0 section 4.3.3).
    pub(super) fn refused(&mut self, id: u16, record: &mut Record<'_>) {
        if let Some(at) = self.find(id) {
            self.end(at, record);
        }
    }

    /// A PUBCOMP.
    pub(super) fn pubcomp(&mut self, id: u16, record: &mut Record<'_>) {
        if let Some(at) = self.find(id)
            && matches!(self.under_way[at].1, Entry::Released)
        {
            self.end(at, record);
        }
    }

    /// The connection is gone: what was under way is sent again on the next one, QoS 0 is not.
    pub(super) fn disconnected(&mut self) {
        self.waiting.retain(|(place, _)| *place > 0);
        while let Some(entry) = self.under_way.pop_back() {
            self.waiting.push_front(entry);
            self.again += 1;
        }
        self.bytes = self.waiting.iter().map(|(_, entry)| entry.size()).sum();
    }

    /// All of QoS 1 and 2, in order, for a session that begins to be kept.
    pub(super) fn record_all(&self, record: &mut Record<'_>) {
        for (place, entry) in self.under_way.iter().chain(&self.waiting).filter(|(place, _)| *place > 0) {
            match entry {
                Entry::Message { delivery, .. } => record.queue(*place, delivery),
                Entry::Released => record.release(*place),
            }
        }
        record.sent(self.sent);
    }

    /// The opposite, for a session that ends or begins to end with its connection.
    pub(super) fn unrecord_all(&self, record: &mut Record<'_>) {
        for (place, _) in self.under_way.iter().chain(&self.waiting).filter(|(place, _)| *place > 0) {
            record.unqueue(*place);
        }
    }
}

impl Entry {
    const fn is_fresh(&self) -> bool {
        matches!(self, Self::Message { sent: false, .. })
    }

    fn size(&self) -> usize {
        match self {
            Self::Message { delivery, .. } => delivery.message.size(),
            Self::Released => 0,
        }
    }
}

/// First byte of PUBREL.
const PUBREL: u8 = 0x62;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
#[path = "outbox_test.rs"]
mod tests;
