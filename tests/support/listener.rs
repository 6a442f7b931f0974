//! A client that hears what goes through a broker, in order.

use mqtt_lab_core::link::{Event, Events, Link, LinkConfig, Properties, Publish, Qos, Subscription, Version};

use super::{PATIENCE, rand_name};

/// Subscribed to `filter` when it is made; speaks, too.
pub(crate) struct Listener {
    pub(crate) link: Link,
    events: Events,
    /// What came so far: topic and payload.
    pub(crate) seen: Vec<(String, String)>,
}

impl Listener {
    pub(crate) async fn start(broker: &str, version: Version, filter: &str) -> Self {
        let mut config = LinkConfig::new(broker, rand_name());
        config.version = version;
        config.subscriptions = vec![Subscription::new(filter, Qos::AtLeastOnce)];
        let (link, events) = Link::spawn(config).expect("a valid configuration");
        let mut watch = link.watch();
        let subscribed = watch.wait_for(|status| status.subscribed);
        tokio::time::timeout(PATIENCE, subscribed).await.expect("in time").expect("the link lives");
        Self { link, events, seen: Vec::new() }
    }

    /// Waits for the next message that `wanted` recognises by topic and payload; its payload and properties.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&str, &str) -> bool) -> (String, Properties) {
        let found = async {
            loop {
                let Some(Event::Message(message)) = self.events.next().await else { continue };
                let payload = String::from_utf8_lossy(&message.payload).into_owned();
                self.seen.push((message.topic.clone(), payload.clone()));
                let hit = wanted(&message.topic, &payload);
                let properties = message.properties.as_deref().cloned().unwrap_or_default();
                message.ack();
                if hit {
                    return (payload, properties);
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("it never came; what came: {:#?}", self.seen))
    }

    /// Publishes and waits for the broker's acknowledgement.
    pub(crate) async fn say(&self, topic: &str, payload: &str) {
        super::publish(&self.link, topic, payload).await;
    }

    /// As `say`, with everything a message can have.
    pub(crate) async fn publish(&self, message: Publish) {
        self.link.publish(message).await.expect("accepted").await.expect("acknowledged");
    }
}
