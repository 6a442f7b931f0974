//! Messages from the broker: acknowledgement, exactly once, and a reader that is too slow.
#![allow(clippy::unwrap_used, reason = "a test")]

mod link_fake;

use std::time::Duration;

use link_fake::{BOTH, Broker, Mirror, Packet, Publish, event, message, publish_bytes, soon, spawn, status};
use mqtt_lab_core::link::{self, Event, LinkError, Qos, Subscription, Version};
use tokio::io::AsyncWriteExt;

fn publish(payload: impl ToString, qos: u8, id: u16) -> Publish {
    Publish { topic: "t".into(), payload: payload.to_string(), qos, id, ..Publish::default() }
}

#[tokio::test]
async fn acknowledgements_are_sent_in_order_and_only_when_given() {
    for version in BOTH {
        let broker = Broker::start().await;
        let (link, mut events) = spawn(broker.config(version));
        let mut client = broker.welcome(false).await;
        for (id, qos) in [(11, 1), (12, 2), (13, 1)] {
            client.send(publish_bytes(&publish("x", qos, id), version)).await;
        }
        let first = message(&mut events).await;
        let second = message(&mut events).await;
        message(&mut events).await.ack();
        second.ack();
        // Nothing is acknowledged up to here: the next packet is this one.
        link.publish(link::Publish::new("t", "marker")).await.unwrap();
        assert_eq!(client.publish().await.payload, "marker");
        first.ack();
        assert_eq!(client.read().await, Packet::Puback(11));
        assert_eq!(client.read().await, Packet::Pubrec(12));
        assert_eq!(client.read().await, Packet::Puback(13));
        client.acknowledge(0x62, 12).await;
        assert_eq!(client.read().await, Packet::Pubcomp(12));
    }
}

