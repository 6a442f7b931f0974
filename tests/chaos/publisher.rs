//! A device of this process that never stops publishing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mqtt_lab_core::link::{Link, LinkConfig, LinkStatus, Publish, Qos};
use tokio::task::JoinHandle;

/// Pause between two samples.
const PAUSE: Duration = Duration::from_millis(2);

/// Publishes numbered samples at QoS 1, and remembers which were acknowledged.
pub(crate) struct Publisher {
    link: Link,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
    count: Arc<AtomicU64>,
    numbers: Arc<Mutex<Vec<u64>>>,
}

impl Publisher {
    pub(crate) async fn start(broker: &str) -> Self {
        let mut config = LinkConfig::new(broker, crate::support::rand_name());
        config.backoff = (Duration::from_millis(10), Duration::from_millis(200));
        config.spool_capacity = 100_000;
        let (link, mut events) = Link::spawn(config).expect("a valid configuration");
        // Taken all the time, or the link would stop reading.
        tokio::spawn(async move { while events.next().await.is_some() {} });
        let info =
            r#"{"schema":1,"boot":"chaos","payload":"json","channels":[{"name":"n","datatype":"int"}]}"#;
        link.publish(Publish::new("lab/demo/chaos/$info", info).retain(true)).await.expect("accepted");
        let (stop, count, numbers) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let task =
            tokio::spawn(publish(link.clone(), Arc::clone(&stop), Arc::clone(&count), Arc::clone(&numbers)));
        Self { link, stop, task, count, numbers }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Stops, waits until all is acknowledged, and returns the numbers.
    pub(crate) async fn finish(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("it ends");
        // One snapshot: of two, each could miss what moves from the spool to the broker between them.
        let waiting = |status: LinkStatus| status.in_flight + status.spooled;
        while waiting(self.link.status()) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The last deliveries are noted by their own tasks.
        while self.numbers.lock().expect("whole").len() as u64 != self.count.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        self.numbers.lock().expect("whole").clone()
    }
}

async fn publish(link: Link, stop: Arc<AtomicBool>, count: Arc<AtomicU64>, numbers: Arc<Mutex<Vec<u64>>>) {
    let mut n = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let payload = format!(r#"{{"v":{n},"t":{},"b":"chaos","n":{n}}}"#, now.as_micros());
        let message = Publish::new("lab/demo/chaos/n", payload).qos(Qos::AtLeastOnce);
        let delivery = link.publish(message).await.expect("the link lives");
        let (count, numbers) = (Arc::clone(&count), Arc::clone(&numbers));
        tokio::spawn(async move {
            if delivery.await.is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
                numbers.lock().expect("whole").push(n);
            }
        });
        tokio::time::sleep(PAUSE).await;
    }
}
