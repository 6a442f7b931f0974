//! What a link sends and receives.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Qos;
use super::shared::Acknowledger;

/// A message to publish: [`Publish::new`], then the options.
///
/// ```
/// use mqtt_lab_core::link::{Publish, Qos};
///
/// let state = Publish::new("lab/demo/lamp/$state", "ready").qos(Qos::AtLeastOnce).retain(true);
/// assert!(state.properties.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Publish {
    /// Topic name: 1 to 65,535 bytes, no wildcard, no NUL (MQTT-3.3.2-2, MQTT-4.7.3-1).
    pub topic: String,
    /// Payload; empty and retained clears the topic (MQTT-3.3.1-6).
    pub payload: Bytes,
    /// Quality of service. A broker with a lower maximum gets that maximum.
    pub qos: Qos,
    /// Whether the broker keeps it as the topic's retained message.
    pub retain: bool,
    /// MQTT 5 properties; a 3.1.1 broker does not get them.
    pub properties: Option<Box<Properties>>,
}

impl Publish {
    /// A message at QoS 1, not retained, without properties.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        let (topic, payload) = (topic.into(), payload.into());
        Self { topic, payload, qos: Qos::AtLeastOnce, retain: false, properties: None }
    }

    /// Sets the quality of service.
    #[must_use]
    pub fn qos(mut self, qos: Qos) -> Self {
        self.qos = qos;
        self
    }

    /// Sets the retain flag.
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Sets the MQTT 5 properties; empty ones cost nothing.
    #[must_use]
    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = (!properties.is_empty()).then(|| Box::new(properties));
        self
    }
}

/// MQTT 5 properties of a message (MQTT 5.0 section 3.3.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Life of the message, whole seconds, rounded up. A message that outlives it in the spool is
    /// not sent; what is left of it travels (MQTT-3.3.2-6).
    pub message_expiry: Option<Duration>,
    /// Topic for the answer, without wildcards (MQTT-3.3.2-14).
    pub response_topic: Option<String>,
    /// What the answer carries back, at most 65,535 bytes.
    pub correlation_data: Option<Bytes>,
    /// MIME type of the payload.
    pub content_type: Option<String>,
    /// Name and value pairs, in order, names may repeat (MQTT-3.3.2-17).
    pub user_properties: Vec<(String, String)>,
}

impl Properties {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A received message.
///
/// At QoS 1 and 2 the broker keeps it until [`Incoming::ack`] was called. Dropped without, it stays
/// unacknowledged and comes again on the next connection; and because acknowledgements go out in
/// order of arrival (MQTT-4.6.0-2, MQTT-4.6.0-3), those of later messages wait for it.
#[non_exhaustive]
pub struct Incoming {
    /// Topic on which it was published.
    pub topic: String,
    /// Payload, as it came; it may be empty, and need not be text.
    pub payload: Bytes,
    /// QoS of this delivery: the lower one of publication and subscription (MQTT-3.8.4-8).
    pub qos: Qos,
    /// True for a retained message sent because of a new subscription; with Retain As Published
    /// also for a live one that the publisher retained.
    pub retain: bool,
    /// The broker sends it again and does not know whether it arrived before.
    pub duplicate: bool,
    /// Packet identifier at QoS 1 and 2. What is sent again on the next connection keeps its own
    /// (MQTT-4.4.0-1).
    pub packet_id: Option<u16>,
    /// MQTT 5 properties, `None` if there are none.
    pub properties: Option<Box<Properties>>,
    /// When it was read from the connection: a message expiry goes on from there.
    pub received: Instant,
    ack: Option<Acknowledger>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, payload, qos, retain, duplicate, packet_id, properties, received: _, ack: _ } =
            self;
        let mut text = f.debug_struct("Incoming");
        text.field("topic", topic).field("payload", payload).field("qos", qos);
        text.field("retain", retain).field("duplicate", duplicate).field("packet_id", packet_id);
        text.field("properties", properties);
        text.finish_non_exhaustive()
    }
}

impl Incoming {
    /// A message that no broker sent, for tests of code that takes messages; its `ack` does nothing.
    pub fn detached(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        let publish = Publish::new(topic, payload);
        Self::new(publish, None, false, None)
    }

    pub(super) fn new(
        publish: Publish,
        packet_id: Option<u16>,
        duplicate: bool,
        ack: Option<Acknowledger>,
    ) -> Self {
        let Publish { topic, payload, qos, retain, properties } = publish;
        let received = Instant::now();
        Self { topic, payload, qos, retain, duplicate, packet_id, properties, received, ack }
    }

    /// Tells the broker that the message is safe here. Never waits.
    ///
    /// QoS 0 needs no acknowledgement. A QoS 1 message of an earlier connection is sent again by the
    /// broker whatever is called here, and only that delivery can be acknowledged. A QoS 2 message
    /// is not handed out again while the session lives, so its acknowledgement counts on the next
    /// connection, too.
    pub fn ack(self) {
        Self::ack_all([self]);
    }

    /// Whether all messages of QoS 1 and 2 that came before this one on the present connection were acknowledged;
    /// false at QoS 0, and for a message of an earlier connection.
    #[must_use]
    pub fn is_oldest_unacknowledged(&self) -> bool {
        self.ack.as_ref().is_some_and(Acknowledger::is_oldest)
    }

    /// As [`Incoming::ack`] of each message; the link hears of them once, and writes them together.
    pub fn ack_all(messages: impl IntoIterator<Item = Self>) {
        let acknowledgers = messages.into_iter().filter_map(|message| message.ack);
        Acknowledger::ack_all(acknowledgers);
    }
}
