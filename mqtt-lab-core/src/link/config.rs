//! How a link reaches its broker, and what it does there by itself.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Publish, Qos};
use crate::supervisor::Supervisor;

/// Everything a link needs to know before it is spawned.
///
/// [`LinkConfig::new`] gives defaults that suit a device; change the fields after it. They are
/// checked in [`Link::spawn`](super::Link::spawn).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkConfig {
    /// Addresses `host:port`, tried in turn, beginning with the first. A link stays with the broker
    /// it reached and goes on to the next one when that broker is gone.
    pub brokers: Vec<String>,
    /// Client identifier (1 to 65,535 bytes). A broker disconnects the older of two clients with
    /// the same one (MQTT-3.1.4-3).
    pub client_id: String,
    /// Client identifier that this client had before. The session that a broker keeps for it is ended before the
    /// first connection of this link: its will would be published later, and its messages wait for nobody.
    pub former_client_id: Option<String>,
    /// Protocol version to begin with. A broker that refuses MQTT 5 is spoken to in 3.1.1.
    pub version: Version,
    /// User name and password.
    pub credentials: Option<Credentials>,
    /// Longest silence of this client (whole seconds up to 65,535, fractions are rounded up; zero
    /// turns keep-alive and watchdog off). After 1.5 times as much the broker closes the
    /// connection and publishes the will (MQTT-3.1.2-22).
    pub keep_alive: Duration,
    /// What the broker publishes when this client vanishes without DISCONNECT.
    pub will: Option<Will>,
    /// Messages of QoS 1 and 2 sent and not yet acknowledged, at most (1 or more). A smaller
    /// Receive Maximum of the broker is kept to (MQTT-3.3.4-9).
    pub window: u16,
    /// Messages of QoS 2 sent and not yet complete in MQTT 3.1.1, at most (1 or more). There, a broker cannot
    /// say how many it takes: mosquitto, as it comes, disconnects who sends more than 20 and may lose some.
    pub qos2_window_311: u16,
    /// Messages accepted and not yet acknowledged, at most (1 or more). The births do not count.
    pub spool_capacity: usize,
    /// What happens to a message for which the spool has no room.
    pub spool_policy: SpoolPolicy,
    /// Where accepted messages are kept as well, so that they survive the process; `None`: in memory alone.
    #[cfg(feature = "disk-spool")]
    pub disk: Option<super::DiskSpool>,
    /// Name under which `disk` keeps the messages of this link; `None`: its client id. Two links must not share it.
    #[cfg(feature = "disk-spool")]
    pub spool_name: Option<String>,
    /// Name under which an earlier version kept them; what is left there is sent by this link.
    #[cfg(feature = "disk-spool")]
    pub former_spool_name: Option<String>,
    /// Received messages waiting in [`Events`](super::Events), at most (1 or more). When they are
    /// that many, the link stops reading from the broker until some were taken. It is the Receive
    /// Maximum too: an MQTT 5 broker has no more than this many of QoS 1 and 2 under way without
    /// acknowledgement (MQTT-3.3.4-9), so only QoS 0, or a broker of 3.1.1, can fill the queue.
    pub incoming_capacity: usize,
    /// How long the broker keeps the session without a connection (MQTT 5, whole seconds). A will
    /// delay that is longer prolongs it, because the end of the session fires the will at once.
    pub session_expiry: Duration,
    /// False: the first connection of this link clears whatever session the broker still has for
    /// this client id, so that packet ids of an earlier process cannot be mistaken for ours.
    /// True: the session outlives the process (a subscriber finds what was queued for it), and
    /// exactly-once holds only as far as one process reaches.
    pub keep_session: bool,
    /// Largest packet this link sends or accepts, in bytes (128 to 268,435,460).
    pub max_packet_size: u32,
    /// Time for TCP connection and CONNACK together.
    pub connect_timeout: Duration,
    /// Shortest and longest wait before the next attempt to connect. The wait is random and its
    /// upper end doubles with each failure ("full jitter").
    pub backoff: (Duration, Duration),
    /// Subscriptions made on every connection, before anything is published.
    pub subscriptions: Vec<Subscription>,
    /// Published on every connection before all that waits in the spool, for instance the retained
    /// state `ready`. What an earlier connection left of them is dropped, not sent again. They are
    /// repeated anyway, so QoS 2 is sent as QoS 1. See [`Link::set_birth`](super::Link::set_birth).
    pub birth: Vec<Publish>,
    /// Is told when the link's task has panicked; `None`: nobody is. It reconnects, and loses nothing that it accepted.
    pub supervisor: Option<Supervisor>,
}

