//! More commands than a device can answer: it may slow down and discard, but never stalls.
#![allow(clippy::unwrap_used, reason = "a test")]

mod link_fake;
#[path = "support/mod.rs"]
mod support;

use link_fake::{Packet, Publish, publish_bytes, soon};
use mqtt_lab_core::Lab;
use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::link::Version;
use std::collections::VecDeque;

/// Serves the link until `done`: subscriptions are granted at once, messages acknowledged if `acknowledge`,
/// else their ids returned.
async fn serve(
    client: &mut link_fake::Client,
    acknowledge: bool,
    mut done: impl FnMut(&Packet) -> bool,
) -> VecDeque<u16> {
    let mut open = VecDeque::new();
    loop {
        let packet = client.read().await;
        match &packet {
            Packet::Subscribe { id, filters } => {
                let [high, low] = id.to_be_bytes();
                let mut suback = vec![0x90, u8::try_from(3 + filters.len()).unwrap(), high, low, 0];
                suback.extend(filters.iter().map(|_| 1));
                client.send(suback).await;
            }
            Packet::Publish(publish) if publish.qos > 0 => match acknowledge {
                true => client.acknowledge(0x40, publish.id).await,
                false => open.push_back(publish.id),
            },
            Packet::End => panic!("the device has ended"),
            _ => {}
        }
        if done(&packet) {
            return open;
        }
    }
}

#[tokio::test]
async fn a_device_with_a_full_spool_survives_a_flood_of_commands_at_qos_0() {
    let broker = link_fake::Broker::start().await;
    let mut lamp = DeviceConfig::new("lamp").id("x");
    lamp.spool_messages = 2;
    let lab = Lab::builder().broker(broker.address()).plugin(&support::plugin()).device(lamp);
    let running = lab.build().unwrap().start().await.unwrap();
    let mut client = broker.welcome(false).await;
    let command = |n: u32| Publish {
        topic: "lab/demo/x/on/set".into(),
        payload: format!(r#"{{"v":{},"id":"c{n}"}}"#, n % 2 == 1),
        ..Publish::default()
    };
    serve(&mut client, true, |packet| matches!(packet, Packet::Publish(p) if p.topic == "lab/demo/x/on"))
        .await;
    // The broker acknowledges nothing until many times more commands came than fit anywhere.
    for n in 0..1_000 {
        client.send(publish_bytes(&command(n), Version::V5)).await;
    }
    let open = serve(&mut client, false, {
        let mut count = 0;
        move |packet| {
            count +=
                u32::from(matches!(packet, Packet::Publish(p) if p.qos > 0 && p.topic != "lab/demo/x/$info"));
            count == 2
        }
    });
    for id in open.await {
        client.acknowledge(0x40, id).await;
    }
    let reported = serve(
        &mut client,
        true,
        |packet| matches!(packet, Packet::Publish(p) if p.topic == "lab/demo/x/$error" && p.payload.contains("were discarded")),
    );
    soon("the report", reported).await;
    client.send(publish_bytes(&command(9_999), Version::V5)).await;
    let answered = serve(
        &mut client,
        true,
        |packet| matches!(packet, Packet::Publish(p) if p.topic == "lab/demo/x/on/result" && p.payload.contains("c9999")),
    );
    soon("an answer", answered).await;
    drop(running);
}
