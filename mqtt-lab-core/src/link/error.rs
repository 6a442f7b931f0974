//! What can go wrong with a link, one enum per operation.

use crate::reason;

/// Why a link could not be started, subscribed or closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A field of [`LinkConfig`](super::LinkConfig) has a value that MQTT or the link does not allow.
    #[error("link setting `{field}`: {problem}")]
    InvalidConfig {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// [`Link::spawn`](super::Link::spawn) was called outside of a tokio runtime.
    #[error("a link needs a tokio runtime to run on")]
    NoRuntime(#[source] tokio::runtime::TryCurrentError),
    /// The broker refuses a subscription (reason code 0x80 or above in SUBACK).
    #[error("broker refuses subscription `{filter}`: {reason}")]
    SubscriptionRefused {
        /// The topic filter.
        filter: String,
        /// The broker's reason.
        reason: &'static str,
    },
    /// The spool on disk cannot be used.
    #[error("spool on disk: {reason}")]
    Spool {
        /// What was tried, and why it failed.
        reason: String,
    },
    /// The time for [`Link::close`](super::Link::close) was over.
    #[error("link closed with `{remaining}` messages not acknowledged by the broker")]
    Unacknowledged {
        /// Messages accepted by the link whose end is not known.
        remaining: usize,
        /// Those of them that stay in the spool on disk and are delivered by the next link with its client id.
        kept: usize,
    },
    /// The link is closed.
    #[error("link is closed")]
    Closed,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic is not a topic name (MQTT 5.0 section 4.7).
    #[error("topic `{topic}` {problem}")]
    InvalidTopic {
        /// The topic, shortened to 64 characters.
        topic: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An MQTT 5 property breaks a rule of the protocol.
    #[error("property `{name}` {problem}")]
    InvalidProperty {
        /// Name of the property.
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The packet is larger than `max_packet_size` allows.
    #[error("packet of `{size}` bytes exceeds the limit of `{limit}`")]
    TooLarge {
        /// Size in bytes, with topic and properties.
        size: usize,
        /// The limit in bytes.
        limit: u32,
    },
    /// The spool is full, and its policy does not wait.
    #[error("spool is full")]
    Full,
    /// The link is closed.
    #[error("link is closed")]
    Closed,
}

/// How the delivery of an accepted message failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// Refused with an MQTT 5 reason code of 0x80 or above: by the broker, or by the link because
    /// the packet is larger than the broker accepts (0x95).
    #[error("refused: {} (reason code {code:#04x})", reason::text(*.0), code = .0)]
    Rejected(u8),
    /// Gave way to a newer message (policy [`DropOldest`](super::SpoolPolicy::DropOldest)).
    #[error("dropped because the spool was full")]
    Dropped,
    /// Its message expiry was over before it could be sent.
    #[error("expired before it could be sent")]
    Expired,
    /// The link was closed first; whether the broker has the message is not known.
    #[error("link closed before the broker acknowledged")]
    Closed,
}
