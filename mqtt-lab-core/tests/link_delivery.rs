//! What the link accepted reaches the broker's acknowledgement.
#![allow(clippy::unwrap_used, reason = "a test")]

mod link_fake;

use std::time::Duration;

use link_fake::{BOTH, Broker, LIMIT, Mirror, Packet, event, message, soon, spawn, status};
use mqtt_lab_core::link::{
    Delivered, DeliveryError, Event, LinkError, Properties, Publish, PublishError, Qos, SpoolPolicy,
    Subscription, Version,
};

const ALL: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

fn publish(payload: &'static str) -> Publish {
    Publish::new("t", payload)
}

#[tokio::test]
async fn every_qos_goes_there_and_back_in_both_versions() {
    for version in BOTH {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        config.subscriptions = vec![Subscription::new("t", Qos::ExactlyOnce)];
        let (link, mut events) = spawn(config);
        let server = tokio::spawn(async move {
            let mut mirror = Mirror::echoing();
            let mut client = broker.welcome(false).await;
            assert!(mirror.serve(&mut client, 1000).await);
            mirror.received
        });
        status(&link, "subscription", |status| status.subscribed).await;
        for qos in ALL {
            let delivery = link.publish(publish("x").qos(qos).retain(true)).await.unwrap();
            let received = message(&mut events).await;
            assert_eq!((received.topic.as_str(), &received.payload[..]), ("t", &b"x"[..]));
            assert_eq!((received.qos, received.retain, received.duplicate), (qos, true, false));
            received.ack();
            let expected = if qos == Qos::AtMostOnce {
                Delivered::Sent
            } else {
                Delivered::Acked { no_subscribers: false }
            };
            assert_eq!(soon("delivery", delivery).await, Ok(expected));
        }
        let counters = link.status();
        assert_eq!((counters.accepted, counters.acked, counters.in_flight, counters.spooled), (3, 3, 0, 0));
        link.close(LIMIT).await.unwrap();
        assert_eq!(server.await.unwrap(), ["t x 0", "t x 1", "t x 2"]);
    }
}

#[tokio::test]
async fn what_was_in_flight_at_a_cut_comes_again_with_dup() {
    for version in BOTH {
        let broker = Broker::start().await;
        let (link, _events) = spawn(broker.config(version));
        let mut client = broker.welcome(false).await;
        let one = link.publish(publish("a")).await.unwrap();
        let two = link.publish(publish("b").qos(Qos::ExactlyOnce)).await.unwrap();
        let three = link.publish(publish("c").qos(Qos::ExactlyOnce)).await.unwrap();
        let first: Vec<_> = [client.publish().await, client.publish().await, client.publish().await].into();
        client.acknowledge(0x50, first[1].id).await;
        assert_eq!(client.read().await, Packet::Pubrel(first[1].id));
        drop(client);

        let mut client = broker.welcome(true).await;
        let again = client.publish().await;
        assert_eq!((again.short(), again.id), ("D t a 1".into(), first[0].id));
        assert_eq!(client.read().await, Packet::Pubrel(first[1].id));
        let again = client.publish().await;
        assert_eq!((again.short(), again.id), ("D t c 2".into(), first[2].id));
        client.acknowledge(0x40, first[0].id).await;
        client.acknowledge(0x70, first[1].id).await;
        client.acknowledge(0x50, first[2].id).await;
        assert_eq!(client.read().await, Packet::Pubrel(first[2].id));
        client.acknowledge(0x70, first[2].id).await;
        for delivery in [one, two, three] {
            assert_eq!(soon("delivery", delivery).await, Ok(Delivered::Acked { no_subscribers: false }));
        }
        assert_eq!(link.status().reconnects, 1);
    }
}

#[tokio::test]
async fn a_broker_that_lost_the_session_gets_everything_again_in_order() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.window = 2;
    let (link, _events) = spawn(config);
    let mut client = broker.welcome(false).await;
    for payload in ["a", "b", "c"] {
        link.publish(publish(payload).qos(Qos::ExactlyOnce)).await.unwrap();
    }
    let first = client.publish().await;
    client.publish().await;
    client.acknowledge(0x50, first.id).await;
    assert_eq!(client.read().await, Packet::Pubrel(first.id));
    drop(client);

    let mut client = broker.welcome(false).await;
    assert_eq!(client.publish().await.short(), "t a 2", "in doubt: rather twice than never");
    let b = client.publish().await;
    assert_eq!(b.short(), "t b 2");
    client.acknowledge(0x50, b.id).await;
    assert_eq!(client.read().await, Packet::Pubrel(b.id));
    client.acknowledge(0x70, b.id).await;
    assert_eq!(client.publish().await.short(), "t c 2");
}

