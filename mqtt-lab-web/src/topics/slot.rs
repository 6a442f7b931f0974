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
    /// It is known that the broker keeps this very message for new subscribers.
    is_kept: bool,
    /// What the broker keeps when it is known to be an older message: a newer one that was not published
    /// retained does not take its place (MQTT-3.3.1-8).
    pub(super) kept: Option<Box<Kept>>,
}

/// An older message that the broker keeps.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The first 4 KiB at most.
    pub(super) payload: Vec<u8>,
    pub(super) length: usize,
    pub(super) arrived_us: i64,
}

impl Slot {
    /// Takes the place of the message before. `retained`: whether it was published so; `None`: unknown, and
    /// so is then what the broker keeps.
    pub(super) fn hear(&mut self, message: &Incoming, retained: Option<bool>, number: u64, now_us: i64) {
        match retained {
            Some(false) if self.is_kept => self.kept = Some(Box::new(self.as_kept())),
            Some(false) => {}
            Some(true) | None => self.kept = None,
        }
        // An empty one is never kept (MQTT-3.3.1-6).
        self.is_kept = retained == Some(true) && !message.payload.is_empty();
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

    fn as_kept(&mut self) -> Kept {
        let payload = std::mem::take(&mut self.payload);
        Kept { payload, length: self.length, arrived_us: self.arrived_us }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.payload.len() < self.length
    }

    /// What is kept as text, if it is UTF-8.
    pub(super) fn text(&self) -> Option<&str> {
        text(&self.payload, self.is_cut())
    }
}

impl Kept {
    pub(super) fn is_cut(&self) -> bool {
        self.payload.len() < self.length
    }

    pub(super) fn text(&self) -> Option<&str> {
        text(&self.payload, self.is_cut())
    }
}

/// A payload as text, if it is UTF-8. A character that the cut went through is left out.
fn text(payload: &[u8], is_cut: bool) -> Option<&str> {
    match std::str::from_utf8(payload) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(payload.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}
