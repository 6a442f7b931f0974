//! Messages that are not usable: counted always, logged at most once a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::health::Health;

const SPACING: Duration = Duration::from_secs(1);
/// Longest part of a topic that is logged, in characters.
const TOPIC_CHARS: usize = 120;

/// Counts and logs refusals.
#[derive(Debug)]
pub(crate) struct Refusals {
    health: Arc<Health>,
    last: Option<Instant>,
    unsaid: u64,
}

impl Refusals {
    pub(crate) fn new(health: Arc<Health>) -> Self {
        Self { health, last: None, unsaid: 0 }
    }

    pub(crate) fn add(&mut self, topic: &str, reason: &str) {
        self.health.refused.add(1);
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last < SPACING) {
            self.unsaid += 1;
            tracing::debug!(topic = shown(topic), reason, "message refused");
            return;
        }
        self.last = Some(now);
        let unsaid = std::mem::take(&mut self.unsaid);
        tracing::warn!(topic = shown(topic), reason, others = unsaid, "message refused");
    }
}

/// A foreign topic that can do no harm in a log.
fn shown(topic: &str) -> String {
    topic.chars().take(TOPIC_CHARS).flat_map(char::escape_debug).collect()
}
