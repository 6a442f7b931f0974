//! The two halves of the connection to the broker, as the web needs them.
//!
//! [`Link`] and [`Events`] of `mqtt-lab-core` are the ones in use; a test brings its own.

use std::io::ErrorKind;
use std::time::Duration;

use async_trait::async_trait;
use mqtt_lab_core::link::{Event, Events, Link, Publish, Qos, Subscription, Version};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::problem::Problem;

/// Time for an answer to the question whether the broker listens.
const PROBE: Duration = Duration::from_secs(1);

/// Sends messages.
#[async_trait]
pub trait Outlet: Send + Sync + 'static {
    /// Publishes a message and waits until the broker has it.
    ///
    /// # Errors
    ///
    /// Why the broker did not get it, in words.
    async fn deliver(&self, message: Publish) -> Result<(), String>;

    /// Listens to one more topic, of a last will that lies outside of the lab's root. What the broker
    /// says against it is logged.
    fn listen(&self, topic: &str);

    /// Whether somebody takes connections at the broker's address. Nobody does when the broker has ended.
    async fn broker_listens(&self) -> bool;

    /// Closes the connection and makes it again in the same session: the broker sends again what was not
    /// acknowledged.
    fn reconnect(&self) {}

    /// How the connection is.
    fn status(&self) -> OutletStatus;

    /// The protocol version that is spoken.
    fn version(&self) -> Version {
        Version::default()
    }

    /// Closes the connection, and waits for what is under way, at most `limit`.
    async fn close(&self, limit: Duration);
}

/// Receives events, in order.
#[async_trait]
pub trait Source: Send + 'static {
    /// The next event; `None` once the connection has ended. Safe to drop at any await.
    async fn next(&mut self) -> Option<Event>;
}

/// How the connection to the broker is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutletStatus {
    /// The broker has accepted it, and it has not been lost since.
    pub connected: bool,
    /// Address of the broker.
    pub broker: String,
    /// Why there is no connection.
    pub error: Option<String>,
}

impl OutletStatus {
    /// What keeps from publishing while there is no connection.
    pub(crate) fn away(self) -> Problem {
        Problem::BrokerAway { reason: self.error.unwrap_or_else(|| "there is no connection yet".to_owned()) }
    }
}

#[async_trait]
impl Outlet for Link {
    async fn deliver(&self, message: Publish) -> Result<(), String> {
        let delivery = self.publish(message).await.map_err(|error| error.to_string())?;
        delivery.await.map(drop).map_err(|error| error.to_string())
    }

    fn listen(&self, topic: &str) {
        let (link, topic) = (self.clone(), topic.to_owned());
        // Apart, because the answer comes on the way that the caller has to keep free.
        tokio::spawn(async move {
            if let Err(error) = link.subscribe(vec![Subscription::new(&topic, Qos::AtLeastOnce)]).await {
                tracing::warn!(topic, %error, "a last will there will not be seen");
            }
        });
    }

    async fn broker_listens(&self) -> bool {
        let connect = TcpStream::connect(Link::status(self).broker);
        // Silence, or no way there, says nothing of the broker.
        match timeout(PROBE, connect).await {
            Ok(Err(error)) => error.kind() != ErrorKind::ConnectionRefused,
            Ok(Ok(_)) | Err(_) => true,
        }
    }

    fn reconnect(&self) {
        Link::reconnect(self);
    }

    fn status(&self) -> OutletStatus {
        let status = Link::status(self);
        OutletStatus { connected: status.connected, broker: status.broker, error: status.error }
    }

    fn version(&self) -> Version {
        Link::status(self).version
    }

    async fn close(&self, limit: Duration) {
        if let Err(error) = Link::close(self, limit).await {
            tracing::warn!(%error, "the link of the web could not be closed in good order");
        }
    }
}

#[async_trait]
impl Source for Events {
    async fn next(&mut self) -> Option<Event> {
        Events::next(self).await
    }
}