#[tokio::test]
async fn qos_2_arrives_once_across_cuts() {
    for version in BOTH {
        let broker = Broker::start().await;
        let (_link, mut events) = spawn(broker.config(version));
        let mut client = broker.welcome(false).await;
        client.send(publish_bytes(&publish("a", 2, 5), version)).await;
        message(&mut events).await.ack();
        assert_eq!(client.read().await, Packet::Pubrec(5));
        drop(client);

        // PUBREC was lost, so it comes again, and another one with it.
        let mut client = broker.welcome(true).await;
        let again = Publish { dup: true, ..publish("a", 2, 5) };
        client.send(publish_bytes(&again, version)).await;
        client.send(publish_bytes(&publish("b", 2, 6), version)).await;
        assert_eq!(client.read().await, Packet::Pubrec(5));
        client.acknowledge(0x62, 5).await;
        assert_eq!(client.read().await, Packet::Pubcomp(5));
        assert_eq!(&message(&mut events).await.payload[..], b"b");
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let broker = Broker::start().await;
    let (_link, mut events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome(false).await;
    client.send(publish_bytes(&publish("a", 1, 5), Version::V5)).await;
    let stale = message(&mut events).await;
    drop(client);
    let mut client = broker.welcome(true).await;
    let again = Publish { dup: true, ..publish("a", 1, 5) };
    client.send(publish_bytes(&again, Version::V5)).await;
    let fresh = message(&mut events).await;
    assert!(fresh.duplicate);
    stale.ack();
    client.send(publish_bytes(&publish("b", 1, 6), Version::V5)).await;
    let next = message(&mut events).await;
    next.ack();
    fresh.ack();
    assert_eq!(client.read().await, Packet::Puback(5));
    assert_eq!(client.read().await, Packet::Puback(6));
}

#[tokio::test]
async fn properties_arrive() {
    let broker = Broker::start().await;
    let (_link, mut events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome(false).await;
    let properties = [&[8, 0, 1, b'r', 9, 0, 1, 7, 2, 0, 0, 0, 3, 38, 0, 1, b'k', 0, 1, b'v'][..]].concat();
    client.send(publish_bytes(&Publish { properties, ..publish("x", 0, 0) }, Version::V5)).await;
    let properties = message(&mut events).await.properties.unwrap();
    assert_eq!(properties.response_topic.as_deref(), Some("r"));
    assert_eq!(properties.correlation_data.as_deref(), Some(&[7][..]));
    assert_eq!(properties.message_expiry, Some(Duration::from_secs(3)));
    assert_eq!(properties.user_properties, [("k".to_string(), "v".to_string())]);
}

#[tokio::test]
async fn subscriptions_are_made_on_every_connection() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.subscriptions =
        vec![Subscription { retain_as_published: true, ..Subscription::new("a/#", Qos::AtLeastOnce) }];
    let (link, _events) = spawn(config);
    let mut client = broker.welcome(false).await;
    let Packet::Subscribe { id, filters } = client.read().await else { panic!("no SUBSCRIBE") };
    assert_eq!(filters, [("a/#".into(), 0x09)]);
    assert!(!link.status().subscribed);
    client.send([0x90, 4, 0, u8::try_from(id).unwrap(), 0, 1]).await;
    status(&link, "subscription", |status| status.subscribed).await;

    let asking = tokio::spawn({
        let link = link.clone();
        async move { link.subscribe(vec![Subscription::new("b", Qos::ExactlyOnce)]).await }
    });
    let Packet::Subscribe { id, filters } = client.read().await else { panic!("no SUBSCRIBE") };
    assert_eq!(filters, [("b".into(), 2)]);
    client.send([0x90, 4, 0, u8::try_from(id).unwrap(), 0, 0x87]).await;
    let error = soon("answer", asking).await.unwrap().unwrap_err();
    assert!(matches!(error, LinkError::SubscriptionRefused { .. }), "{error}");
    assert_eq!(link.status().downgrades, ["no subscription `b`: not authorized"]);
    drop(client);

    let mut client = broker.welcome(true).await;
    let Packet::Subscribe { filters, .. } = client.read().await else { panic!("no SUBSCRIBE") };
    assert_eq!(filters, [("a/#".into(), 0x09), ("b".into(), 2)]);
}

#[tokio::test]
async fn subscribing_without_a_connection_does_not_wait() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let (mut client, _) = broker.connect().await;
    soon("answer", link.subscribe(vec![Subscription::new("a", Qos::AtLeastOnce)])).await.unwrap();
    client.connack_with(false, &[]).await;
    let Packet::Subscribe { filters, .. } = client.read().await else { panic!("no SUBSCRIBE") };
    assert_eq!(filters, [("a".into(), 1)]);
}

/// More than fits into the buffers of two sockets.
const FLOOD: u32 = 40_000;

#[tokio::test]
async fn a_link_whose_events_nobody_takes_stops_reading_and_goes_on_sending() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    (config.incoming_capacity, config.keep_alive) = (10, Duration::from_secs(1));
    let (link, mut events) = spawn(config);
    let client = broker.welcome(false).await;
    let (mut reader, mut writer) = client.split();
    let flood = tokio::spawn(async move {
        for number in 0..FLOOD {
            let payload = format!("{number} {}", "x".repeat(1000));
            writer.write_all(&publish_bytes(&publish(payload, 0, 0), Version::V5)).await.unwrap();
        }
        writer
    });
    // Longer than any broker may be silent: its answers to the pings wait behind the flood.
    let mut pings = 0;
    while pings < 4 {
        match soon("ping", link_fake::read(&mut reader, Version::V5)).await {
            Packet::Pingreq => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(!flood.is_finished(), "the broker is slowed down");
    link.publish(link::Publish::new("t", "still here").qos(Qos::AtMostOnce)).await.unwrap();
    loop {
        match soon("publish", link_fake::read(&mut reader, Version::V5)).await {
            Packet::Pingreq => {}
            packet => break assert!(matches!(packet, Packet::Publish(_)), "{packet:?}"),
        }
    }
    assert!(link.status().connected);
    for number in 0..FLOOD {
        let received = message(&mut events).await;
        let expected = format!("{number} ");
        assert!(received.payload.starts_with(expected.as_bytes()), "in order, nothing lost");
    }
    soon("flood", flood).await.unwrap();
    assert_eq!(link.status().reconnects, 0);
}

#[tokio::test]
async fn a_deaf_link_can_be_closed() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.incoming_capacity = 1;
    let (link, mut events) = spawn(config);
    let mut client = broker.welcome(false).await;
    assert!(matches!(event(&mut events).await, Event::Connected { .. }));
    link.publish(link::Publish::new("t", "x")).await.unwrap();
    let own = client.publish().await;
    for id in 1..10 {
        client.send(publish_bytes(&publish("x", 1, id), Version::V5)).await;
    }
    // Its acknowledgement waits behind messages that nobody takes.
    client.acknowledge(0x40, own.id).await;
    let reader = tokio::spawn(client.ended_in_order());
    soon("close", link.close(link_fake::LIMIT)).await.unwrap();
    assert!(reader.await.unwrap());
    assert!(soon("event", events.next()).await.is_some());
}

#[tokio::test]
async fn a_link_without_events_discards_and_goes_on() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.incoming_capacity = 1;
    let (link, events) = spawn(config);
    drop(events);
    let mut client = broker.welcome(false).await;
    for id in 1..100 {
        client.send(publish_bytes(&publish("x", 1, id), Version::V5)).await;
    }
    let delivery = link.publish(link::Publish::new("t", "x")).await.unwrap();
    let mut mirror = Mirror::default();
    mirror.serve(&mut client, 1).await;
    assert!(soon("delivery", delivery).await.is_ok());
}

