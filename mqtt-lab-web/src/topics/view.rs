//! Topics and messages as the API shows them.

use std::fmt::Write as _;
use std::sync::Arc;

use mqtt_lab_core::link::{Qos, Version};
use serde::Serialize;

use super::packet::PacketBytes;
use super::slot::{Kept, Slot};
use crate::clock::Millis;
use crate::config::PublishLog;

/// Longest preview, in characters.
const PREVIEW_CHARS: usize = 80;

/// A part of the topics.
#[derive(Debug, Serialize)]
pub(crate) struct TopicList {
    pub(crate) topics: Vec<TopicRow>,
    /// Topics with this prefix, whether or not they changed.
    pub(crate) total: usize,
    /// Topics that belong here, beyond the limit.
    pub(crate) left_out: usize,
    /// `since` of the next call.
    pub(crate) next: u64,
    /// Messages so far on topics that are not kept: there are too many, or their name is too long.
    pub(crate) unkept: u64,
}

/// A topic in a list.
#[derive(Debug, Serialize)]
pub(crate) struct TopicRow {
    topic: Arc<str>,
    /// The beginning of the payload; `None`: it is not text.
    preview: Option<String>,
    /// Length of the payload.
    bytes: usize,
    qos: Option<Qos>,
    retained: Option<bool>,
    /// The broker is known to keep an older message than this one.
    keeps_older: bool,
    time_ms: Millis,
    count: u64,
    #[serde(skip)]
    was_kept: bool,
}

impl TopicRow {
    pub(super) fn new(topic: Arc<str>, slot: &Slot) -> Self {
        Self {
            topic,
            preview: slot.text().map(|text| text.chars().take(PREVIEW_CHARS).collect()),
            bytes: slot.length,
            qos: None,
            retained: None,
            keeps_older: slot.kept.is_some(),
            time_ms: Millis(slot.arrived_us),
            count: slot.count,
            was_kept: slot.was_kept,
        }
    }

    /// Asks how it was published.
    pub(super) fn ask(&mut self, log: Option<&PublishLog>) {
        (self.qos, self.retained) = published(log, &self.topic, self.was_kept, self.bytes);
    }
}

/// How the last message on a topic was published, as far as one can know: its QoS, and whether the
/// broker keeps it for new subscribers. An empty message is never kept (MQTT-3.3.1-6).
fn published(
    log: Option<&PublishLog>,
    topic: &str,
    was_kept: bool,
    length: usize,
) -> (Option<Qos>, Option<bool>) {
    let seen = log.and_then(|log| log(topic));
    let retain = retained(log, topic, was_kept);
    (seen.map(|seen| seen.qos), if length == 0 { Some(false) } else { retain })
}

/// Whether the last message on a topic was published retained; `was_kept`: it came with the flag.
pub(super) fn retained(log: Option<&PublishLog>, topic: &str, was_kept: bool) -> Option<bool> {
    // Without a log, that it came without the flag says nothing: a live message never has it.
    if was_kept { Some(true) } else { log.and_then(|log| log(topic)).map(|seen| seen.retain) }
}

/// The last message on a topic.
#[derive(Debug, Serialize)]
pub(crate) struct TopicMessage {
    topic: String,
    /// The payload, if it is UTF-8.
    text: Option<String>,
    /// Else its bytes, two digits each.
    hex: Option<String>,
    /// Only the beginning of the payload is kept.
    truncated: bool,
    qos: Option<Qos>,
    /// QoS at which the broker delivered it to the lab.
    delivered_qos: Qos,
    retained: Option<bool>,
    /// What the broker is known to keep instead, because this one was not published retained.
    kept: Option<KeptMessage>,
    time_ms: Millis,
    count: u64,
    packet: Packet,
}

/// An older message that the broker keeps for new subscribers.
#[derive(Debug, Serialize)]
pub(crate) struct KeptMessage {
    text: Option<String>,
    hex: Option<String>,
    truncated: bool,
    /// Length of the payload.
    bytes: usize,
    time_ms: Millis,
}

impl From<&Kept> for KeptMessage {
    fn from(kept: &Kept) -> Self {
        let text = kept.text().map(str::to_owned);
        Self {
            hex: text.is_none().then(|| hex(&kept.payload)),
            text,
            truncated: kept.is_cut(),
            bytes: kept.length,
            time_ms: Millis(kept.arrived_us),
        }
    }
}

/// The PUBLISH packet as a publisher of this version sends it at this QoS.
#[derive(Debug, Serialize)]
pub(crate) struct Packet {
    /// The protocol level of CONNECT: 4 is 3.1.1, 5 is 5.0.
    version: u8,
    qos: Qos,
    #[serde(flatten)]
    bytes: PacketBytes,
}

impl TopicMessage {
    pub(super) fn new(topic: &str, slot: &Slot, version: Version, log: Option<&PublishLog>) -> Self {
        let (qos, retained) = published(log, topic, slot.was_kept, slot.length);
        let sent = qos.unwrap_or(slot.qos);
        let bytes = PacketBytes::new(topic.len(), slot.length, slot.properties, sent, version);
        let text = slot.text().map(str::to_owned);
        Self {
            topic: topic.to_owned(),
            hex: text.is_none().then(|| hex(&slot.payload)),
            text,
            truncated: slot.is_cut(),
            qos,
            delivered_qos: slot.qos,
            retained,
            kept: slot.kept.as_deref().map(KeptMessage::from),
            time_ms: Millis(slot.arrived_us),
            count: slot.count,
            packet: Packet::new(bytes, sent, version),
        }
    }
}

impl Packet {
    pub(crate) fn new(bytes: PacketBytes, qos: Qos, version: Version) -> Self {
        let version = match version {
            Version::V311 => 4,
            Version::V5 => 5,
        };
        Self { version, qos, bytes }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
