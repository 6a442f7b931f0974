//! The same messages by rumqttc's own client, as its documentation shows it, for comparison.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::sender::{LAST, Order, Sent, TOPIC, pace, sample, stats};
use mqtt_lab_core::link::{Qos, Version};

/// How long nothing may be heard of a message before it is taken for lost.
const SILENCE: Duration = Duration::from_secs(4);
/// Some faults send it round in circles.
const LIMIT: Duration = Duration::from_secs(30);

/// It knows one broker only, so it is given the first.
pub(crate) async fn send(order: &Order, accepted: impl Fn(u32) + Send + Sync + Clone + 'static) -> Sent {
    match order.version {
        Version::V311 => v311(order, accepted).await,
        Version::V5 => v5(order, accepted).await,
    }
}

fn host_port(order: &Order) -> (String, u16) {
    let (host, port) = order.brokers[0].rsplit_once(':').expect("host:port");
    (host.to_owned(), port.parse().expect("a port"))
}

macro_rules! client {
    ($name:ident, $rumqttc:path, $qos:path, |$options:ident, $window:ident| $set:expr) => {
        async fn $name(order: &Order, accepted: impl Fn(u32) + Send + Sync + Clone + 'static) -> Sent {
            use $qos as Level;
            use $rumqttc as rumqttc;
            let (host, port) = host_port(order);
            let mut $options = rumqttc::MqttOptions::new("sender", host, port);
            // More than 20 of QoS 2 at a time are too many for mosquitto.
            let $window = if order.qos == Qos::ExactlyOnce { 20 } else { 100 };
            $set;
            let level = match order.qos {
                Qos::AtMostOnce => Level::AtMostOnce,
                Qos::AtLeastOnce => Level::AtLeastOnce,
                Qos::ExactlyOnce => Level::ExactlyOnce,
            };
            let (client, mut events) = rumqttc::AsyncClient::new($options, 100);
            let numbers = order.numbers.clone();
            let (end, qos) = (*numbers.end(), order.qos);
            // The numbers have no acknowledgements of their own: rumqttc tells packet ids only.
            let expected = if order.qos == Qos::AtMostOnce { 1 } else { numbers.clone().count() + 1 };
            let sending = tokio::spawn(async move {
                for number in numbers {
                    if client.publish(TOPIC, level, false, sample(number)).await.is_err() {
                        return;
                    }
                    accepted(number);
                    pace(qos, number).await;
                }
                drop(client.publish(LAST, Level::AtLeastOnce, false, stats(end)).await);
                std::future::pending::<()>().await;
            });
            let (mut ended, mut connects, begin) = (0, 0, Instant::now());
            let mut heard = begin;
            while ended < expected && heard.elapsed() < SILENCE && begin.elapsed() < LIMIT {
                match timeout(Duration::from_millis(100), events.poll()).await {
                    Ok(Ok(rumqttc::Event::Incoming(rumqttc::Incoming::ConnAck(_)))) => connects += 1,
                    Ok(Ok(rumqttc::Event::Incoming(
                        rumqttc::Incoming::PubAck(_) | rumqttc::Incoming::PubComp(_),
                    ))) => {
                        ended += 1;
                        heard = Instant::now();
                    }
                    Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                    Ok(Ok(_)) | Err(_) => {}
                }
            }
            sending.abort();
            Sent { acked: HashSet::new(), reconnects: u64::saturating_sub(connects, 1) }
        }
    };
}

client!(v311, ::rumqttc, ::rumqttc::QoS, |options, window| {
    options.set_keep_alive(Duration::from_secs(1)).set_inflight(window).set_clean_session(false)
});
client!(v5, ::rumqttc::v5, ::rumqttc::v5::mqttbytes::QoS, |options, window| {
    // It panics below 5 s.
    options.set_keep_alive(Duration::from_secs(5)).set_outgoing_inflight_upper_limit(window);
    options.set_clean_start(false).set_session_expiry_interval(Some(3600))
});