#[tokio::test]
async fn qos_2_stays_exactly_once_through_many_cuts_in_both_directions() {
    for version in BOTH {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        config.incoming_capacity = 20;
        let (link, mut events) = spawn(config);
        let server = tokio::spawn(async move {
            let mut mirror = Mirror::echoing();
            for connection in 0_usize.. {
                let mut client = broker.welcome(connection > 0).await;
                mirror.resume(&mut client).await;
                mirror.serve(&mut client, 10 + connection * 7 % 31).await;
            }
        });
        let reader = tokio::spawn(async move {
            let mut received = Vec::<u32>::new();
            while received.len() < 200 {
                let message = message(&mut events).await;
                received.push(std::str::from_utf8(&message.payload).unwrap().parse().unwrap());
                message.ack();
            }
            (received, events)
        });
        for number in 0..200 {
            let message = link::Publish::new("t", number.to_string()).qos(Qos::ExactlyOnce);
            link.publish(message).await.unwrap();
        }
        let (received, mut events) = soon("messages", reader).await.unwrap();
        assert_eq!(received, (0..200).collect::<Vec<_>>());
        soon("close", link.close(link_fake::LIMIT)).await.unwrap();
        while let Some(event) = soon("end", events.next()).await {
            assert!(!matches!(event, Event::Message(_)), "{event:?}");
        }
        server.abort();
    }
}

/// Messages that the broker sends while nobody takes events.
async fn send_many(client: &mut link_fake::Client, version: Version, qos: u8, ids: std::ops::Range<u16>) {
    for id in ids {
        client.send(publish_bytes(&publish(id, qos, if qos == 0 { 0 } else { id }), version)).await;
    }
}

#[tokio::test]
async fn a_publisher_that_waits_for_room_gets_it_although_nobody_takes_events() {
    for version in BOTH {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        (config.incoming_capacity, config.spool_capacity) = (4, 1);
        let (link, mut events) = spawn(config);
        let mut client = broker.welcome(false).await;
        link.publish(link::Publish::new("t", "first")).await.unwrap();
        let first = client.publish().await;
        let waiting = tokio::spawn({
            let link = link.clone();
            async move { link.publish(link::Publish::new("t", "second")).await.map(drop) }
        });
        send_many(&mut client, version, 0, 1..50).await;
        // As many as may be under way, behind the others.
        send_many(&mut client, version, 1, 50..54).await;
        client.acknowledge(0x40, first.id).await;
        soon("room", waiting).await.unwrap().unwrap();
        assert_eq!(client.publish().await.payload, "second");
        let (mut messages, mut discarded) = (Vec::new(), 0);
        while messages.len() as u64 + discarded < 53 {
            match event(&mut events).await {
                Event::Message(message) => {
                    messages.push(String::from_utf8(message.payload.to_vec()).unwrap());
                    message.ack();
                }
                Event::Discarded { count } => discarded += count,
                _ => {}
            }
        }
        assert!(discarded >= 44, "{discarded}");
        assert_eq!(link.status().discarded, discarded);
        assert_eq!(messages[messages.len() - 4..], ["50", "51", "52", "53"], "nothing of QoS 1 is discarded");
        for id in 50..54 {
            assert_eq!(client.read().await, Packet::Puback(id));
        }
        assert_eq!(link.status().reconnects, 0);
    }
}

#[tokio::test]
async fn messages_of_qos_1_that_find_no_room_come_again_and_no_will_fires() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V311);
    (config.incoming_capacity, config.spool_capacity) = (4, 1);
    let (link, mut events) = spawn(config);
    let mut client = broker.welcome(false).await;
    link.publish(link::Publish::new("t", "first")).await.unwrap();
    let first = client.publish().await;
    let waiting = tokio::spawn({
        let link = link.clone();
        async move { link.publish(link::Publish::new("t", "second")).await }
    });
    // MQTT 3.1.1 knows no Receive Maximum.
    send_many(&mut client, Version::V311, 1, 1..21).await;
    client.acknowledge(0x40, first.id).await;
    let delivery = soon("room", waiting).await.unwrap().unwrap();
    let second = client.publish().await;
    client.acknowledge(0x40, second.id).await;
    soon("delivery", delivery).await.unwrap();
    let mut received = Vec::new();
    for _ in 0..4 {
        let message = message(&mut events).await;
        received.push(message.packet_id.unwrap());
        message.ack();
    }
    let mut disconnected = false;
    loop {
        match client.read().await {
            Packet::Puback(_) => {}
            Packet::Disconnect => disconnected = true,
            Packet::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(disconnected, "the will does not fire");
    let mut client = broker.welcome(true).await;
    for id in 5..21 {
        let again = Publish { dup: true, ..publish(id, 1, id) };
        client.send(publish_bytes(&again, Version::V311)).await;
        let message = message(&mut events).await;
        received.push(message.packet_id.unwrap());
        message.ack();
        assert_eq!(client.read().await, Packet::Puback(id));
    }
    assert_eq!(received, (1..21).collect::<Vec<_>>());
}
