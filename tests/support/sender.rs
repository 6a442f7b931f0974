//! A device that numbers its samples and knows nothing of the lab: every value is its number.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use mqtt_lab_core::link::{Link, LinkConfig, Publish, Qos};

use super::rand_name;

/// One life of a device.
pub(crate) struct Sender {
    pub(crate) link: Link,
    pub(crate) device: String,
    boot: String,
    pub(crate) sent: u64,
}

impl Sender {
    pub(crate) fn connect(broker: SocketAddr, device: &str) -> Self {
        let mut config = LinkConfig::new(broker.to_string(), rand_name());
        config.backoff = (std::time::Duration::from_millis(10), std::time::Duration::from_millis(100));
        let (link, mut events) = Link::spawn(config).expect("a valid configuration");
        // Taken all the time, or the link would stop reading.
        tokio::spawn(async move { while events.next().await.is_some() {} });
        let boot = rand_name().chars().filter(char::is_ascii_alphanumeric).rev().take(12).collect();
        Self { link, device: device.to_owned(), boot, sent: 0 }
    }

    /// Describes itself and this life.
    pub(crate) async fn describe(&self) {
        let info = format!(
            r#"{{"schema":1,"boot":"{}","payload":"json","channels":[{{"name":"n","datatype":"int"}}]}}"#,
            self.boot
        );
        let message = Publish::new(format!("lab/demo/{}/$info", self.device), info).retain(true);
        self.link.publish(message).await.expect("accepted").await.expect("acknowledged");
    }

    /// Sends so many samples and waits until the broker has them, at QoS 0 until the system has.
    pub(crate) async fn send(&mut self, count: u64, qos: Qos) {
        let mut deliveries = Vec::new();
        for _ in 0..count {
            self.sent += 1;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
            let payload = format!(r#"{{"v":{n},"t":{now},"b":"{}","n":{n}}}"#, self.boot, n = self.sent);
            let message = Publish::new(format!("lab/demo/{}/n", self.device), payload).qos(qos);
            deliveries.push(self.link.publish(message).await.expect("accepted"));
        }
        for delivery in deliveries {
            delivery.await.expect("acknowledged");
        }
    }

    /// Tells how many it has sent.
    pub(crate) async fn tell(&self) {
        let stats = format!(r#"{{"b":"{}","sent":{}}}"#, self.boot, self.sent);
        super::publish(&self.link, &format!("lab/demo/{}/$stats", self.device), stats).await;
    }
}
