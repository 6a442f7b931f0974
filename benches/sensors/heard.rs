//! A subscriber that looks whether a sample is missing.

use mqtt_lab_core::link::{Event, Incoming, Link, LinkConfig, Qos, Subscription};
use mqtt_lab_wire::Sample;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The numbers that came, by topic.
type Numbers = Arc<Mutex<HashMap<String, BTreeSet<u64>>>>;

/// Hears everything that the sensors say.
pub(crate) struct Listener {
    numbers: Numbers,
    _runtime: Runtime,
    _link: Link,
}

impl Listener {
    /// Subscribes, and returns when that stands.
    pub(crate) fn start(broker: &str) -> Self {
        let runtime = Runtime::new().expect("threads");
        let _inside = runtime.enter();
        let mut config = LinkConfig::new(broker, "listener");
        // A sensor numbers over all of its channels.
        config.subscriptions = vec![Subscription::new("lab/demo/+/+", Qos::AtLeastOnce)];
        let (link, mut events) = Link::spawn(config).expect("valid");
        let numbers = Numbers::default();
        let heard = Arc::clone(&numbers);
        runtime.spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::Message(message) = event {
                    note(&heard, &message);
                    // What is not acknowledged, samples or not, takes the room of what follows.
                    message.ack();
                }
            }
        });
        let mut watch = link.watch();
        let stands = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(10), watch.wait_for(|status| status.subscribed))
                .await
                .is_ok()
        });
        assert!(stands, "the subscription stands");
        drop(_inside);
        Self { numbers, _runtime: runtime, _link: link }
    }

    /// How many numbers are missing between the first and the last of each sensor; a sensor that was not heard
    /// of misses one.
    pub(crate) fn missing(&self) -> u64 {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |heard: &BTreeSet<u64>| heard.last().copied().unwrap_or(0) - heard.len() as u64;
        let silent = crate::SENSORS.saturating_sub(numbers.len()) as u64;
        silent + numbers.values().map(of).sum::<u64>()
    }
}

fn note(numbers: &Numbers, message: &Incoming) {
    let Ok(Sample { number: Some((_, number)), .. }) = Sample::decode(&message.payload) else { return };
    let device = message.topic.rsplit_once('/').map_or("", |(device, _)| device);
    let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
    numbers.entry(device.to_owned()).or_default().insert(number);
}
