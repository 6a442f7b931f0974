//! What ingest promises, at Debian's mosquitto. `ingest` tells the same at the embedded broker.
//!
//! Feature `system-tests`; needs `mosquitto`.

mod support;

use support::mosquitto::Mosquitto;

macro_rules! stories {
    ($($name:ident($queue:literal $(, $count:literal)?);)+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let broker = Mosquitto::start(concat!("max_queued_messages ", $queue));
            let address = broker.address().parse().expect("an address");
            support::ingest::$name(address $(, $count)?).await;
        }
    )+};
}

stories! {
    a_stopped_database_loses_nothing(0, 12_000);
    what_a_broker_drops_is_counted(100, 12_000);
    a_killed_ingest_stores_nothing_twice(0);
    cut_connections_store_everything_once(0);
    what_qos_0_loses_is_counted_to_the_last(0);
    a_sensor_at_qos_0_is_counted_to_its_end(0);
    losses_begin_with_the_subscription(0);
}
