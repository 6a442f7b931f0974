//! A lab inside a program of your own: a sensor, a broker, a listener; no dashboard, no storage.

use mqtt_lab_core::broker::{Broker, BrokerConfig};
use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::link::{Event, Link, LinkConfig, Subscription};
use mqtt_lab_core::{Lab, prelude::*};
use std::time::Duration;

/// A tank that is being filled.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Tank {
    litres: f64,
}

#[async_trait]
impl Sensor for Tank {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::float("level").unit("L").range(0.0, 1000.0))
    }

    async fn read(&mut self) -> Result<Reading> {
        self.litres += 0.5;
        Ok(self.litres.into())
    }
}

export_plugin! { sensor "tank" => |settings: Tank| settings }

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // Port 0: any free one.
    let config = BrokerConfig { bind: ([127, 0, 0, 1], 0).into(), ..BrokerConfig::default() };
    let broker = Broker::start(&config).await?;

    let mut tank = DeviceConfig::new("tank").id("roof").setting("litres", 12.0);
    tank.interval_s = 0.1;
    let lab = Lab::builder().broker(broker.address()).plugin(&plugin()).device(tank).build()?.start().await?;

    // Listens as any MQTT client would, and ends after three values.
    let mut listener = LinkConfig::new(broker.address().to_string(), "listener");
    listener.subscriptions = vec![Subscription::new("lab/demo/roof/level", Qos::AtLeastOnce)];
    let (link, mut events) = Link::spawn(listener)?;
    let mut values = 0;
    while values < 3 {
        if let Some(Event::Message(message)) = events.next().await {
            println!("{} {}", message.topic, String::from_utf8_lossy(&message.payload));
            message.ack();
            values += 1;
        }
    }
    link.close(Duration::from_secs(5)).await?;
    lab.stop().await;
    broker.stop().await;
    Ok(())
}
