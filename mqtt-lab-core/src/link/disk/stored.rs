//! A message on disk.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::link::wire::Message;
use crate::link::{Properties, Publish, Qos};

/// A message on disk. Fields are never reordered: files of an older version are read with it.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    /// When it expires, in milliseconds since the Unix epoch: the life goes on while nothing runs.
    expires_ms: Option<u64>,
    response_topic: Option<String>,
    correlation_data: Option<Vec<u8>>,
    content_type: Option<String>,
    user_properties: Vec<(String, String)>,
}

impl Stored {
    pub(super) fn write(&self) -> Vec<u8> {
        // Plain data in memory: there is nothing that could fail.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads a message; an error says why not.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        postcard::from_bytes(bytes).map_err(|error| error.to_string())
    }
}

impl From<&Publish> for Stored {
    fn from(publish: &Publish) -> Self {
        let properties = publish.properties.as_deref().cloned().unwrap_or_default();
        Self {
            topic: publish.topic.clone(),
            payload: publish.payload.to_vec(),
            qos: publish.qos.level(),
            retain: publish.retain,
            expires_ms: properties.message_expiry.map(|life| milliseconds(now().saturating_add(life))),
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data.map(Into::into),
            content_type: properties.content_type,
            user_properties: properties.user_properties,
        }
    }
}

impl From<Stored> for Publish {
    fn from(stored: Stored) -> Self {
        let left = |expires_ms| Duration::from_millis(expires_ms).saturating_sub(now());
        let properties = Properties {
            message_expiry: stored.expires_ms.map(left),
            response_topic: stored.response_topic,
            correlation_data: stored.correlation_data.map(Into::into),
            content_type: stored.content_type,
            user_properties: stored.user_properties,
        };
        let qos = Qos::from_level(stored.qos).unwrap_or(Qos::AtLeastOnce);
        Self::new(stored.topic, stored.payload).qos(qos).retain(stored.retain).properties(properties)
    }
}

impl From<&Message> for Stored {
    fn from(message: &Message) -> Self {
        Self::from(&message.publish())
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
