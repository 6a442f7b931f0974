//! What has to be on disk before its consequences may leave the broker.

use std::collections::VecDeque;

use mqtt_lab_wire::Qos;
use serde::{Deserialize, Serialize};

use super::filters::Subscription;
use super::message::Message;
use super::outbox::{Delivery, Entry};
use super::wire::Will;

/// Where a change is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// Session → client id, expiry and last will.
    Sessions,
    /// Session, filter → subscription.
    Subscriptions,
    /// Session, place → message.
    Queues,
    /// Session → the last place that was sent.
    Sent,
    /// Session, packet id → nothing: a QoS 2 message that came and is not released.
    Received,
    /// Topic → retained message.
    Retained,
}

/// One change; without a value the key is removed.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) space: Space,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// Changes in the order in which they happened, numbered from 1.
///
/// One that is not switched on stays empty. It is bounded by its writers: a connection reads no more
/// while what it caused is not on disk.
#[derive(Debug, Default)]
pub(super) struct Journal {
    on: bool,
    changes: Vec<Change>,
    written: u64,
}

impl Journal {
    pub(super) fn switch_on(&mut self) {
        self.on = true;
    }

    /// The number of the last change.
    pub(super) fn last(&self) -> u64 {
        self.written + self.changes.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Takes all changes, and the number of the last one.
    pub(super) fn take(&mut self) -> (Vec<Change>, u64) {
        self.written = self.last();
        (std::mem::take(&mut self.changes), self.written)
    }

    /// Where changes of one session go; nowhere if it ends with its connection.
    pub(super) fn record(&mut self, session: u64, lasting: bool) -> Record<'_> {
        let on = self.on && lasting;
        Record { journal: on.then_some(self), session }
    }

    /// A retained message; `None` clears the topic.
    pub(super) fn retain(&mut self, topic: &str, message: Option<&Message>) {
        if self.on {
            let value = message.map(encode);
            self.changes.push(Change { space: Space::Retained, key: topic.as_bytes().to_vec(), value });
        }
    }
}

/// The changes of one session.
#[derive(Debug)]
pub(super) struct Record<'a> {
    journal: Option<&'a mut Journal>,
    session: u64,
}

impl Record<'_> {
    fn put(&mut self, space: Space, key: &[u8], value: impl FnOnce() -> Vec<u8>) {
        if let Some(journal) = &mut self.journal {
            let key = [&self.session.to_be_bytes(), key].concat();
            journal.changes.push(Change { space, key, value: Some(value()) });
        }
    }

    fn remove(&mut self, space: Space, key: &[u8]) {
        if let Some(journal) = &mut self.journal {
            let key = [&self.session.to_be_bytes(), key].concat();
            journal.changes.push(Change { space, key, value: None });
        }
    }

    pub(super) fn session(&mut self, client_id: &str, expiry_s: u32, will: Option<&Will>) {
        self.put(Space::Sessions, &[], || encode(&(client_id, expiry_s, will)));
    }

    pub(super) fn end_session(&mut self) {
        self.remove(Space::Sessions, &[]);
        self.remove(Space::Sent, &[]);
    }

    pub(super) fn subscribe(&mut self, filter: &str, subscription: Subscription) {
        self.put(Space::Subscriptions, filter.as_bytes(), || encode(&subscription));
    }

    pub(super) fn unsubscribe(&mut self, filter: &str) {
        self.remove(Space::Subscriptions, filter.as_bytes());
    }

    pub(super) fn queue(&mut self, place: u64, delivery: &Delivery) {
        self.put(Space::Queues, &place.to_be_bytes(), || {
            let Delivery { message, qos, retain, identifiers, ticket: _ } = delivery;
            encode(&Some((qos, retain, identifiers, &**message)))
        });
    }

    /// QoS 2: the message was taken; only PUBCOMP is missing.
    pub(super) fn release(&mut self, place: u64) {
        self.put(Space::Queues, &place.to_be_bytes(), || encode(&None::<Queued>));
    }

    pub(super) fn unqueue(&mut self, place: u64) {
        self.remove(Space::Queues, &place.to_be_bytes());
    }

    pub(super) fn sent(&mut self, place: u64) {
        self.put(Space::Sent, &[], || place.to_be_bytes().to_vec());
    }

    pub(super) fn received(&mut self, id: u16) {
        self.put(Space::Received, &id.to_be_bytes(), Vec::new);
    }

    pub(super) fn released(&mut self, id: u16) {
        self.remove(Space::Received, &id.to_be_bytes());
    }
}

/// A message in a queue on disk.
type Queued = (Qos, bool, Box<[u32]>, Message);

/// Reads what [`Record::queue`] and [`Record::release`] wrote.
pub(super) fn read_queued(value: &[u8], sent: bool) -> Result<Entry, postcard::Error> {
    let queued: Option<Queued> = postcard::from_bytes(value)?;
    Ok(queued.map_or(Entry::Released, |(qos, retain, identifiers, message)| Entry::Message {
        delivery: Delivery { message: message.into(), qos, retain, identifiers, ticket: None },
        sent,
    }))
}

/// What is found on disk.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) sessions: Vec<FoundSession>,
    pub(super) retained: Vec<Message>,
}

/// A session on disk.
#[derive(Debug)]
pub(super) struct FoundSession {
    pub(super) number: u64,
    pub(super) client_id: String,
    pub(super) expiry_s: u32,
    pub(super) will: Option<Will>,
    pub(super) subscriptions: Vec<(String, Subscription)>,
    pub(super) queue: VecDeque<(u64, Entry)>,
    pub(super) sent: u64,
    pub(super) received: Vec<u16>,
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Plain data in memory: there is nothing that could fail.
    postcard::to_allocvec(value).unwrap_or_default()
}

/// Reads a value of the journal.
pub(super) fn decode<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, postcard::Error> {
    postcard::from_bytes(value)
}
