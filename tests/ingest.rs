//! What ingest promises, at the embedded broker. `ingest_mosquitto` tells the same at Debian's.

mod support;

use mqtt_lab_core::broker::{Broker, BrokerConfig};

/// `queue_messages`: how many messages it keeps for a client.
async fn broker(queue_messages: usize) -> Broker {
    let config = BrokerConfig { bind: ([127, 0, 0, 1], 0).into(), queue_messages, ..BrokerConfig::default() };
    Broker::start(&config).await.expect("a free port")
}

macro_rules! stories {
    ($($name:ident($queue:literal $(, $count:literal)?);)+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let broker = broker($queue).await;
            support::ingest::$name(broker.address() $(, $count)?).await;
            broker.stop().await;
        }
    )+};
}

stories! {
    a_stopped_database_loses_nothing(100_000, 12_000);
    what_a_broker_drops_is_counted(100, 12_000);
    a_killed_ingest_stores_nothing_twice(100_000);
    cut_connections_store_everything_once(100_000);
    what_qos_0_loses_is_counted_to_the_last(100_000);
    a_sensor_at_qos_0_is_counted_to_its_end(100_000);
    losses_begin_with_the_subscription(100_000);
}
