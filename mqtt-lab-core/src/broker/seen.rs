//! How topics were last published.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mqtt_lab_wire::Qos;

/// Topics whose last publish is remembered at most.
const MOST: usize = 50_000;

/// How topics were last published. Remembers up to 50,000 topics; those above stay unknown.
#[derive(Debug, Default)]
pub struct SeenTopics {
    topics: Mutex<HashMap<Box<str>, (Qos, bool)>>,
}

impl SeenTopics {
    /// The publisher's QoS and retain flag of the last message on `topic`.
    #[must_use]
    pub fn last(&self, topic: &str) -> Option<(Qos, bool)> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied()
    }

    pub(super) fn note(&self, topic: &str, qos: Qos, retain: bool) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = topics.get_mut(topic) {
            *seen = (qos, retain);
        } else if topics.len() < MOST {
            topics.insert(topic.into(), (qos, retain));
        }
    }
}
