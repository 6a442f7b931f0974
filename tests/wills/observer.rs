//! A foreign subscriber that sees everything below a topic, exactly once and as it was published.

use crate::support::{PATIENCE, rand_name};
use mqtt_lab_core::link::{Event, Events, Incoming, Link, LinkConfig, Qos, Subscription};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A message as the subscriber got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) at: Instant,
}

impl Seen {
    fn new(message: &Incoming) -> Self {
        Self {
            topic: message.topic.clone(),
            payload: String::from_utf8_lossy(&message.payload).into_owned(),
            qos: message.qos.level(),
            retain: message.retain,
            at: Instant::now(),
        }
    }
}

/// QoS 2, so that nothing is lost or doubled, and Retain As Published, so that the will's flag is seen.
pub(crate) struct Observer {
    link: Link,
    events: Events,
    pub(crate) seen: Vec<Seen>,
}

impl Observer {
    /// Returns when the subscription stands.
    pub(crate) async fn start(broker: &str, filter: &str) -> Self {
        let mut config = LinkConfig::new(broker, rand_name());
        let mut subscription = Subscription::new(filter, Qos::ExactlyOnce);
        subscription.retain_as_published = true;
        config.subscriptions = vec![subscription];
        // A broker that comes back is to be seen soon.
        config.backoff = (Duration::from_millis(20), Duration::from_millis(200));
        let (link, events) = Link::spawn(config).expect("a valid configuration");
        let mut watch = link.watch();
        let subscribed = watch.wait_for(|status| status.subscribed);
        timeout(PATIENCE, subscribed).await.expect("in time").expect("the link lives");
        Self { link, events, seen: Vec::new() }
    }

    /// The next message; those for which nobody asked are in `seen`, too.
    pub(crate) async fn next(&mut self) -> Seen {
        let next = async {
            loop {
                match self.events.next().await.expect("the link lives") {
                    Event::Message(message) => {
                        let seen = Seen::new(&message);
                        message.ack();
                        return seen;
                    }
                    _ => continue,
                }
            }
        };
        let next = timeout(PATIENCE, next).await;
        let seen = next.unwrap_or_else(|_| panic!("nothing came any more; seen: {:#?}", self.seen));
        self.seen.push(seen.clone());
        seen
    }

    /// The next message on a topic with this end and payload.
    pub(crate) async fn until(&mut self, topic: &str, payload: &str) -> Seen {
        loop {
            let seen = self.next().await;
            if seen.topic.ends_with(topic) && seen.payload == payload {
                return seen;
            }
        }
    }

    /// Everything that the broker published up to now: a message to oneself comes behind it.
    pub(crate) async fn catch_up(&mut self, topic: &str) {
        let marker = rand_name();
        crate::support::publish(&self.link, topic, marker.as_str()).await;
        self.until(topic, &marker).await;
    }

    /// What came on topics with this end, in order.
    pub(crate) fn words(&self, topic: &str) -> Vec<&str> {
        self.seen
            .iter()
            .filter(|seen| seen.topic.ends_with(topic))
            .map(|seen| seen.payload.as_str())
            .collect()
    }
}
