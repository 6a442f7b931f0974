//! A message on its way through the broker.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mqtt_lab_wire::Qos;
use serde::{Deserialize, Serialize};

/// What a client published, or left as its will. On disk its fields are never reordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) topic: Box<str>,
    pub(super) payload: Bytes,
    /// The publisher's QoS; a subscriber gets at most this.
    pub(super) qos: Qos,
    pub(super) retain: bool,
    /// When it expires, in milliseconds since the Unix epoch: its life goes on while nothing runs.
    pub(super) expires_ms: Option<u64>,
    pub(super) extras: Option<Box<Extras>>,
}

/// Properties of MQTT 5 that travel unchanged from publisher to subscriber (MQTT-3.3.2-15 to 20).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extras {
    pub(super) payload_format: Option<u8>,
    pub(super) response_topic: Option<String>,
    pub(super) correlation_data: Option<Bytes>,
    pub(super) content_type: Option<String>,
    pub(super) user_properties: Vec<(String, String)>,
}

impl Extras {
    /// Nothing where nothing is said, which is so of most messages.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// What every message costs beside its bytes, roughly.
const OVERHEAD: usize = 128;

impl Message {
    /// Lets its life begin, if it has one.
    pub(super) fn live(&mut self, life_s: Option<u32>) {
        self.expires_ms = life_s.map(|life| now_ms().saturating_add(u64::from(life) * 1000));
    }

    /// The whole seconds left of its life, rounded up: `None` without a limit, 0 when it is over.
    pub(super) fn seconds_left(&self) -> Option<u32> {
        let left = |expires: u64| expires.saturating_sub(now_ms()).div_ceil(1000);
        self.expires_ms.map(|expires| u32::try_from(left(expires)).unwrap_or(u32::MAX))
    }

    pub(super) fn is_expired(&self) -> bool {
        self.seconds_left() == Some(0)
    }

    /// The memory that it takes, in bytes, roughly.
    pub(super) fn size(&self) -> usize {
        self.topic.len() + self.payload.len() + OVERHEAD
    }
}

/// Milliseconds since the Unix epoch as of the first call, and from there on by the monotonic clock: a message lives
/// neither longer nor shorter because the time of day was set.
fn now_ms() -> u64 {
    static START: OnceLock<(Duration, Instant)> = OnceLock::new();
    let now = || (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), Instant::now());
    let (start, since) = START.get_or_init(now);
    u64::try_from((*start + since.elapsed()).as_millis()).unwrap_or(u64::MAX)
}
