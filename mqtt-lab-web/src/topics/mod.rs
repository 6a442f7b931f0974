//! What was heard last on every topic: for the page that shows MQTT itself.

mod packet;
mod slot;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mqtt_lab_core::link::{Incoming, Version};

use crate::clock::now_us;
use crate::config::PublishLog;
pub(crate) use packet::PacketBytes;
use slot::Slot;
use view::TopicRow;
pub(crate) use view::{Packet, TopicList, TopicMessage};

/// Most topics kept. What comes on others is counted, no more.
pub(crate) const MAX_TOPICS: usize = 20_000;
/// Longest topic kept, in bytes: MQTT allows 65,535.
const MAX_TOPIC_BYTES: usize = 1_024;

/// The last message of every topic that the lab hears, refused ones too.
///
/// Memory: at most [`MAX_TOPICS`] slots, each with a topic of at most 1 KiB, 4 KiB of payload, and
/// about 250 bytes around them: 105 MB if a client does its worst (twice that if it hides as many
/// retained messages behind others), about 7 MB for as many topics with
/// samples of 60 bytes. Nothing is taken out before the lab ends.
///
/// Cost for ingest: a look into a hash table and a copy of the payload into the slot's own memory,
/// which grows only when a longer payload comes: some 30 ns for a sample, measured with 1,000 and
/// 20,000 topics. A list that holds nothing new takes 1.5 ms of the lock with 20,000 topics. A clone of the payload's `Bytes` would be no cheaper
/// and would hold the whole buffer that the connection read it into.
pub(crate) struct Topics {
    log: Option<PublishLog>,
    inner: Mutex<Inner>,
}

struct Inner {
    limit: usize,
    slots: Vec<Slot>,
    /// Topic to place in `slots`: for ingest.
    places: HashMap<Arc<str>, usize>,
    /// The same in order: for the API. Written only when a topic is new.
    sorted: BTreeMap<Arc<str>, usize>,
    /// Number of the last message. It begins with the time of the start in µs, so that a number that a
    /// page got from an earlier lab is below all of this one's.
    last: u64,
    unkept: u64,
}

impl Topics {
    /// Remembers topics; `log` is asked how a message was published.
    pub(crate) fn new(log: Option<PublishLog>) -> Self {
        Self::with_limit(log, MAX_TOPICS)
    }

    fn with_limit(log: Option<PublishLog>, limit: usize) -> Self {
        let last = u64::try_from(now_us()).unwrap_or_default();
        let (slots, places, sorted) = (Vec::new(), HashMap::new(), BTreeMap::new());
        Self { log, inner: Mutex::new(Inner { limit, slots, places, sorted, last, unkept: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message that arrived at `now_us` (µs since the Unix epoch).
    pub(crate) fn note(&self, message: &Incoming, now_us: i64) {
        let retained = view::retained(self.log.as_ref(), &message.topic, message.retain);
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        let place = inner.places.get(message.topic.as_str()).copied();
        match place.or_else(|| inner.add(&message.topic)).and_then(|place| inner.slots.get_mut(place)) {
            Some(slot) => slot.hear(message, retained, number, now_us),
            None => inner.unkept += 1,
        }
    }

    /// Topics that begin with `prefix` and were heard after the message with number `since`, in order,
    /// at most `limit`. O(topics with this prefix).
    pub(crate) fn list(&self, prefix: &str, since: u64, limit: usize) -> TopicList {
        let inner = self.lock();
        let (mut topics, mut total, mut changed) = (Vec::new(), 0, 0);
        let range = inner.sorted.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        for (topic, place) in range.take_while(|(topic, _)| topic.starts_with(prefix)) {
            total += 1;
            let Some(slot) = inner.slots.get(*place).filter(|slot| slot.number > since) else { continue };
            changed += 1;
            if topics.len() < limit {
                topics.push(TopicRow::new(Arc::clone(topic), slot));
            }
        }
        let (next, unkept) = (inner.last, inner.unkept);
        drop(inner);
        // Not under the lock: ingest would wait for the broker's.
        topics.iter_mut().for_each(|row| row.ask(self.log.as_ref()));
        TopicList { left_out: changed - topics.len(), topics, total, next, unkept }
    }

    /// The last message on `topic`; its packet as `version` writes it.
    pub(crate) fn message(&self, topic: &str, version: Version) -> Option<TopicMessage> {
        let slot = {
            let inner = self.lock();
            inner.places.get(topic).and_then(|place| inner.slots.get(*place)).cloned()
        };
        slot.map(|slot| TopicMessage::new(topic, &slot, version, self.log.as_ref()))
    }
}

impl Inner {
    /// The place of a new topic; `None`: it is not kept.
    fn add(&mut self, topic: &str) -> Option<usize> {
        let place = self.slots.len();
        if place >= self.limit || topic.len() > MAX_TOPIC_BYTES {
            return None;
        }
        let topic: Arc<str> = topic.into();
        self.slots.push(Slot::default());
        self.places.insert(Arc::clone(&topic), place);
        self.sorted.insert(topic, place);
        Some(place)
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self::new(None)
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").field("kept", &self.lock().slots.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