impl LinkConfig {
    /// What [`Link::spawn`](super::Link::spawn) checks, without a link.
    pub(crate) fn check(&self) -> Result<(), super::LinkError> {
        super::validate::config(self)
    }

    /// A configuration for one broker (`host:port`).
    ///
    /// MQTT 5, keep-alive 30 s, window 100 (20 at QoS 2 in 3.1.1), a spool of 10,000 messages that blocks when full, 1,000
    /// received messages, session expiry 1 h, packets up to 1 MiB, connect timeout 10 s, backoff
    /// 0.2 s to 30 s; no will, no credentials, no subscriptions.
    pub fn new(broker: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            brokers: vec![broker.into()],
            client_id: client_id.into(),
            former_client_id: None,
            version: Version::default(),
            credentials: None,
            keep_alive: Duration::from_secs(30),
            will: None,
            window: 100,
            qos2_window_311: 20,
            spool_capacity: 10_000,
            spool_policy: SpoolPolicy::default(),
            #[cfg(feature = "disk-spool")]
            disk: None,
            #[cfg(feature = "disk-spool")]
            spool_name: None,
            #[cfg(feature = "disk-spool")]
            former_spool_name: None,
            incoming_capacity: 1_000,
            session_expiry: Duration::from_secs(3_600),
            keep_session: false,
            max_packet_size: 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            backoff: (Duration::from_millis(200), Duration::from_secs(30)),
            subscriptions: Vec::new(),
            birth: Vec::new(),
            supervisor: None,
        }
    }
}

/// A version of MQTT, as a link speaks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1 (protocol level 4).
    V311,
    /// MQTT 5.0 (protocol level 5).
    #[default]
    V5,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        })
    }
}

/// User name and password for the broker. They travel unencrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name, not empty.
    pub user: String,
    /// Password; empty sends none. Never printed.
    pub password: String,
}

impl Credentials {
    /// Credentials of a user.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The last will: published by the broker when the client vanishes without DISCONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Topic, without wildcards.
    pub topic: String,
    /// Payload, at most 65,535 bytes.
    pub payload: Bytes,
    /// QoS with which the broker publishes it.
    pub qos: Qos,
    /// Whether the broker keeps it as the topic's retained message.
    pub retain: bool,
    /// How long the broker waits; a client that is back by then prevents the will (MQTT 5, whole
    /// seconds, MQTT-3.1.3-9). 3.1.1 knows no delay.
    pub delay: Duration,
}

impl Will {
    /// A retained will at QoS 1 without delay.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        let (topic, payload) = (topic.into(), payload.into());
        Self { topic, payload, qos: Qos::AtLeastOnce, retain: true, delay: Duration::ZERO }
    }
}

/// A topic filter with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Topic filter, wildcards `+` and `#` allowed (MQTT 5.0 section 4.7).
    pub filter: String,
    /// Highest QoS at which the broker may deliver.
    pub qos: Qos,
    /// Keeps the publisher's retain flag on live messages (MQTT 5; 3.1.1 clears it).
    pub retain_as_published: bool,
    /// Leaves out what this client published itself (MQTT 5).
    pub no_local: bool,
}

impl Subscription {
    /// A subscription with `retain_as_published` and `no_local` off.
    pub fn new(filter: impl Into<String>, qos: Qos) -> Self {
        Self { filter: filter.into(), qos, retain_as_published: false, no_local: false }
    }
}

/// What happens to a message for which the spool has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SpoolPolicy {
    /// `publish` waits for room; nothing is lost, the sender slows down.
    #[default]
    Block,
    /// The oldest message that was not sent yet gives way: for values of which only the newest count.
    DropOldest,
    /// `publish` fails with [`PublishError::Full`](super::PublishError::Full).
    Error,
}
