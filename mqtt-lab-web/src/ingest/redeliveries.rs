//! Words that the broker sends again because our acknowledgement did not reach it.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use mqtt_lab_core::link::Incoming;

/// Words of a topic that may be under way at the same time; above it the oldest is forgotten.
const MAX_WORDS: usize = 16;

/// Topics with such words; above it all of them are forgotten.
const MAX_TOPICS: usize = 50_000;

/// The last words on `$state` and wills, with their packet ids.
///
/// A sample that comes twice is known by its number, but `lost` and `ready` that come twice would be one
/// more loss, and one more return. After a cut the broker repeats what it has no acknowledgement of
/// under the same packet id, with DUP (MQTT-4.4.0-1).
#[derive(Debug, Default)]
pub(super) struct Redeliveries {
    words: HashMap<String, VecDeque<(u16, Bytes)>>,
}

impl Redeliveries {
    /// The broker has forgotten our session: nothing comes again.
    pub(super) fn clear(&mut self) {
        self.words.clear();
    }

    /// Notes a word; true: it came before.
    pub(super) fn is_known(&mut self, message: &Incoming) -> bool {
        let Some(id) = message.packet_id else { return false };
        if self.words.len() >= MAX_TOPICS {
            self.words.clear();
        }
        let words = self.words.entry(message.topic.clone()).or_default();
        let word = (id, message.payload.clone());
        let known = words.contains(&word);
        if !known {
            words.push_back(word);
            if words.len() > MAX_WORDS {
                words.pop_front();
            }
        }
        known && message.duplicate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(id: u16, payload: &'static str, duplicate: bool) -> Incoming {
        let mut message = Incoming::detached("lab/demo/x/$state", payload);
        (message.packet_id, message.duplicate) = (Some(id), duplicate);
        message
    }

    #[test]
    fn a_word_is_known_by_packet_id_and_text() {
        let mut words = Redeliveries::default();
        assert!(!words.is_known(&word(1, "ready", false)));
        assert!(!words.is_known(&word(2, "lost", true)), "it did not arrive the first time");
        assert!(words.is_known(&word(1, "ready", true)));
        assert!(words.is_known(&word(2, "lost", true)));
        assert!(!words.is_known(&word(1, "ready", false)), "the id was free and is used again");
        assert!(!words.is_known(&word(2, "ready", true)));
        words.clear();
        assert!(!words.is_known(&word(1, "ready", true)));
    }

    #[test]
    fn what_is_remembered_of_a_topic_is_bounded() {
        let mut words = Redeliveries::default();
        (0..1_000).for_each(|id| assert!(!words.is_known(&word(id, "ready", false))));
        assert_eq!(words.words["lab/demo/x/$state"].len(), MAX_WORDS);
    }
}
