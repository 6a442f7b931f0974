//! The last message of one topic, in memory that is used again.

use mqtt_lab_core::link::{Incoming, Qos};

use super::packet::properties_bytes;

/// Longest part of a payload kept, in bytes.
pub(super) const MAX_PAYLOAD_BYTES: usize = 4_096;

/// The last message of one topic.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// The first 4 KiB at most.
    pub(super) payload: Vec<u8>,
    /// Length of the whole payload.
    pub(super) length: usize,
    /// Length of its MQTT 5 properties, without the length field before them.
    pub(super) properties: usize,
    /// How the broker delivered it.
    pub(super) qos: Qos,
    /// It came with the retain flag: the broker kept it and sent it because we subscribed.
    pub(super) was_kept: bool,
    /// Number of the message among all.
    pub(super) number: u64,
    pub(super) arrived_us: i64,
    /// Messages on this topic so far.
    pub(super) count: u64,
}

impl Slot {
    pub(super) fn hear(&mut self, message: &Incoming, number: u64, now_us: i64) {
        let kept = message.payload.get(..MAX_PAYLOAD_BYTES).unwrap_or(&message.payload);
        self.payload.clear();
        // Exact: to double would let a slot grow to 8 KiB.
        self.payload.reserve_exact(kept.len());
        self.payload.extend_from_slice(kept);
        self.length = message.payload.len();
        self.properties = message.properties.as_deref().map_or(0, properties_bytes);
        (self.qos, self.was_kept) = (message.qos, message.retain);
        (self.number, self.arrived_us) = (number, now_us);
        self.count += 1;
    }

    pub(super) fn is_cut(&self) -> bool {
        self.payload.len() < self.length
    }

    /// What is kept as text, if it is UTF-8. A character that the cut went through is left out.
    pub(super) fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.payload) {
            Ok(text) => Some(text),
            Err(error) if self.is_cut() && error.error_len().is_none() => {
                std::str::from_utf8(self.payload.get(..error.valid_up_to())?).ok()
            }
            Err(_) => None,
        }
    }
}
