//! The retained message of every topic (MQTT 5.0 section 3.3.1.3).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::filters::matches;
use super::message::Message;

/// Most topics with a retained message. Further ones are sent on, but not kept; the log says so.
const MOST: usize = 200_000;

/// Retained messages, in the order of their topics: a filter looks only at those that begin like it.
#[derive(Debug, Default)]
pub(super) struct Retained {
    messages: BTreeMap<Box<str>, Arc<Message>>,
    refused: u64,
}

impl Retained {
    /// Keeps a message, or clears its topic if the payload is empty. False: it is not kept.
    pub(super) fn keep(&mut self, message: &Arc<Message>) -> bool {
        if message.payload.is_empty() {
            self.messages.remove(&message.topic);
        } else if let Some(kept) = self.messages.get_mut(&message.topic) {
            *kept = Arc::clone(message);
        } else if self.messages.len() < MOST {
            self.messages.insert(message.topic.clone(), Arc::clone(message));
        } else {
            self.refused += 1;
            if self.refused.is_power_of_two() {
                tracing::warn!(
                    topic = &*message.topic,
                    refused = self.refused,
                    "the broker keeps {MOST} retained messages already: not kept"
                );
            }
            return false;
        }
        true
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Message> {
        self.messages.values().map(|message| &**message)
    }

    /// Those that a filter (without `$share`) matches and that are not expired.
    pub(super) fn matching(&self, filter: &str) -> Vec<Arc<Message>> {
        let literal = filter.find(['+', '#']).map_or(filter, |wildcard| &filter[..wildcard]);
        // `a/#` matches `a` as well.
        let begin = if filter.ends_with('#') { literal.trim_end_matches('/') } else { literal };
        let from = self.messages.range::<str, _>((Bound::Included(begin), Bound::Unbounded));
        from.take_while(|(topic, _)| topic.starts_with(begin))
            .filter(|(topic, message)| matches(filter, topic) && !message.is_expired())
            .map(|(_, message)| Arc::clone(message))
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(topic: &str, payload: &'static str) -> Arc<Message> {
        Arc::new(Message {
            topic: topic.into(),
            payload: payload.into(),
            qos: mqtt_lab_wire::Qos::AtLeastOnce,
            retain: true,
            expires_ms: None,
            extras: None,
        })
    }

    #[test]
    fn an_empty_payload_clears_a_topic_and_an_expired_message_is_none() {
        let mut retained = Retained::default();
        assert!(retained.keep(&message("a", "1")));
        assert_eq!(retained.matching("a").len(), 1);
        assert!(retained.keep(&message("a", "")));
        assert!(retained.matching("#").is_empty());
        let mut old = Message::clone(&message("a", "1"));
        old.expires_ms = Some(1);
        retained.keep(&Arc::new(old));
        assert!(retained.matching("a").is_empty());
    }

    proptest! {
        #[test]
        fn a_filter_finds_what_it_matches(
            topics in prop::collection::btree_set("(\\$|a|ab|)(/(a|ab|b|)){0,3}", 0..12),
            filter in "(\\$|a|ab|\\+|)(/(a|b|\\+|)){0,3}(/#)?",
        ) {
            let mut retained = Retained::default();
            for topic in &topics {
                retained.keep(&message(topic, "x"));
            }
            let found: Vec<_> = retained.matching(&filter).iter().map(|it| it.topic.to_string()).collect();
            let expected: Vec<_> = topics.iter().filter(|topic| matches(&filter, topic)).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