/// Cuts after random numbers of packets; the mirror keeps the session.
#[tokio::test]
async fn many_cuts_lose_nothing_and_repeat_no_qos_2() {
    for (version, qos) in [(Version::V311, Qos::AtLeastOnce), (Version::V5, Qos::ExactlyOnce)] {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        config.window = 7;
        let (link, _events) = spawn(config);
        let (closed, mut over) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(async move {
            let mut mirror = Mirror::default();
            for connection in 0_usize.. {
                // Cut after its last acknowledgement, the link has no reason to come back.
                tokio::select! {
                    mut client = broker.welcome(connection > 0) => {
                        mirror.serve(&mut client, 5 + connection * 13 % 29).await;
                    }
                    _ = &mut over => break,
                }
            }
            mirror.received
        });
        for number in 0..300 {
            link.publish(Publish::new("t", number.to_string()).qos(qos)).await.unwrap();
        }
        link.close(LIMIT).await.unwrap();
        closed.send(()).unwrap();
        let mut received = server.await.unwrap();
        if qos == Qos::AtLeastOnce {
            let mut seen = std::collections::BTreeSet::new();
            received.retain(|line| seen.insert(line.clone()));
        }
        let expected: Vec<_> = (0..300).map(|number| format!("t {number} {qos}")).collect();
        assert_eq!(received, expected);
    }
}

#[tokio::test]
async fn the_brokers_receive_maximum_is_kept_to() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome_with(false, &[0x21, 0, 2]).await;
    for payload in ["a", "b", "c"] {
        link.publish(publish(payload)).await.unwrap();
    }
    let last = link.publish(publish("zero").qos(Qos::AtMostOnce)).await.unwrap();
    let first = client.publish().await;
    assert_eq!(client.publish().await.payload, "b");
    client.acknowledge(0x40, first.id).await;
    assert_eq!(client.publish().await.payload, "c");
    assert_eq!(client.publish().await.payload, "zero", "no acknowledgement, no window, but in order");
    assert_eq!(soon("delivery", last).await, Ok(Delivered::Sent));
    assert_eq!(link.status().in_flight, 2);
}

#[tokio::test]
async fn a_packet_too_large_for_the_broker_is_refused_without_a_reconnect() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome_with(false, &[0x27, 0, 0, 0, 64]).await;
    let large = link.publish(Publish::new("t", vec![b'x'; 100])).await.unwrap();
    let large_0 = link.publish(Publish::new("t", vec![b'x'; 100]).qos(Qos::AtMostOnce)).await.unwrap();
    let small = link.publish(publish("y")).await.unwrap();
    let packet = client.publish().await;
    assert_eq!(packet.payload, "y");
    client.acknowledge(0x40, packet.id).await;
    assert_eq!(soon("delivery", large).await, Err(DeliveryError::Rejected(0x95)));
    assert_eq!(soon("delivery", large_0).await, Err(DeliveryError::Rejected(0x95)));
    assert!(soon("delivery", small).await.is_ok());
    assert_eq!((link.status().reconnects, link.status().rejected), (0, 2));
}

#[tokio::test]
async fn reason_codes_reach_the_publisher() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome(false).await;
    let refused = link.publish(publish("a")).await.unwrap();
    let unheard = link.publish(publish("b")).await.unwrap();
    let (a, b) = (client.publish().await, client.publish().await);
    client.send([0x40, 3, 0, u8::try_from(a.id).unwrap(), 0x97]).await;
    client.send([0x40, 3, 0, u8::try_from(b.id).unwrap(), 0x10]).await;
    let error = soon("delivery", refused).await.unwrap_err();
    assert_eq!(error.to_string(), "refused: quota exceeded (reason code 0x97)");
    assert_eq!(soon("delivery", unheard).await, Ok(Delivered::Acked { no_subscribers: true }));
}

#[tokio::test]
async fn a_broker_that_can_do_less_gets_less_from_the_first_packet_on() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome_with(false, &[0x24, 0, 0x25, 0]).await;
    let delivery = link.publish(publish("a").qos(Qos::ExactlyOnce).retain(true)).await.unwrap();
    let packet = client.publish().await;
    assert_eq!((packet.qos, packet.retain), (0, false));
    assert_eq!(soon("delivery", delivery).await, Ok(Delivered::Sent));
    let expected = ["at most QoS 0: the broker's maximum", "no retained messages: the broker retains none"];
    assert_eq!(link.status().downgrades, expected);
}

#[tokio::test]
async fn properties_travel_in_mqtt_5_only() {
    let properties = Properties { content_type: Some("a".into()), ..Properties::default() };
    for (version, expected) in [(Version::V5, &[3, 0, 1, b'a'][..]), (Version::V311, &[])] {
        let broker = Broker::start().await;
        let (link, _events) = spawn(broker.config(version));
        let mut client = broker.welcome(false).await;
        link.publish(publish("x").properties(properties.clone())).await.unwrap();
        assert_eq!(client.publish().await.properties, expected);
    }
}

#[tokio::test]
async fn an_expired_message_is_not_sent() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let properties = Properties { message_expiry: Some(Duration::ZERO), ..Properties::default() };
    let expired = link.publish(publish("old").properties(properties)).await.unwrap();
    link.publish(publish("new")).await.unwrap();
    let mut client = broker.welcome(false).await;
    assert_eq!(client.publish().await.payload, "new");
    assert_eq!(soon("delivery", expired).await, Err(DeliveryError::Expired));
}

#[tokio::test]
async fn a_full_spool_blocks() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.spool_capacity = 2;
    let (link, _events) = spawn(config);
    let mut client = broker.welcome(false).await;
    link.publish(publish("a")).await.unwrap();
    link.publish(publish("b")).await.unwrap();
    assert_eq!(link.try_publish(publish("c")).unwrap_err(), PublishError::Full);
    let waiting = tokio::spawn({
        let link = link.clone();
        async move { link.publish(publish("c")).await.map(drop) }
    });
    let first = client.publish().await;
    client.publish().await;
    assert!(!waiting.is_finished());
    client.acknowledge(0x40, first.id).await;
    soon("room", waiting).await.unwrap().unwrap();
    assert_eq!(client.publish().await.payload, "c");
    assert_eq!(link.status().dropped, 0);
}

#[tokio::test]
async fn a_full_spool_gives_up_its_oldest() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    (config.spool_capacity, config.spool_policy) = (2, SpoolPolicy::DropOldest);
    let (link, _events) = spawn(config);
    let oldest = link.publish(publish("a")).await.unwrap();
    for payload in ["b", "c"] {
        link.publish(publish(payload)).await.unwrap();
    }
    assert_eq!(soon("delivery", oldest).await, Err(DeliveryError::Dropped));
    let mut client = broker.welcome(false).await;
    assert_eq!(client.publish().await.payload, "b");
    assert_eq!(client.publish().await.payload, "c");
    assert_eq!(link.publish(publish("d")).await.unwrap_err(), PublishError::Full, "both are in flight");
    assert_eq!(link.status().dropped, 2);
}

#[tokio::test]
async fn a_full_spool_is_an_error() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    (config.spool_capacity, config.spool_policy) = (1, SpoolPolicy::Error);
    let (link, _events) = spawn(config);
    link.publish(publish("a")).await.unwrap();
    assert_eq!(link.publish(publish("b")).await.unwrap_err(), PublishError::Full);
    assert_eq!(link.status().dropped, 1);
}

#[tokio::test]
async fn births_begin_every_connection() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.birth = vec![Publish::new("$state", "ready").retain(true).qos(Qos::ExactlyOnce)];
    let (link, _events) = spawn(config);
    link.publish(publish("early")).await.unwrap();
    let mut client = broker.welcome(false).await;
    let birth = client.publish().await;
    assert_eq!((birth.short(), birth.retain), ("$state ready 1".into(), true));
    assert_eq!(client.publish().await.short(), "t early 1");
    link.set_birth(vec![Publish::new("$state", "sleeping")]).unwrap();
    drop(client);

    // Neither was acknowledged: the message comes again, the stale birth does not.
    let mut client = broker.welcome(true).await;
    assert_eq!(client.publish().await.short(), "$state sleeping 1");
    assert_eq!(client.publish().await.short(), "D t early 1");
    link.publish(publish("next")).await.unwrap();
    assert_eq!(client.publish().await.short(), "t next 1");
}

#[tokio::test]
async fn close_waits_for_the_acknowledgement_and_then_disconnects() {
    for version in BOTH {
        let broker = Broker::start().await;
        let (link, mut events) = spawn(broker.config(version));
        let mut client = broker.welcome(false).await;
        let delivery = link.publish(publish("a")).await.unwrap();
        let packet = client.publish().await;
        let mut closing = std::pin::pin!(link.close(LIMIT));
        tokio::select! {
            biased;
            result = &mut closing => panic!("{result:?} without the acknowledgement"),
            () = async {} => {}
        }
        assert_eq!(link.try_publish(publish("late")).unwrap_err(), PublishError::Closed);
        client.acknowledge(0x40, packet.id).await;
        let (closed, disconnected) = tokio::join!(soon("close", closing), client.ended_in_order());
        closed.unwrap();
        assert!(disconnected);
        assert!(soon("delivery", delivery).await.is_ok());
        assert_eq!(link.publish(publish("b")).await.unwrap_err(), PublishError::Closed);
        assert!(matches!(event(&mut events).await, Event::Connected { .. }));
        assert!(soon("end", events.next()).await.is_none());
        assert!(!link.status().connected);
        link.close(LIMIT).await.unwrap();
    }
}

/// `close` on one thread meets the link at any point of its loop on another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_right_before_close_is_delivered() {
    let broker = Broker::start().await;
    for round in 0..300 {
        let (link, _events) = spawn(broker.config(Version::V5));
        let mut client = broker.welcome(false).await;
        let server = tokio::spawn(async move {
            let mut mirror = Mirror::default();
            assert!(mirror.serve(&mut client, 1000).await);
            mirror.received.len()
        });
        // Keeps the link busy, so that `close` comes while it runs.
        let busy = round % 30;
        for _ in 0..busy {
            link.publish(publish("0").qos(Qos::AtMostOnce)).await.unwrap();
        }
        link.publish(publish("1")).await.unwrap();
        link.close(LIMIT).await.unwrap();
        assert_eq!(server.await.unwrap(), busy + 1);
    }
}

#[tokio::test]
async fn close_tells_what_the_broker_did_not_acknowledge_and_still_disconnects() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome(false).await;
    let delivery = link.publish(publish("a")).await.unwrap();
    link.publish(publish("b")).await.unwrap();
    client.publish().await;
    let reader = tokio::spawn(client.ended_in_order());
    let error = link.close(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, LinkError::Unacknowledged { remaining: 2, kept: 0 }), "{error}");
    assert_eq!(soon("delivery", delivery).await, Err(DeliveryError::Closed));
    assert!(reader.await.unwrap());
}

#[tokio::test]
async fn close_during_the_handshake_still_disconnects() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let (client, _) = broker.connect().await;
    let reader = tokio::spawn(client.ended_in_order());
    soon("close", link.close(LIMIT)).await.unwrap();
    assert!(reader.await.unwrap());
}

#[tokio::test]
async fn close_without_a_broker_does_not_wait_for_one() {
    let broker = Broker::start().await;
    let config = broker.config(Version::V5);
    drop(broker);
    let (link, _events) = spawn(config);
    soon("close", link.close(LIMIT)).await.unwrap();
}

#[tokio::test]
async fn the_last_handle_takes_the_link_along_in_order() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome(false).await;
    link.publish(publish("a")).await.unwrap();
    drop(link);
    let packet = client.publish().await;
    client.acknowledge(0x40, packet.id).await;
    assert!(client.ended_in_order().await);
}

#[tokio::test]
async fn abort_is_a_pulled_cable() {
    let broker = Broker::start().await;
    let (link, mut events) = spawn(broker.config(Version::V5));
    let client = broker.welcome(false).await;
    assert!(matches!(event(&mut events).await, Event::Connected { .. }));
    soon("end", link.abort()).await;
    assert!(!client.ended_in_order().await);
}

#[test]
fn a_link_needs_a_runtime() {
    let config = mqtt_lab_core::link::LinkConfig::new("127.0.0.1:1883", "a");
    assert!(matches!(mqtt_lab_core::link::Link::spawn(config), Err(LinkError::NoRuntime(_))));
}

#[test]
fn a_link_ends_with_its_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (link, mut events) =
        runtime.block_on(async { spawn(mqtt_lab_core::link::LinkConfig::new("127.0.0.1:1", "a")) });
    let delivery = runtime.block_on(link.publish(publish("a"))).unwrap();
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert_eq!(soon("delivery", delivery).await, Err(DeliveryError::Closed));
        assert!(soon("end", events.next()).await.is_none());
        assert_eq!(link.publish(publish("b")).await.unwrap_err(), PublishError::Closed);
    });
}

/// More than one write takes, and no acknowledgement that would call for the rest.
#[tokio::test]
async fn a_long_backlog_of_qos_0_leaves_without_a_pause() {
    for version in BOTH {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        // The watchdog must not be what wakes the link.
        config.keep_alive = Duration::ZERO;
        let (link, _events) = spawn(config);
        for number in 0..1_000 {
            let message = Publish::new("t", format!("{number:0200}")).qos(Qos::AtMostOnce);
            link.publish(message).await.unwrap();
        }
        let mut client = broker.welcome(false).await;
        for number in 0..1_000 {
            assert_eq!(client.publish().await.payload, format!("{number:0200}"));
        }
    }
}
